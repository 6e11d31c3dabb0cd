"""Whether a database or settings that are missing were there once, and what a person is told of it."""

import os

import pytest

from xpmsync.active.database import open_database
from xpmsync.cli import run
from xpmsync.home import Home


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


def test_the_newest_of_the_copies_that_lie_there_is_named(home, say):
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
