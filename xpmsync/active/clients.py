"""Active's clients, their groups, and what syncs wrote into them. Written as told; the rules decide."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from xpmsync.active.database import Database


def load_outlines(database: Database) -> list[sqlite3.Row]:
    """Every client, as far as matching needs it."""
    return database.connection.execute(
        "SELECT id, legal_name, code, abn, office_code, xpm_client_uuid FROM clients ORDER BY id"
    ).fetchall()


def load_clients(database: Database, client_ids: Sequence[str]) -> dict[str, sqlite3.Row]:
    """The clients with these ids, whole."""
    rows = database.connection.execute(
        "SELECT * FROM clients WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(client_ids),)
    )
    return {row["id"]: row for row in rows}


def load_memberships(database: Database, client_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Client to the ids of its groups; clients without a group are left out."""
    memberships = defaultdict(set)
    for client_id, group_id in database.connection.execute(
        "SELECT client_id, client_group_id FROM client_group_members "
        "WHERE client_id IN (SELECT value FROM json_each(?))",
        (json.dumps(client_ids),),
    ):
        memberships[client_id].add(group_id)
    return {client_id: frozenset(groups) for client_id, groups in memberships.items()}


def load_written(database: Database, record_id: str) -> dict[str, object]:
    """The values that syncs wrote into a user or client: column to value, and `groups` to a list of group ids."""
    row = database.connection.execute("SELECT written FROM synced_values WHERE record_id = ?", (record_id,)).fetchone()
    return dict(json.loads(row["written"])) if row else {}


def save_written(database: Database, values: Iterable[tuple[str, Mapping[str, object]]]) -> None:
    """Remember what a sync wrote into each record."""
    database.connection.executemany(
        "INSERT INTO synced_values (record_id, written) VALUES (?, ?) "
        "ON CONFLICT (record_id) DO UPDATE SET written = excluded.written WHERE written IS NOT excluded.written",
        [
            (record_id, json.dumps({field: value for field, value in written.items() if value}, ensure_ascii=False))
            for record_id, written in values
        ],
    )


def insert_clients(database: Database, rows: Sequence[Mapping[str, object]]) -> None:
    """Add clients; all rows have the same columns."""
    if rows:
        columns = list(rows[0])
        database.connection.executemany(
            f"INSERT INTO clients ({', '.join(columns)}, code_key) "  # noqa: S608 - columns of ours
            f"VALUES ({', '.join(f':{column}' for column in columns)}, fold(:code))",
            rows,
        )


def update_client(database: Database, client_id: str, values: Mapping[str, object]) -> None:
    """Change some of a client's columns."""
    assignments = ", ".join(f"{column} = ?" for column in values)
    database.connection.execute(
        f"UPDATE clients SET {assignments} WHERE id = ?",  # noqa: S608 - columns of ours
        (*values.values(), client_id),
    )
    if "code" in values:
        database.connection.execute("UPDATE clients SET code_key = fold(code) WHERE id = ?", (client_id,))


def release_codes(database: Database, client_ids: Sequence[str]) -> None:
    """Let go of the codes of clients that are given others at once, so that two can swap theirs."""
    database.connection.executemany(
        "UPDATE clients SET code = NULL, code_key = NULL WHERE id = ?", [(client_id,) for client_id in client_ids]
    )


def load_groups(database: Database) -> list[sqlite3.Row]:
    """Every client group: id, name, xpm_group_uuid."""
    return database.connection.execute("SELECT id, name, xpm_group_uuid FROM client_groups").fetchall()


def insert_group(database: Database, group_id: str, name: str, xpm_group_uuid: str) -> None:
    """Add a client group."""
    database.connection.execute("INSERT INTO client_groups VALUES (?, ?, ?)", (group_id, name, xpm_group_uuid))


def rename_group(database: Database, group_id: str, name: str) -> None:
    """Give a client group another name."""
    database.connection.execute("UPDATE client_groups SET name = ? WHERE id = ?", (name, group_id))


def change_memberships(
    database: Database, added: Iterable[tuple[str, str]], removed: Iterable[tuple[str, str]] = ()
) -> None:
    """Add and remove memberships: pairs of client id and group id."""
    database.connection.executemany("INSERT INTO client_group_members VALUES (?, ?)", added)
    database.connection.executemany(
        "DELETE FROM client_group_members WHERE client_id = ? AND client_group_id = ?", removed
    )


def repair_keys(database: Database) -> None:
    """Bring the keys of e-mail addresses and codes up to date, where another program changed the text alone."""
    database.connection.execute("UPDATE clients SET code_key = fold(code) WHERE code_key IS NOT fold(code)")
    database.connection.execute("UPDATE users SET email_key = fold(email) WHERE email_key IS NOT fold(email)")
