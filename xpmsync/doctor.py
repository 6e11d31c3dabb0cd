"""Tries everything that an hourly run needs, and says of each what was found and what to do about it.

Every check is made, whatever came of those before; one that needs what an earlier one could not bring is not. Asks Xero
for one renewal of the sign-in and one list. Changes nothing beyond that, except for an entry in the keyring that is
removed at once. Knows no terminal, and tells no secret.
"""

import logging
import os
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from xpmsync.active import offices, runs
from xpmsync.active.database import Database, open_database
from xpmsync.active.references import find_dangling, find_unreadable
from xpmsync.active.users import load_users
from xpmsync.config import Config, read_config, require
from xpmsync.credentials.store import CHOICE_VARIABLE, Vault, opened
from xpmsync.errors import ConfigurationError, DatabaseError, SignInNeeded, XpmsyncError
from xpmsync.home import Home, connect_command, prepare_home
from xpmsync.log import open_log
from xpmsync.monitoring.crontab import Crontab, read_crontab
from xpmsync.notify.alert_file import AlertFile, list_addresses, say_who_is_left
from xpmsync.notify.health import RHYTHM_MEMORY, Failure, find_trouble, looks_scheduled
from xpmsync.notify.situation import load_health
from xpmsync.notify.smtp import try_mail_server
from xpmsync.preflight import check_database_kept, check_set_up, check_settings_kept
from xpmsync.sync.fetch import RESERVED_CALLS
from xpmsync.sync.references import diagnose
from xpmsync.system.clock import Clock
from xpmsync.system.disk import is_encrypted
from xpmsync.system.lock import hold
from xpmsync.system.private_files import OPEN_TO_OTHERS, PLANTED
from xpmsync.system.timestamps import from_stored
from xpmsync.xpm.api import PracticeManager
from xpmsync.xpm.client import ApiClient, opened_gateway
from xpmsync.xpm.oauth import find_missing
from xpmsync.xpm.sign_in import SignIn, describe_sign_in
from xpmsync.xpm.tokens import Tokens, open_tokens

log = logging.getLogger(__name__)

Value = TypeVar("Value")

XERO_SECONDS: Final = 12.0
"""For Xero's answer: enough for a staff list, and for no more than three tries where Xero is in trouble."""
KEYRING_SECONDS: Final = 20.0
"""For another command that uses xpmsync's own keyring; a run would hold it for longer than a person waits."""
NEEDED_BYTES: Final = 200_000_000
"""Room on the disk for a large practice's answers, beside the database and its journal."""
LARGEST_SKEW: Final = timedelta(minutes=5)
STALE: Final = timedelta(days=45)
"""Xero ends a sign-in that has not been used for 60 days."""
OPEN_TO_WRITING: Final = stat.S_IWGRP | stat.S_IWOTH


class Verdict(StrEnum):
    """What a check has come to."""

    GOOD = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One check, and what came of it."""

    check: str
    verdict: Verdict
    found: str
    remedy: str | None = None
    exit_code: int = 0


@dataclass(frozen=True)
class Note:
    """What a check has found; with a remedy where a run goes its way although all is not as it should be."""

    found: str
    remedy: str | None = None


class _NotChecked(Exception):
    """What the check needs is not there; says what that is."""


def examine(home: Home, environment: Mapping[str, str], clock: Clock | None = None) -> Iterator[Finding]:
    """Make every check, each when the next finding is asked for."""
    with ExitStack() as stack:
        examination = _Examination(home, environment, clock or Clock(), stack)
        for name, check in CHECKS.items():
            yield _make(name, check, examination)


def find_exit_code(findings: Iterable[Finding]) -> int:
    """That of the first check that failed; 0 where none did."""
    return next((finding.exit_code for finding in findings if finding.verdict is Verdict.FAILED), 0)


def _make(name: str, check: "Callable[[_Examination], Note]", examination: "_Examination") -> Finding:
    try:
        note = check(examination)
    except _NotChecked as error:
        return Finding(name, Verdict.NOT_CHECKED, str(error))
    except XpmsyncError as error:
        failure = error
    except OSError as error:
        failure = ConfigurationError(
            f"{error.filename} cannot be used: {error.strerror}.", "Give it back to the user who runs xpmsync."
        )
    else:
        return Finding(name, Verdict.WARNING if note.remedy else Verdict.GOOD, note.found, note.remedy)
    log.warning("%s: %s", name, failure.for_log)
    return Finding(name, Verdict.FAILED, failure.in_full, failure.remedy, failure.exit_code)


class _Examination:
    """The checks, and what those made so far have brought for those that follow."""

    def __init__(self, home: Home, environment: Mapping[str, str], clock: Clock, stack: ExitStack) -> None:
        self._given_home = home
        self._environment = environment
        self._clock = clock
        self._stack = stack
        self._sound_home: Home | None = None
        self._read_config: Config | None = None
        self._sound_database: Path | None = None
        self._open_vault: Vault | None = None
        self._tokens: Tokens | None = None
        self._sign_in: SignIn | None = None
        self._gateway: ApiClient | None = None

    @property
    def _home(self) -> Home:
        return _need("Home", self._sound_home)

    @property
    def _config(self) -> Config:
        return _need("Settings", self._read_config)

    @property
    def _vault(self) -> Vault:
        return _need("Keyring", self._open_vault)

    def _load(self, load: Callable[[Database], Value]) -> Value | None:
        """What `load` finds in the database; None while there is none."""
        path = _need("Database", self._sound_database)
        if not path.exists():
            return None
        with open_database(path) as database:
            return load(database)

    def check_settings(self) -> Note:
        """That config.toml can be read, without a mistake."""
        self._read_config = read_config(self._given_home)
        check_settings_kept(self._given_home, self._read_config)
        file = self._given_home.config_file
        return Note(f"{file} {'can be read' if file.exists() else 'is not there yet'}")

    def check_home(self) -> Note:
        """That the home and its files belong to whoever runs this, and are closed to others."""
        home = self._given_home
        prepare_home(home)
        present = [path for path in home.data_folder.iterdir() if path != home.config_file]
        planted = [path for path in present if path.name.endswith(PLANTED)]
        paths = [path for path in present if path not in planted]
        followed = (home.database_file, home.report_file)
        if links := [path for path in paths if path.is_symlink() and path not in followed]:
            raise ConfigurationError(
                f"{links[0]} is a link, which xpmsync does not follow.",
                f"Look at where it leads, and who put it there; then run: rm {_quote(links)}",
            )
        files = {}
        for path in paths:
            with suppress(FileNotFoundError):  # another command's, which has just removed it
                if stat.S_ISREG((status := path.stat()).st_mode):
                    files[path] = status
        user = os.geteuid()
        if foreign := [path for path, status in files.items() if status.st_uid != user]:
            raise ConfigurationError(
                f"{foreign[0]} belongs to another user.", f"Run: sudo chown {user} {_quote(foreign)}"
            )
        self._sound_home = home
        open_log(home)
        if planted:
            return Note(
                f"{planted[0]} was in the place of a file of xpmsync's, and was set aside",
                f"Look at what it is, and who put it there; then run: rm -r {_quote(planted)}",
            )
        shared = {home.report_file}  # a page that others may look at
        if self._read_config and self._read_config.report.file:
            shared.add(Path(self._read_config.report.file))
        loose = [path for path, status in files.items() if path not in shared and status.st_mode & OPEN_TO_OTHERS]
        if home.config_file.exists() and home.config_file.stat().st_mode & OPEN_TO_WRITING:
            loose.append(home.config_file)
        if loose:
            return Note(f"others on this computer can open {loose[0]}", f"Run: chmod go= {_quote(loose)}")
        return Note(f"{home.data_folder} is yours, and its files are closed to others")

    def check_lock(self) -> Note:
        """That no run is in progress."""
        with hold(self._home.run_lock, wait_seconds=1.0) as is_held:
            if is_held:
                return Note("no run is in progress")
        return Note("a run is in progress", "Wait until it has ended, 50 minutes at the most.")

    def check_disk(self) -> Note:
        """That the disk has room."""
        folder = self._home.data_folder
        free = shutil.disk_usage(folder).free
        if free < NEEDED_BYTES:
            raise DatabaseError(
                f"The disk that holds {folder} has only {free / 1e6:,.0f} MB left.",
                f"Make room on it: {NEEDED_BYTES / 1e6:,.0f} MB at least.",
            )
        return Note(f"{free / 1e9:,.1f} GB are free")

    def check_encryption(self) -> Note:
        """That what lies on the disk cannot be read by whoever carries it away."""
        encrypted = is_encrypted(self._home.data_folder)
        if encrypted is None:
            raise _NotChecked("this computer does not tell whether its disk is encrypted")
        if not encrypted:
            return Note(
                "no encryption is seen beneath the data",
                "Have the disk encrypted; nothing, if it is encrypted further down, as many hosts of virtual machines "
                "do.",
            )
        return Note("the disk beneath the data is encrypted")

    def check_database(self) -> Note:
        """That the database opens, is whole and up to date, and can be written to."""
        path = self._home.database_file
        if not path.exists():
            check_database_kept(self._home, self._config)
            self._sound_database = path
            return Note("there is none yet")
        with open_database(path) as database:
            database.check()
            damage = list(_list_damage(database))
        self._sound_database = path
        if damage:
            *others, last = dict.fromkeys(remedy for _, remedy in damage)
            remedies = [*(f"{remedy.removesuffix('.')}." for remedy in others), last]
            return Note(" ".join(found for found, _ in damage), " ".join(remedies))
        return Note(f"{path.name} is whole and up to date, and can be written to")

    def check_set_up(self) -> Note:
        """That connect and configure have said all that a run needs, and that it fits the data."""
        config = self._config
        names = {row["code"]: row["name"] for row in self._load(offices.load_offices) or ()}
        check_set_up(config, practice_id=self._load(runs.load_practice), office_codes=names)
        office = require(config.sync.default_office_code, "sync.default_office_code")
        for row in self._load(offices.load_offices_without_active_partner) or ():
            return Note(
                f"the default partner of the office {row['code']}, {row['partner']}, is not an active user",
                f"Choose an active user: xpmsync admin office set {shlex.quote(row['code'])} --default-partner EMAIL",
            )
        return Note(f"“{config.sync.name}”, default office {names[office]} ({office})")

    def check_keyring(self) -> Note:
        """That the keyring keeps what it is given."""
        vault = self._stack.enter_context(
            opened(self._home, self._config, environment=self._environment, wait_seconds=KEYRING_SECONDS)
        )
        vault.prove(self._home.data_folder)
        self._open_vault = vault
        return Note(f"{vault.description} can be read and written")

    def check_keyring_choice(self) -> Note:
        """That nothing but the settings decides which keyring it is."""
        if chosen := self._environment.get(CHOICE_VARIABLE):
            return Note(
                f"{CHOICE_VARIABLE} overrides it: {chosen}",
                "Nothing, if you set it on purpose, and in the crontab too. If not, remove it.",
            )
        return Note("as config.toml or the machine has it")

    def check_sign_in(self) -> Note:
        """That there is a sign-in, and that it is not about to end for want of use."""
        tokens = open_tokens(self._home, self._config, self._vault, now=self._clock.now, sleep=self._clock.sleep)
        sign_in = describe_sign_in(self._vault)
        if sign_in is None:
            raise SignInNeeded("xpmsync is not connected to Xero Practice Manager.", f"Run: {connect_command()}")
        self._tokens = tokens
        found = f"of {_render(sign_in.connected_at)}, last renewed {_render(sign_in.refreshed_at)}"
        if self._clock.now() - sign_in.refreshed_at > STALE:
            return Note(found, "Xero ends a sign-in after 60 days without use: see to it that cron runs xpmsync.")
        return Note(found)

    def check_renewal(self) -> Note:
        """That Xero renews the sign-in, as at the start of every run."""
        tokens = _need("Sign-in", self._tokens)
        _need("Set-up", self._config.xero.client_id)
        tokens.access_token()
        self._sign_in = describe_sign_in(self._vault)
        return Note("Xero has renewed the sign-in, and the keyring has kept it")

    def check_permissions(self) -> Note:
        """That Xero has granted all that is asked for."""
        granted = _need("Renewal", self._sign_in).scopes
        asked = self._config.xero.scopes
        if granted and (missing := find_missing(asked, granted)):
            raise SignInNeeded(
                f"Xero has not granted: {', '.join(missing)}.",
                f"Ask Xero to allow it for the app, then connect again. Run: {connect_command()}",
            )
        return Note(f"{len(asked)} are asked for and granted" if granted else "Xero does not list what it has granted")

    def check_practice(self) -> Note:
        """That the practice answers a real question."""
        _need("Renewal", self._sign_in)
        tokens = _need("Sign-in", self._tokens)
        tenant_id = _need("Set-up", self._config.sync.tenant_id)
        address = self._config.xero.api_url
        self._gateway = self._stack.enter_context(opened_gateway(address, tokens, XERO_SECONDS, self._clock))
        count = PracticeManager(self._gateway, tenant_id).count_staff()
        return Note(f"answers, and lists {count} of its staff")

    def check_clock(self) -> Note:
        """That this computer's time is Xero's."""
        xero_now = _need("Practice", self._gateway).first_answer_at
        if xero_now is None:
            raise _NotChecked("Xero has not told its time")
        skew = self._clock.now() - xero_now
        if abs(skew) > LARGEST_SKEW:
            side = "ahead of" if skew > timedelta() else "behind"
            return Note(
                f"this computer's clock is {_describe_length(abs(skew))} {side} Xero's",
                "Set it, and have it set by the network; on Linux run: sudo timedatectl set-ntp true",
            )
        return Note("agrees with Xero's")

    def check_limit(self) -> Note:
        """That some of the day's calls are left."""
        remaining = _need("Practice", self._gateway).day_calls_remaining
        if remaining is None:
            raise _NotChecked("Xero has not told what is left of its limit")
        found = f"{remaining:,} calls are left today"
        if remaining < RESERVED_CALLS:
            return Note(found, "Look for another program that is connected to this practice and calls Xero often.")
        return Note(found)

    def check_mail(self) -> Note:
        """That the mail server lets us in, and that an active user is alerted. No email is sent."""
        config = self._config
        alerts = AlertFile(self._home.alert_file)
        if trouble := alerts.diagnose():
            raise trouble
        if config.smtp is None or config.notify.email is None:
            return Note("nobody gets an email when the sync fails", "Run: xpmsync configure")
        try_mail_server(config.smtp, self._vault.read("smtp-password") if config.smtp.username else None)
        alerts.create()
        users = self._load(load_users) if self._sound_database else None
        recipient = alerts.find_recipient(config.notify.email, users or ())
        if recipient and not recipient.is_active:
            return Note(
                f"{config.smtp.host} lets xpmsync in, but {recipient.address} is not an active user of Active, so "
                f"{say_who_is_left(config.notify.cc)}",
                "Choose an active user: xpmsync configure",
            )
        addresses = list_addresses(recipient, config.notify.cc)
        return Note(f"{config.smtp.host} lets xpmsync in; failure alerts go to {', '.join(addresses)}")

    def check_crontab(self) -> Note:
        """That cron runs both commands, in this home, or that the runs come without it."""
        crontab = read_crontab(self._environment)
        is_started = crontab is not None and crontab.of(self._given_home).runs("sync")
        if not is_started and self._are_runs_coming():
            return Note("no line is seen that starts the runs here; yet they come, so something else does")
        if crontab is None:
            return Note(
                "it cannot be read here",
                "See to it that its two lines are in force: xpmsync configure --crontab print",
            )
        return _judge_crontab(crontab, self._given_home)

    def _are_runs_coming(self) -> bool:
        now = self._clock.now()
        starts = self._load(lambda database: runs.load_unwatched_starts(database, now - RHYTHM_MEMORY))
        return looks_scheduled(starts or (), now)

    def check_last_success(self) -> Note:
        """That the runs go well."""
        success = self._load(runs.load_last_success)
        found = f"{_render(from_stored(success['finished_at']))}" if success else "no run has succeeded yet"
        now = self._clock.now()
        health = self._load(lambda database: load_health(database, now))
        trouble = find_trouble(health, now) if health else None
        if health is None or trouble is None:
            return Note(found) if success else Note(found, "Run: xpmsync sync")
        if trouble.exit_code is None:
            return Note(f"{found}. {trouble.happened}", trouble.remedy)
        is_mended = trouble.exit_code == SignInNeeded.exit_code and self._is_signed_in_since(health.last_failure)
        return Note(
            f"{found}. {'A later run' if success else 'The last one'} failed: {trouble.happened}",
            "Somebody has signed in since. Run: xpmsync sync" if is_mended else trouble.remedy,
        )

    def _is_signed_in_since(self, failure: Failure | None) -> bool:
        return bool(failure and self._sign_in and self._sign_in.connected_at > failure.failed_at)


CHECKS: Final[Mapping[str, Callable[[_Examination], Note]]] = {
    "Settings": _Examination.check_settings,
    "Home": _Examination.check_home,
    "Run lock": _Examination.check_lock,
    "Disk": _Examination.check_disk,
    "Encryption": _Examination.check_encryption,
    "Database": _Examination.check_database,
    "Set-up": _Examination.check_set_up,
    "Keyring": _Examination.check_keyring,
    "Keyring choice": _Examination.check_keyring_choice,
    "Sign-in": _Examination.check_sign_in,
    "Renewal": _Examination.check_renewal,
    "Permissions": _Examination.check_permissions,
    "Practice": _Examination.check_practice,
    "Clock": _Examination.check_clock,
    "Xero's limit": _Examination.check_limit,
    "E-mail": _Examination.check_mail,
    "Crontab": _Examination.check_crontab,
    "Last success": _Examination.check_last_success,
}
"""Every check by its name, in the order in which they are made: each after those that it needs."""


def _need(check: str, value: Value | None) -> Value:
    """What an earlier check has brought."""
    if value is None:
        raise _NotChecked(f"needs “{check}” first")
    return value


def _judge_crontab(crontab: Crontab, home: Home) -> Note:
    lines = crontab.of(home)
    if crontab.jobs and not lines.jobs:
        return Note(
            "cron's commands work in another data folder than this",
            "For this data folder, run: xpmsync configure --crontab install. To look into it: xpmsync doctor --cron",
        )
    missing = [f"xpmsync {name}" for name in ("sync", "notify") if not lines.runs(name)]
    if missing:
        return Note(
            f"has no line for {' and none for '.join(missing)}",
            "Add both lines: xpmsync configure --crontab install. Nothing, if systemd starts them.",
        )
    if program := next(filter(None, (job.find_missing_program() for job in lines.jobs)), None):
        return Note(f"cron would not find the program {program}", "Write its whole path there: crontab -e")
    return Note("has both lines")


def _list_damage(database: Database) -> Iterator[tuple[str, str]]:
    """What another program has damaged, and how to repair it."""
    for dangling in find_dangling(database):
        yield diagnose(dangling)
    for table, column, count in find_unreadable(database):
        rows = "1 row" if count == 1 else f"{count:,} rows"
        yield f"{column} cannot be read in {rows} of the table {table}.", "Run: xpmsync sync --full"


def _quote(paths: list[Path]) -> str:
    return shlex.join(str(path) for path in paths)


def _describe_length(length: timedelta) -> str:
    """A length of time of several minutes or more, in its largest unit of which there are two."""
    units = {"days": timedelta(days=1), "hours": timedelta(hours=1), "minutes": timedelta(minutes=1)}
    name = next(name for name, unit in units.items() if length >= 2 * unit)
    return f"{round(length / units[name]):,} {name}"


def _render(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
