"""A whole life of a sign-in, told at the top of everybody's voice, and no secret in anything that is left or said.

The commands are those of `talkative.py`, in processes of their own. Python's dumps of HTTP and SMTP are the one thing
that must hold the secrets, which shows that they were there to be leaked.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from firms import make_environment, point_at
from forks import Forks

from xpmsync.config import change_config
from xpmsync.home import find_home
from xpmsync.sandbox import FAULTS, App, Practice, Sandbox
from xpmsync.sandbox.browser import press

pytestmark = pytest.mark.slow

TALKATIVE = Path(__file__).with_name("talkative.py")
"""Not imported: it changes what all tests of this process would use."""
CLIENT_SECRET, WRONG_SECRET = "Wattle+Fern/27=of-the-web-app", "Kauri+Fern/27=of-another-app"
MAIL_PASSWORD, WRONG_PASSWORD = "Kowhai&Rimu/27=of-the-mail-server", "Totara&Rimu/27=of-another-one"
MAIL_USER = "sync@firm.example"
KINDS = {"access token", "refresh token", "code", "verifier", "client secret", "mail password"}
TOKEN_FAULTS = [name for name, kind in FAULTS.items() if kind.where in ("token", "everything")]
ACCESS_FAULTS = ["token-rejected", "token-expired", "insufficient-scope", "user-revoked"]
KEYRING_FAULTS = ["keyring-full", "keyring-forgets", "keyring-locked", "keyring-missing", "keyring-runtime-error"]
PLACES = {
    "home": "settings, database and log",
    "in-the-middle": "the same with spool and journal, while a run goes on and after it was killed",
    "said": "standard output, standard error, every exception, every e-mail",
    "processes": "arguments and environment of every process, the browser's too",
    "person": "the person's own files",
    "temporary": "temporary files",
}
COMMAND_SECONDS = 120
FRAGMENT_BYTES = 16
NAMES_IN_FORMS = {
    "code": "code",
    "code_verifier": "verifier",
    "refresh_token": "refresh token",
    "token": "refresh token",
}


# The other side: it knows every secret.


class WatchfulSandbox(Sandbox):
    """A sandbox that remembers every secret that it is told or tells, also where the telling then fails."""

    def __init__(self, *details, **options):
        super().__init__(*details, **options)
        self.secrets = defaultdict(set)

    def answer(self, request):
        reply = super().answer(request)
        if request.path.startswith("/sandbox"):
            return reply
        for name, kind in NAMES_IN_FORMS.items():
            self.remember(kind, request.form().get(name))
        self.remember("access token", request.headers.get("authorization", "").partition("Bearer ")[2])
        self.remember("code", *parse_qs(urlsplit(dict(reply.answer.headers).get("location", "")).query).get("code", []))
        if request.path == "/connect/token" and reply.answer.content().startswith(b"{"):
            told = json.loads(reply.answer.content())
            self.remember("access token", told.get("access_token"))
            self.remember("refresh token", told.get("refresh_token"))
        return reply

    def remember(self, kind, *secrets):
        self.secrets[kind].update(filter(None, secrets))


def disguises(secret):
    """The ways in which a secret can stand in a text: as it is, in an address, or within something in base 64."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    for shift in range(3):
        whole = plain[shift:]
        yield base64.b64encode(whole[: len(whole) // 3 * 3])


def fragments(secret):
    """What is enough to recognise a secret, even one that was shortened."""
    for text in disguises(secret):
        for start in (0, (len(text) - FRAGMENT_BYTES) // 2, len(text) - FRAGMENT_BYTES):
            yield text[start : start + FRAGMENT_BYTES]


@dataclass(frozen=True)
class Evidence:
    """All that a life has left and said, in one folder, and all the secrets in it."""

    folder: Path
    secrets: dict[str, set[str]]

    def find(self, place):
        """The secrets in the files of a place, as (file, kind)."""
        searched = {
            fragment: kind for kind, secrets in self.secrets.items() for each in secrets for fragment in fragments(each)
        }
        return {
            (str(path.relative_to(self.folder)), kind)
            for path, content in self.read(place).items()
            for fragment, kind in searched.items()
            if fragment in content
        }

    def read(self, place):
        return {path: path.read_bytes() for path in (self.folder / place).rglob("*") if path.is_file()}


# The life.


@dataclass
class Administrator:
    """Types the commands, and keeps what they say."""

    folder: Path
    sandbox: WatchfulSandbox
    forks: Forks
    typed: int = 0

    @property
    def environment(self):
        return {
            **make_environment(self.folder / "home", self.sandbox.url),
            "PATH": os.environ["PATH"],
            "BROWSER": f"{sys.executable} {TALKATIVE} {self.folder} browser %s &",
            "HOME": str(self.folder / "person"),
            "TMPDIR": str(self.folder / "temporary"),
        }

    def run(self, *arguments, converse=lambda _command: "", **changes):
        """Type a command, and what `converse` gives; returns the exit code, which is never that of a bug."""
        self.typed += 1
        said = self.folder / "said" / f"{self.typed:03}"
        with said.open("w") as file:
            file.write(f"{arguments}\n")
            file.flush()
            command = self.forks.start(
                [str(self.folder), "xpmsync", *arguments],
                environment=self.environment | changes,
                errors=file.fileno(),
            )
            exit_code, printed = command.finish(converse(command))
        with said.open("a") as file:
            file.write(printed)
        assert exit_code not in (1, 2), said.read_text()
        return exit_code

    def connect_by_hand(self, *options, first_line="", paste=press):
        """On a server: the address is printed, and what the browser ended on is pasted."""

        def converse(command):
            command.stdin.write(first_line and f"{first_line}\n")
            return f"{paste(command.stdout.readline().strip())}\n"

        return self.run("connect", "--no-browser", *options, converse=converse)

    def kill_in_the_middle(self):
        """A run that ends with SIGKILL while the clients arrive; what it leaves is put aside."""
        words = [sys.executable, TALKATIVE, str(self.folder), "xpmsync", "sync"]
        with (
            self.sandbox.faults.active("slow", path="client.api/list", drip_bytes=100, drip_seconds=0.05),
            (self.folder / "said" / "killed").open("w") as said,
            subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            ) as program,
        ):
            until = time.monotonic() + COMMAND_SECONDS
            while "client.api/list" not in self.sandbox.requests[-1].path:
                assert program.poll() is None
                assert time.monotonic() < until
                time.sleep(0.01)
            for name in ("cmdline", "environ"):
                seen = self.folder / "processes" / f"{program.pid}-{name}-meanwhile"
                seen.write_bytes(Path(f"/proc/{program.pid}/{name}").read_bytes())
            shutil.copytree(self.folder / "home", self.folder / "in-the-middle" / "alive")
            program.kill()
        shutil.copytree(self.folder / "home", self.folder / "in-the-middle" / "dead")


class PostOffice:
    """Keeps the e-mails that reach it as files."""

    def __init__(self, folder):
        self.folder = folder

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(envelope.content, policy=policy.default)
        (self.folder / f"e-mail-{len(list(self.folder.iterdir()))}").write_text(f"{message}\n{message.get_content()}")
        return "250 OK"


@contextmanager
def serve_mail(folder, port):
    def check(_server, _session, _envelope, _mechanism, given):
        accepted = given.password == MAIL_PASSWORD.encode()
        return AuthResult(success=accepted, handled=accepted)

    server = Controller(
        PostOffice(folder), hostname="127.0.0.1", port=port, authenticator=check, auth_require_tls=False
    )
    server.start()
    yield
    server.stop()


def live(administrator, mail_port):
    """Everything that has to do with a secret, well and badly."""
    sandbox, run = administrator.sandbox, administrator.run
    cancels = administrator.environment["BROWSER"].replace("browser %s", "browser --cancel %s")
    assert run("connect", BROWSER=cancels) == 4
    for path in ("/connect/token", "/connections"):
        with sandbox.faults.active("answer-lost", path=path):
            assert run("connect") == 6
    assert run("connect") == 0
    assert run("disconnect", "--revoke", "--yes") == 0

    change_config(find_home(administrator.environment), {"xero.client_id": "web-app"})
    assert administrator.connect_by_hand(paste=lambda address: press(address).replace("state=", "state=x")) == 4
    options = {"first_line": WRONG_SECRET}
    assert administrator.connect_by_hand("--client-secret-stdin", **options) == 5
    assert administrator.connect_by_hand("--client-secret-stdin", first_line=CLIENT_SECRET) == 0

    partner = next(
        email for staff in sandbox.practice.staff.values() if "@" in (email := staff.elements["Email"] or "")
    )
    mail = ["--smtp-host", "127.0.0.1", "--smtp-port", str(mail_port), "--smtp-security", "none"]
    mail += ["--smtp-username", MAIL_USER, "--smtp-from", MAIL_USER, "--smtp-password-stdin"]
    people = ["--default-partner", partner, "--notify", partner]
    configure = ["configure", "--office", "AKL", "--office-name", "Auckland", *people, *mail, "--later"]
    assert run(*configure, converse=lambda _command: f"{WRONG_PASSWORD}\n") == 0
    assert run("notify", "--test") == 5
    assert run(*configure, converse=lambda _command: f"{MAIL_PASSWORD}\n") == 0
    assert run("notify", "--test") == 0

    assert run("sync") == 0
    for fault in TOKEN_FAULTS:
        with sandbox.faults.active(fault, path="/connect/token"):
            assert (run("sync") == 0) == (fault == "slow"), fault
    assert run("notify") == 0
    for fault in ACCESS_FAULTS:
        with sandbox.faults.active(fault):
            assert run("sync") in (0, 4, 7), fault
    for fault in KEYRING_FAULTS:
        with sandbox.faults.active(fault):
            assert run("sync") == 4, fault
    administrator.kill_in_the_middle()
    assert run("sync", "--json") == 0
    for command in (["status", "--json"], ["errors", "--all", "--json"], ["admin", "user", "list"]):
        assert run(*command) == 0
    assert run("backup", str(administrator.folder / "person" / "copy.db")) == 0
    with sandbox.faults.active("error-503", path="/connections"):
        assert run("disconnect", "--yes") == 6
    assert run("connect") == 0
    assert run("disconnect", "--yes") == 0


@pytest.fixture
def evidence(tmp_path, find_free_port) -> Iterator[Evidence]:
    for name in ("wire", "said", "processes", "person", "temporary"):
        (tmp_path / name).mkdir()
    callback_port, mail_port = find_free_port(), find_free_port()
    apps = [App(redirect_ports=(callback_port,)), App("web-app", secret=CLIENT_SECRET, redirect_ports=(callback_port,))]
    practice = Practice.generate(clients=60, staff=12, seed=7)
    with ExitStack() as stack:
        stack.enter_context(serve_mail(tmp_path / "said", mail_port))
        sandbox = stack.enter_context(WatchfulSandbox(practice, apps=apps))
        sandbox.remember("client secret", CLIENT_SECRET, WRONG_SECRET)
        sandbox.remember("mail password", MAIL_PASSWORD, WRONG_PASSWORD)
        administrator = Administrator(tmp_path, sandbox, stack.enter_context(Forks("talkative:main")))
        redirect = {"xero.redirect_uri": f"http://localhost:{callback_port}/callback"}
        point_at(find_home(administrator.environment), sandbox.url, redirect)
        live(administrator, mail_port)
        yield Evidence(tmp_path, sandbox.secrets)


def test_no_secret_is_left_or_said_though_all_were_there_to_be_leaked_and_everybody_was_talkative(evidence):
    assert set(evidence.secrets) == KINDS
    assert {kind for _, kind in evidence.find("wire")} == KINDS
    assert len(evidence.secrets["refresh token"]) > 10
    said = b"".join(evidence.read("said").values())
    for words in (
        *(b"DEBUG:xpmsync", b"Traceback", b"SignInNeeded", b"ConfigurationError", b"KeyringError", b"InvalidGrant"),
        *(b"emails arrive", b"the sync needs a person for its sign-in"),
    ):
        assert words in said
    assert b" DEBUG xpmsync" in evidence.read("home")[evidence.folder / "home" / "xpmsync.log"]
    assert evidence.folder / "in-the-middle" / "alive" / "spool.db" in evidence.read("in-the-middle")
    assert {b"xpmsync", b"browser"} <= {
        word for each in evidence.read("processes").values() for word in each.split(b"\0")
    }
    assert {meaning: evidence.find(place) for place, meaning in PLACES.items()} == {
        meaning: set() for meaning in PLACES.values()
    }
