"""Opening, migrating and losing the database: private, whole, and in plain words where it cannot be used."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlite_utils

from xpmsync.active.clients import insert_clients, repair_keys, update_client
from xpmsync.active.database import discard_rehearsals, open_database, open_read_only
from xpmsync.active.migrations import STEPS, make_migrations
from xpmsync.active.offices import insert_office, load_offices, update_office
from xpmsync.active.snapshots import install
from xpmsync.active.users import insert_user, load_users, update_user
from xpmsync.errors import DatabaseError
from xpmsync.system.timestamps import from_text, to_text
from xpmsync.text import fold

ANN = {"first_name": "Ann", "email": "ann@firm.example"}


def add_client(database, client_id, code):
    row = {"id": client_id, "legal_name": "Ngata", "code": code, "partner_id": "u1", "office_code": "MAIN"}
    insert_clients(database, [row])


def prepare(database):
    insert_office(database, "MAIN", "Main Office")
    insert_user(database, "u1", ANN)


# The schema.


def test_the_tables_are_made_from_nothing(rows):
    tables = {row["name"] for row in rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {
        "_sqlite_migrations",
        "changes",
        "client_group_members",
        "client_groups",
        "clients",
        "elements_not_sent",
        "offices",
        "standing_outcome",
        "stopped_changes",
        "sync_errors",
        "sync_runs",
        "synced_values",
        "former_staff",
        "user_modules",
        "users",
        "xpm_clients",
        "xpm_groups",
        "xpm_staff",
    }


def test_a_database_with_every_step_is_opened_without_looking_for_more(database):
    assert len(make_migrations().applied(sqlite_utils.Database(database.connection))) == len(STEPS)
    assert database.connection.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)


def test_every_table_of_ours_is_strict(rows):
    loose = rows("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict")
    assert {row["name"] for row in loose} == {"_sqlite_migrations", "sqlite_schema"}


def test_every_view_can_be_read(rows):
    for view in rows("SELECT name FROM sqlite_schema WHERE type = 'view'"):
        assert rows(f"SELECT * FROM {view['name']}") == []


def test_the_file_is_kept_with_a_write_ahead_log(rows):
    assert rows("PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_a_reference_to_nobody_is_refused(path):
    with pytest.raises(DatabaseError, match="FOREIGN KEY"), open_database(path) as database:
        database.connection.execute("INSERT INTO offices VALUES ('MAIN', 'Main Office', 'nobody')")


def test_opening_again_changes_nothing(path):
    with open_database(path) as database:
        prepare(database)
    with open_database(path) as database:
        assert database.connection.total_changes == 0
        assert [user.name for user in load_users(database)] == ["Ann"]


@pytest.mark.slow
def test_processes_that_make_a_database_at_once_all_write_to_the_same_one(tmp_path, four_processes):
    for attempt in range(20):
        path = tmp_path / f"{attempt}.db"
        assert four_processes("add", path) == ["None"] * 4
        with open_database(path) as database:
            assert len(load_offices(database)) == 4
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.slow
@pytest.mark.parametrize("call", ["mkdir", "pwrite64", "ftruncate", "fsync", "link", "unlink", "rmdir"])
def test_a_database_that_is_killed_while_it_is_made_is_not_there_or_whole(path, strace, call):
    script = "import pathlib, sys; from xpmsync.active.database import open_database as o"
    script += "\nwith o(pathlib.Path(sys.argv[1])): pass"
    for number in (1, 2, 3, 5, 8, 13, 40):
        order = (strace, "-f", "-qq", "-o", os.devnull, "-e", f"inject={call}:signal=KILL:when={number}")
        process = subprocess.run([*order, sys.executable, "-c", script, path], check=False)
        if process.returncode == 0:
            break
        if path.exists():
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
            path.unlink()
    with open_database(path) as database:
        assert load_users(database) == []
    path.unlink()
    discard_rehearsals(path)
    assert list(path.parent.iterdir()) == []


def test_what_sqlite_kept_beside_a_database_that_is_gone_does_not_get_into_a_new_one(path):
    with open_database(path) as database:
        prepare(database)
        log = path.with_name("active.db-wal").read_bytes()
    path.unlink()
    path.with_name("active.db-wal").write_bytes(log)
    with pytest.raises(DatabaseError, match="is gone"), open_database(path):
        pass
    with open_read_only(path.with_name("other.db")) as new:
        install(new, path)
    with open_database(path) as database:
        assert load_users(database) == []


@pytest.mark.parametrize("open_it", [open_database, open_read_only])
def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(path, open_it):
    with open_database(path) as database:
        database.connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="was made by a newer xpmsync") as caught, open_it(path):
        pass
    assert caught.value.exit_code == 9
    assert caught.value.remedy.startswith("Nothing was written to it. Install that version again")
    assert path.read_bytes() == before


# Privacy.


@pytest.mark.usefixtures("no_umask")
def test_the_file_and_those_beside_it_are_the_owner_s_alone(path):
    with open_database(path) as database:
        prepare(database)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"active.db": 0o600, "active.db-wal": 0o600, "active.db-shm": 0o600}


# What is unique.


@pytest.mark.parametrize(("one", "other"), [("NGA1", "nga1"), ("ÉÀ-1", "éà-1"), ("ΣΑΣ", "σας"), ("Straße", "STRASSE")])
def test_codes_and_addresses_are_unique_whatever_their_case_in_any_script(path, one, other):
    with open_database(path) as database:
        prepare(database)
        add_client(database, "c1", one)
        insert_user(database, "u2", ANN | {"email": f"{one}@firm.example"})
    with pytest.raises(DatabaseError, match="UNIQUE"), open_database(path) as database:
        add_client(database, "c2", other)
    with pytest.raises(DatabaseError, match="UNIQUE"), open_database(path) as database:
        insert_user(database, "u3", ANN | {"email": f"{other}@firm.example"})


def test_codes_stay_unique_when_they_are_changed(database):
    prepare(database)
    add_client(database, "c1", "É")
    add_client(database, "c2", "B")
    with pytest.raises(sqlite3.IntegrityError):
        update_client(database, "c2", {"legal_name": "Other", "code": "é"})
    insert_user(database, "u2", ANN | {"email": "bob@firm.example"})
    with pytest.raises(sqlite3.IntegrityError):
        update_user(database, "u2", {"email": "ANN@firm.example"})


def test_many_clients_have_no_code(database, rows):
    prepare(database)
    add_client(database, "c1", None)
    add_client(database, "c2", None)
    assert rows("SELECT code, code_key FROM clients") == [{"code": None, "code_key": None}] * 2


def test_keys_that_another_program_left_behind_are_brought_up_to_date(database, rows):
    prepare(database)
    add_client(database, "c1", "A")
    add_client(database, "c2", "É")
    database.connection.execute("UPDATE clients SET code = ' Ä' WHERE id = 'c1'")
    database.connection.execute("UPDATE users SET email = 'ÄNN@firm.example'")
    repair_keys(database)
    assert rows("SELECT code_key FROM clients ORDER BY id") == [{"code_key": "ä"}, {"code_key": "é"}]
    assert rows("SELECT email_key FROM users") == [{"email_key": "änn@firm.example"}]
    database.connection.execute("UPDATE clients SET code = 'Ä' WHERE id = 'c2'")  # what nobody can bring up to date
    repair_keys(database)
    assert rows("SELECT code_key FROM clients ORDER BY id") == [{"code_key": "ä"}, {"code_key": None}]


@pytest.mark.parametrize("text", ["NGA1", " é ", "Straße", "İ", "ΣΑΣ"])
def test_the_database_folds_as_the_rules_do(rows, text):
    assert rows("SELECT fold(?) AS folded", text) == [{"folded": fold(text)}]


def test_an_office_can_change_all_but_its_code(database):
    prepare(database)
    update_office(database, "MAIN", name="Head Office", default_partner_id="u1")
    assert [tuple(row) for row in load_offices(database)] == [("MAIN", "Head Office", "u1")]


# All or nothing.


def test_a_transaction_that_fails_leaves_nothing(database):
    with pytest.raises(KeyboardInterrupt), database.transaction():  # noqa: PT012 - what a person does in the middle
        prepare(database)
        raise KeyboardInterrupt
    assert load_users(database) == []
    with database.transaction():
        prepare(database)
    assert len(load_users(database)) == 1


# Trouble.


def test_a_database_that_another_program_holds_is_trouble_that_passes(path):
    with open_database(path) as database, open_database(path) as other:
        database.connection.execute("PRAGMA busy_timeout = 10")
        other.connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError) as caught, database.transaction():
            pass
    assert caught.value.happened == f"The database {path} cannot be used: database is locked."
    assert caught.value.remedy.startswith("Another program is writing to it")
    assert caught.value.exit_code == 9


@pytest.mark.parametrize("begin", [0, 100], ids=["no database at all", "damaged inside"])
def test_a_database_that_is_damaged_is_to_be_restored(path, begin):
    with open_database(path) as database:
        prepare(database)
    path.write_bytes(path.read_bytes()[:begin] + b"\x2a" * 30_000)
    with pytest.raises(DatabaseError) as caught, open_database(path) as database:
        load_users(database)
    assert caught.value.remedy.startswith("Restore it from your last backup")


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        ("PRAGMA max_page_count = 1", "Make room on the disk"),
        ("PRAGMA query_only = ON", "Give its owner the right to write"),
    ],
    ids=["a full disk", "a file that cannot be written"],
)
def test_a_database_that_takes_nothing_more_says_why_and_keeps_its_data(path, trouble, remedy):
    with open_database(path) as database:
        prepare(database)
        database.connection.execute(trouble)  # a page count below the present one is the present one
        with pytest.raises(DatabaseError) as caught, database.transaction():
            update_user(database, "u1", {"first_name": "Half", "last_name": "x" * 100_000})
        assert caught.value.remedy.startswith(remedy)
        assert [user.name for user in load_users(database)] == ["Ann"]


def test_a_disk_that_takes_no_more_bytes_asks_for_room(path, small_files):
    with open_database(path) as database:
        prepare(database)
        with small_files(400_000), pytest.raises(DatabaseError) as caught, database.transaction():
            update_user(database, "u1", {"first_name": "x" * 1_000_000})
        assert caught.value.remedy.startswith("Make room on the disk")
        assert [user.name for user in load_users(database)] == ["Ann"]


@pytest.mark.parametrize("name", ["", "missing/active.db"], ids=["a folder in its place", "no folder for it"])
def test_a_file_that_cannot_be_opened_is_told_with_its_path(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(DatabaseError, match=re.escape(str(path))), open_database(path):
        pass


@pytest.mark.parametrize(("make", "what"), [(Path.mkdir, "a folder"), (os.mkfifo, "no plain file")])
def test_what_is_in_the_place_of_a_database_is_to_be_moved_away(path, make, what):
    make(path)
    with pytest.raises(DatabaseError) as caught, open_database(path):
        pass
    assert caught.value.happened == f"{path} is {what}, not a database."
    assert caught.value.remedy.startswith(f"Move it away: mv {path} {path}.planted. Restore it from your last backup")


# Times.


def test_times_are_kept_in_utc_to_the_second():
    moment = datetime(2026, 11, 1, 22, 7, 59, 999999, tzinfo=timezone(timedelta(hours=13)))
    assert to_text(moment) == "2026-11-01T09:07:59Z"
    assert from_text("2026-11-01T09:07:59Z") == datetime(2026, 11, 1, 9, 7, 59, tzinfo=UTC)


def test_rehearsals_are_in_nobodys_way(path):
    with open_read_only(path) as one, open_read_only(path) as another:
        assert one.path != another.path
        discard_rehearsals(path)  # as a run does that begins meanwhile
        assert load_offices(one) == load_offices(another) == []
        assert one.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_takes_no_copy_is_told_as_such(path):
    with pytest.raises(DatabaseError, match="takes no copy of the database"), open_read_only(path / "active.db"):
        pass
