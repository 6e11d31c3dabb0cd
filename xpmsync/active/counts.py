"""How many records Active holds, for whoever looks at the whole and at none of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from xpmsync.active.database import Database
from xpmsync.active.mirror import is_flagged

COUNTED: Final = ("users", "clients")


def count_by_status(database: Database, table: str) -> dict[str, int]:
    """Status to the number of users or clients that have it; the statuses that none has are left out."""
    assert table in COUNTED  # noqa: S101 - the name of a table is no parameter
    rows: Iterable[tuple[str, int]] = database.connection.execute(
        f"SELECT status, count(*) FROM {table} GROUP BY status ORDER BY status"
    )
    return dict(rows)


@dataclass(frozen=True)
class XpmClients:
    """How many clients XPM has: those in Active, and why the others are not."""

    in_active: int = 0
    with_error: int = 0
    """Kept out of Active by an error."""
    archived: int = 0
    """In XPM, and not in Active: archived and deleted clients are not copied."""
    deleted: int = 0

    def __str__(self) -> str:
        """The numbers in a sentence; they add up to the first."""
        numbers = vars(self)
        total = sum(numbers.values())
        words = {
            "in_active": "in Active",
            "with_error": "with an error" if self.with_error == 1 else "with errors",
            "archived": "archived",
            "deleted": "deleted",
        }
        parts = [f"{numbers[name]:,} {text}" for name, text in words.items() if numbers[name]]
        return f"{total:,} {'client' if total == 1 else 'clients'}{': ' if parts else ''}{', '.join(parts)}"


def count_xpm_clients(database: Database) -> XpmClients:
    """How many clients XPM has, as it last said."""
    rows: Iterable[tuple[str, int]] = database.connection.execute(
        "SELECT CASE WHEN clients.id IS NOT NULL THEN 'in_active' "
        f"WHEN {is_flagged('xpm_clients', 'is_deleted')} THEN 'deleted' "
        f"WHEN {is_flagged('xpm_clients', 'is_archived')} THEN 'archived' ELSE 'with_error' END AS fate, count(*) "
        "FROM xpm_clients LEFT JOIN clients ON xpm_client_uuid = uuid WHERE vanished_at IS NULL GROUP BY fate"
    )
    return XpmClients(**dict(rows))
