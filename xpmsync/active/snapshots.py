"""Copies of the database: made while other programs use it, looked at before anybody relies on them, and put back.

A copy is one plain file without a write-ahead log, so that whoever may read it can open it, from a folder where they
may not write as well. Knows files and SQLite; what stands in the tables, and who may do what, others know.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from xpmsync.active.database import (
    BUSY_TIMEOUT_SECONDS,
    RESTORE,
    DamagedDatabase,
    Database,
    base_name,
    connect,
    connected,
    count_steps,
    explained,
    find_companions,
    new_file,
    put_in_place,
)
from xpmsync.active.migrations import STEPS
from xpmsync.errors import AnotherSyncRunning, DatabaseError, InvalidRequest
from xpmsync.system.atomic import CannotKeepGroup, find_draft, replaced, take_over_mode

MIGRATION_SET: Final = "SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'xpmsync'"
WRITING: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")
"""What SQLite complains of, in the middle of a copy, is about the new file: the database itself was open by then."""


def make_copy(source: Path, target: Path, *, mode: int | None = None) -> None:
    """Copy the database `source`, as it is at this moment, to the file `target`: whole and checked, or not at all.

    A file that is there is replaced, and keeps its group; without a `mode` it keeps that too, and a new one is its
    owner's alone. Raises DatabaseError. Two at once for one `target` are the caller's to prevent.
    """
    draft = find_draft(target)
    journal = draft.with_name(f"{draft.name}-journal")
    try:
        journal.unlink(missing_ok=True)  # left by a process that was killed
        try:
            with replaced(target) as file:
                _copy(source, draft, target)
                take_over_mode(target, file, mode)
        finally:
            journal.unlink(missing_ok=True)
    except CannotKeepGroup as error:
        raise DatabaseError(
            f"The copy {target} cannot be replaced: {error.strerror}.", f"{error.remedy} It is still there, as it was."
        ) from error
    except OSError as error:
        raise _explain_writing(target, error.errno, error.strerror, f"{type(error).__name__}: {error}") from error


@contextmanager
def opened_copy(path: Path) -> Iterator[Database]:
    """A copy for reading, once it is known to be xpmsync's; its tables may be those of an earlier version.

    Raises InvalidRequest where it is something else, DatabaseError where it is damaged or cannot be read.
    """
    try:
        with explained(path), closing(connect(path, "mode=ro")) as connection:
            connection.row_factory = sqlite3.Row
            if not _is_ours(connection):
                raise InvalidRequest(
                    f"{path} is no copy of xpmsync's database.", "Name a file that xpmsync backup has made."
                )
            yield Database(path, connection)
    except DamagedDatabase as error:
        raise DatabaseError(
            f"The copy {path} is damaged.", "Nothing was changed. Sink another copy.", details=error.happened
        ) from error


def check_copy(copy: Database) -> None:
    """Raise DatabaseError where a copy is not whole, or was made by a newer xpmsync than this one."""
    _check_whole(copy.connection, copy.path)
    if count_steps(copy.connection) > len(STEPS):
        raise DatabaseError(
            f"The copy {copy.path} was made by a newer xpmsync than this one.",
            "Nothing was changed. Install that version again (or a later one), and restore it with that.",
        )


def _is_ours(connection: sqlite3.Connection) -> bool:
    try:
        return bool(connection.execute(MIGRATION_SET).fetchone()[0])
    except sqlite3.DatabaseError as error:
        if base_name(error) in ("SQLITE_ERROR", "SQLITE_NOTADB"):  # without such a table, or no database at all
            return False
        raise


def is_in_use(path: Path) -> bool:
    """Whether a file is a database that a program writes to, rather than a copy that is only read."""
    if find_companions(path):
        return True
    with path.open("rb") as file:
        header = file.read(20)
    return header[:16] == b"SQLite format 3\0" and header[18:] == b"\2\2"  # it keeps a write-ahead log


def restore_into(copy: Database, path: Path) -> None:
    """Put a copy in the place of what the database `path` holds, in one transaction of SQLite's own.

    No file is moved, so programs that have the database open go on, and find what was put back. Where there is no
    database, see `install`. Raises DatabaseError.
    """
    if not path.exists():
        install(copy, path)
        return
    patience_ends_at = time.monotonic() + BUSY_TIMEOUT_SECONDS

    def keep_patience(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > patience_ends_at:
            raise DatabaseError(
                f"Another program is writing to the database {path}, and does not come to an end.",
                "Nothing was changed. Close that program; then restore again.",
            )

    with explained(path), closing(sqlite3.connect(path, timeout=1)) as target:
        copy.connection.backup(target, progress=keep_patience)


def install(new: Database, path: Path) -> None:
    """Put a copy of a database where one is missing, whole.

    What SQLite kept beside the missing one goes. Raises DatabaseError, and AnotherSyncRunning where there is one.

    What SQLite kept beside the missing one goes.
    """
    companions = find_companions(path)
    with new_file(path) as file:
        with explained(file), closing(connect(file, "mode=rw")) as target:
            new.connection.backup(target)
        try:
            if not path.exists():  # so they are not those of a database that was made meanwhile
                for companion in companions:
                    companion.unlink(missing_ok=True)
            put_in_place(file, path)
        except FileExistsError:
            raise AnotherSyncRunning(
                "Meanwhile another xpmsync has made the database.", "Nothing was changed. Run the command again."
            ) from None


def archive(path: Path, aside: Path) -> None:
    """Keep what the database `path` holds as `aside`: a copy, or the file itself where that is damaged.

    Raises DatabaseError where neither is possible; then all is as it was.
    """
    try:
        make_copy(path, aside)
    except DamagedDatabase:
        for file in (*find_companions(path), path):
            with suppress(FileNotFoundError):
                file.rename(aside.with_name(file.name.replace(path.name, aside.name, 1)))


def _copy(source: Path, draft: Path, target: Path) -> None:
    """Copy and check. What was deleted in the database is not in the copy, as its free pages would have it."""
    with connected(source) as connection:  # trouble with the database itself is met here
        try:
            # Nobody else knows the draft: no locks are needed, which some network file systems do not have.
            connection.execute("VACUUM INTO ?", (f"{draft.as_uri()}?nolock=1",))
        except sqlite3.Error as error:
            if base_name(error) in WRITING:
                code = errno.ENOSPC if base_name(error) in ("SQLITE_FULL", "SQLITE_IOERR") else errno.EACCES
                raise _explain_writing(target, code, str(error), type(error).__name__) from error
            raise
    with explained(source), closing(connect(draft, "mode=ro&nolock=1")) as connection:
        _check_whole(connection, source)


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if finding != "ok":
        raise DamagedDatabase(f"The database {path} is damaged: {finding}.", RESTORE)


def _explain_writing(target: Path, code: int | None, complaint: str | None, details: str) -> DatabaseError:
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
        remedy = f"Make room on the disk that holds {target.parent}."
    elif code == errno.ENOENT:
        remedy = f"Make the folder {target.parent}, and give whoever runs xpmsync the right to write there."
    else:
        remedy = f"Name a file in another folder; or give whoever runs xpmsync the right to write to {target.parent}."
    if os.path.exists(target):  # noqa: PTH110 - Path.exists raises where the folder may not be entered
        remedy = f"{remedy} The copy that was there is still there, as it was."
    return DatabaseError(
        f"The copy {target} cannot be written: {complaint}.",
        remedy,
        details=details,
    )
