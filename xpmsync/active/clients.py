"""Active's clients. What is written here is written as told; who may change what is the rules' business."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xpmsync.active.database import Database, to_dicts


def load_outlines(
    database: Database, *, ids: Iterable[str] | None = None, xpm_uuids: Iterable[str] | None = None
) -> list[sqlite3.Row]:
    """The clients, as far as matching needs them: all, those with these `ids`, or those linked to these `xpm_uuids`.

    The last columns tell whether the client's code was typed by hand, and whether its partner was chosen by hand.
    """
    wanted = {"id": ids, "xpm_client_uuid": xpm_uuids}
    told = {column: json.dumps(list(values)) for column, values in wanted.items() if values is not None}
    conditions = " AND ".join(f"{column} IN (SELECT value FROM json_each(?))" for column in told)
    return database.connection.execute(
        "SELECT id, legal_name, code, abn, office_code, partner_id, status, xpm_client_uuid, "
        "code IS NOT CASE WHEN json_valid(written) THEN json_extract(written, '$.code') END AS is_code_typed, "
        "CASE WHEN json_valid(written) THEN json_type(written, '$.partner_id') END IS 'null' "
        "AND partner_id IN (SELECT id FROM users) AS is_partner_chosen "
        f"FROM clients LEFT JOIN synced_values ON record_id = id WHERE {conditions or 'true'} ORDER BY id",
        list(told.values()),
    ).fetchall()


def load_clients(database: Database, client_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The clients with these ids, whole."""
    rows = database.connection.execute(
        "SELECT * FROM clients WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(client_ids),)
    )
    return {row["id"]: row for row in to_dicts(rows)}


def load_unlinked_clients(database: Database) -> list[sqlite3.Row]:
    """Name and code of the active clients that are linked to no client of XPM: those set up by hand."""
    return database.connection.execute(
        "SELECT legal_name, code FROM clients WHERE xpm_client_uuid IS NULL AND status = 'active' ORDER BY legal_name"
    ).fetchall()


def load_clients_of(database: Database, user_id: str) -> list[dict[str, Any]]:
    """The clients whose partner or manager a user is, whole."""
    rows = database.connection.execute(
        "SELECT * FROM clients WHERE ? IN (partner_id, manager_id) ORDER BY id", (user_id,)
    )
    return to_dicts(rows)


def insert_clients(database: Database, rows: Sequence[Mapping[str, object]]) -> None:
    """Add clients; a column that a row does not name is not set."""
    if rows:
        columns = list(dict.fromkeys(["code", *(column for row in rows for column in row)]))
        places = ", ".join("?" for _ in columns)
        database.connection.executemany(
            f"INSERT INTO clients ({', '.join(columns)}, code_key) VALUES ({places}, fold(?1))",
            [[row.get(column) for column in columns] for row in rows],
        )


def update_client(database: Database, client_id: str, values: Mapping[str, object]) -> None:
    """Change some of a client's columns."""
    assignments = [f"{column} = :{column}" for column in values]
    if "code" in values:
        assignments.append("code_key = fold(:code)")
    database.connection.execute(
        f"UPDATE clients SET {', '.join(assignments)} WHERE id = :client_id", {**values, "client_id": client_id}
    )


def release_codes(database: Database, client_ids: Sequence[str]) -> None:
    """Let go of the codes of clients that are given others at once, so that two can swap theirs."""
    database.connection.executemany(
        "UPDATE clients SET code = NULL, code_key = NULL WHERE id = ?", [(client_id,) for client_id in client_ids]
    )


def repair_keys(database: Database) -> None:
    """Bring the keys of e-mail addresses and codes up to date, where another program changed the text alone."""
    for table, text, key in (("clients", "code", "code_key"), ("users", "email", "email_key")):
        is_stale = f"{key} IS NOT fold({text})"
        # The stale ones are let go of first: two records may have been given each other's.
        database.connection.execute(f"UPDATE {table} SET {key} = NULL WHERE {key} IS NOT NULL AND {is_stale}")
        database.connection.execute(f"UPDATE OR IGNORE {table} SET {key} = fold({text}) WHERE {is_stale}")
