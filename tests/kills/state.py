"""What a database holds, in a form in which two homes can be compared: identifiers by name, times as old or new.

Knows SQLite and the tables' names; knows nothing of xpmsync's code, so that it is a second witness.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ACCEPT = re.compile(r"(?<=--accept )\d+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NAMES = {
    "users": "SELECT id, 'user ' || email FROM users",
    "clients": "SELECT id, 'client ' || coalesce(xpm_client_uuid, code, legal_name) FROM clients",
    "client_groups": "SELECT id, 'group ' || name FROM client_groups",
}
"""What identifies a record that got a random identifier."""
UNCOMPARED = {
    "changes": {"id"},
    "sync_errors": {"id"},
    "sync_runs": {"api_calls", "bytes_received", "day_calls_remaining"},
}
"""Columns that may differ between two runs that did the same: what Xero is asked depends on how late it is."""
RUN_COLUMNS = {
    "sync_runs": {"id"},
    "changes": {"run_id"},
    "sync_errors": {"first_run_id", "last_run_id"},
    "stopped_changes": {"first_run_id", "last_run_id"},
    "elements_not_sent": {"run_id"},
}
HALF = 16_384
"""Of the alert file."""
CUT_OFF = "The run was cut off; it changed nothing."


@dataclass(frozen=True)
class State:
    """The rows of every table that has some, without the runs that were cut off."""

    rows: frozenset[str] = frozenset()
    running: int = 0
    interrupted: int = 0
    migrations: frozenset[str] = frozenset()
    damage: tuple[str, ...] = ()
    """What SQLite says against the file, and what may never be there."""

    def without(self, *beginnings: str) -> "State":
        """The same without the rows that begin so."""
        return replace(self, rows=frozenset(row for row in self.rows if not row.startswith(beginnings)))


def load_times(database: Path) -> frozenset[str]:
    """Every time that stands in a database."""
    if not database.exists():
        return frozenset()
    with closing(sqlite3.connect(database)) as connection:
        return frozenset(TIME.findall("\n".join(connection.iterdump())))


def load_state(database: Path, old_times: frozenset[str], scratch: Path) -> State:
    """What a database holds.

    Read from a copy: to open what a dead process left is to repair it, and that is for the next run to do.
    """
    if not database.exists():
        return State()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for ending in ("", "-wal", "-journal"):
        if (part := database.with_name(database.name + ending)).exists():
            shutil.copy(part, scratch)
    with closing(sqlite3.connect(scratch / database.name)) as connection:
        connection.row_factory = sqlite3.Row
        return _read(connection, old_times)


def load_alerts(file: Path) -> dict[str, Any] | None:
    """What the alert file says: of its two halves the later that is whole; None where neither is."""
    content = file.read_bytes() if file.exists() else b""
    halves = (content[:HALF], content[HALF:])
    texts = [
        half[65:].strip() for half in halves if hashlib.sha256(half[65:].strip()).hexdigest() == half[:64].decode()
    ]
    return max(map(json.loads, texts), key=lambda values: values["number"], default=None)


def find_alert(alerts: dict[str, Any] | None, address: str) -> dict[str, str]:
    """What the alert file says of an address."""
    key = hashlib.blake2b(address.casefold().encode(), digest_size=16).hexdigest()
    return (alerts or {"addresses": {}})["addresses"].get(key, {})


def age_reservations(file: Path, minutes: int) -> None:
    """Make the reservations in the alert file so much older."""
    alerts = load_alerts(file)
    for entry in alerts["addresses"].values():
        if "reserved_at" in entry:
            moment = datetime.fromisoformat(entry["reserved_at"]) - timedelta(minutes=minutes)
            entry["reserved_at"] = moment.isoformat()
    text = json.dumps(alerts).encode()
    file.write_bytes(2 * f"{hashlib.sha256(text).hexdigest()} {text.decode()}".ljust(HALF).encode())


def _read(connection: sqlite3.Connection, old_times: frozenset[str]) -> State:
    damage = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    damage += [
        f"a row of {row[0]} names one of {row[2]} that is not there"
        for row in connection.execute("PRAGMA foreign_key_check")
    ]
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    if "sync_runs" not in tables:
        return State(damage=(*damage, "it holds no tables of Active"))
    runs = connection.execute("SELECT * FROM sync_runs ORDER BY id").fetchall()
    cut = [run for run in runs if run["status"] in ("running", "interrupted")]
    damage += [
        f"an interrupted run says {run['message']!r}"
        for run in cut
        if run["status"] == "interrupted" and run["message"] != CUT_OFF
    ]
    run_names = {
        run["id"]: f"run {number}" for number, run in enumerate((run for run in runs if run not in cut), start=1)
    }
    names = {row[0]: row[1] for table, query in NAMES.items() if table in tables for row in connection.execute(query)}

    def render_cell(table: str, column: str, value: object) -> str:
        return f"{column}={run_names.get(value) if column in RUN_COLUMNS.get(table, ()) else render(value)}"

    def render(value: object) -> str:
        text = f"{value}"
        for identifier in UUID.findall(text):
            text = text.replace(identifier, names.get(identifier, identifier))
        text = ACCEPT.sub(lambda found: str(run_names.get(int(found[0]))), text)
        if text.startswith("{"):
            text = json.dumps(_sort_lists(json.loads(text)), ensure_ascii=False)
        return TIME.sub(lambda found: found[0] if found[0] in old_times else "(new)", text)

    rows = []
    for table in set(tables) - {"_sqlite_migrations"}:
        for row in connection.execute(f"SELECT * FROM {table}"):
            if table == "sync_runs" and row["id"] not in run_names:
                continue
            cells = [
                render_cell(table, column, row[column])
                for column in row.keys()  # noqa: SIM118 - a row is no mapping
                if row[column] is not None and column not in UNCOMPARED.get(table, ())
            ]
            rows.append(f"{table}: {' · '.join(cells)}")
    return State(
        rows=frozenset(f"{row} · times={times}" for row, times in Counter(rows).items()),
        running=sum(run["status"] == "running" for run in cut),
        interrupted=sum(run["status"] == "interrupted" for run in cut),
        migrations=frozenset(row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")),
        damage=tuple(damage),
    )


def _sort_lists(value: Any) -> Any:
    """The same with every list in an order of its own: xpmsync's is often that of the random identifiers."""
    if isinstance(value, dict):
        return {name: _sort_lists(each) for name, each in value.items()}
    return sorted(map(_sort_lists, value), key=repr) if isinstance(value, list) else value
