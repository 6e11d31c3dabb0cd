"""Counts what a sync takes away: from the mirror, before the fetched lists are merged, and from Active, afterwards.

Finds each record, and judges nothing.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from xpmsync.active.database import Database, connect
from xpmsync.active.mirror import is_open, read_text

STAFF_MISSING: Final = "staff missing"
CLIENTS_MISSING: Final = "clients missing"
CLIENTS_CLOSED: Final = "clients archived or deleted"

_IS_LISTED: Final = "mirror.vanished_at IS NULL"
_CLIENTS: Final = "main.xpm_clients AS mirror"
_IS_LIVE: Final = f"{_IS_LISTED} AND {is_open('mirror')}"


@dataclass(frozen=True)
class Affected:
    """The live records that would lose the same thing."""

    kind: str
    lost: int
    total: int
    """How many live records there are."""
    records: str
    """SQL: the SELECT of their `uuid` and `name`."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Of that SELECT."""
    broader_kind: str | None = None
    """Whoever has accepted a record of this kind has accepted it here."""


def emptied(column: str) -> str:
    """The kind of loss of the clients whose text or list in the mirror's `column` is emptied."""
    return f"{column} emptied"


def emptied_in_active(column: str) -> str:
    """The kind of loss of the clients whose value in Active's `column` is emptied, by whatever XPM sends."""
    return f"clients.{column} emptied"


def measure_emptied_values(database: Database, columns: Mapping[str, str], *, after_id: int) -> list[Affected]:
    """Which clients the changes after an id have left without a value, among those that were active before.

    Called before they are committed. `columns` maps Active's columns to the broader kinds. The identifiers are kept:
    the changes may be rolled back.
    """
    rows = database.connection.execute(
        "SELECT field, count(*) AS lost, json_group_array(clients.xpm_client_uuid) AS uuids FROM changes "
        "CROSS JOIN clients ON clients.id = changes.entity_id WHERE changes.id > :after AND entity = 'client' "
        "AND action = 'updated' AND old_value IS NOT NULL AND new_value IS NULL AND coalesce(("
        "SELECT other.old_value FROM changes AS other WHERE other.entity_id = changes.entity_id AND other.id > :after "
        "AND other.action = 'status'), clients.status) = 'active' GROUP BY field",
        {"after": after_id},
    ).fetchall()
    if not rows:
        return []
    with closing(connect(database.path, "mode=ro")) as committed:  # the mirror as it was before the sync
        live = committed.execute(f"SELECT count(*) FROM {_CLIENTS} WHERE {_IS_LIVE}").fetchone()[0]
    records = "SELECT value AS uuid, name FROM json_each(:uuids) LEFT JOIN main.xpm_clients ON uuid = value"
    return [
        Affected(
            emptied_in_active(row["field"]), row["lost"], live, records, {"uuids": row["uuids"]}, columns[row["field"]]
        )
        for row in rows
        if row["field"] in columns
    ]


def measure_staff_losses(database: Database, *, relinked: Collection[str | None] = ()) -> list[Affected]:
    """Who is missing from the spool's staff list, without those in `relinked`, who have another UUID now."""
    condition = f"{_is_missing('xpm_staff')} AND mirror.uuid NOT IN (SELECT value FROM json_each(:relinked))"
    staff = "main.xpm_staff AS mirror"
    parameters = {"relinked": json.dumps([uuid for uuid in relinked if uuid])}
    return _measure(database, staff, staff, _IS_LISTED, {STAFF_MISSING: condition}, parameters)


def measure_client_losses(database: Database, columns: Mapping[str, bool], *, is_full_list: bool) -> list[Affected]:
    """Which live clients are archived or deleted in the spool, or have one of `columns` emptied there.

    Where the spool has a full list, also those that are missing from it. `columns` maps each to whether it is a list.
    """
    # In this order: of what is told, little is not known.
    told = f"spool.xpm_clients AS told CROSS JOIN {_CLIENTS} ON mirror.uuid = told.uuid"
    conditions = {CLIENTS_CLOSED: f"NOT ({is_open('told')})"}
    conditions |= {emptied(column): _is_emptied(column, is_list) for column, is_list in columns.items()}
    missing = {CLIENTS_MISSING: _is_missing("xpm_clients")} if is_full_list else {}
    return [
        *_measure(database, _CLIENTS, _CLIENTS, _IS_LIVE, missing),
        *_measure(database, _CLIENTS, told, _IS_LIVE, conditions),
    ]


def _is_missing(table: str) -> str:
    return f"mirror.uuid NOT IN (SELECT uuid FROM spool.{table}_told)"


def _is_emptied(column: str, is_list: bool) -> str:
    before, now = f'mirror."{column}"', f'told."{column}"'
    if is_list:  # a list that is absent was not told, and is kept
        return f"{before} <> '[]' AND {now} = '[]'"
    # That they differ at all is asked first: it is quickly asked, and is true of few.
    return f"{before} IS NOT {now} AND {read_text(before)} <> '' AND {read_text(now)} = ''"


def _measure(
    database: Database,
    everybody: str,
    source: str,
    live: str,
    conditions: Mapping[str, str],
    parameters: Mapping[str, object] = {},
) -> list[Affected]:
    """Count those of `source` that are live and meet each condition, by kind; a kind that nobody meets is left out.

    A condition is about a record as it is known, `mirror`, and as it is told now, `told`.
    """
    sums = ", ".join(["count(*)", *(f"sum({condition})" for condition in conditions.values())])
    counts = database.connection.execute(f"SELECT {sums} FROM {source} WHERE {live}", parameters).fetchone()
    if not any(counts[1:]):
        return []
    total = database.connection.execute(f"SELECT count(*) FROM {everybody} WHERE {live}").fetchone()[0]
    return [
        Affected(
            kind,
            lost,
            total,
            f"SELECT mirror.uuid AS uuid, mirror.name AS name FROM {source} WHERE {live} AND {condition}",
            parameters,
        )
        for (kind, condition), lost in zip(conditions.items(), counts[1:], strict=True)
        if lost
    ]
