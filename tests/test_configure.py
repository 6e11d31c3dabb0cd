import io
import json
import os
import pty
import select
import signal
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.audit import name_account
from xpmsync.cli import run
from xpmsync.config import SmtpSettings, change_config, read_config
from xpmsync.credentials.store import open_vault
from xpmsync.home import load_home_id
from xpmsync.sandbox import Practice
from xpmsync.system.clock import Clock

pytestmark = pytest.mark.usefixtures("crontab")

SET_UP = ["--office", "SYD", "--default-partner", "ann@firm.example", "--notify", "bob@firm.example"]
MAIL = ["--smtp-host", "mail.firm.example", "--smtp-from", "sync@firm.example"]


@pytest.fixture
def firm(make_firm):
    """A home that has just been connected: no office, no user."""
    practice = Practice()
    for name in ("Ann Perera", "Bob Tamihana", "Cara Ng"):
        practice.add_staff(name, f"{name.split()[0].lower()}@firm.example")
    practice.add_client("Smith & Sons Pty Ltd")
    firm = make_firm(practice)
    change_config(firm.home, {"sync.default_office_code": None})
    firm.write("DELETE FROM offices")
    return firm


def call(*arguments, **options):
    return run(["configure", *arguments], **options)


def load_offices(firm):
    """Each office's code, name, and the address of its default partner."""
    rows = firm.rows(
        "SELECT code, offices.name, email FROM offices LEFT JOIN users ON users.id = default_partner_id ORDER BY code"
    )
    return [tuple(row.values()) for row in rows]


class Person(io.StringIO):
    """Somebody at the keyboard, who answers Enter to every question that they have no answer for."""

    def __init__(self, capsys, answers):
        super().__init__()
        self._capsys = capsys
        self._answers = [(key, [each] if isinstance(each, str) else list(each)) for key, each in answers]
        self.screen = ""
        self.questions = []

    def isatty(self):
        return True

    def look(self):
        self.screen += self._capsys.readouterr().out

    def readline(self, _size=-1):
        self.look()
        self.questions.append(self.screen.rpartition("\n")[2])
        answer = next((each.pop(0) for key, each in self._answers if key in self.questions[-1] and each), "")
        self.screen += f"{answer}\n"
        return f"{answer}\n"


@pytest.fixture
def answer(capsys, monkeypatch):
    """Runs the command in front of a person with these answers; gives its exit code, and the person."""

    def answer(answers, *arguments):
        capsys.readouterr()
        person = Person(capsys, [*answers.items(), ("Add the two lines", "n"), ("Start a sync now?", "n")])
        with monkeypatch.context() as terminal:
            terminal.setattr(sys, "stdin", person)
            terminal.setattr(sys.stdout, "isatty", lambda: True)
            terminal.setenv("TERM", "dumb")
            exit_code = call(*arguments)
        person.look()
        return exit_code, person

    return answer


class Terminal:
    """A person at a real terminal, in front of one command."""

    def __init__(self, *arguments):
        self.screen = ""
        self.process, self.line = pty.fork()
        if self.process == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background ignores it
            os.environ |= {"TERM": "dumb", "COLUMNS": "80", "PYTHONWARNINGS": "ignore"}
            os.execv(sys.executable, [sys.executable, "-m", "xpmsync", *arguments])  # noqa: S606 - our own program

    def answer(self, question, answer):
        """Wait for the question, then type the answer."""
        self.read_until(lambda: question in self.screen)
        self.screen = ""
        os.write(self.line, f"{answer}\n".encode())

    def interrupt(self, question):
        """Wait for the question, then press Ctrl-C."""
        self.read_until(lambda: question in self.screen)
        time.sleep(0.3)  # a person sees the question, and Python waits for an answer, before Ctrl-C comes
        os.write(self.line, b"\x03")

    def read_until(self, is_enough):
        deadline = time.monotonic() + 20
        while not is_enough():
            assert time.monotonic() < deadline, self.screen
            if select.select([self.line], [], [], 0.2)[0]:
                try:
                    received = os.read(self.line, 65536)
                except OSError:  # Linux's way of saying that the other side has gone
                    received = b""
                if not received:
                    break
                self.screen += received.decode()

    def end(self):
        """What was printed since the last answer, and the exit code."""
        self.read_until(lambda: False)
        os.close(self.line)
        return self.screen.replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


# In a script.


def test_a_script_is_told_everything_that_is_missing_at_once(firm, capsys):
    assert call() == 2
    assert "Missing: --office, --notify. (Without a terminal nothing is asked.)" in capsys.readouterr().err
    assert call("--office", "SYD", "--smtp-username", "sync") == 2
    assert "Missing: --notify, --smtp-host, --smtp-from, --smtp-password-stdin." in capsys.readouterr().err
    assert firm.rows("SELECT * FROM users") == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--office", "two words", "must be up to 20 letters"),
        ("--office-name", " ", "must not be empty"),
        ("--default-partner", "ann", "must be an e-mail address"),
        ("--notify", "ann@", "must be an e-mail address"),
        ("--tenant", "Smith", "must be an id"),
        ("--smtp-port", "0", "must be a whole number from 1 to 65535"),
        ("--smtp-security", "ssl", "is not one of"),
        ("--smtp-host", "https://mail.firm.example", "must be the name of a server"),
        ("--smtp-from", "Ann <ann@firm.example>", "must be an e-mail address"),
    ],
)
@pytest.mark.usefixtures("firm")
def test_an_option_passes_the_check_of_its_setting(capsys, option, value, message):
    assert call(option, value) == 2
    error = capsys.readouterr().err
    assert option in error
    assert message in " ".join(error.split())


def test_the_staff_become_users_and_the_partner_is_chosen_among_them(firm, capsys):
    assert call(*SET_UP, "--office-name", "Sydney", "--later") == 0
    config = read_config(firm.home)
    assert (config.sync.default_office_code, config.notify.email, config.smtp) == ("SYD", "bob@firm.example", None)
    assert load_offices(firm) == [("SYD", "Sydney", "ann@firm.example")]
    changes = firm.rows("SELECT run_id, actor, entity, action FROM changes ORDER BY id")
    assert [(change["entity"], change["action"]) for change in changes] == [
        *[("user", "created")] * 3,
        ("office", "created"),
        ("office", "updated"),
    ]
    assert [change["actor"] for change in changes] == [*["XPM"] * 3, *[name_account()] * 2]
    assert {change["run_id"] for change in changes} == {None}
    printed = capsys.readouterr()
    assert printed.err == ""


@pytest.mark.usefixtures("firm")
def test_the_screen_fits_80_columns(capsys):
    assert call(*SET_UP, *MAIL) == 0
    assert max(len(line) for line in capsys.readouterr().out.splitlines() if " * * * " not in line) <= 80


def test_the_sync_that_follows_finds_the_users_it_would_have_made(firm):
    assert call(*SET_UP) == 0
    before = firm.rows("SELECT * FROM users ORDER BY id")
    summary = firm.sync()
    assert (summary.users.created, summary.users.updated, summary.users.unchanged) == (0, 0, 3)
    assert summary.clients.created == 1
    assert firm.rows("SELECT * FROM users ORDER BY id") == before


def test_start_runs_the_first_sync_at_once(firm):
    assert call(*SET_UP, "--start") == 0
    assert [row["legal_name"] for row in firm.rows("SELECT legal_name FROM clients")] == ["Smith & Sons Pty Ltd"]
    assert [request.path for request in firm.sandbox.requests].count("/practicemanager/3.1/client.api/list") == 1


def test_one_option_changes_one_thing_and_the_rest_stays(firm, capsys):
    assert call(*SET_UP, "--office-name", "Sydney", *MAIL) == 0
    text = firm.home.config_file.read_text("utf-8")
    assert call("--default-partner", "Cara@Firm.example") == 0
    assert firm.home.config_file.read_text("utf-8") == text
    assert load_offices(firm) == [("SYD", "Sydney", "cara@firm.example")]
    (last,) = firm.rows("SELECT entity, entity_id, action, field FROM changes ORDER BY id DESC LIMIT 1")
    assert list(last.values()) == ["office", "SYD", "updated", "default_partner_id"]
    before = firm.rows("SELECT * FROM changes"), text
    assert call(*SET_UP[:2], "--default-partner", "cara@firm.example", *SET_UP[4:], *MAIL) == 0
    assert (firm.rows("SELECT * FROM changes"), firm.home.config_file.read_text("utf-8")) == before
    capsys.readouterr()
    assert call("--notify", "cara@firm.example") == 0
    saved = capsys.readouterr().out
    assert "Alert recipient  cara@firm.example" in saved
    assert "Emails           through mail.firm.example" in saved


def test_another_default_partner_says_first_how_many_clients_it_moves(firm, capsys):
    assert call(*SET_UP, "--start") == 0
    capsys.readouterr()
    assert call("--default-partner", "cara@firm.example") == 0
    assert capsys.readouterr().out.startswith(
        "1 client of SYD (SYD) has no partner in XPM. At the next sync (xpmsync sync), it\n"
        "goes from Ann Perera (ann@firm.example) to Cara Ng (cara@firm.example).\n"
        "Saved.\n"
    )
    assert load_offices(firm) == [("SYD", "SYD", "cara@firm.example")]


def test_a_default_partner_is_optional_stays_until_changed_and_can_be_cleared(firm, answer, capsys):
    recipient = ("--notify", "bob@firm.example")
    assert call("--office", "SYD", *recipient) == 0
    assert "Default partner  none" in capsys.readouterr().out
    assert load_offices(firm) == [("SYD", "SYD", None)]
    assert firm.sync().errors == 1
    assert firm.rows("SELECT code FROM sync_errors WHERE severity = 'error'") == [{"code": "partner-missing"}]
    for command in ("status", "admin office list"):
        run(command.split())
        assert "has no default partner" not in capsys.readouterr().out
    assert answer({"Default partner": ""})[0] == 0
    assert load_offices(firm) == [("SYD", "SYD", None)]
    assert call("--default-partner", "ann@firm.example") == 0
    assert call(*recipient) == 0
    assert answer({"Default partner": ""})[0] == 0
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]
    exit_code, person = answer({"Default partner": "-", "Go on?": "y"})
    assert exit_code == 0
    assert "1 client of SYD (SYD) has no partner in XPM." in person.screen
    assert load_offices(firm) == [("SYD", "SYD", None)]
    assert call("--default-partner", "ann@firm.example", "--no-default-partner") == 2
    assert "Choose one of --default-partner and --no-default-partner." in capsys.readouterr().err
    assert call("--default-partner", "ann@firm.example") == 0
    assert call("--no-default-partner") == 0
    assert load_offices(firm) == [("SYD", "SYD", None)]


def test_a_default_partner_who_is_no_longer_active_is_pointed_out_and_stays_until_changed(firm, answer, capsys):
    assert call(*SET_UP) == 0
    firm.write("UPDATE users SET status = 'deactivated' WHERE email = 'ann@firm.example'")
    assert call("--sync-name", "Smith & Co") == 0
    out = capsys.readouterr().out
    warning = "The default partner of the office SYD, Ann Perera (ann@firm.example), is not an active user"
    assert warning in " ".join(out.split())
    assert "xpmsync admin office set SYD --default-partner EMAIL" in out
    exit_code, person = answer({})
    assert exit_code == 0
    assert "The present one, ann@firm.example, is not an active user." in person.screen
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]


def test_a_second_office_keeps_the_first_and_its_partner(firm):
    assert call(*SET_UP) == 0
    assert call("--office", "MEL", "--office-name", "Melbourne", "--default-partner", "bob@firm.example") == 0
    assert load_offices(firm) == [("MEL", "Melbourne", "bob@firm.example"), ("SYD", "SYD", "ann@firm.example")]
    assert read_config(firm.home).sync.default_office_code == "MEL"


def test_an_office_is_found_whatever_the_case_of_its_code(firm):
    assert call(*SET_UP, "--office-name", "Sydney") == 0
    assert call("--office", "syd", "--office-name", "Sydney CBD") == 0
    assert load_offices(firm) == [("SYD", "Sydney CBD", "ann@firm.example")]
    assert read_config(firm.home).sync.default_office_code == "SYD"


def test_an_address_that_no_active_user_has_is_refused_and_nothing_is_written(firm, capsys):
    assert call(*SET_UP) == 0
    firm.practice.staff.pop(
        firm.rows("SELECT xpm_staff_uuid FROM users WHERE first_name = 'Cara'")[0]["xpm_staff_uuid"]
    )
    text = firm.home.config_file.read_text("utf-8")
    assert call("--notify", "cara@firm.example", "--sync-name", "Another") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "cara@firm.example isn't an active user, and you can only choose an active user." in error
    assert "There are: ann@firm.example, bob@firm.example. Choose one of them, or see" in error
    assert "xpmsync admin user --help" in error
    assert firm.home.config_file.read_text("utf-8") == text


def test_an_address_that_was_written_by_hand_is_left_alone(firm):
    assert call(*SET_UP) == 0
    change_config(firm.home, {"notify.email": "helpdesk@it.example"})
    assert call("--sync-name", "Smith & Co") == 0
    assert read_config(firm.home).notify.email == "helpdesk@it.example"


def test_a_practice_without_usable_staff_says_what_to_enter(make_firm, capsys):
    firm = make_firm(Practice())
    assert call(*SET_UP) == 5
    assert "Active has no user" in capsys.readouterr().err
    assert firm.rows("SELECT code, default_partner_id FROM offices") == [{"code": "MAIN", "default_partner_id": None}]


# The practice.


def test_another_practice_is_refused(firm, capsys):
    assert call(*SET_UP) == 0
    assert call("--tenant", "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11") == 5
    assert "another practice" in capsys.readouterr().err
    assert read_config(firm.home).sync.tenant_id == firm.sandbox.tenant_id


def test_the_only_practice_of_the_connection_is_taken_without_a_question(firm, capsys):
    change_config(firm.home, {"sync.tenant_id": None})
    assert call(*SET_UP) == 0
    assert f"The practice is “{firm.practice.name}”." in capsys.readouterr().out
    assert read_config(firm.home).sync.tenant_id == firm.sandbox.tenant_id


def connect_several_practices(firm, **switches):
    other_id = firm.sandbox.add_practice(firm.practice, "Other & Sons")
    firm.sandbox.set_switches(**switches)
    firm.connect()
    change_config(firm.home, {"sync.tenant_id": None})
    return other_id


def test_a_script_is_shown_the_practices_with_the_option_to_type(firm, capsys):
    other_id = connect_several_practices(firm)
    assert call(*SET_UP) == 2
    error = capsys.readouterr().err
    assert f"  --tenant {firm.sandbox.tenant_id}  {firm.practice.name}\n" in error
    assert f"  --tenant {other_id}  Other & Sons\n" in error
    assert call(*SET_UP, "--tenant", other_id) == 0
    assert read_config(firm.home).sync.tenant_id == other_id


@pytest.mark.parametrize("is_nameless", [False, True])
def test_a_person_chooses_the_practice_from_a_numbered_list(firm, answer, is_nameless):
    other_id = connect_several_practices(firm, tenant_name_null=is_nameless)
    exit_code, person = answer({"Which practice": ["3", "2"], "Alert recipient": "2", "Code": "SYD"})
    assert exit_code == 0
    assert (f"2  the practice {other_id}" if is_nameless else "2  “Other & Sons”") in person.screen
    assert person.questions[:2] == ["Which practice: ", "Which practice: "]
    assert read_config(firm.home).sync.tenant_id == other_id


# The staff.


def add_by_hand(first_name, last_name, email):
    assert run(["admin", "user", "add", email, "--first-name", first_name, "--last-name", last_name]) == 0


def test_a_partner_who_was_added_by_hand_is_linked_and_all_other_staff_are_offered_too(firm, answer):
    add_by_hand("Ann", "Perera", "Ann@Firm.example")
    exit_code, person = answer({"Code": "SYD", "Default partner": "bob@firm.example", "Alert recipient": "3"})
    assert exit_code == 0
    assert [line.split() for line in person.screen.splitlines() if "@" in line][:3] == [
        ["1", "Ann", "Perera", "ann@firm.example"],
        ["2", "Bob", "Tamihana", "bob@firm.example"],
        ["3", "Cara", "Ng", "cara@firm.example"],
    ]
    assert load_offices(firm) == [("SYD", "SYD", "bob@firm.example")]
    users = firm.rows("SELECT email, xpm_staff_uuid FROM users ORDER BY email")
    assert [user["email"] for user in users] == ["ann@firm.example", "bob@firm.example", "cara@firm.example"]
    assert all(user["xpm_staff_uuid"] for user in users)


def test_staff_who_were_added_in_xpm_later_can_be_chosen_at_once(firm):
    assert call(*SET_UP, "--start") == 0
    firm.practice.add_staff("Dan Fox", "dan@firm.example")
    assert call("--notify", "dan@firm.example") == 0
    assert read_config(firm.home).notify.email == "dan@firm.example"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("connection-reset", "The connection to 127.0.0.1:"),
        ("user-revoked", "Xero refuses access"),
        ("invalid-grant", "Xero no longer accepts"),
        ("keyring-locked", "The keyring is locked"),
    ],
)
def test_where_the_staff_cannot_be_had_the_users_there_are_can_be_chosen(firm, capsys, fault, reason):
    clock = Clock(sleep=lambda _: None)
    with firm.sandbox.faults.active(fault):
        assert call(*SET_UP, clock=clock) in (4, 6, 7)
    add_by_hand("Bob", "Tamihana", "bob@firm.example")
    capsys.readouterr()
    with firm.sandbox.faults.active(fault):
        assert call("--office", "SYD", "--notify", "bob@firm.example", clock=clock) == 0
    (remark,) = capsys.readouterr().err.splitlines()
    assert remark.startswith(f"The staff couldn't be imported. {reason}")
    assert remark.endswith("Going on with the users there are.")
    assert read_config(firm.home).notify.email == "bob@firm.example"


def test_where_too_many_of_the_staff_would_be_gone_none_is_removed(firm, capsys):
    for number in range(4):
        firm.practice.add_staff(f"Temp {number}", f"temp{number}@firm.example")
    assert call(*SET_UP) == 0
    with firm.sandbox.faults.active("empty-list", path="staff.api"):
        assert call("--sync-name", "Smith & Co") == 0
    assert "The staff couldn't be imported. The safety limits stopped the sync" in capsys.readouterr().err
    assert {user["status"] for user in firm.rows("SELECT status FROM users")} == {"active"}


# The mail server.


def test_the_mail_password_goes_from_standard_input_into_the_keyring_and_nowhere_else(firm, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter 2\n"))
    options = [*MAIL, "--smtp-username", "sync", "--smtp-security", "tls", "--smtp-password-stdin"]
    assert call(*SET_UP, *options) == 0
    config = read_config(firm.home)
    assert config.smtp == SmtpSettings(
        host="mail.firm.example", port=465, security="tls", username="sync", sender="sync@firm.example"
    )
    assert open_vault(load_home_id(firm.home), config.keyring).read("smtp-password") == "hunter 2"
    kept = b"".join(file.read_bytes() for file in firm.home.data_folder.iterdir() if file.is_file())
    assert b"hunter" not in kept
    assert "hunter" not in "".join(capfd.readouterr())
    assert call("--smtp-port", "2525") == 0
    assert read_config(firm.home).smtp.port == 2525
    assert call("--smtp-from", "other@firm.example") == 0
    assert read_config(firm.home).smtp.port == 2525


def test_settings_that_do_not_fit_together_are_refused_before_the_office_is_written(firm, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter 2\n"))
    options = [*MAIL, "--smtp-username", "sync", "--smtp-security", "none", "--smtp-password-stdin"]
    assert call(*SET_UP, *options) == 5
    told = capsys.readouterr().err
    assert "config.toml is as it was, since with this it would have a mistake:\n  smtp.security: must be" in told
    assert "Run it again with another answer, such as --smtp-security starttls." in told
    assert "Correct the file" not in told
    assert load_offices(firm) == []


def test_mail_settings_that_are_no_longer_wanted_are_removed_with_the_password(firm, answer, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter 2\n"))
    assert call(*SET_UP, *MAIL, "--smtp-username", "sync", "--smtp-password-stdin") == 0
    vault = open_vault(load_home_id(firm.home), read_config(firm.home).keyring)
    assert vault.read("smtp-password") == "hunter 2"
    assert answer({"Send emails through a mail server?": "n"})[0] == 0
    assert read_config(firm.home).smtp is None
    assert vault.read("smtp-password") is None


# The crontab.


def list_lines(text):
    return [line for line in text.splitlines() if " * * * " in line]


def test_a_script_is_shown_the_two_lines_until_they_are_in_the_crontab(firm, capsys, crontab):
    assert call(*SET_UP) == 0
    shown = capsys.readouterr().out
    assert "To add them: xpmsync configure --crontab install" in shown
    lines = list_lines(shown)
    assert [line.split()[-1] for line in lines] == ["sync", "notify"]
    assert not crontab.exists()
    assert call("--sync-name", "Smith & Co", "--crontab", "install") == 0
    assert (crontab.read_text().splitlines(), read_config(firm.home).sync.name) == (lines, "Smith & Co")
    capsys.readouterr()
    assert call(*SET_UP) == 0
    assert list_lines(capsys.readouterr().out) == []


def test_a_person_is_asked_once_whether_the_lines_go_into_the_crontab_and_sees_what_they_replace(firm, answer, crontab):
    older = f"17 * * * * XPMSYNC_HOME={firm.home.data_folder} /old/xpmsync sync"
    crontab.write_text(f"A=b\n{older}\n")
    assert call(*SET_UP) == 0
    exit_code, person = answer({"Add the two lines to your crontab? [Y/n]: ": "n"})
    assert exit_code == 0
    assert list_lines(person.screen)[2:] == [older]
    assert "To add them later: xpmsync configure --crontab install" in person.screen
    assert crontab.read_text() == f"A=b\n{older}\n"
    exit_code, person = answer({"Add the two lines to your crontab? [Y/n]: ": ""})
    assert exit_code == 0
    lines = list_lines(person.screen)
    assert crontab.read_text().splitlines() == ["A=b", *lines[:2]]
    assert "xpmsync doctor --cron" in person.screen
    exit_code, person = answer({})
    assert exit_code == 0
    assert "crontab" not in person.screen


@pytest.mark.usefixtures("firm")
def test_a_crontab_that_cannot_be_changed_is_no_end_of_the_set_up(answer, crontab, capsys):
    assert call(*SET_UP) == 0
    (crontab.parent / "crontab").write_text("#!/bin/sh\n[ $1 != -l ] || { echo no crontab for ann >&2; exit 1; }\n")
    exit_code, person = answer({"Add the two lines": "y"})
    assert (exit_code, person.questions[-1]) == (0, "Start a sync now? [Y/n]: ")
    (crontab.parent / "crontab").write_text("#!/bin/sh\nexit 1\n")
    exit_code, person = answer({})
    assert exit_code == 0
    assert not any("crontab" in question for question in person.questions)
    assert len(list_lines(person.screen)) == 2
    assert capsys.readouterr().err == ""


def test_where_syncs_come_by_themselves_no_line_is_offered(firm, answer):
    assert call(*SET_UP) == 0
    for hours in (3, 2, 1):
        now = datetime.now(UTC) - timedelta(hours=hours)
        firm.sync(is_watched=False, clock=Clock(now=lambda now=now: now))
    exit_code, person = answer({})
    assert exit_code == 0
    assert "Syncs start by themselves already, though not from your crontab." in person.screen
    assert not any("crontab" in question for question in person.questions)


# The prerequisites.


def list_prerequisites(screen):
    """Beneath their heading: what stands behind each."""
    lines = screen.partition("Prerequisites of the sync\n")[2].splitlines()[:4]
    return [line.partition("  ")[2].strip() for line in lines]


def test_set_up_ends_with_the_prerequisites_each_met_or_with_how_many_records_do_not_meet_it(firm, capsys):
    recipient = ("--notify", "bob@firm.example")
    assert call("--office", "SYD", *recipient) == 0
    screen = capsys.readouterr().out
    assert list_prerequisites(screen) == ["ok", "1 client", "ok", "ok"]
    assert "\nTo see which records: xpmsync sync --dry-run\n" in screen
    assert call("--default-partner", "ann@firm.example") == 0
    screen = capsys.readouterr().out
    assert list_prerequisites(screen) == ["ok"] * 4
    assert "--dry-run" not in screen
    firm.practice.add_staff("", "nameless@firm.example")
    firm.practice.add_staff("Dan Fox", "")
    gone = ("99999999-9999-4999-8999-999999999999", "Zoe Gone")
    firm.practice.add_client("", client_code="NONAME")
    firm.practice.add_client("Left Ltd", client_code="LEFT", account_manager=gone)
    firm.practice.add_client("Match Ltd", client_code="MATCH", account_manager=gone)
    add_by_hand("Eve", "Old", "eve@old.example")
    for name, code in (("By Hand Ltd", "HAND"), ("Match", "match")):
        assert run(["admin", "client", "add", "--legal-name", name, "--code", code]) == 0
    capsys.readouterr()
    assert call(*recipient) == 0
    shown = capsys.readouterr().out
    expected = ["2 staff members", "1 client", "2 clients, 1 Active user", "1 Active client"]
    assert list_prerequisites(shown) == expected
    assert max(map(len, shown.splitlines()[-6:])) <= 80
    before = firm.rows("SELECT * FROM changes"), firm.rows("SELECT * FROM clients")
    assert run(["sync", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert list_prerequisites(shown) == expected
    names = ["A staff member without", "Dan Fox", "A client without", "Left Ltd", "Match Ltd", "Eve Old", "By Hand Ltd"]
    assert all(f"\n {name}" in shown for name in names)
    assert shown.index("Dan Fox") < shown.index("A client without") < shown.index("Left Ltd") < shown.index("Eve Old")
    assert run(["sync", "--dry-run", "--json"]) == 0
    prerequisites = json.loads(capsys.readouterr().out)["prerequisites"]
    assert [len(each["records"]) for each in prerequisites] == [2, 1, 3, 1]
    assert {each["is_met"] for each in prerequisites} == {False}
    assert prerequisites[3]["records"] == [
        {
            "entity": "Active client",
            "name": "By Hand Ltd",
            "xpm_uuid": None,
            "message": "No client in XPM has the client code HAND.",
        }
    ]
    assert (firm.rows("SELECT * FROM changes"), firm.rows("SELECT * FROM clients")) == before
    assert firm.rows("SELECT * FROM sync_runs") == []


def test_clients_of_xpm_that_share_a_code_do_not_meet_a_prerequisite_that_speaks_of_them(firm, capsys):
    for name in ("One Ltd", "Two Ltd"):
        firm.practice.add_client(name, client_code="TWICE", account_manager=None)
    assert call("--office", "SYD", "--notify", "bob@firm.example", "--default-partner", "ann@firm.example") == 0
    shown = capsys.readouterr().out
    assert list_prerequisites(shown) == ["ok", "ok", "ok", "2 clients"]
    assert "\nClient codes are unique, the same in XPM and Active  2 clients\n" in shown


def test_where_the_clients_cannot_be_had_the_set_up_is_done_and_the_prerequisites_are_told_later(firm, capsys):
    with firm.sandbox.faults.active("connection-reset", path="client.api"):
        assert call(*SET_UP, clock=Clock(sleep=lambda _: None)) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("The prerequisites of the sync couldn't be checked. The connection to")
    assert printed.err.endswith("To check the prerequisites of the sync: xpmsync sync --dry-run\n")
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]


# On a terminal.


def test_a_person_is_asked_everything_and_a_wrong_answer_again(firm):
    terminal = Terminal("configure")
    terminal.answer("Name of this sync [Xero Practice Manager]: ", "Smith & Co")
    terminal.answer("Code of the office", "two words")
    terminal.answer("Error: It must be up to 20 letters", "SYD")
    terminal.answer("Name of the office SYD [SYD]: ", "Sydney")
    terminal.read_until(lambda: "for none) [-]: " in terminal.screen)
    assert "clients that name no partner in XPM" in " ".join(terminal.screen.split())
    terminal.answer("Default partner (number or email, - for none) [-]: ", "4")
    terminal.answer("Error: It must be a number or an address of the list: you can only choose an active user.", "1")
    terminal.answer("Alert recipient, who gets an email when syncs fail (number or email): ", "BOB@firm.example")
    terminal.answer("Send emails through a mail server? [y/N]: ", "smtp.example.com")
    terminal.answer("Error: Answer y or n.", "y")
    terminal.answer("Mail server: ", "mail.firm.example")
    terminal.answer("Encryption (starttls, tls, none) [starttls]: ", "tls")
    terminal.answer("Port [465]: ", "")
    terminal.answer("User name (- if the server wants none) [-]: ", "sync@firm.example")
    terminal.answer("Password of the mail server (not shown): ", "")
    terminal.answer("Password of the mail server (not shown): ", "hunter 2")
    terminal.answer("Sender of the emails [sync@firm.example]: ", "")
    terminal.answer("Add the two lines to your crontab? [Y/n]: ", "n")
    terminal.answer("Start a sync now? [Y/n]: ", "n")
    screen, exit_code = terminal.end()
    assert exit_code == 0
    assert "hunter" not in screen
    config = read_config(firm.home)
    assert (config.sync.name, config.sync.default_office_code) == ("Smith & Co", "SYD")
    assert config.notify.email == "bob@firm.example"
    assert (config.smtp.port, config.smtp.username, config.smtp.sender) == (465, *["sync@firm.example"] * 2)
    assert load_offices(firm) == [("SYD", "Sydney", "ann@firm.example")]
    assert open_vault(load_home_id(firm.home), config.keyring).read("smtp-password") == "hunter 2"


def test_run_again_it_offers_what_holds_and_enter_changes_nothing(firm, answer):
    assert call(*SET_UP, "--office-name", "Sydney", *MAIL) == 0
    before = firm.rows("SELECT * FROM changes"), read_config(firm.home)
    exit_code, person = answer({})
    assert exit_code == 0
    assert person.questions == [
        "Name of this sync [Xero Practice Manager]: ",
        "Office for new clients (number) [1]: ",
        "Name of the office SYD [Sydney]: ",
        "Default partner (number or email, - for none) [ann@firm.example]: ",
        "Alert recipient, who gets an email when syncs fail (number or email) [bob@firm.example]: ",
        "Send emails through a mail server? [Y/n]: ",
        "Mail server [mail.firm.example]: ",
        "Encryption (starttls, tls, none) [starttls]: ",
        "Port [587]: ",
        "User name (- if the server wants none) [-]: ",
        "Sender of the emails [sync@firm.example]: ",
        "Add the two lines to your crontab? [Y/n]: ",
        "Start a sync now? [Y/n]: ",
    ]
    assert (firm.rows("SELECT * FROM changes"), read_config(firm.home)) == before


def test_with_an_option_a_person_is_asked_only_for_what_is_missing(firm, answer):
    exit_code, person = answer({"Alert recipient": "2"}, "--office", "SYD")
    assert exit_code == 0
    assert [question.partition(",")[0] for question in person.questions] == ["Alert recipient"]
    assert load_offices(firm) == [("SYD", "SYD", None)]


@pytest.mark.parametrize(
    ("typed", "office"),
    [
        ("", "SYD"),
        ("1", "MEL"),
        ("mel", "MEL"),
        (["3", "2"], "SYD"),
        ("0", "PER"),
        ("new", "PER"),
    ],
)
def test_the_offices_there_are_stand_in_a_numbered_list_with_a_new_one(firm, answer, typed, office):
    assert call(*SET_UP, "--office", "MEL", "--office-name", "Melbourne") == 0
    assert call("--office", "SYD", "--office-name", "Sydney") == 0
    exit_code, person = answer({"Office for new clients (number) [2]: ": typed, "Code of the new office": "PER"})
    assert exit_code == 0
    assert "   1  MEL  Melbourne\n   2  SYD  Sydney\n   0  new office\n" in person.screen
    assert read_config(firm.home).sync.default_office_code == office
    assert [code for code, _, _ in load_offices(firm)] == [*["MEL"], *(["PER"] if office == "PER" else []), "SYD"]


def test_a_number_means_the_place_in_the_list_whatever_the_codes_are(firm, answer):
    assert call(*SET_UP, "--office", "2") == 0
    assert call("--office", "3") == 0
    assert answer({"Office for new clients": "2"})[0] == 0
    assert read_config(firm.home).sync.default_office_code == "3"


def test_a_person_is_asked_whether_clients_shall_move_to_another_default_partner(firm, answer):
    assert call(*SET_UP, "--start") == 0
    exit_code, person = answer({"Go on?": "n"}, "--default-partner", "cara@firm.example")
    assert exit_code == 0
    assert person.screen.endswith("Go on? [y/N]: n\nNothing was changed.\n")
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]
    assert answer({"Go on?": "y"}, "--default-partner", "cara@firm.example")[0] == 0
    assert load_offices(firm) == [("SYD", "SYD", "cara@firm.example")]


def test_an_interrupt_before_the_end_writes_no_answer(firm):
    before = firm.home.config_file.read_text("utf-8")
    terminal = Terminal("configure")
    terminal.answer("Name of this sync", "Another")
    terminal.answer("Code of the office", "SYD")
    terminal.interrupt("Name of the office")
    screen, exit_code = terminal.end()
    assert exit_code == 130
    assert "Interrupted." in screen
    assert firm.home.config_file.read_text("utf-8") == before
    assert load_offices(firm) == []


def test_the_user_name_of_the_mail_server_can_be_taken_away(firm, answer, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter 2\n"))
    assert call(*SET_UP, *MAIL, "--smtp-username", "sync", "--smtp-password-stdin") == 0
    assert answer({"User name": "-"})[0] == 0
    assert read_config(firm.home).smtp.username is None
    assert call("--smtp-username", "") == 0


def test_an_office_that_is_mistyped_in_an_option_is_confirmed_before_it_is_set_up(firm, answer):
    assert call(*SET_UP) == 0
    exit_code, person = answer({"Set up": "n"}, "--office", "SYDN")
    assert exit_code == 2
    assert "Active has no office SYDN yet. Did you mean “SYD”?\nSet up the office SYDN? [y/N]: " in person.screen
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]
    assert answer({"Set up": "y"}, "--office", "SYDN", "--later")[0] == 0
    assert load_offices(firm)[1:] == [("SYDN", "SYDN", None)]


# Where the database or the settings are gone.


def test_a_script_makes_no_new_database_where_one_is_gone_unless_it_is_told_to(firm, capsys):
    assert call(*SET_UP) == 0
    firm.home.database_file.unlink()
    assert call(*SET_UP) == 9
    error = capsys.readouterr().err
    assert "The database is gone" in error
    assert "xpmsync configure --start-anew" in error
    assert not firm.home.database_file.exists()
    assert call(*SET_UP, "--office-name", "Sydney", "--start-anew") == 0
    assert load_offices(firm) == [("SYD", "Sydney", "ann@firm.example")]
    assert firm.home.database_file.stat().st_mode & 0o777 == 0o600
    assert firm.sync().clients.created == 1


def test_a_person_whose_database_is_gone_is_asked_before_a_new_one_is_made(firm, answer):
    assert call(*SET_UP) == 0
    firm.home.database_file.unlink()
    exit_code, person = answer({})
    assert exit_code == 0
    assert person.questions == ["Start anew, without that data? [y/N]: "]
    assert "xpmsync restore FILE" in person.screen
    assert not firm.home.database_file.exists()


def test_a_new_database_takes_its_place_when_every_answer_is_in_and_not_before(firm, answer):
    assert call(*SET_UP) == 0
    firm.home.database_file.unlink()
    terminal = Terminal("configure")
    terminal.answer("Start anew", "y")
    for question in ("Name of this sync", "such as SYD [SYD]", "Name of the office"):
        terminal.answer(question, "")
    terminal.interrupt("Default partner")
    assert terminal.end()[1] == 130
    assert not firm.home.database_file.exists()
    assert run(["status"]) == 9
    assert answer({"Default partner": "1"}, "--start-anew")[0] == 0
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]


def test_a_new_database_is_not_damaged_by_what_a_killed_run_left_beside_the_one_that_is_gone(firm):
    assert call(*SET_UP) == 0
    beside = firm.home.database_file.with_name("active.db-wal")
    with closing(sqlite3.connect(firm.home.database_file)) as connection:
        connection.execute("UPDATE offices SET name = 'The office of before'")
        connection.commit()
        left = beside.read_bytes()
    firm.home.database_file.unlink()
    beside.write_bytes(left)
    assert call(*SET_UP, "--start-anew") == 0
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]
    assert firm.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_database_that_is_put_back_while_a_person_answers_is_left_alone(firm):
    assert call(*SET_UP) == 0
    moved = firm.home.database_file.with_name("moved.db")
    firm.home.database_file.rename(moved)
    change_config(firm.home, {"notify.email": None})
    terminal = Terminal("configure", "--start-anew", "--office", "MEL")
    terminal.read_until(lambda: "Alert recipient" in terminal.screen)
    moved.rename(firm.home.database_file)
    terminal.answer("Alert recipient", "2")
    screen, exit_code = terminal.end()
    assert exit_code == 10
    assert "Meanwhile another xpmsync has made the database." in screen
    assert load_offices(firm) == [("SYD", "SYD", "ann@firm.example")]
    assert read_config(firm.home).sync.default_office_code == "SYD"


def test_settings_that_are_gone_beside_a_database_are_missed_before_anything_is_asked_or_changed(firm, capsys):
    assert call(*SET_UP) == 0
    aside = firm.home.config_file.with_name("config.toml.bak")
    firm.home.config_file.rename(aside)
    capsys.readouterr()
    assert call(*SET_UP, "--tenant", firm.sandbox.tenant_id) == 5
    error = capsys.readouterr().err
    assert f"There is no config.toml in {firm.home.config_folder}" in error
    assert f"This may be one: “{aside}”." in error
    assert not firm.home.config_file.exists()
