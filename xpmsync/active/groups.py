"""Active's client groups and who is in them."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from xpmsync.active.database import Database
from xpmsync.active.spool import read_identity


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


def find_empty_groups(database: Database, names: Collection[str], *, besides: Sequence[str]) -> list[str]:
    """The groups, by XPM's UUID, that nobody is in any more, in Active or in XPM, `besides` some clients of XPM.

    Of those, the ones that have one of these `names` now, or that one of those clients was in.
    """
    told = read_identity("json_extract(value, '$.uuid')")
    rows = database.connection.execute(
        f"WITH told AS (SELECT xpm_clients.uuid AS client, {told} AS uuid "
        "  FROM xpm_clients, json_each(groups) WHERE groups <> '[]'), "
        "besides AS (SELECT value AS client FROM json_each(:besides)) "
        "SELECT xpm_groups.uuid FROM xpm_groups LEFT JOIN client_groups ON xpm_group_uuid = xpm_groups.uuid "
        "WHERE NOT EXISTS (SELECT 1 FROM client_group_members WHERE client_group_id = client_groups.id) "
        "AND NOT EXISTS (SELECT 1 FROM told WHERE told.uuid = xpm_groups.uuid AND client NOT IN besides) "
        "AND (EXISTS (SELECT 1 FROM told WHERE told.uuid = xpm_groups.uuid) "
        "  OR client_groups.name IN (SELECT value FROM json_each(:names)))",
        {"names": json.dumps([*names]), "besides": json.dumps([*besides])},
    )
    return [row["uuid"] for row in rows]


def delete_groups(database: Database, xpm_group_uuids: Sequence[str]) -> None:
    """Forget client groups that nobody is in, with what the mirror and the history hold of them."""
    for statement in (
        "DELETE FROM changes WHERE entity_id = (SELECT id FROM client_groups WHERE xpm_group_uuid = ?)",
        "DELETE FROM client_groups WHERE xpm_group_uuid = ?",
        "DELETE FROM xpm_groups WHERE uuid = ?",
    ):
        database.connection.executemany(statement, [(uuid,) for uuid in xpm_group_uuids])


def add_memberships(database: Database, memberships: Iterable[tuple[str, str]]) -> None:
    """Put clients into groups: pairs of client id and group id."""
    database.connection.executemany("INSERT INTO client_group_members VALUES (?, ?)", memberships)


def remove_memberships(database: Database, memberships: Iterable[tuple[str, str]]) -> None:
    """Take clients out of groups: pairs of client id and group id."""
    database.connection.executemany(
        "DELETE FROM client_group_members WHERE client_id = ? AND client_group_id = ?", memberships
    )
