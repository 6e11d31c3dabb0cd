"""Field by field: what a sync changes in a record of Active, and what it leaves alone.

XPM owns the supported fields, but an empty value in XPM clears only what a sync wrote: what somebody typed into Active
stays until XPM has a value of its own.
"""

from collections.abc import Mapping


def compare(
    current: Mapping[str, object], told: Mapping[str, object], written: Mapping[str, object]
) -> dict[str, object]:
    """The values that change in `current` when XPM tells `told`; `written` holds what syncs wrote earlier."""
    return {
        column: value
        for column, value in told.items()
        if current[column] != value and (value is not None or written.get(column) == current[column])
    }


def compare_groups(current: frozenset[str], told: frozenset[str], written: frozenset[str]) -> frozenset[str]:
    """The groups a client is in after the sync: those that XPM tells, and those that no sync put there."""
    return told | (current - written)
