"""How the sync is, from what lies on this computer: is it working, since when, when next, what needs a person.

Worked out once, for `xpmsync status` and for the page of `xpmsync report`. Knows no network, no keyring, and not how
any of it is shown.
"""

import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from xpmsync.active import runs
from xpmsync.active.counts import XpmClients, count_by_status, count_xpm_clients
from xpmsync.active.database import Database
from xpmsync.active.error_log import load_causes
from xpmsync.active.offices import load_offices_without_active_partner
from xpmsync.active.stops import load_waiting
from xpmsync.active.users import load_needs, load_users
from xpmsync.config import Config
from xpmsync.errors import ConnectionFailed
from xpmsync.home import HOME_VARIABLE, Home, connect_command
from xpmsync.monitoring.crontab import Crontab
from xpmsync.notify.alert_file import AlertFile, explain_recipient, list_addresses
from xpmsync.notify.health import PATIENCE, RHYTHM_MEMORY, looks_scheduled
from xpmsync.rules.schedule import next_full_at
from xpmsync.system.timestamps import from_stored

SHOWN_RUNS: Final = 5


class State(StrEnum):
    """Whether it is working."""

    WORKING = "working"
    DISRUPTED = "disrupted"
    NOT_SET_UP = "not set up"


@dataclass(frozen=True)
class Need:
    """Something that only a person can do. Names no client and nobody of the staff."""

    what: str
    command: str
    """What to type."""


@dataclass(frozen=True)
class Overview:
    """How the sync is."""

    made_at: datetime
    sync_name: str
    state: State
    since: datetime | None
    """Since when it works, or does not; None where nobody knows."""
    reason: str | None
    """Why it does not work; may hold names of clients."""
    failed_exit_code: int | None
    """How the last run ended, where it failed."""
    last_success_at: datetime | None
    is_scheduled: bool | None
    """Whether something starts the runs, as a line of the crontab or their rhythm says; None where neither tells."""
    next_run_at: datetime | None
    next_full_at: datetime | None
    """From when on everything is fetched again."""
    needs: Sequence[Need]
    """What needs a person, the most urgent first."""
    stopped: Sequence[int]
    """The syncs that the safety limits stopped, and that wait for somebody to accept it: the last one of each mode."""
    latest_runs: Sequence[sqlite3.Row]
    causes: Sequence[sqlite3.Row]
    """The open problems by cause: rows of the view `open_causes`. Hold names."""
    users: Mapping[str, int]
    """Status to number."""
    clients: Mapping[str, int]
    """Status to number."""
    xpm_clients: XpmClients
    waiting_users: int
    """Those who cannot use Active yet."""
    day_calls_remaining: int | None

    def count_open(self, severity: str, *, entity: str | None = None) -> int:
        """How many open problems there are, of errors or of warnings; of one kind of record alone, or of all."""
        return sum(
            cause["records"]
            for cause in self.causes
            if cause["severity"] == severity and entity in (None, cause["entity"])
        )


NEEDS_BY_FAILURE: Final[Mapping[str, Need]] = {
    "keyring-trouble": Need("The keyring that holds the sign-in keeps it to itself.", "xpmsync doctor"),
    "configuration-wrong": Need("The settings must be put right.", "xpmsync doctor"),
    "xero-refused": Need("Xero refuses the sync: read why, and what to do.", "xpmsync errors --entity run"),
    "database-trouble": Need("The database cannot be used.", "xpmsync doctor"),
    "bug": Need("xpmsync has a fault: read what to send to whom.", "xpmsync errors --entity run"),
}
"""By the code in the error log; a sign-in needs the command of this computer. Trouble at Xero passes by itself; of a
connection error the entry says what to check on this side."""
NOT_ENDED_BY_USUAL_RUN: Final = frozenset({"bug"})
"""The failures of which the error log says which run to make, if any."""


def load_overview(
    database: Database,
    home: Home,
    config: Config,
    crontab: Crontab | None,
    now: datetime,
    *,
    signed_in_at: datetime | None = None,
) -> Overview:
    """How the sync of `home` is; `crontab` is None where the machine does not tell it.

    `signed_in_at` is when somebody signed in last, where that is known.
    """
    latest = runs.load_last_runs(database, SHOWN_RUNS)
    stopped = tuple(sorted(load_waiting(database).values()))
    failures = runs.load_failures_since_success(database)
    success, full = runs.load_last_success(database), runs.load_last_success(database, mode="full")
    last_success_at = from_stored(success["finished_at"]) if success else None
    lines = None if crontab is None else crontab.of(home)
    is_in_crontab = None if lines is None else lines.runs("sync")
    are_coming = looks_scheduled(runs.load_unwatched_starts(database, now - RHYTHM_MEMORY), now)
    is_scheduled = are_coming or is_in_crontab
    causes = load_causes(database)
    waiting_users = len(load_needs(database))
    state, since, reason = _judge(database, config, last_success_at, failures, now)
    hours = config.sync.full_every_hours
    next_run_at = lines.find_next("sync", now) if lines else None
    return Overview(
        made_at=now,
        sync_name=config.sync.name,
        state=state,
        since=since,
        reason=reason,
        failed_exit_code=failures[-1]["exit_code"] if failures else None,
        last_success_at=last_success_at,
        is_scheduled=is_scheduled,
        next_run_at=next_run_at,
        next_full_at=next_full_at(from_stored(full["started_at"]), config.sync.tenant_id or "", hours)
        if full
        else None,
        needs=(
            *(_list_needs_of_home(crontab, home) if state is State.NOT_SET_UP else ()),
            *_list_needs_of_set_up(config, is_fresh=not success and not failures),
            *(_list_needs_of_failure(failures[-1], signed_in_at, next_run_at) if failures else ()),
            *_list_needs_of_stops(stopped),
            *_list_needs_of_alerts(database, home, config),
            *_list_needs_of_schedule(state, failures, is_in_crontab, are_coming),
            *_list_needs_of_offices(database),
            *_list_needs_of_records(causes, waiting_users),
        ),
        stopped=stopped,
        latest_runs=latest,
        causes=causes,
        users=count_by_status(database, "users"),
        clients=count_by_status(database, "clients"),
        xpm_clients=count_xpm_clients(database),
        waiting_users=waiting_users,
        day_calls_remaining=next(
            (row["day_calls_remaining"] for row in latest if row["day_calls_remaining"] is not None), None
        ),
    )


def _judge(
    database: Database, config: Config, last_success_at: datetime | None, failures: Sequence[sqlite3.Row], now: datetime
) -> tuple[State, datetime | None, str | None]:
    """Whether it works, since when, and why not."""
    if failures:
        return State.DISRUPTED, from_stored(failures[0]["finished_at"]), failures[-1]["message"]
    if last_success_at is None:
        if config.sync.tenant_id is None:
            return State.NOT_SET_UP, None, "it is not connected to Xero Practice Manager."
        if config.sync.default_office_code is None:
            return State.NOT_SET_UP, None, "nobody has said where new clients belong."
        return State.NOT_SET_UP, None, "no run has succeeded."
    if now - last_success_at >= PATIENCE:
        return State.DISRUPTED, last_success_at, "No run has succeeded since then, and none has failed."
    first = runs.load_first_success_since_failure(database)
    return State.WORKING, from_stored(first["finished_at"]) if first else None, None


def _list_needs_of_home(crontab: Crontab | None, home: Home) -> Iterator[Need]:
    """Where nothing is set up here, but cron works in another folder, that is the one that is meant."""
    if crontab and crontab.jobs and not crontab.of(home).jobs:
        folder = crontab.jobs[0].variables.get(HOME_VARIABLE)
        yield Need(
            "The crontab's lines work in another folder. To work there too:",
            f"export {HOME_VARIABLE}={shlex.quote(folder)}" if folder else f"unset {HOME_VARIABLE}",
        )


def _list_needs_of_set_up(config: Config, *, is_fresh: bool) -> Iterator[Need]:
    if config.sync.tenant_id is None:
        yield Need("Connect xpmsync to Xero Practice Manager.", connect_command())
    elif config.sync.default_office_code is None:
        yield Need("Say where new clients belong.", "xpmsync configure")
    elif is_fresh:
        yield Need("Make the first run.", "xpmsync sync")


def _list_needs_of_failure(
    failure: sqlite3.Row, signed_in_at: datetime | None, next_run_at: datetime | None
) -> Iterator[Need]:
    """What puts the cause right, unless that is known to be done; and the run that shows it, as nothing else does."""
    if failure["code"] == ConnectionFailed.code:
        yield Need(failure["suggestion"], "xpmsync doctor")
        return
    need = NEEDS_BY_FAILURE.get(failure["code"])
    if failure["code"] == "sign-in-needed":
        need = Need("Somebody must sign in to Xero again.", connect_command())
    if need is None:
        return
    run = f"make a run, or wait for the one at {next_run_at.astimezone():%H:%M}." if next_run_at else "make a run."
    if failure["code"] == "sign-in-needed" and signed_in_at and signed_in_at > from_stored(failure["finished_at"]):
        yield Need(f"Somebody has signed in since: {run}", "xpmsync sync")
        return
    yield need
    if failure["code"] not in NOT_ENDED_BY_USUAL_RUN:
        yield Need(f"Then {run}", "xpmsync sync")


def _list_needs_of_stops(stopped: Sequence[int]) -> Iterator[Need]:
    """What stopped a full sync waits for a person, also while the incremental ones succeed."""
    for run_id in stopped:
        yield Need(
            f"The safety limits stopped sync {run_id}: list the affected records.",
            f"xpmsync sync --accept {run_id} --dry-run",
        )
        yield Need(f"If XPM is correct, accept what stopped sync {run_id}.", f"xpmsync sync --accept {run_id}")


def _list_needs_of_alerts(database: Database, home: Home, config: Config) -> Iterator[Need]:
    """An alert file that is no use, a recipient who is not an active user, and emails that could not be sent."""
    alerts = AlertFile(home.alert_file)
    if trouble := alerts.diagnose():
        yield Need(f"No alert can be sent. {trouble.happened}", trouble.command or "xpmsync doctor")
    if config.smtp is None:
        return
    recipient = alerts.find_recipient(config.notify.email, load_users(database))
    if recipient is None or not recipient.is_active:
        yield Need(explain_recipient(recipient, config.notify.cc), "xpmsync configure")
    record = alerts.load()
    if any(record.find(address).failed_at for address in list_addresses(recipient, config.notify.cc)):
        yield Need("An email was due and could not be sent: see why.", "xpmsync notify --test")


def _list_needs_of_schedule(
    state: State, failures: Sequence[sqlite3.Row], is_in_crontab: bool | None, are_coming: bool
) -> Iterator[Need]:
    if state is State.NOT_SET_UP or are_coming:
        return
    if is_in_crontab is False:
        yield Need(
            "The hourly sync isn't in your crontab: add it. A timer of systemd's is noticed after three hours.",
            "xpmsync configure --crontab install",
        )
    elif state is State.DISRUPTED and not failures:
        yield Need("The runs have stopped: see what cron meets.", "xpmsync doctor --cron")


def _list_needs_of_offices(database: Database) -> Iterator[Need]:
    for office in load_offices_without_active_partner(database):
        yield Need(
            f"The default partner of the office {office['code']} is not an active user: choose another.",
            f"xpmsync admin office set {shlex.quote(office['code'])} --default-partner EMAIL",
        )


def _list_needs_of_records(causes: Sequence[sqlite3.Row], waiting_users: int) -> Iterator[Need]:
    if errors := sum(row["records"] for row in causes if row["severity"] == "error" and row["entity"] != "run"):
        keep = "One error keeps a record" if errors == 1 else f"{errors:,} errors keep records"
        yield Need(f"{keep} from being synced.", "xpmsync errors")
    if waiting_users:
        some = "One user" if waiting_users == 1 else f"{waiting_users:,} users"
        yield Need(f"{some} cannot use Active yet.", "xpmsync admin user list --waiting")
