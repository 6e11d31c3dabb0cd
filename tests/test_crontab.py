import sys
from datetime import datetime

import pytest

from xpmsync.cli.crontab import render_crontab
from xpmsync.config import Config, KeyringSettings
from xpmsync.crontab import find_next_time, parse_crontab

NOW = datetime(2026, 11, 4, 14, 17, 30).astimezone()  # a Wednesday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("17 * * * *", "11-04 15:17"),
        ("18 * * * *", "11-04 14:18"),
        ("@hourly", "11-04 15:00"),
        ("@daily", "11-05 00:00"),
        ("*/20 * * * *", "11-04 14:20"),
        ("5,35 8-12 * * *", "11-05 08:05"),
        ("0 8-18/5 * * *", "11-04 18:00"),
        ("17 7-18 * * 1-5", "11-04 15:17"),
        ("17 9 * * 0", "11-08 09:17"),
        ("17 9 * * 7", "11-08 09:17"),
        ("17 9 6 * *", "11-06 09:17"),
        ("17 9 */2 * *", "11-05 09:17"),
        ("17 9 6 * 4", "11-05 09:17"),
        ("17 9 * 12 *", None),
        ("17 9 * * MON", None),
        ("99 * * * *", None),
        ("@reboot", None),
    ],
)
def test_the_next_time_of_a_schedule_is_told_by_the_clock_on_the_wall(schedule, expected):
    found = find_next_time(schedule, NOW)
    assert (found and found.strftime("%m-%d %H:%M")) == expected


def test_a_moment_that_is_now_is_not_the_next_one():
    assert find_next_time("17 14 * * *", NOW.replace(second=0)).day == 5


def test_the_next_time_of_a_command_is_that_of_its_first_line_to_come():
    crontab = parse_crontab(
        "45 * * * * /opt/xpmsync sync\n30 * * * * /opt/xpmsync sync\n*/10 * * * * /opt/xpmsync notify\n"
    )
    assert crontab.find_next("sync", NOW).minute == 30
    assert crontab.find_next("notify", NOW).minute == 20
    assert crontab.find_next("report", NOW) is None


@pytest.mark.parametrize(
    ("program", "home", "bus", "key_file", "variables", "command"),
    [
        ("/opt/x/bin/xpmsync", "", "", None, [], "/opt/x/bin/xpmsync"),
        ("/opt/x/xpmsync/__main__.py", "", "", None, [], f"{sys.executable} -m xpmsync"),
        ("/opt/90 %/xpmsync", "/srv/firm", "", None, ["XPMSYNC_HOME=/srv/firm"], r"'/opt/90 \%/xpmsync'"),
        ("/opt/xpmsync", "", "unix:path=/bus", None, ["DBUS_SESSION_BUS_ADDRESS=unix:path=/bus"], "/opt/xpmsync"),
        ("/opt/xpmsync", "", "unix:path=/bus", "/etc/xpmsync/keyring.key", [], "/opt/xpmsync"),
    ],
    ids=["the command", "the package", "a home of its own", "a desktop's keyring", "a keyring of our own"],
)
def test_the_lines_to_paste_hold_all_that_cron_needs(monkeypatch, program, home, bus, key_file, variables, command):
    monkeypatch.setattr(sys, "argv", [program, "configure"])
    monkeypatch.setenv("XPMSYNC_HOME", home)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus)
    assert render_crontab(Config(keyring=KeyringSettings(key_file=key_file))).splitlines() == [
        *variables,
        f"17 * * * * {command} sync",
        f"*/10 * * * * {command} notify",
    ]
