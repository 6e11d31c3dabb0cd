"""Where answers wait: private, thrown away, and never half of one answer and half of another."""

import sqlite3
import stat
import weakref
from contextlib import closing

import pytest

from xpmsync.active.database import Database
from xpmsync.active.spool import open_spool
from xpmsync.errors import DatabaseError, TransientError
from xpmsync.records import ListShape, RecordShape


class Text(str):
    """A text of which it can be told whether it is still there."""

    __slots__ = ("__weakref__",)


SHAPES = {
    "things": RecordShape("Things/Thing", {"UUID": "uuid"}, (ListShape("Parts/Part", "parts", {"Name": "name"}),))
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool.db"


@pytest.fixture
def known(tmp_path_factory):
    """A database that knows one thing."""
    path = tmp_path_factory.mktemp("known") / "active.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE things (uuid TEXT PRIMARY KEY, parts TEXT)")
        connection.execute("INSERT INTO things VALUES ('known', '[]')")
        connection.commit()
        yield Database(path, connection)


def read(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT uuid, parts FROM things").fetchall()


def read_told(path):
    with closing(sqlite3.connect(path)) as connection:
        return [uuid for (uuid,) in connection.execute("SELECT uuid FROM things_told ORDER BY uuid")]


def test_records_are_kept_as_they_came_but_for_their_identifier(path, known):
    with open_spool(path, SHAPES, known) as spool:
        spool.sink("things")(iter([("A", None), (None, " [] "), (" \n", None)]))
        assert read(path) == [("a", None), (None, " [] "), (None, None)]
        assert read_told(path) == ["a"]


def test_of_what_is_known_the_identifier_alone_is_kept(path, known):
    with open_spool(path, SHAPES, known) as spool:
        take = spool.sink("things")
        take(iter([(" Known", "[]"), ("new", "[]")]))
        assert (read(path), read_told(path)) == ([("new", "[]")], ["known", "new"])
        take(iter([("known", None)]))
        assert (read(path), read_told(path)) == ([("known", None)], ["known"])


def test_of_what_is_told_twice_the_last_word_counts(path, known):
    with open_spool(path, SHAPES, known) as spool:
        spool.sink("things")(iter([("known", None), ("Known", "[]"), ("new", None), ("new", "[1]")]))
        assert (read(path), read_told(path)) == ([("known", "[]"), ("new", "[1]")], ["known", "new"])


def test_no_more_than_one_record_is_in_memory(path, known):
    alive = weakref.WeakSet()

    def large_records():
        for number in range(50):
            text = Text(f"[{number}]")
            alive.add(text)
            yield (str(number), text)
            del text
            assert len(alive) <= 2

    with open_spool(path, SHAPES, known) as spool:
        spool.sink("things")(large_records())
        assert len(read(path)) == 50


def test_a_damaged_database_is_not_taken_for_a_disk_without_room(path, known):
    known.connection.execute("PRAGMA writable_schema = ON")
    known.connection.execute("UPDATE sqlite_schema SET rootpage = 99 WHERE name = 'things'")
    known.connection.commit()
    with pytest.raises(DatabaseError, match=r"damaged|malformed"), open_spool(path, SHAPES, known) as spool:
        spool.sink("things")(iter([("A", None)]))


@pytest.mark.usefixtures("no_umask")
def test_the_file_is_the_owner_s_alone_and_the_only_one(path, known):
    with open_spool(path, SHAPES, known) as spool:
        spool.sink("things")(iter([("A", None)]))
        (each,) = path.parent.iterdir()
        assert (each.name, stat.S_IMODE(each.stat().st_mode)) == ("spool.db", 0o600)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_the_file_is_thrown_away_whatever_happens(path, error, known):
    try:
        with open_spool(path, SHAPES, known):
            if error:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    assert not path.exists()


def test_what_a_killed_run_left_behind_is_thrown_away_first(path, known):
    path.write_bytes(b"left behind")
    path.chmod(0o644)
    with open_spool(path, SHAPES, known):
        assert read(path) == []
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def cut_answer(number):
    for place in range(number):
        yield (f"cut {place}", "x" * 500)
    raise TransientError("The answer was cut.", "Wait.")


@pytest.mark.parametrize("number", [0, 1, 5000])
def test_a_second_attempt_replaces_the_first(path, number, known):
    with open_spool(path, SHAPES, known) as spool:
        take = spool.sink("things")
        with pytest.raises(TransientError):
            take(cut_answer(number))
        assert read(path) == []
        take(iter([("whole", None)]))
        take(iter([("again", None)]))
        assert read(path) == [("again", None)]


def test_trouble_on_the_way_is_not_taken_for_trouble_with_the_disk(path, known):
    with pytest.raises(ConnectionResetError), open_spool(path, SHAPES, known) as spool:
        spool.sink("things")(broken_line())


def broken_line():
    yield ("A", None)
    raise ConnectionResetError


def test_trouble_of_the_database_is_not_taken_for_trouble_with_the_spool(path, known):
    with pytest.raises(sqlite3.OperationalError), open_spool(path, SHAPES, known):
        raise sqlite3.OperationalError


def test_a_disk_without_room_is_told(path, known):
    with open_spool(path, SHAPES, known) as spool:
        spool._connection.execute("PRAGMA max_page_count = 4")  # noqa: SLF001 - stands for a full disk
        with pytest.raises(DatabaseError, match=r"cannot be collected in .*: database or disk is full"):
            spool.sink("things")(("x" * 1000, None) for _ in range(1000))
        with pytest.raises(DatabaseError, match=r"cannot be collected in .*: database or disk is full"):
            spool.add("things", ("x" * 1_000_000, None))


def test_a_folder_that_is_not_there_is_told(tmp_path, known):
    with (
        pytest.raises(DatabaseError, match="cannot be collected"),
        open_spool(tmp_path / "no" / "spool.db", SHAPES, known),
    ):
        pass
