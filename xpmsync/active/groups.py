"""Active's client groups and who is in them."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from xpmsync.active.database import Database


def load_groups(database: Database) -> list[sqlite3.Row]:
    """Every client group: id, name, xpm_group_uuid."""
    return database.connection.execute("SELECT id, name, xpm_group_uuid FROM client_groups").fetchall()


def insert_group(database: Database, group_id: str, name: str, xpm_group_uuid: str) -> None:
    """Add a client group."""
    database.connection.execute("INSERT INTO client_groups VALUES (?, ?, ?)", (group_id, name, xpm_group_uuid))


def rename_group(database: Database, group_id: str, name: str) -> None:
    """Give a client group another name."""
    database.connection.execute("UPDATE client_groups SET name = ? WHERE id = ?", (name, group_id))


def load_memberships(database: Database, client_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Client to the ids of its groups; clients without a group are left out, and so are groups that are gone."""
    memberships = defaultdict(set)
    for client_id, group_id in database.connection.execute(
        "SELECT client_id, client_group_id FROM client_group_members JOIN client_groups ON id = client_group_id "
        "WHERE client_id IN (SELECT value FROM json_each(?))",
        (json.dumps(client_ids),),
    ):
        memberships[client_id].add(group_id)
    return {client_id: frozenset(groups) for client_id, groups in memberships.items()}


def add_memberships(database: Database, memberships: Iterable[tuple[str, str]]) -> None:
    """Put clients into groups: pairs of client id and group id."""
    database.connection.executemany("INSERT INTO client_group_members VALUES (?, ?)", memberships)


def remove_memberships(database: Database, memberships: Iterable[tuple[str, str]]) -> None:
    """Take clients out of groups: pairs of client id and group id."""
    database.connection.executemany(
        "DELETE FROM client_group_members WHERE client_id = ? AND client_group_id = ?", memberships
    )
