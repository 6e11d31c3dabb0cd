"""The mail server: a protected line to it, and one e-mail handed over, or none to see whether it would be taken.

What goes wrong leaves here as MailError, in words for a person. Knows nothing of what the email says.
"""

import contextlib
import re
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

from xpmsync.config import SmtpSettings
from xpmsync.errors import XpmsyncError
from xpmsync.notify.message import Message
from xpmsync.system.timeouts import OutOfTime, call_within

TIMEOUT_SECONDS: Final = 20
CONVERSATION_SECONDS: Final = 120.0
"""For the whole of it: the time-out begins anew with every byte, so a server that drips would live for ever."""


class MailError(XpmsyncError):
    """The mail server cannot be reached, or asks to try again later."""

    exit_code: ClassVar[int] = 6
    code: ClassVar[str] = "mail-not-sent"


class MailRefused(MailError):
    """The mail server does not take the e-mail with these settings."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "mail-refused"


def send_email(
    settings: SmtpSettings, password: str | None, message: Message, before_text: Callable[[], None] = lambda: None
) -> None:
    """Hand `message` to the mail server. Returns as soon as the server may have it; raises where it has not.

    `before_text` is called when everything is agreed and the text is about to go out, in another thread; what it raises
    ends the conversation.
    """
    has_gone_out = threading.Event()

    def send() -> None:
        with _open_session(settings, password) as client:
            _hand_over(client, message, has_gone_out, before_text)

    try:
        call_within(CONVERSATION_SECONDS, send)
    except OutOfTime as error:
        if not has_gone_out.is_set():
            raise _explain_silence(settings, error) from None


def try_mail_server(settings: SmtpSettings, password: str | None) -> None:
    """Go as far as for an e-mail, and send none; raises where the server would not take one from us."""

    def try_session() -> None:
        with _open_session(settings, password):
            pass

    try:
        call_within(CONVERSATION_SECONDS, try_session)
    except OutOfTime as error:
        raise _explain_silence(settings, error) from None


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


def _explain_answer(settings: SmtpSettings, error: smtplib.SMTPResponseException) -> MailError:
    """The server said no, or not now."""
    kind = MailRefused if error.smtp_code >= 500 else MailError  # noqa: PLR2004 - SMTP's permanent answers
    if isinstance(error, smtplib.SMTPAuthenticationError):
        what = "does not accept the user name and password"
    else:
        what = "does not take the email"
    return kind(
        f"The mail server {settings.host} {what}; it says: {_quote(error)}.",
        "Correct the mail settings: xpmsync configure" if kind is MailRefused else "It is tried again by itself.",
    )


def _explain_silence(settings: SmtpSettings, error: OSError | OutOfTime) -> MailError:
    """No answer, a line that broke, or answers that do not come to an end."""
    what = "cannot be reached on" if isinstance(error, OSError) else "has not finished its answers in time on"
    return MailError(
        f"The mail server {settings.host} {what} port {settings.port}.",
        "Check host, port and security under [smtp] in config.toml, and the line to the server.",
        details=f"{type(error).__name__}: {error}",
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


def _hand_over(
    client: smtplib.SMTP, message: Message, has_gone_out: threading.Event, before_text: Callable[[], None]
) -> None:
    """Sender, recipient and text. Once the text has gone out, only a refusal in words is a failure.

    smtplib's own ``sendmail`` does not tell a line that broke before the text was out from one that broke after it.
    """
    content = re.sub(rb"(?m)^\.", b"..", message.encode()) + b".\r\n"
    options = ("SMTPUTF8", "BODY=8BITMIME") if message.needs_utf8 else ()
    _expect(client.mail(message.sender, options))
    _expect(client.rcpt(message.recipient))
    _expect(client.docmd("DATA"))
    has_gone_out.set()  # before it does: whoever gives up now cannot know, and nobody is told twice
    before_text()
    client.send(content)
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
