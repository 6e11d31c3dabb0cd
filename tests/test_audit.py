import json
import os
import pwd
import subprocess
import sys
from datetime import UTC, datetime

import click
import pytest

from xpmsync.cli import program, run
from xpmsync.cli.click_types import walk
from xpmsync.home import find_home, prepare_home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return tmp_path / "home"


def find_files(home):
    return sorted(home.glob("audit-*"))


def read(home):
    return [json.loads(line) for path in find_files(home) for line in path.read_text().splitlines()]


def test_a_command_leaves_when_who_what_from_where_and_how_it_ended(home, monkeypatch):
    home.mkdir(mode=0o700)
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.7 52110 198.51.100.2 22")
    monkeypatch.setenv("SUDO_USER", "thursday")
    before = datetime.now(UTC).replace(microsecond=0)
    assert run(["sync", "--full"]) == 5  # nothing is configured
    began, ended = read(home)
    assert before <= datetime.fromisoformat(began["at"]) <= datetime.now(UTC)
    assert (began["event"], began["command"], began["options"]) == ("began", "sync", ["--full"])
    assert (began["user"], began["sudo_user"]) == (pwd.getpwuid(os.geteuid()).pw_name, "thursday")
    assert (began["address"], began["terminal"], began["host"]) == ("203.0.113.7", None, os.uname().nodename)
    assert (ended["event"], ended["id"], ended["exit_code"]) == ("ended", began["id"], 5)


def test_what_was_typed_as_a_value_is_left_out(home):
    home.mkdir(mode=0o700)
    run(["admin", "client", "add", "--legal-name", "Whānau Trust", "--code=WHA001", "--email", "--legal-name"])
    run(["history", "Whānau Trust"])
    run(["admin", "client", "link", "WHA001", "--xpm-client", "11111111-0000-4000-8000-00000000000a"])
    (path,) = find_files(home)
    text = path.read_text()
    assert "Wh" not in text
    assert "WHA001" not in text
    assert "11111111" not in text
    assert [line["command"] for line in read(home) if line["event"] == "began"] == [
        "admin client add",
        "history",
        "admin client link",
    ]
    assert read(home)[0]["options"][:2] == ["--legal-name", "--code"]


def test_a_command_that_is_refused_or_killed_leaves_its_trail_too(home):
    home.mkdir(mode=0o700)
    assert run(["sync", "--no-such-option"]) == 2
    assert [line.get("exit_code") for line in read(home)] == [None, 2]
    waits_for_a_password = [sys.executable, "-m", "xpmsync", "configure", "--smtp-password-stdin"]
    with subprocess.Popen(waits_for_a_password, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while len(read(home)) < 3:
            assert process.poll() is None
        process.kill()
    assert [line["event"] for line in read(home)] == ["began", "ended", "began"]


def test_the_first_command_is_told_once_it_has_made_the_home(home):
    run(["status"])
    assert [line["event"] for line in read(home)] == ["began", "ended"]


HELP = [[*path, flag] for path in [(), *walk(program, click.Context(program))] for flag in ("--help", "-h")]


@pytest.mark.parametrize("arguments", [*HELP, ["--version"], ["nonsense"], ["admin"], []], ids=" ".join)
def test_help_touches_nothing(tmp_path, monkeypatch, arguments):
    monkeypatch.delenv("XPMSYNC_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    run(arguments)
    assert list(tmp_path.iterdir()) == []
    home = find_home(os.environ)
    prepare_home(home)  # as after other commands
    run(arguments)
    assert [*home.config_folder.iterdir(), *home.data_folder.iterdir()] == []


def test_a_group_that_does_something_by_itself_leaves_its_trail(home):
    home.mkdir(mode=0o700)
    run(["keyring"])
    run(["keyring", "--no-such-option"])
    run(["keyring", "setup"])
    run(["errors", "--search", "--help"])  # a word to look for
    assert [(line["command"], line["options"]) for line in read(home) if line["event"] == "began"] == [
        ("keyring", []),
        ("keyring", []),
        ("keyring setup", []),
        ("errors", ["--search"]),
    ]


@pytest.mark.usefixtures("no_umask")
def test_lines_are_added_to_a_private_file(home):
    home.mkdir(mode=0o700)
    run(["status"])
    first = read(home)
    run(["status"])
    assert read(home)[: len(first)] == first
    (path,) = find_files(home)
    assert path.name == f"audit-{datetime.now(UTC):%Y-%m}.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_year_is_kept(home):
    home.mkdir(mode=0o700)
    now = datetime.now(UTC)
    months = [divmod(now.year * 12 + now.month - 1 - age, 12) for age in (11, 12, 13, 40)]
    names = [f"audit-{year}-{month + 1:02}.jsonl" for year, month in months]
    for name in names:
        (home / name).write_text("")
    run(["status"])
    assert [path.name for path in find_files(home)] == [*sorted(names[:2]), f"audit-{now:%Y-%m}.jsonl"]


def test_a_line_that_a_full_disk_has_cut_spoils_no_other(home):
    home.mkdir(mode=0o700)
    (home / f"audit-{datetime.now(UTC):%Y-%m}.jsonl").write_text('{"at": "2026-')
    run(["status"])
    (path,) = find_files(home)
    cut, *whole = path.read_text().splitlines()
    assert cut == '{"at": "2026-'
    assert [json.loads(line)["event"] for line in whole] == ["began", "ended"]


def test_an_old_file_that_cannot_be_removed_stops_no_trail(home):
    home.mkdir(mode=0o700)
    (home / "audit-2020-01.jsonl").mkdir()  # no file can be removed there
    run(["status"])
    assert (home / f"audit-{datetime.now(UTC):%Y-%m}.jsonl").exists()


def test_trouble_with_the_trail_stops_nothing(home, capfd):
    home.mkdir(mode=0o700)
    (home / f"audit-{datetime.now(UTC):%Y-%m}.jsonl").mkdir()
    assert run(["errors"]) == 0
    assert "No run has been made yet" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_in_a_home_of_somebody_else_no_file_is_left_behind(home):
    home.mkdir(mode=0o700)
    os.chown(home, 4711, 4711)
    assert run(["status"]) == 5
    assert find_files(home) == []
