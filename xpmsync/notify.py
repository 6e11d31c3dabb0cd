"""Telling somebody by e-mail that the sync is disrupted.

`tell_if_due` is what both the hourly run and the watchman call. At most one e-mail in 24 hours: the right to send it is
reserved first, through the `Outbox` that the caller hands in, and given back only when the mail server certainly does
not have the text. Whether there is something to tell is for `xpmsync.health`. Knows neither database nor keyring nor
terminal.
"""

import contextlib
import logging
import re
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid
from enum import StrEnum
from typing import ClassVar, Final

from xpmsync.config import Config, SmtpSettings, require
from xpmsync.deadline import OutOfTime, call_within
from xpmsync.errors import XpmsyncError
from xpmsync.health import Health, Trouble, find_trouble
from xpmsync.letter import Place, render_letter, render_subject, render_test_letter, render_test_subject

log = logging.getLogger(__name__)

STANDARD_ERROR: Final = "standard error"
"""The recipient where there are no mail settings: cron mails what it reads there, and should not do so all day."""

TIMEOUT_SECONDS: Final = 20
CONVERSATION_SECONDS: Final = 120.0
"""For the whole of it: the time-out begins anew with every byte, so a server that drips would live for ever."""


class MailTrouble(XpmsyncError):
    """The mail server cannot be reached, or asks to try again later."""

    exit_code: ClassVar[int] = 6
    code: ClassVar[str] = "mail-not-sent"


class MailRefused(MailTrouble):
    """The mail server does not take the e-mail with these settings."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "mail-refused"


@dataclass(frozen=True)
class Outbox:
    """Where notifications are remembered across runs, crashes and parallel processes."""

    reserve: Callable[[str, str], int | None]
    """Recipient and subject to the reservation's id; None where one within 24 hours stands already."""
    mark_sent: Callable[[int], None]
    release: Callable[[int], None]


class Outcome(StrEnum):
    """What came of telling."""

    NOTHING_DUE = "nothing due"
    TOLD_ALREADY = "told already"
    SENT = "sent"
    NOT_SENT = "not sent"


@dataclass(frozen=True)
class Telling:
    """What came of telling, and what to print on standard error about it, if anything."""

    outcome: Outcome
    remark: str | None = None


def tell_if_due(
    config: Config, health: Health, outbox: Outbox, *, password: str | None, now: datetime, place: Place
) -> Telling:
    """Send the e-mail that is due, if one is and none was sent within 24 hours.

    Never raises: a failing e-mail must not hide what it is about. The remark is what standard error should say.
    """
    trouble = find_trouble(health, now)
    if trouble is None:
        return Telling(Outcome.NOTHING_DUE)
    try:
        outcome = _tell(config, trouble, outbox, password=password, now=now, place=place)
    except XpmsyncError as error:
        log.warning("no e-mail could be sent: %s", error.for_log)
        remark = f"No e-mail could be sent: {error.happened} {error.remedy}"
        return Telling(Outcome.NOT_SENT, remark if _may_remark(outbox, remark) else None)
    except Exception as error:  # the outbox raises what its database raises
        log.exception("no e-mail could be sent")
        return Telling(Outcome.NOT_SENT, f"No e-mail could be sent ({type(error).__name__}). The log says why.")
    return Telling(outcome, render_remark(config, trouble) if outcome is Outcome.SENT and config.smtp is None else None)


def render_remark(config: Config, trouble: Trouble) -> str:
    """What standard error says where there are no mail settings."""
    subject = render_subject(config.sync.name, trouble)
    return f"{subject}. No e-mail is sent about it until you set a mail server: xpmsync configure"


def _may_remark(outbox: Outbox, remark: str) -> bool:
    """Whether standard error may say it: cron mails that, and should not do so every ten minutes."""
    try:
        notification = outbox.reserve(STANDARD_ERROR, remark)
        if notification is not None:
            outbox.mark_sent(notification)
    except Exception:
        log.exception("what is said on standard error could not be written down")
        return True
    return notification is not None


def _tell(
    config: Config, trouble: Trouble, outbox: Outbox, *, password: str | None, now: datetime, place: Place
) -> Outcome:
    recipient = config.notify.email if config.smtp and config.notify.email else STANDARD_ERROR
    notification = outbox.reserve(recipient, render_subject(config.sync.name, trouble))
    if notification is None:
        return Outcome.TOLD_ALREADY
    try:
        if config.smtp is not None:
            send_email(config.smtp, password, render_email(config, trouble, now, place))
    except BaseException:
        outbox.release(notification)
        raise
    try:
        outbox.mark_sent(notification)
    except Exception:
        log.exception("the e-mail is sent; its reservation stands and counts as well")
    log.info("told %s: %s", recipient, render_subject(config.sync.name, trouble))
    return Outcome.SENT


# The e-mail.


def render_email(config: Config, trouble: Trouble, now: datetime, place: Place) -> EmailMessage:
    """The e-mail about `trouble`, ready to be sent."""
    subject = render_subject(config.sync.name, trouble)
    return _make_email(config, subject, render_letter(config.sync.name, trouble, place), now)


def render_test_email(config: Config, now: datetime, place: Place) -> EmailMessage:
    """An e-mail that proves that e-mails arrive."""
    subject = render_test_subject(config.sync.name)
    return _make_email(config, subject, render_test_letter(config.sync.name, place), now)


def render_readable(message: EmailMessage) -> str:
    """The e-mail as its reader sees it."""
    headers = "\n".join(f"{name}: {message[name]}" for name in ("From", "To", "Subject", "Date"))
    return f"{headers}\n\n{message.get_content()}"


def _make_email(config: Config, subject: str, text: str, now: datetime) -> EmailMessage:
    settings = require(config.smtp, "smtp.host")
    recipient = require(config.notify.email, "notify.email")
    # Only a server that knows SMTPUTF8 takes addresses beyond ASCII; for all others every server will do.
    message = EmailMessage(policy=SMTP if f"{settings.sender}{recipient}".isascii() else SMTPUTF8)
    message["From"] = settings.sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(now.astimezone())
    domain = settings.sender.rpartition("@")[2]
    message["Message-ID"] = make_msgid("xpmsync", domain if domain.isascii() else "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    return message


# The mail server.


def send_email(settings: SmtpSettings, password: str | None, message: EmailMessage) -> None:
    """Hand `message` to the mail server. Returns as soon as the server may have it; raises where it has not."""
    has_gone_out = threading.Event()

    def send() -> None:
        with _open_session(settings, password) as client:
            _hand_over(client, message, has_gone_out)

    try:
        call_within(CONVERSATION_SECONDS, send)
    except OutOfTime:
        if not has_gone_out.is_set():
            raise _explain_slowness(settings) from None


def try_mail_server(settings: SmtpSettings, password: str | None) -> None:
    """Go as far as for an e-mail, and send none; raises where the server would not take one from us."""

    def try_session() -> None:
        with _open_session(settings, password):
            pass

    try:
        call_within(CONVERSATION_SECONDS, try_session)
    except OutOfTime:
        raise _explain_slowness(settings) from None


@contextlib.contextmanager
def _open_session(settings: SmtpSettings, password: str | None) -> Iterator[smtplib.SMTP]:
    """A mail server that has let us in, for the length of a ``with`` block; explains what goes wrong in it."""
    try:
        with contextlib.closing(_connect(settings)) as client:
            _log_in(client, settings, password)
            yield client
    except smtplib.SMTPResponseException as error:
        raise _explain_answer(settings, error) from None
    except smtplib.SMTPServerDisconnected as error:
        raise _explain_silence(settings, error) from None
    except smtplib.SMTPException as error:
        raise MailRefused(
            f"The mail server {settings.host} does not offer what the settings ask of it.",
            "Check security, port and username under [smtp] in config.toml, or run: xpmsync configure",
            details=str(error),
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise MailRefused(
            f"The certificate of {settings.host} cannot be trusted: {error.verify_message}.",
            "Use the name that stands in the server's certificate, or ask the person who runs the mail server.",
        ) from None
    except OSError as error:
        raise _explain_silence(settings, error) from None


def _explain_answer(settings: SmtpSettings, error: smtplib.SMTPResponseException) -> MailTrouble:
    """The server said no, or not now."""
    kind = MailRefused if error.smtp_code >= 500 else MailTrouble  # noqa: PLR2004 - SMTP's permanent answers
    if isinstance(error, smtplib.SMTPAuthenticationError):
        what = "does not accept the user name and password"
    else:
        what = "does not take the e-mail"
    return kind(
        f"The mail server {settings.host} {what}; it says: {_quote(error)}.",
        "Correct the mail settings: xpmsync configure" if kind is MailRefused else "It is tried again by itself.",
    )


def _explain_silence(settings: SmtpSettings, error: OSError) -> MailTrouble:
    """No answer, or a line that broke."""
    return MailTrouble(
        f"The mail server {settings.host} cannot be reached on port {settings.port}.",
        "Check host, port and security under [smtp] in config.toml, and the line to the server.",
        details=f"{type(error).__name__}: {error}",
    )


def _explain_slowness(settings: SmtpSettings) -> MailTrouble:
    """Answers that do not come to an end."""
    return MailTrouble(
        f"The mail server {settings.host} has not finished its answers in time.",
        "Check host, port and security under [smtp] in config.toml, and the line to the server.",
    )


def _connect(settings: SmtpSettings) -> smtplib.SMTP:
    """A line to the mail server, protected as the settings say and never less."""
    context = ssl.create_default_context()  # verifies; without it smtplib would trust anybody
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_SECONDS, context=context)
    client = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_SECONDS)
    try:
        if settings.security == "starttls":
            client.starttls(context=context)
    except BaseException:
        client.close()
        raise
    return client


def _log_in(client: smtplib.SMTP, settings: SmtpSettings, password: str | None) -> None:
    client.ehlo_or_helo_if_needed()
    if settings.username is None:
        return
    if password is None:
        raise MailRefused(
            "The password of the mail server is not known, or its keyring is shut.",
            "Run: xpmsync configure (xpmsync keyring says whether the keyring is open)",
        )
    if not f"{settings.username}{password}".isascii():
        raise MailRefused(
            "The user name or the password of the mail server has a letter that cannot be sent.",
            "Choose a password of plain letters, digits and signs, and run: xpmsync configure",
        )
    client.login(settings.username, password)


def _hand_over(client: smtplib.SMTP, message: EmailMessage, has_gone_out: threading.Event) -> None:
    """Sender, recipient and text. Once the text has gone out, only a refusal in words is a failure.

    smtplib's own ``sendmail`` does not tell a line that broke before the text was out from one that broke after it.
    """
    options = ("SMTPUTF8", "BODY=8BITMIME") if message.policy is SMTPUTF8 else ()
    _expect(client.mail(message["From"].addresses[0].addr_spec, options))
    _expect(client.rcpt(message["To"].addresses[0].addr_spec))
    _expect(client.docmd("DATA"))
    has_gone_out.set()  # before it does: whoever gives up now cannot know, and nobody is told twice
    client.send(re.sub(rb"(?m)^\.", b"..", message.as_bytes()) + b".\r\n")
    try:
        answer = client.getreply()
    except smtplib.SMTPServerDisconnected:
        return
    _expect(answer)


def _expect(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if not 200 <= code < 400:  # noqa: PLR2004 - SMTP's good answers
        raise smtplib.SMTPResponseException(code, text)


def _quote(error: smtplib.SMTPResponseException) -> str:
    """The server's own words, on one line."""
    words = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
    line = " ".join(f"{error.smtp_code} {words}".split())
    return "".join(character for character in line if character.isprintable())[:200]
