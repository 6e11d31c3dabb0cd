"""What syncs wrote into each user and client: the values that an empty value in XPM may clear again."""

import json
from collections.abc import Mapping
from typing import Any

from xpmsync.active.database import Database


def load_written(database: Database, record_id: str) -> dict[str, Any]:
    """The values that syncs wrote into a record: column to value, and `groups` to a list of group ids."""
    row = database.connection.execute("SELECT written FROM synced_values WHERE record_id = ?", (record_id,)).fetchone()
    return dict(json.loads(row["written"])) if row else {}


def save_written(database: Database, written: Mapping[str, Mapping[str, object]]) -> None:
    """Remember what a sync wrote into each record; what is empty was not written."""
    database.connection.executemany(
        "INSERT INTO synced_values (record_id, written) VALUES (?, ?) "
        "ON CONFLICT (record_id) DO UPDATE SET written = excluded.written WHERE written IS NOT excluded.written",
        [
            (record_id, json.dumps({column: value for column, value in values.items() if value}, ensure_ascii=False))
            for record_id, values in written.items()
        ],
    )
