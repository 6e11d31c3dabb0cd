"""Xero's identity server and connections: who may come in, with what, and for how long.

Responsible for apps, consents, codes, tokens, their rotation and grace, and connections. Refuses to know HTTP and
HTML: requests come in as mappings, refusals go out as exceptions.
"""

import base64
import hashlib
import re
import secrets
import threading
import uuid as uuids
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlencode

from xpmsync.sandbox.clock import Clock
from xpmsync.sandbox.switches import Switches
from xpmsync.sandbox.tokens import signing_key

_DEFAULT_PORT: Final = 8742  # the one Xero's own command line registers
_SCOPE_NAMES: Final = re.compile(
    r"openid|profile|email|offline_access"
    r"|practicemanager|practicemanager\.(staff|client|job|time|cost|invoice|quote|category|task|supplier|purchaseorder)(\.read)?"
    r"|(accounting|payroll|assets|files|projects|bankfeeds|finance)(\.[a-z0-9]+)*"
)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9\-_]{43}")
TokenErrorCode = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
]


class PageError(Exception):
    """The sign-in stops at a page in the browser; the program hears nothing. Carries the page's words."""


class TokenError(Exception):
    """The token endpoint refuses, with a code."""

    def __init__(self, code: TokenErrorCode) -> None:
        super().__init__(code)
        self.code = code


class AccessRefusedError(Exception):
    """A bearer token is refused: unknown, or past its time (`expired_at`)."""

    def __init__(self, expired_at: float | None = None) -> None:
        super().__init__("unknown" if expired_at is None else "expired")
        self.expired_at = expired_at


@dataclass(frozen=True)
class App:
    """An app as registered with Xero. Without a secret it is a PKCE app, with one a web app."""

    client_id: str = "sandbox-app"
    secret: str | None = None
    redirect_ports: tuple[int, ...] = ()  # besides 8742, for a test that listens elsewhere
    name: str = "Practice sync"

    def accepts_redirect(self, address: str) -> bool:
        """Whether an address is registered, letter by letter. `http://127.0.0.1` is refused, as at Xero."""
        return address in {f"http://localhost:{port}/callback" for port in (_DEFAULT_PORT, *self.redirect_ports)}


@dataclass(frozen=True)
class Tenant:
    """Something a user can connect: a practice, or another kind of Xero account."""

    tenant_id: str
    tenant_type: str
    name: str


@dataclass(frozen=True)
class Consent:
    """A sign-in that waits for the person to press a button."""

    consent_id: str
    app: App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    challenge: str
    tenants: tuple[Tenant, ...]


@dataclass(frozen=True)
class Access:
    """What a bearer token allows."""

    app: App
    scopes: frozenset[str]
    auth_event_id: str


@dataclass
class _Grant:
    app: App
    scopes: tuple[str, ...]
    auth_event_id: str
    authenticated_at: float
    revoked: bool = False


@dataclass(frozen=True)
class _Code:
    grant: _Grant
    redirect_uri: str
    challenge: str
    expires_at: float


@dataclass
class _RefreshToken:
    grant: _Grant
    issued_at: float
    first_used_at: float | None = None
    successor: str = ""


@dataclass
class _AccessToken:
    grant: _Grant
    expires_at: float


@dataclass
class _Connection:
    connection_id: str
    tenant: Tenant
    app: App
    auth_event_id: str
    created_at: float
    updated_at: float


class Identity:
    """The identity server of one sandbox. It has one user, who may connect every tenant."""

    def __init__(self, clock: Clock, switches: Callable[[], Switches], apps: Iterable[App]) -> None:
        self._clock = clock
        self._switches = switches
        self._apps = {app.client_id: app for app in apps}
        self.tenants: dict[str, Tenant] = {}
        self._lock = threading.RLock()
        self._user_id = str(uuids.uuid4())
        self._consents: dict[str, Consent] = {}
        self._codes: dict[str, _Code] = {}
        self._refresh_tokens: dict[str, _RefreshToken] = {}
        self._access_tokens: dict[str, _AccessToken] = {}
        self._connections: list[_Connection] = []
        self._scopes_of_app: dict[str, tuple[str, ...]] = {}

    # The sign-in in the browser

    def ask(self, query: Mapping[str, str]) -> Consent:
        """Check the program's request and prepare the consent page."""
        app = self._apps.get(query.get("client_id", ""))
        if app is None:
            raise PageError("unauthorized_client : Unknown client or client not enabled")
        redirect_uri = query.get("redirect_uri", "")
        if not app.accepts_redirect(redirect_uri):
            raise PageError("unauthorized_client : Invalid redirect_uri")
        if query.get("response_type") != "code":
            raise PageError("unsupported_response_type : Response type not supported")
        scopes = tuple(dict.fromkeys(query.get("scope", "").split()))
        self._check_scopes(app, scopes)
        challenge = query.get("code_challenge", "")
        if not challenge and app.secret is None:
            raise PageError("invalid_request : code challenge required")
        if challenge and (query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge)):
            raise PageError("invalid_request : Transform algorithm not supported")
        offered = tuple(self.tenants.values()) if self._switches().user_may_connect else ()
        consent = Consent(
            secrets.token_urlsafe(24), app, redirect_uri, scopes, query.get("state", ""), challenge, offered
        )
        with self._lock:
            self._consents[consent.consent_id] = consent
        return consent

    def _check_scopes(self, app: App, scopes: tuple[str, ...]) -> None:
        if not scopes or not all(_SCOPE_NAMES.fullmatch(scope) for scope in scopes):
            raise PageError("invalid_scope : Invalid scope for client")
        practice = any(scope.startswith("practicemanager") for scope in scopes)
        if practice and any(scope.startswith("accounting") for scope in scopes):
            raise PageError("invalid_scope : Accounting and practice scopes cannot be asked for together")
        if practice and app.secret is None and not self._switches().pkce_practice_scopes:
            raise PageError("invalid_scope : Invalid scope for client")

    def cancel(self, consent_id: str) -> str:
        """Cancel was pressed; returns the address for the browser."""
        consent = self._take_consent(consent_id)
        return f"{consent.redirect_uri}?{urlencode({'error': 'access_denied', 'state': consent.state})}"

    def allow(self, consent_id: str, tenant_id: str) -> str:
        """Allow access was pressed, for one tenant (empty: all on offer); returns the address for the browser."""
        consent = self._take_consent(consent_id)
        now = self._clock.now()
        switches = self._switches()
        with self._lock:
            earlier = self._scopes_of_app.get(consent.app.client_id, ()) if switches.scopes_add_up else ()
            withheld = switches.withheld_scopes.split()
            granted = dict.fromkeys((*consent.scopes, *earlier, *switches.extra_scopes.split()))
            scopes = tuple(scope for scope in granted if scope not in withheld)
            self._scopes_of_app[consent.app.client_id] = scopes
            grant = _Grant(consent.app, scopes, str(uuids.uuid4()), now)
            for tenant in consent.tenants:
                if tenant_id in ("", tenant.tenant_id):
                    self._connect(tenant, grant, now)
            code = secrets.token_hex(32)
            self._codes[code] = _Code(grant, consent.redirect_uri, consent.challenge, now + switches.code_seconds)
        session_state = f"{secrets.token_urlsafe(32)}.{secrets.token_hex(16)}"
        answer = {"code": code, "scope": " ".join(scopes), "state": consent.state, "session_state": session_state}
        return f"{consent.redirect_uri}?{urlencode(answer)}"

    def _take_consent(self, consent_id: str) -> Consent:
        with self._lock:
            consent = self._consents.pop(consent_id, None)
        if consent is None:
            raise PageError("invalid_request : This page has been used before")
        return consent

    def _connect(self, tenant: Tenant, grant: _Grant, now: float) -> None:
        for connection in self._connections:
            if connection.tenant == tenant and connection.app == grant.app:
                connection.auth_event_id, connection.updated_at = grant.auth_event_id, now
                return
        self._connections.append(_Connection(str(uuids.uuid4()), tenant, grant.app, grant.auth_event_id, now, now))

    # The token endpoint

    def issue(self, form: Mapping[str, str], authorization: str) -> dict[str, Any]:
        """Exchange a code or a refresh token for new tokens."""
        app = self._authenticate(form, authorization)
        with self._lock:
            match form.get("grant_type"):
                case "authorization_code":
                    grant = self._redeem_code(app, form)
                    refresh_token = self._new_refresh_token(grant) if "offline_access" in grant.scopes else None
                case "refresh_token":
                    grant, refresh_token = self._rotate(app, form)
                case _:
                    raise TokenError("unsupported_grant_type")
            return self._tokens(grant, refresh_token)

    def _authenticate(self, form: Mapping[str, str], authorization: str) -> App:
        """A web app by Basic, a PKCE app by its id alone: a secret or a header from one that has none is refused."""
        if authorization:
            client_id, _, secret = _decode_basic(authorization).partition(":")
            app = self._apps.get(client_id)
            if app is None or app.secret is None or not secrets.compare_digest(secret.encode(), app.secret.encode()):
                raise TokenError("invalid_client")
            return app
        app = self._apps.get(form.get("client_id", ""))
        if app is None or app.secret is not None or "client_secret" in form:
            raise TokenError("invalid_client")
        return app

    def _redeem_code(self, app: App, form: Mapping[str, str]) -> _Grant:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.grant.app != app or code.expires_at < self._clock.now():
            raise TokenError("invalid_grant")
        if code.redirect_uri != form.get("redirect_uri"):
            raise TokenError("invalid_grant")
        if code.challenge:
            verifier = form.get("code_verifier", "")
            digest = hashlib.sha256(verifier.encode()).digest()
            if not _VERIFIER.fullmatch(verifier) or _base64url(digest) != code.challenge:
                raise TokenError("invalid_grant")
        return code.grant

    def _rotate(self, app: App, form: Mapping[str, str]) -> tuple[_Grant, str]:
        """Replace a refresh token.

        The replaced one keeps working for a while after its first use, any number of times.
        """
        token = self._refresh_tokens.get(form.get("refresh_token", ""))
        if token is None or token.grant.app != app or token.grant.revoked:
            raise TokenError("invalid_grant")
        switches, now = self._switches(), self._clock.now()
        if not set(form.get("scope", "").split()) <= set(token.grant.scopes):
            raise TokenError("invalid_scope")
        if token.first_used_at is None:
            if now > token.issued_at + switches.refresh_token_seconds:
                raise TokenError("invalid_grant")
            token.first_used_at = now
            token.successor = self._new_refresh_token(token.grant)
            return token.grant, token.successor
        if now > token.first_used_at + switches.replay_grace_seconds:
            raise TokenError("invalid_grant")
        if switches.replayed_refresh == "same":
            return token.grant, token.successor
        return token.grant, self._new_refresh_token(token.grant)

    def _new_refresh_token(self, grant: _Grant) -> str:
        token = secrets.token_urlsafe(32)
        self._refresh_tokens[token] = _RefreshToken(grant, self._clock.now())
        return token

    def _tokens(self, grant: _Grant, refresh_token: str | None) -> dict[str, Any]:
        lifetime = self._switches().access_token_seconds
        now = self._clock.now()
        common = {
            "nbf": int(now),
            "exp": int(now) + lifetime,
            "iss": "https://identity.xero.com",
            "sub": hashlib.sha256(self._user_id.encode()).hexdigest()[:32],
            "auth_time": int(grant.authenticated_at),
            "xero_userid": self._user_id,
            "global_session_id": hashlib.sha256(grant.auth_event_id.encode()).hexdigest()[:32],
            "jti": secrets.token_hex(16).upper(),
        }
        claims = common | {
            "aud": "https://identity.xero.com/resources",
            "client_id": grant.app.client_id,
            "authentication_event_id": grant.auth_event_id,
            "scope": list(grant.scopes),
            "amr": ["pwd", "mfa"],
        }
        access_token = signing_key().sign(claims)
        self._access_tokens[access_token] = _AccessToken(grant, now + lifetime)
        answer = {"access_token": access_token, "expires_in": lifetime, "token_type": "Bearer"}
        if refresh_token is not None:
            answer["refresh_token"] = refresh_token
        if "openid" in grant.scopes:
            person = {
                "aud": grant.app.client_id,
                "email": "administrator@example.com",
                "given_name": "Ada",
                "family_name": "Reid",
            }
            answer["id_token"] = signing_key().sign(common | person)
        return answer | {"scope": " ".join(grant.scopes)}

    def revoke(self, form: Mapping[str, str], authorization: str) -> None:
        """Revoke a refresh token: it removes all connections of the user to the app, not this one alone."""
        app = self._authenticate(form, authorization)
        with self._lock:
            token = self._refresh_tokens.get(form.get("token", ""))
            if token is None or token.grant.app != app:
                return  # RFC 7009: an unknown token is no error
            for each in self._refresh_tokens.values():
                each.grant.revoked = each.grant.revoked or each.grant.app == app
            self._connections = [each for each in self._connections if each.app != app]
            self._scopes_of_app.pop(app.client_id, None)

    # What a bearer token allows

    def check(self, authorization: str) -> Access:
        """What the bearer token in an Authorization header allows."""
        scheme, _, bearer = authorization.partition(" ")
        with self._lock:
            token = self._access_tokens.get(bearer)
        if scheme.lower() != "bearer" or token is None:
            raise AccessRefusedError
        if token.expires_at <= self._clock.now():
            raise AccessRefusedError(token.expires_at)
        return Access(token.grant.app, frozenset(token.grant.scopes), token.grant.auth_event_id)

    def expire(self, authorization: str) -> None:
        """End an access token now, so that only a refresh helps."""
        with self._lock:
            token = self._access_tokens.get(authorization.partition(" ")[2])
            if token is not None:
                token.expires_at = min(token.expires_at, self._clock.now())

    def may_use(self, access: Access, tenant_id: str) -> bool:
        """Whether the app is connected to a tenant."""
        with self._lock:
            return any(each.tenant.tenant_id == tenant_id and each.app == access.app for each in self._connections)

    def connections(self, access: Access, auth_event_id: str | None = None) -> list[dict[str, Any]]:
        """The connections of the user to the app, as `GET /connections` gives them."""
        with self._lock:
            return [
                {
                    "id": each.connection_id,
                    "authEventId": each.auth_event_id,
                    "tenantId": each.tenant.tenant_id,
                    "tenantType": each.tenant.tenant_type,
                    "tenantName": None if self._switches().tenant_name_null else each.tenant.name,
                    "createdDateUtc": _seven_decimals(each.created_at),
                    "updatedDateUtc": _seven_decimals(each.updated_at),
                }
                for each in self._connections
                if each.app == access.app and auth_event_id in (None, each.auth_event_id)
            ]

    def disconnect(self, access: Access, connection_id: str) -> bool:
        """End one connection; False when the user has none of that id (the tenant id, by mistake)."""
        with self._lock:
            kept = [each for each in self._connections if each.connection_id != connection_id or each.app != access.app]
            found = len(kept) < len(self._connections)
            self._connections = kept
            return found


def _decode_basic(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        return ""


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _seven_decimals(moment: float) -> str:
    """A date as Xero's .NET writes it: seven decimals, no zone."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%f}0"
