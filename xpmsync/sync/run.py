"""The story of one run, readable from top to bottom: fetch everything, then derive and write in one transaction.

Fetching never judges, judging never fetches. A run that fails leaves the data as it was, says so in its own row and in
the error log, and sees to it that somebody is told.
"""

import logging
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from xpmsync.active import elements as not_sent
from xpmsync.active import mirror, offices, runs, stops
from xpmsync.active.counts import XpmClients
from xpmsync.active.database import (
    Database,
    discard_rehearsals,
    explain_machine,
    explain_trouble,
    open_database,
    open_read_only,
)
from xpmsync.active.error_log import save_issues
from xpmsync.active.exclusive_lock import turn
from xpmsync.active.history import ChangeLog, find_changes, load_last_change_id
from xpmsync.active.references import remove_meaningless, repair_unreadable
from xpmsync.active.stops import Accepted
from xpmsync.active.users import load_users
from xpmsync.config import Config, discard_draft, read_mail_settings, require
from xpmsync.credentials.store import Vault, opened
from xpmsync.errors import (
    INTERRUPTED_EXIT_CODE,
    AnotherSyncRunning,
    ConfigurationError,
    DatabaseError,
    InvalidRequest,
    KeyringError,
    SuspiciousChange,
    XpmsyncError,
)
from xpmsync.home import Home, connect_command
from xpmsync.notify.alert_file import AlertFile, AlertFileError, say_who_is_left
from xpmsync.notify.health import Failure
from xpmsync.notify.situation import alert_of_failure
from xpmsync.preflight import check_database_kept, check_set_up, check_settings_kept
from xpmsync.records import XPM, fingerprint
from xpmsync.rules.issues import Issue, issue, list_unidentified
from xpmsync.rules.prerequisites import Prerequisite
from xpmsync.rules.schedule import Mode, Past, choose_mode
from xpmsync.sync.derive import Counts, Derivation, derive
from xpmsync.sync.fetch import SHAPES, Fetched, Traffic, fetched_practice
from xpmsync.sync.guard import NOUNS, Elements, Judge, read_elements
from xpmsync.sync.references import explain
from xpmsync.system.clock import Clock, Report
from xpmsync.system.timestamps import from_stored, to_text
from xpmsync.xpm.tokens import open_tokens

log = logging.getLogger(__name__)

FIELD_TABLE: Final = fingerprint(*SHAPES.values())
PAGE_REMARKS: Final = "standard error, about the page"
"""The address in the alert file of what is said about the page: it takes no alert's turn."""
JUDGED_IN_FULL_RUNS: Final = ("client-without-id",)
"""Problems of the whole list of clients: an hourly run sees a part of it, and cannot say that they are gone."""


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    run_id: int
    mode: str
    started_at: datetime
    finished_at: datetime
    users: Counts
    clients: Counts
    xpm_clients: XpmClients
    errors: int
    warnings: int
    api_calls: int
    bytes_received: int
    day_calls_remaining: int | None
    accepted: Sequence[str] = ()
    """What the safety limits would have stopped the sync for, had a person not accepted it; in counts alone."""

    @property
    def for_log(self) -> str:
        """On one line, in counts alone."""
        users, clients = (
            ", ".join(f"{number} {name}" for name, number in vars(counts).items())
            for counts in (self.users, self.clients)
        )
        parts = (
            f"{self.mode}, {(self.finished_at - self.started_at).total_seconds():.1f} seconds",
            f"users: {users}",
            f"clients: {clients}",
            f"errors: {self.errors}, warnings: {self.warnings}",
            f"calls: {self.api_calls}, bytes: {self.bytes_received}",
            *(f"accepted: {each}" for each in self.accepted),
        )
        return "; ".join(parts)


@dataclass(frozen=True)
class Preview:
    """What a run would do."""

    mode: str
    users: Counts
    clients: Counts
    xpm_clients: XpmClients
    changes: Sequence[Mapping[str, Any]]
    """The rows that the history would get, with names instead of identifiers."""
    issues: Sequence[Issue]
    prerequisites: Sequence[Prerequisite]
    suspicious: SuspiciousChange | None
    """What the safety limits would stop the sync for."""


def run_sync(
    home: Home,
    config: Config,
    *,
    report: Report,
    is_watched: bool,
    full: bool = False,
    accept: int | None = None,
    clock: Clock | None = None,
) -> Summary:
    """Run one sync; gives what it did.

    `full` fetches everything although less would do; `accept` repeats the sync of this number in its mode, and accepts
    exactly what that was stopped for. Raises AnotherSyncRunning where one is in progress, InvalidRequest where there is
    nothing to accept, ConfigurationError where the set-up is not complete yet, and every other XpmsyncError once the
    alert is sent that is due, and the failure is written down: in the alert file, and in the database as far as it can
    be used.
    """
    clock = clock or Clock()
    with _begun(home, config, report, clock, is_watched=is_watched, full=full, accept=accept) as (run, accepted):
        secrets = _Secrets()
        try:
            summary = _sync(run, secrets, accepted)
        except KeyboardInterrupt:
            _end_run(run, "interrupted", "The run was interrupted.", INTERRUPTED_EXIT_CODE)
            raise
        except Exception as error:
            failure = _as_failure(error, home.database_file)
            log.warning("run %d failed: %s", run.id, failure.for_log)
            try:
                failure.meaning = _explain_data(run.database)
                _record_failure(run, failure)
            except (DatabaseError, sqlite3.Error, OSError) as trouble:
                # What the run itself died of is the news. (OSError: not even a module can be loaded.)
                log.warning("run %d could not be finished: %s", run.id, trouble)
            if not is_watched:
                _alert(home, config, failure, report, clock, secrets, run_id=run.id)
            raise failure from error
        else:
            _note_success(run, summary)
        finally:
            _write_page(run)
        log.info("run %d succeeded: %s", run.id, summary.for_log)
        return summary


@contextmanager
def _begun(
    home: Home,
    config: Config,
    report: Report,
    clock: Clock,
    *,
    is_watched: bool,
    full: bool,
    accept: int | None,
) -> Iterator[tuple["_Run", Accepted | None]]:
    """One sync, once it has its row in the database, and what it accepts. Alerts somebody where it cannot begin."""
    with ExitStack() as stack:
        try:
            stack.enter_context(_only_run(home, config))
            _put_alert_file_right(home, report)
            database = stack.enter_context(open_database(home.database_file))
            if runs.load_first_run(database) is None:  # before the set-up is complete nothing counts as a failed sync
                _check_set_up(home, config, database)
            started_at = clock.now()
            past = _load_past(database)
            accepted = None if accept is None else stops.find_accepted(database, accept)
            mode = _choose_mode(config, past, started_at, full=full, accepted=accepted)
            with database.transaction():
                _write_last_failure(database, AlertFile(home.alert_file, clock.now))
                run_id = runs.start_run(
                    database,
                    tenant_id=config.sync.tenant_id,
                    mode=mode,
                    is_watched=is_watched,
                    now=started_at,
                )
        except (AnotherSyncRunning, ConfigurationError, InvalidRequest):
            raise
        except Exception as error:
            failure = _as_failure(error, home.database_file)
            if not is_watched and config.smtp:  # without, standard error says it, and cron mails that
                _alert(home, config, failure, report, clock, _Secrets())
            raise failure from error
        log.info("run %d began: %s", run_id, mode)
        yield _Run(run_id, mode, started_at, past, home, config, database, report, clock), accepted


def alert_of_unreadable_settings(home: Home, error: XpmsyncError, report: Report) -> None:
    """Alert the recipient that no sync can begin, going by the settings as far as they can be read for that."""
    config = read_mail_settings(home)
    if config and config.smtp:  # without, standard error says it, and cron mails that
        _alert(home, config, error, report, Clock(), _Secrets())


def _alert(
    home: Home,
    config: Config,
    error: XpmsyncError,
    report: Report,
    clock: Clock,
    secrets: "_Secrets",
    *,
    run_id: int | None = None,
) -> None:
    """Alert the recipient of a sync that failed. Never raises: what the sync failed of is the news."""
    failure = Failure(error.exit_code, clock.now(), error.happened, error.remedy, run_id)
    try:
        read_password = partial(secrets.read_mail_password, home, config)
        result = alert_of_failure(home, config, failure, read_password=read_password, now=clock.now)
        remark = result.remark
    except AlertFileError as trouble:
        log.warning("nobody is alerted: %s", trouble.for_log)
        remark = f"No alert can be sent: {trouble.happened} {trouble.remedy}"
    except Exception as fault:
        log.exception("nobody is alerted")
        remark = f"No alert could be sent ({type(fault).__name__}). The log says why."
    if remark:
        report.remark(remark)


def _put_alert_file_right(home: Home, report: Report) -> None:
    """Make a new alert file where something else is in its place, while no other sync does the same."""
    if aside := AlertFile(home.alert_file).put_right():
        log.warning("what was in the place of the alert file is now %s", aside)
        report.remark(
            f"Something else was in the place of the alert file. It is now {aside}, and a new alert file was made. Who "
            "was alerted in the last 24 hours may be alerted once more."
        )


def _note_success(run: "_Run", summary: "Summary") -> None:
    """Write the success into the alert file, and the present address of the alert recipient."""
    alerts = AlertFile(run.home.alert_file, run.clock.now)
    try:
        recipient = alerts.find_recipient(run.config.notify.email, load_users(run.database))
        alerts.record_success(summary.finished_at, recipient)
    except (XpmsyncError, sqlite3.Error) as trouble:  # the data is written, and that is what counts
        log.warning("the success is not in the alert file: %s", trouble)
        if run.mode == "full" and isinstance(trouble, AlertFileError):  # once a day, as cron mails it
            run.report.remark(f"No alert can be sent: {trouble.happened} {trouble.remedy}")


def _write_page(run: "_Run") -> None:
    """Write the page about the sync where one is wanted. Its trouble must not hide how the run ended."""
    settings = run.config.report
    if settings.file is None:
        return
    try:
        from xpmsync.monitoring.report import make_page, write_page  # noqa: PLC0415 - slow to load, and few want a page

        page = make_page(run.database, run.home, run.config, now=run.clock.now(), has_names=settings.names)
        write_page(Path(settings.file), page)
    except Exception as error:
        log.exception("the page about the sync could not be written")
        what = f"{error.happened} {error.remedy}" if isinstance(error, XpmsyncError) else "The log says why."
        _remark_once(run, f"The page about the sync could not be written. {what}")


def _remark_once(run: "_Run", remark: str) -> None:
    """Say it on standard error, but once in 24 hours: cron mails that, and should not do so every hour."""
    try:
        if not AlertFile(run.home.alert_file, run.clock.now).claim(PAGE_REMARKS):
            return
    except AlertFileError as error:
        log.warning("what is said on standard error is not written down: %s", error.for_log)
    run.report.remark(remark)


def preview_sync(
    home: Home,
    config: Config,
    *,
    report: Report,
    full: bool = False,
    accept: int | None = None,
    clock: Clock | None = None,
) -> Preview:
    """Run one sync and roll it back; gives what it would have done.

    Writes no row, moves no cursor, sends no email; the sign-in that it renews is kept.
    """
    from xpmsync.sync.prerequisites import load_prerequisites  # noqa: PLC0415 - a sync has no use for it

    clock = clock or Clock()
    with _only_run(home, config), open_read_only(home.database_file) as database:
        _check_set_up(home, config, database)
        past = _load_past(database)
        accepted = None if accept is None else stops.find_accepted(database, accept)
        mode = _choose_mode(config, past, clock.now(), full=full, accepted=accepted)
        run = _Run(0, mode, clock.now(), past, home, config, database, report, clock)
        with _fetched(run, _Secrets()) as fetched, database.rehearsal():
            judge = _make_judge(run, fetched, accepted)
            verdict = judge.judge_lists(is_first=_is_first(run))
            derivation = _derive(run, fetched, judge.elements)
            if not verdict.stop:
                verdict = judge.judge_changes(verdict)
            if verdict.stop:
                verdict.stop.meaning = _explain_data(database)
            changes = _read_changes(database, judge.last_change_id)
            prerequisites = load_prerequisites(database, derivation.issues)
        issues = derivation.issues
        counts = (derivation.users, derivation.clients, derivation.xpm_clients)
        return Preview(run.mode, *counts, changes, issues, prerequisites, verdict.stop)


def _read_changes(database: Database, after_id: int) -> list[dict[str, Any]]:
    """The rows of the history after an id, in their order, with names instead of the identifiers of users."""
    names = {user.id: user.name for user in load_users(database)}
    return [
        {column: row[column] for column in ("entity", "name", "action", "field")}
        | {column: names.get(row[column], row[column]) for column in ("old_value", "new_value")}
        for row in reversed(find_changes(database, after_id=after_id))
    ]


@contextmanager
def _only_run(home: Home, config: Config) -> Iterator[None]:
    """Keep other runs away, and clear away first what commands that were killed have left."""
    busy = AnotherSyncRunning("Another run is in progress.", "Nothing needs to be done: it ends by itself.")
    with turn(home.run_lock, busy):
        check_database_kept(home, config)
        if not home.database_file.exists():  # a sync makes none: connect and configure do
            if config.xero.client_id is None:
                raise ConfigurationError(
                    f"Nothing is set up in {home.config_folder}.",
                    f"To set it up there, run: {connect_command()}. If it is in another folder: "
                    "export XPMSYNC_HOME=FOLDER",
                )
            check_set_up(config, practice_id=None, office_codes=())
        discard_rehearsals(home.database_file)
        discard_draft(home)
        yield


@dataclass
class _Run:
    """One run and its surroundings."""

    id: int
    mode: Mode
    """A sync that was begun as an incremental one becomes full where all clients had to be fetched."""
    started_at: datetime
    past: Past
    home: Home
    config: Config
    database: Database
    report: Report
    clock: Clock
    traffic: Traffic = field(default_factory=Traffic)
    """What was asked of Xero so far, whatever becomes of the run."""


@dataclass
class _Secrets:
    """What the run reads once at its start; the mail password serves when the rest of the run fails."""

    mail_password: str | None = None
    is_read: bool = False

    @contextmanager
    def opened(self, home: Home, config: Config) -> Iterator[Vault]:
        self.is_read = True  # or cannot be: it is not tried twice
        with opened(home, config) as vault:
            if config.smtp and config.smtp.username:
                self.mail_password = vault.read("smtp-password")
            yield vault

    def read_mail_password(self, home: Home, config: Config) -> str | None:
        """The mail password, also where the run failed before it read its secrets; None where it cannot be read."""
        if not self.is_read and config.smtp and config.smtp.username:
            try:
                with self.opened(home, config):
                    pass
            except KeyringError as trouble:
                log.warning("the mail password cannot be read: %s", trouble.for_log)
        return self.mail_password


def _sync(run: _Run, secrets: _Secrets, accepted: Accepted | None) -> Summary:
    """One run: fetch everything, and in one transaction compare with the safety limits, merge, derive, log, finish.

    What Active would lose is known once it is derived: only then is it compared, and rolled back where it is too much.
    """
    database = run.database
    if run.mode == "full":
        database.check()  # once a day: a page that is damaged may not be met for a long time
    with _fetched(run, secrets) as fetched:
        try:
            with database.transaction():
                judge = _make_judge(run, fetched, accepted)
                verdict = judge.judge_lists(is_first=_is_first(run))
                if not verdict.stop:
                    if run.mode == "full":
                        repair_unreadable(database)
                    derivation = _derive(run, fetched, judge.elements)
                    verdict = judge.judge_changes(verdict)
                if verdict.stop:
                    raise verdict.stop
                return _finish(run, fetched, derivation, verdict.accepted)
        except SuspiciousChange as stop:  # what was written is rolled back
            with database.transaction():
                stops.save_stop(database, run.id, run.mode, verdict.losses, stop.counts)
            raise


def _finish(run: _Run, fetched: Fetched, derivation: Derivation, accepted: Sequence[str]) -> Summary:
    """Write all that a sync that succeeds leaves beside the data."""
    database = run.database
    summary = _summarise(run, derivation, accepted)
    now = summary.finished_at
    row = _to_row(run, summary, fetched.first_answer_at or run.past.cursor)
    runs.finish_run(database, run.id, status="succeeded", now=now, values=row)
    stops.settle_stops(database, run.mode)
    unjudged = [] if run.mode == "full" else [*JUDGED_IN_FULL_RUNS]
    unjudged += [f"{SuspiciousChange.code}/{mode}" for mode in stops.load_waiting(database)]
    issues = map(vars, derivation.issues)
    save_issues(database, issues, run_id=run.id, now=now, resolve_others=True, unjudged=unjudged)
    return summary


@contextmanager
def _fetched(run: _Run, secrets: _Secrets) -> Iterator[Fetched]:
    """Open the keyring, check the settings, and fetch what the run's mode asks for."""
    check_settings_kept(run.home, run.config)  # without any, the keyring's trouble would not be the news
    # Before the other settings are looked at: an email about them may need a password.
    with secrets.opened(run.home, run.config) as vault:
        tenant_id = _check_set_up(run.home, run.config, run.database)
        with fetched_practice(
            run.home,
            run.config,
            open_tokens(run.home, run.config, vault, now=run.clock.now, sleep=run.clock.sleep),
            run.database,
            tenant_id=tenant_id,
            cursor=run.past.cursor if run.mode == "incremental" else None,
            traffic=run.traffic,
            report=run.report,
            clock=run.clock,
        ) as fetched:
            run.mode = "full" if fetched.is_full else "incremental"
            run.report.begin("Comparing with Active")
            yield fetched


def _check_set_up(home: Home, config: Config, database: Database) -> str:
    """The practice to sync. Raises ConfigurationError where the set-up is not complete, or does not fit the data."""
    check_settings_kept(home, config)
    office_codes = [row["code"] for row in offices.load_offices(database)]
    return check_set_up(config, practice_id=runs.load_practice(database), office_codes=office_codes)


def _make_judge(run: _Run, fetched: Fetched, accepted: Accepted | None) -> Judge:
    """The safety limits, before anything is written."""
    return Judge(
        run.database,
        run.config.guard,
        run.mode,
        read_elements(run.database, run.mode, fetched.absent, accepted),
        accepted,
        run.id,
        last_change_id=load_last_change_id(run.database),
    )


def _is_first(run: _Run) -> bool:
    return runs.load_last_success(run.database) is None


def _derive(run: _Run, fetched: Fetched, elements: Mapping[str, Elements]) -> Derivation:
    """Merge what was fetched into the mirror, and derive Active from it."""
    list_issues = [*map(explain, remove_meaningless(run.database))]
    list_issues += [*_merge(run, fetched, elements), *_list_not_sent(run)]
    office = require(run.config.sync.default_office_code, "sync.default_office_code")
    changes = ChangeLog(run.database, run_id=run.id or None, actor=XPM, now=run.clock.now())
    derivation = derive(run.database, office, changes)
    _count_unidentified(run, derivation)
    derivation.issues.extend(list_issues)
    derivation.issues.extend(_check_recipient(run))
    return derivation


def _count_unidentified(run: _Run, derivation: Derivation) -> None:
    """Count the records that came without an identifier, which the mirror cannot hold, as skipped."""
    derivation.users.skipped += len(mirror.load_unidentified(run.database, "xpm_staff"))
    clients = len(mirror.load_unidentified(run.database, "xpm_clients"))
    derivation.clients.skipped += clients
    known = derivation.xpm_clients
    derivation.xpm_clients = replace(known, with_error=known.with_error + clients)


def _check_recipient(run: "_Run") -> Iterator[Issue]:
    """Whether alerts reach an active user, now that the users are as XPM has them."""
    if run.config.smtp is None:
        return  # no alert is sent by email, to nobody
    recipient = AlertFile(run.home.alert_file).find_recipient(run.config.notify.email, load_users(run.database))
    if recipient and not recipient.is_active:
        who = say_who_is_left(run.config.notify.cc)
        yield issue("alert-recipient-not-active", None, None, who=who, recipient=recipient.address)


def _write_last_failure(database: Database, alerts: AlertFile) -> None:
    """Finish the row of a sync that failed and could not write so: the alert file knows."""
    if failure := alerts.load().last_failure:
        runs.fail_unfinished_run(
            database,
            failure.run_id,
            exit_code=failure.exit_code,
            message=failure.happened,
            failed_at=failure.failed_at,
        )


def _load_past(database: Database) -> Past:
    """What the runs before this one left, as far as the choice of the mode depends on it."""
    success, full = runs.load_last_success(database), runs.load_last_success(database, mode="full")
    attempt = runs.load_last_failed_full(database)
    return Past(
        cursor=from_stored(success["cursor_at"]) if success and success["cursor_at"] else None,
        full_success_at=from_stored(full["started_at"]) if full else None,
        full_attempt_at=from_stored(attempt["started_at"]) if attempt else None,
        is_field_table_changed=bool(full and full["field_table"] != FIELD_TABLE),
    )


def _choose_mode(config: Config, past: Past, now: datetime, *, full: bool, accepted: Accepted | None) -> Mode:
    if accepted:
        return accepted.mode
    if full:
        return "full"
    return choose_mode(
        past,
        now,
        tenant_id=config.sync.tenant_id or "",
        full_every_hours=config.sync.full_every_hours,
        full_again_after_hours=config.guard.full_again_after_hours,
    )


def _merge(run: _Run, fetched: Fetched, elements: Mapping[str, Elements]) -> list[Issue]:
    """Merge what was fetched into the mirror; gives what is odd about the lists themselves."""
    issues = []
    for table, entity, records in (("xpm_staff", "staff", "staff"), ("xpm_clients", "client", "clients")):
        is_full_list = table == "xpm_staff" or run.mode == "full"
        if mirror.is_first_list_empty(run.database, table):
            issues.append(issue("first-list-empty", None, None, records=records))
        names = mirror.load_unidentified(run.database, table)
        issues += list_unidentified(entity, names)
        each = elements[table]
        mirror.merge_records(
            run.database,
            table,
            SHAPES[table],
            is_full_list=is_full_list,
            now=run.clock.now(),
            kept=each.find_columns(each.kept),
            cleared=each.cleared,
        )
        not_sent.forget_sent(run.database, table, each.sent)
        not_sent.save_not_sent(run.database, table, absent=each.not_sent, accepted=each.accepted, run_id=run.id)
    mirror.mark_vanished(run.database, fetched.vanished, now=run.clock.now())
    mirror.merge_groups(run.database)
    return issues


def _list_not_sent(run: _Run) -> Iterator[Issue]:
    """The elements that XPM does not send: one warning for those of which there are values, one for all others.

    Accepting one of them accepts what earlier syncs have warned of as well.
    """
    codes: dict[str, list[not_sent.NotSent]] = {}
    for each in not_sent.load_not_sent(run.database):
        if not each.is_accepted:
            has_values = mirror.has_values(run.database, each.table, SHAPES[each.table], each.element)
            codes.setdefault("elements-no-longer-sent" if has_values else "elements-never-sent", []).append(each)
    for code, found in codes.items():
        newest = max(map(_find_age, found))
        also = [
            f". That also accepts {other} ({_name_elements(earlier)})"
            for other, others in codes.items()
            if other != code and (earlier := [each for each in others if _find_age(each) <= newest])
        ]
        number = "N" if newest == math.inf else newest
        yield issue(code, None, None, elements=_name_elements(found), number=number, also="".join(also))


def _find_age(element: not_sent.NotSent) -> float:
    """The number of the first sync without it; a dry run, which has none, is the newest."""
    return element.run_id or math.inf


def _name_elements(elements: Sequence[not_sent.NotSent]) -> str:
    return "; ".join(
        f"{', '.join(names)} of {noun}"
        for table, noun in NOUNS.items()
        if (names := [each.element for each in elements if each.table == table])
    )


def _summarise(run: _Run, derivation: Derivation, accepted: Sequence[str]) -> Summary:
    errors = sum(issue.severity == "error" for issue in derivation.issues)
    return Summary(
        run_id=run.id,
        mode=run.mode,
        started_at=run.started_at,
        finished_at=run.clock.now(),
        users=derivation.users,
        clients=derivation.clients,
        xpm_clients=derivation.xpm_clients,
        errors=errors,
        warnings=len(derivation.issues) - errors,
        **vars(run.traffic),
        accepted=accepted,
    )


def _to_row(run: _Run, summary: Summary, cursor: datetime | None) -> dict[str, object]:
    counts = {
        f"{kind}_{name}": number
        for kind in ("users", "clients")
        for name, number in vars(getattr(summary, kind)).items()
    }
    return {
        **counts,
        **vars(run.traffic),
        "mode": run.mode,
        "problems": summary.errors + summary.warnings,
        "cursor_at": to_text(cursor) if cursor else None,
        "field_table": FIELD_TABLE,
        "exit_code": 0,
    }


def _as_failure(error: Exception, database: Path) -> XpmsyncError:
    if isinstance(error, XpmsyncError):
        return error
    if isinstance(error, sqlite3.Error):
        return explain_trouble(database, error)
    if isinstance(error, OSError):
        return explain_machine(database.parent, error)
    log.error("a fault in xpmsync", exc_info=error)
    return XpmsyncError(
        f"xpmsync has a fault ({type(error).__name__}).",
        "Send the log to the people who make xpmsync; the next run tries again.",
    )


def _explain_data(database: Database) -> str:
    success = runs.load_last_success(database)
    if success is None:
        return "Active holds no data from XPM yet; nothing was changed."
    moment = from_stored(success["finished_at"]).astimezone()
    return f"Active still holds the data of {moment:%-d %B %Y, %H:%M}; nothing was changed."


def _record_failure(run: _Run, failure: XpmsyncError) -> None:
    """Write the failed run's row and its error, in a small transaction of its own."""
    entry = Issue(
        code=failure.code,
        severity="error",
        entity="run",
        xpm_uuid=None,
        name=None,
        # What stopped a full sync waits for another one, whatever incremental ones do meanwhile.
        field=run.mode if isinstance(failure, SuspiciousChange) else None,
        message=failure.in_full,
        suggestion=failure.remedy,
    )
    with run.database.transaction():
        save_issues(run.database, [vars(entry)], run_id=run.id, now=run.clock.now(), resolve_others=False)
        _end_run(run, "failed", failure.happened, failure.exit_code)


def _end_run(run: _Run, status: str, message: str, exit_code: int) -> None:
    values = {"message": message, "exit_code": exit_code, "mode": run.mode, **vars(run.traffic)}
    runs.finish_run(run.database, run.id, status=status, now=run.clock.now(), values=values)
