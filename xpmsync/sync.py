"""The story of one run, readable from top to bottom: fetch everything, then derive and write in one transaction.

Fetching never judges, judging never fetches. A run that fails leaves the data as it was, says so in its own row and in
the error log, and sees to it that somebody is told.
"""

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from xpmsync.active import mirror, offices, runs
from xpmsync.active.database import Database, from_text, open_database, to_text
from xpmsync.active.error_log import save_problems
from xpmsync.active.history import save_changes
from xpmsync.active.spool import Spool, open_spool
from xpmsync.config import Config, require
from xpmsync.derive import Counts, Derivation, derive
from xpmsync.errors import AnotherRun, ConfigurationError, SuspiciousChange, XpmsyncError
from xpmsync.guard import check_losses
from xpmsync.home import Home, load_home_id
from xpmsync.lock import hold
from xpmsync.records import Record, fingerprint
from xpmsync.rules.fields import CLIENT_SHAPE, GROUP_SHAPE, STAFF_SHAPE
from xpmsync.rules.problems import Problem, problem
from xpmsync.rules.schedule import Mode, Past, choose_mode, find_modified_since
from xpmsync.watchman import tell
from xpmsync.xpm.api import PracticeManager
from xpmsync.xpm.http import Gateway
from xpmsync.xpm.tokens import open_tokens
from xpmsync.xpm.vault import Vault, open_vault

log = logging.getLogger(__name__)

RUN_SECONDS: Final = 50 * 60
"""A run ends within this time whatever happens: the next hour's run must find the lock free."""
SHAPES: Final = {"xpm_staff": STAFF_SHAPE, "xpm_groups": GROUP_SHAPE, "xpm_clients": CLIENT_SHAPE}
FIELD_TABLE: Final = fingerprint(*SHAPES.values())
RESERVED_CALLS: Final = 100
"""Of Xero's daily limit: below it a run does only what it must."""
MOST_RIVALS: Final = 10
"""Clients that are asked for one by one in a run; the next full run tells of the others."""
ACTOR: Final = "sync"
INTERRUPTED_EXIT_CODE: Final = 130


class Report(Protocol):
    """Where a run says how far it is."""

    def begin(self, stage: str) -> None:
        """A stage of the run begins."""

    def count(self, records: int) -> None:
        """So many records of the stage are done."""

    def remark(self, text: str) -> None:
        """Something that a person should know although the run goes its way."""


@dataclass(frozen=True)
class Clock:
    """The time, handed in."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    run_id: int
    mode: str
    started_at: datetime
    finished_at: datetime
    users: Counts
    clients: Counts
    errors: int
    warnings: int
    api_calls: int
    bytes_received: int
    day_calls_remaining: int | None


def run_sync(
    home: Home,
    config: Config,
    *,
    report: Report,
    is_watched: bool,
    full: bool = False,
    accept_removals: bool = False,
    clock: Clock | None = None,
) -> Summary:
    """Run one sync; gives what it did.

    `full` fetches everything although less would do; `accept_removals` does too, and accepts what the guard counted
    when it stopped a run. Raises AnotherRun where one is in progress, and every other XpmsyncError after the run's row,
    the error log and the chosen person know of it.
    """
    clock = clock or Clock()
    with hold(home.run_lock) as is_held:
        if not is_held:
            raise AnotherRun("Another run is in progress.", "Nothing needs to be done: it ends by itself.")
        with open_database(home.database_file) as database:
            started_at = clock.now()
            past = _load_past(database)
            mode = "full" if full or accept_removals else _choose_mode(config, past, started_at)
            with database.transaction():
                run_id = runs.start_run(
                    database, tenant_id=config.sync.tenant_id, mode=mode, is_watched=is_watched, now=started_at
                )
            log.info("run %d began: %s", run_id, mode)
            run = _Run(run_id, mode, started_at, past, home, config, database, report, clock)
            secrets = _Secrets()
            try:
                summary = _sync(run, secrets, runs.load_suspicious(database) if accept_removals else {})
            except KeyboardInterrupt:
                _end_run(run, "interrupted", "The run was interrupted.", INTERRUPTED_EXIT_CODE)
                raise
            except Exception as error:
                failure = _as_failure(error)
                log.warning("run %d failed: %s", run_id, failure.happened)
                failure.meaning = _explain_data(database)
                _record_failure(run, failure)
                if not is_watched:
                    telling = tell(database, config, password=secrets.mail_password, now=clock.now)
                    if telling.remark:
                        report.remark(telling.remark)
                raise failure from error
            log.info("run %d succeeded: %s", run_id, summary)
            return summary


@dataclass(frozen=True)
class _Run:
    """One run and its surroundings."""

    id: int
    mode: Mode
    started_at: datetime
    past: Past
    home: Home
    config: Config
    database: Database
    report: Report
    clock: Clock


@dataclass
class _Secrets:
    """What the run reads once at its start; the mail password serves when the rest of the run fails."""

    mail_password: str | None = None

    def open(self, home: Home, config: Config) -> Vault:
        vault = open_vault(load_home_id(home), config.keyring)
        if config.smtp and config.smtp.username:
            self.mail_password = vault.read("smtp-password")
        return vault


def _sync(run: _Run, secrets: _Secrets, accepted: Mapping[str, int]) -> Summary:
    """One run: sign in, fetch, and in one transaction guard, merge, derive, log, finish."""
    database, config, clock = run.database, run.config, run.clock
    tenant_id, office = _check_settings(config, database)
    run.report.begin("Signing in at Xero")
    vault = secrets.open(run.home, config)
    tokens = open_tokens(run.home, config, vault, now=clock.now)
    gateway = Gateway(
        config.xero.api_url,
        tokens,
        now=clock.now,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        deadline=clock.monotonic() + RUN_SECONDS,
    )
    with closing(gateway), open_spool(run.home.spool_file, SHAPES) as spool:
        tokens.access_token()
        fetched = _fetch(run, PracticeManager(gateway, tenant_id), spool)
        run.report.begin("Comparing with Active")
        with mirror.attached(database, spool), database.transaction():
            check_losses(database, config.guard, accepted, are_clients_complete=run.mode == "full")
            problems = _merge(run, fetched)
            derivation = derive(database, office)
            problems += derivation.problems
            finished_at = clock.now()
            save_changes(database, derivation.changes, run_id=run.id, actor=ACTOR, now=finished_at)
            save_problems(database, map(vars, problems), run_id=run.id, now=finished_at, resolve_others=True)
            summary = _summarise(run, finished_at, derivation, problems, gateway)
            row = _to_row(summary, gateway.first_answer_at or run.past.cursor)
            runs.finish_run(database, run.id, status="succeeded", now=finished_at, values=row)
    return summary


def _load_past(database: Database) -> Past:
    """What the runs before this one left, as far as the choice of the mode depends on it."""
    success, full = runs.load_last_success(database), runs.load_last_success(database, mode="full")
    attempt = runs.load_last_failed_full(database)
    return Past(
        cursor=from_text(success["cursor_at"]) if success and success["cursor_at"] else None,
        full_success_at=from_text(full["started_at"]) if full else None,
        full_attempt_at=from_text(attempt["started_at"]) if attempt else None,
        is_field_table_changed=bool(full and full["field_table"] != FIELD_TABLE),
    )


def _choose_mode(config: Config, past: Past, now: datetime) -> Mode:
    return choose_mode(
        past,
        now,
        tenant_id=config.sync.tenant_id or "",
        full_every_hours=config.sync.full_every_hours,
        full_again_after_hours=config.guard.full_again_after_hours,
    )


def _check_settings(config: Config, database: Database) -> tuple[str, str]:
    """The practice and the default office, both set and both what this home's data belongs to."""
    require(config.xero.client_id, "xero.client_id")
    tenant_id = require(config.sync.tenant_id, "sync.tenant_id")
    office = require(config.sync.default_office_code, "sync.default_office_code")
    if runs.load_practice(database) not in (None, tenant_id):
        raise ConfigurationError(
            "The practice in config.toml (sync.tenant_id) is not the one whose data this home holds.",
            "Connect the other practice with another XPMSYNC_HOME, or put the earlier sync.tenant_id back.",
        )
    if office not in {row["code"] for row in offices.load_offices(database)}:
        raise ConfigurationError(
            f"The default office {office} (sync.default_office_code) is not an office of Active.",
            "Run: xpmsync configure",
        )
    return tenant_id, office


@dataclass(frozen=True)
class _Fetched:
    """What fetching found out beside the lists."""

    vanished: Sequence[str] = ()
    """Clients that were asked for by their identifier, and that Xero no longer knows."""


def _fetch(run: _Run, practice: PracticeManager, spool: Spool) -> _Fetched:
    """Fetch the staff, the client groups, and the clients (all, or those modified) into the spool."""

    def taker(table: str) -> Callable[[Iterator[Record]], None]:
        take = spool.taker(table)
        return lambda records: take(_count(records, run.report))

    run.report.begin("Fetching the staff")
    practice.fetch_staff(STAFF_SHAPE, taker("xpm_staff"))
    calls = practice.gateway.day_calls_remaining
    has_calls = calls is None or calls >= RESERVED_CALLS
    if has_calls:  # otherwise a new name of a group waits
        run.report.begin("Fetching the client groups")
        practice.fetch_groups(GROUP_SHAPE, taker("xpm_groups"))
    run.report.begin("Fetching the clients")
    if run.mode == "full" or run.past.cursor is None:
        practice.fetch_clients(CLIENT_SHAPE, taker("xpm_clients"))
        return _Fetched()
    practice.fetch_clients(CLIENT_SHAPE, taker("xpm_clients"), modified_since=find_modified_since(run.past.cursor))
    return _ask_for_rivals(run.database, practice, spool) if has_calls else _Fetched()


def _ask_for_rivals(database: Database, practice: PracticeManager, spool: Spool) -> _Fetched:
    """Ask for the clients that seem to hold the code of a client just told, and were not told themselves.

    One of them may have been archived, merged or deleted without a trace in the list of the modified (said by users of
    other products); its own word decides before two clients are called duplicates.
    """
    with mirror.attached(database, spool):
        rivals = mirror.find_silent_rivals(database)
    vanished = []
    for uuid in rivals[:MOST_RIVALS]:
        if record := practice.fetch_client(uuid, CLIENT_SHAPE):
            spool.add("xpm_clients", record)
        else:
            vanished.append(uuid)
    return _Fetched(vanished)


def _count(records: Iterator[Record], report: Report) -> Iterator[Record]:
    for number, record in enumerate(records, start=1):
        if number % 100 == 0:
            report.count(number)
        yield record


def _merge(run: _Run, fetched: _Fetched) -> list[Problem]:
    """Merge what was fetched into the mirror; gives what is odd about the lists themselves."""
    problems = []
    for table, entity, records in (("xpm_staff", "staff", "staff"), ("xpm_clients", "client", "clients")):
        is_full_list = table == "xpm_staff" or run.mode == "full"
        if is_full_list and mirror.is_first_list_empty(run.database, table):
            problems.append(problem("first-list-empty", None, None, records=records))
        names = mirror.load_unidentified(run.database, table)
        problems += [problem(f"{entity}-without-id", None, name) for name in names]
        mirror.merge_records(run.database, table, SHAPES[table], is_full_list=is_full_list, now=run.clock.now())
    mirror.mark_vanished(run.database, fetched.vanished, now=run.clock.now())
    mirror.merge_groups(run.database)
    return problems


def _summarise(
    run: _Run, finished_at: datetime, derivation: Derivation, problems: list[Problem], gateway: Gateway
) -> Summary:
    errors = sum(problem.severity == "error" for problem in problems)
    return Summary(
        run_id=run.id,
        mode=run.mode,
        started_at=run.started_at,
        finished_at=finished_at,
        users=derivation.users,
        clients=derivation.clients,
        errors=errors,
        warnings=len(problems) - errors,
        api_calls=gateway.api_calls,
        bytes_received=gateway.bytes_received,
        day_calls_remaining=gateway.day_calls_remaining,
    )


def _to_row(summary: Summary, cursor: datetime | None) -> dict[str, object]:
    counts = {
        f"{kind}_{name}": number
        for kind in ("users", "clients")
        for name, number in dataclasses.asdict(getattr(summary, kind)).items()
    }
    return {
        **counts,
        "problems": summary.errors + summary.warnings,
        "api_calls": summary.api_calls,
        "bytes_received": summary.bytes_received,
        "day_calls_remaining": summary.day_calls_remaining,
        "cursor_at": to_text(cursor) if cursor else None,
        "field_table": FIELD_TABLE,
        "exit_code": 0,
    }


def _as_failure(error: Exception) -> XpmsyncError:
    if isinstance(error, XpmsyncError):
        return error
    log.error("a fault in xpmsync", exc_info=error)
    return XpmsyncError(
        f"xpmsync has a fault and stopped ({type(error).__name__}).",
        "Send the log to the people who make xpmsync; the next run tries again.",
    )


def _explain_data(database: Database) -> str:
    success = runs.load_last_success(database)
    if success is None:
        return "Active holds no data from XPM yet; nothing was changed."
    moment = from_text(success["finished_at"]).astimezone()
    return f"Active still holds the data of {moment:%-d %B %Y, %H:%M}; nothing was changed."


def _record_failure(run: _Run, failure: XpmsyncError) -> None:
    """Write the failed run's row and its error, in a small transaction of its own."""
    entry = Problem(
        code=failure.code,
        severity="error",
        entity="run",
        xpm_uuid=None,
        name=None,
        field=None,
        message=failure.happened,
        suggestion=failure.remedy,
    )
    suspicious = json.dumps(failure.counts) if isinstance(failure, SuspiciousChange) else None
    with run.database.transaction():
        save_problems(run.database, [vars(entry)], run_id=run.id, now=run.clock.now(), resolve_others=False)
        _end_run(run, "failed", failure.happened, failure.exit_code, suspicious)


def _end_run(run: _Run, status: str, message: str, exit_code: int, suspicious: str | None = None) -> None:
    values = {"message": message, "exit_code": exit_code, "suspicious": suspicious}
    runs.finish_run(run.database, run.id, status=status, now=run.clock.now(), values=values)
