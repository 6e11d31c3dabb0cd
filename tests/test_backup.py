"""Copies of the database: whole or not at all, for keeping, handing out and putting back."""

import errno
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.migrations import STEPS
from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.sandbox import Practice
from xpmsync.system.lock import hold

OTHER_PRACTICE = "22222222-0000-4000-8000-000000000000"


@pytest.fixture
def firm(make_firm):
    firm = make_firm(Practice.generate(clients=30, staff=8, seed=7))
    firm.sync()
    return firm


@pytest.fixture
def shelf(tmp_path):
    """Where the copies are kept."""
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.fixture
def copy(firm, shelf):
    """A copy of last night; since then the administrator has changed something."""
    assert run(["backup", str(shelf / "active.db")]) == 0
    firm.write("UPDATE offices SET name = 'Head Office'")
    return shelf / "active.db"


def read(path, query):
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def read_office(path):
    return read(path, "SELECT name FROM offices")[0][0]


def read_data(path):
    return {
        table: read(path, f"SELECT * FROM {table} ORDER BY 1, 2")
        for (table,) in read(path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%sequence'")
    }


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def run_beneath(prefix, *arguments):
    """Run a command in a process of its own, which the program of the prefix starts; gives its exit code."""
    command = [*prefix, sys.executable, "-m", "xpmsync", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=60).returncode


def damage(path):
    """Spoil the middle of a database; what other programs had to write is written before."""
    write(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[8192:-8192] = os.urandom(len(content) - 16384)
    path.write_bytes(content)


def write(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# What may stand in a copy's place, with the firm's own database beside it.


def put_text(path, _firm):
    path.write_text("The only copy of a novel.")


def put_other_database(path, _firm):
    path.unlink()
    write(path, "CREATE TABLE novels (text TEXT)")


def put_database_in_use(path, firm):
    shutil.copyfile(firm.home.database_file, path)


def put_journal_beside(path, _firm):
    path.with_name(f"{path.name}-journal").write_bytes(b"half a change")


def give_to_another_practice(path, _firm):
    write(path, f"UPDATE sync_runs SET tenant_id = '{OTHER_PRACTICE}'")


def damage_copy(path, _firm):
    damage(path)


def cut_copy(path, _firm):
    path.write_bytes(path.read_bytes()[:40_000])


def remove_copy(path, _firm):
    path.unlink()


def make_newer(path, _firm):
    write(path, f"PRAGMA user_version = {len(STEPS) + 1}")


def link_to_the_database(path, firm):
    path.unlink()
    path.symlink_to(firm.home.database_file)


# A copy.


@pytest.mark.usefixtures("no_umask")
def test_a_copy_holds_everything_and_is_one_plain_file_that_its_owner_alone_can_read(firm, shelf, capsys):
    assert run(["backup", str(shelf / "active.db")]) == 0
    assert capsys.readouterr() == ("", "")
    assert read_data(shelf / "active.db") == read_data(firm.home.database_file)
    assert read(shelf / "active.db", "PRAGMA journal_mode") == [("delete",)]
    assert mode(shelf / "active.db") == 0o600
    assert list_names(shelf) == ["active.db"]


@pytest.mark.slow
def test_a_copy_can_be_read_by_somebody_who_may_write_neither_it_nor_beside_it(copy):
    if os.geteuid():
        pytest.skip("only root becomes somebody else")
    script = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT name FROM offices').fetchone()[0]); "
        "open(sys.argv[1] + '-wal', 'w')"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        file = shutil.copy(copy, folder)
        Path(file).chmod(0o644)
        process = subprocess.run(
            ["/usr/bin/python3", "-c", script, file], capture_output=True, check=False, text=True, user=65534
        )
    assert process.stdout == "Main Office\n"
    assert "PermissionError" in process.stderr


def test_a_copy_is_made_while_somebody_writes_and_has_nothing_of_what_is_half_done(firm, shelf):
    with open_database(firm.home.database_file) as database, database.rehearsal():
        database.connection.execute("UPDATE offices SET name = 'Half done'")
        assert run(["backup", str(shelf / "active.db")]) == 0
    assert read_office(shelf / "active.db") == "Main Office"


def test_a_copy_is_made_while_a_run_goes_on(firm, shelf):
    with hold(firm.home.run_lock) as is_held:
        assert is_held
        assert run(["backup", str(shelf / "active.db")]) == 0


def test_what_was_deleted_is_not_in_the_copy(firm, shelf):
    firm.write("INSERT INTO client_groups (id, name) VALUES ('gone', 'The Unforgettable Group')")
    firm.write("DELETE FROM client_groups WHERE id = 'gone'")
    assert run(["backup", str(shelf / "active.db")]) == 0
    assert b"Unforgettable" not in (shelf / "active.db").read_bytes()


@pytest.mark.usefixtures("firm")
def test_a_copy_can_be_opened_to_others_and_stays_so_every_night(shelf):
    file = shelf / "active.db"
    assert run(["backup", str(file), "--mode", "0640"]) == 0
    assert mode(file) == 0o640
    assert run(["backup", str(file)]) == 0
    assert mode(file) == 0o640
    assert run(["backup", str(file), "--mode=600"]) == 0
    assert mode(file) == 0o600


@pytest.mark.usefixtures("firm")
def test_an_empty_file_gives_the_copy_its_mode_and_group(shelf):
    file = shelf / "active.db"
    file.touch()
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, -1, 4711)
    group = file.stat().st_gid
    assert run(["backup", str(file)]) == 0
    assert (mode(file), file.stat().st_gid) == (0o640, group)


@pytest.mark.usefixtures("firm")
def test_a_copy_for_a_group_that_the_user_is_not_in_is_not_taken_from_it(shelf, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    file = shelf / "active.db"
    assert run(["backup", str(file), "--mode", "0640"]) == 0
    before = file.read_bytes()
    monkeypatch.setattr(os, "fchown", refuse)
    assert run(["backup", str(file)]) == 9
    assert "sudo usermod -aG" in capsys.readouterr().err
    assert (file.read_bytes(), list_names(shelf)) == (before, ["active.db"])
    file.chmod(0o600)
    assert run(["backup", str(file)]) == 0


@pytest.mark.usefixtures("firm")
@pytest.mark.parametrize("wrong", ["0660", "0755", "0240", "7640", "-1", "rw", "8"])
def test_a_mode_that_no_copy_should_have_is_refused(shelf, capsys, wrong):
    assert run(["backup", str(shelf / "active.db"), f"--mode={wrong}"]) == 2
    assert "0640 (your group reads it)" in capsys.readouterr().err
    assert list_names(shelf) == []


def test_the_next_night_s_copy_replaces_the_last_one(copy):
    with closing(sqlite3.connect(copy)) as reader:
        rows = reader.execute("SELECT name FROM offices")
        assert run(["backup", str(copy)]) == 0
        assert rows.fetchall() == [("Main Office",)]  # who reads the old one, goes on reading it
    assert read_office(copy) == "Head Office"


@pytest.mark.usefixtures("firm")
def test_a_link_stays_a_link(shelf):
    (shelf / "link.db").symlink_to(shelf / "target.db")
    assert run(["backup", str(shelf / "link.db")]) == 0
    assert (shelf / "link.db").is_symlink()
    assert read_office(shelf / "target.db") == "Main Office"


@pytest.mark.usefixtures("firm")
def test_a_person_who_watches_is_told_what_was_copied(shelf, type_ahead, capsys):
    type_ahead()
    assert run(["backup", str(shelf / "active.db")]) == 0
    assert capsys.readouterr().out == f"Copied 4 users and 19 clients to this file:\n  {shelf}/active.db\n"


# What is not replaced.


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (put_text, "is there, and is no copy of xpmsync's database."),
        (put_other_database, "is there, and is no copy of xpmsync's database."),
        (put_database_in_use, "is a database in use, and no copy."),
        (put_journal_beside, "is a database in use, and no copy."),
        (give_to_another_practice, "is a copy of another practice's database."),
    ],
)
def test_what_is_no_copy_of_this_database_is_not_replaced(firm, copy, capsys, spoil, words):
    spoil(copy, firm)
    before = copy.read_bytes()
    assert run(["backup", str(copy)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Nothing was replaced." in error
    assert copy.read_bytes() == before


def test_a_folder_and_a_place_beside_the_database_are_no_place_for_a_copy(firm, shelf, capsys):
    assert run(["backup", str(shelf)]) == 2
    assert f"Name a file in a folder, such as: {shelf}/active-copy.db" in capsys.readouterr().err
    assert run(["backup", str(firm.home.data_folder / "copy.db")]) == 2
    assert "would lie beside the database itself" in capsys.readouterr().err


def test_before_the_first_run_there_is_nothing_to_copy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "new"))
    assert run(["backup", str(tmp_path / "copy.db")]) == 2
    assert "Make the first run: xpmsync sync" in capsys.readouterr().err
    assert list_names(tmp_path) == ["new"]


# What goes wrong.


@pytest.mark.parametrize("is_there", [False, True])
def test_a_disk_without_room_leaves_nothing_half(copy, small_files, capsys, is_there):
    if not is_there:
        copy.unlink()
    names = list_names(copy.parent)
    with small_files(100_000):
        assert run(["backup", str(copy)]) == 9
    error = capsys.readouterr().err
    assert f"The copy {copy} cannot be written" in error
    assert f"Make room on the disk that holds {copy.parent}." in error
    assert list_names(copy.parent) == names
    assert ("is still there" in error) == is_there
    if is_there:
        assert read_office(copy) == "Main Office"


@pytest.mark.usefixtures("firm")
def test_a_folder_that_is_not_there_is_said(shelf, capsys):
    assert run(["backup", str(shelf / "nowhere" / "active.db")]) == 9
    error = capsys.readouterr().err
    assert "cannot be written: No such file or directory." in error
    assert f"Make the folder {shelf}/nowhere, and give whoever runs xpmsync the right to write there." in error
    assert "still there" not in error


@pytest.mark.parametrize(
    ("command", "is_folder", "exit_code", "said", "advised"),
    [
        ("backup", True, 9, "{copy} cannot be written: Permission denied.", "the right to write to {copy.parent}."),
        ("restore", True, 2, "{copy} cannot be read: Permission denied.", "the right to read it"),
        ("backup", False, 2, "“{copy}” is not readable.", ""),
        ("restore", False, 2, "“{copy}” is not readable.", ""),
    ],
)
def test_a_copy_or_folder_that_is_shut_is_said_and_left_alone(
    firm, copy, run_shut_out, command, is_folder, exit_code, said, advised
):
    shut = copy.parent if is_folder else copy
    usual = mode(shut)
    shut.chmod(0)
    process = run_shut_out(command, str(copy))
    shut.chmod(usual)
    assert process.returncode == exit_code
    assert said.format(copy=copy) in process.stderr
    assert advised.format(copy=copy) in process.stderr
    assert read_office(copy) == "Main Office"
    assert read_office(firm.home.database_file) == "Head Office"


@pytest.mark.slow
@pytest.mark.parametrize("call", ["pwrite64", "fsync", "fchmod", "rename", "unlink"])
def test_a_killed_backup_leaves_a_whole_copy_and_the_next_one_tidies_up(copy, strace, call):
    # Told by the file: others are written and removed meanwhile.
    prefix = (strace, "-f", "-qq", "-o", os.devnull, "-P", str(copy.with_name(".active.db.draft")))
    prefix += ("-P", str(copy.with_name(".active.db.draft-journal")), "-e", f"inject={call}:signal=KILL:when=1")
    assert run_beneath(prefix, "backup", copy) in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert read(copy, "PRAGMA integrity_check") == [("ok",)]
    assert run(["backup", str(copy)]) == 0
    assert read_office(copy) == "Head Office"
    assert list_names(copy.parent) == ["active.db"]


def test_a_damaged_database_replaces_no_copy(firm, copy, capsys):
    damage(firm.home.database_file)
    assert run(["backup", str(copy)]) == 9
    assert "Restore it from your last backup: xpmsync restore FILE" in capsys.readouterr().err
    assert read_office(copy) == "Main Office"
    assert list_names(copy.parent) == ["active.db"]


def test_two_backups_at_once_do_not_mix(firm, copy, monkeypatch, capsys):
    monkeypatch.setattr("xpmsync.backup.BACKUP_SECONDS", 0.1)
    with hold(firm.home.backup_lock):
        assert run(["backup", str(copy)]) == 10
    assert "Another backup is in progress." in capsys.readouterr().err


# The way back.


def test_a_copy_takes_the_database_s_place_and_the_next_run_brings_what_was_missed(firm, copy, capsys):
    uuid = firm.rows("SELECT xpm_client_uuid AS uuid FROM clients WHERE status = 'active'")[0]["uuid"]
    firm.practice.edit_client(uuid, phone="(02) 5550 1234")
    firm.sync()
    expected = firm.rows("SELECT * FROM clients ORDER BY id")
    assert run(["restore", str(copy), "--yes"]) == 0
    out = capsys.readouterr().out
    assert "4 users, 19 clients" in out
    assert "A history that was erased since then (xpmsync admin history erase) is back" in " ".join(out.split())
    assert read_data(firm.home.database_file) == read_data(copy)
    assert firm.rows("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    (aside,) = firm.home.data_folder.glob("active-before-restore-*.db")
    assert str(aside) in out
    assert mode(aside) == 0o600
    assert read_office(aside) == "Head Office"
    assert run(["sync", "--full"]) == 0
    assert firm.rows("SELECT * FROM clients ORDER BY id") == expected
    assert firm.rows("SELECT name FROM offices") == [{"name": "Main Office"}]


def test_a_restore_by_mistake_is_undone_by_another(firm, copy):
    assert run(["restore", str(copy), "--yes"]) == 0
    (aside,) = firm.home.data_folder.glob("active-before-restore-*.db")
    assert run(["restore", str(aside), "--yes"]) == 0
    assert firm.rows("SELECT name FROM offices") == [{"name": "Head Office"}]


@pytest.mark.parametrize(("answer", "office"), [("n", "Head Office"), ("y", "Main Office")])
def test_a_person_is_asked_first(firm, copy, type_ahead, answer, office):
    type_ahead(answer)
    assert run(["restore", str(copy)]) == 0
    assert firm.rows("SELECT name FROM offices") == [{"name": office}]


@pytest.mark.parametrize("spoil", [lambda _file: None, damage])
def test_a_script_has_to_say_that_the_database_is_to_be_replaced(firm, copy, capsys, spoil):
    spoil(firm.home.database_file)
    before = firm.home.database_file.read_bytes()
    assert run(["restore", str(copy)]) == 2
    assert "say --yes" in capsys.readouterr().err
    assert firm.home.database_file.read_bytes() == before
    assert list(firm.home.data_folder.glob("active-before-restore-*")) == []


def test_a_database_that_is_gone_is_restored_without_a_question(firm, copy):
    firm.home.database_file.unlink()
    assert run(["restore", str(copy)]) == 0
    assert read_office(firm.home.database_file) == "Main Office"


def test_a_program_that_has_the_database_open_goes_on_and_finds_what_was_restored(firm, copy):
    with closing(sqlite3.connect(firm.home.database_file)) as other:
        assert other.execute("SELECT name FROM offices").fetchone() == ("Head Office",)
        assert run(["restore", str(copy), "--yes"]) == 0
        assert other.execute("SELECT name FROM offices").fetchone() == ("Main Office",)
        with other:
            other.execute("UPDATE offices SET name = 'Another Office'")
    assert firm.rows("SELECT name FROM offices") == [{"name": "Another Office"}]


def test_a_damaged_database_is_restored_and_kept_as_it_was(firm, copy):
    damage(firm.home.database_file)
    damaged = firm.home.database_file.read_bytes()
    assert run(["restore", str(copy), "--yes"]) == 0
    assert read_data(firm.home.database_file) == read_data(copy)
    (aside,) = firm.home.data_folder.glob("active-before-restore-*.db")
    assert aside.read_bytes() == damaged
    assert run(["sync", "--full"]) == 0


def test_a_copy_is_restored_on_a_new_computer(firm, copy):
    expected = read_data(copy)
    home_id = firm.home.home_id_file.read_text()
    for path in firm.home.data_folder.glob("*"):
        if path != firm.home.config_file:
            path.unlink()
    firm.home.home_id_file.write_text(home_id)  # the sign-in is made anew there: xpmsync connect
    assert run(["restore", str(copy), "--yes"]) == 0
    assert read_data(firm.home.database_file) == expected
    assert mode(firm.home.database_file) == 0o600
    assert run(["sync", "--full"]) == 0


@pytest.mark.slow
def test_a_killed_restore_leaves_one_of_the_two(firm, copy, strace):
    log = str(firm.home.data_folder / "active.db-wal")
    for write in (1, 2, 20, 60):
        prefix = (strace, "-f", "-qq", "-o", os.devnull, "-P", log)
        prefix += ("-e", f"inject=pwrite64:signal=KILL:when={write}")
        assert run_beneath(prefix, "restore", copy, "--yes") in (-signal.SIGKILL, 128 + signal.SIGKILL)
        assert firm.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert firm.rows("SELECT name FROM offices") == [{"name": "Head Office"}]
    assert run(["restore", str(copy), "--yes"]) == 0
    assert firm.rows("SELECT name FROM offices") == [{"name": "Main Office"}]


# What is not restored.


@pytest.mark.parametrize(
    ("spoil", "exit_code", "words"),
    [
        (damage_copy, 9, "is damaged."),
        (cut_copy, 9, "is damaged."),
        (put_text, 2, "is no copy of xpmsync's database."),
        (remove_copy, 2, "There is no file"),
        (make_newer, 9, "was made by a newer xpmsync than this one."),
        (give_to_another_practice, 5, "holds the data of another practice than this home."),
        (link_to_the_database, 2, "is the database itself."),
    ],
)
def test_what_does_not_belong_here_is_not_restored(firm, copy, capsys, spoil, exit_code, words):
    spoil(copy, firm)
    assert run(["restore", str(copy), "--yes"]) == exit_code
    assert words in capsys.readouterr().err
    assert firm.rows("SELECT name FROM offices") == [{"name": "Head Office"}]
    assert list(firm.home.data_folder.glob("active-before-restore-*")) == []


def test_a_home_without_data_takes_the_copy_of_its_own_practice_alone(firm, copy, capsys):
    firm.home.database_file.unlink()
    change_config(firm.home, {"sync.tenant_id": OTHER_PRACTICE})
    assert run(["restore", str(copy), "--yes"]) == 5
    assert "another practice" in capsys.readouterr().err
    assert not firm.home.database_file.exists()


def test_nothing_is_restored_while_a_run_goes_on(firm, copy, monkeypatch, capsys):
    monkeypatch.setattr("xpmsync.backup.RUN_SECONDS", 0.1)
    with hold(firm.home.run_lock):
        assert run(["restore", str(copy), "--yes"]) == 10
    assert "A sync is in progress, so nothing was changed." in capsys.readouterr().err
    assert firm.rows("SELECT name FROM offices") == [{"name": "Head Office"}]


def test_a_program_that_never_lets_go_of_the_database_is_not_waited_for_for_ever(firm, copy, monkeypatch, capsys):
    monkeypatch.setattr("xpmsync.active.snapshots.BUSY_TIMEOUT_SECONDS", 0.1)
    with closing(sqlite3.connect(firm.home.database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run(["restore", str(copy), "--yes"]) == 9
    assert "Close that program; then restore again." in capsys.readouterr().err
    assert firm.rows("SELECT name FROM offices") == [{"name": "Head Office"}]
