"""The sign-in at Xero: authorisation code with PKCE, refresh, revocation, on top of requests-oauthlib.

Responsible for what is asked of the identity server and for telling its answers apart: Xero decides by the word in
``{"error": ...}``, never by the status, and everything else that is not a token is trouble on the way. Keeps nothing:
what becomes of a grant is the business of ``tokens``. Nothing secret reaches an exception, a ``repr`` or a log.
"""

import base64
import io
import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from xpmsync.config import XeroSettings, is_loopback, require
from xpmsync.errors import ConfigurationError, PermanentError, SignInNeeded, TransientError
from xpmsync.home import connect_command
from xpmsync.system.timeouts import OutOfTime, call_within
from xpmsync.xpm.connection_errors import (
    check_authorities,
    explain_connection_error,
    explain_interception,
    explain_silence,
)
from xpmsync.xpm.responses import ID, make_trouble, redact

CONNECT_AND_READ_SECONDS: Final = (10.0, 30.0)
ANSWER_SECONDS: Final = 60.0
"""For a whole answer: the time-outs above begin anew with every byte."""
LIFETIME_SECONDS: Final = 720
"""For an access token that does not tell its own: the shorter of the two that Xero's pages name."""
LONGEST_LIFETIME_SECONDS: Final = 24 * 3600
"""A longer one is taken for this: the next refresh then tells."""
MANY_SECONDS: Final = 10**9
"""A lifetime that is no number to count with."""
LARGEST_ANSWER_BYTES: Final = 256 * 1024
"""Xero's tokens have some two thousand."""
PIECE_BYTES: Final = 4096
"""As much of an answer as is unpacked at once: it may become a thousand times as much."""
TOKEN_ERRORS: Final = re.compile(
    "invalid_(request|client|grant|scope)|unauthorized_client|unsupported_grant_type"
    "|server_error|temporarily_unavailable"
)
"""The token endpoint's errors (RFC 6749, section 5.2), and two of the sign-in page's that servers send here too."""

# At DEBUG it writes access token, refresh token and client secret (tried); a filter outlives any level and set-up.
logging.getLogger("requests_oauthlib.oauth2_session").addFilter(lambda _: False)


class InvalidGrant(Exception):
    """Xero does not know this refresh token any more; what that means is for ``tokens`` to decide."""


@dataclass(frozen=True)
class Grant:
    """What the identity server gave."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    lifetime_seconds: int
    scopes: tuple[str, ...]
    user_id: str | None
    """Who signed in, by Xero's own id; for display alone."""


@dataclass(frozen=True)
class Consent:
    """A sign-in that waits for a person: the address to open, and what comes back exchanged for a grant."""

    address: str
    state: str = field(repr=False)
    redeem: Callable[[str], Grant] = field(repr=False)
    """Exchange the code that came back."""


@dataclass(frozen=True)
class IdentityClient:
    """The identity server, as one app sees it."""

    settings: XeroSettings
    client_secret: str | None = field(default=None, repr=False)

    def ask_for_consent(self) -> Consent:
        """Prepare a sign-in: nothing is sent, the person's browser goes there."""
        session = self._open_session()
        session.scope = self.settings.scopes
        login = f"{self.settings.login_url}/connect/authorize"
        address, state = session.authorization_url(_as_https(login))
        session.scope = None  # otherwise a grant of more scopes than asked for would be raised as a Warning

        def redeem(code: str) -> Grant:
            try:
                return self._ask(
                    session,
                    lambda url: session.fetch_token(
                        url,
                        code=code,
                        auth=self._basic(),
                        include_client_id=not self.client_secret,
                        timeout=CONNECT_AND_READ_SECONDS,
                    ),
                )
            except InvalidGrant:
                raise SignInNeeded(
                    "Xero does not accept what the browser brought back; it serves once, for five minutes.",
                    f"Run again: {connect_command()}",
                ) from None

        return Consent(address.replace(_as_https(login), login, 1), state, redeem)

    def refresh(self, refresh_token: str) -> Grant:
        """Exchange a refresh token for a new grant; raises InvalidGrant when Xero does not accept it."""
        session = self._open_session()
        return self._ask(
            session,
            lambda url: session.refresh_token(
                url,
                refresh_token=refresh_token,
                auth=self._basic(),
                timeout=CONNECT_AND_READ_SECONDS,
                client_id=None if self.client_secret else self.settings.client_id,
            ),
        )

    def revoke(self, refresh_token: str) -> None:
        """End the grant; at Xero this ends all of the user's connections to the app."""
        form = {"token": refresh_token} | ({} if self.client_secret else {"client_id": self.settings.client_id})

        def post() -> requests.Response:
            with self._open_session() as session:
                return session.post(
                    _as_https(f"{self.settings.identity_url}/connect/revocation"),
                    data=form,
                    auth=self._basic(),
                    timeout=CONNECT_AND_READ_SECONDS,
                )

        answer = _ask_in_time(post, self.settings.identity_url)
        is_page = "html" in answer.headers.get("content-type", "")  # of a hotel's network, say
        if answer.status_code != requests.codes.ok or is_page:
            raise _explain(answer)

    def _ask(self, session: OAuth2Session, request: Callable[[str], Mapping[str, Any]]) -> Grant:
        """One word with the token endpoint, judged before oauthlib makes less of it."""
        session.register_compliance_hook("access_token_response", _judge)
        session.register_compliance_hook("refresh_token_response", _judge)
        with session:
            address = self.settings.identity_url
            token = _ask_in_time(lambda: request(_as_https(f"{address}/connect/token")), address)
        claims = read_claims(token["access_token"])
        user_id = claims.get("xero_userid")
        lifetime_seconds = token.get("expires_in", LIFETIME_SECONDS)
        return Grant(
            access_token=token["access_token"],
            refresh_token=token.get("refresh_token", ""),
            lifetime_seconds=min(lifetime_seconds, LONGEST_LIFETIME_SECONDS),
            scopes=_read_scopes(token.get("scope") or claims.get("scope")),
            user_id=user_id if isinstance(user_id, str) and ID.fullmatch(user_id) else None,
        )

    def _open_session(self) -> OAuth2Session:
        client_id = require(self.settings.client_id, "xero.client_id")
        check_authorities(self.settings.identity_url)
        session = OAuth2Session(client_id, redirect_uri=self.settings.redirect_uri, pkce="S256")
        session.max_redirects = 0  # what is posted here goes to Xero or nowhere
        session.hooks["response"].append(_take_in)
        address = self.settings.identity_url
        if address != _as_https(address):
            session.trust_env = False  # no proxy stands between this machine and itself
            session.mount(_as_https(address), _LoopbackAdapter())
        return session

    def _basic(self) -> HTTPBasicAuth | None:
        return HTTPBasicAuth(self.settings.client_id or "", self.client_secret) if self.client_secret else None


class _LoopbackAdapter(HTTPAdapter):
    """Carries over plain http what oauthlib believes to be https.

    oauthlib's own switch would allow plain http everywhere in the process; this is mounted for the one address that
    the settings name on this machine.
    """

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def _as_https(address: str) -> str:
    """`address` as oauthlib accepts it: plain http on this machine is written as https (see _LoopbackAdapter)."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    return parts._replace(scheme="https").geturl() if local else address


def _ask_in_time(request: Callable[[], Any], address: str) -> Any:
    """What `request` to an address returns; whatever keeps it from coming is a connection error."""
    try:
        return call_within(ANSWER_SECONDS, request)
    except OutOfTime:
        raise explain_silence(address) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        uses_proxy = address == _as_https(address)
        raise explain_connection_error(error, address, uses_proxy=uses_proxy) from error


def _take_in(answer: requests.Response, **_: object) -> requests.Response:
    """Read the whole answer before requests would, which takes whatever is sent."""
    body = b""
    with closing(answer.raw) as raw:
        for piece in raw.stream(PIECE_BYTES, decode_content=True):
            body += piece
            if len(body) > LARGEST_ANSWER_BYTES:
                raise _trouble("gave an answer that does not end")
    answer.raw, answer.encoding = io.BytesIO(body), "utf-8-sig"  # JSON's, with or without a mark, whatever it claims
    return answer


def _judge(answer: requests.Response) -> requests.Response:
    """Let a token through to oauthlib, which would lose the status and the words of anything else."""
    if answer.status_code == requests.codes.ok and _is_grant(_read_json(answer)):
        return answer
    raise _explain(answer)


def _is_grant(body: Mapping[str, Any]) -> bool:
    """Whether `body` is what a token endpoint gives, every part of it of its own kind."""
    lifetime, scope = body.get("expires_in", LIFETIME_SECONDS), body.get("scope", "")
    return (
        "error" not in body
        and _is_token(body.get("access_token"))
        and _is_token(body.get("refresh_token", "none"))
        and type(lifetime) is int
        and 0 < lifetime < MANY_SECONDS
        and isinstance(scope, str | list)
    )


def _is_token(value: object) -> bool:
    """Whether a value can be sent in a header, and kept in a keyring."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,65536}", value) is not None


def _explain(answer: requests.Response) -> Exception:
    """What the identity server means by an answer that is not what was asked for."""
    word = _read_json(answer).get("error")
    details = f"identity server: status {answer.status_code}, error {redact(word, TOKEN_ERRORS)}"
    match word:
        case "invalid_grant":
            return InvalidGrant()
        case "invalid_client" | "unauthorized_client":
            return ConfigurationError(
                f"Xero does not accept this app's client id or client secret ({word}).",
                "Compare client_id in config.toml with the app's page at https://developer.xero.com/app/manage, then"
                f" run: {connect_command()}; for an app with a client secret: "
                f"{connect_command()} --client-secret-stdin",
                details=details,
            )
        case "unsupported_grant_type" | "invalid_scope" | "invalid_request":
            return PermanentError(
                f"Xero does not accept the way xpmsync signs in ({word}). The sign-in itself is kept.",
                "This is for the makers of xpmsync to put right: please report it together with the log.",
                details=details,
            )
        case _ if answer.status_code == requests.codes.ok and "html" in answer.headers.get("content-type", ""):
            return explain_interception(answer.url, "has answered with a web page", details)
        case _:
            return _trouble(_say_status(answer.status_code), details, _read_seconds(answer))


def _say_status(status: int) -> str:
    if status == requests.codes.too_many_requests:
        return "asks to call less often"
    if status >= requests.codes.internal_server_error:
        return f"has a problem of its own (status {status})"
    if status == requests.codes.ok:
        return "has answered with something that is no sign-in"
    return f"has turned the call away (status {status})"


def _trouble(what: str, details: str | None = None, retry_after_seconds: float | None = None) -> TransientError:
    return make_trouble(f"Xero's sign-in server {what}.", details, retry_after_seconds)


def _read_json(answer: requests.Response) -> Mapping[str, Any]:
    """The JSON object in an answer, or an empty one. Reads the same text as oauthlib, so that both find the same."""
    try:
        body = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _read_seconds(answer: requests.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def find_missing(asked: Iterable[str], granted: Collection[str]) -> list[str]:
    """The scopes that Xero has not granted: neither by name nor, of an earlier consent, with Practice Manager's all."""
    has_all = "practicemanager" in granted
    return [scope for scope in asked if scope not in granted and not (has_all and scope.startswith("practicemanager."))]


def _read_scopes(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(str(scope) for scope in value) if isinstance(value, list) else ()


def read_claims(access_token: str) -> Mapping[str, Any]:
    """What an access token says about itself, unverified, for display alone; empty when it is no JSON web token."""
    try:
        payload = access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
