"""How long a sync of a large practice takes, beside what any program must do, measured in turn on the same machine.

    python tests/benchmarks/large_practice.py [--clients 15000] [--runs 5] [--larger 50000 150000]

Every figure is a whole process against prepared answers, served by a process of its own: the median of its wall time
(and the range), the median of its processor time, and the most memory. A ratio is that of the medians of processor
time, which other people at work on the machine disturb least. The floors are in floors.py; that both sides hold the
same rows is checked.
"""

import argparse
import contextlib
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from prepared_xero import name_answer

from xpmsync.config import XeroSettings
from xpmsync.sandbox.browser import press
from xpmsync.xpm.oauth import IdentityClient

HERE = Path(__file__).parent
XPMSYNC = [sys.executable, "-m", "xpmsync"]
QUESTIONS = (
    "staff.api/list",
    "clientgroup.api/list",
    "client.api/list?detailed=true",
    "client.api/list?detailed=true&modifiedsince=2099-01-01T00:00:00",
)
COMPARED = {
    "UUID": "uuid",
    "Name": "name",
    "ClientCode": "client_code",
    "Email": "email",
    "PostalAddress": "postal_address",
    "BusinessNumber": "business_number",
}


@dataclass
class Figures:
    """One command's."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    megabytes: float = 0

    def show(self, name: str, floor: "Figures | None" = None) -> None:
        wall, processor = statistics.median(self.wall), statistics.median(self.processor)
        ratio = f"  {processor / statistics.median(floor.processor):4.2f} x the floor" if floor else ""
        spread = f"({min(self.wall):.2f} to {max(self.wall):.2f})"
        print(
            f"{name:34}{wall:6.2f} s {spread:16} processor {processor:5.2f} s {self.megabytes:4.0f} MB{ratio}",
            flush=True,
        )


def run(command: Sequence[str], figures: Figures) -> str:
    """Run a command once as a process of its own; gives what it printed."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    figures.wall.append(time.perf_counter() - began)
    figures.processor.append(used.ru_utime + used.ru_stime)
    figures.megabytes = max(figures.megabytes, used.ru_maxrss / 1024)
    assert process.returncode == 0, command
    return output


@dataclass(frozen=True)
class Bench:
    """A connected home whose database is empty, and the prepared answers."""

    home: Path
    url: str
    clients: int

    def begin(self) -> None:
        """Put the database back to where no sync has run."""
        for path in self.home.glob("active.db*"):
            path.unlink()
        shutil.copy(self.home / "empty.db", self.home / "active.db")

    def sync(self, figures: Figures, *options: str) -> None:
        run([*XPMSYNC, "sync", "--json", *options], figures)

    def floor(self, job: str, figures: Figures) -> None:
        database = self.home / f"{job}.db"
        if job == "insert":
            database.unlink(missing_ok=True)
        seen = int(run([sys.executable, str(HERE / "floors.py"), job, self.url, str(database)], figures))
        assert seen == (0 if job == "calls" else self.clients)

    def check(self) -> None:
        """Both sides hold the same clients."""
        with closing(sqlite3.connect(self.home / "insert.db")) as theirs:
            columns = ", ".join(column if column != "UUID" else "lower(trim(UUID))" for column in COMPARED)
            floor = theirs.execute(f"SELECT {columns} FROM mirror ORDER BY 1").fetchall()
        with closing(sqlite3.connect(self.home / "active.db")) as ours:
            mirror = ours.execute(f"SELECT {', '.join(COMPARED.values())} FROM xpm_clients ORDER BY 1").fetchall()
        assert floor == mirror
        assert len(mirror) == self.clients


def measure_all(bench: Bench, runs: int) -> None:
    """The first run, full runs and hourly runs with nothing changed, each in turn with its floor."""
    compare, full, insert, first, calls, hourly = (Figures() for _ in range(6))
    for _ in range(runs):
        bench.begin()
        bench.floor("insert", insert)
        bench.sync(first)
        bench.check()
    bench.sync(Figures(), "--full")  # after the hour in which everything was new, one in which nothing was
    bench.floor("compare", Figures())
    for _ in range(runs):
        bench.floor("compare", compare)
        bench.sync(full, "--full")
        bench.floor("calls", calls)
        bench.sync(hourly)
    bench.check()
    insert.show("floor: parse, compare, insert")
    first.show("first run", insert)
    compare.show("floor: parse, compare")
    full.show("full run, nothing changed", compare)
    calls.show("floor: imports and calls")
    hourly.show("hourly run, nothing changed", calls)


def measure_commands(runs: int) -> None:
    """What is asked at the prompt."""
    commands = {
        "floor: Python": [sys.executable, "-c", "pass"],
        "floor: Python and click": [sys.executable, "-c", "import click"],
        "xpmsync --help": [*XPMSYNC, "--help"],
        "xpmsync errors": [*XPMSYNC, "errors"],
        "xpmsync status": [*XPMSYNC, "status"],
    }
    figures = {name: Figures() for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            run(command, figures[name])
    for name, each in figures.items():
        each.show(name)


def measure_growth(bench: Bench, runs: int) -> None:
    """Time and memory of another size."""
    first, full = Figures(), Figures()
    for _ in range(runs):
        bench.begin()
        bench.sync(first)
    for _ in range(runs + 1):
        bench.sync(full, "--full")
    full.wall, full.processor = full.wall[1:], full.processor[1:]
    for name, each in (("first run", first), ("full run, nothing changed", full)):
        each.show(f"{bench.clients:,}: {name}")
        print(
            f"{'':34}{statistics.median(each.processor) / bench.clients * 1e6:6.0f} microseconds of processor a client"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=15_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--larger", type=int, nargs="*", default=[], help="measure the growth to these sizes as well")
    options = parser.parse_args()
    print(f"{options.clients:,} clients, {options.runs} runs each, {os.cpu_count()} processors", flush=True)
    with prepared(options.clients) as bench:
        measure_all(bench, options.runs)
        measure_commands(options.runs)
    for clients in [options.clients, *options.larger] if options.larger else []:
        with prepared(clients) as bench:
            measure_growth(bench, 1 if clients > options.clients else options.runs)


@contextmanager
def prepared(clients: int) -> Iterator[Bench]:
    """The sandbox's answers in files, served, and a home that was connected as a person would connect it."""
    with tempfile.TemporaryDirectory() as folder:
        home, answers = Path(folder) / "home", Path(folder) / "answers"
        home.mkdir()
        answers.mkdir()
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled once, not at every start
        os.environ |= {
            "XPMSYNC_HOME": str(home),
            "PYTHONPATH": str(HERE),
            "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
            "BROWSER": f"{sys.executable} -m xpmsync.sandbox.browser %s &",
        }
        with serving([*XPMSYNC, "sandbox", "--clients", str(clients), "--switch", "limit_minute=100000"]) as sandbox:
            set_up(home, sandbox)
            collect(sandbox, answers)
        with closing(sqlite3.connect(home / "active.db")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(home / "active.db", home / "empty.db")
        with serving([sys.executable, str(HERE / "prepared_xero.py")], folder=answers) as url:
            settings = home / "config.toml"
            settings.write_text(settings.read_text().replace(sandbox, url))
            yield Bench(home, url, clients)


@contextmanager
def serving(command: Sequence[str], folder: Path | None = None) -> Iterator[str]:
    """A server on a free port; gives its address once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    place = [port, str(folder)] if folder else ["--port", port]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([*command, *place], stdout=subprocess.DEVNULL) as process:
        try:
            wait_until_it_answers(f"{url}/staff.api/list" if folder else f"{url}/sandbox")
            yield url
        finally:
            process.terminate()


def wait_until_it_answers(address: str) -> None:
    """Until the server has made its practice, or has started."""
    for _ in range(6000):
        with contextlib.suppress(requests.ConnectionError):
            requests.get(address, timeout=60)
            return
        time.sleep(0.1)
    sys.exit("The server never answered.")


def set_up(home: Path, url: str) -> None:
    """Connect and configure as a person would, with the program that presses the button."""
    (home / "config.toml").write_text(
        f'[xero]\nclient_id = "sandbox-app"\nlogin_url = "{url}/identity"\nidentity_url = "{url}"\napi_url = "{url}"\n'
    )
    subprocess.run([*XPMSYNC, "connect"], check=True, stdout=subprocess.DEVNULL)
    partner = requests.get(f"{url}/sandbox/staff", timeout=30).json()[1]["Email"]
    subprocess.run(
        [*XPMSYNC, "configure", "--office", "MAIN", "--office-name", "Main", "--later"]
        + ["--default-partner", partner, "--notify", partner],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def collect(url: str, folder: Path) -> None:
    """Keep what the sandbox answers to each question of a sync."""
    settings = XeroSettings(client_id="sandbox-app", login_url=f"{url}/identity", identity_url=url, api_url=url)
    consent = IdentityClient(settings).ask_for_consent()
    token = consent.redeem(press(consent.address).partition("code=")[2].partition("&")[0]).access_token
    headers = {"Authorization": f"Bearer {token}"}
    headers["xero-tenant-id"] = requests.get(f"{url}/connections", headers=headers, timeout=10).json()[0]["tenantId"]
    for question in QUESTIONS:
        address = f"{url}/practicemanager/3.1/{question}"
        with requests.get(address, headers=headers, timeout=600, stream=True) as answer:
            answer.raise_for_status()
            with (folder / name_answer(address)).open("wb") as file:
                for chunk in answer.iter_content(1024 * 1024):
                    file.write(chunk)


if __name__ == "__main__":
    main()
