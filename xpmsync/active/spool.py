"""Where Xero's answers wait until all of them are there: a private SQLite file that is thrown away with the run.

Meanwhile `active.db` is not locked, and a run that fails has touched nothing.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from xpmsync.errors import DatabaseTrouble
from xpmsync.home import PRIVATE_FILE_MODE
from xpmsync.records import Record, RecordShape


def read_identity(expression: str) -> str:
    """An identifier as the mirror keeps it, so that two can be compared: XPM may write it in either case."""
    return f"nullif(lower(trim({expression}, ' ' || char(9, 10, 13))), '')"


class Spool:
    """An open spool: one table for each kind of record, with the shape's columns, and the record's `identity`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, shapes: Mapping[str, RecordShape]) -> None:
        self.path = path
        self._connection = connection
        self._shapes = shapes

    def taker(self, table: str) -> Callable[[Iterator[Record]], None]:
        """Whoever fetches hands the records to this; a second attempt starts over, so two answers never mix."""
        statement = self._insertion(table)

        def take(records: Iterator[Record]) -> None:
            try:
                with self._connection:
                    self._connection.execute(f"DELETE FROM {table}")
                    self._connection.executemany(statement, records)
            except sqlite3.Error as error:
                raise _explain(self.path, error) from error

        return take

    def add(self, table: str, record: Record) -> None:
        """Add one record that was asked for by its identifier."""
        with self._connection:
            self._connection.execute(self._insertion(table), record)

    def _insertion(self, table: str) -> str:
        columns = self._shapes[table].columns
        places = ", ".join("?" for _ in columns)
        identity = read_identity(f"?{columns.index('uuid') + 1}")
        return f"INSERT INTO {table} VALUES ({places}, {identity})"


@contextmanager
def open_spool(path: Path, shapes: Mapping[str, RecordShape]) -> Iterator[Spool]:
    """A fresh spool for the length of a ``with`` block; what a killed run left behind is thrown away first."""
    try:
        try:
            connection = _create(path, shapes)
        except (sqlite3.Error, OSError) as error:
            raise _explain(path, error) from error
        with closing(connection):
            yield Spool(path, connection, shapes)
    finally:
        path.unlink(missing_ok=True)


def _create(path: Path, shapes: Mapping[str, RecordShape]) -> sqlite3.Connection:
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE_MODE))
    connection = sqlite3.connect(path)
    # Nothing in it outlives the run: the journal, which takes back an answer that was cut, is in memory.
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    for table, shape in shapes.items():
        columns = ", ".join(f'"{column}" TEXT' for column in shape.columns)
        connection.execute(f"CREATE TABLE {table} ({columns}, identity TEXT)")
        connection.execute(f"CREATE INDEX {table}_identity ON {table} (identity)")
    return connection


def _explain(path: Path, error: Exception) -> DatabaseTrouble:
    return DatabaseTrouble(
        f"Xero's answers cannot be collected in {path}: {error}.",
        f"Make room on the disk that holds {path.parent}, and give its owner the right to write there.",
    )
