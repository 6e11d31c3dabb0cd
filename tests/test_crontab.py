import os
import pwd
import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from xpmsync.cli import run
from xpmsync.home import find_home, load_home_id
from xpmsync.monitoring.crontab import find_next_time, make_environment, parse_crontab, read_crontab, replace_lines
from xpmsync.rules.schedule import hourly_minute

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
        ("17 9 * * mon-fri", "11-05 09:17"),
        ("17 9 * Dec SUN", "12-06 09:17"),
        ("@midnight", "11-05 00:00"),
        ("@weekly", "11-08 00:00"),
        ("@monthly", "12-01 00:00"),
        ("@yearly", "01-01 00:00"),
        ("@annually", "01-01 00:00"),
        ("99 * * * *", None),
        ("17 9 30 2 *", None),
        ("17 9 * * someday", None),
        ("@reboot", None),
    ],
)
def test_the_next_time_of_a_schedule_is_told_by_the_clock_on_the_wall(schedule, expected):
    found = find_next_time(schedule, NOW)
    assert (found and found.astimezone().strftime("%m-%d %H:%M")) == expected


@pytest.mark.parametrize(
    ("schedule", "now", "expected"),
    [
        # Daylight saving ends: at 03:00 (16:00 UTC) it is 02:00 again.
        ("17 * * * *", "2026-04-04T15:30Z", "2026-04-04T16:17Z"),
        ("*/20 * * * *", "2026-04-04T15:50Z", "2026-04-04T16:00Z"),
        ("17 2 * * *", "2026-04-04T15:10Z", "2026-04-04T15:17Z"),
        ("17 2 * * *", "2026-04-04T15:30Z", "2026-04-05T16:17Z"),
        ("17 9 * * *", "2026-04-04T15:30Z", "2026-04-04T23:17Z"),
        # It begins: at 02:00 (16:00 UTC) it is 03:00.
        ("17 * * * *", "2026-10-03T15:30Z", "2026-10-03T16:17Z"),
        ("17 2 * * *", "2026-10-03T15:30Z", "2026-10-03T16:00Z"),
        ("17 9 * * *", "2026-10-03T15:30Z", "2026-10-03T22:17Z"),
    ],
)
def test_the_next_time_is_right_on_the_days_on_which_the_clocks_change(set_zone, schedule, now, expected):
    set_zone("Australia/Sydney")
    assert find_next_time(schedule, datetime.fromisoformat(now)) == datetime.fromisoformat(expected)


def test_a_moment_that_is_now_is_not_the_next_one():
    assert find_next_time("17 14 * * *", NOW.replace(second=0)).astimezone().day == 5


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


@pytest.mark.parametrize(
    ("line", "is_meant"),
    [
        ("XPMSYNC_HOME=$HOME/firm xpmsync sync", True),
        ('XPMSYNC_HOME="${HOME}/firm" xpmsync sync >> "$HOME/log" 2>&1', True),
        ("XPMSYNC_HOME=$HOME/firm $HOME/bin/xpmsync sync", True),
        ("XPMSYNC_HOME=~/firm xpmsync sync", True),
        ("XPMSYNC_HOME='$HOME/firm' xpmsync sync", False),
        ("XPMSYNC_HOME=\\$HOME/firm xpmsync sync", False),
        ("XPMSYNC_HOME=$HOMER/firm xpmsync sync", False),
        ("XPMSYNC_HOME=~nosuchuser/firm xpmsync sync", False),
    ],
)
def test_a_home_that_the_shell_fills_in_is_recognised(monkeypatch, tmp_path, line, is_meant):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="ann", pw_dir=str(tmp_path)))
    home = find_home({"XPMSYNC_HOME": str(tmp_path / "firm")})
    text = f"17 * * * * {line}\n"
    assert parse_crontab(text).of(home).runs("sync") is is_meant
    assert replace_lines(text, home, []) == ("" if is_meant else text)


def test_the_home_that_the_shell_fills_in_is_the_crontabs_where_it_sets_one():
    crontab = parse_crontab("HOME=/srv/ann\n17 * * * * XPMSYNC_HOME=$HOME/firm xpmsync sync\n")
    assert crontab.of(find_home({"XPMSYNC_HOME": "/srv/ann/firm"})).runs("sync")


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


# What is replaced, and what is not.

OURS = ["1 * * * * XPMSYNC_HOME=/srv/a /new/xpmsync sync", "*/10 * * * * XPMSYNC_HOME=/srv/a /new/xpmsync notify"]
HOME = find_home({"XPMSYNC_HOME": "/srv/a"})
OTHERS = (
    "MAILTO=ann@example.com\r\n"
    "# 17 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync sync\n"
    "\n"
    "17 * * * * XPMSYNC_HOME=/srv/b /old/xpmsync sync\n"
    "17 * * * * /old/xpmsync sync\n"
    "40 3 * * * XPMSYNC_HOME=/srv/a /old/xpmsync backup /b/$(date +\\%a).db\n"
    "0 4 * * 0 XPMSYNC_HOME=/srv/a /old/xpmsync sync --full\n"
    "5 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync sync && touch /tmp/done\n"
    "5 * * * * XPMSYNC_HOME=/srv/a nice /old/xpmsync sync\n"
    "5 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync sync > /tmp/log; reboot\n"
    "5 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync sync '\n"
    "\tJalape\udcf1o \x0b\u2028 = 1\n"
    "@reboot /opt/other\n"
)
"""Lines of other people, of other homes, and those of this home that somebody has added to."""


@pytest.mark.parametrize(
    "older",
    [
        ["17 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync sync", "*/10 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync notify"],
        ["17 * * * * XPMSYNC_HOME=/srv/a /old/xpmsync sync\r"],
        [
            "@hourly env XPMSYNC_HOME='/srv/a' '/my tools/xpmsync' sync >> /tmp/my.log 2>&1",
            "* * * * * XPMSYNC_HOME=/srv/a xpmsync notify >/dev/null",
        ],
        ["17 * * * * XPMSYNC_HOME=/srv/a/ A=b /opt/python3.11 -m xpmsync sync"] * 2,
        OURS,
        [],
    ],
)
def test_only_the_plain_lines_of_the_same_home_are_replaced(older):
    before, after = OTHERS.split("\n\n")
    text = "\n".join([f"{before}\n", *older, after])
    replaced = replace_lines(text, HOME, OURS)
    place = "\n".join([f"{before}\n", *OURS, after])
    assert replaced == (place if older else text + "\n".join([*OURS, ""]))
    assert replace_lines(replaced, HOME, OURS) == replaced
    assert replace_lines(replaced, HOME, []) == OTHERS


@pytest.mark.parametrize("text", ["", "A=b", "# no end", "A=b\r\n", "\n\n"])
def test_lines_are_added_beneath_whatever_the_crontab_ends_with(text):
    added = replace_lines(text, HOME, OURS)
    assert added.startswith(text)
    assert added.endswith("\n" + "\n".join([*OURS, ""])) or not text
    assert replace_lines(added, HOME, []) == (text if text.endswith("\n") or not text else f"{text}\n")


def test_a_variable_of_the_crontab_decides_whose_a_line_is():
    line = "17 * * * * xpmsync sync\n"
    text = f"{line}XPMSYNC_HOME=/srv/a\n{line}XPMSYNC_HOME = '/srv/b'\n{line}"
    assert replace_lines(text, HOME, []) == f"{line}XPMSYNC_HOME=/srv/a\nXPMSYNC_HOME = '/srv/b'\n{line}"


def test_the_minute_of_the_hourly_sync_stays_and_is_spread_over_the_hour_but_for_its_start():
    minutes = [hourly_minute(str(uuid4())) for _ in range(2000)]
    assert set(minutes) == set(range(1, 60))
    assert hourly_minute("3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11") == 49


# In the machine's crontab, by the command.


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose path wants to be quoted, for a shell and for cron."""
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "my firm's 50%"))
    return find_home(os.environ)


def change(deed):
    return run(["configure", "--crontab", deed])


def list_copies(home):
    return sorted(home.data_folder.glob("crontab-before-*"))


def test_both_lines_are_added_and_removed_and_the_crontab_before_is_kept(home, crontab, capsys):
    before = b"MAILTO=ann@example.com\r\n0 1 * * * caf\xe9\n"
    crontab.write_bytes(before)
    assert change("install") == 0
    added = crontab.read_bytes().removeprefix(before).decode().splitlines()
    minute = hourly_minute(load_home_id(home))
    assert [(line.split()[:5], line.split()[-1]) for line in added] == [
        ([str(minute), "*", "*", "*", "*"], "sync"),
        (["*/10", "*", "*", "*", "*"], "notify"),
    ]
    (copy,) = list_copies(home)
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (before, 0o600)
    printed = capsys.readouterr().out
    assert "\n".join(["Added to your crontab:", *added]) in printed
    assert f"\n  {copy}\n" in printed
    assert change("install") == 0
    assert "Your crontab has the two lines already." in capsys.readouterr().out
    assert list_copies(home) == [copy]
    assert change("print") == 0
    assert capsys.readouterr().out.splitlines() == ["# Paste these lines with: crontab -e", *added]
    assert change("remove") == 0
    assert "\n".join(["Removed from your crontab:", *added]) in capsys.readouterr().out
    assert crontab.read_bytes() == before
    assert change("remove") == 0
    assert "Your crontab has no such line for this data folder." in capsys.readouterr().out


def test_the_lines_work_where_cron_hands_them_to_a_shell(home, crontab):
    assert change("install") == 0
    jobs = read_crontab().of(home)
    assert (jobs.runs("sync"), jobs.runs("notify")) == (True, True)
    assert [job.find_missing_program() for job in jobs.jobs] == [None, None]
    (line,) = (line for line in crontab.read_text().splitlines() if line.endswith(" sync"))
    command = line.split(maxsplit=5)[5].replace("\\%", "%").removesuffix("sync")
    shown = subprocess.run(["/bin/sh", "-c", f"{command} errors"], env={}, capture_output=True, check=True, text=True)
    assert str(home.data_folder) in shown.stdout.replace("\n", " ")


def test_older_lines_of_this_home_are_replaced_and_what_was_added_to_is_named(home, crontab, capsys):
    other = "17 * * * * XPMSYNC_HOME=/another /old/xpmsync sync\n"
    mine = f"5 * * * * /old/xpmsync sync --strict || echo {home.data_folder.name!r}\n".replace("%", "\\%")
    crontab.write_text(f"{other}XPMSYNC_HOME={home.data_folder}\n17 * * * * /old/xpmsync sync\n{mine}A=b\n")
    assert change("install") == 0
    first, second, *lines = crontab.read_text().splitlines(keepends=True)
    assert (first, second, lines[2:]) == (other, f"XPMSYNC_HOME={home.data_folder}\n", [mine, "A=b\n"])
    assert (
        f"Left as it is, since it was changed by hand; remove it if it's not needed:\n{mine}" in capsys.readouterr().out
    )


def test_at_most_five_copies_are_kept(home, crontab):
    crontab.write_text("A=b\n")
    for deed in ("install", "remove") * 4:
        assert change(deed) == 0
    copies = list_copies(home)
    assert len(copies) == 5
    assert copies[-1].read_text().count("xpmsync") == 2


def test_the_platforms_own_home_is_meant_also_where_the_crontab_names_another(monkeypatch, tmp_path, crontab):
    monkeypatch.delenv("XPMSYNC_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert change("install") == 0
    assert "XPMSYNC_HOME" not in crontab.read_text()
    crontab.write_text("XPMSYNC_HOME=/srv/a\n17 * * * * /old/xpmsync sync\n")
    assert change("install") == 0
    assert crontab.read_text().startswith("XPMSYNC_HOME=/srv/a\n17 * * * * /old/xpmsync sync\n")
    assert crontab.read_text().count(f" XDG_DATA_HOME={tmp_path}/data XPMSYNC_HOME= ") == 2
    assert read_crontab().of(find_home({})).runs("notify")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (None, "can't be read or changed: there is no crontab program on this computer"),
        ("echo 'you (ann) are not allowed to use this program' >&2; exit 1", "can't be read or changed: the crontab"),
        ("[ $1 = -l ] && exec cat {0}; echo bad minute >&2; exit 1", "was not changed: the crontab program says: bad"),
        ("[ $1 = -l ] && exec cat {0}; exit 0", "was not changed: what was written isn't what is there now"),
        ("[ $1 = -l ] && exec cat {0}; cat > {0}; echo more >> {0}", "what was written isn't what is there now"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_crontab_program_that_fails_is_told_and_the_lines_can_be_printed(
    crontab, capsys, behaviour, reason, monkeypatch
):
    crontab.write_text("A=b\n")
    if behaviour is None:
        monkeypatch.setenv("PATH", "/nowhere")
    else:
        (crontab.parent / "crontab").write_text(f"#!/bin/sh\n{behaviour.format(crontab)}\n")
    assert change("install") == 2
    error = capsys.readouterr().err
    assert reason in error
    assert "xpmsync configure --crontab print" in error or "with its copy: " in error
    assert "more" in crontab.read_text() or crontab.read_text() == "A=b\n"
    assert change("print") == 0
    assert capsys.readouterr().out.count("xpmsync") == 2
