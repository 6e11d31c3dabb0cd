"""Copies of the database for keeping and for handing out, and the way back from one.

Decides what may be replaced, and whether a copy belongs into this home; `xpmsync.active.snapshots` does it. Knows no
terminal. Neither a copy nor the database holds a secret: those are in the keyring.
"""

import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from xpmsync.active import runs
from xpmsync.active.counts import count_by_status
from xpmsync.active.database import Database, open_database, open_read_only
from xpmsync.active.exclusive_lock import turn
from xpmsync.active.snapshots import archive, check_copy, is_in_use, make_copy, opened_copy, restore_into
from xpmsync.config import Config
from xpmsync.errors import AnotherSyncRunning, ConfigurationError, DatabaseError, InvalidRequest, XpmsyncError
from xpmsync.home import Home
from xpmsync.preflight import check_readable

log = logging.getLogger(__name__)

BACKUP_SECONDS: Final = 60.0
"""For another backup to end; most take a second."""
RUN_SECONDS: Final = 10.0
"""For a run to end; most are over within this time."""


@dataclass(frozen=True)
class Contents:
    """What a database holds, as far as a person needs it to tell one from another."""

    users: int
    clients: int
    practice: str | None
    """Its tenant id; None before the first run."""
    last_success_at: str | None


@dataclass(frozen=True)
class Comparison:
    """A copy, and what it would replace."""

    copy: Contents
    present: Contents | None
    """None where there is no database, or one that cannot be read."""


def back_up(home: Home, target: Path, *, mode: int | None) -> Contents:
    """Copy the database of `home` to a file, also while a run goes on; a copy that is there is replaced.

    Raises InvalidRequest where that would replace anything else, DatabaseError where it cannot be read or written; then
    an earlier copy is as it was.
    """
    target = target.resolve()
    if target.parent == home.data_folder.resolve():
        raise InvalidRequest(
            f"{target} would lie beside the database itself.",
            "Name a file in another folder, best on another disk: what happens to the one should not reach the other.",
        )
    check_readable(home)
    if not home.database_file.exists():
        raise InvalidRequest(
            "There is no database yet, so there is nothing to copy.", "Make the first run: xpmsync sync"
        )
    busy = AnotherSyncRunning("Another backup is in progress.", "Nothing needs to be done: it ends by itself.")
    with turn(home.backup_lock, busy, wait_seconds=BACKUP_SECONDS):
        with open_read_only(home.database_file) as database:
            contents = _load_contents(database)
        if os.path.exists(target):  # noqa: PTH110 - Path.exists raises where the folder may not be entered
            _check_replaced(target, contents.practice)
        make_copy(home.database_file, target, mode=mode)
    log.info("copied to %s: %s", target, contents)
    return contents


def compare(home: Home, config: Config, source: Path) -> Comparison:
    """Look at a copy and at what it would replace.

    Raises InvalidRequest, ConfigurationError or DatabaseError where it cannot be restored here.
    """
    source = source.resolve()
    if source == home.database_file.resolve():
        raise InvalidRequest(f"{source} is the database itself.", "Name a copy that xpmsync backup has made.")
    try:
        if not source.is_file():
            raise InvalidRequest(f"There is no file {source}.", "Name a copy that xpmsync backup has made.")
    except OSError as error:
        raise InvalidRequest(
            f"{source} cannot be read: {error.strerror}.",
            "Give whoever runs xpmsync the right to read it, or copy it to where they have that.",
        ) from error
    with opened_copy(source) as copy:
        check_copy(copy)
        contents = _load_contents(copy)
    present = _load_present(home)
    practice = (present.practice if present else None) or config.sync.tenant_id
    if None not in (contents.practice, practice) and contents.practice != practice:
        raise ConfigurationError(
            f"The copy {source} holds the data of another practice than this home.",
            "Nothing was changed. Restore it in the home of that practice: XPMSYNC_HOME=FOLDER xpmsync restore FILE",
        )
    return Comparison(contents, present)


def restore(home: Home, config: Config, source: Path, *, now: datetime) -> Path | None:
    """Put a copy in the database's place; gives where the database of before is kept, if there was one.

    Raises AnotherSyncRunning while a run goes on, and whatever `compare` finds; then nothing was changed.
    """
    busy = AnotherSyncRunning("A sync is in progress, so nothing was changed.", "Try again in a few minutes.")
    with turn(home.run_lock, busy, wait_seconds=RUN_SECONDS):
        compare(home, config, source)
        aside = None
        if home.database_file.exists():
            aside = _find_name(home, now)
            archive(home.database_file, aside)
        with opened_copy(source.resolve()) as copy:
            restore_into(copy, home.database_file)
        with open_database(home.database_file) as database:  # brings an earlier version's up to date
            database.check()
    log.info("restored from %s; the database of before is %s", source, aside)
    return aside


def _find_name(home: Home, now: datetime) -> Path:
    """A name that is free: what is restored may have been set aside a moment ago."""
    while True:
        aside = home.data_folder / f"active-before-restore-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.db"
        if not aside.exists():
            return aside
        now += timedelta(seconds=1)


def _load_contents(database: Database) -> Contents:
    success = runs.load_last_success(database)
    return Contents(
        users=sum(count_by_status(database, "users").values()),
        clients=sum(count_by_status(database, "clients").values()),
        practice=runs.load_practice(database),
        last_success_at=success["finished_at"] if success else None,
    )


def _load_present(home: Home) -> Contents | None:
    if not home.database_file.exists():
        return None
    try:
        with open_read_only(home.database_file) as database:
            return _load_contents(database)
    except DatabaseError as trouble:
        log.warning("what is to be replaced cannot be read: %s", trouble.for_log)
        return None


def _check_replaced(target: Path, practice: str | None) -> None:
    """Raise InvalidRequest unless the file is a copy of this practice's, or empty, made for mode and group."""
    if not target.is_file():
        raise InvalidRequest(f"{target} is no file.", f"Name a file in a folder, such as: {target}/active-copy.db")
    if target.stat().st_size == 0:
        return
    remedy = "Nothing was replaced. Name a file that is not there yet, or a copy that xpmsync backup has made."
    if is_in_use(target):
        raise InvalidRequest(f"{target} is a database in use, and no copy.", remedy)
    try:
        with opened_copy(target) as earlier:
            its_practice = runs.load_practice(earlier)
    except XpmsyncError as error:
        raise InvalidRequest(f"{target} is there, and is no copy of xpmsync's database.", remedy) from error
    if None not in (practice, its_practice) and practice != its_practice:
        raise InvalidRequest(f"{target} is a copy of another practice's database.", remedy)
