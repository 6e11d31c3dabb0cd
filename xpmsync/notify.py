"""Telling somebody by e-mail that the sync is disrupted.

`tell_if_due` is what both the hourly run and the watchman call. At most one e-mail in 24 hours: the right to send it is
reserved first, through the `Outbox` that the caller hands in, and given back only when the mail server certainly does
not have the text. Whether there is something to tell is for `xpmsync.health`, how a mail server is spoken to for
`xpmsync.mail_server`. Knows neither database nor keyring nor terminal.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from xpmsync.config import Config, require
from xpmsync.errors import XpmsyncError
from xpmsync.health import Health, Trouble, find_trouble
from xpmsync.letter import Message, Place, render_letter, render_subject, render_test_letter, render_test_subject
from xpmsync.mail_server import send_email

log = logging.getLogger(__name__)

STANDARD_ERROR: Final = "standard error"
"""The recipient where there are no mail settings: cron mails what it reads there, and should not do so all day."""


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


def render_email(config: Config, trouble: Trouble, now: datetime, place: Place) -> Message:
    """The email about `trouble`, ready to be sent."""
    subject = render_subject(config.sync.name, trouble)
    return _make_email(config, subject, render_letter(config.sync.name, trouble, place), now)


def render_test_email(config: Config, now: datetime, place: Place) -> Message:
    """An email that proves that emails arrive."""
    subject = render_test_subject(config.sync.name)
    return _make_email(config, subject, render_test_letter(config.sync.name, place), now)


def _make_email(config: Config, subject: str, text: str, now: datetime) -> Message:
    settings = require(config.smtp, "smtp.host")
    recipient = require(config.notify.email, "notify.email")
    return Message(settings.sender, recipient, subject, text, now)
