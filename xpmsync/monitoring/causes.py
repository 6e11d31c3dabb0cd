"""What is open, by cause, in words that may stand on a page; without names unless they are asked for.

A page lies on a share, so what names a client or a person is left out by putting every text together anew from the
catalogue, never by searching a text for names.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from xpmsync.active.database import Database
from xpmsync.active.error_log import load_names
from xpmsync.errors import SuspiciousChange
from xpmsync.monitoring.overview import NEEDS_BY_FAILURE
from xpmsync.rules.issues import CATALOGUE, Fact

SHOWN_NAMES: Final = 20
OMITTED: Final = Fact("[…]")
GENERAL_FACTS: Final = {
    "count": Fact("several"),
    "records": Fact("records"),
    "number": Fact("N"),
    **dict.fromkeys(("move", "also"), Fact("")),
}
RECORDS: Final = {"user": "staff members", "client": "clients", "office": "offices", "run": "runs"}


@dataclass(frozen=True)
class Cause:
    """What one or several records have in common."""

    severity: str
    entity: str
    records: int
    what: str
    """A whole sentence."""
    remedy: str
    first_seen_at: str
    command: str
    """What to type to see every record."""
    names: Sequence[str] = ()


class _Facts(dict[str, Fact]):
    """The facts of a text of the catalogue, all of them left out."""

    def __missing__(self, _: str) -> Fact:
        return OMITTED


def name_causes(database: Database, rows: Iterable[sqlite3.Row]) -> list[Cause]:
    """The rows of the view `open_causes`, with the names of the first records."""
    return [
        Cause(
            row["severity"],
            row["entity"],
            row["records"],
            f"{row['cause'].rstrip('.')}.",
            row["remedy"],
            row["first_seen_at"],
            f"xpmsync errors --code {row['code']}",
            [name or "without a name" for name in load_names(database, row, SHOWN_NAMES)]
            if row["entity"] != "run"
            else (),
        )
        for row in rows
    ]


def generalise_causes(rows: Iterable[sqlite3.Row], stopped: Sequence[int]) -> list[Cause]:
    """The rows of the view `open_causes` in the catalogue's own words, those of one code together.

    `stopped` are the syncs that wait for somebody to accept what stopped them.
    """
    groups: dict[tuple[str, str, str], list[Mapping[str, object]]] = {}
    for row in rows:
        groups.setdefault((row["severity"], row["entity"], row["code"]), []).append(dict(row))
    causes = []
    for (severity, entity, code), members in groups.items():
        records = sum(int(str(member["records"])) for member in members)
        what, remedy = _generalise(code, entity, records, stopped)
        first_seen_at = min(str(member["first_seen_at"]) for member in members)
        causes.append(Cause(severity, entity, records, what, remedy, first_seen_at, f"xpmsync errors --code {code}"))
    return sorted(causes, key=lambda cause: (cause.severity, -cause.records))


def _generalise(code: str, entity: str, records: int, stopped: Sequence[int]) -> tuple[str, str]:
    """What is wrong and what to do, as far as the code alone tells."""
    if code == SuspiciousChange.code:
        commands = " Or: ".join(f"xpmsync sync --accept {run_id}." for run_id in (stopped or ("N",)))
        return "The safety limits stopped a sync.", f"If XPM is correct, run: {commands}"
    kind = CATALOGUE.get(code)
    if kind is None:  # what a whole run ended with
        need = NEEDS_BY_FAILURE.get(code)
        if need is None:
            return "Xero, or the line to it, is in trouble.", "Nothing: it is tried again by itself."
        return need.what, f"Run: {need.command}"
    facts = _Facts(GENERAL_FACTS)
    if records > 1 and kind.cause and kind.remedy:
        return _join(records, entity, kind.cause.format_map(facts)), kind.remedy.format_map(facts)
    return kind.message.format_map(facts), kind.suggestion.format_map(facts)


def _join(records: int, entity: str, cause: str) -> str:
    """A cause of the catalogue is read after the number of its records."""
    return f"{records:,} {RECORDS[entity]} {cause}."
