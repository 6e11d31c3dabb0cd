"""Who was alerted is remembered across crashes, clocks, parallel processes and disks in trouble."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.cli import run
from xpmsync.notify.alert_file import (
    FILE_BYTES,
    MOST_ADDRESSES,
    SLOT_BYTES,
    AlertFile,
    AlertFileError,
    AlertRecord,
    Recipient,
    ReservationLost,
    combine,
    find_recipient,
)
from xpmsync.notify.health import Failure, Health
from xpmsync.records import User

NOW = datetime(2026, 11, 1, 14, 7, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANN, BOB = "ann@firm.example", "bob@firm.example"


class Watch:
    """A clock that stands until it is set."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "alerts.dat"


@pytest.fixture
def alerts(path, watch):
    return AlertFile(path, watch)


def reserves(alerts, address=ANN):
    return alerts.reserve(address) is not None


# At most one in 24 hours.


@pytest.mark.parametrize(
    ("later", "is_free"),
    [
        (timedelta(0), False),
        (DAY - SECOND, False),
        (DAY, True),
        (-2 * SECOND, False),
        (-HOUR, False),
        (-HOUR - SECOND, True),
    ],
)
def test_an_alert_counts_for_24_hours_and_up_to_an_hour_ahead_of_the_clock(alerts, watch, later, is_free):
    alerts.confirm(alerts.reserve(ANN))
    watch.now = NOW + later
    assert reserves(alerts) is is_free


@pytest.mark.parametrize(
    ("later", "is_free"),
    [(timedelta(0), False), (10 * MINUTE - SECOND, False), (10 * MINUTE, True), (-HOUR, False), (-2 * HOUR, True)],
)
def test_a_reservation_without_a_text_counts_until_its_process_must_have_died(alerts, watch, later, is_free):
    alerts.reserve(ANN)
    watch.now = NOW + later
    assert reserves(alerts) is is_free


def test_a_process_that_was_held_up_sends_nothing_once_another_has_its_reservation(alerts, watch):
    held_up = alerts.reserve(ANN)
    watch.now = NOW + 11 * MINUTE
    alerts.confirm(alerts.reserve(ANN))
    with pytest.raises(ReservationLost):
        alerts.confirm(held_up)
    alerts.release(held_up, is_refused=True)
    assert not reserves(alerts)


def test_a_process_that_was_given_up_sends_nothing(alerts):
    reservation = alerts.reserve(ANN)
    alerts.release(reservation, is_refused=True)
    with pytest.raises(ReservationLost):
        alerts.confirm(reservation)
    assert reserves(alerts)


@pytest.mark.parametrize(("is_out", "is_refused", "is_free"), [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 1)])
def test_what_is_not_sent_is_given_back_unless_the_server_may_have_it(alerts, watch, is_out, is_refused, is_free):
    alerts.confirm(alerts.reserve(ANN))
    watch.now = NOW + DAY
    reservation = alerts.reserve(ANN)
    if is_out:
        alerts.confirm(reservation)
    alerts.release(reservation, is_refused=bool(is_refused))
    assert bool(alerts.load().find(ANN).failed_at) is bool(is_free)
    assert reserves(alerts) is bool(is_free)


def test_a_refusal_leaves_the_alert_before_it_as_it_was(alerts, watch):
    alerts.confirm(alerts.reserve(ANN))
    watch.now = NOW - 2 * HOUR  # the clock is set back; later it is right again
    alerts.release(alerts.reserve(ANN), is_refused=True)
    watch.now = NOW + HOUR
    assert not reserves(alerts)


def test_each_address_has_its_own_24_hours_whatever_its_case(alerts):
    assert reserves(alerts)
    assert reserves(alerts, "it@help.example")
    assert not reserves(alerts, "Ann@Firm.example")
    assert alerts.claim("standard error")
    assert not alerts.claim("standard error")


def test_a_success_and_another_recipient_change_nothing_about_who_was_alerted(alerts):
    alerts.confirm(alerts.reserve(ANN))
    alerts.record_success(NOW, Recipient("bob@firm.example", "u2", "bob@firm.example", is_active=True))
    assert not reserves(alerts)


def test_the_time_is_read_once_the_lock_is_held(path, watch):
    other = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(other, fcntl.LOCK_EX)

    def now():
        assert is_released
        return watch()

    is_released = False
    script = "import sys, time; time.sleep(0.3); sys.exit(0)"
    releasing = subprocess.Popen([sys.executable, "-c", script], pass_fds=[other])
    os.close(other)  # the other process has it now, until it ends
    is_released = True
    AlertFile(path, now).reserve(ANN)
    assert releasing.poll() is not None


PROCESS = """
import pathlib, sys, time
from xpmsync.notify.alert_file import AlertFile
alerts = AlertFile(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(alerts.reserve("ann@firm.example") is not None, flush=True)
"""


def test_of_processes_that_ask_at_once_one_gets_it_also_where_none_has_made_the_file(path):
    command = [sys.executable, "-c", PROCESS, str(path)]
    processes = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(process.communicate()[0] for process in processes) == ["False\n"] * 3 + ["True\n"]


# The file.


def test_the_file_has_its_full_size_in_real_bytes_from_the_start_and_keeps_it(alerts, path):
    alerts.create()
    status = path.stat()
    assert (status.st_size, status.st_mode & 0o777) == (FILE_BYTES, 0o600)
    assert status.st_blocks * 512 >= FILE_BYTES
    for _ in range(3):
        alerts.claim("a")
        alerts.save_recipient(None)
    assert (path.stat().st_size, path.stat().st_ino) == (FILE_BYTES, status.st_ino)


def test_everything_is_read_as_it_was_written(alerts):
    recipient = Recipient("ann@firm.example", "u1", "māra@firm.example", is_active=False)
    alerts.record_success(NOW - HOUR, recipient)
    alerts.record_failure(Failure(8, NOW, "Too much.", "Look.", 12))
    alerts.record_failure(Failure(9, NOW + HOUR, "No room.\n  none", None))
    alerts.claim("standard error")
    assert alerts.load() == AlertRecord(
        first_sync_at=NOW - HOUR,
        last_success_at=NOW - HOUR,
        last_failure=Failure(9, NOW + HOUR, "No room.\n  none", None),
        first_failure_at=NOW,
        recipient=recipient,
        addresses=alerts.load().addresses,
    )
    assert alerts.load().find("standard error").sent_at == NOW


def test_the_fullest_record_fits(alerts, watch):
    awkward = '"\\\x00' * 2_000
    long = f"{chr(0x1F9FE) * 240}@firm.example"
    alerts.record_failure(Failure(5, NOW, awkward, awkward, 10**9))
    alerts.save_recipient(Recipient(long, "u" * 36, long, is_active=True))
    for number in range(MOST_ADDRESSES + 5):
        watch.now += SECOND
        address = f"{number}{long}"
        alerts.release(alerts.reserve(address), is_refused=True)
        reservation = alerts.reserve(address)
        assert reservation is not None
    assert len(alerts.load().addresses) == MOST_ADDRESSES
    assert not reserves(alerts, address)


@pytest.mark.parametrize("cut", [0, 1, 64, 100, 8_000, SLOT_BYTES - 1])
@pytest.mark.parametrize("slot", [0, 1])
def test_a_write_that_is_cut_off_leaves_the_one_before_it(alerts, path, slot, cut):
    alerts.claim("first")
    if slot == 0:
        alerts.claim("second")
    before = path.read_bytes()
    alerts.claim("last")
    after = path.read_bytes()
    start = slot * SLOT_BYTES if before[:SLOT_BYTES] != after[:SLOT_BYTES] else SLOT_BYTES
    torn = before[:start] + after[start : start + cut] + before[start + cut :]
    path.write_bytes(torn)
    assert alerts.load().find("first").sent_at == NOW
    if torn != after:
        assert alerts.load().find("last").sent_at is None
        assert alerts.claim("last")
    assert not alerts.claim("first")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * FILE_BYTES, b" " * 100, b"x" * FILE_BYTES * 2])
def test_a_file_that_holds_nothing_of_ours_is_filled_again(alerts, path, content):
    path.write_bytes(content)
    assert alerts.load() == AlertRecord()
    assert reserves(alerts)
    assert not reserves(alerts)
    assert path.stat().st_size >= FILE_BYTES


def test_a_record_of_another_version_is_none(alerts, path, caplog):
    text = json.dumps({"number": 7, "addresses": {"a": {"sent_at": 5}}}).encode()
    path.write_bytes((hashlib.sha256(text).hexdigest().encode() + b" " + text).ljust(FILE_BYTES))
    assert alerts.load() == AlertRecord()
    assert "cannot read" in caplog.text
    assert reserves(alerts)


def test_a_file_that_is_gone_is_empty_and_made_again(alerts, path):
    alerts.claim("a")
    path.unlink()
    assert alerts.load() == AlertRecord()
    assert alerts.claim("a")


@contextmanager
def locked(path):
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_a_file_that_another_process_never_lets_go_of_can_be_read_and_not_written(alerts, path, monkeypatch):
    alerts.claim("a")
    monkeypatch.setattr("xpmsync.notify.alert_file.LOCK_SECONDS", 0.1)
    with locked(path):
        assert alerts.load().find("a").sent_at == NOW
        began_at = time.monotonic()
        with pytest.raises(AlertFileError, match="another xpmsync does not let go of it"):
            alerts.claim("b")
        assert time.monotonic() - began_at < 2


def test_a_sync_that_succeeds_says_that_the_file_cannot_be_written_once_a_day_when_it_is_a_full_one(
    make_firm, monkeypatch, capfd
):
    firm = make_firm()
    assert run(["sync"]) == 0
    monkeypatch.setattr("xpmsync.notify.alert_file.LOCK_SECONDS", 0.1)
    capfd.readouterr()
    with locked(firm.home.alert_file):
        assert run(["sync"]) == 0
        assert capfd.readouterr().err == ""
        assert run(["sync", "--full"]) == 0
        assert capfd.readouterr().err.startswith(f"No alert can be sent: The alert file {firm.home.alert_file}")


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_what_is_no_file_of_ours_is_neither_followed_nor_waited_for(alerts, path, tmp_path, kind):
    other = tmp_path / "other"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(other)
        if kind == "link":
            other.write_text("mine")
    assert alerts.load() == AlertRecord()
    with pytest.raises(AlertFileError, match=r"alerts\.dat cannot be written: "):
        alerts.create()
    assert kind != "link" or other.read_text() == "mine"
    assert kind != "dangling link" or not other.exists()


def test_a_file_that_has_a_second_name_is_made_anew_and_keeps_who_was_alerted(alerts, path):
    alerts.claim("a")
    path.with_name("copy").hardlink_to(path)
    with pytest.raises(AlertFileError, match="it has another name too"):
        alerts.claim("b")
    assert alerts.put_right() is None  # nothing to tell: nothing is lost
    assert not alerts.claim("a")
    assert alerts.claim("b")
    assert alerts.put_right() is None


def test_a_disk_that_takes_only_a_part_at_once_gets_all_of_it(alerts, path, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr(
        "os.pwrite", lambda descriptor, content, position: pwrite(descriptor, content[:1_000], position)
    )
    assert alerts.claim("a")
    assert not alerts.claim("a")
    assert path.stat().st_size == FILE_BYTES


# Who gets them.


def user(number, email, status="active"):
    return User(f"u{number}", "Ann", "Lee", email, None, None, status, None)


KNOWN = Recipient(ANN, "u1", ANN, is_active=True)
FOLLOWED = Recipient(ANN, "u1", "ann@new.example", is_active=True)


@pytest.mark.parametrize(
    ("chosen", "known", "users", "expected"),
    [
        (None, KNOWN, [user(1, ANN)], None),
        ("Ann@firm.example", None, [user(1, ANN)], ("u1", ANN, True)),
        (ANN, None, [user(1, "bob@firm.example")], (None, ANN, False)),
        (ANN, None, [], (None, ANN, True)),
        (ANN, KNOWN, [user(1, "ann@new.example")], ("u1", "ann@new.example", True)),
        (ANN, KNOWN, [user(1, "ann@new.example"), user(2, ANN)], ("u1", "ann@new.example", True)),
        (ANN, KNOWN, [user(1, ANN, "removed")], ("u1", ANN, False)),
        (ANN, KNOWN, [user(1, ANN, "deactivated")], ("u1", ANN, False)),
        (ANN, FOLLOWED, [], ("u1", "ann@new.example", True)),
        (ANN, FOLLOWED, [user(2, "ann@new.example")], ("u2", "ann@new.example", True)),
        (ANN, FOLLOWED, [user(2, ANN)], ("u2", ANN, True)),
        (
            "bob@firm.example",
            FOLLOWED,
            [user(1, "ann@new.example"), user(2, "bob@firm.example")],
            ("u2", "bob@firm.example", True),
        ),
        ("bob@firm.example", FOLLOWED, [], (None, "bob@firm.example", True)),
    ],
    ids=[
        "nobody is chosen",
        "looked up by address, whatever its case",
        "nobody has the address",
        "the database cannot be read, and never was",
        "followed to another address",
        "followed although somebody else has the old address now",
        "has left",
        "was switched off",
        "the database cannot be read: the address of before",
        "merged into another who has the address",
        "merged into another who has the chosen address",
        "another one is chosen",
        "another one is chosen, and the database cannot be read",
    ],
)
def test_the_recipient_is_chosen_by_address_and_followed_by_id(chosen, known, users, expected):
    found = find_recipient(chosen, known, users)
    assert (found and (found.user_id, found.address, found.is_active)) == expected
    assert found is None or found.chosen == chosen


# How the syncs went.


def test_the_later_of_what_file_and_database_say_counts():
    record = AlertRecord(NOW, NOW + HOUR, Failure(9, NOW + 3 * HOUR, "Full."), NOW + 2 * HOUR)
    older = Health(NOW - DAY, NOW, Failure(7, NOW + 2 * HOUR, "PermanentError."), NOW + HOUR)
    now = NOW + DAY
    assert combine(record, None, now) == Health(NOW, NOW + HOUR, record.last_failure, NOW + 2 * HOUR)
    assert combine(record, older, now) == Health(NOW - DAY, NOW + HOUR, record.last_failure, NOW + HOUR)
    newer = Health(NOW - DAY, NOW + 5 * HOUR, Failure(7, NOW + 6 * HOUR, "PermanentError."), None)
    assert combine(record, newer, now).last_failure == newer.last_failure
    assert combine(record, newer, now).last_success_at == NOW + 5 * HOUR
    assert combine(AlertRecord(), newer, now) == newer
    assert combine(AlertRecord(last_success_at=now + DAY), newer, now) == newer  # a clock was ahead
