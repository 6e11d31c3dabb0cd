"""The outcome of the last derivation, kept for as long as nothing that it depends on is written.

The tables' own triggers remove it, whichever program writes (see `xpmsync.active.migrations`). Knows nothing of what an
outcome says.
"""

from xpmsync.active.database import Database


def load_outcome(database: Database, origin: str) -> str | None:
    """What a derivation of this origin found in the very data that is there now; None where that is not known."""
    row = database.connection.execute("SELECT outcome FROM standing_outcome WHERE origin = ?", (origin,)).fetchone()
    return row["outcome"] if row else None


def await_outcome(database: Database, origin: str) -> None:
    """Before a derivation: make a place for its outcome, which is gone as soon as the derivation writes anything."""
    database.connection.execute("INSERT OR REPLACE INTO standing_outcome VALUES (1, ?, NULL)", (origin,))


def keep_outcome(database: Database, outcome: str) -> None:
    """After a derivation: keep what it found, if it has written nothing and so would find the same again."""
    database.connection.execute("UPDATE standing_outcome SET outcome = ?", (outcome,))
