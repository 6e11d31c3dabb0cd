"""Sending an email when the sync fails: to the alert recipient and to each `cc` address, at most one in 24 hours.

`Notifier.notify_if_due` is what both the hourly sync and `xpmsync notify` call. The right to send an email is reserved
in the alert file first, and given back only when the mail server certainly does not have the text. Whether an alert is
due is for `xpmsync.notify.health`, who was alerted for `xpmsync.notify.alert_file`, how a mail server is spoken to for
`xpmsync.notify.smtp`. Knows neither database nor keyring nor terminal.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from xpmsync.config import Config, SmtpSettings, require
from xpmsync.errors import XpmsyncError
from xpmsync.notify.alert_file import (
    AlertFile,
    AlertFileError,
    Recipient,
    Reservation,
    ReservationLost,
    explain_recipient,
    list_addresses,
)
from xpmsync.notify.health import Health, Trouble, find_trouble
from xpmsync.notify.message import (
    Message,
    Place,
    render_letter,
    render_subject,
    render_test_letter,
    render_test_subject,
)
from xpmsync.notify.smtp import MailError, send_email

log = logging.getLogger(__name__)

STANDARD_ERROR: Final = "standard error"
"""The address in the alert file of what is said there: cron mails it, and should not do so all day."""
SENDING_SECONDS: Final = 300.0
"""No further email is begun after this time; the next attempt sends it."""


class NotifyOutcome(StrEnum):
    """What came of it."""

    NOTHING_DUE = "nothing due"
    ALREADY_SENT = "already sent"
    SENT = "sent"
    NOT_SENT = "not sent"


@dataclass(frozen=True)
class NotifyResult:
    """What came of it, and what to print on standard error about it, if anything."""

    outcome: NotifyOutcome
    remark: str | None = None


@dataclass(frozen=True)
class Notifier:
    """Sends the alerts of one home."""

    config: Config
    alerts: AlertFile
    place: Place
    read_password: Callable[[], str | None]
    """Reads the mail server's password: asked only where an email is sent."""
    now: Callable[[], datetime]

    def notify_if_due(self, health: Health, recipient: Recipient | None) -> NotifyResult:
        """Send the emails that are due, to each address at most one in 24 hours.

        Raises AlertFileError where it cannot be written down who is alerted; nothing is sent then. Whatever else goes
        wrong is in the result: a failing email must not hide what it is about.
        """
        trouble = find_trouble(health, self.now())
        if trouble is None:
            return NotifyResult(NotifyOutcome.NOTHING_DUE)
        subject = render_subject(self.config.sync.name, trouble)
        if self.config.smtp is None:
            if not self.alerts.claim(STANDARD_ERROR):
                return NotifyResult(NotifyOutcome.ALREADY_SENT)
            log.info("told standard error: %s", subject)
            return NotifyResult(NotifyOutcome.SENT, render_remark(self.config, trouble))
        outcomes, remarks = self._send_to_all(self.config.smtp, trouble, recipient)
        if recipient is None or not recipient.is_active:
            remarks.append(f"{subject}. {explain_recipient(recipient, self.config.notify.cc)} Run: xpmsync configure")
        if NotifyOutcome.SENT in outcomes:
            outcome = NotifyOutcome.SENT
        else:
            outcome = NotifyOutcome.NOT_SENT if remarks else NotifyOutcome.ALREADY_SENT
        return NotifyResult(outcome, "\n".join(remarks) if remarks and self.alerts.claim(STANDARD_ERROR) else None)

    def _send_to_all(
        self, smtp: SmtpSettings, trouble: Trouble, recipient: Recipient | None
    ) -> tuple[list[NotifyOutcome], list[str]]:
        """What came of each address, and what is to be said where it is not good."""
        outcomes: list[NotifyOutcome] = []
        remarks: list[str] = []
        ends_at = time.monotonic() + SENDING_SECONDS
        for address in list_addresses(recipient, self.config.notify.cc):
            if time.monotonic() > ends_at:
                log.warning("no time is left for the email to %s", address)
                continue
            try:
                outcomes.append(self._send(smtp, trouble, address))
            except AlertFileError:
                raise
            except XpmsyncError as error:
                log.warning("no email could be sent to %s: %s", address, error.for_log)
                remarks.append(f"No email could be sent to {address}: {error.happened} {error.remedy}")
            except Exception as error:
                log.exception("no email could be sent to %s", address)
                remarks.append(f"No email could be sent to {address} ({type(error).__name__}). The log says why.")
        return outcomes, remarks

    def _send(self, smtp: SmtpSettings, trouble: Trouble, address: str) -> NotifyOutcome:
        if self.alerts.load().find(address).blocks(self.now()):
            return NotifyOutcome.ALREADY_SENT  # before the keyring is asked
        password = self.read_password()
        message = render_email(self.config, address, trouble, self.now(), self.place)
        reservation = self.alerts.reserve(address)
        if reservation is None:
            return NotifyOutcome.ALREADY_SENT
        try:
            send_email(smtp, password, message, lambda: self.alerts.confirm(reservation))
        except ReservationLost:
            return NotifyOutcome.ALREADY_SENT
        except BaseException as error:
            # Of what else ends a conversation nobody knows whether the text is out.
            self._release(reservation, is_refused=isinstance(error, MailError))
            raise
        log.info("alerted %s: %s", address, message.subject)
        return NotifyOutcome.SENT

    def _release(self, reservation: Reservation, *, is_refused: bool) -> None:
        try:
            self.alerts.release(reservation, is_refused=is_refused)
        except AlertFileError as error:
            log.warning("the reservation stands until it ends by itself: %s", error.for_log)


def render_remark(config: Config, trouble: Trouble) -> str:
    """What standard error says where there are no mail settings."""
    subject = render_subject(config.sync.name, trouble)
    return f"{subject}. No email is sent about it until you set a mail server: xpmsync configure"


# The email.


def render_email(config: Config, address: str, trouble: Trouble, now: datetime, place: Place) -> Message:
    """The email about `trouble`, ready to be sent."""
    subject = render_subject(config.sync.name, trouble)
    return _make_email(config, address, subject, render_letter(config.sync.name, trouble, place), now)


def render_test_email(config: Config, address: str, now: datetime, place: Place) -> Message:
    """An email that proves that emails arrive."""
    subject = render_test_subject(config.sync.name)
    return _make_email(config, address, subject, render_test_letter(config.sync.name, place), now)


def _make_email(config: Config, address: str, subject: str, text: str, now: datetime) -> Message:
    settings = require(config.smtp, "smtp.host")
    return Message(settings.sender, address, subject, text, now)
