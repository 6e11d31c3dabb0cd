"""Opening the database: private to its owner, migrated, with one kind of transaction and one kind of trouble.

One that is missing is made in a folder beside, and put in its place when it is complete: a database that is empty, or
holds none of our tables, is therefore damaged and never new.

Every other module of this package works on a `Database`; what SQLite complains of leaves here as DatabaseError.
"""

import errno
import os
import shlex
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from xpmsync.active.migrations import STEPS, make_migrations
from xpmsync.errors import DatabaseError
from xpmsync.system.atomic import sync_folder
from xpmsync.system.private_files import NotPrivate, check_link, move_away, open_private
from xpmsync.text import make_key

BUSY_TIMEOUT_SECONDS: Final = 30
LEAST_ROOM_BYTES: Final = 64 * 1024
"""SQLite maps 32 KB of the disk into memory: where a file system gives room in small blocks and has none left, to write
there ends the process (SIGBUS), and nobody would say why."""
REHEARSAL: Final = "rehearsal-"
RESTORE: Final = (
    "Restore it from your last backup: xpmsync restore FILE; then run: xpmsync sync --full. Only if there is no "
    "backup, move it to another folder, and make a new one: xpmsync configure --start-anew"
)


class DamagedDatabase(DatabaseError):
    """What the file holds is not whole, or no database."""


class DatabaseBusy(DatabaseError):
    """Another program keeps the database locked."""


class Database:
    """An open `active.db`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; waits for another writer before it begins, not in the middle.

        Raises DatabaseError for whatever SQLite complains of.
        """
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def check(self) -> None:
        """Raise DatabaseError where the file is damaged, or where nothing could be written to it."""
        (finding,) = self.connection.execute("PRAGMA quick_check(1)").fetchone()
        if finding != "ok":
            raise DamagedDatabase(f"The database {self.path} is damaged: {finding}.", RESTORE)
        with self.rehearsal():
            pass

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """A transaction that is always rolled back."""
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")


@contextmanager
def open_database(path: Path) -> Iterator[Database]:
    """Open the database for the length of a ``with`` block; made where it is missing, with mode 0600, and migrated.

    Raises DatabaseError for whatever SQLite complains of, here and within the block.
    """
    _check_room(path)
    if not path.exists():
        _create(path)
    with connected(path) as connection:
        yield _prepare(path, connection)


def _create(path: Path) -> None:
    """Make the database in a folder beside and put it in its place whole, unless another process was faster."""
    discard_rehearsals(path)
    with new_file(path) as new, suppress(FileExistsError):
        with connected(new, is_new=True) as connection:
            _prepare(new, connection)
        put_in_place(new, path)


def put_in_place(new: Path, path: Path) -> None:
    """Put a database that is complete and closed where none is; it is on the disk before it has its name.

    Raises FileExistsError where there is one, DatabaseError where it cannot be put there.
    """
    if find_companions(path) and not path.exists():
        raise DatabaseError(f"The database {path} is gone, but not what SQLite kept beside it.", RESTORE)
    if path.is_symlink() and not path.exists():
        raise DatabaseError(
            f"The database {path} is a link to {path.readlink()}, which is not there.",
            f"Put that file back. If it is lost, run: rm {shlex.quote(str(path))}; then restore a backup.",
        )
    try:
        with new.open("rb") as file:
            os.fsync(file.fileno())
        os.link(new, path)  # unlike a rename it replaces nothing
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise explain_machine(path.parent, error, f"The database {path} cannot be made") from error


def find_companions(path: Path) -> list[Path]:
    """What SQLite keeps beside a database that is in use. A new database would read what an earlier one left."""
    beside = [path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm", "-journal")]
    return [companion for companion in beside if companion.exists()]


@contextmanager
def connected(path: Path, *, is_new: bool = False, wait_seconds: float | None = None) -> Iterator[sqlite3.Connection]:
    """A connection to a database that is there. Raises DatabaseError where it is damaged or cannot be opened."""
    try:
        check_link(path)
    except NotPrivate as error:
        raise explain_machine(path.parent, error) from error
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no plain file"
        raise DamagedDatabase(f"{path} is {what}, not a database.", f"Move it away: {move_away(path)}. {RESTORE}")
    with explained(path), closing(connect(path, "mode=rw", wait_seconds)) as connection:
        if not is_new and path.stat().st_size == 0:  # SQLite would take it for a new one
            raise DamagedDatabase(f"The database {path} is damaged: the file is empty.", RESTORE)
        if not is_new and count_steps(connection) == 0 and not _has_tables(connection):
            raise DamagedDatabase(f"The database {path} is damaged: it holds no tables of Active.", RESTORE)
        yield connection


def connect(path: Path, query: str, wait_seconds: float | None = None) -> sqlite3.Connection:
    """A connection in which every statement stands for itself. `query` is SQLite's: ``mode=rw`` makes no file."""
    address = f"{path.absolute().as_uri()}?{query}"
    timeout = BUSY_TIMEOUT_SECONDS if wait_seconds is None else wait_seconds
    return sqlite3.connect(address, timeout=timeout, isolation_level=None, uri=True)


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Whether the steps have been through it; the earliest did not count themselves."""
    return bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone())


def _prepare(path: Path, connection: sqlite3.Connection) -> Database:
    connection.row_factory = sqlite3.Row
    _switch_to_wal(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("fold", 1, make_key, deterministic=True)
    database = Database(path, connection)
    _migrate(database)
    return database


@contextmanager
def open_to_read(path: Path, *, wait_seconds: float) -> Iterator[Database]:
    """Open a database that is there as it is, to read it; another program that keeps it locked is waited for so long.

    Raises DatabaseError; DatabaseBusy where the other program has not let go of it.
    """
    _check_room(path)
    # Not `mode=ro`: what it has to make beside the file would stay there.
    with connected(path, wait_seconds=wait_seconds) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = ON")
        yield Database(path, connection)


@contextmanager
def open_read_only(path: Path) -> Iterator[Database]:
    """Open the database for a run that writes nothing: where it is missing or not migrated yet, a copy of it."""
    _check_room(path)
    if path.exists() and _is_migrated(path):
        with open_database(path) as database:
            yield database
        return
    with new_file(path) as copy:
        is_new = not path.exists()
        if not is_new:
            with connected(path) as source, closing(connect(copy, "mode=rw")) as target:
                source.backup(target)
        with connected(copy, is_new=is_new) as connection:
            yield _prepare(copy, connection)


def discard_rehearsals(path: Path) -> None:
    """Remove what killed processes left: copies for rehearsals, and new databases that were not complete."""
    for folder in path.parent.glob(f"{REHEARSAL}*-*"):
        process_id = folder.name.removeprefix(REHEARSAL).partition("-")[0]
        if process_id.isdecimal() and not _is_alive(int(process_id)):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty private file for a copy of the database `path`, or a new one, in a folder beside it.

    Both are removed after the ``with`` block, with what SQLite has put beside the file. The folder's name says which
    process made it. Raises DatabaseError where the operating system does not allow it.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{REHEARSAL}{os.getpid()}-", dir=path.parent))
    except OSError as error:
        raise explain_machine(path.parent, error, f"The folder of {path} takes no copy of the database") from error
    try:
        file = folder / path.name
        os.close(open_private(file, os.O_RDWR | os.O_CREAT | os.O_EXCL))  # SQLite itself would open it to others
        yield file
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_migrated(path: Path) -> bool:
    with connected(path) as connection:
        return count_steps(connection) >= len(STEPS)


def count_steps(connection: sqlite3.Connection) -> int:
    """How many steps of the schema the database has been through."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite complains of within the ``with`` block leaves it as DatabaseError about the file `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain_trouble(path, error) from error


def explain_trouble(path: Path, error: sqlite3.Error) -> DatabaseError:
    """What SQLite complains of, with what to do about it."""
    kind: type[DatabaseError]
    match base_name(error):
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB":
            kind = DamagedDatabase
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            kind = DatabaseBusy
        case _:
            kind = DatabaseError
    return kind(
        f"The database {path} cannot be used: {error}.",
        _remedy(error, path),
        details=f"{type(error).__name__} {getattr(error, 'sqlite_errorname', '')}",
    )


def explain_machine(
    folder: Path, error: OSError, happened: str = "This computer did not let xpmsync go on"
) -> DatabaseError:
    """What the operating system did not allow, with what to do about it."""
    match error.errno:
        case errno.EMFILE | errno.ENFILE | errno.ENOMEM | errno.EAGAIN:
            remedy = "It has too much to do at once: end other programs, or start it anew. The next run tries again."
        case errno.ENOSPC | errno.EDQUOT | errno.EIO | errno.EFBIG:
            remedy = f"Make room on the disk that holds {folder}; the next run goes on by itself."
        case errno.ELOOP if error.filename:
            happened = f"{error.filename} cannot be used"
            remedy = f"Look at what it is, and who put it there; then move it away: {move_away(error.filename)}"
        case _:
            remedy = f"Give its owner the right to write to {folder} and to the files in it."
    return DatabaseError(f"{happened}: {error.strerror}.", remedy, details=f"{type(error).__name__}: {error}")


def _check_room(path: Path) -> None:
    """Raise DatabaseError where the disk is full."""
    with suppress(OSError):  # then SQLite complains as well
        if shutil.disk_usage(path.parent).free >= LEAST_ROOM_BYTES:
            return
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise explain_machine(path.parent, full, f"The database {path} cannot be used")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Two that switch a new file at once are in each other's way, and here SQLite itself does not wait."""
    patience_ends_at = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if base_name(error) != "SQLITE_BUSY" or time.monotonic() > patience_ends_at:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(database: Database) -> None:
    steps = count_steps(database.connection)
    if steps > len(STEPS):
        raise DatabaseError(
            f"The database {database.path} was made by a newer xpmsync than this one.",
            "Nothing was written to it. Install that version again (or a later one); then run: xpmsync sync",
        )
    if steps == len(STEPS):
        return
    import sqlite_utils  # noqa: PLC0415 - takes longer to load than most commands take to run

    # Two commands may find the same step pending: the second waits here, and then finds nothing to do.
    with database.transaction():
        make_migrations().apply(sqlite_utils.Database(database.connection, execute_plugins=False))
        database.connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def base_name(error: sqlite3.Error) -> str:
    """SQLite's name for the error, without the finer distinction: SQLITE_IOERR for SQLITE_IOERR_WRITE."""
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])


def _remedy(error: sqlite3.Error, path: Path) -> str:
    match base_name(error):
        case "SQLITE_FULL" | "SQLITE_IOERR":
            return f"Make room on the disk that holds {path.parent}; the next run goes on by itself."
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return "Another program is writing to it: close that program; the next run goes on by itself."
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB":
            return RESTORE
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM":
            return f"Give its owner the right to write to {path.parent} and to the file."
    return "Try again; if it stays, send the log to the person who looks after this computer."


def to_dicts(rows: sqlite3.Cursor) -> list[dict[str, Any]]:
    """Rows as dictionaries, for many look-ups in many rows: a `sqlite3.Row` searches its columns for each name."""
    columns = [column[0] for column in rows.description]
    return [dict(zip(columns, row, strict=True)) for row in rows]
