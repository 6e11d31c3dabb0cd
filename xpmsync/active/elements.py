"""The elements that XPM does not send: since which sync, and whether somebody has accepted that.

One that is sent without a text is sent.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from xpmsync.active.database import Database


@dataclass(frozen=True)
class NotSent:
    """An element that no record of the last full list had."""

    table: str
    """The mirror's table for that list."""
    element: str
    run_id: int
    """The first sync whose full list came without it."""
    is_accepted: bool


def load_not_sent(database: Database) -> list[NotSent]:
    """The elements that XPM does not send."""
    rows = database.connection.execute("SELECT * FROM elements_not_sent ORDER BY mirror_table, element")
    return [NotSent(row["mirror_table"], row["element"], row["run_id"], bool(row["is_accepted"])) for row in rows]


def save_not_sent(
    database: Database, table: str, *, absent: Iterable[str], accepted: AbstractSet[str], run_id: int
) -> None:
    """Remember the elements that are `absent` from a full list, and which of them are `accepted` from now on."""
    database.connection.executemany(
        "INSERT INTO elements_not_sent (mirror_table, element, run_id, is_accepted) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (mirror_table, element) DO UPDATE SET is_accepted = 1 WHERE excluded.is_accepted > is_accepted",
        [(table, element, run_id, element in accepted) for element in absent],
    )


def forget_sent(database: Database, table: str, elements: Iterable[str]) -> None:
    """Forget elements that XPM has sent."""
    database.connection.executemany(
        "DELETE FROM elements_not_sent WHERE mirror_table = ? AND element = ?",
        [(table, element) for element in elements],
    )
