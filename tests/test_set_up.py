"""Whether a database or settings that are missing were there once, and what a person is told of it."""

import os
from datetime import UTC, datetime

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.error_log import load_causes
from xpmsync.active.runs import load_last_runs
from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.home import Home
from xpmsync.notify.health import Health
from xpmsync.notify.situation import load_health

PRACTICE = "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"
ADD_OFFICE = ("admin", "office", "add", "SYD", "--name", "Sydney")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose settings were written by hand, and where nothing has run yet."""
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    home = Home(tmp_path, tmp_path)
    home.config_file.write_text('[xero]\nclient_id = "ABC"\n\n[sync]\ndefault_office_code = "SYD"\n')
    return home


@pytest.fixture
def say(capsys):
    """Runs a command that fails; gives its exit code and what it says."""

    def call(*arguments):
        exit_code = run(list(arguments))
        printed = capsys.readouterr()
        assert printed.out == ""
        return exit_code, printed.err

    return call


def test_settings_that_were_written_by_hand_are_no_sign_of_a_database(home):
    assert run(["status"]) == 0
    assert run(["admin", "user", "list"]) == 0
    assert not home.database_file.exists()
    assert run(list(ADD_OFFICE)) == 0
    assert home.database_file.exists()


@pytest.mark.parametrize(
    "trace",
    ["active-before-restore-20261101T140700Z.db", "active.db-wal", "active.db.bak", "backup.lock"],
)
def test_a_trace_of_a_database_is_a_sign_of_it_whatever_the_settings_say(home, say, trace):
    (home.data_folder / trace).touch()
    for command in (["status"], ["history"], ["sync"], ADD_OFFICE):
        exit_code, said = say(*command)
        assert exit_code == 9
        assert "The database is gone" in said
    assert not home.database_file.exists()


def test_a_practice_and_an_office_in_the_settings_are_a_sign_of_a_database_and_both_ways_on_are_told(home, say):
    change_config(home, {"sync.tenant_id": PRACTICE})
    exit_code, said = say(*ADD_OFFICE)
    assert exit_code == 9
    assert "xpmsync restore FILE. Only to start anew" in said
    assert "or if there never was any, run: xpmsync configure --start-anew" in said


def test_the_newest_of_the_copies_that_lie_there_is_named(home, say):
    change_config(home, {"sync.tenant_id": PRACTICE})
    for age, name in enumerate(("active-before-restore-20261101T140700Z.db", "active.db.bak", "active.db-wal")):
        (home.data_folder / name).touch()
        os.utime(home.data_folder / name, (1e9 + age, 1e9 + age))
    assert f"FILE. This may be one: “{home.data_folder}/active.db.bak”. Only" in say("errors")[1]


@pytest.mark.parametrize("command", ["status", "report", "configure", "notify --dry-run"])
def test_settings_that_are_gone_beside_a_database_are_missed_by_all_that_go_by_them(home, say, command):
    with open_database(home.database_file):
        pass
    home.config_file.rename(home.config_file.with_name("config.old.toml"))
    exit_code, said = say(*command.split())
    assert exit_code == 5
    assert f"There is no config.toml in {home.config_folder}, so nothing is set." in said
    assert (
        f"Put it back from a copy, if there was one. This may be one: “{home.config_folder}/config.old.toml”." in said
    )
    assert "Otherwise run: xpmsync connect; then: xpmsync configure" in said
    assert not home.config_file.exists()


@pytest.mark.parametrize("command", ["errors", "history", "admin user list", "backup {}/copy.db"])
def test_what_is_in_the_database_is_shown_and_copied_without_settings(home, command, tmp_path_factory):
    with open_database(home.database_file):
        pass
    home.config_file.unlink()
    assert run(command.format(tmp_path_factory.mktemp("copies")).split()) == 0


def test_what_a_code_means_is_told_where_the_database_is_gone(home, capsys):
    change_config(home, {"sync.tenant_id": PRACTICE})
    assert run(["errors", "--explain", "partner-missing"]) == 0
    printed = capsys.readouterr()
    assert "\nHow it goes away\n" in printed.out
    assert "\nOpen now\n  That cannot be told. The database is gone: " in printed.out
    assert "xpmsync restore FILE" in printed.out
    assert printed.err == ""


def test_a_sync_before_any_set_up_asks_for_it_and_makes_no_database(home, say):
    home.config_file.unlink()
    exit_code, said = say("sync")
    assert exit_code == 5
    assert said.startswith(f"Nothing is set up in {home.config_folder}.\n")
    assert "export XPMSYNC_HOME=FOLDER" in said
    assert not home.database_file.exists()
    assert run(["status"]) == 0


@pytest.mark.parametrize("is_connected", [False, True])
def test_a_sync_that_begins_before_configure_was_run_is_no_failed_sync(home, say, is_connected):
    home.config_file.write_text('[xero]\nclient_id = "ABC"\n')
    if is_connected:
        with open_database(home.database_file):
            pass
        change_config(home, {"sync.tenant_id": PRACTICE})
    for command in (["sync"], ["sync", "--dry-run"]):
        exit_code, said = say(*command)
        assert exit_code == 5
        assert f"Run: xpmsync {'configure' if is_connected else 'connect'}" in said
    assert home.database_file.exists() == is_connected
    if is_connected:
        with open_database(home.database_file) as database:
            assert load_last_runs(database, 1) == []
            assert load_health(database, datetime.now(UTC)) == Health(first_run_at=None, last_success_at=None)
            assert load_causes(database) == []
    assert say("notify") == (0, "")


def test_a_set_up_that_is_broken_after_the_first_sync_is_a_failed_sync(make_firm):
    firm = make_firm()
    firm.sync()
    change_config(firm.home, {"sync.default_office_code": None})
    assert run(["sync"]) == 5
    assert firm.rows("SELECT status, exit_code FROM sync_runs WHERE id = 2") == [{"status": "failed", "exit_code": 5}]
