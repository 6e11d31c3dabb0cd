"""A signed-in program on one side, a sandbox on the other, and a clock between them that a test can move."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from xpmsync.config import KeyringSettings, XeroSettings
from xpmsync.credentials.refresh_marker import find_mark
from xpmsync.credentials.store import Vault, open_vault
from xpmsync.sandbox import App, Practice, Sandbox
from xpmsync.sandbox.browser import press
from xpmsync.xpm.client import ApiClient
from xpmsync.xpm.oauth import Grant, IdentityClient
from xpmsync.xpm.tokens import Tokens

APPS = (App(), App("web-app", secret="a-secret-of-the-web-app"))


@dataclass
class Office:
    """The program's side: what it needs to speak to the sandbox, and how long it has slept."""

    sandbox: Sandbox
    folder: Path
    client_id: str = "sandbox-app"
    client_secret: str | None = None
    home_id: str = "home"
    skew: timedelta = timedelta()
    naps: list[float] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def settings(self) -> XeroSettings:
        url = self.sandbox.url
        return XeroSettings(client_id=self.client_id, login_url=f"{url}/identity", identity_url=url, api_url=url)

    @property
    def client(self) -> IdentityClient:
        return IdentityClient(self.settings, self.client_secret)

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.home_id}.lock"

    def now(self) -> datetime:
        """The program's own clock, which need not be right."""
        return datetime.fromtimestamp(self.sandbox.clock.now(), UTC) + self.skew

    def pass_time(self, **spans: float) -> None:
        """Let time go by on both sides."""
        self.sandbox.clock.advance(timedelta(**spans).total_seconds())

    def open_vault(self, *, patience_seconds: float = 5.0) -> Vault:
        return open_vault(self.home_id, KeyringSettings(), patience_seconds=patience_seconds)

    def open_tokens(
        self, *, vault: Any = None, client: Any = None, sleep: Callable[[float], None] | None = None
    ) -> Tokens:
        return Tokens(
            vault or self.open_vault(), client or self.client, self.lock, now=self.now, sleep=sleep or self.naps.append
        )

    def consent(self) -> Grant:
        """Sign in through the real flow."""
        consent = self.client.ask_for_consent()
        answer = parse_qs(urlsplit(press(consent.address)).query)
        assert answer["state"] == [consent.state]
        return consent.redeem(answer["code"][0])

    def connect(self) -> Tokens:
        """Sign in and keep it; returns tokens of a program that has just started."""
        self.open_tokens().save_sign_in(self.consent(), practice_name="The Practice")
        return self.open_tokens()

    def open_gateway(self, tokens: Any = None, *, deadline_seconds: float = 600.0) -> ApiClient:
        """A gateway that notes its naps instead of sleeping."""
        gateway = ApiClient(
            self.sandbox.url,
            tokens or self.connect(),
            now=self.now,
            monotonic=time.monotonic,
            sleep=self.naps.append,
            deadline=time.monotonic() + deadline_seconds,
        )
        return self.stack.enter_context(closing(gateway))

    def stored(self) -> str:
        """What the keyring holds as the sign-in."""
        return self.sandbox.keychain.passwords["xpmsync", f"{self.home_id}/sign-in"]

    def is_pending(self) -> bool:
        """Whether a renewal was begun and never finished, as the watchman learns it."""
        return find_mark(self.lock).exists()

    def count_calls(self, path: str) -> int:
        return sum(request.path.endswith(path) for request in self.sandbox.requests)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with Sandbox(Practice.generate(clients=60, staff=12, seed=7), apps=APPS) as sandbox, ExitStack() as stack:
        monkeypatch.setitem(os.environ, "PYTHON_KEYRING_BACKEND", "xpmsync.sandbox.keyring.SandboxKeyring")
        monkeypatch.setitem(os.environ, "XPMSYNC_SANDBOX_KEYRING", sandbox.url)
        yield Office(sandbox, tmp_path, stack=stack)
