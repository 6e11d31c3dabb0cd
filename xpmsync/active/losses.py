"""Counts what the fetched lists would take away from the mirror, before they are merged, and finds each record.

Judges nothing.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from xpmsync.active.database import Database
from xpmsync.active.mirror import is_open, read_text

STAFF_MISSING: Final = "staff missing"
CLIENTS_MISSING: Final = "clients missing"
CLIENTS_CLOSED: Final = "clients archived or deleted"

_IS_LISTED: Final = "mirror.vanished_at IS NULL"


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


def emptied(column: str) -> str:
    """The kind of loss of the clients whose text or list in `column` is emptied."""
    return f"{column} emptied"


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
    clients, live = "main.xpm_clients AS mirror", f"{_IS_LISTED} AND {is_open('mirror')}"
    # In this order: of what is told, little is not known.
    told = f"spool.xpm_clients AS told CROSS JOIN {clients} ON mirror.uuid = told.uuid"
    conditions = {CLIENTS_CLOSED: f"NOT ({is_open('told')})"}
    conditions |= {emptied(column): _is_emptied(column, is_list) for column, is_list in columns.items()}
    missing = {CLIENTS_MISSING: _is_missing("xpm_clients")} if is_full_list else {}
    return [
        *_measure(database, clients, clients, live, missing),
        *_measure(database, clients, told, live, conditions),
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
