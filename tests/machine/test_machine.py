"""A machine in trouble: what it says, that the data stays whole, and that the next run puts it right.

`WRITES=all` plays the full disk at every single write of a run.
"""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from xpmsync.errors import DatabaseError
from xpmsync.home import Home
from xpmsync.rules.schedule import next_full_at
from xpmsync.sandbox import Practice
from xpmsync.system.clock import Clock

pytestmark = pytest.mark.slow

PAGE = 4_096
WRITES = range(1, 45) if os.environ.get("WRITES") == "all" else (1, 6, 14, 22, 36, 42)
"""A full run of this size writes 43 times: its row, the spool, the data, the log of changes, the checkpoint."""
CRON = {"PATH": "/usr/bin:/bin"}
HANDED_ON = ("PYTHON_KEYRING_BACKEND", "XPMSYNC_SANDBOX_KEYRING")


@pytest.fixture
def firm(make_firm):
    firm = make_firm(Practice.generate(clients=60, staff=22, seed=7))
    firm.sync()
    firm.sandbox.clock.advance(3_600)
    for uuid in list(firm.practice.clients)[:20]:
        firm.practice.edit_client(uuid, phone="(02) 5550 1234")
    return firm


@pytest.fixture
def as_cron(firm, forks, tmp_path):
    """Run a sync in a process of its own with the little that cron gives it; where it is traced, in a fork."""

    def as_cron(*options, prefix=(), home=None, limit=None, tracer=()):
        environment = CRON | {"HOME": "/", "XPMSYNC_HOME": str(home or firm.home.data_folder)}
        environment |= {name: os.environ[name] for name in HANDED_ON}
        if tracer:
            with (tmp_path / "errors").open("w+") as errors:
                words = ["sync", *options]
                command = forks.start(words, environment=environment, tracer=tracer, errors=errors.fileno())
                exit_code, printed = command.finish()
                errors.seek(0)
                return subprocess.CompletedProcess(words, exit_code, printed, errors.read())
        return subprocess.run(
            [*prefix, sys.executable, "-m", "xpmsync", "sync", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            preexec_fn=(lambda: resource.setrlimit(*limit)) if limit else None,
        )

    return as_cron


def read_clients(firm):
    return firm.rows("SELECT * FROM clients ORDER BY id")


def check_whole(firm, *earlier):
    """The file is sound, and holds one of these states."""
    assert firm.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert firm.rows("PRAGMA foreign_key_check") == []
    assert read_clients(firm) in earlier


def check_next_run(firm):
    firm.sync(full=True)
    phones = firm.rows("SELECT count(*) AS clients FROM clients WHERE telephone = '(02) 5550 1234'")
    assert phones[0]["clients"] >= 15


def check_words(run, exit_code, *parts):
    assert (run.returncode, run.stdout) == (exit_code, "")
    assert "Traceback" not in run.stderr
    for part in parts:
        assert part in run.stderr


# The disk.


@pytest.mark.parametrize("write", WRITES)
def test_a_disk_that_is_full_from_any_write_on(firm, as_cron, require_program, tmp_path, write):
    saved = tmp_path / "saved.db"
    shutil.copyfile(firm.home.database_file, saved)
    firm.sync(full=True)
    after = read_clients(firm)
    shutil.copyfile(saved, firm.home.database_file)
    before = read_clients(firm)
    inject = f"inject=pwrite64:error=ENOSPC:when={write}+"
    run = as_cron("--full", tracer=(require_program("strace"), "-f", "-o", "/dev/null", "-e", inject))
    if run.returncode:
        check_words(run, 9, "Make room on the disk that holds")
        check_whole(firm, before)
    else:  # committed, and only the tidying up found no room
        check_whole(firm, after)
    check_next_run(firm)


def test_a_home_that_is_read_only(firm, as_cron, require_program):
    folder = firm.home.data_folder
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    prefix = (require_program("unshare"), "--mount", "--map-root-user", "sh", "-c", script, str(folder))
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount anything here")
    before = read_clients(firm)
    check_words(as_cron(prefix=prefix), 9, "Read-only file system", f"Give its owner the right to write to {folder}")
    check_whole(firm, before)
    check_next_run(firm)


# The database.


def test_a_database_that_is_locked_for_a_while_is_waited_for(firm):
    with closing(sqlite3.connect(firm.home.database_file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
        check_next_run(firm)


def test_a_database_that_stays_locked_ends_the_run(firm, monkeypatch):
    monkeypatch.setattr("xpmsync.active.database.BUSY_TIMEOUT_SECONDS", 0.3)
    before = read_clients(firm)
    with closing(sqlite3.connect(firm.home.database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError) as caught:
            firm.sync()
    assert caught.value.remedy.startswith("Another program is writing to it: close that program")
    check_whole(firm, before)
    check_next_run(firm)


def spoil(content, begin, end=None):
    return content[:begin] + b"\xa5" * ((end or begin + PAGE) - begin) + content[end or begin + PAGE :]


def find_page(file, kind, table):
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE type = ? AND tbl_name = ? ORDER BY name"
        return (connection.execute(query, (kind, table)).fetchone()[0] - 1) * PAGE


@pytest.mark.parametrize("damage", ["header", "table", "index", "page in the middle", "truncated"])
def test_a_damaged_database_is_to_be_restored(firm, tmp_path, damage):
    file, saved = firm.home.database_file, tmp_path / "saved.db"
    shutil.copyfile(file, saved)
    content = file.read_bytes()
    file.write_bytes(
        {
            "header": lambda: spoil(content, 0, 100),
            "table": lambda: spoil(content, find_page(file, "table", "clients")),
            "index": lambda: spoil(content, find_page(file, "index", "clients")),
            "page in the middle": lambda: spoil(content, len(content) // 2 // PAGE * PAGE),
            "truncated": lambda: content[: len(content) // 2],
        }[damage]()
    )
    with pytest.raises(DatabaseError) as caught:
        firm.sync(full=True)
    assert caught.value.remedy.startswith("Restore it from your last backup")
    for each in firm.home.data_folder.glob("active.db*"):
        each.unlink()
    shutil.copyfile(saved, file)
    check_next_run(firm)


def test_a_write_ahead_log_that_is_no_such_thing_is_set_aside(firm):
    before = read_clients(firm)
    firm.home.database_file.with_name("active.db-wal").write_bytes(os.urandom(50_000))
    check_whole(firm, before)
    check_next_run(firm)


# The computer.


@pytest.mark.parametrize("descriptors", [7, 8, 9, 10])
def test_a_process_that_may_open_few_files(firm, as_cron, descriptors):
    before = read_clients(firm)
    run = as_cron(limit=(resource.RLIMIT_NOFILE, (descriptors, descriptors)))
    assert run.returncode in (4, 6, 9)
    check_words(run, run.returncode)
    check_whole(firm, before)
    check_next_run(firm)


def test_a_process_that_gets_little_memory(firm, as_cron):
    before = read_clients(firm)
    run = as_cron(limit=(resource.RLIMIT_AS, (64 << 20, 64 << 20)))
    assert run.returncode != 0
    check_whole(firm, before)
    check_next_run(firm)


def test_cron_s_few_variables_and_a_home_with_spaces_and_umlauts(firm, as_cron):
    folder = firm.home.data_folder.with_name("Büro Müller & Söhne – “XPM”")
    firm.home.data_folder.rename(folder)
    run = as_cron(home=folder)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    moved = type(firm)(Home(folder, folder), firm.sandbox)
    check_next_run(moved)


# The time.


def jumping(*moments):
    """A clock that tells these moments one after the other, and then the last one."""
    remaining = list(moments)
    return Clock(now=lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0], sleep=lambda _: None)


NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


@pytest.mark.parametrize(
    "moments",
    [[NOW + YEAR], [NOW - YEAR], [NOW, NOW, NOW + YEAR], [NOW, NOW, NOW - timedelta(hours=2)], [NOW, NOW - YEAR]],
    ids=["a year ahead", "a year behind", "ahead on the way", "two hours back on the way", "a year back on the way"],
)
def test_a_clock_that_is_wrong_costs_no_data(firm, moments):
    firm.sync(clock=jumping(*moments))
    check_next_run(firm)
    firm.sandbox.clock.advance(3_600)
    uuid = next(row["uuid"] for row in firm.rows("SELECT xpm_client_uuid AS uuid FROM clients WHERE status = 'active'"))
    firm.practice.edit_client(uuid, fax="(02) 5550 4321")
    firm.sync()
    assert firm.rows("SELECT fax FROM clients WHERE xpm_client_uuid = ?", uuid) == [{"fax": "(02) 5550 4321"}]


@pytest.mark.parametrize("zone", ["Australia/Sydney", "Pacific/Chatham", "America/St_Johns", "Europe/Berlin"])
def test_a_time_zone_and_the_change_to_daylight_saving_change_nothing(firm, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        begin = datetime(2026, 10, 3, 15, 17, tzinfo=UTC) + timedelta(days=365)  # Sydney's clocks go forward at 16:00
        firm.sync(full=True, clock=Clock(now=lambda: begin))
        due_at = next_full_at(begin, firm.sandbox.tenant_id, 24)
        for earlier, moment in pairwise(begin + timedelta(hours=hours) for hours in range(4)):
            firm.sandbox.clock.advance(3_600)
            mode = firm.sync(clock=Clock(now=lambda moment=moment: moment)).mode
            assert mode == ("full" if earlier < due_at <= moment else "incremental")
    finally:
        monkeypatch.undo()
        time.tzset()
    started = [row["started_at"] for row in firm.rows("SELECT started_at FROM sync_runs ORDER BY id")][1:]
    assert started == [f"{begin + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in range(4)]
