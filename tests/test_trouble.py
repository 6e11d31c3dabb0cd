"""What becomes of a run in trouble: who is told, what is recorded, and that nothing is believed too early."""

import os
import re
import socket
import sqlite3
import threading
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config, read_config
from xpmsync.doctor import examine
from xpmsync.errors import ConnectionFailed, PermanentError, SuspiciousChange, TransientError
from xpmsync.sandbox import Practice
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.sync.fetch import fetched_practice
from xpmsync.system.clock import Clock


@pytest.fixture
def mailbox():
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def firm(make_firm, mailbox):
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    practice.add_client("First", client_code="F1", account_manager=ann)
    practice.add_client("Second", client_code="S2", account_manager=ann)
    firm = make_firm(practice)
    change_config(
        firm.home,
        {
            "notify.email": "ann@example.com",
            "smtp.host": "127.0.0.1",
            "smtp.port": mailbox.port,
            "smtp.security": "none",
            "smtp.from": "sync@example.com",
        },
    )
    firm.sync()
    return firm


def client_named(firm, name):
    return next(uuid for uuid, client in firm.practice.clients.items() if client.name == name)


def test_a_failing_run_that_nobody_watches_sends_one_email_in_24_hours(firm, mailbox):
    with firm.sandbox.faults.active("user-revoked"):
        for _ in range(3):
            with pytest.raises(PermanentError):
                firm.sync(is_watched=False)
    (message,) = mailbox.messages
    assert message["To"] == "ann@example.com"
    assert message["Subject"] == "Xero Practice Manager: the sync stopped because Xero refuses it"
    assert "Active still holds the data of" in " ".join(message.get_content().split())


def test_nobody_is_told_of_a_run_that_a_person_watches_or_of_a_rehearsal(firm, mailbox):
    with firm.sandbox.faults.active("user-revoked"):
        with pytest.raises(PermanentError):
            firm.sync(is_watched=True)
        assert run(["sync", "--dry-run"]) == 7
    assert mailbox.messages == []


def test_passing_trouble_is_told_after_three_hours_without_a_success(firm, mailbox):
    now = datetime.now(UTC)
    with firm.sandbox.faults.active("error-503", path="staff.api"):
        for hours in (1, 2, 3):
            moment = now + timedelta(hours=hours, minutes=1)
            with pytest.raises(TransientError):
                firm.sync(is_watched=False, clock=Clock(now=lambda moment=moment: moment, sleep=lambda _: None))
            assert len(mailbox.messages) == (hours == 3)
    assert mailbox.messages[0]["Subject"].endswith("the sync cannot reach Xero")


NETWORK = "Check this computer's internet connection"


@contextmanager
def answering(words):
    """A server that answers every connection with these bytes, or with nothing where there are none."""
    connections = []

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                if words:
                    connection.recv(65_536)
                    connection.sendall(words)
                    connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


@contextmanager
def deaf():
    """A server with whom no connection comes about: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


HERE, XERO = "127.0.0.1:PORT", "https://identity.xero.com"
PROXY = "Check the proxy and the variable HTTPS_PROXY"
ASKS = b"HTTP/1.1 407 Say secret\r\ncontent-length: 0\r\n\r\n"
CONNECTION_ERRORS = {
    "name": ("https://xero.invalid", None, None, "The name of xero.invalid cannot be looked up: ", f"{NETWORK} and"),
    "refused": ("https://127.0.0.1:1", None, None, "127.0.0.1:1 refuses the connection: Connection ref", "firewall"),
    "deaf": (f"https://{HERE}", deaf, None, f"{HERE} cannot be reached: no answer in time.", NETWORK),
    "silent": (f"https://{HERE}", partial(answering, b""), None, f"{HERE} has not finished its answer", NETWORK),
    "no TLS": (f"https://{HERE}", partial(answering, b"no"), None, f"No encrypted connection to {HERE}", "scanner"),
    "cut": (f"http://{HERE}", partial(answering, b"HTTP"), None, f"The connection to {HERE} broke: ", NETWORK),
    "proxy": (
        *(XERO, None, "http://ann:secret@127.0.0.1:1"),
        "The proxy 127.0.0.1:1 does not connect this computer to identity.xero.com: Connection refused.",
        PROXY,
    ),
    "proxy's password": (
        *(XERO, partial(answering, ASKS), f"http://{HERE}"),
        f"The proxy {HERE} does not connect this computer to identity.xero.com: it asks for a user name and password.",
        PROXY,
    ),
    "proxy's address": (
        *(XERO, None, "http:///secret"),
        "The proxy that leads this computer to identity.xero.com has an address that cannot be used.",
        "Check the variable HTTPS_PROXY",
    ),
}
"""Address, server, proxy, what is said, and what to check."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[pytest.mark.slow] if name in ("deaf", "silent") else [])
        for name, case in CONNECTION_ERRORS.items()
    ],
)
def test_a_connection_error_names_host_and_reason_and_what_to_check_here_wherever_it_is_said(
    firm, mailbox, monkeypatch, capfd, caplog, case
):
    monkeypatch.setattr("xpmsync.xpm.oauth.CONNECT_AND_READ_SECONDS", (0.3, 0.3))
    address, serve, proxy, happened, check = case
    with serve() if serve else nullcontext(0) as port:
        address, proxy, happened = (text and text.replace("PORT", str(port)) for text in (address, proxy, happened))
        change_config(firm.home, {"xero.identity_url": address})
        monkeypatch.setenv("HTTPS_PROXY", proxy or "")
        monkeypatch.setenv("NO_PROXY", "")
        later = Clock(now=lambda: datetime.now(UTC) + timedelta(hours=4), sleep=lambda _: None)
        with pytest.raises(ConnectionFailed) as caught:
            firm.sync(is_watched=False, clock=later)
        findings = {finding.check: finding for finding in examine(firm.home, os.environ, later)}
    capfd.readouterr()
    assert run(["status"]) == 0
    said = {
        "sync": f"{caught.value.happened} {caught.value.remedy}",
        "status": capfd.readouterr().out,
        "doctor": f"{findings['Renewal'].found} {findings['Renewal'].remedy}",
        "email": mailbox.messages[0].get_content(),
    }
    for text in (" ".join(each.split()) for each in said.values()):
        assert happened in text
        assert check in text
        assert "Nothing needs to be done" not in text
        assert "secret" not in text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("failure", ["office", "settings", "gone", "damaged"])
def test_an_email_is_sent_also_when_the_mail_server_wants_a_password(firm, mailbox, monkeypatch, failure):
    change_config(firm.home, {"smtp.username": "sync"})
    firm.sandbox.keychain.passwords[("xpmsync", f"{firm.home.home_id_file.read_text().strip()}/smtp-password")] = "pw"
    logged_in = []
    monkeypatch.setattr("smtplib.SMTP.login", lambda _, user, password: logged_in.append((user, password)))
    match failure:
        case "office":
            change_config(firm.home, {"sync.default_office_code": "NOPE"})
        case "settings":
            firm.home.config_file.write_text(firm.home.config_file.read_text() + "\n[guard]\nlost = 3\n")
        case "gone":
            firm.home.database_file.unlink()
        case "damaged":
            firm.home.database_file.write_bytes(firm.home.database_file.read_bytes()[:-40_960] + b"x" * 40_960)
    assert run(["sync", "--full"]) in (5, 9)
    assert logged_in == [("sync", "pw")]
    assert len(mailbox.messages) == 1


def test_settings_that_cannot_be_read_are_told_by_email_as_far_as_they_can_be(firm, mailbox, capfd):
    firm.home.config_file.write_text(firm.home.config_file.read_text() + "\n[guard]\nlost_client_percent = 3\n")
    assert run(["sync"]) == 5
    assert run(["sync"]) == 5
    (message,) = mailbox.messages
    assert message["Subject"].endswith("the sync stopped because its settings are wrong")
    assert "guard.lost_client_percent" in message.get_content()
    assert "Did you mean “guard.lost_clients_percent”?" in capfd.readouterr().err


def test_another_person_who_is_chosen_is_told_although_the_first_one_was(firm, mailbox):
    firm.practice.add_staff("Bob Ray", "bob@example.com")
    firm.sync()
    with firm.sandbox.faults.active("user-revoked"):
        for recipient in ("ann@example.com", "bob@example.com", "bob@example.com"):
            change_config(firm.home, {"notify.email": recipient})
            with pytest.raises(PermanentError):
                firm.sync(is_watched=False)
    assert [message["To"] for message in mailbox.messages] == ["ann@example.com", "bob@example.com"]


# Who gets the alert.


def find_ann(firm):
    return next(uuid for uuid, each in firm.practice.staff.items() if each.name.startswith("Ann"))


def fail(firm):
    """A sync that nobody watches fails; gives what else it says on standard error."""
    remarks = []
    report = SimpleNamespace(begin=lambda _: None, count=lambda _: None, remark=remarks.append)
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync(is_watched=False, report=report)
    return remarks


@pytest.mark.parametrize("is_readable", [True, False], ids=["", "the database is gone"])
def test_alerts_follow_the_user_whose_address_changes_in_xpm(firm, mailbox, is_readable):
    settings = firm.home.config_file.read_bytes()
    firm.practice.edit_staff(find_ann(firm), email="ann@married.example")
    firm.practice.add_staff("Bob Ray", "ann@example.com")  # who has the old address now is nobody's choice
    firm.sync()
    assert firm.home.config_file.read_bytes() == settings
    if is_readable:
        fail(firm)
    else:
        firm.home.database_file.unlink()
        assert run(["sync"]) == 9
    assert [message["To"] for message in mailbox.messages] == ["ann@married.example"]


def test_an_address_that_changed_after_the_last_sync_is_the_present_one_if_the_database_can_be_read(firm, mailbox):
    firm.write("UPDATE users SET email = 'ann@typed.example', email_key = 'ann@typed.example'")
    fail(firm)
    firm.home.database_file.unlink()
    assert run(["sync"]) == 9
    assert [message["To"] for message in mailbox.messages] == ["ann@typed.example"]


def test_a_recipient_who_has_left_is_missed_wherever_a_person_looks_until_another_is_chosen(firm, mailbox, capsys):
    firm.practice.add_staff("Bob Ray", "bob@example.com")
    firm.sync()
    firm.practice.delete_staff(find_ann(firm))
    firm.sync()
    said = "Nobody gets alerts: the alert recipient is not an active user of Active."
    capsys.readouterr()
    assert run(["status"]) == run(["report", "-"]) == 0
    assert " ".join(capsys.readouterr().out.split()).count(said) == 2
    assert run(["errors"]) == 0
    assert "The alert recipient, ann@example.com, is not an active user of Active, so nobody gets alerts." in " ".join(
        capsys.readouterr().out.split()
    )
    remark = f"Xero Practice Manager: the sync stopped because Xero refuses it. {said} Run: xpmsync configure"
    assert [fail(firm) for _ in range(3)] == [[remark], [], []]
    assert run(["notify"]) == 0
    assert mailbox.messages == []
    capsys.readouterr()
    assert run(["notify", "--test"]) == 5
    assert said in capsys.readouterr().err
    assert run(["configure", "--notify", "bob@example.com", "--default-partner", "bob@example.com", "--later"]) == 0
    assert run(["status"]) == 0
    assert "Nobody gets alerts" not in capsys.readouterr().out
    fail(firm)
    assert [message["To"] for message in mailbox.messages] == ["bob@example.com"]
    firm.sync()
    query = "SELECT 1 FROM sync_errors WHERE code = 'alert-recipient-not-active' AND resolved_at IS NULL"
    assert firm.rows(query) == []


def test_another_address_in_the_settings_is_another_choice_also_while_the_database_is_gone(firm, mailbox):
    change_config(firm.home, {"notify.email": "bob@example.com"})
    firm.home.database_file.unlink()
    assert run(["sync"]) == 9
    assert [message["To"] for message in mailbox.messages] == ["bob@example.com"]


def test_whoever_is_chosen_anew_by_an_address_is_who_has_it_now(firm, mailbox):
    firm.practice.edit_staff(find_ann(firm), email="ann@married.example")
    firm.practice.add_staff("Bob Ray", "ann@example.com")
    firm.sync()
    assert run(["configure", "--notify", "ann@example.com", "--default-partner", "ann@example.com", "--later"]) == 0
    firm.practice.edit_staff(next(reversed(firm.practice.staff)), email="bob@example.com")
    firm.sync()
    fail(firm)
    assert [message["To"] for message in mailbox.messages] == ["bob@example.com"]


def test_set_up_leaves_the_recipient_alone_who_is_not_asked_for(firm, mailbox):
    firm.practice.edit_staff(find_ann(firm), email="ann@married.example")
    firm.sync()
    assert run(["configure", "--sync-name", "Ours", "--default-partner", "ann@married.example", "--later"]) == 0
    assert read_config(firm.home).notify.email == "ann@married.example"
    fail(firm)
    assert [message["To"] for message in mailbox.messages] == ["ann@married.example"]


def test_the_recipient_is_known_by_the_present_address_to_whoever_switches_a_user_off(firm, capfd):
    firm.practice.edit_staff(find_ann(firm), email="ann@married.example")
    firm.sync()
    assert run(["admin", "user", "deactivate", "ann@married.example"]) == 2
    assert "the one to notify of trouble" in capfd.readouterr().err


def test_everybody_gets_an_email_of_their_own_and_a_test_reaches_them_all(firm, mailbox, capfd):
    change_config(firm.home, {"notify.cc": ["help@it.example", "boss@example.com"]})
    everybody = ["ann@example.com", "help@it.example", "boss@example.com"]
    fail(firm)
    fail(firm)
    assert [message["To"] for message in mailbox.messages] == everybody
    mailbox.messages.clear()
    capfd.readouterr()
    assert run(["notify", "--test"]) == 0
    said = capfd.readouterr().out
    assert [message["To"] for message in mailbox.messages] == everybody
    assert all(f"An email is on its way to {address}." in said for address in everybody)


def test_restoring_the_data_of_before_an_alert_takes_none_away(firm, mailbox, tmp_path):
    copy = tmp_path / "copy.db"
    assert run(["backup", str(copy)]) == 0
    fail(firm)
    assert run(["restore", str(copy), "--yes"]) == 0
    fail(firm)
    assert run(["notify"]) == 0
    assert len(mailbox.messages) == 1


def test_cc_addresses_are_no_substitute_for_the_recipient(firm, capfd):
    change_config(firm.home, {"notify.cc": ["help@it.example"]})
    firm.home.config_file.write_text(firm.home.config_file.read_text().replace('email = "ann@example.com"\n', ""))
    assert run(["sync"]) == 5
    assert "notify.email: is needed beside notify.cc" in capfd.readouterr().err


def test_new_trouble_within_24_hours_of_an_email_sends_none_though_a_run_succeeded_in_between(firm, mailbox):
    for fault, error in (("user-revoked", PermanentError), ("empty-list", SuspiciousChange)):
        with firm.sandbox.faults.active(fault, path="staff.api"), pytest.raises(error):
            firm.sync(is_watched=False)
        firm.sync(is_watched=False)
    assert len(mailbox.messages) == 1


def test_an_email_that_could_not_be_sent_is_to_be_done_until_one_can_be(firm, mailbox, capsys):
    def is_told():
        capsys.readouterr()
        assert run(["status"]) == run(["report", "-"]) == 0
        return capsys.readouterr().out.count("An email was due and could not be sent: see why.") == 2

    assert not is_told()
    change_config(firm.home, {"smtp.port": 1})
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync(is_watched=False)
    assert is_told()
    firm.sync()
    assert run(["notify", "--test"]) == 6
    assert is_told()  # whoever is told next would not be, either
    change_config(firm.home, {"smtp.port": mailbox.port})
    assert run(["notify", "--test"]) == 0
    assert not is_told()


def test_an_email_that_is_sent_at_last_is_nothing_to_be_done(firm, mailbox, capsys):
    with firm.sandbox.faults.active("user-revoked"):
        for port in (1, mailbox.port):
            change_config(firm.home, {"smtp.port": port})
            with pytest.raises(PermanentError):
                firm.sync(is_watched=False)
    assert len(mailbox.messages) == 1
    assert run(["status"]) == 0
    assert "could not be sent" not in capsys.readouterr().out


def test_a_failure_under_a_wrong_clock_is_over_once_a_run_has_succeeded_after_it(firm, mailbox):
    tomorrow = datetime.now(UTC) + timedelta(hours=20)
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync(is_watched=True, clock=Clock(now=lambda: tomorrow))
    firm.write("UPDATE sync_runs SET is_watched = 0")
    firm.sync()
    assert run(["notify"]) == 0
    assert mailbox.messages == []


def test_the_cursor_follows_xeros_clock_and_no_firewalls(firm):
    with firm.sandbox.faults.active("firewall", path="staff.api", times=1):
        firm.sandbox.clock.advance(12 * 3_600)  # the clock of whoever stands in the way

        def sleep(_seconds: float) -> None:
            firm.sandbox.clock.advance(-12 * 3_600)

        firm.sync(clock=Clock(sleep=sleep))
    cursors = [datetime.fromisoformat(row["cursor_at"]) for row in firm.rows("SELECT cursor_at FROM sync_runs")]
    assert abs(cursors[1] - cursors[0]) < timedelta(minutes=5)


def test_without_a_clock_of_xeros_the_cursor_stays(firm, monkeypatch):
    monkeypatch.setattr("xpmsync.xpm.client.read_date", lambda _: None)
    firm.sync()
    first, second = (row["cursor_at"] for row in firm.rows("SELECT cursor_at FROM sync_runs ORDER BY id"))
    assert first == second


def test_a_client_without_an_identifier_hides_no_other(firm):
    for _ in range(2):
        firm.sandbox.clock.advance(3_600)
        firm.sync()
    fresh = firm.practice.recreate_client(client_named(firm, "First"), former="archived")
    for name in ("Nobody", "Nothing"):
        firm.practice.clients[firm.practice.add_client(name)].uuid = ""
    firm.sync()
    assert firm.rows("SELECT xpm_client_uuid FROM clients WHERE code = 'F1'") == [{"xpm_client_uuid": fresh}]
    query = "SELECT code, name FROM sync_errors WHERE resolved_at IS NULL AND severity = 'error' ORDER BY name"
    both = [{"code": "client-without-id", "name": name} for name in ("Nobody", "Nothing")]
    assert firm.rows(query) == both
    firm.sandbox.clock.advance(3_600)
    firm.sync()
    firm.sandbox.clock.advance(3_600)
    firm.sync()  # says nothing of these clients, and so cannot tell that they are mended
    assert firm.rows(query) == both


def test_what_a_failed_run_cost_is_recorded(firm):
    with firm.sandbox.faults.active("rate-limit-day", path="client.api"), pytest.raises(TransientError):
        firm.sync()
    (row,) = firm.rows("SELECT api_calls, bytes_received, day_calls_remaining FROM sync_runs WHERE id = 2")
    assert row["api_calls"] == 3
    assert row["bytes_received"] > 0
    assert row["day_calls_remaining"] == 0


def test_a_run_that_cannot_be_written_down_still_says_what_it_died_of(firm, monkeypatch):
    monkeypatch.setattr("xpmsync.active.database.BUSY_TIMEOUT_SECONDS", 0.2)
    writer = sqlite3.connect(firm.home.database_file, isolation_level=None, check_same_thread=False)
    threading.Timer(0.4, lambda: writer.execute("BEGIN IMMEDIATE")).start()
    with (
        firm.sandbox.faults.active("slow", path="staff.api", delay_seconds=1),
        firm.sandbox.faults.active("status-error", path="client.api"),
        pytest.raises(PermanentError),
    ):
        firm.sync(is_watched=False)
    writer.close()
    firm.sync()
    statuses = [row["status"] for row in firm.rows("SELECT status FROM sync_runs ORDER BY id")]
    assert statuses == ["succeeded", "failed", "succeeded"]
    (row,) = firm.rows("SELECT exit_code, message FROM sync_runs WHERE id = 2")
    assert row == {"exit_code": 7, "message": "Xero Practice Manager reports an error of its own."}


def test_a_run_that_has_written_stays_a_success_whatever_stumbles_after_it(firm, monkeypatch):

    @contextmanager
    def stumbling(*arguments, **options):
        with fetched_practice(*arguments, **options) as fetched:
            yield fetched
        raise KeyboardInterrupt

    monkeypatch.setattr("xpmsync.sync.run.fetched_practice", stumbling)
    firm.practice.edit_client(client_named(firm, "First"), email="new@example.com")
    with pytest.raises(KeyboardInterrupt):
        firm.sync()
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "new@example.com"}]
    assert firm.rows("SELECT status, exit_code FROM sync_runs WHERE id = 2") == [
        {"status": "succeeded", "exit_code": 0}
    ]


def test_the_errors_of_a_failed_run_are_what_it_failed_of(firm, capfd):
    firm.practice.add_client("Nobody's")
    firm.sync()
    with firm.sandbox.faults.active("status-error", path="client.api"), pytest.raises(PermanentError):
        firm.sync()
    firm.sync()
    capfd.readouterr()
    assert run(["errors", "--run", "3"]) == 0
    shown = capfd.readouterr().out
    assert "xero-refused" in shown
    assert "partner-missing" not in shown
    assert run(["errors", "--run", "4"]) == 0
    assert "partner-missing" in capfd.readouterr().out


@pytest.mark.parametrize("damage", ["settings", "database"])
def test_the_watchman_leaves_to_the_hourly_run_what_that_says_anyway(firm, capfd, damage):
    if damage == "settings":
        firm.home.config_file.write_text("[xero]\nclient = 1\n")
    else:
        for path in firm.home.data_folder.glob("active.db*"):
            path.write_bytes(b"no database" * 1_000)
    capfd.readouterr()
    assert run(["notify"]) == (5 if damage == "settings" else 9)
    assert capfd.readouterr() == ("", "")
    assert run(["sync"]) == (5 if damage == "settings" else 9)
    assert capfd.readouterr().err != ""


def test_a_rehearsal_of_the_watchman_shows_what_it_would_do(firm, mailbox, capfd):
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync(is_watched=False)
    capfd.readouterr()
    assert run(["notify", "--dry-run"]) == 0
    shown = capfd.readouterr().out
    assert "Subject: Xero Practice Manager: the sync stopped because Xero refuses it" in shown
    assert "It is not sent now: ann@example.com got one within the last 24 hours." in shown
    change_config(firm.home, {f"smtp.{key}": None for key in ("host", "port", "security", "from")})
    assert run(["notify", "--dry-run"]) == 0
    assert "until you set a mail server: xpmsync configure" in capfd.readouterr().out
    assert len(mailbox.messages) == 1


def test_a_mail_server_that_is_down_is_said_once_and_the_email_is_tried_again(firm, mailbox, capfd):
    change_config(firm.home, {"smtp.port": 1})
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync(is_watched=True)
    firm.write("UPDATE sync_runs SET is_watched = 0")
    capfd.readouterr()
    said = [run(["notify"]) or capfd.readouterr().err for _ in range(3)]
    assert said[0].startswith("No email could be sent to ann@example.com: The mail server 127.0.0.1 cannot be reached")
    assert said[1:] == ["", ""]
    change_config(firm.home, {"smtp.port": mailbox.port})
    assert run(["notify"]) == 0
    assert len(mailbox.messages) == 1


def test_on_a_server_every_advice_to_sign_in_is_the_one_without_a_browser(firm, mailbox, capfd):
    firm.home.own_keyring_folder.mkdir()
    with firm.sandbox.faults.active("invalid-grant"):
        assert run(["sync"]) == 4
        told = [capfd.readouterr().err, *(message.get_content() for message in mailbox.messages)]
        for command in ("status", "status --json", "errors", "errors --json", "doctor", "report -", "notify --dry-run"):
            run(command.split())
            told.append("".join(capfd.readouterr()))
    for command in (
        "errors --explain sign-in-needed",
        "errors --explain xero-refused",
        "disconnect --yes",
        "status",
        "sync",
    ):
        run(command.split())
        told.append("".join(capfd.readouterr()))
    change_config(firm.home, {"sync.tenant_id": None})
    run(["sync"])
    told.append(capfd.readouterr().err)
    for text in (" ".join(each.split()) for each in told):
        assert "xpmsync connect --no-browser" in text
        assert not re.search("xpmsync connect(?! --no-browser)", text), text


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "errors",
        "history",
        "report",
        "sync",
        "sync --dry-run",
        "backup /nowhere/copy.db",
        "admin user list",
        "admin user add --first-name Ann --last-name Lee --email ann@example.com",
    ],
)
def test_a_database_that_is_gone_is_missed_and_not_made_anew(make_firm, capfd, command):
    firm = make_firm(Practice.generate(clients=3, staff=2, seed=7))
    firm.sync()
    moved = firm.home.database_file.with_name("moved.db")
    firm.home.database_file.rename(moved)
    assert run(command.split()) == 9
    said = capfd.readouterr()
    assert said.out == ""
    assert f"there is no active.db in {firm.home.data_folder}" in said.err
    assert "roles, offices, modules" in said.err
    assert "xpmsync restore FILE" in said.err
    assert not firm.home.database_file.exists()
    moved.rename(firm.home.database_file)
    assert run(["sync"]) == 0


DAMAGES = {
    "empty": lambda _content: b"",
    "cut within its header": lambda content: content[:50],
    "cut in half": lambda content: content[: len(content) // 2],
    "without its header": lambda content: bytes(100) + content[100:],
    "all zeros": lambda content: bytes(len(content)),
    "another program's": lambda _content: make_foreign_database(),
}
COMMANDS = (
    *("sync", "sync --dry-run", "status", "errors", "history", "report", "configure --notify a@b.example", "connect"),
    *("notify", "backup {folder}/copy.db", "doctor", "admin user list", "admin office add AKL --name Auckland"),
)


def make_foreign_database():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
        return connection.serialize()


@pytest.mark.parametrize(
    ("command", "damage"), [*((command, "empty") for command in COMMANDS), *(("sync", damage) for damage in DAMAGES)]
)
def test_a_damaged_database_is_restored_and_never_taken_for_a_new_one(make_firm, tmp_path, capfd, command, damage):
    firm = make_firm(Practice.generate(clients=3, staff=2, seed=7))
    firm.sync()
    assert run(["backup", str(tmp_path / "kept.db")]) == 0
    content = DAMAGES[damage]((tmp_path / "kept.db").read_bytes())
    firm.home.database_file.write_bytes(content)
    capfd.readouterr()
    assert run(command.format(folder=tmp_path).split()) == 9
    if command != "notify":  # it leaves it to the hourly run
        shown = " ".join("".join(capfd.readouterr()).split())
        assert "xpmsync restore FILE" in shown
    assert firm.home.database_file.read_bytes() == content
    assert not (tmp_path / "copy.db").exists()
    assert run(["restore", str(tmp_path / "kept.db"), "--yes"]) == 0
    (aside,) = firm.home.data_folder.glob("active-before-restore-*.db")
    assert aside.read_bytes() == content
    assert run(["sync"]) == 0


def test_of_a_database_that_is_gone_one_email_is_sent_in_24_hours(firm, mailbox):
    moved = firm.home.database_file.with_name("moved.db")
    firm.home.database_file.rename(moved)
    assert [run(["sync"]) for _ in range(3)] == [9, 9, 9]
    (message,) = mailbox.messages
    assert "xpmsync restore FILE" in " ".join(message.get_content().split())
    assert not firm.home.database_file.exists()
    moved.rename(firm.home.database_file)
    assert run(["sync"]) == 0


def test_looking_after_a_sync_whose_database_is_gone_is_left_to_the_hourly_run(make_firm, capfd):
    firm = make_firm()
    firm.home.database_file.unlink()
    assert run(["notify"]) == 9
    assert capfd.readouterr() == ("", "")
    assert not firm.home.database_file.exists()


def test_settings_that_are_gone_are_missed_before_the_keyring_is_asked(make_firm, capfd, monkeypatch):
    firm = make_firm(Practice.generate(clients=3, staff=2, seed=7))
    firm.sync()
    firm.home.config_file.unlink()
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert run(["sync"]) == 5
    said = capfd.readouterr().err
    assert f"There is no config.toml in {firm.home.config_folder}" in said
    assert "Put it back from a copy" in said
    assert "xpmsync connect; then: xpmsync configure" in said
