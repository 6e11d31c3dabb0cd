"""Field by field: what a sync changes in a record of Active, and what it leaves alone.

XPM owns the supported fields. Where it clears a field, Active's value goes if it is what XPM last sent, whoever typed
it. What is typed while XPM has none stays until XPM sends one.
"""

from collections.abc import Mapping


def compare(current: Mapping[str, object], told: Mapping[str, object], sent: Mapping[str, object]) -> dict[str, object]:
    """The values that change in `current` when XPM tells `told`; `sent` holds what it sent the last time."""
    return {
        column: value
        for column, value in told.items()
        if current[column] != value and (value is not None or sent.get(column) == current[column])
    }


def compare_groups(current: frozenset[str], told: frozenset[str], sent: frozenset[str]) -> frozenset[str]:
    """The groups a client is in after the sync: those that XPM tells, and those that it did not send the last time."""
    return told | (current - sent)
