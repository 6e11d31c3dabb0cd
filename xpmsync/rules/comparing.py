"""Field by field: what a sync changes in a record of Active, and what it leaves alone.

XPM owns the supported fields, but an empty value in XPM clears only what a sync wrote: what somebody typed into Active
stays until XPM has a value of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One field that changes."""

    field: str
    old: object
    new: object


def compare(current: Mapping[str, object], told: Mapping[str, object], written: Mapping[str, object]) -> list[Change]:
    """What changes in `current` when XPM tells `told`; `written` holds the values that syncs wrote earlier."""
    return [
        Change(column, current[column], value)
        for column, value in told.items()
        if current[column] != value and (value is not None or written.get(column) == current[column])
    ]


def compare_groups(current: frozenset[str], told: frozenset[str], written: frozenset[str]) -> frozenset[str]:
    """The groups a client is in after the sync: those that XPM tells, and those that no sync put there."""
    return told | (current - written)
