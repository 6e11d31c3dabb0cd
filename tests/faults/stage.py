"""Where faults are played: a firm whose next run has every request that a run can have, and its state before it."""

import json
import shutil
import sqlite3
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from xpmsync.config import read_config
from xpmsync.notify.alert_file import AlertFile
from xpmsync.notify.situation import assess, notify_if_due
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.system.clock import Clock

PATHS: Mapping[str, str] = {
    "token": "/connect/token",
    "staff": "staff.api/list",
    "groups": "clientgroup.api/list",
    "clients": "client.api/list?detailed=true",
    "modified": "modifiedsince=",
    "rival": "client.api/get",
    "keyring": "/sandbox/keyring",
    "exchange": "/connect/token",
    "connections": "/connections",
}
"""The requests of a run, and the two of `connect` beside the staff list, by a part of path and query."""
INCREMENTAL: Collection[str] = ("modified", "rival")
RECORDS_OF_RUNS: Collection[str] = ("_sqlite_migrations", "sync_runs", "sync_errors", "stopped_changes", "changes")


@dataclass
class HurriedClock:
    """A clock on which sleeping takes no time, and is seen nevertheless."""

    naps: list[float] = field(default_factory=list)

    def clock(self) -> Clock:
        return Clock(now=self.now, monotonic=self.monotonic, sleep=self.naps.append)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=sum(self.naps))

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.naps)


@dataclass
class Stage:
    """A firm after two runs, with changes in XPM that wait for the third."""

    firm: Any
    mailbox: Mailbox
    saved: Path

    def save(self) -> None:
        """Keep the database as it is now; no process has it open."""
        shutil.copyfile(self.firm.home.database_file, self.saved)

    def restore(self) -> None:
        """Put the saved database back, and forget what was asked and mailed, and to whom."""
        self.firm.home.alert_file.unlink(missing_ok=True)
        for file in self.firm.home.data_folder.glob("active.db*"):
            file.unlink()
        shutil.copyfile(self.saved, self.firm.home.database_file)
        self.firm.sandbox.requests.clear()
        self.mailbox.messages.clear()

    def sync(self, *, full: bool, clock: Clock | None = None) -> Any:
        return self.firm.sync(full=full, is_watched=False, clock=clock or HurriedClock().clock())

    def count(self, request: str) -> int:
        """How often something was asked for."""
        return sum(PATHS[request] in f"{each.path}?{each.query}" for each in self.firm.sandbox.requests)

    def tell_after(self, wait: timedelta) -> int:
        """How many e-mails the watchman has sent when this time has passed."""
        home, config = self.firm.home, read_config(self.firm.home)

        def now() -> datetime:
            return datetime.now(UTC) + wait

        alerts = AlertFile(home.alert_file, now)
        situation = assess(home, config, alerts, now())
        notify_if_due(home, config, alerts, situation, read_password=lambda: None, now=now)
        return len(self.mailbox.messages)

    def exact(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is not the record of a run, to the last byte."""
        return self._read("{}")

    def data(self) -> dict[str, list[tuple[Any, ...]]]:
        """The same, and the history and the open problems, without when it happened and in which run."""
        data = {name: sorted(map(_see, rows), key=repr) for name, rows in self._read("{} IS NULL").items()}
        history = (
            "SELECT actor, entity, entity_id, action, field, old_value, new_value FROM changes ORDER BY 2, 3, 5, 6, 7"
        )
        issues = "SELECT code, entity, xpm_uuid, field FROM sync_errors WHERE resolved_at IS NULL ORDER BY 1, 2, 3, 4"
        for name, query in {"changes": history, "sync_errors": issues}.items():
            data[name] = [tuple(row.values()) for row in self.firm.rows(query)]
        return data

    def _read(self, moment: str) -> dict[str, list[tuple[Any, ...]]]:
        """All rows; of a column with a time in it, what `moment` makes of its name."""
        with closing(sqlite3.connect(self.firm.home.database_file)) as connection:
            columns: dict[str, list[str]] = {}
            for table, column in connection.execute(
                "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
            ):
                columns.setdefault(table, []).append(moment.format(column) if column.endswith("_at") else column)
            return {
                table: connection.execute(f"SELECT {', '.join(seen)} FROM {table}").fetchall()
                for table, seen in columns.items()
                if table not in RECORDS_OF_RUNS
            }


def _see(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row in which the order of keys tells nothing; they stand as they were written."""
    return tuple(
        sorted(json.loads(value).items()) if isinstance(value, str) and value.startswith("{") else value
        for value in row
    )


def open_stage(firm: Any, mailbox: Mailbox, saved: Path) -> Stage:
    """Let the firm run twice, and change XPM so that the third run has every request that a run can have."""
    practice, sandbox = firm.practice, firm.sandbox
    for _ in range(2):
        sandbox.clock.advance(3_600)
        firm.sync()
    alive = [
        uuid
        for row in firm.rows("SELECT xpm_client_uuid AS uuid FROM clients WHERE status = 'active' AND code IS NOT NULL")
        if practice.clients[uuid := row["uuid"]].elements.get("Email")
    ]
    practice.recreate_client(alive[0], former="archived")  # the run asks what has become of the former one
    for uuid in alive[1:4]:
        practice.edit_client(uuid, email=f"new-{uuid[:8]}@example.com")
    sandbox.clock.advance(3_600)
    stage = Stage(firm, mailbox, saved)
    stage.save()
    return stage
