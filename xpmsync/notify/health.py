"""Whether somebody must be told that the sync is disrupted, and whether its runs come by themselves.

From a few facts about the runs, values in, values out: knows no clock and no database, and not how anybody is told.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DUE_AT_ONCE: Final = frozenset({1, 4, 5, 7, 8, 9})
"""Exit codes that do not pass by themselves."""
UNREACHABLE: Final = 6
PATIENCE: Final = timedelta(hours=3)
"""How long the sync may go without a success before somebody is told."""
RHYTHM_MEMORY: Final = timedelta(days=8)
"""How far back a rhythm of the runs is looked for: beyond some days on which the computer was off."""

USUAL_REMEDY: Final = "See what went wrong: xpmsync errors"
SILENCE_REMEDY: Final = "See what keeps cron from it: xpmsync doctor --cron; then run: xpmsync sync"


@dataclass(frozen=True)
class Failure:
    """How the latest run that nobody watched has failed."""

    exit_code: int
    failed_at: datetime
    happened: str
    remedy: str | None = None
    run_id: int | None = None
    """Of its row in the database, where it has one."""


@dataclass(frozen=True)
class Health:
    """What is known of the sync."""

    first_run_at: datetime | None
    """When a sync was first tried; None where none ever was, and so none is missed."""
    last_success_at: datetime | None
    last_failure: Failure | None = None
    first_failure_at: datetime | None = None
    """When the first of the runs failed that have failed since the last success."""


@dataclass(frozen=True)
class Trouble:
    """What somebody must be told."""

    exit_code: int | None
    """None where it is the silence that is told."""
    happened: str
    remedy: str
    last_success_at: datetime | None
    first_failure_at: datetime | None = None
    """When the first of the runs failed that have failed since the last success."""


def find_trouble(health: Health, now: datetime) -> Trouble | None:
    """What somebody must be told about this sync, if anything. A success in the future proves nothing."""
    success = health.last_success_at if health.last_success_at and health.last_success_at <= now else None
    failure = health.last_failure
    if failure and success and failure.failed_at < success:
        failure = None
    if failure and failure.exit_code in DUE_AT_ONCE:
        return _describe(failure, success, health.first_failure_at)
    waiting_since = success or health.first_run_at
    if waiting_since is None or now - waiting_since < PATIENCE:
        return None
    if failure and failure.exit_code == UNREACHABLE and now - failure.failed_at < PATIENCE:
        return _describe(failure, success, health.first_failure_at)
    hours = (now - waiting_since) // timedelta(hours=1)
    return Trouble(None, f"No run has succeeded for {hours} hours.", SILENCE_REMEDY, success)


def _describe(failure: Failure, success: datetime | None, first_failure_at: datetime | None) -> Trouble:
    since = first_failure_at or failure.failed_at
    return Trouble(failure.exit_code, failure.happened, failure.remedy or USUAL_REMEDY, success, since)


def looks_scheduled(unwatched_starts: Collection[datetime], now: datetime) -> bool:
    """Whether the runs come by themselves, whatever starts them: cron, a timer of systemd's, or another one.

    It shows in runs that nobody watched in three hours in a row: one alone may be a person's, through a pipe or over
    ssh. Once it has shown, it is believed for as long as such runs come.
    """
    hours = {start.timestamp() // 3600 for start in unwatched_starts}
    return any(timedelta() <= now - start < PATIENCE for start in unwatched_starts) and any(
        {hour + 1, hour + 2} <= hours for hour in hours
    )
