import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.runs import start_run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "active.db"


@pytest.fixture
def database(path):
    with open_database(path) as database:
        yield database


@pytest.fixture
def rows(database):
    """What a query finds, row by row."""

    def find(query, *parameters):
        return [dict(row) for row in database.connection.execute(query, parameters)]

    return find


@pytest.fixture
def begin_run(database):
    """Begin a run at an hour of 1 November 2026; gives its id."""

    def begin(hour=9):
        now = datetime(2026, 11, 1, hour, tzinfo=UTC)
        return start_run(database, tenant_id="practice", mode="full", is_watched=False, now=now)

    return begin


@pytest.fixture
def four_processes():
    """Four processes that do the same thing at once whenever they are asked; gives their four answers."""
    script = """
        import os, pathlib, sys
        from xpmsync.active.database import open_database
        from xpmsync.active.offices import insert_office
        from xpmsync.active.users import load_users
        print("ready", flush=True)
        for line in sys.stdin:
            what, path = line.rstrip("\\n").split(maxsplit=1)
            with open_database(pathlib.Path(path)) as database:
                if what == "open":
                    print(len(load_users(database)), flush=True)
                elif what == "add":
                    print(insert_office(database, str(os.getpid()), "An office"), flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"

    def ask(what, path):
        for process in processes:
            process.stdin.write(f"{what} {path}\n")
            process.stdin.flush()
        return [process.stdout.readline().strip() for process in processes]

    yield ask
    for process in processes:
        process.communicate()
