"""Opening the database: private to its owner, migrated, with one kind of transaction and one kind of trouble.

Every other module of this package works on a `Database`; what SQLite complains of leaves here as DatabaseTrouble.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlite_utils

from xpmsync.active.migrations import MIGRATIONS
from xpmsync.errors import DatabaseTrouble

BUSY_TIMEOUT_SECONDS = 30
PRIVATE_FILE_MODE = 0o600
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Database:
    """An open `active.db`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.tables = sqlite_utils.Database(connection, execute_plugins=False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; waits for another writer before it begins, not in the middle."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise


@contextmanager
def open_database(path: Path) -> Iterator[Database]:
    """Open the database for the length of a ``with`` block; made where it is missing, with mode 0600, and migrated.

    Raises DatabaseTrouble for whatever SQLite complains of, here and within the block.
    """
    _create_privately(path)
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.create_function("fold", 1, _fold, deterministic=True)
            database = Database(connection)
            _migrate(database)
            yield database
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DatabaseTrouble(
            f"The database {path} cannot be used: {error}.",
            _remedy(error, path),
            details=f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}",
        ) from error


def _create_privately(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE_MODE))
    except OSError as error:
        raise DatabaseTrouble(
            f"The database {path} cannot be opened: {error.strerror}.",
            f"Give its owner the right to write to {path.parent} and to the file, and see that the disk has room.",
        ) from error


def _fold(text: str | None) -> str | None:
    return text.strip().casefold() if text is not None else None


def _migrate(database: Database) -> None:
    if MIGRATIONS.pending(database.tables):
        # Two commands may find the same step pending: the second waits here, and then finds nothing to do.
        with database.transaction():
            MIGRATIONS.apply(database.tables)


def _remedy(error: sqlite3.Error, path: Path) -> str:
    match getattr(error, "sqlite_errorname", ""):
        case "SQLITE_FULL":
            return f"Make room on the disk that holds {path.parent}; the next run goes on by itself."
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another program is writing to it: close that program; the next run goes on by itself."
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB":
            return "Put the file aside and restore it from your last backup; then run: xpmsync sync --full"
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM":
            return f"Give its owner the right to write to {path.parent} and to the file."
    return "Try again; if it stays, send the log to the person who looks after this computer."


def to_text(moment: datetime) -> str:
    """A time as the database keeps it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def from_text(text: str) -> datetime:
    """A time of the database as an aware datetime."""
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
