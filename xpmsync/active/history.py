"""What changed, when, and by whom: appended to, never rewritten."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


def load_last_change_id(database: Database) -> int:
    """The id of the last row of the history; 0 where there is none."""
    return int(database.connection.execute("SELECT coalesce(max(id), 0) FROM changes").fetchone()[0])


def load_readable_changes(database: Database, *, after_id: int) -> list[dict[str, Any]]:
    """The rows of the history after an id, with names instead of identifiers."""
    values = ", ".join(
        f"coalesce((SELECT name FROM names WHERE id = {value} AND field IN ('partner_id', 'manager_id')), {value}) "
        f"AS {value}"
        for value in ("old_value", "new_value")
    )
    rows = database.connection.execute(
        "WITH names AS (SELECT id, trim(first_name || ' ' || coalesce(last_name, '')) AS name FROM users) "
        f"SELECT entity, name, action, field, {values} FROM change_list WHERE id > ? ORDER BY id",
        (after_id,),
    )
    return [dict(row) for row in rows]
