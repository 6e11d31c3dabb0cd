"""A moment as a text: UTC, in whole seconds, the same in the database, the keyring, the log and in JSON."""

from datetime import UTC, datetime
from typing import Final

FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


def to_text(moment: datetime) -> str:
    """An aware moment as a text, such as 2026-11-02T14:07:00Z."""
    return moment.astimezone(UTC).strftime(FORMAT)


def from_text(text: str) -> datetime:
    """A moment that was written so, aware of its zone."""
    return datetime.fromisoformat(text)
