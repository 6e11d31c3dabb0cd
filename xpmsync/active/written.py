"""What syncs wrote into each user and client: the values that an empty value in XPM may clear again."""

import json
from collections.abc import Mapping
from typing import Any, Final

from xpmsync.active.database import Database

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def load_written(database: Database, record_id: str) -> dict[str, Any]:
    """The values that syncs wrote into a record: column to value, and `groups` to a list of group ids."""
    row = database.connection.execute("SELECT written FROM synced_values WHERE record_id = ?", (record_id,)).fetchone()
    return _read(row["written"]) if row else {}


def save_written(database: Database, written: Mapping[str, Mapping[str, object]]) -> None:
    """Remember what a sync wrote into each record; what is empty was not written."""
    database.connection.executemany(
        "INSERT INTO synced_values (record_id, written) VALUES (?, ?) "
        "ON CONFLICT (record_id) DO UPDATE SET written = excluded.written WHERE written IS NOT excluded.written",
        [
            (record_id, _to_json({column: value for column, value in values.items() if value}))
            for record_id, values in written.items()
        ],
    )


def _read(text: str) -> dict[str, Any]:
    """What `save_written` wrote; nothing where another program has damaged it."""
    try:
        written = json.loads(text)
    except ValueError:
        return {}
    groups = written.get("groups", []) if isinstance(written, dict) else None
    return written if isinstance(groups, list) and all(isinstance(each, str) for each in groups) else {}


def rename_user(database: Database, user_id: str, new_id: str) -> None:
    """Remember one user in place of another, wherever a sync wrote the other as a client's partner or manager."""
    for path in ("$.partner_id", "$.manager_id"):
        database.connection.execute(
            "UPDATE synced_values SET written = json_set(written, :path, :new) "
            "WHERE CASE WHEN json_valid(written) THEN json_extract(written, :path) END = :old",
            {"path": path, "new": new_id, "old": user_id},
        )
