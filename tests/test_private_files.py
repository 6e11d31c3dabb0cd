"""What others have planted in a folder that was open to them is neither followed nor written to."""

import json
import os
import stat
from datetime import UTC, datetime

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.system.private_files import NotPrivate, open_private

AUDIT = f"audit-{datetime.now(UTC):%Y-%m}.jsonl"
KEPT = "what somebody else has written\n"


def plant_link(path, victim):
    path.symlink_to(victim)


def plant_name(path, victim):
    path.hardlink_to(victim)


def plant_pipe(path, _victim):
    os.mkfifo(path)


def plant_folder(path, _victim):
    path.mkdir()


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim.txt"
    path.write_text(KEPT)
    return path


@pytest.mark.parametrize("plant", [plant_link, plant_name, plant_pipe])
@pytest.mark.parametrize("name", ["xpmsync.log", AUDIT, "run.lock", "sign-in.lock", "settings.lock", "sign-in.pending"])
def test_a_planted_file_is_neither_followed_nor_written_to(make_firm, victim, name, plant):
    firm = make_firm()
    path = firm.home.data_folder / name
    path.unlink(missing_ok=True)
    plant(path, victim)
    run(["sync", "--full"])
    run(["configure", "--notify", "ann@example.com"])
    assert victim.read_text() == KEPT
    assert '"command": "configure"' in (firm.home.data_folder / AUDIT).read_text()


@pytest.mark.parametrize("plant", [plant_link, plant_name, plant_pipe, plant_folder])
def test_log_and_audit_trail_go_on_where_something_is_in_their_place_which_is_set_aside(
    make_firm, victim, capfd, plant
):
    firm = make_firm()
    for name in ("xpmsync.log", AUDIT):
        path = firm.home.data_folder / name
        path.unlink(missing_ok=True)
        plant(path, victim)
        planted = path.lstat()
        assert run(["sync"]) == 0
        aside = path.with_name(f"{name}.planted")
        assert (aside.lstat().st_ino, stat.S_IFMT(aside.lstat().st_mode)) == (
            planted.st_ino,
            stat.S_IFMT(planted.st_mode),
        )
        assert path.read_text().count("\n") >= 2
        capfd.readouterr()
        run(["doctor"])
        shown = "".join(capfd.readouterr().out.split())
        assert f"{aside}wasintheplaceofafileofxpmsync's" in shown
        assert f"rm-r{aside}" in shown
        aside.rmdir() if plant is plant_folder else aside.unlink()
    assert victim.read_text() == KEPT


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (plant_link, "a link"),
        (plant_name, "another name too"),
        (plant_pipe, "not a plain file"),
        (plant_folder, "a folder"),
    ],
)
def test_what_is_in_the_place_of_the_alert_file_is_named_and_the_next_sync_makes_a_new_one(
    make_firm, victim, capfd, plant, reason
):
    firm = make_firm()
    path = firm.home.alert_file
    plant(path, victim)
    command = f"mv {path} {path}.planted"
    capfd.readouterr()
    assert run(["status", "--json"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    (need,) = (need for need in json.loads(shown.out)["needs"] if "alert" in need["what"])
    assert need["what"].startswith(f"No alert can be sent. The alert file {path} cannot be written: it ")
    assert reason in need["what"]
    assert need["command"] == command
    run(["doctor"])
    shown = "".join(capfd.readouterr())
    named = f"rm {path}" if plant is plant_link else command
    assert named.replace(" ", "") in "".join(shown.split())
    assert "right to write" not in shown
    assert run(["sync"]) == 0
    said = " ".join(capfd.readouterr().err.split())
    assert f"It is now {path}.planted, and a new alert file was made." in said
    assert stat.S_ISREG(path.lstat().st_mode)
    assert victim.read_text() == KEPT
    assert run(["sync"]) == 0
    assert run(["status"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert "alert" not in shown.out


@pytest.mark.parametrize("name", ["spool.db", ".config.toml.draft", "home-id.4711"])
def test_a_planted_file_that_is_in_the_way_is_removed_and_what_it_leads_to_stays(make_firm, victim, name):
    firm = make_firm()
    path = firm.home.data_folder / name
    plant_link(path, victim)
    firm.sync()
    change_config(firm.home, {"sync.name": "Firm"})
    assert victim.read_text() == KEPT
    assert not path.is_symlink()


def test_a_lock_that_somebody_planted_is_named_with_what_to_do(make_firm, victim, capfd):
    firm = make_firm()
    plant_link(firm.home.run_lock, victim)
    assert run(["sync"]) == 9
    said = capfd.readouterr().err
    assert f"{firm.home.run_lock} cannot be used: it is a link" in said
    assert f"then move it away: mv {firm.home.run_lock} {firm.home.run_lock}.planted" in said


def test_an_id_that_leads_elsewhere_is_not_read(make_firm, tmp_path, capfd):
    firm = make_firm()
    elsewhere = tmp_path / "planted"
    firm.home.home_id_file.rename(elsewhere)
    plant_link(firm.home.home_id_file, elsewhere)
    assert run(["keyring"]) == 5
    assert f"{firm.home.home_id_file} cannot be used" in capfd.readouterr().err


def test_doctor_names_a_link_in_the_data_folder(make_firm, victim, capfd):
    firm = make_firm()
    plant_link(firm.home.data_folder / "xpmsync.log.1", victim)
    run(["doctor"])
    shown = " ".join(capfd.readouterr().out.split())
    assert "xpmsync.log.1 is a link, which xpmsync does not follow." in shown
    assert "rm " in shown


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
@pytest.mark.parametrize(
    ("name", "command", "exit_code"),
    [("config.toml", "sync", 5), ("active.db", "sync", 9), ("report.html", "report", 5)],
)
def test_a_link_where_one_is_followed_is_not_where_another_user_made_it(
    make_firm, tmp_path, capfd, name, command, exit_code
):
    firm = make_firm()
    run(["report"])
    path = firm.home.data_folder / name
    elsewhere = tmp_path / "elsewhere.txt"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    content = elsewhere.read_bytes()
    assert run([command]) == 0
    os.chown(path, 4711, 4711, follow_symlinks=False)
    elsewhere.write_bytes(content)
    assert run([command]) == exit_code
    assert "it is a link that another user has made" in " ".join(capfd.readouterr().err.split())
    assert elsewhere.read_bytes() == content


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_opened(tmp_path):
    path = tmp_path / "xpmsync.log"
    path.touch(0o666)
    os.chown(path, 4711, 4711)
    with pytest.raises(NotPrivate):
        open_private(path, os.O_WRONLY)


# Folders.


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o710])
@pytest.mark.parametrize("is_empty", [True, False])
@pytest.mark.parametrize("arguments", [["sync"], ["status"], ["configure", "--notify", "a@b.example"], ["connect"]])
def test_a_folder_that_is_open_to_others_is_closed(tmp_path, monkeypatch, mode, is_empty, arguments):
    folder = tmp_path / "home"
    folder.mkdir()
    if not is_empty:
        (folder / "config.toml").touch()
    folder.chmod(mode)
    monkeypatch.setenv("XPMSYNC_HOME", str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    run(arguments)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / AUDIT).exists()


def test_a_folder_that_may_be_in_use_for_something_else_is_refused_with_the_command(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "shared folder"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "accounts.xlsx").touch()
    monkeypatch.setenv("XPMSYNC_HOME", str(folder))
    assert run(["sync"]) == 5
    assert f"run: chmod 700 '{folder}'" in capfd.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["accounts.xlsx"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777
