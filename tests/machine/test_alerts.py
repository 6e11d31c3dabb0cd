"""A database, a folder or a disk in trouble: one email in 24 hours says so, and none of them is needed for it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.home import Home
from xpmsync.notify.alert_file import FILE_BYTES, AlertFile
from xpmsync.sandbox import Practice
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.system.clock import Clock
from xpmsync.system.timestamps import from_text, to_text

ORDERS = [("sync", "notify", "sync", "notify"), ("notify", "notify", "sync", "notify")]


@pytest.fixture
def mailbox():
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def firm(make_firm, mailbox):
    practice = Practice.generate(clients=60, staff=6, seed=7)
    practice.add_staff("Ann Lee", "ann@example.com")
    firm = make_firm(practice)
    settings = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "from": "sync@example.com"}
    change_config(firm.home, {f"smtp.{key}": value for key, value in settings.items()})
    change_config(firm.home, {"notify.email": "ann@example.com"})
    firm.sync()
    return firm


def check_email(mailbox, *, said="its database cannot be used"):
    (message,) = mailbox.messages
    assert message["To"] == "ann@example.com"
    assert message["Subject"].endswith(said)
    # When a sync last succeeded is in the alert file as well.
    assert "Active still holds the data of" in " ".join(message.get_content().split())


def check_fixed(firm, mailbox):
    """Once the cause is gone the sync goes on, and another failure is within the same 24 hours."""
    assert run(["sync"]) == 0
    with firm.sandbox.faults.active("user-revoked"):
        assert run(["sync"]) == 7
    assert run(["notify"]) == 0
    assert len(mailbox.messages) == 1
    assert {row["status"] for row in firm.rows("SELECT status FROM sync_runs")} == {"succeeded", "failed"}


# The clock.


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(minutes=2)])
def test_a_sync_whose_clock_was_ahead_counts_from_when_it_was_by_xeros(firm, mailbox, ahead):
    firm.write("UPDATE sync_runs SET started_at = '2026-01-01T00:00:00Z', finished_at = '2026-01-01T00:00:01Z'")
    firm.sync(is_watched=False, clock=Clock(now=lambda: datetime.now(UTC) + ahead, sleep=lambda _: None))
    assert run(["notify"]) == 0
    assert mailbox.messages == []
    (row,) = firm.rows("SELECT cursor_at FROM sync_runs WHERE id = 2")
    earlier = to_text(from_text(row["cursor_at"]) - timedelta(hours=4))
    firm.write("UPDATE sync_runs SET cursor_at = ? WHERE id = 2", earlier)
    assert run(["notify"]) == 0
    (message,) = mailbox.messages
    assert "No run has succeeded for 4 hours." in " ".join(message.get_content().split())


# The database.


def spoil(file):
    file.write_bytes(b"\xa5" * 100 + file.read_bytes()[100:])


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("damage", [spoil, cut, Path.unlink])
def test_of_a_database_that_is_damaged_or_gone_one_email_is_sent(firm, mailbox, tmp_path, damage, order):
    file, saved = firm.home.database_file, tmp_path / "saved.db"
    shutil.copyfile(file, saved)
    damage(file)
    for command in order:
        assert run([command]) == 9 or command == "notify"
    check_email(mailbox)
    for each in firm.home.data_folder.glob("active.db*"):
        each.unlink()
    shutil.copyfile(saved, file)
    check_fixed(firm, mailbox)


@contextmanager
def locked(file, how):
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        if how == "EXCLUSIVE":
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute(f"BEGIN {how}")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("IMMEDIATE", id="for writing"),
        pytest.param("EXCLUSIVE", id="for reading too", marks=pytest.mark.slow),  # each alert waits for the lock
    ],
)
def test_a_database_that_is_locked_for_ever_fails_the_sync_alone_and_one_email_is_sent(
    firm, mailbox, capfd, monkeypatch, how
):
    monkeypatch.setattr("xpmsync.active.database.BUSY_TIMEOUT_SECONDS", 0.2)
    capfd.readouterr()
    with locked(firm.home.database_file, how):
        began_at = time.monotonic()
        assert run(["notify"]) == 0
        assert time.monotonic() - began_at < 10
        assert capfd.readouterr() == ("", "")
        assert mailbox.messages == []
        monkeypatch.setattr("xpmsync.notify.situation.BUSY_SECONDS", 0.2)
        assert [run([command]) for command in ("sync", "sync", "notify")] == [9, 9, 0]
    check_email(mailbox)
    check_fixed(firm, mailbox)


def test_that_no_sync_succeeds_for_hours_is_noticed_while_the_database_is_locked(firm, mailbox, monkeypatch):
    monkeypatch.setattr("xpmsync.notify.situation.BUSY_SECONDS", 0.2)
    alerts = AlertFile(firm.home.alert_file)
    alerts.record_success(datetime.now(UTC) - timedelta(hours=2, minutes=50), alerts.load().recipient)
    with locked(firm.home.database_file, "EXCLUSIVE"):
        assert run(["notify"]) == 0
        assert mailbox.messages == []
        alerts.record_success(datetime.now(UTC) - timedelta(hours=3, minutes=10), alerts.load().recipient)
        assert [run(["notify"]) for _ in range(2)] == [0, 0]
    check_email(mailbox, said="the sync has not succeeded for hours")


def test_a_lock_that_comes_while_a_sync_is_at_work_leaves_a_row_that_fails_at_the_next_sync(firm, mailbox, monkeypatch):
    monkeypatch.setattr("xpmsync.active.database.BUSY_TIMEOUT_SECONDS", 0.2)
    other = sqlite3.connect(firm.home.database_file, isolation_level=None, check_same_thread=False)

    def lock():
        while not any("staff.api" in request.path for request in firm.sandbox.requests):
            time.sleep(0.01)
        other.execute("BEGIN IMMEDIATE")

    firm.sandbox.requests.clear()
    threading.Thread(target=lock).start()
    with firm.sandbox.faults.active("slow", path="staff.api", delay_seconds=1):
        assert run(["sync"]) == 9
    assert [run(["notify"]) for _ in range(2)] == [0, 0]
    check_email(mailbox)
    assert firm.rows("SELECT status FROM sync_runs ORDER BY id DESC LIMIT 1") == [{"status": "running"}]
    other.close()
    check_fixed(firm, mailbox)
    (row,) = firm.rows("SELECT status, exit_code, message FROM sync_runs WHERE id = 2")
    assert (row["status"], row["exit_code"]) == ("failed", 9)
    assert "database is locked" in row["message"]


@pytest.mark.slow
def test_of_four_watchmen_in_as_many_seconds_one_sends_while_another_program_writes(firm, mailbox):
    change_config(firm.home, {"smtp.port": 1})
    with firm.sandbox.faults.active("user-revoked"):
        assert run(["sync"]) == 7
    change_config(firm.home, {"smtp.port": mailbox.port})
    with locked(firm.home.database_file, "IMMEDIATE"):
        processes = []
        for _ in range(4):
            processes.append(subprocess.Popen([sys.executable, "-m", "xpmsync", "notify"], stdout=-1, stderr=-1))
            time.sleep(0.3)
        assert [process.communicate() for process in processes] == [(b"", b"")] * 4
    assert [process.returncode for process in processes] == [0] * 4
    (message,) = mailbox.messages
    assert message["Subject"].endswith("Xero refuses it")


# Modes and owners. Root is kept out by them here as well.


def close_database(home):
    home.database_file.chmod(0o400)


def give_database_away(home):
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(home.database_file, 12_345, 12_345)


def close_folder(home):
    home.data_folder.chmod(0o500)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("close", [close_database, give_database_away, close_folder])
def test_of_a_database_that_may_not_be_written_one_email_is_sent(firm, mailbox, run_shut_out, close, order):
    close(firm.home)
    for command in order:
        process = run_shut_out(command)
        assert process.returncode == 9 or command == "notify"
        assert command == "sync" or process.stdout + process.stderr == ""
    check_email(mailbox)
    firm.home.data_folder.chmod(0o700)
    firm.home.database_file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(firm.home.database_file, 0, 0)
    check_fixed(firm, mailbox)


# The disk.


def mount(place, kind):
    """A small disk at a place. One of ext4 has small blocks, where SQLite needs most care."""
    options = ["-t", "tmpfs", "-o", "size=8m", "none"]
    if kind == "ext4":
        image = place.with_name("image")
        image.touch()
        os.truncate(image, 8_000_000)
        program = shutil.which("mkfs.ext4") or "false"
        command = [program, "-q", "-F", "-m", "0", "-b", "1024", "-O", "^has_journal", image]
        if subprocess.run(command, check=False).returncode:
            return False
        options = ["-o", "loop", image]
    return subprocess.run([shutil.which("mount"), *options, place], check=False, capture_output=True).returncode == 0


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(request, firm, tmp_path, monkeypatch, run_shut_out):
    """A small disk with the home on it; gives the home, a filler that leaves so many KB, and where the disk is."""
    if os.geteuid():
        pytest.skip("only root mounts a disk")
    place = tmp_path / "disk"
    place.mkdir()
    if not mount(place, request.param):
        pytest.skip("nothing may be mounted here")
    folder = place / "home"
    shutil.copytree(firm.home.data_folder, folder)
    monkeypatch.setenv("XPMSYNC_HOME", str(folder))
    home = Home(folder, folder)
    home.alert_file.unlink()
    assert run_shut_out("sync").returncode == 0  # makes the alert file, on this disk

    def fill(free_kilobytes):
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\xa5" * 65_536)
        os.truncate(filler, filler.stat().st_size - free_kilobytes * 1024)
        os.sync()

    yield home, fill, place
    subprocess.run([shutil.which("umount"), "--lazy", place], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("free_kilobytes", [0, 8, 40])
def test_of_a_disk_that_is_full_one_email_is_sent(firm, mailbox, disk, run_shut_out, free_kilobytes, order):
    home, fill, place = disk
    fill(free_kilobytes)
    for command in order:
        process = run_shut_out(command)
        assert process.returncode == 9 or command == "notify", process.stderr
        assert command == "sync" or process.stdout + process.stderr == ""
    check_email(mailbox)
    assert home.alert_file.stat().st_size == FILE_BYTES
    (place / "filler").unlink()
    check_fixed(type(firm)(home, firm.sandbox), mailbox)


@pytest.mark.slow
def test_of_a_disk_that_is_read_only_standard_error_has_one_line_and_nobody_is_mailed(mailbox, disk, run_shut_out):
    home, _, place = disk
    subprocess.run([shutil.which("mount"), "-o", "remount,ro", place], check=True)
    try:
        for _ in range(2):
            process = run_shut_out("sync")
            assert process.returncode == 9
            (line,) = [line for line in process.stderr.splitlines() if "alert" in line]
            assert line == (
                f"No alert can be sent: The alert file {home.alert_file} cannot be written: Read-only file system. "
                "Give its owner the right to write to it, on a disk that has room and is not read-only."
            )
            assert (run_shut_out("notify").stdout, run_shut_out("notify").stderr) == ("", "")
    finally:
        subprocess.run([shutil.which("mount"), "-o", "remount,rw", place], check=True)
    assert mailbox.messages == []
