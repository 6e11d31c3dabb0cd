"""Where Xero's answers wait until all of them are there: a private SQLite file that is thrown away with the run.

Most of what is told is known: of that, the identifier alone is kept. Meanwhile `active.db` is read, and others may
write to it; a run that fails has touched nothing.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from xpmsync.active.database import BUSY_TIMEOUT_SECONDS, Database, explain_trouble, explained
from xpmsync.errors import DatabaseError
from xpmsync.records import Record, RecordShape
from xpmsync.system.private_files import open_private

NOT_OF_THE_SPOOL: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_BUSY", "SQLITE_LOCKED")
"""What SQLite complains of only where the database is meant: the spool is new, and nobody else's."""


def read_identity(expression: str) -> str:
    """An identifier as the mirror keeps it, so that two can be compared: XPM may write it in either case."""
    return f"nullif(lower(trim({expression}, ' ' || char(9, 10, 13))), '')"


class Spool:
    """An open spool, with two tables for each kind of record.

    One has the kind's name and the shape's columns, and holds what is told and not known; the other has `_told` behind
    its name, and holds the identifiers of all that are told.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, shapes: Mapping[str, RecordShape], database: Database
    ) -> None:
        self.path = path
        self.shapes = shapes
        """By table."""
        self._connection = connection
        self._database = database

    def sink(self, table: str) -> Callable[[Iterator[Record]], None]:
        """Whoever fetches hands the records to this; a second attempt starts over, so two answers never mix."""

        def take(records: Iterator[Record]) -> None:
            with self._explained(), self._connection:
                self._connection.execute(f"DELETE FROM {table}")
                self._connection.execute(f"DELETE FROM {table}_told")
                self._insert(table, records)

        return take

    def add(self, table: str, record: Record) -> None:
        """Add one record that was asked for by its identifier."""
        with self._explained(), self._connection:
            self._insert(table, iter([record]))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _explain(self.path, error, self._database) from error

    def _insert(self, table: str, records: Iterator[Record]) -> None:
        columns = self.shapes[table].columns
        place_of_uuid = columns.index("uuid")
        values = {
            column: read_identity(f"?{place}") if column.endswith("uuid") else f"?{place}"
            for place, column in enumerate(columns, start=1)
        }
        is_same = " AND ".join(f'"{column}" IS {value}' for column, value in values.items() if column != "uuid")
        uuid = values["uuid"]

        def noted() -> Iterator[Record]:
            """Each record, once its identifier is noted."""
            for record in records:
                self._connection.execute(
                    f"INSERT OR IGNORE INTO {table}_told VALUES ({read_identity('?')})", (record[place_of_uuid],)
                )
                yield record

        self._connection.executemany(
            f"INSERT OR REPLACE INTO {table} SELECT {', '.join(values.values())} "
            f"WHERE NOT EXISTS (SELECT 1 FROM known.{table} WHERE uuid = {uuid} AND {is_same}) "
            # Of a record that is told twice in one answer, the last word counts.
            f"OR EXISTS (SELECT 1 FROM main.{table} WHERE uuid = {uuid})",
            noted(),
        )


@contextmanager
def open_spool(path: Path, shapes: Mapping[str, RecordShape], database: Database) -> Iterator[Spool]:
    """A fresh spool for the length of a ``with`` block; what a killed run left behind is thrown away first.

    What is known is what the tables of the same names in `database` hold.
    """
    try:
        with _created(path, shapes, database) as connection:
            yield Spool(path, connection, shapes, database)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _created(path: Path, shapes: Mapping[str, RecordShape], database: Database) -> Iterator[sqlite3.Connection]:
    try:
        path.unlink(missing_ok=True)
        os.close(open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        opened = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, uri=True)  # the database is attached by its URI
    except (sqlite3.Error, OSError) as error:
        raise _explain(path, error, database) from error
    with closing(opened) as connection:
        try:
            _make_tables(connection, shapes)
        except sqlite3.Error as error:
            raise _explain(path, error, database) from error
        with explained(database.path):
            connection.execute("ATTACH ? AS known", (f"{database.path.absolute().as_uri()}?mode=ro",))
        yield connection


def _make_tables(connection: sqlite3.Connection, shapes: Mapping[str, RecordShape]) -> None:
    # Nothing in it outlives the run: the journal, which takes back an answer that was cut, is in memory.
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    for table, shape in shapes.items():
        columns = ", ".join(f'"{column}" TEXT' for column in shape.columns)
        connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute(f"CREATE UNIQUE INDEX {table}_by_uuid ON {table} (uuid)")
        connection.execute(f"CREATE TABLE {table}_told (uuid TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID")


def _explain(path: Path, error: sqlite3.Error | OSError, database: Database) -> DatabaseError:
    if getattr(error, "sqlite_errorname", "").startswith(NOT_OF_THE_SPOOL) and isinstance(error, sqlite3.Error):
        return explain_trouble(database.path, error)
    return DatabaseError(
        f"Xero's answers cannot be collected in {path}: {error}.",
        f"Make room on the disk that holds {path.parent}, and give its owner the right to write there.",
    )
