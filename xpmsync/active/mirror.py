"""The mirror: what XPM says, as it says it, kept from run to run. Judges nothing.

Within one transaction a spool of fetched records is merged into it; rows that are the same are not touched.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from xpmsync.active.database import Database, to_dicts
from xpmsync.active.spool import Spool, read_identity
from xpmsync.records import RecordShape
from xpmsync.system.timestamps import to_text


@contextmanager
def attached(database: Database, spool: Spool) -> Iterator[None]:
    """Make the spool's tables visible beside the database's; begins and ends outside of transactions.

    Beside each, a view with `_as_told` behind its name has all that is told: what is not known, from the spool, and
    the rest from the mirror.
    """
    execute = database.connection.execute
    execute("ATTACH ? AS spool", (str(spool.path),))
    try:
        for table, shape in spool.shapes.items():
            columns = ", ".join(f'"{column}"' for column in shape.columns)
            execute(
                f"CREATE TEMP VIEW {table}_as_told AS SELECT {columns} FROM spool.{table} "
                f"UNION ALL SELECT {columns} FROM main.{table} WHERE uuid IN "
                f"(SELECT uuid FROM spool.{table}_told EXCEPT SELECT uuid FROM spool.{table})"
            )
        yield
    finally:
        for table in spool.shapes:
            execute(f"DROP VIEW IF EXISTS {table}_as_told")
        execute("DETACH spool")


def merge_records(
    database: Database,
    table: str,
    shape: RecordShape,
    *,
    is_full_list: bool,
    now: datetime,
    kept: Collection[str] = (),
    cleared: Collection[str] = (),
) -> None:
    """Merge the spool's records into the mirror's `table`.

    A list (of contacts, of groups) that is absent was not told: what is known stays. In the columns `kept` it stays as
    well, but for a list that is told to be empty; in those `cleared` it goes. A record that is missing from a full list
    has vanished. Records without an identifier cannot be kept; `load_unidentified` names them.
    """
    quoted = [f'"{column}"' for column in shape.columns]
    list_columns = {part.column for part in shape.lists}

    def merge(column: str) -> str:
        known, told = f'{table}."{column}"', f'excluded."{column}"'
        if column in list_columns:
            if column in cleared:
                return f"CASE WHEN {known} IS NULL THEN NULL ELSE '[]' END"
            if column in kept:  # what is told of the items says nothing
                return f"CASE WHEN {told} = '[]' THEN '[]' ELSE coalesce({known}, {told}) END"
            return f"coalesce({told}, {known})"
        return f"coalesce({told}, {known})" if column in kept and column not in cleared else told

    updates = {f'"{column}"': merge(column) for column in shape.columns if column != "uuid"}
    assignments = ", ".join(f"{name} = {value}" for name, value in updates.items())
    differences = " OR ".join(f"{table}.{name} IS NOT {value}" for name, value in updates.items())
    database.connection.execute(
        f"INSERT INTO {table} ({', '.join(quoted)}) SELECT {', '.join(quoted)} FROM spool.{table} "
        "WHERE uuid IS NOT NULL ORDER BY uuid "  # in the mirror's own order, which is faster
        f"ON CONFLICT (uuid) DO UPDATE SET {assignments} WHERE {differences}"
    )
    database.connection.execute(
        f"UPDATE {table} SET vanished_at = NULL WHERE vanished_at IS NOT NULL "
        f"AND uuid IN (SELECT uuid FROM spool.{table}_told)"
    )
    if is_full_list:
        database.connection.execute(
            f"UPDATE {table} SET vanished_at = ? WHERE vanished_at IS NULL "
            f"AND uuid NOT IN (SELECT uuid FROM spool.{table}_told)",
            (to_text(now),),
        )


def mark_vanished(database: Database, uuids: Sequence[str], *, now: datetime) -> None:
    """Mark clients that Xero no longer knows."""
    database.connection.executemany(
        "UPDATE xpm_clients SET vanished_at = ? WHERE uuid = ? AND vanished_at IS NULL",
        [(to_text(now), uuid) for uuid in uuids],
    )


def find_stale_code_holders(database: Database) -> list[str]:
    """The clients that seem to hold the code of a client in the spool, but are not in it themselves.

    They seem alive; or they are archived or deleted, and a client that Active does not know yet may get their
    record. XPM may not list those among the modified ones when they are given another code.
    """
    linked = "SELECT xpm_client_uuid FROM main.clients WHERE xpm_client_uuid IS NOT NULL"
    rows = database.connection.execute(
        f"WITH codes AS MATERIALIZED (SELECT fold(client_code) AS code, uuid NOT IN ({linked}) AS is_new "
        f"FROM xpm_clients_as_told AS told WHERE uuid IS NOT NULL AND {is_open('told')} AND code <> '') "
        "SELECT uuid FROM main.xpm_clients AS mirror WHERE EXISTS (SELECT 1 FROM codes) "
        "AND vanished_at IS NULL AND uuid NOT IN (SELECT uuid FROM spool.xpm_clients_told) "
        f"AND CASE WHEN {is_open('mirror')} THEN fold(client_code) IN (SELECT code FROM codes) "
        f"ELSE uuid IN ({linked}) AND fold(client_code) IN (SELECT code FROM codes WHERE is_new) END ORDER BY uuid"
    )
    return [row["uuid"] for row in rows]


def read_text(expression: str) -> str:
    """The SQL of a text without the white space around it; one that is not set is empty."""
    return f"trim(coalesce({expression}, ''), ' ' || char(9, 10, 11, 12, 13, 133, 160))"


def is_open(table: str) -> str:
    """The SQL condition that a mirrored client is neither archived nor deleted."""
    return f"NOT ({' OR '.join(is_flagged(table, flag) for flag in ('is_archived', 'is_deleted'))})"


def is_flagged(table: str, flag: str) -> str:
    """The SQL condition that XPM says Yes to a flag of a mirrored client."""
    return f"lower(trim(coalesce({table}.{flag}, ''))) IN ('yes', 'true')"


def merge_groups(database: Database) -> None:
    """Merge the names of groups: the group list has the last word over what the clients bring."""
    brought = read_identity("json_extract(value, '$.uuid')")
    database.connection.execute(
        "INSERT INTO xpm_groups (uuid, name) "
        "SELECT uuid, coalesce(max(listed), max(brought)) FROM ("
        "  SELECT uuid, name AS listed, NULL AS brought FROM xpm_groups_as_told "
        f"  UNION ALL SELECT {brought}, NULL, json_extract(value, '$.name') "
        "  FROM xpm_clients_as_told, json_each(groups) WHERE groups <> '[]'"
        ") WHERE uuid IS NOT NULL GROUP BY uuid "
        "ON CONFLICT (uuid) DO UPDATE SET name = excluded.name WHERE name IS NOT excluded.name"
    )


def load_unidentified(database: Database, table: str) -> list[str | None]:
    """The names of the spool's records that came without an identifier, in the order in which they came."""
    rows = database.connection.execute(f"SELECT name FROM spool.{table} WHERE uuid IS NULL ORDER BY rowid")
    return [row["name"] for row in rows]


def is_unidentified(database: Database, table: str) -> bool:
    """Whether the spool's list has records, and none of them an identifier."""
    row = database.connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM spool.{table} WHERE uuid IS NULL) "
        f"AND NOT EXISTS (SELECT 1 FROM spool.{table}_told)"
    ).fetchone()
    return bool(row[0])


def count_seen(database: Database, table: str) -> int:
    """How many records the spool's list has."""
    return int(database.connection.execute(f"SELECT count(*) FROM spool.{table}_told").fetchone()[0])


def has_values(database: Database, table: str, shape: RecordShape, element: str) -> bool:
    """Whether a listed record has something of this element."""
    if part := shape.find_part(element):
        text = f"json_extract(value, '$.{part.values[element.rpartition('/')[2]]}')"
        has_something = f"EXISTS (SELECT 1 FROM json_each(\"{part.column}\") WHERE {read_text(text)} <> '')"
    else:
        # That it is set at all is asked first: it is quickly asked, and is true of few.
        has_something = " OR ".join(
            f"{column} IS NOT NULL AND {read_text(column)} NOT IN ('', '[]')" for column in shape.elements[element]
        )
    statement = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE vanished_at IS NULL AND ({has_something}))"
    return bool(database.connection.execute(statement).fetchone()[0])


def load_told_staff(database: Database) -> list[sqlite3.Row]:
    """The staff in the attached spool's list."""
    return database.connection.execute(
        "SELECT * FROM xpm_staff_as_told WHERE uuid IS NOT NULL ORDER BY uuid"
    ).fetchall()


def load_listed_staff(database: Database) -> list[sqlite3.Row]:
    """The staff that XPM lists now."""
    return database.connection.execute("SELECT * FROM xpm_staff WHERE vanished_at IS NULL ORDER BY uuid").fetchall()


def load_listed_uuids(database: Database) -> frozenset[str]:
    """The identifiers of the staff that XPM lists now."""
    return frozenset(row["uuid"] for row in load_listed_staff(database))


def find_staff(database: Database, staff_uuid: str) -> sqlite3.Row | None:
    """The name of a staff member whom XPM lists, once listed, or names for a client."""
    row: sqlite3.Row | None = database.connection.execute(
        "SELECT name FROM ("
        "  SELECT uuid, name, 1 AS place FROM xpm_staff"
        "  UNION ALL SELECT account_manager_uuid, account_manager_name, 2 FROM xpm_clients"
        "  UNION ALL SELECT job_manager_uuid, job_manager_name, 3 FROM xpm_clients"
        ") WHERE uuid = ? ORDER BY place LIMIT 1",
        (staff_uuid,),
    ).fetchone()
    return row


def load_unlinked_clients(database: Database) -> list[sqlite3.Row]:
    """The mirrored clients that no client of Active is linked to, the vanished too."""
    return database.connection.execute(
        "SELECT uuid, name, first_name, last_name, client_code, email, business_number, is_archived, is_deleted, "
        "vanished_at FROM xpm_clients WHERE NOT EXISTS (SELECT 1 FROM clients WHERE xpm_client_uuid = uuid)"
    ).fetchall()


def find_entries(database: Database, uuids: Sequence[str]) -> list[sqlite3.Row]:
    """What the mirror holds of staff and clients with these identifiers: uuid, vanished_at."""
    return database.connection.execute(
        "SELECT uuid, vanished_at FROM (SELECT uuid, vanished_at FROM xpm_staff "
        "UNION ALL SELECT uuid, vanished_at FROM xpm_clients) WHERE uuid IN (SELECT value FROM json_each(?))",
        (json.dumps(uuids),),
    ).fetchall()


def delete_entries(database: Database, uuids: Sequence[str]) -> None:
    """Forget staff and clients with these identifiers; what XPM sends of them again is new."""
    for table in ("xpm_staff", "xpm_clients"):
        database.connection.executemany(f"DELETE FROM {table} WHERE uuid = ?", [(uuid,) for uuid in uuids])


def load_group_names(database: Database) -> dict[str, str | None]:
    """Every group that XPM ever named."""
    return dict(database.connection.execute("SELECT uuid, name FROM xpm_groups").fetchall())


def iterate_clients(database: Database, columns: Sequence[str]) -> Iterator[sqlite3.Row]:
    """Every client of the mirror, the vanished too, with `columns` alone; nothing may be written meanwhile."""
    return database.connection.execute(f"SELECT {', '.join(columns)} FROM xpm_clients ORDER BY uuid")


def iterate_batches(database: Database, size: int) -> Iterator[list[str]]:
    """The identifiers of every client of the mirror, the vanished too, so many at a time."""
    statement = "SELECT uuid FROM xpm_clients WHERE uuid > ? ORDER BY uuid LIMIT ?"
    last = ""
    while rows := database.connection.execute(statement, (last, size)).fetchall():
        yield [row["uuid"] for row in rows]
        last = rows[-1]["uuid"]


def load_clients(database: Database, uuids: Sequence[str], columns: Sequence[str] = ("*",)) -> list[dict[str, Any]]:
    """The mirrored clients with these identifiers."""
    rows = database.connection.execute(
        f"SELECT {', '.join(columns)} FROM xpm_clients WHERE uuid IN (SELECT value FROM json_each(?)) ORDER BY uuid",
        (json.dumps(uuids),),
    )
    return to_dicts(rows)


def is_first_list_empty(database: Database, table: str) -> bool:
    """Whether the spool's list is empty, and the mirror has never held anything of its kind."""
    row = database.connection.execute(
        f"SELECT NOT EXISTS (SELECT 1 FROM spool.{table}) AND NOT EXISTS (SELECT 1 FROM main.{table})"
    ).fetchone()
    return bool(row[0])
