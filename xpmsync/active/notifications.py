"""Who was told, and when: what keeps the e-mails at one in 24 hours, across crashes and parallel runs."""

from datetime import datetime, timedelta

from xpmsync.active.database import Database
from xpmsync.moments import to_text

QUIET_TIME = timedelta(hours=24)


def reserve_notification(database: Database, recipient: str, subject: str, now: datetime) -> int | None:
    """Reserve the one e-mail of these 24 hours to a recipient; None where it is spoken for.

    In a transaction of its own. A reservation counts from the moment it is made, so that a crash between reserving and
    sending sends no second one; a time in the future (a clock that was wrong) does not count.
    """
    with database.transaction():
        if is_spoken_for(database, recipient, now):
            return None
        return database.connection.execute(
            "INSERT INTO notifications (recipient, subject, reserved_at, status) VALUES (?, ?, ?, 'reserved')",
            (recipient, subject, to_text(now)),
        ).lastrowid


def is_spoken_for(database: Database, recipient: str, now: datetime) -> bool:
    """Whether the recipient was told, or is about to be, within these 24 hours."""
    row = database.connection.execute(
        "SELECT 1 FROM notifications WHERE recipient = ? AND status <> 'released' "
        "AND reserved_at > ? AND reserved_at <= ?",
        (recipient, to_text(now - QUIET_TIME), to_text(now)),
    ).fetchone()
    return row is not None


def is_last_refused(database: Database, recipient: str) -> bool:
    """Whether the last e-mail to the recipient that was due could not be sent."""
    row = database.connection.execute(
        "SELECT status FROM notifications WHERE recipient = ? ORDER BY id DESC LIMIT 1", (recipient,)
    ).fetchone()
    return row is not None and row["status"] == "released"


def forget_refused(database: Database, recipient: str) -> None:
    """Another e-mail has been sent meanwhile: those that could not be are nobody's business any more."""
    database.connection.execute("DELETE FROM notifications WHERE recipient = ? AND status = 'released'", (recipient,))


def mark_notification_sent(database: Database, notification_id: int, now: datetime) -> None:
    """The e-mail was handed over."""
    database.connection.execute(
        "UPDATE notifications SET status = 'sent', sent_at = ? WHERE id = ?", (to_text(now), notification_id)
    )


def release_notification(database: Database, notification_id: int) -> None:
    """The e-mail was refused, or nobody was there to take it: it does not count."""
    database.connection.execute("UPDATE notifications SET status = 'released' WHERE id = ?", (notification_id,))
