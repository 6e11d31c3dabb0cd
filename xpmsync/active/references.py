"""Finds what another program has damaged: references that lead to a row that is gone, and what cannot be read.

SQLite checks foreign keys for those alone who ask for it, and other programs may not. Decides nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from xpmsync.active.database import Database

MEANINGLESS_WITHOUT: Final = ("user_modules", "client_group_members", "former_staff", "stopped_changes")
"""The tables whose rows say nothing any more once what they lead to is gone."""
COUNTED_AS_NONE: Final = ("offices", "users", "clients")
"""The tables whose references to what is gone count as not set; in the others they do no harm."""
NAMES: Final = {"offices": "code", "users": "email", "clients": "legal_name || coalesce(' (' || code || ')', '')"}
"""What people call a row; those of the other tables have no name."""
TIME: Final = "_at"
"""How the names of columns end that hold times."""
UNKNOWN_TIME: Final = "1970-01-01T00:00:00Z"
"""What stands in the place of a time that cannot be read."""


@dataclass(frozen=True, slots=True)
class Dangling:
    """All rows of one table that lead, by one column, to the same row that is gone."""

    table: str
    column: str
    key: str
    """What the missing row was known by: the id of a user, the code of an office, the number of a sync."""
    names: tuple[str, ...]
    """Of the rows of offices, users and clients."""
    count: int


def find_dangling(database: Database, tables: Collection[str] | None = None) -> list[Dangling]:
    """The references that lead to a row that is gone: those of all tables, or of some."""
    found = []
    for table, column, condition in _list_references(database, tables):
        rows: dict[str, list[str]] = {}
        for key, name in database.connection.execute(
            f"SELECT {column}, {NAMES.get(table, 'NULL')} FROM {table} WHERE {condition} ORDER BY 1, 2"
        ):
            rows.setdefault(str(key), []).append(name)
        found += [Dangling(table, column, key, tuple(filter(None, names)), len(names)) for key, names in rows.items()]
    return found


def remove_meaningless(database: Database) -> list[Dangling]:
    """Remove the rows that say nothing any more, because what they lead to is gone; gives those."""
    if found := find_dangling(database, MEANINGLESS_WITHOUT):
        for table, _, condition in _list_references(database, MEANINGLESS_WITHOUT):
            database.connection.execute(f"DELETE FROM {table} WHERE {condition}")
    return found


def find_unreadable(database: Database) -> list[tuple[str, str, int]]:
    """Where a text stands that is no time, or not what a sync has kept: table, column, and in how many rows."""
    found = []
    for table, column, condition in _list_readable(database):
        (count,) = database.connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
        if count:
            found.append((table, column, count))
    return found


def repair_unreadable(database: Database) -> None:
    """Put a time that is plainly none of ours in the place of each that is none, and remove all else."""
    for table, column, condition in _list_readable(database):
        if column.endswith(TIME):
            database.connection.execute(f"UPDATE {table} SET {column} = ? WHERE {condition}", (UNKNOWN_TIME,))
        else:
            database.connection.execute(f"DELETE FROM {table} WHERE {condition}")


def _list_references(database: Database, tables: Collection[str] | None) -> Iterator[tuple[str, str, str]]:
    """Table, column, and the SQL condition that the row it leads to is gone."""
    for table in _list_tables(database) if tables is None else tables:
        for row in database.connection.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            column, parent, key = row["from"], row["table"], row["to"]
            yield table, column, f"{column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {parent})"


def _list_readable(database: Database) -> Iterator[tuple[str, str, str]]:
    """Table, column, and the SQL condition that what stands there cannot be read."""
    for table in _list_tables(database):
        for row in database.connection.execute(f"PRAGMA table_info({table})").fetchall():
            if (column := row["name"]).endswith(TIME):
                is_time = f"strftime('%Y-%m-%dT%H:%M:%SZ', {column}, '+0 days') IS {column}"
                yield table, column, f"{column} IS NOT NULL AND NOT {is_time}"
    yield "synced_values", "written", "CASE WHEN json_valid(written) THEN json_type(written) END IS NOT 'object'"


def _list_tables(database: Database) -> list[str]:
    rows = database.connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [row["name"] for row in rows]
