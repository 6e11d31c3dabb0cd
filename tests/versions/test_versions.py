"""Databases that earlier versions have made, opened by this one: nothing is lost, and all goes on as before.

The kept files were made by the code of those versions: the number is that of its steps, “first” the first commit that
had so many. No version had fewer than four. That of today is kept by the code of today: with the next step it is gone.
"""

import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils
from forks import Forks
from story import CLIENTS, live, make_practice

from xpmsync.active.database import open_database
from xpmsync.active.migrations import STEPS, make_migrations
from xpmsync.cli import run

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent
TODAY = FOLDER / f"{len(STEPS)}.sql"
EARLIER = sorted({*FOLDER.glob("*.sql")} - {TODAY})
HOW_TO_KEEP = "Keep a database of this version, and commit it: python tests/versions/story.py"
VIEWS = {
    "client_list": "*",
    "user_list": "*",
    "error_list": "severity, entity, name, client_code, message, suggestion, code, resolved_at IS NULL",
    "open_causes": "severity, entity, records, names, cause, remedy, code",
}


def read(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def read_schema(path):
    return set(read(path, "SELECT type, name, sql FROM sqlite_schema"))


def read_tables(path, columns_of):
    """Every row of every table there was, with the columns it had."""
    return {
        table: read(path, f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(columns)}")
        for table, columns in columns_of.items()
    }


def find_columns(path):
    """Every table that lasts: who was alerted is in a file of its own now, and nobody misses it."""
    besides = "('_sqlite_migrations', 'notifications')"
    tables = read(path, f"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN {besides}")
    return {table: [row[1] for row in read(path, f"PRAGMA table_info({table})")] for (table,) in tables}


FORGET_RESOLVED = "DELETE FROM sync_errors WHERE resolved_at IS NOT NULL"
"""They keep the words of the version that met them."""


def read_views(path):
    """The views, without the numbers of syncs."""
    views = {view: sorted(read(path, f"SELECT {columns} FROM {view}"), key=repr) for view, columns in VIEWS.items()}
    return re.sub(r"--accept \d+", "--accept N", repr(views))


def revive(file, folder):
    """A kept database as its version has left it."""
    path = folder / "kept.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(file.read_text("utf-8"))
    return path


def read_number(file):
    """How many steps a kept database has been through, by its name."""
    return int(file.stem.partition("-")[0])


@pytest.fixture(params=EARLIER, ids=lambda file: file.stem)
def kept(request, tmp_path):
    return revive(request.param, tmp_path)


@pytest.fixture
def fresh_schema(tmp_path):
    with open_database(tmp_path / "fresh.db"):
        pass
    return read_schema(tmp_path / "fresh.db")


def test_a_database_of_every_version_is_kept():
    assert TODAY.exists(), HOW_TO_KEEP
    assert {read_number(file) for file in (*EARLIER, TODAY)} == set(range(4, len(STEPS) + 1))


@pytest.mark.parametrize("file", [*EARLIER, TODAY], ids=lambda file: file.stem)
def test_a_kept_database_has_been_through_the_steps_that_its_name_says(tmp_path, file):
    assert file.exists(), HOW_TO_KEEP
    path = revive(file, tmp_path)
    number = read_number(file)
    steps = read(path, "SELECT name FROM _sqlite_migrations ORDER BY id")
    assert steps == [(step.__name__,) for step in STEPS[:number]]
    assert read(path, "PRAGMA user_version") in ([(0,)], [(number,)])  # no version before the sixth step wrote it


def test_the_kept_database_of_this_version_is_as_its_last_step_makes_it_now(tmp_path, fresh_schema):
    assert TODAY.exists(), HOW_TO_KEEP
    assert read_schema(revive(TODAY, tmp_path)) == fresh_schema, (
        f"{STEPS[-1].__name__} has changed since {TODAY.name} was kept. A step that stands on main never changes: write"
        f" a new one. If it is not on main yet, delete {TODAY.name}. {HOW_TO_KEEP}"
    )


def test_an_earlier_version_s_database_gets_the_tables_of_today_and_loses_nothing(kept, fresh_schema):
    columns = find_columns(kept)
    before = read_tables(kept, columns)
    assert len(before["clients"]) == 4
    assert len(before["changes"]) > 5
    with open_database(kept):
        pass
    assert read_tables(kept, columns) == before
    assert read_schema(kept) == fresh_schema
    assert read(kept, "PRAGMA user_version") == [(len(STEPS),)]
    assert read(kept, "PRAGMA integrity_check") == [("ok",)]
    assert read(kept, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_whatever_steps_a_database_has_been_through_it_ends_like_a_new_one(tmp_path, fresh_schema, number):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        make_migrations().apply(sqlite_utils.Database(connection), stop_before=STEPS[number].__name__)
    with open_database(path):
        pass
    assert read_schema(path) == fresh_schema


@pytest.fixture
def firm(make_firm, kept):
    """A practice whose story was lived with an earlier version, and its home now."""
    firm = make_firm(make_practice())
    firm.practice.edit_client(CLIENTS[0], phone="(02) 5550 1234")
    firm.practice.archive_client(CLIENTS[2])
    for file in firm.home.data_folder.glob("active.db*"):
        file.unlink()
    firm.home.database_file.write_bytes(kept.read_bytes())
    firm.home.database_file.chmod(0o600)
    firm.write("UPDATE sync_runs SET tenant_id = ?", firm.sandbox.tenant_id)
    return firm


def test_the_first_run_after_an_upgrade_is_what_it_would_be_had_this_version_made_everything(firm, make_firm):
    upgraded = firm.sync(full=True)
    firm.write(FORGET_RESOLVED)
    upgraded_views = read_views(firm.home.database_file)
    for file in firm.home.data_folder.glob("active.db*"):
        file.unlink()
    new = make_firm(make_practice())
    live(new)
    new.write("UPDATE sync_runs SET tenant_id = ?", new.sandbox.tenant_id)
    expected = new.sync(full=True)
    new.write(FORGET_RESOLVED)
    assert (upgraded.users, upgraded.clients) == (expected.users, expected.clients)
    assert upgraded_views == read_views(new.home.database_file)


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("command", ["status", "errors", "history", "admin user list", "sync --dry-run"])
def test_every_command_takes_an_earlier_version_s_database(command):
    assert run(command.split()) == 0


def test_a_copy_of_an_earlier_version_is_restored_and_brought_up_to_date(firm, kept, fresh_schema):
    firm.sync()
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute("UPDATE sync_runs SET tenant_id = ?", (firm.sandbox.tenant_id,))
    assert run(["restore", str(kept), "--yes"]) == 0
    assert read_schema(firm.home.database_file) == fresh_schema
    assert run(["sync", "--full"]) == 0


@pytest.fixture(scope="module")
def fatal():
    with Forks("fatal:open_and_die") as forks:
        yield forks


def test_an_upgrade_that_is_killed_anywhere_leaves_the_earlier_version_whole(kept, fresh_schema, fatal):
    columns = find_columns(kept)
    schema, before = read_schema(kept), read_tables(kept, columns)
    for statement in range(3, 400, 11):
        exit_code, _ = fatal.start([str(kept), str(statement)]).finish()
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
        assert read_tables(kept, columns) == before
        assert read_schema(kept) == schema
    else:
        pytest.fail("the upgrade never came to its end")
    assert statement > 3
    assert read_tables(kept, columns) == before
    assert read_schema(kept) == fresh_schema
