"""``xpmsync connect`` and ``xpmsync disconnect``, with a browser and without one, as a person sees them."""

import io
import json
import os
import pty
import re
import socket
import subprocess
import sys
import webbrowser
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Queue
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from xpmsync.active.database import open_database
from xpmsync.active.runs import finish_run, start_run
from xpmsync.cli import run
from xpmsync.config import change_config, read_config
from xpmsync.home import Home, find_home, load_home_id, prepare_home
from xpmsync.sandbox import App, Practice, Sandbox
from xpmsync.sandbox.browser import press

pytestmark = pytest.mark.usefixtures("crontab")

SECRET = "a-secret-of-the-web-app"
ACCESS = ("XPM administration privileges", "“Connect third-party add-ons”", "“Authorise 3rd Party Full Access”")
"""What the person who connects needs, by every name."""


@dataclass
class Desk:
    """A home, a sandbox, and a person who works with both."""

    home: Home
    sandbox: Sandbox
    capsys: pytest.CaptureFixture
    button: str = "Allow access"
    shown: Queue = field(default_factory=Queue)

    def xpmsync(self, *arguments):
        """Run a command; returns its exit code, standard output and standard error."""
        self.capsys.readouterr()
        code = run(list(arguments))
        return code, *self.capsys.readouterr()

    def take_over_staff(self):
        """The home holds data: the staff of the practice became users."""
        arguments = ("--office", "MAIN", "--office-name", "Main", "--later")
        email = next(
            email for member in self.sandbox.practice.staff.values() if "@" in (email := member.elements["Email"])
        )
        assert self.xpmsync("configure", *arguments, "--default-partner", email, "--notify", email)[0] == 0

    def browse(self, address):
        """What the person does in the browser: press the button, and see the page that it ends on."""
        with requests.Session() as browser:
            browser.trust_env = False
            self.shown.put(browser.get(press(address, self.button), timeout=10))
        return True

    @property
    def passwords(self):
        home_id = load_home_id(self.home)
        return {user.removeprefix(f"{home_id}/"): value for (_, user), value in self.sandbox.keychain.passwords.items()}


@pytest.fixture
def desk(tmp_path, free_port, monkeypatch, capsys):
    apps = (App(redirect_ports=(free_port,)), App("web-app", secret=SECRET, redirect_ports=(free_port,)))
    with Sandbox(Practice.generate(clients=20, staff=12, seed=7), apps=apps) as sandbox:
        monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "xpmsync.sandbox.keyring.SandboxKeyring")
        monkeypatch.setenv("XPMSYNC_SANDBOX_KEYRING", sandbox.url)
        home = find_home(os.environ)
        prepare_home(home)
        change_config(
            home,
            {
                "xero.client_id": "sandbox-app",
                "xero.redirect_uri": f"http://localhost:{free_port}/callback",
                "xero.login_url": f"{sandbox.url}/identity",
                "xero.identity_url": sandbox.url,
                "xero.api_url": sandbox.url,
            },
        )
        desk = Desk(home, sandbox, capsys)
        monkeypatch.setattr(webbrowser, "open", desk.browse)
        yield desk


class Pipe(io.StringIO):
    """Standard input: lines that are there already; then what `answer` makes of the address that has been printed."""

    def __init__(self, lines, answer, capsys):
        super().__init__(lines)
        self._answer = answer
        self._capsys = capsys
        self.out, self.err = "", ""

    def look(self):
        """What is printed, up to now."""
        printed = self._capsys.readouterr()
        self.out += printed.out
        self.err += printed.err

    def readline(self, _size=-1):
        if line := super().readline():
            return line
        self.look()
        return f"{self._answer(self.address)}\n"

    @property
    def address(self):
        return self.out.partition("\n")[0]


@pytest.fixture
def by_hand(capsys, monkeypatch):
    """Run ``connect --no-browser`` as through a pipe, pasting what `answer` makes of the printed address."""

    def by_hand(answer, *options, first_line=""):
        capsys.readouterr()
        pipe = Pipe(f"{first_line}\n" if first_line else "", answer, capsys)
        with monkeypatch.context() as shell:
            shell.setattr(sys, "stdin", pipe)
            code = run(["connect", "--no-browser", *options])
        pipe.look()
        return code, pipe.address, pipe.out, pipe.err

    return by_hand


def test_a_person_connects_with_the_browser(desk):
    code, output, errors = desk.xpmsync("connect")
    assert (code, errors) == (0, "")
    assert f"Connected to “{desk.sandbox.practice.name}”: 12 staff members can be read." in output
    assert output.endswith("Next: xpmsync configure\n")
    config = read_config(desk.home)
    assert config.sync.tenant_id == desk.sandbox.tenant_id
    assert config.keyring.backend == "xpmsync.sandbox.keyring.SandboxKeyring"
    assert list(desk.passwords) == ["sign-in"]
    assert [request.path for request in desk.sandbox.requests][-2:] == [
        "/connections",
        "/practicemanager/3.1/staff.api/list",
    ]


def test_a_pipe_gets_lines_of_80_columns_as_from_every_command_and_the_address_whole(desk):
    _, output, _ = desk.xpmsync("connect")
    (address,) = (line for line in output.splitlines() if len(line) > 80)
    assert address.startswith(f"{desk.sandbox.url}/identity/connect/authorize?")
    assert " " not in address


def test_settings_that_were_written_by_hand_are_not_taken_for_those_of_a_database_that_is_gone(desk):
    change_config(desk.home, {"sync.default_office_code": "SYD"})
    assert desk.xpmsync("status")[0] == 0
    assert desk.xpmsync("connect")[0] == 0
    assert desk.xpmsync("admin", "office", "add", "SYD", "--name", "Sydney")[0] == 0
    desk.home.database_file.unlink()
    assert desk.xpmsync("connect")[0] == 0
    assert desk.xpmsync("admin", "office", "add", "SYD", "--name", "Sydney")[0] == 9
    assert not desk.home.database_file.exists()


@pytest.mark.usefixtures("desk")
def test_the_persons_own_browser_is_used(monkeypatch):
    monkeypatch.setenv("BROWSER", f"{sys.executable} -m xpmsync.sandbox.browser %s &")
    program = subprocess.run([sys.executable, "-m", "xpmsync", "connect"], capture_output=True, text=True, check=False)
    assert (program.returncode, program.stderr) == (0, "")
    assert "Connected to" in program.stdout


def test_no_secret_is_on_the_screen_in_the_config_or_in_the_log(desk):
    _, output, _ = desk.xpmsync("connect")
    token = json.loads(desk.passwords["sign-in"])["refresh_token"]
    for text in (output, desk.home.config_file.read_text(), desk.home.log_file.read_text()):
        assert token not in text
        assert "?code=" not in text
    page = desk.shown.get(timeout=5)
    assert "You have signed in" in page.text
    assert page.url.endswith("/signed-in")


def test_cancel_changes_nothing(desk):
    desk.button = "Cancel"
    code, _, errors = desk.xpmsync("connect")
    assert code == 4
    assert "Access was not allowed" in desk.shown.get(timeout=5).text
    assert "“Cancel” was pressed" in errors
    assert desk.passwords == {}
    assert read_config(desk.home).sync.tenant_id is None


@pytest.mark.parametrize("query", ["error=Call+1800+123+456", "error=access_denied&state=guessed", "code=c0de"])
def test_a_page_that_does_not_know_the_sign_in_ends_nothing_and_is_not_quoted(desk, monkeypatch, query):
    redirect = read_config(desk.home).xero.redirect_uri

    def browse(address):
        with requests.Session() as browser:
            browser.trust_env = False
            desk.shown.put(browser.get(f"{redirect}?{query}", timeout=10))
        return desk.browse(address)

    monkeypatch.setattr(webbrowser, "open", browse)
    code, output, errors = desk.xpmsync("connect")
    assert (code, errors) == (0, "")
    page = desk.shown.get(timeout=5)
    assert [each.status_code for each in page.history] == [302]
    for text in (page.text, page.url, output, desk.home.log_file.read_text()):
        assert not any(word in text for word in ("1800", "guessed", "c0de", "access_denied"))
    assert "Another sign-in is waiting" in page.text


def test_an_error_that_oauth_does_not_know_is_not_repeated(desk, by_hand):
    def bend(address):
        query = parse_qs(urlsplit(address).query)
        return f"{query['redirect_uri'][0]}?error=Call+1800+123+456&state={query['state'][0]}"

    code, _, output, errors = by_hand(bend)
    assert code == 7
    assert "Xero has refused the sign-in (an unknown error)." in errors
    assert "1800" not in output + errors + desk.home.log_file.read_text()


def test_a_browser_that_never_comes_back_is_explained_and_the_way_without_one_is_named(desk, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    code, output, errors = desk.xpmsync("connect", "--wait", "1")
    assert code == 4
    assert f"\n{desk.sandbox.url}/identity/connect/authorize?" in output
    assert "Over SSH, or without a desktop, press Ctrl-C, and\ntype:\n  xpmsync connect --no-browser" in output
    for cause in ("Invalid redirect_uri", "Invalid scope", "Unknown client", read_config(desk.home).xero.redirect_uri):
        assert cause in errors


def test_a_port_in_use_is_told(desk):
    port = int(read_config(desk.home).xero.redirect_uri.split(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        code, _, errors = desk.xpmsync("connect")
    assert code == 5
    assert f"Port {port}" in errors


def test_without_a_browser_the_address_stands_alone_and_the_answer_is_pasted(desk, by_hand):
    code, address, output, errors = by_hand(press)
    assert code == 0, errors
    assert address.startswith(f"{desk.sandbox.url}/identity/connect/authorize?")
    assert "Connected to" in output
    assert "code=" not in (output + errors)
    assert list(desk.passwords) == ["sign-in"]


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "http://localhost:8742/callback?code=x&state=another",
        "http://localhost:8742/callback?error=Call+1800+123+456",
        "nonsense" * 100_000,
    ],
    ids=["nothing", "another state", "no state", "endless"],
)
def test_another_address_is_not_taken_for_the_answer(desk, by_hand, pasted):
    code, _, _, errors = by_hand(lambda _: pasted)
    assert code == 4
    assert "not the address that this sign-in ends on" in errors
    assert "1800" not in errors
    assert desk.passwords == {}


def test_a_client_secret_comes_through_a_pipe_and_is_kept_in_the_keyring(desk, by_hand):
    change_config(desk.home, {"xero.client_id": "web-app"})
    code, _, output, errors = by_hand(press, "--client-secret-stdin", first_line=SECRET)
    assert code == 0, errors
    assert desk.passwords["client-secret"] == SECRET
    assert SECRET not in output + errors + desk.home.config_file.read_text()
    assert desk.xpmsync("connect")[0] == 0  # now it is known


def test_a_wrong_client_secret_is_not_kept(desk, by_hand):
    change_config(desk.home, {"xero.client_id": "web-app"})
    code, _, _, errors = by_hand(press, "--client-secret-stdin", first_line="wrong")
    assert code == 5
    assert "client secret" in errors
    assert desk.passwords == {}


def test_an_empty_client_secret_removes_the_one_before(desk, by_hand):
    desk.sandbox.keychain.passwords["xpmsync", f"{load_home_id(desk.home)}/client-secret"] = "of an app that had one"
    code, _, _, errors = by_hand(press, "--client-secret-stdin", first_line=" ")
    assert code == 0, errors
    assert list(desk.passwords) == ["sign-in"]


def test_a_script_without_a_client_id_is_told_where_it_goes(desk):
    change_config(desk.home, {"xero.client_id": None})
    code, _, errors = desk.xpmsync("connect")
    assert code == 5
    assert "client_id" in errors


def names_access(text):
    return all(name in " ".join(text.split()) for name in ACCESS)


def test_what_the_person_needs_is_named_before_the_browser_opens(desk, monkeypatch, by_hand):
    shown = []
    monkeypatch.setattr(
        webbrowser, "open", lambda address: shown.append(desk.capsys.readouterr().out) or desk.browse(address)
    )
    assert desk.xpmsync("connect")[0] == 0
    assert names_access(shown[0])
    errors_before_the_address = by_hand(lambda _: "")[3].partition("Open this address")[0]
    assert names_access(errors_before_the_address)


def test_where_xero_offers_no_practice_the_person_is_told_what_they_need(desk):
    desk.sandbox.set_switches(user_may_connect=False)
    code, _, errors = desk.xpmsync("connect")
    assert code == 7
    assert names_access(errors)
    assert desk.passwords == {}


@pytest.mark.parametrize("missing", ["practicemanager.client.read", "offline_access"])
def test_a_scope_that_is_not_granted_is_named(desk, missing):
    desk.sandbox.set_switches(withheld_scopes=missing)
    code, _, errors = desk.xpmsync("connect")
    assert code == 7
    assert f"Missing: {missing}" in errors
    assert desk.passwords == {}


def test_more_scopes_than_asked_for_are_fine_and_the_broad_one_covers_the_narrow_ones(desk):
    desk.sandbox.set_switches(extra_scopes="practicemanager.job.read")
    assert desk.xpmsync("connect")[0] == 0
    desk.sandbox.set_switches(
        extra_scopes="practicemanager", withheld_scopes="practicemanager.staff.read practicemanager.client.read"
    )
    assert "Missing" not in desk.xpmsync("connect")[2]


def test_several_practices_are_listed_for_a_script_to_choose(desk):
    other_id = desk.sandbox.add_practice(Practice.generate(clients=5, staff=3, seed=8), "Other & Sons")
    desk.sandbox.add_practice(Practice(), "A Company", "ORGANISATION")
    code, _, errors = desk.xpmsync("connect")
    assert code == 2
    assert other_id in errors
    assert desk.sandbox.tenant_id in errors
    assert "A Company" not in errors
    code, _, errors = desk.xpmsync("connect", "--tenant", "nobody")
    assert code == 2
    assert "no practice called “nobody”" in errors
    assert desk.passwords == {}
    for name in (other_id, other_id.upper(), "other & sons"):
        assert desk.xpmsync("connect", "--tenant", name)[0] == 0
        assert read_config(desk.home).sync.tenant_id == other_id


def test_a_person_at_a_terminal_is_asked_for_what_is_missing(desk, monkeypatch):
    other_id = desk.sandbox.add_practice(Practice.generate(clients=5, staff=3, seed=8), "Other & Sons")
    change_config(desk.home, {"xero.client_id": None})
    monkeypatch.setenv("BROWSER", f"{sys.executable} -m xpmsync.sandbox.browser %s &")
    terminal, program_side = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "xpmsync", "connect"], stdin=program_side, stdout=program_side, stderr=program_side
    )
    os.close(program_side)
    screen = ""
    for question, answer in (("Client id", "web-app"), ("Client secret", SECRET), ("Which practice", "2")):
        while question not in screen.rpartition("https://developer.xero.com")[2]:
            screen += os.read(terminal, 1000).decode()
        os.write(terminal, f"{answer}\n".encode())
    assert program.wait(20) == 0
    screen += os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "Connected to “Other & Sons”" in screen
    assert SECRET not in screen
    config = read_config(desk.home)
    assert (config.xero.client_id, config.sync.tenant_id) == ("web-app", other_id)
    assert desk.passwords["client-secret"] == SECRET


def test_a_practice_without_a_name_is_connected_all_the_same(desk):
    desk.sandbox.set_switches(tenant_name_null=True)
    code, output, _ = desk.xpmsync("connect")
    assert code == 0
    assert f"Connected to the practice {desk.sandbox.tenant_id}" in output


def test_connecting_again_keeps_the_homes_practice(desk):
    desk.xpmsync("connect")
    before = desk.passwords["sign-in"]
    desk.sandbox.add_practice(Practice(), "Another One")
    desk.take_over_staff()
    assert desk.xpmsync("connect")[0] == 0
    assert read_config(desk.home).sync.tenant_id == desk.sandbox.tenant_id
    assert desk.passwords["sign-in"] != before


def test_a_home_without_data_may_change_its_mind_about_the_practice(desk):
    desk.xpmsync("connect")
    assert desk.xpmsync("sync")[0] == 5  # not configured yet; it makes the database
    other_id = desk.sandbox.add_practice(Practice(), "Another One")
    assert desk.xpmsync("connect", "--tenant", other_id)[0] == 0
    assert read_config(desk.home).sync.tenant_id == other_id


def test_another_practice_needs_another_home(desk):
    desk.xpmsync("connect")
    desk.take_over_staff()
    before = desk.passwords
    other_id = desk.sandbox.add_practice(Practice(), "Another One")
    code, _, errors = desk.xpmsync("connect", "--tenant", other_id)
    assert code == 5
    assert "XPMSYNC_HOME" in errors
    assert desk.passwords == before
    assert read_config(desk.home).sync.tenant_id == desk.sandbox.tenant_id


def take_over_data(desk, tenant_id):
    """A run has succeeded: the home has data of this practice."""
    with open_database(desk.home.database_file) as database, database.transaction():
        run_id = start_run(database, tenant_id=tenant_id, mode="full", is_watched=True, now=datetime.now(UTC))
        finish_run(database, run_id, status="succeeded", now=datetime.now(UTC), values={})


def test_a_home_whose_practice_is_not_offered_is_not_asked_which_other_one_it_shall_be(desk):
    desk.xpmsync("connect")
    take_over_data(desk, "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11")
    desk.sandbox.add_practice(Practice(), "Another One")
    code, _, errors = desk.xpmsync("connect")
    assert code == 5
    assert f"You have connected “{desk.sandbox.practice.name}” and “Another One”." in errors
    assert "Another One" not in desk.home.log_file.read_text()


def test_the_data_tells_whose_home_it_is_even_when_the_settings_are_lost(desk):
    desk.xpmsync("connect")
    desk.xpmsync("configure", "--office", "MAIN", "--office-name", "Main", "--notify", "it@example.com", "--later")
    take_over_data(desk, desk.sandbox.tenant_id)
    other_id = desk.sandbox.add_practice(Practice(), "Another One")
    change_config(desk.home, {"sync.tenant_id": None})
    code, _, errors = desk.xpmsync("connect", "--tenant", other_id)
    assert code == 5
    assert "XPMSYNC_HOME" in errors


def test_after_a_second_sign_in_the_next_thing_is_a_run(desk):
    desk.xpmsync("connect")
    desk.take_over_staff()
    assert desk.xpmsync("connect")[1].endswith("Next: xpmsync sync\n")


def test_who_pastes_half_an_address_may_paste_again(desk):
    process, line = pty.fork()
    if process == 0:
        os.environ |= {"TERM": "dumb", "PYTHONWARNINGS": "ignore"}
        os.execv(sys.executable, [sys.executable, "-m", "xpmsync", "connect", "--no-browser"])  # noqa: S606 - our own program
    screen, address = "", None
    for half in (slice(60), slice(None)):
        while not screen.endswith("Address: "):
            screen += os.read(line, 65536).decode()
        address = address or press(re.findall(rf"{desk.sandbox.url}\S+", screen)[0])
        os.write(line, f"{address[half]}\n".encode())
        screen = ""
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(line)


@pytest.mark.parametrize("fault", ["user-revoked", "status-error", "rate-limit-day"])
def test_a_sign_in_that_cannot_be_proven_replaces_nothing(desk, fault):
    desk.xpmsync("connect")
    before = desk.passwords
    with desk.sandbox.faults.active(fault, path="/practicemanager/3.1/staff.api/list"):
        assert desk.xpmsync("connect")[0] in (6, 7)
    assert desk.passwords == before


@pytest.mark.parametrize("fault", ["keyring-locked", "keyring-missing"])
def test_a_keyring_in_trouble_is_told_before_the_person_signs_in(desk, fault):
    with desk.sandbox.faults.active(fault):
        code, output, errors = desk.xpmsync("connect")
    assert (code, output) == (4, "")
    assert "keyring" in errors
    assert desk.sandbox.requests == []


# Disconnect


def use_copy(desk, token):
    """What somebody gets from Xero who has copied a refresh token."""
    form = {"grant_type": "refresh_token", "client_id": "sandbox-app", "refresh_token": token}
    return requests.post(f"{desk.sandbox.url}/connect/token", data=form, timeout=10).json()


def test_disconnect_ends_the_connection_and_the_grant_so_that_a_copied_token_is_of_no_use(desk):
    desk.xpmsync("connect")
    copies = [json.loads(desk.passwords["sign-in"])["refresh_token"]]
    assert desk.xpmsync("doctor")[0] in (0, 5)  # refreshes
    copies.append(json.loads(desk.passwords["sign-in"])["refresh_token"])
    code, output, errors = desk.xpmsync("disconnect", "--yes")
    assert (code, errors) == (0, "")
    assert output.startswith("The connection has been ended at Xero.\nThe refresh token has been revoked.\n")
    assert desk.passwords == {}
    assert [request.method for request in desk.sandbox.requests][-2:] == ["DELETE", "POST"]
    assert [use_copy(desk, copy) for copy in copies] == [{"error": "invalid_grant"}] * 2
    assert desk.xpmsync("disconnect", "--yes") == (0, "xpmsync is not connected to Xero.\n", "")


def test_disconnect_leaves_the_users_other_connections_alone_and_says_how_to_end_them(desk):
    other_id = desk.sandbox.add_practice(Practice(), "Another One")
    desk.xpmsync("connect", "--tenant", desk.sandbox.tenant_id)
    copy = json.loads(desk.passwords["sign-in"])["refresh_token"]
    code, output, errors = desk.xpmsync("disconnect", "--yes")
    assert (code, errors) == (0, "")
    assert "would also end your other\nconnections to this app:\n  Another One\n" in output
    assert desk.passwords == {}
    assert "access_token" in use_copy(desk, copy)
    desk.xpmsync("connect", "--tenant", other_id)
    assert desk.xpmsync("disconnect", "--revoke", "--yes")[0] == 0
    assert desk.sandbox.requests[-1].path == "/connect/revocation"
    assert desk.passwords == {}
    assert use_copy(desk, copy) == {"error": "invalid_grant"}


@pytest.mark.parametrize("is_known", [True, False], ids=["sign-in names it", "not known"])
def test_disconnect_without_a_practice_in_the_settings_ends_that_of_the_sign_in_or_asks(desk, type_ahead, is_known):
    other_id = desk.sandbox.add_practice(Practice(), "Another One")
    desk.xpmsync("connect", "--tenant", other_id)
    change_config(desk.home, {"sync.tenant_id": None})
    if not is_known:
        forget_practice_of_sign_in(desk)
        before = desk.passwords
        code, output, errors = desk.xpmsync("disconnect", "--yes")
        assert (code, output) == (2, "")
        assert "have connected several practices" in errors
        for tenant in desk.sandbox.identity.tenants.values():
            assert f'\n  tenant_id = "{tenant.tenant_id}"  # {tenant.name}\n' in errors
        assert "DELETE" not in [request.method for request in desk.sandbox.requests]
        assert desk.passwords.keys() == before.keys()
        type_ahead("2")
    copy = json.loads(desk.passwords["sign-in"])["refresh_token"]
    code, output, errors = desk.xpmsync("disconnect", "--yes")
    assert (code, errors) == (0, "")
    assert "The connection has been ended at Xero." in output
    assert f"connections to this app:\n  {desk.sandbox.practice.name}\n" in output
    assert [connection["tenantId"] for connection in list_connections(desk, copy)] == [desk.sandbox.tenant_id]
    assert desk.passwords == {}


def test_disconnect_without_a_practice_in_the_settings_takes_the_only_one(desk):
    desk.xpmsync("connect")
    change_config(desk.home, {"sync.tenant_id": None})
    forget_practice_of_sign_in(desk)
    code, output, errors = desk.xpmsync("disconnect", "--yes")
    assert (code, errors) == (0, "")
    assert output.startswith("The connection has been ended at Xero.\nThe refresh token has been revoked.\n")


def list_connections(desk, token):
    """What Xero lists to somebody who has a refresh token."""
    headers = {"Authorization": f"Bearer {use_copy(desk, token)['access_token']}"}
    return requests.get(f"{desk.sandbox.url}/connections", headers=headers, timeout=10).json()


def forget_practice_of_sign_in(desk):
    """As an earlier sign-in, which did not name it."""
    user_name = f"{load_home_id(desk.home)}/sign-in"
    passwords = desk.sandbox.keychain.passwords
    stored = json.loads(passwords["xpmsync", user_name])
    passwords["xpmsync", user_name] = json.dumps(stored | {"tenant_id": None})


def test_disconnect_asks_a_person_first(desk, type_ahead):
    desk.xpmsync("connect")
    before, asked = desk.passwords, len(desk.sandbox.requests)
    type_ahead("n")
    code, output, _ = desk.xpmsync("disconnect")
    assert (code, output.splitlines()[-1]) == (0, "Disconnect? [y/N]: Nothing was changed.")
    assert (desk.passwords, len(desk.sandbox.requests)) == (before, asked)
    type_ahead("y")
    assert desk.xpmsync("disconnect")[0] == 0
    assert desk.passwords == {}


@pytest.mark.parametrize("options", [(), ("--revoke",)])
def test_disconnect_in_a_script_needs_its_yes(desk, options):
    desk.xpmsync("connect")
    code, _, errors = desk.xpmsync("disconnect", *options)
    assert code == 2
    assert " ".join(["xpmsync disconnect", *options, "--yes"]) in errors
    assert list(desk.passwords) == ["sign-in"]


def test_disconnect_forgets_a_sign_in_that_xero_has_ended(desk):
    desk.xpmsync("connect")
    with desk.sandbox.faults.active("invalid-grant"):
        code, output, errors = desk.xpmsync("disconnect", "--yes")
    assert code == 4
    assert "Xero no longer accepts this sign-in" in errors
    assert "If the connection is still listed in Xero, end it there: open Settings > Connected apps." in errors
    assert "has been forgotten" in output
    assert f"  {desk.home.data_folder}\n" in output
    assert desk.passwords == {}


@pytest.mark.parametrize(("answer", "is_kept"), [("y", False), ("n", True)])
@pytest.mark.parametrize("is_connected", [True, False])
def test_disconnect_offers_to_remove_the_lines_from_the_crontab(
    desk, crontab, type_ahead, is_connected, answer, is_kept
):
    crontab.write_text("A=b\n")
    if is_connected:
        desk.xpmsync("connect")
    desk.xpmsync("configure", "--crontab", "install")
    lines = crontab.read_text().splitlines()[1:]
    type_ahead(*["y"] * is_connected, answer)
    _, output, _ = desk.xpmsync("disconnect")
    assert "\n".join(["Your crontab still starts syncs for this data folder:", *lines]) in output
    assert crontab.read_text().splitlines() == ["A=b", *(lines if is_kept else [])]
    assert ("xpmsync configure --crontab remove" in output) == is_kept


def test_a_script_that_disconnects_is_told_how_to_remove_the_lines_from_the_crontab(desk, crontab):
    desk.xpmsync("connect")
    desk.xpmsync("configure", "--crontab", "install")
    before = crontab.read_text()
    for _ in ("connected", "not connected any more"):
        assert "\n  xpmsync configure --crontab remove\n" in desk.xpmsync("disconnect", "--yes")[1]
    assert crontab.read_text() == before
    desk.xpmsync("configure", "--crontab", "remove")
    assert desk.xpmsync("disconnect", "--yes")[1] == "xpmsync is not connected to Xero.\n"


def test_disconnect_keeps_the_sign_in_when_the_keyring_is_locked(desk):
    desk.xpmsync("connect")
    with desk.sandbox.faults.active("keyring-locked"):
        assert desk.xpmsync("disconnect", "--yes")[0] == 4
    assert list(desk.passwords) == ["sign-in"]
