"""What each sync was stopped for by the safety limits, record by record, until it is settled: what may be accepted.

A record that is met by one stopped sync after the other stands once, with the first and the last of them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from xpmsync.active.database import Database
from xpmsync.active.elements import load_not_sent
from xpmsync.active.removals import Affected
from xpmsync.active.runs import load_run
from xpmsync.errors import InvalidRequest

NOT_SENT: Final = " not sent"
"""The end of the kind of loss of an element that XPM does not send."""


@dataclass(frozen=True)
class Accepted:
    """What one `--accept` accepts: exactly what a sync was stopped for, or has warned of."""

    run_id: int
    mode: Literal["full", "incremental"]
    """In which it is repeated."""
    kinds: frozenset[str] = frozenset()
    """Of the losses that stopped it."""
    elements: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the mirror's table: the elements that XPM does not send."""

    def has_kind_of(self, loss: Affected) -> bool:
        """Whether a loss of this kind is accepted, of whichever records."""
        return loss.kind in self.kinds or loss.broader_kind in self.kinds


def name_not_sent(table: str, element: str) -> str:
    """The kind of loss where XPM does not send an element that matching needs."""
    return f"{table} {element}{NOT_SENT}"


def save_stop(
    database: Database, run_id: int, mode: str, losses: Iterable[Affected], counts: Mapping[str, int]
) -> None:
    """Remember what a sync was stopped for: each record, and how many there are of each kind."""
    database.connection.execute("UPDATE sync_runs SET suspicious = ? WHERE id = ?", (json.dumps(dict(counts)), run_id))
    previous = load_waiting(database).get(mode)
    for loss in losses:
        database.connection.execute(
            "INSERT INTO stopped_changes (mode, kind, xpm_uuid, first_run_id, last_run_id) "
            "SELECT :mode, :kind, affected.uuid, coalesce(earlier.first_run_id, :run), :run "
            f"FROM ({loss.records}) AS affected LEFT JOIN stopped_changes AS earlier ON earlier.mode = :mode "
            "AND earlier.kind = :kind AND earlier.xpm_uuid = affected.uuid AND earlier.last_run_id = :previous "
            "AND earlier.first_run_id IN (SELECT id FROM sync_runs) "
            "WHERE true ON CONFLICT DO UPDATE SET last_run_id = excluded.last_run_id",
            {**loss.parameters, "mode": mode, "kind": loss.kind, "run": run_id, "previous": previous},
        )


def settle_stops(database: Database, mode: str) -> None:
    """Forget what syncs of this mode were stopped for, since one has succeeded; after a full one all that there is."""
    database.connection.execute("DELETE FROM stopped_changes WHERE mode = :mode OR :mode = 'full'", {"mode": mode})


def load_waiting(database: Database) -> dict[str, int]:
    """The last sync of each mode that was stopped, as far as that is not settled."""
    rows = database.connection.execute("SELECT mode, max(last_run_id) AS run_id FROM stopped_changes GROUP BY mode")
    return {row["mode"]: row["run_id"] for row in rows}


def find_accepted(database: Database, run_id: int) -> Accepted:
    """What accepting this sync accepts; raises InvalidRequest where there is nothing, and names the right command."""
    run = load_run(database, run_id)
    if run is None:
        raise InvalidRequest(f"There is no sync {run_id}.", advise(database))
    if run["suspicious"]:
        rows = database.connection.execute(
            "SELECT DISTINCT kind FROM stopped_changes WHERE mode = ? AND ? BETWEEN first_run_id AND last_run_id",
            (run["mode"], run_id),
        )
        if kinds := frozenset(row["kind"] for row in rows):
            elements = [kind.removesuffix(NOT_SENT).split() for kind in kinds if kind.endswith(NOT_SENT)]
            return Accepted(run_id, run["mode"], kinds, _by_table((table, element) for table, element in elements))
        raise InvalidRequest(f"Sync {run_id} was stopped, but a later sync has settled that.", advise(database))
    open_ = [each for each in load_not_sent(database) if not each.is_accepted]
    if run_id in (each.run_id for each in open_):
        warned = [each for each in open_ if each.run_id <= run_id]
        return Accepted(run_id, "full", elements=_by_table((each.table, each.element) for each in warned))
    raise InvalidRequest(f"Sync {run_id} was not stopped by the safety limits.", advise(database))


def advise(database: Database) -> str:
    """Which stopped syncs may be accepted, with the commands."""
    run_ids = sorted(load_waiting(database).values())
    if not run_ids:
        return "No sync is waiting to be accepted. To see what a sync would do, run: xpmsync sync --dry-run"
    commands = "; ".join(f"to accept sync {run_id}, run: xpmsync sync --accept {run_id}" for run_id in run_ids)
    return f"{commands[:1].upper()}{commands[1:]}"


def count_more(database: Database, loss: Affected, accepted: Accepted | None) -> int:
    """How many of the records are not among those that are accepted."""
    if accepted is None or not accepted.has_kind_of(loss):
        return loss.lost
    row = database.connection.execute(
        f"SELECT count(*) FROM ({loss.records}) WHERE {_IS_MORE}", _fill(loss, accepted)
    ).fetchone()
    return int(row[0])


def load_names(database: Database, loss: Affected, accepted: Accepted | None, limit: int) -> tuple[str, ...]:
    """Some names of the records that are not among those that are accepted."""
    rows = database.connection.execute(
        f"SELECT name FROM ({loss.records}) WHERE name IS NOT NULL AND {_IS_MORE} LIMIT :limit",
        {**_fill(loss, accepted), "limit": limit},
    )
    return tuple(" ".join(row["name"].split()) for row in rows)


_IS_MORE: Final = (
    "uuid NOT IN (SELECT xpm_uuid FROM stopped_changes "
    "WHERE mode = :mode AND kind IN (:kind, :broader_kind) AND :accepted BETWEEN first_run_id AND last_run_id)"
)


def _fill(loss: Affected, accepted: Accepted | None) -> Mapping[str, object]:
    return {
        **loss.parameters,
        "kind": loss.kind,
        "broader_kind": loss.broader_kind,
        "mode": accepted and accepted.mode,
        "accepted": accepted and accepted.run_id,
    }


def _by_table(elements: Iterable[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    tables: dict[str, frozenset[str]] = {}
    for table, element in elements:
        tables[table] = tables.get(table, frozenset()) | {element}
    return tables
