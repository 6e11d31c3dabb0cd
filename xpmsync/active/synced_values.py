"""What XPM last sent of each user and client, as Active's values: where XPM clears one of them, it goes from Active.

A partner who was chosen by hand is kept here as None: the client keeps them while XPM names none.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from xpmsync.active.database import Database

CHOSEN: Final[Mapping[str, None]] = {"partner_id": None}
"""What is kept of a client whose partner was chosen by hand."""

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def load_written(database: Database, record_id: str) -> dict[str, Any]:
    """What XPM last sent of a record: column to value, and `groups` to a list of group ids."""
    return load_all_written(database, [record_id]).get(record_id, {})


def load_all_written(database: Database, record_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What XPM last sent of several records; those of which it never sent anything are left out."""
    rows = database.connection.execute(
        "SELECT record_id, written FROM synced_values WHERE record_id IN (SELECT value FROM json_each(?))",
        (json.dumps(record_ids),),
    )
    return {row["record_id"]: _read(row["written"]) for row in rows}


def is_partner_chosen(written: Mapping[str, object]) -> bool:
    """Whether a client's partner was chosen by hand."""
    return CHOSEN.items() <= written.items()


def drop_empty(written: Mapping[str, object]) -> dict[str, object]:
    """What is kept of what XPM sent: what is empty was not sent."""
    return {column: value for column, value in written.items() if value or column in CHOSEN}


def save_written(database: Database, written: Mapping[str, Mapping[str, object]]) -> None:
    """Remember what XPM has sent of each record."""
    database.connection.executemany(
        "INSERT INTO synced_values (record_id, written) VALUES (?, ?) "
        "ON CONFLICT (record_id) DO UPDATE SET written = excluded.written WHERE written IS NOT excluded.written",
        [(record_id, _to_json(drop_empty(values))) for record_id, values in written.items()],
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
    """Remember one user in place of another, wherever XPM sent the other as a client's partner or manager."""
    for path in ("$.partner_id", "$.manager_id"):
        database.connection.execute(
            "UPDATE synced_values SET written = json_set(written, :path, :new) "
            "WHERE CASE WHEN json_valid(written) THEN json_extract(written, :path) END = :old",
            {"path": path, "new": new_id, "old": user_id},
        )
