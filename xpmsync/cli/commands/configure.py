"""``xpmsync configure``: what the sync needs to know before its first sync, asked on a terminal or given by options.

Nothing is written before the last answer is in, except that the practice's staff become users of Active, as a sync
would make them: the default partner and the alert recipient are chosen among them. A database that is missing is made
with the answers, and not before.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from xpmsync.audit import name_account
from xpmsync.cli.click_types import Choice, Command, Number, typed
from xpmsync.cli.config_reference import render_explanation
from xpmsync.cli.console import open_console, print_advice, print_facts, print_text
from xpmsync.cli.crontab import DEEDS, edit_crontab, offer_lines
from xpmsync.cli.formatting import confirm, is_watched, print_remark
from xpmsync.cli.practices import check_own_practice, choose_practice, name_practice
from xpmsync.cli.prompts import (
    FLAGS,
    Form,
    check_answer,
    refuse_missing,
    settle_mail,
    settle_office,
    settle_users,
)
from xpmsync.config import SECURITIES, SETTINGS, Config, changing_config, read_config
from xpmsync.errors import ConfigurationError, DatabaseError, XpmsyncError
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.notify.alert_file import AlertFile, AlertFileError, find_recipient
from xpmsync.notify.health import RHYTHM_MEMORY, looks_scheduled
from xpmsync.preflight import check_database_kept, check_settings_kept
from xpmsync.records import User
from xpmsync.system.clock import Clock

if TYPE_CHECKING:
    import sqlite3

    from xpmsync.active.database import Database
    from xpmsync.admin.impact import Impact

DRY_RUN: Final = "xpmsync sync --dry-run"
FETCH_SECONDS: Final = 120.0
FETCH_SECONDS_AGAIN: Final = 12.0
"""Where there are users already: enough for a staff list, and for no more than three tries where Xero is in trouble."""


def _option(name: str, explanation: str, **more: Any) -> Callable[[Any], Any]:
    """The option of one answer; its value is checked as the same answer is on a terminal."""
    check = typed(lambda value: check_answer(name, value))
    return click.option(FLAGS[name], name.replace(".", "_"), help=explanation, callback=check, **more)


def _explain(context: click.Context, _parameter: click.Parameter, is_given: bool) -> None:
    """Print every setting, and end."""
    if is_given:
        click.echo(render_explanation(), nl=False)
        context.exit()


@click.command(cls=Command, example="xpmsync configure --notify ann@example.com")
@_option("sync.name", "What you call this sync.", metavar="NAME")
@_option("sync.tenant_id", "The practice, where the connection has several.", metavar="ID")
@_option("sync.default_office_code", "The office that new clients are given.", metavar="CODE")
@_option("office.name", "The name of that office.", metavar="NAME")
@_option("office.default_partner", "Who is given its clients that name no partner in XPM. Optional.", metavar="EMAIL")
@click.option("--no-default-partner", is_flag=True, help="Nobody is: such a client is an error.")
@_option("notify.email", "The alert recipient, who gets an email when syncs fail.", metavar="EMAIL")
@_option("smtp.host", "The mail server.", metavar="HOST")
@_option("smtp.security", "How the connection to it is encrypted.", type=Choice(SECURITIES))
@_option("smtp.port", "Its port, if it is an unusual one.", type=Number(1, 65535))
@_option("smtp.username", "The user name, if it wants one.", metavar="NAME")
@_option("smtp.from", "The sender of the emails.", metavar="EMAIL")
@click.option("--smtp-password-stdin", is_flag=True, help="Read the password of the mail server from standard input.")
@click.option("--start-anew", is_flag=True, help="Make a new database where the one that was there is gone.")
@click.option("--start", "next_step", flag_value="start", help="Start the first sync at once.")
@click.option("--later", "next_step", flag_value="later", help="Leave the first sync to cron.")
@click.option(
    "--explain",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Explain every setting of config.toml, and end.",
)
@click.option(
    "--crontab",
    "crontab_deed",
    type=Choice(DEEDS),
    help="Add the two lines to your crontab, remove them, or print them. Alone it does nothing else.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    no_default_partner: bool,
    crontab_deed: str | None,
    smtp_password_stdin: bool,
    start_anew: bool,
    next_step: str | None,
    **options: Any,
) -> int:
    """Set the default office, its partner and the alert recipient.

    Imports your staff as users first, and ends with the prerequisites of a sync, which a dry run checks. On a terminal
    it asks; with options it asks only for what is still missing. In a script it never asks.
    """
    from xpmsync.active.database import open_database, open_read_only  # noqa: PLC0415 - slow to load
    from xpmsync.active.offices import load_offices_without_active_partner  # noqa: PLC0415
    from xpmsync.active.runs import load_unwatched_starts  # noqa: PLC0415
    from xpmsync.cli.commands.admin.prompts import is_agreed  # noqa: PLC0415

    given = {name: options[name.replace(".", "_")] for name in FLAGS if options[name.replace(".", "_")] is not None}
    if no_default_partner:
        if "office.default_partner" in given:
            raise click.UsageError("Choose one of --default-partner and --no-default-partner.")
        given["office.default_partner"] = "-"
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    if crontab_deed and not given:
        edit_crontab(crontab_deed, home, config)
        return 0
    clock = context.obj or Clock()
    password = sys.stdin.readline().rstrip("\r\n") if smtp_password_stdin else None
    check_settings_kept(home, config)
    if not (start_anew or _may_start_anew(home, config)):
        return 0
    opened = open_database if home.database_file.exists() else open_read_only
    with opened(home.database_file) as database:
        form = Form(
            given, _load_present(home, config, database, given), may_ask=is_watched() and not smtp_password_stdin
        )
        if not form.may_ask:
            refuse_missing(form, has_password=password is not None)
        tenant_id = _settle_practice(form, home, config, database, clock)
        users, is_reached = _import_users(home, config, database, tenant_id, clock)
        answers = _fill(form, home, config, database, tenant_id, users, password)
        impact = _preview_office(database, answers)
        if impact and not is_agreed(impact, is_yes=not form.may_ask):
            return 0
        _save(home, config, database, answers)
        lacking = load_offices_without_active_partner(database)
        are_coming = looks_scheduled(load_unwatched_starts(database, clock.now() - RHYTHM_MEMORY), clock.now())
    console = open_console()
    config = read_config(home)
    _print_answers(console, answers, config)
    _warn_of_offices(console, lacking)
    if crontab_deed:
        edit_crontab(crontab_deed, home, config)
    else:
        offer_lines(home, config, may_ask=form.asks_all, are_coming=are_coming)
    if next_step != "start":  # a sync itself says what it met
        _check_prerequisites(home, config, clock, is_reached=is_reached)
    if next_step == "start" or (next_step is None and form.asks_all and confirm("Start a sync now?", default=True)):
        from xpmsync.cli.commands.sync import command as sync  # noqa: PLC0415 - slow to load

        return int(context.invoke(sync))
    print_text(console, "Start a sync when you like: xpmsync sync")
    return 0


def _may_start_anew(home: Home, config: Config) -> bool:
    """Ask before a new database hides that the one that was there is gone; a script is refused."""
    try:
        check_database_kept(home, config)
    except DatabaseError as trouble:
        if not is_watched():
            raise
        console = open_console()
        print_text(console, trouble.happened)
        if confirm("Start anew, without that data?"):
            return True
        print_advice(console, trouble.remedy)
        return False
    return True


@dataclass(frozen=True)
class _Answers:
    """Everything that is written at the end."""

    settings: Mapping[str, Any]
    office_name: str
    partner_email: str | None
    partner_choice: Mapping[str, Any]
    """For `set_office`: the change of the default partner. One who stays need not be active."""
    password: str | None


def _load_present(home: Home, config: Config, database: "Database", given: Mapping[str, Any]) -> dict[str, Any]:
    """The answers that hold already, of the office that is meant."""
    from xpmsync.active.offices import find_office  # noqa: PLC0415 - slow to load
    from xpmsync.active.users import load_users  # noqa: PLC0415

    present: dict[str, Any] = {}
    for name in FLAGS.keys() & SETTINGS.keys():
        setting = SETTINGS[name]
        section = getattr(config, setting.section)
        present[name] = section and getattr(section, setting.attribute)
    code = given.get("sync.default_office_code", present["sync.default_office_code"])
    users = load_users(database)
    emails = {user.id: user.email for user in users}
    if recipient := AlertFile(home.alert_file).find_recipient(config.notify.email, users):
        present["notify.email"] = recipient.address
    if office := find_office(database, code or ""):
        present["office.name"] = office["name"]
        present["office.default_partner"] = emails.get(office["default_partner_id"])
    return {name: value for name, value in present.items() if value is not None}


def _settle_practice(form: Form, home: Home, config: Config, database: "Database", clock: Clock) -> str:
    """The practice that is told, or that the settings name, else one of the connection's.

    Raises ConfigurationError where it is another one than that whose data is here.
    """
    from xpmsync.active.runs import load_settled_practice  # noqa: PLC0415 - slow to load
    from xpmsync.credentials.store import UNLOCK_SECONDS, opened  # noqa: PLC0415
    from xpmsync.xpm.api import fetch_connections  # noqa: PLC0415
    from xpmsync.xpm.client import opened_gateway  # noqa: PLC0415
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415

    settled_id = load_settled_practice(database, config.sync.tenant_id)
    tenant_id: str | None = form.find("sync.tenant_id")
    if tenant_id is not None:
        check_own_practice(settled_id, {tenant_id: tenant_id})
        return tenant_id
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        tokens = open_tokens(home, config, vault, now=clock.now, sleep=clock.sleep)
        with opened_gateway(config.xero.api_url, tokens, FETCH_SECONDS, clock) as gateway:
            connections = fetch_connections(gateway)
    practice = choose_practice(connections, None, settled_id)
    print_text(open_console(), f"The practice is {name_practice(practice)}.")
    return practice.tenant_id


def _import_users(
    home: Home, config: Config, database: "Database", tenant_id: str, clock: Clock
) -> tuple[list[User], bool]:
    """The active users, and whether the practice's staff are among them now; only other users can do without."""
    from xpmsync.active.users import load_users  # noqa: PLC0415 - slow to load
    from xpmsync.cli.commands.sync import open_report  # noqa: PLC0415
    from xpmsync.sync.staff import import_staff  # noqa: PLC0415

    has_users = bool(load_users(database))
    seconds = FETCH_SECONDS_AGAIN if has_users else FETCH_SECONDS
    is_reached = True
    try:
        with open_report(is_shown=is_watched()) as report:
            report.begin("Importing the staff")
            import_staff(home, config, database, tenant_id, seconds=seconds, clock=clock)
    except DatabaseError:
        raise
    except XpmsyncError as error:
        if not has_users:
            raise
        is_reached = False
        print_remark(f"The staff couldn't be imported. {error.happened} Going on with the users there are.")
    users = [user for user in load_users(database) if user.status == "active"]
    if not users:
        raise ConfigurationError(
            "Active has no user, and XPM lists no staff member with a name and an email address.",
            "In XPM, Business > Settings > Staff, enter names and email addresses; then run: xpmsync configure",
        )
    return users, is_reached


def _fill(
    form: Form,
    home: Home,
    config: Config,
    database: "Database",
    tenant_id: str,
    users: Sequence[User],
    password: str | None,
) -> _Answers:
    """Settle every answer, from the first question to the last."""
    from xpmsync.active.offices import load_offices  # noqa: PLC0415 - slow to load

    settings = {"sync.tenant_id": tenant_id, "sync.name": form.settle("sync.name", "Name of this sync")}
    code = settle_office(form, {office["code"]: office["name"] for office in load_offices(database)})
    settings["sync.default_office_code"] = code
    form.present = _load_present(home, config, database, {**form.given, "sync.default_office_code": code})
    office_name = form.settle("office.name", f"Name of the office {code}", default=code)
    partner_email, settings["notify.email"] = settle_users(form, users)
    mail, password = settle_mail(form, password, has_password=lambda: _has_password(home, config))
    is_kept = partner_email == form.present.get("office.default_partner")
    choice = {} if is_kept else {"default_partner": partner_email, "clear_default_partner": partner_email is None}
    return _Answers(settings | mail, office_name, partner_email, choice, password)


def _has_password(home: Home, config: Config) -> bool:
    from xpmsync.credentials.store import UNLOCK_SECONDS, opened  # noqa: PLC0415 - slow to load

    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        return vault.read("smtp-password") is not None


def _preview_office(database: "Database", answers: _Answers) -> "Impact | None":
    """How many clients another default partner moves; None where the office is new, or keeps its partner."""
    from xpmsync.active.offices import find_office  # noqa: PLC0415 - slow to load
    from xpmsync.admin.offices import preview  # noqa: PLC0415
    from xpmsync.admin.session import AdminSession  # noqa: PLC0415

    code = answers.settings["sync.default_office_code"]
    session = AdminSession(database, code)
    if find_office(database, code) is None:
        return None
    return preview(session, code, **answers.partner_choice)


def _save(home: Home, config: Config, database: "Database", answers: _Answers) -> None:
    """Write the answers: the password first, as a keyring may refuse it, then the office, then what names the office.

    So a computer that stops in between leaves no settings that the hourly run would refuse. A new database is put in
    its place whole.
    """
    from xpmsync.active.history import save_changes  # noqa: PLC0415
    from xpmsync.active.offices import find_office  # noqa: PLC0415
    from xpmsync.active.snapshots import install  # noqa: PLC0415 - slow to load
    from xpmsync.active.users import load_users  # noqa: PLC0415
    from xpmsync.admin.offices import add_office, set_office  # noqa: PLC0415
    from xpmsync.admin.session import AdminSession  # noqa: PLC0415
    from xpmsync.credentials.store import UNLOCK_SECONDS, opened  # noqa: PLC0415

    had_password = config.smtp is not None and config.smtp.username is not None
    needs_none = had_password and "smtp.username" in answers.settings and answers.settings["smtp.username"] is None
    if answers.password is not None or needs_none:
        with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
            if answers.password is not None:
                vault.write("smtp-password", answers.password)
            else:
                vault.forget("smtp-password")
    code = answers.settings["sync.default_office_code"]
    with changing_config(home, answers.settings):
        with database.transaction():
            session = AdminSession(database, code)
            if find_office(database, code) is None:
                add_office(session, code, answers.office_name)
            set_office(session, code, name=answers.office_name, **answers.partner_choice)
            save_changes(database, session.changes, run_id=None, actor=name_account(), now=datetime.now(UTC))
        if database.path != home.database_file:
            install(database, home.database_file)
    recipient = find_recipient(answers.settings["notify.email"], None, load_users(database))
    with suppress(AlertFileError):  # every sync tries again, and says so
        AlertFile(home.alert_file).save_recipient(recipient)


def _check_prerequisites(home: Home, config: Config, clock: Clock, *, is_reached: bool) -> None:
    """Say what the practice lacks before a sync, by a dry run; whatever keeps it from being said is no failure."""
    from xpmsync.cli.commands.sync import open_report  # noqa: PLC0415 - slow to load
    from xpmsync.cli.sync_output import print_prerequisites  # noqa: PLC0415
    from xpmsync.sync.run import preview_sync  # noqa: PLC0415

    console = open_console()
    later = f"To check the prerequisites of the sync: {DRY_RUN}"
    if not is_reached:
        print_advice(console, later)
        return
    try:
        with open_report(is_shown=is_watched()) as report:
            preview = preview_sync(home, config, report=report, clock=clock)
    except XpmsyncError as error:
        print_remark(f"The prerequisites of the sync couldn't be checked. {error.happened} {later}")
        return
    print_prerequisites(console, preview.prerequisites)
    if any(each.shortfalls for each in preview.prerequisites):
        print_advice(console, f"To see which records: {DRY_RUN}")
    if preview.suspicious:
        print_remark(f"{preview.suspicious.in_full} {preview.suspicious.remedy}")


def _warn_of_offices(console: Console, lacking: "Sequence[sqlite3.Row]") -> None:
    """Say which offices have a default partner who is not an active user."""
    for office in lacking:
        command = f"xpmsync admin office set {shlex.quote(office['code'])} --default-partner EMAIL"
        print_advice(
            console,
            f"The default partner of the office {office['code']}, {office['partner']}, is not an active user and is "
            f"given no further clients. Choose an active user: {command}",
        )


def _print_answers(console: Console, answers: _Answers, config: Config) -> None:
    host = config.smtp and config.smtp.host
    mail = f"through {host}" if host else "none, for want of a mail server; name an address for cron's: MAILTO=…"
    print_text(console, "Saved.", style="bold")
    facts: list[tuple[str, object]] = [
        ("Sync", config.sync.name),
        ("Practice ID", config.sync.tenant_id),
        ("Office", f"{answers.office_name} ({config.sync.default_office_code})"),
        ("Default partner", answers.partner_email or "none"),
        ("Alert recipient", config.notify.email),
        ("Emails", mail),
    ]
    print_facts(console, facts)
    if host:
        print_text(console, "See whether emails arrive: xpmsync notify --test")
