"""A program that signs in to the sandbox and calls it, written here, so that the sandbox is tried from outside."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from xpmsync.sandbox import App, Practice, Sandbox, Switches
from xpmsync.sandbox.browser import press

REDIRECT = "http://localhost:8742/callback"
SCOPES = "offline_access practicemanager.staff.read practicemanager.client.read"
VERIFIER = secrets.token_urlsafe(48)


class Program:
    """A program as Xero knows it: an app id, perhaps a secret, tokens, a tenant."""

    def __init__(self, sandbox: Sandbox, secret: str | None = None) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.headers["Accept-Encoding"] = "identity"
        self.auth = ("sandbox-app", secret) if secret else None
        self.tokens: dict = {}
        self.tenant_id = ""

    def authorise_url(self, **changes) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": "sandbox-app",
            "redirect_uri": REDIRECT,
            "scope": SCOPES,
            "state": "s-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        query = {name: value for name, value in (query | changes).items() if value is not None}
        return f"{self.sandbox.url}/identity/connect/authorize?{urlencode(query)}"

    def code(self, practice: str | None = None, **changes) -> str:
        return parse_qs(urlsplit(press(self.authorise_url(**changes), practice=practice)).query)["code"][0]

    def token(self, **form) -> requests.Response:
        client = {} if self.auth else {"client_id": "sandbox-app"}
        form = {name: value for name, value in (client | form).items() if value is not None}
        return self.session.post(f"{self.sandbox.url}/connect/token", data=form, auth=self.auth)

    def exchange(self, code: str, **changes) -> requests.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return self.token(**(form | changes))

    def refresh(self, refresh_token: str | None = None) -> requests.Response:
        token = refresh_token or self.tokens["refresh_token"]
        return self.token(grant_type="refresh_token", refresh_token=token)

    def connect(self, practice: str | None = None, **changes) -> "Program":
        self.tokens = self.exchange(self.code(practice, **changes)).json()
        connections = self.connections()
        self.tenant_id = connections[0]["tenantId"] if connections else ""
        return self

    def connections(self, query: str = "") -> list[dict]:
        return self.session.get(f"{self.sandbox.url}/connections{query}", headers=self.bearer()).json()

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def get(self, call: str, headers: dict[str, str] | None = None, **options) -> requests.Response:
        sent = {**self.bearer(), "xero-tenant-id": self.tenant_id, **(headers or {})}
        url = call if call.startswith("http") else f"{self.sandbox.url}/practicemanager/3.1/{call}"
        return self.session.get(url, headers=sent, **options)


class Recording:
    """One recorded answer."""

    def __init__(self, path: Path) -> None:
        head, _, self.body = path.read_bytes().partition(b"\r\n\r\n")
        self.status_line, *lines = head.decode().split("\r\n")
        self.headers = [tuple(line.split(": ", 1)) for line in lines]


@pytest.fixture
def recording() -> Callable[[str], Recording]:
    return lambda name: Recording(Path(__file__).parent.parent / "recordings" / f"{name}.http")


@pytest.fixture
def practice() -> Practice:
    """Small: three staff, four clients, one of them archived, one deleted."""
    made = Practice("Fern & Co")
    ada = made.add_staff("Ada Reid", "ada@example.com")
    made.add_staff("Ben Ngata", "ben@example.com")
    made.add_staff("Reception", None)
    made.add_client("Acmer Pty Ltd", account_manager=ada, groups=["Acmer Group"], business_number="51 824 753 556")
    made.add_client("Bluegum Dairy Ltd", contacts=[{"name": "Jo", "salutation": "Jo", "is_primary": True}])
    made.archive_client(made.add_client("Closed Ltd"))
    made.delete_client(made.add_client("Deleted Ltd"))
    return made


@pytest.fixture
def serve() -> Iterator[Callable[..., Sandbox]]:
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(Sandbox(*arguments, **options))


@pytest.fixture
def sandbox(serve, practice) -> Sandbox:
    return serve(practice, switches=Switches(empty_elements="pair"))


@pytest.fixture
def program(sandbox) -> Program:
    return Program(sandbox).connect()


@pytest.fixture
def web_program(serve, practice) -> Program:
    return Program(serve(practice, apps=[App(secret="sandbox-secret")]), "sandbox-secret")


@pytest.fixture
def new_program() -> type[Program]:
    return Program
