import asyncio
import contextlib
import re
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st

from xpmsync.active.database import open_database
from xpmsync.active.runs import finish_run, start_run
from xpmsync.cli import run
from xpmsync.config import Config, NotifySettings, SmtpSettings, SyncSettings, change_config, check_setting
from xpmsync.credentials.refresh_marker import find_mark, set_mark
from xpmsync.home import find_home
from xpmsync.notify import smtp
from xpmsync.notify.alert_file import AlertFile, AlertFileError, Recipient
from xpmsync.notify.health import DUE_AT_ONCE, PATIENCE, Failure, Health, find_trouble
from xpmsync.notify.message import Place
from xpmsync.notify.notifier import Notifier, NotifyOutcome, render_email, render_test_email
from xpmsync.notify.smtp import MailError, MailRefused, send_email

NOW = datetime(2026, 11, 1, 14, 7, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PLACE = Place("server1", "xpm", "/home/xpm/xpmsync.log")


class Mailbox:
    """What a mail server does with what it is given: keeps it, or answers as it is told."""

    def __init__(self, *, to_recipient="250 OK", to_data="250 OK"):
        self.envelopes = []
        self.to_recipient = to_recipient
        self.to_data = to_data

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.to_data.startswith("250"):
            self.envelopes.append(envelope)
        return self.to_data

    def read(self):
        return [message_from_bytes(envelope.content, policy=policy.default) for envelope in self.envelopes]


@contextlib.contextmanager
def serve(mailbox, *, tls=None, security="none", username=None, **options):
    """A mail server on loopback, at a port of the machine's choice; yields the settings that reach it."""
    loop = asyncio.new_event_loop()
    listening = loop.create_server(
        lambda: SMTP(mailbox, loop=loop, hostname="localhost", **options), "127.0.0.1", ssl=tls
    )
    server = loop.run_until_complete(listening)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host, port = server.sockets[0].getsockname()[:2]
    name = "localhost" if tls or "tls_context" in options else host
    try:
        yield SmtpSettings(host=name, port=port, security=security, username=username, sender="sync@firm.example")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def tls(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "alerts.dat"


def accept_one_password(*details):
    data = details[-1]
    accepted = (data.login, data.password) == (b"sync", b"right")
    return AuthResult(success=accepted, handled=accepted)


ANN, BOB, HELP = "ann@firm.example", "bob@firm.example", "help@it.example"


def make_config(smtp, *cc):
    return Config(sync=SyncSettings(name="Smith & Co"), notify=NotifySettings(email=ANN, cc=cc), smtp=smtp)


def failed(exit_code, *, ago=timedelta(0), last_success=HOUR, remedy="Run: xpmsync connect"):
    return Health(
        first_run_at=NOW - timedelta(days=30),
        last_success_at=None if last_success is None else NOW - last_success,
        last_failure=Failure(exit_code, NOW - ago, "Xero no longer accepts the sign-in.", remedy),
    )


def notify(config, path, health=None, *, now=NOW, password=None, is_active=True):
    recipient = Recipient(ANN, "u1", ANN, is_active=is_active)
    notifier = Notifier(config, AlertFile(path, lambda: now), PLACE, lambda: password, lambda: now)
    return notifier.notify_if_due(health or failed(4), recipient)


def read_state(path, address=ANN):
    entry = AlertFile(path).load().find(address)
    return ["failed"] * bool(entry.failed_at) + ["reserved"] * bool(entry.reserved_at) + ["sent"] * bool(entry.sent_at)


# Whether to tell.


@pytest.mark.parametrize("exit_code", sorted(DUE_AT_ONCE))
def test_a_failure_that_does_not_pass_by_itself_is_due_at_once(exit_code):
    trouble = find_trouble(failed(exit_code), NOW)
    assert (trouble.exit_code, trouble.happened) == (exit_code, "Xero no longer accepts the sign-in.")


@pytest.mark.parametrize("exit_code", [6, 10, 130])
def test_a_failure_that_passes_by_itself_is_not_due_at_once(exit_code):
    assert find_trouble(failed(exit_code), NOW) is None


def test_xero_out_of_reach_is_due_after_three_hours():
    assert find_trouble(failed(6, last_success=PATIENCE - timedelta(seconds=1)), NOW) is None
    assert find_trouble(failed(6, last_success=PATIENCE), NOW).exit_code == 6


def test_silence_is_due_after_three_hours():
    health = Health(first_run_at=NOW - timedelta(days=9), last_success_at=NOW - PATIENCE)
    assert find_trouble(health, NOW).exit_code is None
    assert find_trouble(health, NOW - timedelta(seconds=1)) is None


def test_a_sync_that_never_succeeded_is_due_three_hours_after_its_first_run():
    health = Health(first_run_at=NOW - PATIENCE, last_success_at=None)
    assert find_trouble(health, NOW).last_success_at is None
    assert find_trouble(health, NOW - timedelta(seconds=1)) is None


def test_a_sync_that_was_never_started_is_not_missed():
    assert find_trouble(Health(first_run_at=None, last_success_at=None), NOW) is None


def test_a_failure_before_the_last_success_is_over():
    assert find_trouble(failed(4, ago=HOUR * 2, last_success=HOUR), NOW) is None


def test_a_success_in_the_future_proves_nothing():
    health = Health(first_run_at=NOW - timedelta(days=9), last_success_at=NOW + HOUR)
    assert find_trouble(health, NOW).exit_code is None


moments = st.integers(-100, 20).map(lambda hours: NOW + hours * HOUR)


@given(
    st.none() | moments,
    st.none() | moments,
    st.none() | st.tuples(st.integers(0, 130), moments),
)
def test_nobody_is_told_within_three_hours_of_a_success_unless_a_later_run_failed_for_good(first, success, failure):
    health = Health(first, success, Failure(*failure, "It failed.") if failure else None)
    if (
        success
        and NOW - PATIENCE < success <= NOW
        and not (failure and failure[0] in DUE_AT_ONCE and failure[1] >= success)
    ):
        assert find_trouble(health, NOW) is None


# At most one email in 24 hours.


def test_the_recipient_gets_one_email_in_24_hours(path):
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        outcomes = [notify(make_config(smtp), path, now=NOW + HOUR * hours).outcome for hours in (0, 1, 23, 24, 25)]
    assert outcomes == ["sent", "already sent", "already sent", "sent", "already sent"]
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == [[ANN]] * 2
    assert read_state(path) == ["sent"]


def test_syncs_that_fail_at_the_same_moment_send_one_email(path):
    mailbox = Mailbox()
    start = threading.Barrier(8)
    outcomes = []

    def fail(smtp):
        start.wait()
        outcomes.append(notify(make_config(smtp), path).outcome)

    with serve(mailbox) as smtp:
        threads = [threading.Thread(target=fail, args=(smtp,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["already sent"] * 7 + ["sent"]
    assert len(mailbox.envelopes) == 1


def test_a_healthy_sync_reserves_and_sends_nothing(path):
    health = Health(first_run_at=NOW - HOUR, last_success_at=NOW - HOUR)
    assert notify(make_config(None), path, health).outcome is NotifyOutcome.NOTHING_DUE
    assert not path.exists()


def test_a_refusal_frees_the_reservation_so_that_the_next_attempt_sends(path):
    mailbox = Mailbox(to_recipient="550 No such person")
    with serve(mailbox) as smtp:
        result = notify(make_config(smtp), path)
        assert read_state(path) == ["failed"]
        mailbox.to_recipient = "250 OK"
        assert notify(make_config(smtp), path).outcome is NotifyOutcome.SENT
    assert result.outcome is NotifyOutcome.NOT_SENT
    assert "550 No such person" in result.remark
    assert "\n" not in result.remark
    assert read_state(path) == ["sent"]


def test_a_server_that_cannot_be_reached_frees_the_reservation(path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        smtp = SmtpSettings(host="127.0.0.1", port=port, security="none", sender="sync@firm.example")
        result = notify(make_config(smtp), path)
    assert result.outcome is NotifyOutcome.NOT_SENT
    assert f"127.0.0.1 cannot be reached on port {port}" in result.remark
    assert read_state(path) == ["failed"]


def test_the_reservation_is_on_the_disk_before_the_server_is_asked_and_the_alert_before_its_text(path):
    seen = []

    class Watchful(Mailbox):
        async def handle_RCPT(self, *arguments):  # noqa: N802 - aiosmtpd's name
            seen.append(read_state(path))
            return await super().handle_RCPT(*arguments)

        async def handle_DATA(self, *arguments):  # noqa: N802 - aiosmtpd's name
            seen.append(read_state(path))
            return await super().handle_DATA(*arguments)

    with serve(Watchful()) as smtp:
        notify(make_config(smtp), path)
    assert seen == [["reserved"], ["sent"]]


def test_an_email_whose_process_dies_before_the_text_is_sent_by_the_next_attempt_after_a_while(path):
    mailbox = Mailbox()
    AlertFile(path, lambda: NOW).reserve(ANN)
    with serve(mailbox) as smtp:
        outcomes = [notify(make_config(smtp), path, now=NOW + MINUTE * minutes).outcome for minutes in (0, 9, 10, 20)]
    assert outcomes == ["already sent", "already sent", "sent", "already sent"]
    assert len(mailbox.envelopes) == 1


def test_a_process_that_loses_its_reservation_while_it_speaks_to_the_server_hands_over_no_text(path):
    class Slow(Mailbox):
        async def handle_RCPT(self, *arguments):  # noqa: N802 - aiosmtpd's name
            later = AlertFile(path, lambda: NOW + 15 * MINUTE)
            if reservation := later.reserve(ANN):
                later.confirm(reservation)
            return await super().handle_RCPT(*arguments)

    mailbox = Slow()
    with serve(mailbox) as smtp:
        assert notify(make_config(smtp), path).outcome is NotifyOutcome.ALREADY_SENT
    assert mailbox.envelopes == []
    assert read_state(path) == ["sent"]


def test_a_person_who_interrupts_it_frees_the_reservation_unless_the_text_is_out(path, monkeypatch):
    def interrupt(_settings, _password, _message, before_text):
        if is_out:
            before_text()
        raise KeyboardInterrupt

    monkeypatch.setattr("xpmsync.notify.notifier.send_email", interrupt)
    smtp = SmtpSettings(host="localhost", port=1, security="none", sender="sync@firm.example")
    for is_out in (False, True):
        with pytest.raises(KeyboardInterrupt):
            notify(make_config(smtp), path)
        assert read_state(path) == (["sent"] if is_out else ["failed"])


# Each cc address.


def test_each_cc_address_has_its_own_email_and_its_own_24_hours(path):
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        notify(make_config(smtp), path)
        notify(make_config(smtp, HELP, BOB), path, now=NOW + HOUR)
        notify(make_config(smtp, HELP, BOB), path, now=NOW + 24 * HOUR)
        notify(make_config(smtp, HELP, BOB), path, now=NOW + 25 * HOUR)
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == [[ANN], [HELP], [BOB], [ANN], [HELP], [BOB]]
    assert [message["To"] for message in mailbox.read()] == [ANN, HELP, BOB, ANN, HELP, BOB]
    assert all(message["Cc"] is None for message in mailbox.read())


@pytest.mark.parametrize("refused", [ANN, HELP, BOB])
def test_an_address_that_is_refused_keeps_no_other_from_its_email(path, refused):
    class Choosy(Mailbox):
        async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
            self.to_recipient = "550 No" if address == refused else "250 OK"
            return await super().handle_RCPT(server, session, envelope, address, options)

    mailbox = Choosy()
    with serve(mailbox) as smtp:
        first = notify(make_config(smtp, HELP, BOB), path)
        second = notify(make_config(smtp, HELP, BOB), path, now=NOW + HOUR)
    others = [[address] for address in (ANN, HELP, BOB) if address != refused]
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == others
    assert (first.outcome, second.outcome) == (NotifyOutcome.SENT, NotifyOutcome.NOT_SENT)
    assert first.remark.startswith(f"No email could be sent to {refused}: ")
    assert second.remark is None  # once in 24 hours
    assert [read_state(path, address) for address in (ANN, HELP, BOB)].count(["failed"]) == 1


def test_the_recipient_is_mailed_once_who_is_a_cc_address_too(path):
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        notify(make_config(smtp, ANN.upper()), path)
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == [[ANN]]


def test_a_recipient_who_is_not_active_is_not_mailed_and_standard_error_says_so_once_in_24_hours(path):
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        alone = [notify(make_config(smtp), path, now=NOW + hours * HOUR, is_active=False) for hours in (0, 1, 24)]
        assert mailbox.envelopes == []
        beside = notify(make_config(smtp, HELP), path, now=NOW + 48 * HOUR, is_active=False)
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == [[HELP]]
    assert [result.outcome for result in alone] == ["not sent"] * 3
    assert alone[0].remark == (
        "Smith & Co: the sync needs a person for its sign-in. Nobody gets alerts: the alert recipient is not an "
        "active user of Active. Run: xpmsync configure"
    )
    assert alone[2].remark == alone[0].remark
    assert alone[1].remark is None
    assert "Only the cc addresses get alerts" in beside.remark


# What the mail server does.


@pytest.mark.parametrize(("drips_from", "is_sent"), [(b"", False), (b"DATA", False), (b".\r\n", True)])
def test_a_server_that_drips_for_ever_is_given_up_and_nobody_is_told_twice(monkeypatch, drips_from, is_sent):
    # Long enough for a busy machine to come as far as the text, where that is what is asked.
    monkeypatch.setattr(smtp, "CONVERSATION_SECONDS", 3.0 if is_sent else 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def converse():
        line, _ = listener.accept()
        with line, line.makefile("rb") as lines, contextlib.suppress(OSError):
            if drips_from:
                line.sendall(b"220 ready\r\n")
                for each in lines:
                    if each.upper().startswith(drips_from):
                        break
                    if each[:4].upper() in (b"EHLO", b"MAIL", b"RCPT", b"DATA"):
                        line.sendall(b"354 go on\r\n" if each.startswith(b"DATA") else b"250 ok\r\n")
            while not over.wait(0.05):
                line.sendall(b"2")

    server = threading.Thread(target=converse)
    server.start()
    settings = SmtpSettings(
        host="127.0.0.1", port=listener.getsockname()[1], security="none", sender="sync@firm.example"
    )
    message = render_test_email(Config(smtp=settings), ANN, NOW, PLACE)
    try:
        if is_sent:
            send_email(settings, None, message)
        else:
            with pytest.raises(MailError, match="has not finished its answers in time on port"):
                send_email(settings, None, message)
    finally:
        over.set()
        server.join()
        listener.close()


@pytest.mark.parametrize(
    ("cut_after", "outcome"),
    [
        (b"EHLO", "not sent"),
        (b"MAIL", "not sent"),
        (b"RCPT", "not sent"),
        (b"DATA", "not sent"),
        (b"\r\n.\r\n", "sent"),
    ],
)
def test_a_line_cut_before_the_text_is_over_counts_as_not_sent_and_after_it_as_sent(path, cut_after, outcome):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_until, args=(listener, cut_after))
        thread.start()
        port = listener.getsockname()[1]
        smtp = SmtpSettings(host="127.0.0.1", port=port, security="none", sender="sync@firm.example")
        result = notify(make_config(smtp), path)
        thread.join()
    assert result.outcome == outcome
    assert read_state(path) == ["sent" if outcome == "sent" else "failed"]


def answer_until(listener, cut_after):
    """A mail server that hangs up once it has read `cut_after`."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"220 hello\r\n")
        while (received := connection.recv(100_000)) and cut_after not in received.upper():
            connection.sendall(
                b"354 go on\r\n" if received.startswith(b"data") or received == b"DATA\r\n" else b"250 OK\r\n"
            )


def test_a_refusal_after_the_text_frees_the_reservation(path):
    with serve(Mailbox(to_data="451 Try again later")) as smtp:
        result = notify(make_config(smtp), path)
    assert "451 Try again later" in result.remark
    assert read_state(path) == ["failed"]


def test_without_mail_settings_standard_error_is_told_once_in_24_hours(path):
    first, second = notify(make_config(None), path), notify(make_config(None), path, now=NOW + HOUR)
    assert first.remark == (
        "Smith & Co: the sync needs a person for its sign-in. "
        "No email is sent about it until you set a mail server: xpmsync configure"
    )
    assert (second.outcome, second.remark) == (NotifyOutcome.ALREADY_SENT, None)


def test_nothing_is_sent_where_nobody_could_remember_it(path):
    path.mkdir()
    mailbox = Mailbox()
    with serve(mailbox) as smtp, pytest.raises(AlertFileError, match="cannot be written"):
        notify(make_config(smtp), path)
    assert mailbox.envelopes == []


# The e-mail.


def test_the_email_says_what_happened_since_when_what_it_means_and_what_to_do():
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        config = make_config(smtp)
        message = render_email(config, ANN, find_trouble(failed(4), NOW), NOW, PLACE)
        send_email(smtp, None, message)
    received = mailbox.read()[0]
    assert received["Subject"] == "Smith & Co: the sync needs a person for its sign-in"
    assert received["From"] == "sync@firm.example"
    assert received["To"] == "ann@firm.example"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Message-ID"].endswith("@firm.example>")
    assert received["Date"].datetime == NOW
    assert received.get_content_type() == "text/plain"
    assert received.get_content_charset() == "utf-8"
    text = " ".join(received.get_content().split())
    for part in (
        "Xero no longer accepts the sign-in.",
        "It first failed on",
        "Active still holds the data of",
        "xpmsync connect",
        "at most once in 24 hours",
        "server1",
    ):
        assert part in text
    assert max(map(len, received.get_content().splitlines())) <= 76


def test_letters_beyond_ascii_a_leading_dot_and_long_commands_arrive_as_written():
    command = "xpmsync admin user link ann@firm.example --xpm-staff 3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"
    health = failed(7, remedy=f"Ask Māra.\n.\nRun: {command}")
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        config = Config(sync=SyncSettings(name="Tāmaki 🧾 Partners"), smtp=smtp)
        send_email(smtp, None, render_email(config, ANN, find_trouble(health, NOW), NOW, PLACE))
    received = mailbox.read()[0]
    assert received["Subject"].startswith("Tāmaki 🧾 Partners: ")
    text = received.get_content().replace("\r\n", "\n")
    assert "Ask Māra.\n\n   .\n" in text
    assert f"\n     {command}\n" in text


@pytest.mark.parametrize("key", ["email", "sender"])
def test_a_line_break_in_an_address_is_neither_read_nor_sent(key):
    address = "ann@firm.example\r\nBcc: thief@example.com"
    setting = "notify.email" if key == "email" else "smtp.from"
    with pytest.raises(ValueError, match="must be an e-mail address"):
        check_setting(setting, address)
    sender = address if key == "sender" else "sync@firm.example"
    smtp = SmtpSettings(host="localhost", port=1, security="none", sender=sender)
    with pytest.raises(ValueError, match="a control character"):
        render_test_email(make_config(smtp), address if key == "email" else ANN, NOW, PLACE).encode()


def test_the_readable_email_shows_headers_and_text():
    smtp = SmtpSettings(host="localhost", port=1, security="none", sender="sync@firm.example")
    text = render_email(make_config(smtp), ANN, find_trouble(failed(7), NOW), NOW, PLACE).render()
    assert text.startswith(
        "From: sync@firm.example\nTo: ann@firm.example\nSubject: Smith & Co: the sync stopped because"
    )


# The mail server.


def send_test(smtp, password=None, email=ANN):
    send_email(smtp, password, render_test_email(make_config(smtp), email, NOW, PLACE))


@pytest.mark.usefixtures("trusted")
def test_the_password_goes_out_on_a_starttls_line_with_a_verified_certificate(tls):
    mailbox = Mailbox()
    demands = {"require_starttls": True, "auth_required": True, "authenticator": accept_one_password}
    with serve(mailbox, tls_context=tls, security="starttls", username="sync", **demands) as smtp:
        send_test(smtp, "right")
    assert len(mailbox.envelopes) == 1


@pytest.mark.usefixtures("trusted")
def test_tls_from_the_first_byte_works_as_well(tls):
    mailbox = Mailbox()
    with serve(mailbox, tls=tls, security="tls") as smtp:
        send_test(smtp)
    assert len(mailbox.envelopes) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_password_goes_out(tls):
    passwords = []
    options = {"tls_context": tls, "authenticator": lambda *details: passwords.append(details)}
    with (
        serve(Mailbox(), security="starttls", username="sync", **options) as smtp,
        pytest.raises(MailRefused, match="certificate of localhost cannot be trusted"),
    ):
        send_test(smtp, "right")
    assert passwords == []


def test_a_server_without_starttls_is_refused_rather_than_trusted():
    with serve(Mailbox(), security="starttls") as smtp, pytest.raises(MailRefused, match="does not offer"):
        send_test(smtp)


@pytest.mark.usefixtures("trusted")
def test_a_wrong_password_is_told_without_repeating_it(tls):
    options = {"tls_context": tls, "authenticator": accept_one_password}
    with (
        serve(Mailbox(), security="starttls", username="sync", **options) as smtp,
        pytest.raises(MailRefused, match="does not accept the user name and password") as caught,
    ):
        send_test(smtp, "wr0ng-secret")
    assert "wr0ng" not in f"{caught.value.happened}{caught.value.remedy}{caught.value.details}"


@pytest.mark.parametrize("password", [None, "pässword"])
def test_a_password_that_is_missing_or_cannot_be_sent_is_told_before_anything_is_sent(password):
    with serve(Mailbox(), username="sync") as smtp, pytest.raises(MailRefused, match="mail server") as caught:
        send_test(smtp, password)
    assert "pässword" not in repr(caught.value)


def test_a_server_that_is_busy_is_trouble_that_passes():
    with (
        serve(Mailbox(to_recipient="421 Too busy")) as smtp,
        pytest.raises(MailError, match="421 Too busy") as caught,
    ):
        send_test(smtp)
    assert not isinstance(caught.value, MailRefused)


def test_an_address_beyond_ascii_is_handed_to_a_server_that_knows_them():
    mailbox = Mailbox()
    with serve(mailbox, enable_SMTPUTF8=True) as smtp:
        send_test(smtp, email="māra@firm.example")
    assert mailbox.envelopes[0].rcpt_tos == ["māra@firm.example"]


def test_an_address_beyond_ascii_is_no_crash_where_the_server_does_not_know_them():
    with serve(Mailbox(), enable_SMTPUTF8=False) as smtp, pytest.raises(MailRefused, match="does not offer"):
        send_test(smtp, email="māra@firm.example")


# The command.


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return find_home({"XPMSYNC_HOME": str(tmp_path)})


@pytest.fixture
def failing_sync(home):
    """A sync whose last run needs a person to sign in."""
    now = datetime.now(UTC)
    with open_database(home.database_file) as database:
        run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=now)
        values = {"message": "Xero no longer accepts the sign-in.", "exit_code": 4}
        finish_run(database, run_id, status="failed", now=now, values=values)


def configure_mail(home, smtp):
    change_config(
        home,
        {
            "sync.name": "Smith & Co",
            "notify.email": "ann@firm.example",
            "smtp.host": smtp.host,
            "smtp.port": smtp.port,
            "smtp.security": smtp.security,
            "smtp.from": smtp.sender,
        },
    )


def test_the_watchman_is_silent_before_there_is_anything_to_watch(home, capfd):
    assert run(["notify"]) == 0
    assert capfd.readouterr() == ("", "")
    assert not home.database_file.exists()


@pytest.mark.usefixtures("failing_sync")
def test_the_watchman_sends_the_email_that_is_due_once_and_in_silence(home, capfd):
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        configure_mail(home, smtp)
        assert [run(["notify"]), run(["notify"])] == [0, 0]
    assert [message["Subject"] for message in mailbox.read()] == ["Smith & Co: the sync needs a person for its sign-in"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("failing_sync")
def test_an_email_that_is_due_and_cannot_be_sent_is_one_line_on_standard_error(home, capfd):
    smtp = SmtpSettings(host="127.0.0.1", port=1, security="none", sender="sync@firm.example")
    configure_mail(home, smtp)
    assert run(["notify"]) == 0
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(
        "No email could be sent to ann@firm.example: The mail server 127.0.0.1 cannot be reached on port 1."
    )
    assert printed.err.count("\n") == 1


@pytest.mark.usefixtures("failing_sync")
def test_what_is_said_on_standard_error_fits_a_terminal(home, capsys, monkeypatch):
    configure_mail(home, SmtpSettings(host="127.0.0.1", port=1, security="none", sender="sync@firm.example"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["notify"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("failing_sync")
def test_a_mail_password_behind_a_shut_keyring_is_one_line_on_standard_error(home, capfd):
    configure_mail(home, SmtpSettings(host="localhost", port=1, security="none", sender="sync@firm.example"))
    with serve(Mailbox()) as smtp:
        change_config(home, {"smtp.host": smtp.host, "smtp.port": smtp.port, "smtp.username": "sync"})
        assert run(["notify"]) == 0
    assert capfd.readouterr().err == (
        "No email could be sent to ann@firm.example: The password of the mail server is not known, or its keyring is "
        "shut. Run: xpmsync configure (xpmsync keyring says whether the keyring is open)\n"
    )


def test_the_keyring_is_opened_only_when_a_renewal_of_the_sign_in_may_be_half_done(home, capfd):
    change_config(home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11", "xero.client_id": "ABC"})
    assert run(["notify"]) == 0  # the keyring of this test cannot be opened
    assert capfd.readouterr() == ("", "")


def test_a_keyring_that_is_shut_is_left_to_the_hourly_run_to_tell(home, capfd):
    change_config(home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11", "xero.client_id": "ABC"})
    set_mark(find_mark(home.sign_in_lock))
    assert run(["notify"]) == 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("failing_sync")
def test_a_dry_run_prints_the_email_and_neither_sends_nor_reserves_it(home, capfd):
    configure_mail(home, SmtpSettings(host="127.0.0.1", port=1, security="none", sender="sync@firm.example"))
    assert run(["notify", "--dry-run"]) == 0
    assert "Subject: Smith & Co: the sync needs a person for its sign-in\n" in capfd.readouterr().out
    assert not home.alert_file.exists()


NOTHING_DUE = {
    "a new home": "Not set up yet: it is not connected to Xero Practice Manager. No email is due before the first run.",
    "a success": "Working: the last run succeeded just now. No email is due.",
    "a success, then a watched failure": "Disrupted since MOMENT: Xero refuses. "
    "No email is due: a person watched the run that failed.",
    "a success, then a failure that may pass": "Disrupted since MOMENT: Xero is out of reach. "
    "No email is due yet: one is sent after three hours without a success.",
    "a first run that was cut off": "Not set up yet: no run has succeeded. "
    "No email is due yet: one is sent after three hours without a success.",
    "a success, then disconnected": "Not connected to Xero: the last run succeeded just now. "
    "No email is due before a run fails.",
}


def play(home, history, now):
    with open_database(home.database_file) as database:

        def record(status, message=None, exit_code=0, *, is_watched=False):
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=is_watched, now=now)
            values = {"message": message, "exit_code": exit_code}
            finish_run(database, run_id, status=status, now=now, values=values)

        if "a success" in history:
            record("succeeded")
        if "a watched failure" in history:
            record("failed", "Xero refuses.", 7, is_watched=True)
        if "may pass" in history:
            record("failed", "Xero is out of reach.", 6)
        if "cut off" in history:
            record("interrupted")


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]], ids=["by hand", "dry run"])
@pytest.mark.parametrize("history", NOTHING_DUE)
def test_where_nothing_is_due_a_person_reads_what_status_says_and_why_it_leads_to_no_email(
    home, type_ahead, capsys, history, arguments
):
    now = datetime.now(UTC)
    if history != "a new home":
        change_config(home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11", "xero.client_id": "ABC"})
        change_config(home, {"sync.default_office_code": "MAIN"})
        play(home, history, now)
    if "disconnected" in history:
        change_config(home, {"sync.tenant_id": None})
    type_ahead()
    assert run(["notify", *arguments]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert re.sub(r"since [\d: -]+:", "since MOMENT:", said) == NOTHING_DUE[history]
    assert run(["status"]) == 0
    answer, _, _ = said.rpartition(" No email is due")
    assert " ".join(capsys.readouterr().out.split()).startswith(answer)


@pytest.mark.usefixtures("failing_sync")
def test_a_person_reads_every_time_that_an_email_is_due_and_cannot_be_sent(home, type_ahead, capsys):
    configure_mail(home, SmtpSettings(host="127.0.0.1", port=1, security="none", sender="sync@firm.example"))
    assert run(["notify"]) == 0
    assert "cannot be reached" in capsys.readouterr().err
    type_ahead()
    assert run(["notify"]) == 0
    assert capsys.readouterr().out == "An email is due, and could not be sent. To see why: xpmsync notify --test\n"


def test_looking_at_what_is_due_makes_no_database(home):
    assert run(["notify", "--dry-run"]) == 0
    assert not home.database_file.exists()


def test_a_test_email_arrives_and_does_not_use_up_the_day(home, capfd):
    mailbox = Mailbox()
    with serve(mailbox) as smtp:
        configure_mail(home, smtp)
        assert run(["notify", "--test"]) == 0
    assert mailbox.read()[0]["Subject"] == "Smith & Co: a test of the e-mail about the sync"
    assert "ann@firm.example" in capfd.readouterr().out
    assert not home.database_file.exists()


def test_a_test_email_without_mail_settings_names_the_command_that_sets_them(home, capfd):
    assert run(["notify", "--test"]) == 5
    assert capfd.readouterr().err == "The settings have no smtp.host yet.\nRun: xpmsync configure\n"
    assert not home.config_file.exists()
