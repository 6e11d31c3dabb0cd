"""A practice of 15,000 clients: constant memory, three calls an hour, and a quiet hour that writes nothing."""

import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
import requests
from firms import add_office, make_environment, point_at, sign_in

from xpmsync.home import find_home

pytestmark = pytest.mark.slow

MEMORY_MEGABYTES = 110
"""Measured: 54 once the program is loaded, 82 at the most; the answer alone has 46."""
QUIET_HOUR_BYTES = 200_000


@pytest.fixture(scope="module")
def large(tmp_path_factory, find_free_port):
    """A home that is connected to a sandbox with 15,000 clients, which is a process of its own."""
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "xpmsync", "sandbox", "--port", str(port), "--clients", "15000", "--staff", "40"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sandbox, pytest.MonkeyPatch.context() as patch:
        try:
            for name, value in make_environment(tmp_path_factory.mktemp("large"), url).items():
                patch.setenv(name, value)
            tenant_id = ask_for_its_practice(url)
            home = find_home(os.environ)
            point_at(home, url, {"sync.tenant_id": tenant_id, "sync.default_office_code": "MAIN"})
            add_office(home)
            sign_in(home)
            yield home
        finally:
            sandbox.terminate()


def ask_for_its_practice(url):
    """The ID of the practice, as soon as the sandbox answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return requests.get(f"{url}/sandbox/state", timeout=5).json()["tenants"][0]["tenant_id"]
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the sandbox never answered")


# The system's own count of a child's memory begins with its parent's; what the process itself has reached does not.
RUN = """
import sys
from xpmsync.cli import run
code = run(["sync", "--json", *sys.argv[1:]])
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


def sync(*options) -> tuple[dict, float]:
    """Run one sync as a process; gives what it did and the most memory it used, in megabytes."""
    process = subprocess.run([sys.executable, "-c", RUN, *options], capture_output=True, text=True, check=True)
    return json.loads(process.stdout), int(process.stderr) / 1024


def processor_seconds() -> float:
    """What the processes that have ended have used of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fingerprint(home) -> dict[str, str]:
    """Every table, as a hash of its rows, but for the runs, the counters of problems, and the outcome that stands."""
    with closing(sqlite3.connect(home.database_file)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: hashlib.sha256(repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode()).hexdigest()
            for table in tables
            if table not in ("sync_runs", "sync_errors", "standing_outcome")
        }


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process's own memory is read from /proc")
def test_a_large_practice_arrives_in_constant_memory_and_a_quiet_hour_costs_almost_nothing(large):
    began = processor_seconds()
    first, memory = sync()
    first_seconds = processor_seconds() - began
    assert first["mode"] == "full"
    assert first["clients"]["created"] > 13_000
    assert first["api_calls"] == 3
    assert memory < MEMORY_MEGABYTES
    before = fingerprint(large)
    with closing(sqlite3.connect(large.database_file)) as connection, connection:
        connection.execute("UPDATE sync_runs SET cursor_at = '2099-01-01T00:00:00Z'")  # beyond the overlap

    quiet, memory = sync()

    assert quiet["mode"] == "incremental"
    assert quiet["api_calls"] == 3
    assert quiet["bytes_received"] < QUIET_HOUR_BYTES
    assert quiet["clients"]["unchanged"] > 13_000
    assert (quiet["clients"]["created"], quiet["clients"]["updated"], quiet["users"]["updated"]) == (0, 0, 0)
    assert memory < MEMORY_MEGABYTES
    assert fingerprint(large) == before

    began = processor_seconds()
    full, memory = sync("--full")

    assert processor_seconds() - began < first_seconds
    assert full["clients"] == quiet["clients"]
    assert (full["errors"], full["warnings"]) == (quiet["errors"], quiet["warnings"])
    assert memory < MEMORY_MEGABYTES
    assert fingerprint(large) == before
