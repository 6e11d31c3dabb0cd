"""A moment as a text: UTC, in whole seconds, the same in the database, the keyring, the log and in JSON."""

from datetime import UTC, datetime
from typing import Final

FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Beyond these, a clock on the wall cannot show every moment."""


def to_text(moment: datetime) -> str:
    """An aware moment as a text, such as 2026-11-02T14:07:00Z."""
    return moment.astimezone(UTC).strftime(FORMAT)


def from_stored(text: str | None) -> datetime:
    """A moment as the database holds it; 1970 for one that another program has damaged, or that is missing."""
    try:
        moment = from_text(text or "")
    except ValueError:
        return EARLIEST
    return moment if moment.tzinfo and EARLIEST <= moment <= LATEST else EARLIEST


def from_text(text: str) -> datetime:
    """A moment that was written so, aware of its zone."""
    return datetime.fromisoformat(text)
