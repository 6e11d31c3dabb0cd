"""The sign-in against an identity server that we did not write: npm's certified ``oidc-provider``.

It is stricter than Xero in one thing: a refresh token that is used twice ends the whole grant at once, with no grace.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

import lxml.html
import pytest
import requests
from firms import make_environment

from xpmsync.cli.commands import connect
from xpmsync.config import KeyringSettings, XeroSettings
from xpmsync.credentials.store import Vault, open_vault
from xpmsync.errors import ConfigurationError, SignInNeeded
from xpmsync.sandbox import Sandbox
from xpmsync.xpm.callback import listen
from xpmsync.xpm.oauth import IdentityClient, InvalidGrant, read_claims
from xpmsync.xpm.tokens import GrantEnded, Tokens

pytestmark = pytest.mark.slow

SERVER = Path(__file__).parent / "identity_server"
SECRET = "a-secret-of-the-web-app"
INSTALL_SECONDS = 300
START_SECONDS = 60
VISIT_SECONDS = 20
BROWSER_STEPS = 10


@pytest.fixture(scope="module")
def server_url(tmp_path_factory, require_program, do_without) -> Iterator[str]:
    """The address of the identity server, installed into a folder of its own and ended with the tests."""
    node, npm = require_program("node"), require_program("npm")
    folder = tmp_path_factory.mktemp("identity-server")
    for file in SERVER.iterdir():
        shutil.copy(file, folder)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run([npm, "ci", *options], cwd=folder, check=False, timeout=INSTALL_SECONDS).returncode:
        do_without("npm could not install the identity server")
    with subprocess.Popen(
        [node, "server.js", SECRET], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        lines: SimpleQueue[str] = SimpleQueue()
        Thread(target=lambda: lines.put(program.stdout.readline()), daemon=True).start()
        try:
            yield lines.get(timeout=START_SECONDS).strip()
        except Empty:
            program.kill()
            raise
        finally:
            program.stdin.close()  # it ends with its standard input


@dataclass(frozen=True)
class Person:
    """The one who signs in, with a program's settings and a real vault."""

    settings: XeroSettings
    vault: Vault
    lock: Path
    secret: str | None = None

    def client(self) -> IdentityClient:
        return IdentityClient(self.settings, self.secret)

    def open_tokens(self) -> Tokens:
        """As a program does that has just started."""
        return Tokens(self.vault, self.client(), self.lock, sleep=lambda _: None)

    def sign_in(self):
        """The whole way: the server's own pages, our listener, our page."""
        consent = self.client().ask_for_consent()
        with listen(self.settings.redirect_uri, consent.state) as listener:
            end = visit(consent.address)
            reply = listener.wait(VISIT_SECONDS)
        assert end.url.endswith("/signed-in")
        return consent.redeem(reply.code)

    def connect(self):
        self.open_tokens().save_sign_in(self.sign_in(), practice_name="The Practice")

    def stored(self):
        return json.loads(self.vault.read("sign-in"))

    def tokens_kept(self):
        return {name: value for name, value in self.stored().items() if "token" in name}


def visit(address, *, cancels=False):
    """Do what a person does in a browser, to the last page: log in, and allow access or cancel."""
    with closing(requests.Session()) as browser:
        browser.trust_env = False
        answer = browser.get(address, timeout=VISIT_SECONDS)
        for _ in range(BROWSER_STEPS):
            page = lxml.html.fromstring(answer.content, base_url=answer.url)
            page.make_links_absolute()
            if cancels and (ways := page.xpath("//a[contains(@href, '/abort')]/@href")):
                answer = browser.get(ways[0], timeout=VISIT_SECONDS)
            elif page.forms:
                form = page.forms[0]
                fields = dict(form.form_values()) | {
                    name: "ann" for name in ("login", "password") if name in form.fields
                }
                answer = browser.post(form.action, data=fields, timeout=VISIT_SECONDS)
            else:
                break
        return answer


@pytest.fixture
def person(server_url, tmp_path, monkeypatch, free_port) -> Iterator[Person]:
    with Sandbox() as sandbox:  # for its keyring alone
        for name, value in make_environment(tmp_path, sandbox.url).items():
            monkeypatch.setenv(name, value)
        settings = XeroSettings(
            client_id="public-app",
            redirect_uri=f"http://localhost:{free_port}/callback",
            login_url=f"{server_url}/identity",
            identity_url=server_url,
        )
        yield Person(settings, open_vault("home", KeyringSettings()), tmp_path / "sign-in.lock")


@pytest.fixture(params=["public-app", "web-app"])
def either_app(request, person) -> Person:
    """An app without a secret, and one with a secret."""
    secret = SECRET if request.param == "web-app" else None
    return replace(person, settings=replace(person.settings, client_id=request.param), secret=secret)


def test_a_person_signs_in_and_the_sign_in_is_renewed_again_and_again(either_app, server_url):
    grant = either_app.sign_in()
    claims = read_claims(grant.access_token)
    assert (claims["iss"], claims["client_id"]) == (server_url, either_app.settings.client_id)
    assert set(grant.scopes) == {"practicemanager.staff.read", "practicemanager.client.read"}
    connect._check_scopes(either_app.settings.scopes, grant)  # noqa: SLF001 - it names no offline_access, and gives it
    assert grant.lifetime_seconds == 1800
    either_app.open_tokens().save_sign_in(grant, practice_name="The Practice")
    seen = [either_app.tokens_kept()["refresh_token"]]
    access_tokens = {grant.access_token}
    for _ in range(5):
        access_tokens.add(either_app.open_tokens().access_token())
        kept = either_app.tokens_kept()
        assert kept["previous_refresh_token"] == seen[-1]
        seen.append(kept["refresh_token"])
    assert len(set(seen)) == len(access_tokens) == 6
    assert either_app.stored()["intent_at"] is None


def test_twenty_runs_at_once_renew_one_after_the_other(person):
    person.connect()
    with ThreadPoolExecutor(20) as pool:
        tokens = set(pool.map(lambda _: person.open_tokens().access_token(), range(20)))
    assert len(tokens) == 20  # had two of them sent the same refresh token, the grant would be dead
    person.open_tokens().access_token()


def test_an_access_token_is_kept_until_it_is_rejected(person):
    person.connect()
    tokens = person.open_tokens()
    first = tokens.access_token()
    assert tokens.access_token() == first
    assert tokens.renew(first) != first


def test_a_crash_before_the_request_costs_nothing(person):
    person.connect()
    person.vault.write("sign-in", json.dumps(person.stored() | {"intent_at": "2026-11-01T14:07:00Z"}))
    person.open_tokens().finish_pending()
    assert person.stored()["intent_at"] is None
    person.open_tokens().access_token()


def test_a_replay_that_ends_the_grant_needs_a_person_and_deletes_nothing(person):
    person.connect()
    person.open_tokens().access_token()
    before = person.tokens_kept()
    person.client().refresh(before["refresh_token"])  # by a program that died before it could store what came back
    for _ in range(2):
        with pytest.raises(SignInNeeded, match="no longer accepts this sign-in") as caught:
            person.open_tokens().access_token()
        assert "xpmsync connect" in caught.value.remedy
        assert person.tokens_kept() == before
    person.connect()
    person.open_tokens().access_token()


@pytest.mark.parametrize(
    ("app", "taken_for", "secret", "error", "words"),
    [
        ("public-app", "nobody", None, ConfigurationError, "invalid_client"),
        ("public-app", "web-app", SECRET, SignInNeeded, "no longer accepts this sign-in"),
        ("web-app", "web-app", None, ConfigurationError, "client secret"),
        ("web-app", "web-app", "a-wrong-one", ConfigurationError, "client secret"),
    ],
    ids=["an unknown client id", "another app's client id", "no client secret", "a wrong client secret"],
)
def test_a_mistake_in_the_settings_keeps_the_tokens(person, app, taken_for, secret, error, words):
    own_secret = SECRET if app == "web-app" else None
    person = replace(person, settings=replace(person.settings, client_id=app), secret=own_secret)
    person.connect()
    look = person.stored if error is ConfigurationError else person.tokens_kept
    before = look()
    mistaken = replace(person, settings=replace(person.settings, client_id=taken_for), secret=secret)
    with pytest.raises(error, match=words):
        mistaken.open_tokens().access_token()
    assert look() == before
    person.open_tokens().access_token()


def test_cancel_comes_back_as_such(person):
    consent = person.client().ask_for_consent()
    with listen(person.settings.redirect_uri, consent.state) as listener:
        end = visit(consent.address, cancels=True)
        reply = listener.wait(VISIT_SECONDS)
    assert end.url.endswith("/cancelled")
    assert (reply.code, reply.error) == (None, "access_denied")


def test_a_code_serves_once_and_only_with_its_own_verifier(person):
    consent, other = person.client().ask_for_consent(), person.client().ask_for_consent()
    with listen(person.settings.redirect_uri, consent.state) as listener:
        visit(consent.address)
        code = listener.wait(VISIT_SECONDS).code
    with pytest.raises(SignInNeeded, match="serves once"):
        other.redeem(code)
    grant = consent.redeem(code)
    with pytest.raises(SignInNeeded, match="serves once"):
        consent.redeem(code)
    with pytest.raises(InvalidGrant):  # the server takes the second use for a theft
        person.client().refresh(grant.refresh_token)


def test_a_sign_in_that_was_revoked_is_over(either_app):
    either_app.connect()
    either_app.open_tokens().revoke()
    before = either_app.tokens_kept()
    for ask in (either_app.open_tokens().access_token, either_app.open_tokens().revoke):
        with pytest.raises(GrantEnded):
            ask()
    assert either_app.tokens_kept() == before
