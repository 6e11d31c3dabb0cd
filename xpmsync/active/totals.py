"""How many records Active holds, for whoever looks at the whole and at none of them."""

from collections.abc import Iterable
from typing import Final

from xpmsync.active.database import Database

COUNTED: Final = ("users", "clients")


def count_by_status(database: Database, table: str) -> dict[str, int]:
    """Status to the number of users or clients that have it; the statuses that none has are left out."""
    assert table in COUNTED  # noqa: S101 - the name of a table is no parameter
    rows: Iterable[tuple[str, int]] = database.connection.execute(
        f"SELECT status, count(*) FROM {table} GROUP BY status ORDER BY status"
    )
    return dict(rows)
