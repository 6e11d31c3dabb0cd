"""When a run fetches everything, and when only what was modified."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Mode = Literal["full", "incremental"]

OVERLAP: Final = timedelta(minutes=10)
"""How far behind the cursor an incremental run looks: Xero's servers need not agree on the time."""
EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Past:
    """What the runs before this one left."""

    cursor: datetime | None
    """Up to when, on Xero's own clock, everything has been told; None where nobody knows."""
    full_success_at: datetime | None
    full_attempt_at: datetime | None
    """The last full run that was stopped or failed."""
    is_field_table_changed: bool
    """The supported fields are not those of the last full run."""


def choose_mode(
    past: Past, now: datetime, *, tenant_id: str, full_every_hours: int, full_again_after_hours: int
) -> Mode:
    """Full when it is due, unless one has just failed; incremental where that can be relied on."""
    if past.cursor is None or past.full_success_at is None:
        return "full"
    is_due = past.is_field_table_changed or next_full_at(past.full_success_at, tenant_id, full_every_hours) <= now
    # A time in the future proves nothing: a clock was wrong.
    if not is_due and past.full_success_at <= now:
        return "incremental"
    quiet_until = past.full_attempt_at and past.full_attempt_at + timedelta(hours=full_again_after_hours)
    if past.full_attempt_at and quiet_until and past.full_attempt_at <= now < quiet_until:
        return "incremental"
    return "full"


def next_full_at(full_success_at: datetime, tenant_id: str, full_every_hours: int) -> datetime:
    """When everything is fetched again after a full run.

    Each practice has an hour of its own, by a hash of its tenant id: a thousand firms do not call at midnight.
    """
    period = timedelta(hours=full_every_hours)
    digest = hashlib.sha256(tenant_id.encode()).digest()
    own_hour = EPOCH + period * (int.from_bytes(digest[:8]) / 2**64)
    return own_hour + ((full_success_at - own_hour) // period + 1) * period


def hourly_minute(home_id: str) -> int:
    """The minute of the hourly sync, from 1 to 59: by a hash of the home's ID, so that it stays and firms are spread.

    Full hours are when everybody else calls Xero.
    """
    return 1 + int.from_bytes(hashlib.sha256(home_id.encode()).digest()[:8]) % 59


def find_modified_since(cursor: datetime) -> datetime:
    """From when on clients are asked for."""
    return cursor - OVERLAP
