"""Looks at the health of the sync and tells the chosen person: what the hourly run and the watchman share.

Brings the runs in the database and the e-mail of `xpmsync.notify` together; decides nothing itself.
"""

import os
import pwd
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from xpmsync.active import notifications, runs
from xpmsync.active.database import Database
from xpmsync.config import Config
from xpmsync.health import Failure, Health
from xpmsync.home import Home, find_home
from xpmsync.letter import Place
from xpmsync.moments import from_text
from xpmsync.notify import Outbox, Telling, tell_if_due


def load_health(database: Database) -> Health:
    """How the runs went of late. Runs that a person watched, and those cut off, are nobody's news."""
    success = runs.load_last_success(database)
    first = runs.load_first_run(database)
    failed = runs.load_last_failure(database)
    failures = runs.load_failures_since_success(database)
    if failed and success and failed["id"] < success["id"]:
        failed = None  # by their order, as a clock may have been wrong
    return Health(
        first_run_at=from_text(first["started_at"]) if first else None,
        last_success_at=from_text(success["finished_at"]) if success else None,
        last_failure=Failure(failed["exit_code"], from_text(failed["finished_at"]), failed["message"], failed["remedy"])
        if failed
        else None,
        first_failure_at=from_text(failures[0]["finished_at"]) if failures else None,
    )


def find_place(home: Home) -> Place:
    """Where the commands of this home are typed, and by whom: whoever runs this owns it (see `prepare_home`)."""
    user_id = os.geteuid()
    try:
        user = pwd.getpwuid(user_id).pw_name
    except KeyError:
        user = f"number {user_id}"
    folder = None if home == find_home({}) else str(home.data_folder)
    return Place(socket.gethostname(), user, str(home.log_file), folder)


def tell(
    home: Home,
    database: Database,
    config: Config,
    *,
    password: str | None,
    now: Callable[[], datetime],
    failure: Failure | None = None,
) -> Telling:
    """Send the e-mail that is due, if one is; see `xpmsync.notify.tell_if_due`.

    `failure` is one that no run has written down.
    """
    outbox = Outbox(
        reserve=lambda recipient, subject: notifications.reserve_notification(database, recipient, subject, now()),
        mark_sent=lambda notification_id: notifications.mark_notification_sent(database, notification_id, now()),
        release=lambda notification_id: notifications.release_notification(database, notification_id),
    )
    health = load_health(database)
    if failure:
        health = replace(health, last_failure=failure)
    return tell_if_due(config, health, outbox, password=password, now=now(), place=find_place(home))
