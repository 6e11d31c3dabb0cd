import os
import pwd
import sys
from datetime import datetime
from pathlib import Path

import pytest

from xpmsync.cli.crontab import render_crontab
from xpmsync.config import Config, KeyringSettings
from xpmsync.crontab import find_next_time, make_environment, parse_crontab
from xpmsync.home import find_home

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


def test_cron_gives_its_own_environment_and_the_variables_above_a_line():
    crontab = parse_crontab(
        "MAILTO=ann@example.com\n"
        " 'NAME' = \"two words\" \n"
        "LOGNAME=somebody\n"
        "0 5 * * 1 tar -zcf /var/backups/home.tgz /home/\n"
        "XPMSYNC_HOME=/srv/firm\n"
        "@hourly /opt/x/bin/python3 -m xpmsync sync --strict\n"
        "AFTER=1\n"
        "*/10 * * * * '/opt/my tools/xpmsync' notify\n"
    )
    user = pwd.getpwuid(os.geteuid())
    assert make_environment(crontab.jobs[0].variables) == {
        "HOME": user.pw_dir,
        "LOGNAME": user.pw_name,
        "SHELL": "/bin/sh",
        "PATH": "/usr/bin:/bin",
        "MAILTO": "ann@example.com",
        "NAME": "two words",
        "XPMSYNC_HOME": "/srv/firm",
    }
    assert crontab.runs("sync")
    assert crontab.runs("notify")
    assert [job.find_missing_program() for job in crontab.jobs] == ["/opt/x/bin/python3", "/opt/my tools/xpmsync"]


def test_each_line_of_the_crontab_belongs_to_the_home_that_is_set_for_it():
    crontab = parse_crontab(
        "XPMSYNC_HOME=/srv/a\n17 * * * * xpmsync sync\n"
        "27 * * * * cd / && XPMSYNC_HOME='/srv/the b' LANG=C.UTF-8 xpmsync sync\n"
        "XPMSYNC_HOME=/srv/c\n*/10 * * * * xpmsync notify\n"
    )
    a, b, c, d = (crontab.of(find_home({"XPMSYNC_HOME": f"/srv/{name}"})) for name in ("a", "the b", "c", "d"))
    assert [job.schedule for job in (*a.jobs, *b.jobs, *c.jobs)] == ["17 * * * *", "27 * * * *", "*/10 * * * *"]
    assert not c.runs("sync")
    assert d.jobs == ()
    assert crontab.find_variables(find_home({"XPMSYNC_HOME": "/srv/c"})) == {"XPMSYNC_HOME": "/srv/c"}
    assert crontab.find_variables(find_home({"XPMSYNC_HOME": "/srv/d"})) == {"XPMSYNC_HOME": "/srv/a"}


def test_the_example_runs_the_sync_every_hour_off_the_full_hour_and_the_watchman_every_ten_minutes():
    text = (Path(__file__).parent.parent / "crontab.example").read_text("utf-8")
    crontab = parse_crontab(text)
    assert [(job.schedule, job.command.split()[1]) for job in crontab.jobs] == [
        ("17 * * * *", "sync"),
        ("*/10 * * * *", "notify"),
    ]
    assert crontab.find_variables(find_home({})) == {"MAILTO": "YOU@EXAMPLE.COM"}
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    assert len(lines) == 3
    assert not any("%" in line for line in lines)


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
