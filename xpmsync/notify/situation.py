"""Looks at the health of the sync and sends the alert that is due: what the hourly sync and `xpmsync notify` share.

Brings together what the database says, what the alert file says, and the emails of `xpmsync.notify.notifier`. An alert
needs no database. Decides nothing itself.
"""

import logging
import os
import pwd
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from xpmsync.active import runs
from xpmsync.active.database import Database, DatabaseBusy, count_steps, open_to_read
from xpmsync.active.users import load_users
from xpmsync.config import Config
from xpmsync.errors import DatabaseError
from xpmsync.home import Home, find_home
from xpmsync.notify.alert_file import AlertFile, Recipient, combine, find_recipient
from xpmsync.notify.health import Failure, Health, find_trouble
from xpmsync.notify.message import Place
from xpmsync.notify.notifier import Notifier, NotifyOutcome, NotifyResult
from xpmsync.preflight import check_database_kept
from xpmsync.records import User
from xpmsync.system.lock import CannotLock, hold
from xpmsync.system.timeouts import OutOfTime, call_within
from xpmsync.system.timestamps import from_stored

log = logging.getLogger(__name__)

BUSY_SECONDS: Final = 4.0
"""For another program that keeps the database locked."""
READING_SECONDS: Final = 8.0
"""For all of it: a file system may not answer at all."""


@dataclass(frozen=True)
class Situation:
    """What is known of the sync, from the alert file and from the database, where that can be read."""

    health: Health
    recipient: Recipient | None
    is_database_read: bool
    trouble: DatabaseError | None
    """Why the database cannot be used; None also while another program has it in its hands."""


def load_health(database: Database, now: datetime) -> Health:
    """How the syncs went of late, up to `now`. Those that a person watched, and those cut off, are nobody's news."""
    success = runs.load_last_success(database)
    first = runs.load_first_run(database)
    failed = runs.load_last_failure(database)
    failures = runs.load_failures_since_success(database)
    if failed and success and failed["id"] < success["id"]:
        failed = None  # by their order, as a clock may have been wrong
    return Health(
        first_run_at=from_stored(first["started_at"]) if first else None,
        last_success_at=runs.load_last_success_time(database, now),
        last_failure=Failure(
            failed["exit_code"], from_stored(failed["finished_at"]), failed["message"], failed["remedy"]
        )
        if failed
        else None,
        first_failure_at=from_stored(failures[0]["finished_at"]) if failures else None,
    )


def assess(home: Home, config: Config, alerts: AlertFile, now: datetime) -> Situation:
    """What is known of the sync; found out within ten seconds.

    A database that cannot be used is what the next sync will fail of, and counts as a failure; one that another program
    keeps locked, a sync or a restore at work, does not.
    """
    record = alerts.load()
    facts, trouble = _load_facts(home, config, now), None
    if isinstance(facts, DatabaseError) and not _is_at_work(home):
        facts = _load_facts(home, config, now)  # it may just have been restored
        trouble = facts if isinstance(facts, DatabaseError) else None
    stored, users = facts if isinstance(facts, tuple) else (None, ())
    health = combine(record, stored, now)
    if trouble:
        health = replace(health, last_failure=Failure(trouble.exit_code, now, trouble.happened, trouble.remedy))
    recipient = find_recipient(config.notify.email, record.recipient, users)
    return Situation(health, recipient, stored is not None, trouble)


def _load_facts(home: Home, config: Config, now: datetime) -> tuple[Health, Sequence[User]] | DatabaseError | None:
    """How the syncs went, and Active's users; None where there is no database yet, or it is locked."""

    def load() -> tuple[Health, Sequence[User]] | None:
        with open_to_read(home.database_file, wait_seconds=BUSY_SECONDS) as database:
            return (load_health(database, now), load_users(database)) if count_steps(database.connection) else None

    try:
        check_database_kept(home, config)
        return call_within(READING_SECONDS, load) if home.database_file.exists() else None
    except (DatabaseBusy, OutOfTime) as error:
        log.info("the database cannot be read now: %s", error or "it does not answer")
        return None
    except DatabaseError as error:
        return error


def _is_at_work(home: Home) -> bool:
    """Whether a sync, a restore or an administrator is at work with the database."""
    try:
        with hold(home.run_lock) as is_held:
            return not is_held
    except CannotLock:
        return False


def find_place(home: Home) -> Place:
    """Where the commands of this home are typed, and by whom: whoever runs this owns it (see `prepare_home`)."""
    user_id = os.geteuid()
    try:
        user = pwd.getpwuid(user_id).pw_name
    except KeyError:
        user = f"number {user_id}"
    folder = None if home == find_home({}) else str(home.data_folder)
    return Place(socket.gethostname(), user, str(home.log_file), folder)


def alert_of_failure(
    home: Home,
    config: Config,
    failure: Failure,
    *,
    read_password: Callable[[], str | None],
    now: Callable[[], datetime],
) -> NotifyResult:
    """Write the failure of a sync into the alert file, and send the emails that are due.

    Raises AlertFileError where it cannot be written down; nothing is sent then.
    """
    alerts = AlertFile(home.alert_file, now)
    alerts.record_failure(failure)
    situation = assess(home, config, alerts, now())
    return notify_if_due(home, config, alerts, situation, read_password=read_password, now=now)


def notify_if_due(
    home: Home,
    config: Config,
    alerts: AlertFile,
    situation: Situation,
    *,
    read_password: Callable[[], str | None],
    now: Callable[[], datetime],
) -> NotifyResult:
    """Send the emails that are due, and keep the recipient's present address; see `Notifier.notify_if_due`."""
    if situation.is_database_read and situation.recipient != alerts.load().recipient:
        alerts.save_recipient(situation.recipient)
    if find_trouble(situation.health, now()) is None:
        return NotifyResult(NotifyOutcome.NOTHING_DUE)
    notifier = Notifier(config, alerts, find_place(home), read_password, now)  # knows more than a quiet hour needs
    return notifier.notify_if_due(situation.health, situation.recipient)
