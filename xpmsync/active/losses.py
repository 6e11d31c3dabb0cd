"""Counts what a full answer would take away from the mirror, before it is merged, and tells what was counted earlier.

Judges nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

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
    return _measure(database, "xpm_staff", "mirror.vanished_at IS NULL", {STAFF_GONE: _is_gone("xpm_staff")})


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
        {
            CLIENTS_GONE: _is_gone("xpm_clients"),
            CLIENTS_CLOSED: f"told.uuid IS NOT NULL AND NOT ({is_open('told')})",
            **{kind: f"told.uuid IS NOT NULL AND {condition}" for kind, condition in emptied.items()},
        },
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


def _is_gone(table: str) -> str:
    return f"mirror.uuid NOT IN (SELECT uuid FROM spool.{table}_told)"


def _is_emptied(column: str, is_list: bool) -> str:
    before, now = f'mirror."{column}"', f'told."{column}"'
    if is_list:  # a list that is absent was not told, and is kept
        return f"{before} <> '[]' AND {now} = '[]'"
    # That they differ at all is asked first: it is quickly asked, and is true of few.
    return f"{before} IS NOT {now} AND trim(coalesce({before}, '')) <> '' AND trim(coalesce({now}, '')) = ''"


def _measure(database: Database, table: str, watched: str, conditions: Mapping[str, str]) -> dict[str, Count]:
    source = (
        "SELECT {columns} "
        f"FROM main.{table} AS mirror LEFT JOIN spool.{table} AS told ON told.uuid = mirror.uuid WHERE {watched}"
    )
    counts = ", ".join(["count(*)", *(f"coalesce(sum({condition}), 0)" for condition in conditions.values())])
    total, *lost = database.connection.execute(source.format(columns=counts)).fetchone()

    def load_names(condition: str) -> tuple[str, ...]:
        rows = database.connection.execute(
            f"{source.format(columns='mirror.name')} AND {condition} AND mirror.name IS NOT NULL LIMIT ?",
            (NAMES_SHOWN,),
        )
        return tuple(" ".join(row["name"].split()) for row in rows)

    return {
        kind: Count(number, total, load_names(condition) if number else ())
        for (kind, condition), number in zip(conditions.items(), lost, strict=True)
    }
