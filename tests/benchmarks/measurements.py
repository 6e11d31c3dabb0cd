"""What is measured: whole processes, in turn with what they are compared with, and that all hold the same clients."""

import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from firm import HERE, XPMSYNC, Firm
from rivals import TEXTS

FIRST, FULL, HOURLY = "First run", "Full run, nothing changed", "Hourly run, nothing changed"
OURS, FLOOR = "xpmsync", "floor"
COMMANDS = ("--help", "errors", "status")
NOTHING = "a Python that does nothing"
COMPARED = (*(name.lower() for name in TEXTS), "accountmanageruuid", "jobmanageruuid")


@dataclass
class Figures:
    """One command's, of all its runs."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    megabytes: float = 0

    def run(self, command: Sequence[str]) -> str:
        """Run the command once more, as a process of its own; gives what it printed."""
        stopwatch = [sys.executable, "-I", "-S", str(HERE / "stopwatch.py")]
        done = subprocess.run([*stopwatch, *command], check=True, stdout=subprocess.PIPE, text=True)
        *output, last = done.stdout.splitlines()
        wall, processor, megabytes = map(float, last.split())
        self.wall.append(wall)
        self.processor.append(processor)
        self.megabytes = max(self.megabytes, megabytes)
        return "\n".join(output)

    def __truediv__(self, other: "Figures") -> float:
        """How many times the other's processor time this takes: other work on the machine disturbs that least."""
        return statistics.median(self.processor) / statistics.median(other.processor)


Measured = defaultdict[tuple[str, str], Figures]
"""The figures, by the work and by who did it, in the order of the measurements."""
# An hourly run, which says what it imported.
WITNESS = """
import sys
from xpmsync.cli import run
run(["sync", "--json"])
print(*(name for name in sys.modules if not name.startswith(("xpmsync", "__m"))))
"""


def measure_syncs(firm: Firm, measured: Measured, rivals: Mapping[str, str], runs: int) -> None:
    """First runs, full runs and hourly runs, each in turn with its floor and with the rivals (name to Python)."""
    first, full, hourly = (at(firm.clients, work) for work in (FIRST, FULL, HOURLY))
    for _ in range(runs):
        firm.begin()
        run_floor("insert", firm, measured[first, FLOOR])
        sync(measured[first, OURS])
        check(firm, "insert", "mirror")
        for name, python in rivals.items():
            forget(firm, name)
            run_rival(name, python, firm, measured[first, name])
            check(firm, name, "clients")
    sync(Figures(), "--full")  # after the hour in which everything was new, one in which nothing was
    run_floor("compare", firm, Figures())
    imported = find_imported()
    for _ in range(runs):
        run_floor("compare", firm, measured[full, FLOOR])
        sync(measured[full, OURS], "--full")
        for name, python in rivals.items():
            run_rival(name, python, firm, measured[full, name])
            check(firm, name, "clients")
        run_floor("calls", firm, measured[hourly, FLOOR], imported)
        sync(measured[hourly, OURS])


def measure_commands(measured: Measured, runs: int) -> None:
    """What is asked at the prompt, in turn with a Python that does nothing."""
    for _ in range(runs):
        measured["at the prompt", NOTHING].run([sys.executable, "-c", "pass"])
        for command in COMMANDS:
            measured[f"xpmsync {command}", OURS].run([*XPMSYNC, command])


def measure_growth(firm: Firm, measured: Measured, runs: int) -> None:
    """First and full runs of another size."""
    for _ in range(runs):
        firm.begin()
        sync(measured[at(firm.clients, FIRST), OURS])
    sync(Figures(), "--full")
    for _ in range(runs):
        sync(measured[at(firm.clients, FULL), OURS], "--full")


def measure_day(firm: Firm, edits: int) -> dict[str, int]:
    """Calls and bytes of 24 hourly runs."""
    command = [sys.executable, str(HERE / "a_day.py"), firm.url, str(edits)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def at(clients: int, work: str) -> str:
    return f"{work}, {clients:,} clients"


def sync(figures: Figures, *options: str) -> None:
    figures.run([*XPMSYNC, "sync", "--json", *options])


def find_imported() -> str:
    """The libraries that an hourly run imports."""
    command = [sys.executable, "-c", WITNESS]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]


def run_floor(job: str, firm: Firm, figures: Figures, imported: str = "") -> None:
    database = firm.home / f"{job}.db"
    if job == "insert":
        database.unlink(missing_ok=True)
    seen = figures.run([sys.executable, str(HERE / "floors.py"), job, firm.url, imported or str(database)])
    assert int(seen) == (0 if job == "calls" else firm.clients)


def run_rival(name: str, python: str, firm: Firm, figures: Figures) -> None:
    figures.run([python, str(HERE / "rivals.py"), name, firm.url, str(firm.home / f"{name}.db")])


def forget(firm: Firm, rival: str) -> None:
    """Let the rival's next run be its first."""
    (firm.home / f"{rival}.db").unlink(missing_ok=True)
    shutil.rmtree(firm.home / f"{rival}.db-pipelines", ignore_errors=True)


def check(firm: Firm, other: str, table: str) -> None:
    """Both sides hold the same clients, all of them, text by text."""
    ours = read_clients(firm.home / "active.db", "xpm_clients")
    assert len(ours) == firm.clients
    assert ours == read_clients(firm.home / f"{other}.db", table)


def read_clients(database: Path, table: str) -> list[tuple[str | None, ...]]:
    """The clients that a program keeps, whatever it calls its columns; without the white space around the texts."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT * FROM {table}")
        names = [column[0].lower().replace("_", "") for column in rows.description]
        places = [names.index(name) if name in names else None for name in COMPARED]
        clients = [tuple(None if at is None else (row[at] or "").strip() or None for at in places) for row in rows]
    return sorted((client[0].lower(), *client[1:]) for client in clients)
