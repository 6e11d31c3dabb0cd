"""The vault: xpmsync's secrets in the operating system's keyring.

With its backend `xpmsync.credentials.backend` the only place that knows ``keyring``. Keyrings fail in many ways and
sometimes not at all: they hang. Every call here has a deadline, and whatever goes wrong becomes a KeyringError that
says what to do on this machine. Refuses backends that would keep secrets in the clear or throw them away. Where the
settings name a key file, the keyring is one of xpmsync's own, which runs for as long as the vault is open
(``xpmsync.credentials.daemon``): so every command that needs a secret says ``with opened(...)``. Knows names and texts;
knows nothing of what the secrets are for, and never repeats one.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal, TypeVar, cast

import keyring.core
import keyring.errors
from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend

from xpmsync.config import Config, KeyringSettings
from xpmsync.credentials.daemon import (
    LOCK_SECONDS,
    SET_UP,
    find_files,
    find_missing_packages,
    run_secret_service,
)
from xpmsync.credentials.refresh_marker import explain_folder
from xpmsync.errors import KeyringError
from xpmsync.home import Home, load_home_id
from xpmsync.system.lock import CannotLock, hold
from xpmsync.system.timeouts import OutOfTime, call_within

SecretName = Literal["sign-in", "client-secret", "smtp-password", "canary"]
"""Beside the secrets: what proves that the own keyring's key is right."""
Result = TypeVar("Result")

SERVICE: Final = "xpmsync"
CHOICE_VARIABLE: Final = "PYTHON_KEYRING_BACKEND"
PATIENCE_SECONDS: Final = 15.0
"""For a keyring that nobody has to unlock by hand first."""
UNLOCK_SECONDS: Final = 120.0
"""For one that asks the person for its password first."""

UNSAFE_MODULES: Final = ("keyring.backends.null", "keyring.backends.fail", "keyrings.alt")
"""Backends that forget, refuse, or (all of keyrings.alt, once it is installed) write files that others can read."""
KNOWN_NAMES: Final[Mapping[str, str]] = {
    "keyring.backends.SecretService.Keyring": "the desktop's keyring (Secret Service)",
    "keyring.backends.libsecret.Keyring": "the desktop's keyring (libsecret)",
    "keyring.backends.kwallet.DBusKeyring": "KDE Wallet",
    "keyring.backends.macOS.Keyring": "the macOS Keychain",
}
OWN_REMEDY: Final = "If the disk is full, make room. To see what is wrong with the keyring, run: xpmsync keyring"
PROBE: Final = "keyring-probe-"
CANARY: Final = "This keyring was opened with its own key."
MAC_BACKEND: Final = "keyring.backends.macOS.Keyring"


@dataclass(frozen=True)
class Vault:
    """The secrets of one home, in one keyring."""

    backend: KeyringBackend
    home_id: str
    patience_seconds: float
    remedy: str
    """What to do about a keyring that does not work on this machine."""
    is_own: bool = False
    """Whether it is one of xpmsync's own, which ``key_file`` names."""

    @property
    def backend_name(self) -> str | None:
        """The backend's class, as ``[keyring] backend`` names it; None where ``key_file`` says which keyring it is."""
        return None if self.is_own else _name(self.backend)

    @property
    def description(self) -> str:
        """Which keyring this is, for people."""
        return (
            "xpmsync's own keyring"
            if self.backend_name is None
            else KNOWN_NAMES.get(self.backend_name, self.backend_name)
        )

    def read(self, name: SecretName) -> str | None:
        """The secret, or None where there is none."""
        for user_name in self._user_names(name):
            value = self._call("read", self.backend.get_password, user_name)
            if value is not None:
                return value
        return None

    def write(self, name: SecretName, value: str) -> None:
        """Store the secret in place of an earlier one."""
        for user_name in reversed(self._user_names(name)):
            self._call("store", self.backend.set_password, user_name, value)

    def forget(self, name: SecretName) -> None:
        """Remove the secret, if there is one."""
        for user_name in self._user_names(name):
            if self._call("read", self.backend.get_password, user_name) is not None:
                self._call("remove", self.backend.delete_password, user_name)

    def prove(self, folder: Path) -> None:
        """Store something, read it back and remove it; KeyringError where the keyring cannot be lived with.

        Under a name of its own, as another command may do the same. A file in `folder` has that name, and is locked
        meanwhile: what was left by a command that was killed is found by its file, and its name is used and removed.
        """
        new = (folder / f"{PROBE}{token_hex(4)}" for _ in itertools.count())
        try:
            for mark in itertools.chain(folder.glob(f"{PROBE}*"), new):
                with hold(mark) as is_held:
                    if is_held and mark.exists():
                        self._prove(cast("SecretName", mark.name))
                        mark.unlink()
                        return
        except CannotLock as error:
            raise explain_folder(folder, error) from error

    def _prove(self, name: SecretName) -> None:
        value = token_hex()
        self.write(name, value)
        if self.read(name) != value:
            raise KeyringError("The keyring did not keep what xpmsync stored in it.", self.remedy)
        self.forget(name)

    def _user_names(self, name: SecretName) -> tuple[str, ...]:
        """Where the secret lies, and its spare copy.

        On macOS keyring 25 replaces a value by removing the old one and then adding the new one; a crash between the
        two would lose it. There a spare copy is written first, and read when the value itself is missing.
        """
        user_name = f"{self.home_id}/{name}"
        return (user_name, f"{user_name}/spare") if self.backend_name == MAC_BACKEND else (user_name,)

    def _call(self, verb: str, method: Callable[..., Result], *arguments: str) -> Result:
        try:
            return call_within(self.patience_seconds, lambda: method(SERVICE, *arguments))
        except KeyringError:
            raise
        except Exception as error:  # noqa: BLE001 - backends raise what they like
            attempt = f"tried to {verb} a secret"
            # Not chained, and cleaned: the backend's own words may repeat what it was given.
            raise _explain(error, attempt, self.remedy, self.patience_seconds, secrets=arguments[1:]) from None


@contextmanager
def opened(
    home: Home,
    config: Config,
    *,
    environment: Mapping[str, str] = os.environ,
    patience_seconds: float = PATIENCE_SECONDS,
    wait_seconds: float = LOCK_SECONDS,
) -> Iterator[Vault]:
    """The secrets of `home`, for the length of a ``with`` block: no longer than needed, as others may wait for it.

    In the keyring that the environment chooses, else in xpmsync's own if it has been set up, else in the one that was
    recorded, else in the one that is found. `patience_seconds` is how long each call may take: longer where a person
    may be asked to unlock the keyring. `wait_seconds` is for another command that uses xpmsync's own.
    """
    key_file = config.keyring.key_file
    if key_file is None or environment.get(CHOICE_VARIABLE):
        yield open_vault(load_home_id(home), config.keyring, environment=environment, patience_seconds=patience_seconds)
        return
    with _run_own(home, Path(key_file), patience_seconds=patience_seconds, wait_seconds=wait_seconds) as vault:
        _prove_key(vault, home)
        yield vault


def create_own_keyring(home: Home, key_file: Path) -> None:
    """Make the keyring of xpmsync's own in `home`, or find it whole, and prove that it keeps what it is given."""
    with _run_own(home, key_file, may_create=True) as vault:
        vault.write("canary", CANARY)
    with _run_own(home, key_file) as vault:
        _prove_key(vault, home)
        vault.prove(home.data_folder)


@contextmanager
def _run_own(
    home: Home,
    key_file: Path,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    wait_seconds: float = LOCK_SECONDS,
    may_create: bool = False,
) -> Iterator[Vault]:
    from xpmsync.credentials.backend import OwnKeyring  # noqa: PLC0415 - slow to load, and only servers have one

    files = find_files(home)
    with run_secret_service(files, key_file, wait_seconds=wait_seconds, may_create=may_create):
        yield Vault(OwnKeyring(files, key_file), load_home_id(home), patience_seconds, OWN_REMEDY, is_own=True)


def _prove_key(vault: Vault, home: Home) -> None:
    """gnome-keyring takes a wrong key without a word: only what was stored with the right one tells."""
    if vault.read("canary") != CANARY:
        raise KeyringError(f"xpmsync's own keyring, {find_files(home).store}, was not set up to the end.", SET_UP)


def open_vault(
    home_id: str,
    settings: KeyringSettings,
    *,
    environment: Mapping[str, str] = os.environ,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Vault:
    """The secrets of the home `home_id`, in a keyring that needs no starting; see `opened`, which commands use."""
    remedy = find_remedy(environment)
    try:
        backend = call_within(patience_seconds, lambda: _choose_backend(settings, environment))
    except KeyringError:
        raise
    except Exception as error:
        raise _explain(error, "looked for a keyring", remedy, patience_seconds) from error
    return Vault(backend, home_id, patience_seconds, remedy)


def _choose_backend(settings: KeyringSettings, environment: Mapping[str, str]) -> KeyringBackend:
    if chosen := environment.get(CHOICE_VARIABLE):
        return keyring.core.load_keyring(chosen)  # a person's own, explicit choice stands, whatever it is
    first = keyring.core.load_keyring(settings.backend) if settings.backend else keyring.core.get_keyring()
    # A chain would pass a secret on to whichever member takes it: one member is chosen, and stays the one.
    candidates: list[KeyringBackend] = list(first.backends) if isinstance(first, ChainerBackend) else [first]
    for candidate in candidates:
        if not _is_unsafe(candidate):
            return candidate
    names = " or ".join(
        _name(candidate) for candidate in candidates if _name(candidate) != "keyring.backends.fail.Keyring"
    )
    if not names:
        raise keyring.errors.NoKeyringError("no backend")
    raise KeyringError(
        f"This machine offers no keyring but {names}, which does not keep secrets safe. xpmsync does not use it.",
        f"{find_remedy(environment)} (Whoever wants it nevertheless sets {CHOICE_VARIABLE} to its name.)",
    )


def _is_unsafe(backend: KeyringBackend) -> bool:
    """Whether the backend, or one that it is made from, is known to keep secrets badly."""
    return any(
        f"{kind.__module__}.".startswith(tuple(f"{module}." for module in UNSAFE_MODULES))
        or "plaintext" in kind.__name__.lower()
        for kind in type(backend).__mro__
    )


def _name(backend: KeyringBackend) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _explain(
    error: Exception, attempt: str, remedy: str, patience_seconds: float, secrets: tuple[str, ...] = ()
) -> KeyringError:
    """One of a keyring's many failures, in a person's words."""
    match error:
        case OutOfTime():
            happened = f"The keyring has not answered for {patience_seconds:.0f} seconds; it may be locked."
        case keyring.errors.KeyringLocked():
            happened = "The keyring is locked."
        case keyring.errors.NoKeyringError() | keyring.errors.InitError():
            happened = "There is no keyring that xpmsync can reach."
        case keyring.errors.PasswordSetError():
            happened = "The keyring did not take what xpmsync wanted to store."
        case _:
            happened = "The keyring does not work."
    words = f"{type(error).__name__}: {error}"
    for secret in secrets:
        words = words.replace(secret, "(secret)")
    return KeyringError(happened, remedy, details=f"{attempt}: {words}")


def find_remedy(environment: Mapping[str, str], *, platform: str = sys.platform, user_id: int | None = None) -> str:
    """What to do about a keyring on a machine like this one: a Mac, a desktop, cron beside a desktop, a server."""
    if platform == "darwin":
        return "Log in to this Mac so that its keychain is unlocked, then try again."
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return "Unlock the keyring (log in to the desktop again, or open “Passwords and Keys”), then try again."
    if environment.get("DBUS_SESSION_BUS_ADDRESS"):
        return (
            "Log in to the desktop of this machine once, so that its keyring is started and unlocked, then try again."
        )
    bus = Path(f"/run/user/{os.getuid() if user_id is None else user_id}/bus")
    if bus.exists():
        return (
            "Commands outside the desktop, such as cron's, do not find its keyring by themselves. Put this line above"
            f" xpmsync's in the crontab: DBUS_SESSION_BUS_ADDRESS=unix:path={bus}"
        )
    remedy = "This machine has no keyring running for this user. On a server, give xpmsync one of its own"
    if missing := " and ".join(find_missing_packages()):
        return f"{remedy}: install {missing}, then run: xpmsync keyring setup"
    return f"{remedy}: xpmsync keyring setup"
