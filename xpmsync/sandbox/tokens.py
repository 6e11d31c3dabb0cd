"""Signed JSON web tokens (RS256) by plain Python integers, so that the sandbox needs no cryptography package.

Responsible for one key of this process, signing, and the public key as JWKS. It is a stand-in's key: made afresh at
the first use, never stored, and worth nothing. Refuses to know what a token says.
"""

import base64
import functools
import hashlib
import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_EXPONENT: Final = 65537
# Four primes instead of two make a key of the same 2,048 bits in a tenth of the time; nobody who verifies can tell.
_PRIMES: Final = 4
_PRIME_BITS: Final = 512
_KEY_BYTES: Final = _PRIMES * _PRIME_BITS // 8
_SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1
_SMALL_PRIMES: Final = tuple(
    number for number in range(3, 400, 2) if all(number % divisor for divisor in range(3, number, 2))
)


@dataclass(frozen=True)
class SigningKey:
    """An RSA key."""

    primes: tuple[int, ...]
    key_id: str

    @property
    def modulus(self) -> int:
        """The public number."""
        return math.prod(self.primes)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JSON web token of these claims."""
        header = {"alg": "RS256", "kid": self.key_id, "typ": "JWT", "x5t": self.key_id}
        signed = f"{_encode(_compact(header))}.{_encode(_compact(claims))}"
        digest = _SHA256_PREFIX + hashlib.sha256(signed.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (_KEY_BYTES - len(digest) - 3) + b"\x00" + digest
        signature = self._power(int.from_bytes(padded))
        return f"{signed}.{_encode(signature.to_bytes(_KEY_BYTES))}"

    def _power(self, message: int) -> int:
        """The message to the private exponent: prime by prime and put together again, which is ten times as quick."""
        total = 0
        for prime in self.primes:
            others = self.modulus // prime
            share = pow(message, pow(_EXPONENT, -1, prime - 1), prime)
            total += share * others * pow(others, -1, prime)
        return total % self.modulus

    def public_keys(self) -> dict[str, Any]:
        """The JWKS that a verifier fetches."""
        modulus, exponent = _encode(self.modulus.to_bytes(_KEY_BYTES)), _encode(_EXPONENT.to_bytes(3))
        return {"keys": [{"kty": "RSA", "use": "sig", "kid": self.key_id, "alg": "RS256", "n": modulus, "e": exponent}]}


@functools.cache
def signing_key() -> SigningKey:
    """The key of this process."""
    primes: set[int] = set()
    while len(primes) < _PRIMES:
        primes.add(_make_prime())
    return SigningKey(tuple(primes), secrets.token_hex(20).upper())


def _make_prime() -> int:
    while True:
        # The four highest bits are set, so that the product of four has its full length.
        candidate = secrets.randbits(_PRIME_BITS) | (0b1111 << (_PRIME_BITS - 4)) | 1
        if (
            all(candidate % prime for prime in _SMALL_PRIMES)
            and math.gcd(candidate - 1, _EXPONENT) == 1
            and all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5))
        ):
            return candidate


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _compact(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()
