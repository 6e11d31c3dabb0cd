"""What changed, when, and by whom: appended to, never rewritten."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from xpmsync.active.database import Database, to_text


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One row of the history."""

    entity: str
    entity_id: str
    action: str
    field: str | None = None
    old_value: object = None
    new_value: object = None


def save_changes(
    database: Database, changes: Iterable[ChangeRow], *, run_id: int | None, actor: str, now: datetime
) -> None:
    """Append changes; `run_id` is None for the administrator's."""
    database.connection.executemany(
        "INSERT INTO changes (run_id, actor, changed_at, entity, entity_id, action, field, old_value, new_value) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                run_id,
                actor,
                to_text(now),
                row.entity,
                row.entity_id,
                row.action,
                row.field,
                row.old_value,
                row.new_value,
            )
            for row in changes
        ),
    )
