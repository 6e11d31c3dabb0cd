"""The home: its id is made once, no draft of one stays, and advice names the command that signs in there."""

import pwd
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from xpmsync.cli import run
from xpmsync.home import Home, connect_command, load_home_id


def test_the_id_is_made_once_also_by_many_at_once(tmp_path):
    home = Home(tmp_path, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: load_home_id(home), range(40)))
    assert ids == {load_home_id(home)}
    assert [file.name for file in tmp_path.iterdir()] == ["home-id"]


def test_a_draft_of_an_id_that_a_killed_process_left_goes(tmp_path):
    home = Home(tmp_path, tmp_path)
    home_id = load_home_id(home)
    (tmp_path / "home-id.4711").write_text("half of")
    assert load_home_id(home) == home_id
    assert [file.name for file in tmp_path.iterdir()] == ["home-id"]


@pytest.mark.parametrize(
    ("environment", "has_own_keyring", "command"),
    [
        ({}, False, "xpmsync connect"),  # as cron starts it, beside a desktop
        ({"DISPLAY": ":0"}, False, "xpmsync connect"),
        ({}, True, "xpmsync connect --no-browser"),
        ({"SSH_CONNECTION": "203.0.113.7 1 198.51.100.2 22"}, False, "xpmsync connect --no-browser"),
        ({"SSH_CONNECTION": "203.0.113.7 1 198.51.100.2 22", "DISPLAY": ":10"}, False, "xpmsync connect"),
    ],
)
def test_where_no_browser_can_open_the_command_that_signs_in_is_another(
    tmp_path, environment, has_own_keyring, command
):
    if has_own_keyring:
        (tmp_path / "keyring").mkdir()
    assert connect_command({"XPMSYNC_HOME": str(tmp_path), **environment}) == command


@pytest.mark.parametrize("command", ["status", "sync", "notify", "doctor", "keyring", "admin office list"])
def test_a_data_folder_of_a_user_that_there_is_not_is_named_once(monkeypatch, capsys, command):
    monkeypatch.setenv("XPMSYNC_HOME", "~nosuchuser/x")
    assert run(command.split()) == 5
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == (
        "",
        [
            "The data folder cannot be found: “~nosuchuser/x” belongs to a user that this computer does not know.",
            "Write its whole path: export XPMSYNC_HOME=/FOLDER",
        ],
    )
    assert run([*command.split(), "--help"]) == 0


@pytest.mark.parametrize("command", ["backup", "restore"])
@pytest.mark.usefixtures("home")
def test_a_file_of_a_user_that_there_is_not_is_a_mistake_of_whoever_typed_it(capsys, command):
    assert run([command, "~nosuchuser/x.db"]) == 2
    assert "must begin with the folder of a user that this computer knows" in capsys.readouterr().err


def test_an_empty_home_variable_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="ann", pw_dir=str(tmp_path)))
    monkeypatch.setenv("XPMSYNC_HOME", "~/firm")
    monkeypatch.setenv("HOME", "")
    assert run(["errors"]) == 0
    assert (tmp_path / "firm").is_dir()


def test_without_a_home_variable_and_without_an_entry_of_the_user_the_data_folder_must_be_named(monkeypatch, capsys):
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    for name in ("XPMSYNC_HOME", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert run(["status"]) == 5
    assert "export XPMSYNC_HOME=/FOLDER" in capsys.readouterr().err
