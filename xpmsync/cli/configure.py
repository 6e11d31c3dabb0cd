"""``xpmsync configure``: what the sync needs to know before its first run, asked on a terminal or told by options.

What is asked and what is told passes the same checks. Nothing is written before the last answer is in, except that the
practice's staff become users of Active, as the first sync would make them: the partner and the person to notify are
chosen among them. A database that is missing is made with the answers, and not before.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from xpmsync.cli.crontab import render_crontab
from xpmsync.cli.explanation import render_explanation
from xpmsync.cli.grammar import Choice, Command, Number, typed
from xpmsync.cli.screen import open_console, print_advice, print_facts, print_table, print_text
from xpmsync.cli.text import ask, confirm, is_watched
from xpmsync.config import (
    SECURITIES,
    SETTINGS,
    USUAL_PORTS,
    Config,
    changing_config,
    check_setting,
    check_text,
    read_config,
    require,
)
from xpmsync.crontab import read_crontab
from xpmsync.errors import AnotherRun, ConfigurationError, DatabaseTrouble, NotPossible
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.records import User
from xpmsync.set_up import check_database_kept, check_settings_kept
from xpmsync.spelling import fold, suggest
from xpmsync.surroundings import Clock

if TYPE_CHECKING:
    from xpmsync.active.database import Database
    from xpmsync.admin.forecast import Outlook

ACTOR: Final = "configure"
FETCH_SECONDS: Final = 120.0
LOCK_SECONDS: Final = 10.0
SHOWN_USERS: Final = 10
NO_USERNAME: Final = ("", "-")

FLAGS: Final[Mapping[str, str]] = {
    "sync.name": "--sync-name",
    "sync.tenant_id": "--tenant",
    "sync.default_office_code": "--office",
    "office.name": "--office-name",
    "office.default_partner": "--default-partner",
    "notify.email": "--notify",
    "smtp.host": "--smtp-host",
    "smtp.security": "--smtp-security",
    "smtp.port": "--smtp-port",
    "smtp.username": "--smtp-username",
    "smtp.from": "--smtp-from",
}
"""Every answer by the name it has in this file (a key of config.toml where it is one), and its option."""
MAIL: Final = tuple(name for name in FLAGS if name.startswith("smtp."))


def _option(name: str, explanation: str, **more: Any) -> Callable[[Any], Any]:
    """The option of one answer; its value is checked as the same answer is on a terminal."""
    check = typed(lambda value: _check(name, value))
    return click.option(FLAGS[name], name.replace(".", "_"), help=explanation, callback=check, **more)


def _printing(flag: str, render: Callable[[], str], explanation: str) -> Callable[[Any], Any]:
    """An option that prints something, asks nothing, and ends."""

    def callback(context: click.Context, _parameter: click.Parameter, is_given: bool) -> None:
        if is_given:
            click.echo(render(), nl=False)
            context.exit()

    return click.option(flag, is_flag=True, is_eager=True, expose_value=False, callback=callback, help=explanation)


def _render_for_pasting() -> str:
    return f"# Paste these lines with: crontab -e\n{render_crontab(read_config(find_home(os.environ)))}"


def _check(name: str, value: object) -> Any:
    if name == "office.name":
        return check_text(value)
    if name == "smtp.username" and value in NO_USERNAME:
        return ""
    return check_setting("notify.email" if name == "office.default_partner" else name, value)


@click.command(cls=Command, example="xpmsync configure --notify ann@example.com")
@_option("sync.name", "What you call this sync.", metavar="NAME")
@_option("sync.tenant_id", "The practice; xpmsync connect sets it.", metavar="ID")
@_option("sync.default_office_code", "The office that new clients are given.", metavar="CODE")
@_option("office.name", "The name of that office.", metavar="NAME")
@_option("office.default_partner", "The partner of its clients that have none in XPM.", metavar="EMAIL")
@_option("notify.email", "Who is told when the sync is disrupted.", metavar="EMAIL")
@_option("smtp.host", "The mail server.", metavar="HOST")
@_option("smtp.security", "How the line to it is protected.", type=Choice(SECURITIES))
@_option("smtp.port", "Its port, if it is an unusual one.", type=Number(1, 65535))
@_option("smtp.username", "The user name, if it wants one.", metavar="NAME")
@_option("smtp.from", "The sender of the e-mails.", metavar="EMAIL")
@click.option("--smtp-password-stdin", is_flag=True, help="Read the password of the mail server from standard input.")
@click.option("--start-anew", is_flag=True, help="Make a new database where the one that was there is gone.")
@click.option("--start", "next_step", flag_value="start", help="Start the first sync at once.")
@click.option("--later", "next_step", flag_value="later", help="Leave the first sync to cron.")
@_printing("--explain", render_explanation, "Explain every setting of config.toml, and end.")
@_printing("--crontab", _render_for_pasting, "Print the lines for the crontab, and end.")
@click.pass_context
def command(
    context: click.Context, /, *, smtp_password_stdin: bool, start_anew: bool, next_step: str | None, **options: Any
) -> int:
    """Set up the sync: its office, its default partner, who is told of trouble, and how e-mails are sent.

    On a terminal it asks; with options it asks only for what is still missing. In a script it never asks.
    """
    from xpmsync.active.database import open_database, open_rehearsal  # noqa: PLC0415 - slow to load
    from xpmsync.cli.admin.dialogue import is_agreed  # noqa: PLC0415

    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    given = {name: options[name.replace(".", "_")] for name in FLAGS if options[name.replace(".", "_")] is not None}
    password = sys.stdin.readline().rstrip("\r\n") if smtp_password_stdin else None
    check_settings_kept(home, config)
    if not (start_anew or _may_start_anew(home, config)):
        return 0
    opened = open_database if home.database_file.exists() else open_rehearsal
    with opened(home.database_file) as database:
        form = _Form(given, _load_present(config, database, given), may_ask=is_watched() and not smtp_password_stdin)
        if not form.may_ask:
            _refuse_missing(form, has_password=password is not None)
        _check_practice(home, config, database, given)
        answers = _fill(form, home, config, database, password)
        outlook = _foretell(database, answers)
        if outlook and not is_agreed(outlook, is_yes=not form.may_ask):
            return 0
        _save(home, config, database, answers)
    console = open_console()
    config = read_config(home)
    _print_answers(console, answers, config)
    crontab = read_crontab()
    if not (crontab and all(crontab.of(home).runs(name) for name in ("sync", "notify"))):
        print_text(console, "Runs start every hour once these lines are in your crontab (crontab -e):")
        click.echo(render_crontab(config), nl=False)
        print_text(console, "Then see whether they have all they need: xpmsync doctor --cron")
    if next_step == "start" or (next_step is None and form.asks_all and confirm("Start a sync now?", default=True)):
        from xpmsync.cli.sync import command as sync  # noqa: PLC0415 - slow to load

        return int(context.invoke(sync))
    print_text(console, "Start a run when you like: xpmsync sync")
    return 0


def _may_start_anew(home: Home, config: Config) -> bool:
    """Ask before a new database hides that the one that was there is gone; a script is refused."""
    try:
        check_database_kept(home, config)
    except DatabaseTrouble as trouble:
        if not is_watched():
            raise
        console = open_console()
        print_text(console, trouble.happened)
        if confirm("Start anew, without that data?"):
            return True
        print_advice(console, trouble.remedy)
        return False
    return True


class _Form:
    """What is told, what holds already, and whether the rest may be asked."""

    def __init__(self, given: Mapping[str, Any], present: Mapping[str, Any], *, may_ask: bool) -> None:
        self.given = given
        self.present = present
        self.may_ask = may_ask
        self.asks_all = may_ask and not given

    def settle(
        self, name: str, question: str, check: Callable[[object], Any] | None = None, *, default: str | None = None
    ) -> Any:
        """The answer that is told, else asked for, else the one that holds; `default` is offered where none holds."""
        if name in self.given:
            return self.given[name]
        present = self.present.get(name, default)
        if self.asks_all or (self.may_ask and present is None):
            return ask(question, check or (lambda text: _check(name, text)), default=present and str(present))
        return present


@dataclass(frozen=True)
class _Answers:
    """Everything that is written at the end."""

    settings: Mapping[str, Any]
    office_name: str
    partner_email: str
    password: str | None


def _load_present(config: Config, database: "Database", given: Mapping[str, Any]) -> dict[str, Any]:
    """The answers that hold already, of the office that is meant."""
    from xpmsync.active.offices import find_office  # noqa: PLC0415 - slow to load
    from xpmsync.active.users import load_users  # noqa: PLC0415

    present: dict[str, Any] = {}
    for name in FLAGS.keys() & SETTINGS.keys():
        setting = SETTINGS[name]
        section = getattr(config, setting.section)
        present[name] = section and getattr(section, setting.attribute)
    code = given.get("sync.default_office_code", present["sync.default_office_code"])
    emails = {user.id: user.email for user in load_users(database)}
    if office := find_office(database, code or ""):
        present["office.name"] = office["name"]
        present["office.default_partner"] = emails.get(office["default_partner_id"])
    return {name: value for name, value in present.items() if value is not None}


def _refuse_missing(form: _Form, *, has_password: bool) -> None:
    """In a script nothing is asked: everything that is missing is named at once."""
    known = form.given.keys() | form.present.keys()
    required = ["sync.tenant_id", "sync.default_office_code", "office.default_partner", "notify.email"]
    if any(name in known for name in MAIL):
        required += ["smtp.host", "smtp.from"]
    missing = [FLAGS[name] for name in required if name not in known]
    username = form.given.get("smtp.username")
    if username and username != form.present.get("smtp.username") and not has_password:
        missing.append("--smtp-password-stdin")
    if missing:
        raise click.UsageError(f"Missing: {', '.join(missing)}. (Without a terminal nothing is asked.)")


def _check_practice(home: Home, config: Config, database: "Database", given: Mapping[str, Any]) -> None:
    """A home is one practice's: another one's data must not be mixed into it."""
    from xpmsync.active.runs import load_settled_practice  # noqa: PLC0415 - slow to load

    tenant_id = require(given.get("sync.tenant_id", config.sync.tenant_id), "sync.tenant_id")
    settled_id = load_settled_practice(database, config.sync.tenant_id)
    if settled_id not in (None, tenant_id):
        raise ConfigurationError(
            f"The home {home.data_folder} holds the data of another practice than {tenant_id}. Nothing has changed.",
            "Each practice needs a home of its own: set XPMSYNC_HOME to another folder, and run xpmsync connect there.",
        )


def _fill(form: _Form, home: Home, config: Config, database: "Database", password: str | None) -> _Answers:
    """Settle every answer, from the first question to the last."""
    console = open_console()
    tenant_id = form.given.get("sync.tenant_id", form.present.get("sync.tenant_id"))
    settings = {"sync.tenant_id": tenant_id, "sync.name": form.settle("sync.name", "Name of this sync")}
    code = _settle_office(form, console, database)
    settings["sync.default_office_code"] = code
    form.present = _load_present(config, database, {**form.given, "sync.default_office_code": code})
    office_name = form.settle("office.name", f"Name of the office {code}", default=code)
    users = _load_active_users(home, config, database, tenant_id)
    known = form.given.keys() | form.present.keys()
    if form.asks_all or (form.may_ask and not {"office.default_partner", "notify.email"} <= known):
        _print_users(console, users)
    chosen = {
        name: _settle_user(form, name, f"{question} (number or e-mail address)", users)
        for name, question in (
            ("office.default_partner", "Default partner of the office"),
            ("notify.email", "Who is told when the sync is disrupted"),
        )
    }
    settings["notify.email"] = chosen["notify.email"]
    mail, password = _settle_mail(form, home, config, password)
    return _Answers(settings | mail, office_name, chosen["office.default_partner"], password)


def _settle_office(form: _Form, console: Console, database: "Database") -> str:
    """The code of the office; a person is asked before a new one is set up beside others: it may be mistyped."""
    from xpmsync.active.offices import find_office, load_offices  # noqa: PLC0415 - slow to load

    while True:
        code = str(
            form.settle("sync.default_office_code", "Code of the office that new clients are given, such as SYD")
        )
        if office := find_office(database, code):
            return str(office["code"])  # as it is written there
        codes = [row["code"] for row in load_offices(database)]
        if not (form.may_ask and codes):
            return code
        print_text(console, f"Active has no office {code} yet.{suggest(code, codes)}")
        if confirm(f"Set up the office {code}?"):
            return code
        if not form.asks_all:
            raise NotPossible("Nothing was changed.", f"The offices are: {', '.join(codes)}")


def _settle_user(form: _Form, name: str, question: str, users: Sequence[User]) -> str:
    """The e-mail address of an active user; one that held before and is not asked for again is left alone."""
    pick = _make_picker(users)
    answer = form.settle(name, question, lambda text: pick(text).email)
    if name not in form.given:
        return str(answer)
    try:
        return pick(answer).email
    except ValueError:
        known = ", ".join(user.email for user in users[:SHOWN_USERS]) + (", …" if len(users) > SHOWN_USERS else "")
        raise click.UsageError(
            f"{FLAGS[name]}: {answer} is no active user of Active, and only an active user can be chosen. There are: "
            f"{known}. Choose one of them, or see how somebody becomes one: xpmsync admin user --help"
        ) from None


def _make_picker(users: Sequence[User]) -> Callable[[object], User]:
    """A check that takes a number of the list, or an e-mail address whatever its case."""
    by_answer = {fold(user.email): user for user in users}
    by_answer |= {str(number): user for number, user in enumerate(users, start=1)}

    def pick(answer: object) -> User:
        try:
            return by_answer[fold(str(answer))]
        except KeyError:
            raise ValueError("must be a number or an address of the list: only an active user can be chosen") from None

    return pick


def _settle_mail(form: _Form, home: Home, config: Config, password: str | None) -> tuple[dict[str, Any], str | None]:
    """The mail settings, all of them or none, and the password if there is a new one."""
    has_mail = "smtp.host" in form.present
    is_told = any(name in form.given for name in MAIL)
    if form.asks_all and not confirm("Send e-mails through a mail server?", default=has_mail):
        return dict.fromkeys(MAIL), None
    if not (form.asks_all or is_told):
        return {}, password
    # In the order in which a provider's page tells them.
    host = form.settle("smtp.host", "Mail server")
    security = form.settle("smtp.security", f"Protection of the line ({', '.join(SECURITIES)})", default="starttls")
    # The usual port follows the protection, unless an unusual one was set.
    usual = {str(port) for port in USUAL_PORTS.values()}
    present_port = form.present.get("smtp.port")
    port = USUAL_PORTS[security] if present_port is None or str(present_port) in usual else present_port
    form.present = {**form.present, "smtp.port": port}
    port = form.settle("smtp.port", "Port", _check_port)
    username = form.settle("smtp.username", "User name (- if the server wants none)", default="-")
    username = None if username in NO_USERNAME else username
    if form.may_ask and username:
        question = "Password of the mail server (not shown"
        if _has_password(home, config):
            question += "; Enter keeps the one that is stored"
            password = click.prompt(f"{question})", hide_input=True, default="", show_default=False) or None
        else:
            password = ask(f"{question})", str, is_hidden=True)
    # Where the user name is an address, most servers let no other one send.
    usual_sender = username if username and "@" in username else None
    mail = {
        "smtp.host": host,
        "smtp.security": security,
        "smtp.port": port,
        "smtp.username": username,
        "smtp.from": form.settle("smtp.from", "Sender of the e-mails", default=usual_sender),
    }
    return mail, password


def _has_password(home: Home, config: Config) -> bool:
    from xpmsync.xpm.vault import UNLOCK_SECONDS, opened  # noqa: PLC0415 - slow to load

    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        return vault.read("smtp-password") is not None


def _check_port(text: object) -> Any:
    return _check("smtp.port", int(str(text)) if str(text).isdecimal() else text)


def _load_active_users(home: Home, config: Config, database: "Database", tenant_id: str) -> list[User]:
    """Active's users; while there are none, the practice's staff, who become users now."""
    from xpmsync.active.users import load_users  # noqa: PLC0415 - slow to load

    if not load_users(database):
        _take_over_staff(home, config, database, tenant_id)
    users = [user for user in load_users(database) if user.status == "active"]
    if not users:
        raise ConfigurationError(
            "Active has no user, and XPM lists no staff member with a name and an e-mail address.",
            "In XPM, Business > Settings > Staff, enter names and e-mail addresses; then run: xpmsync configure",
        )
    return users


def _take_over_staff(home: Home, config: Config, database: "Database", tenant_id: str) -> None:
    """Fetch the practice's staff and make them users, as a sync does."""
    from xpmsync.active import mirror  # noqa: PLC0415 - slow to load
    from xpmsync.active.history import ChangeLog  # noqa: PLC0415
    from xpmsync.active.spool import open_spool  # noqa: PLC0415
    from xpmsync.active.turns import turn  # noqa: PLC0415
    from xpmsync.derive.result import Derivation  # noqa: PLC0415
    from xpmsync.derive.users import derive_users  # noqa: PLC0415
    from xpmsync.rules.fields import STAFF_SHAPE  # noqa: PLC0415
    from xpmsync.xpm.api import PracticeManager  # noqa: PLC0415
    from xpmsync.xpm.http import opened_gateway  # noqa: PLC0415
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415
    from xpmsync.xpm.vault import UNLOCK_SECONDS, opened  # noqa: PLC0415

    busy = AnotherRun("A run is in progress.", "Wait until it has ended, then run: xpmsync configure")
    with (
        turn(home.run_lock, busy, wait_seconds=LOCK_SECONDS),
        opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault,
        open_spool(home.spool_file, {"xpm_staff": STAFF_SHAPE}, database) as spool,
    ):
        tokens = open_tokens(home, config, vault)
        with opened_gateway(config.xero.api_url, tokens, FETCH_SECONDS, Clock()) as gateway:
            PracticeManager(gateway, tenant_id).fetch_staff(STAFF_SHAPE, spool.taker("xpm_staff"))
        with mirror.attached(database, spool), database.transaction():
            now = datetime.now(UTC)
            mirror.merge_records(database, "xpm_staff", STAFF_SHAPE, is_full_list=True, now=now)
            changes = ChangeLog(database, run_id=None, actor=ACTOR, now=now)
            derive_users(database, Derivation(changes))


def _foretell(database: "Database", answers: _Answers) -> "Outlook | None":
    """How many clients another default partner moves; None where the office is new, or keeps its partner."""
    from xpmsync.active.offices import find_office  # noqa: PLC0415 - slow to load
    from xpmsync.admin.centre import Centre  # noqa: PLC0415
    from xpmsync.admin.offices import foretell  # noqa: PLC0415

    code = answers.settings["sync.default_office_code"]
    centre = Centre(database, code)
    return foretell(centre, code, default_partner=answers.partner_email) if find_office(database, code) else None


def _save(home: Home, config: Config, database: "Database", answers: _Answers) -> None:
    """Write the answers: the password first, as a keyring may refuse it, then the office, then what names the office.

    So a computer that stops in between leaves no settings that the hourly run would refuse. A new database is put in
    its place whole.
    """
    from xpmsync.active.copying import put_anew  # noqa: PLC0415 - slow to load
    from xpmsync.active.history import save_changes  # noqa: PLC0415
    from xpmsync.active.offices import find_office  # noqa: PLC0415
    from xpmsync.admin.centre import Centre  # noqa: PLC0415
    from xpmsync.admin.offices import add_office, set_office  # noqa: PLC0415
    from xpmsync.xpm.vault import UNLOCK_SECONDS, opened  # noqa: PLC0415

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
            centre = Centre(database, code)
            if find_office(database, code) is None:
                add_office(centre, code, answers.office_name)
            set_office(centre, code, name=answers.office_name, default_partner=answers.partner_email)
            save_changes(database, centre.changes, run_id=None, actor=ACTOR, now=datetime.now(UTC))
        if database.path != home.database_file:
            if home.database_file.exists():
                raise AnotherRun("Meanwhile another xpmsync has made the database.", "Run: xpmsync configure")
            put_anew(database.path, home.database_file)


def _print_users(console: Console, users: Sequence[User]) -> None:
    rows = [(str(number), user.name, user.email) for number, user in enumerate(users, start=1)]
    print_table(console, ("", "Users of Active", "E-mail address"), rows)


def _print_answers(console: Console, answers: _Answers, config: Config) -> None:
    host = config.smtp and config.smtp.host
    mail = f"through {host}" if host else "none, for want of a mail server; name an address for cron's: MAILTO=…"
    print_text(console, "Saved.", style="bold")
    facts: list[tuple[str, object]] = [
        ("Sync", config.sync.name),
        ("Practice id", config.sync.tenant_id),
        ("Office", f"{answers.office_name} ({config.sync.default_office_code})"),
        ("Default partner", answers.partner_email),
        ("Told of trouble", config.notify.email),
        ("E-mails", mail),
    ]
    print_facts(console, facts)
    if host:
        print_text(console, "See whether e-mails arrive: xpmsync notify --test")
