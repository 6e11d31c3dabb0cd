"""Where Xero's answers wait until all of them are there: a private SQLite file that is thrown away with the run.

Meanwhile `active.db` is not locked, and a run that fails has touched nothing.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from xpmsync.active.database import PRIVATE_FILE_MODE
from xpmsync.errors import DatabaseTrouble
from xpmsync.records import Record, RecordShape


class Spool:
    """An open spool: one table for each kind of record, with the shape's columns."""

    def __init__(self, path: Path, connection: sqlite3.Connection, shapes: Mapping[str, RecordShape]) -> None:
        self.path = path
        self._connection = connection
        self._shapes = shapes
        for table, shape in shapes.items():
            columns = ", ".join(f'"{column}" TEXT' for column in shape.columns)
            connection.execute(f"CREATE TABLE {table} ({columns})")

    def taker(self, table: str) -> Callable[[Iterator[Record]], None]:
        """Whoever fetches hands the records to this; a second attempt starts over, so two answers never mix."""
        places = ", ".join("?" for _ in self._shapes[table].columns)

        def take(records: Iterator[Record]) -> None:
            with self._connection:
                self._connection.execute(f"DELETE FROM {table}")
                self._connection.executemany(f"INSERT INTO {table} VALUES ({places})", records)

        return take


@contextmanager
def open_spool(path: Path, shapes: Mapping[str, RecordShape]) -> Iterator[Spool]:
    """A fresh spool for the length of a ``with`` block; what a killed run left behind is thrown away first."""
    _discard(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE_MODE))
        connection = sqlite3.connect(path)
        try:
            # Nothing in it outlives the run: no journal, no waiting for the disk.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            yield Spool(path, connection, shapes)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DatabaseTrouble(
            f"Xero's answers cannot be collected in {path}: {error}.",
            f"Make room on the disk that holds {path.parent}.",
        ) from error
    finally:
        _discard(path)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
