"""Counts what a full answer would take away from the mirror, before it is merged, and tells what was counted earlier.

Judges nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xpmsync.active.database import Database
from xpmsync.active.mirror import is_open

STAFF_GONE = "staff gone"
CLIENTS_GONE = "clients gone"
CLIENTS_CLOSED = "clients archived or deleted"
NAMES_SHOWN = 3


@dataclass(frozen=True)
class Count:
    """So many of so many live records lose something."""

    lost: int
    total: int
    names: tuple[str, ...]


def measure_staff_losses(database: Database) -> dict[str, Count]:
    """Count, by kind, what the spool's staff list would take away."""
    return _measure(database, "xpm_staff", "mirror.vanished_at IS NULL", STAFF_GONE)


def measure_client_losses(database: Database, emptied_columns: Mapping[str, bool]) -> dict[str, Count]:
    """Count, by kind, what the spool's full client list would take away.

    `emptied_columns` maps each of the clients' columns that is watched to whether it holds a list; its kind is
    ``COLUMN emptied``.
    """
    emptied = {f"{column} emptied": _is_emptied(column, is_list) for column, is_list in emptied_columns.items()}
    return _measure(
        database,
        "xpm_clients",
        f"mirror.vanished_at IS NULL AND {is_open('mirror')}",
        CLIENTS_GONE,
        {CLIENTS_CLOSED: f"NOT ({is_open('told')})", **emptied},
    )


def load_suspicious(database: Database) -> dict[str, int]:
    """What the guard has counted, by kind, in the runs that it stopped, as far as it is not settled yet.

    A run that succeeds settles what it has seen: a full run everything, an hourly one the staff.
    """
    counted: dict[str, int] = {}
    for row in database.connection.execute(
        "SELECT mode, suspicious FROM sync_runs WHERE suspicious IS NOT NULL OR status = 'succeeded' ORDER BY id"
    ):
        if row["suspicious"]:
            counted |= json.loads(row["suspicious"])
        elif row["mode"] == "full":
            counted.clear()
        else:
            counted.pop(STAFF_GONE, None)
    return counted


def _is_emptied(column: str, is_list: bool) -> str:
    before, now = f'mirror."{column}"', f'told."{column}"'
    if is_list:  # a list that is absent was not told, and is kept
        return f"{before} <> '[]' AND {now} = '[]'"
    # That they differ at all is asked first: it is quickly asked, and is true of few.
    return f"{before} IS NOT {now} AND trim(coalesce({before}, '')) <> '' AND trim(coalesce({now}, '')) = ''"


def _measure(
    database: Database, table: str, watched: str, gone: str, conditions: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Count]:
    """Count the watched records of the mirror's `table` that are `gone`, and those that meet each of `conditions`.

    The conditions are about a record as it is known, `mirror`, and as it is told now, `told`.
    """
    everything = f"main.{table} AS mirror"
    # In this order: of what is told, little is not known.
    told = f"spool.{table} AS told CROSS JOIN {everything} ON mirror.uuid = told.uuid"
    kinds = {gone: (everything, f"mirror.uuid NOT IN (SELECT uuid FROM spool.{table}_told)")}
    kinds |= {kind: (told, condition) for kind, condition in conditions.items()}

    def count(source: str) -> tuple[int, ...]:
        """How many are watched, and how many of them meet each condition on this source."""
        sums = [f"coalesce(sum({condition}), 0)" for its_source, condition in kinds.values() if its_source == source]
        columns = ", ".join(["count(*)", *sums])
        return tuple(database.connection.execute(f"SELECT {columns} FROM {source} WHERE {watched}").fetchone())

    def load_names(source: str, condition: str) -> tuple[str, ...]:
        rows = database.connection.execute(
            f"SELECT mirror.name FROM {source} WHERE {watched} AND {condition} AND mirror.name IS NOT NULL LIMIT ?",
            (NAMES_SHOWN,),
        )
        return tuple(" ".join(row["name"].split()) for row in rows)

    total, *lost = count(everything)
    lost += count(told)[1:]
    return {
        kind: Count(number, total, load_names(*where) if number else ())
        for (kind, where), number in zip(kinds.items(), lost, strict=True)
    }
