"""``xpmsync admin``: the Admin Centre. Offices, users, clients set up by hand, links with XPM, and the history.

Turns what was typed into values, and what was done into text; what is allowed, `xpmsync.admin` decides.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from xpmsync.cli.history import choose_subject
from xpmsync.cli.screen import (
    clean,
    is_watched,
    open_console,
    print_facts,
    print_json,
    print_table,
    print_text,
    render_count,
)
from xpmsync.config import check_email, check_office_code, check_text, check_uuid, read_config
from xpmsync.errors import XpmsyncError
from xpmsync.home import find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.rules.fields import CLIENT_FIELDS, Field
from xpmsync.rules.reading import ABN_DIGITS, is_abn, is_nzbn, read_business_number, read_name, read_text

if TYPE_CHECKING:
    from xpmsync.admin.centre import Centre, Outcome

MOST_ROWS: Final = 200
"""Of clients on a screen; a person looks for one by its name."""
ROLES: Final = ("User", "Admin", "Owner")
ID_HELP: Final = "Its id, as the error log shows it (xpmsync errors)."

Function = TypeVar("Function", bound=Callable[..., Any])


# What may be typed: each check gives the value to keep, or raises ValueError("must ...").


def _typed(check: Callable[[str], str]) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """What an option or argument calls to have its value checked."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from None

    return callback


def _check_name(text: str) -> str:
    """A name on one line, inner runs of white space folded as XPM's are."""
    return check_text(read_name(text))


def _check_modules(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(_check_name(name) for name in names)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _check_business_number(text: str) -> str:
    """The digits of an ABN or an NZBN, whose check digits hold."""
    digits = read_business_number(text)
    if digits is None or not (is_abn(digits) if len(digits) == ABN_DIGITS else is_nzbn(digits)):
        raise ValueError("must be an ABN (11 digits) or an NZBN (13 digits); one of the digits is wrong or missing")
    return digits


def _check_line(text: str) -> str:
    return check_text(read_text(text))


def _check_for(field: Field) -> Callable[[str], str]:
    """How a value of this field is checked; an empty one clears it, except where Active needs one."""
    checks = {"legal_name": _check_name, "abn": _check_business_number, "email": check_email}
    is_name = field.column == "entity_type" or field.column.startswith("individual_")
    check = checks.get(field.column, _check_name if is_name else _check_line)
    return check if field.column == "legal_name" else lambda text: check(text) if text.strip() else ""


HAND_FIELDS: Final = tuple(field for field in CLIENT_FIELDS if not field.is_looked_up)
"""The fields of a client that are typed as they are."""
LOOKED_UP: Final = (
    ("partner", "EMAIL", "The user whose client it is."),
    ("manager", "EMAIL", "The user who does the work."),
    ("office", "CODE", "The office it belongs to."),
)


def _client_options(*, is_new: bool) -> Callable[[Function], Function]:
    """The options for a client's fields."""

    def decorate(function: Function) -> Function:
        for field in reversed(HAND_FIELDS):
            function = click.option(
                f"--{field.column.replace('_', '-')}",
                callback=_typed(_check_for(field)),
                required=is_new and field.column == "legal_name",
                metavar="TEXT",
                help=f"{field.active_name}.",
            )(function)
        for name, metavar, text in reversed(LOOKED_UP):
            function = click.option(f"--{name}", metavar=metavar, help=text)(function)
        return function

    return decorate


# The Admin Centre, opened for one command.


@contextmanager
def _opened(*, to_change: bool) -> Iterator["Centre"]:
    """The Admin Centre of this home. What it refuses names records of Xero: no control character is passed on."""
    from xpmsync.admin.centre import open_centre, read_centre  # noqa: PLC0415 - the database is slow to load

    home = find_home(os.environ)
    prepare_home(home)
    centre = open_centre(home, read_config(home), now=datetime.now(UTC)) if to_change else read_centre(home)
    try:
        with centre as opened:
            yield opened
    except XpmsyncError as error:
        error.happened, error.remedy = clean(error.happened), clean(error.remedy)
        raise


def _show(outcome: "Outcome") -> None:
    console = open_console()
    print_text(console, outcome.headline)
    print_facts(
        console, [(f"  {edit.label}", f"{edit.old or 'not set'} → {edit.new or 'not set'}") for edit in outcome.edits]
    )
    for remark in outcome.remarks:
        print_text(console, remark)
    if outcome.next_command:
        click.echo(f"  {clean(outcome.next_command)}")  # on one line, to be copied


def _need_some(example: str) -> None:
    """Refuse a command that says whom to change but not what."""
    context = click.get_current_context()
    sources = [context.get_parameter_source(parameter.name or "") for parameter in context.command.params]
    if sources.count(ParameterSource.COMMANDLINE) < len(("the record", "an option")):
        raise click.UsageError(f"Say what to change, such as {example}.")


@click.group()
def command() -> None:
    """The Admin Centre: offices, users, clients set up by hand, links with XPM, the history."""


@command.group()
def office() -> None:
    """Offices, and the default partner of each."""


@office.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_offices(*, as_json: bool) -> None:
    """Show the offices."""
    with _opened(to_change=False) as centre:
        partners = {user.id: user.email for user in centre.users}
        rows = [
            {"code": row["code"], "name": row["name"], "default_partner_email": partners.get(row["default_partner_id"])}
            for row in centre.offices
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(open_console(), ("Code", "Name", "Default partner"), [tuple(row.values()) for row in rows])
    else:
        click.echo("There is no office yet. Set one up: xpmsync admin office add CODE --name NAME")


@office.command("add")
@click.argument("code", callback=_typed(check_office_code))
@click.option("--name", required=True, callback=_typed(_check_name), help="What people call it, such as Sydney.")
def add_office(*, code: str, name: str) -> None:
    """Set up an office. Its CODE, such as SYD, never changes."""
    from xpmsync.admin import offices  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=True) as centre:
        outcome = offices.add_office(centre, code, name)
    _show(outcome)


@office.command("set")
@click.argument("code")
@click.option("--name", callback=_typed(_check_name), help="What people call it.")
@click.option("--default-partner", metavar="EMAIL", help="The user who takes the clients without a partner in XPM.")
@click.option("--no-default-partner", is_flag=True, help="Nobody takes them: such a client is an error of the sync.")
def set_office(*, code: str, name: str | None, default_partner: str | None, no_default_partner: bool) -> None:
    """Change the office CODE."""
    from xpmsync.admin import offices  # noqa: PLC0415 - the database is slow to load

    _need_some("--name Sydney")
    if default_partner is not None and no_default_partner:
        raise click.UsageError("Choose one of --default-partner and --no-default-partner.")
    with _opened(to_change=True) as centre:
        outcome = offices.set_office(
            centre,
            code,
            name=name,
            default_partner=default_partner,
            clear_default_partner=no_default_partner,
        )
    _show(outcome)


@command.group()
def user() -> None:
    """Users: their role, office and modules, and links with XPM."""


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_users(*, as_json: bool) -> None:
    """Show the users, and who cannot use Active yet."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=False) as centre:
        rows = users.list_users(centre)
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("There is no user yet. The first sync brings the staff of XPM: xpmsync sync")
        return
    print_table(
        open_console(),
        ("Name", "E-mail", "Role", "Office", "Modules", "Status"),
        [
            (
                f"{row['first_name']} {row['last_name'] or ''}",
                row["email"],
                row["role"],
                row["office_code"],
                ", ".join(row["modules"]),
                row["status"],
            )
            for row in rows
        ],
    )
    if waiting := sum(bool(row["missing"]) for row in rows):
        print_text(
            open_console(),
            f"{render_count(waiting, 'user')} cannot use Active yet, for want of a role, an office or modules "
            "(xpmsync admin user set --help).",
        )


@user.command("add")
@click.option("--first-name", required=True, callback=_typed(_check_name))
@click.option("--last-name", required=True, callback=_typed(_check_name))
@click.option("--email", required=True, callback=_typed(check_email), help="Nobody else's; XPM's, if XPM has it too.")
def add_user(*, first_name: str, last_name: str, email: str) -> None:
    """Set up a user by hand. Those on XPM's staff list come by themselves."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=True) as centre:
        outcome = users.add_user(centre, first_name, last_name, email)
    _show(outcome)


@user.command("set")
@click.argument("email")
@click.option(
    "--role", type=click.Choice(ROLES, case_sensitive=False), metavar="|".join(ROLES), help="What the user may do."
)
@click.option("--office", metavar="CODE", help="Where the user works.")
@click.option(
    "--module",
    "modules",
    multiple=True,
    metavar="NAME",
    callback=_check_modules,
    help="A part of Active that the user may use; once for each. They replace the earlier ones.",
)
@click.option("--no-modules", is_flag=True, help="The user may use none.")
@click.option("--activate/--deactivate", "is_active", default=None, help="Whether the user may use Active at all.")
def set_user(
    *,
    email: str,
    role: str | None,
    office: str | None,
    modules: tuple[str, ...],
    no_modules: bool,
    is_active: bool | None,
) -> None:
    """Decide what the user EMAIL may do in Active. A sync never changes it."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    _need_some("--role User")
    if modules and no_modules:
        raise click.UsageError("Choose one of --module and --no-modules.")
    with _opened(to_change=True) as centre:
        outcome = users.set_user(
            centre,
            email,
            role=role,
            office=office,
            modules=modules if modules or no_modules else None,
            is_active=is_active,
        )
    _show(outcome)


@user.command("link")
@click.argument("email")
@click.option("--xpm-staff", "staff_uuid", required=True, callback=_typed(check_uuid), metavar="UUID", help=ID_HELP)
@click.option("--move", "may_move", is_flag=True, help="Take the link away from the user who has it now.")
def link_user(*, email: str, staff_uuid: str, may_move: bool) -> None:
    """Say that the user EMAIL is a certain staff member of XPM."""
    from xpmsync.admin import links  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=True) as centre:
        outcome = links.link_user(centre, email, staff_uuid, may_move=may_move)
    _show(outcome)


@command.group()
def client() -> None:
    """Clients set up by hand, and links with XPM."""


@client.command("list")
@click.option("--search", metavar="TEXT", help="Those whose name, code, ABN or e-mail address contains it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_clients(*, search: str | None, as_json: bool) -> None:
    """Show the clients. One without a code is named by its id."""
    from xpmsync.admin import clients  # noqa: PLC0415 - the database is slow to load
    from xpmsync.admin.centre import SHORT_ID_LENGTH  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=False) as centre:
        rows = clients.list_clients(centre, search)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(
            open_console(),
            ("Code or id", "Name", "Partner", "Office", "Status"),
            [
                (
                    row["code"] or row["id"][:SHORT_ID_LENGTH],
                    row["legal_name"],
                    row["partner"],
                    row["office_code"],
                    row["status"],
                )
                for row in rows[:MOST_ROWS]
            ],
        )
        click.echo(
            render_count(len(rows), "client")
            if len(rows) <= MOST_ROWS
            else f"The first {MOST_ROWS} of {len(rows):,} clients. Find others by --search TEXT; --json prints all."
        )
    else:
        click.echo(
            "There is no client yet."
            if search is None
            else "No client's name, code, ABN or e-mail address contains that."
        )


@client.command("add")
@_client_options(is_new=True)
def add_client(*, partner: str | None, manager: str | None, office: str | None, **values: str | None) -> None:
    """Set up a client by hand. Those of XPM come by themselves.

    Without --office it goes to the default office, without --partner to the office's default partner.
    """
    from xpmsync.admin import clients  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=True) as centre:
        outcome = clients.add_client(centre, _given(values), partner=partner, manager=manager, office=office)
    _show(outcome)


@client.command("set")
@click.argument("client_code", metavar="CODE")
@_client_options(is_new=False)
def set_client(
    *, client_code: str, partner: str | None, manager: str | None, office: str | None, **values: str | None
) -> None:
    """Change the client CODE; for one without a code, write its id.

    "" clears a value. What XPM tells of a client is changed in XPM.
    """
    from xpmsync.admin import clients  # noqa: PLC0415 - the database is slow to load

    _need_some("--office CODE")
    with _opened(to_change=True) as centre:
        outcome = clients.set_client(
            centre, client_code, _given(values), partner=partner, manager=manager, office=office
        )
    _show(outcome)


def _given(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """What was typed; nothing between the quotes clears a value."""
    return {column: value or None for column, value in values.items() if value is not None}


@client.command("link")
@click.argument("client_code", metavar="CODE")
@click.option("--xpm-client", "client_uuid", required=True, callback=_typed(check_uuid), metavar="UUID", help=ID_HELP)
@click.option("--move", "may_move", is_flag=True, help="Take the link away from the client that has it now.")
def link_client(*, client_code: str, client_uuid: str, may_move: bool) -> None:
    """Say that the client CODE (for one without a code: its id) is a certain client of XPM."""
    from xpmsync.admin import links  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=True) as centre:
        outcome = links.link_client(centre, client_code, client_uuid, may_move=may_move)
    _show(outcome)


@command.group("history")
def past() -> None:
    """The history of what changed (xpmsync history): letting go of it.

    It is kept for good. After a year you may prune it; one person's may be erased at any time.
    """


def _read_day(_context: click.Context, _parameter: click.Parameter, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("must be a day such as 2025-11-01.") from None


def _is_wanted(question: str, *, is_yes: bool) -> bool:
    """Whether it shall be done; in a script only --yes says so."""
    if is_yes:
        return True
    if not is_watched():
        raise click.UsageError("What is removed does not come back, and nobody is here to be asked: say --yes.")
    return click.confirm(question)


YES: Final = click.option("--yes", "is_yes", is_flag=True, help="Do not ask; for scripts.")


@past.command("prune")
@click.option(
    "--before", "day", required=True, callback=_read_day, metavar="DATE", help="A day that is at least a year ago."
)
@YES
def prune_history(*, day: date, is_yes: bool) -> None:
    """Remove all changes from before a day, of all records, and note it in the log.

    Users, clients, the error log and the runs stay as they are.
    """
    from xpmsync.active.history import count_changes_before  # noqa: PLC0415 - the database is slow to load
    from xpmsync.admin.history import check_day, prune  # noqa: PLC0415 - as above

    check_day(day, date.today())  # noqa: DTZ011 - the day by the clock on the wall
    moment = datetime.combine(day, time.min).astimezone()
    with _opened(to_change=False) as centre:
        count = count_changes_before(centre.database, moment)
    if count == 0:
        click.echo(f"The history has no changes from before {day}.")
        return
    click.echo(f"Of the history, {render_count(count, 'change')} from before {day} would be removed.")
    if not _is_wanted("Remove them?", is_yes=is_yes):
        click.echo("Nothing was removed.")
        return
    open_log(find_home(os.environ))
    with _opened(to_change=True) as centre:
        count = prune(centre, moment)
    click.echo(f"{render_count(count, 'change')} removed.")


@past.command("erase")
@click.argument("who")
@YES
def erase_history(*, who: str, is_yes: bool) -> None:
    """Erase one person's past: the changes of the client or user WHO, and their solved problems.

    WHO is a client code, an e-mail address, a name or a part of one.

    Erased are the values in the history, the solved problems in the error log, and the name where solved problems of
    others and messages of runs mention it. The record itself stays as it is now, with what XPM says of it and its open
    problems; a note in the history says that it was erased. Not searched are the log file and your backups.
    """
    from xpmsync.admin.history import erase, find_subjects, find_traces  # noqa: PLC0415 - the database is slow to load

    with _opened(to_change=False) as centre:
        subject = choose_subject(who, find_subjects(centre, who))
        traces = find_traces(centre, subject)
    console = open_console()
    print_text(console, f"The history of the {subject.entity} {subject.described}:", style="bold")
    print_facts(
        console,
        [
            ("Erased", f"{render_count(traces.changes, 'change')} in the history"),
            ("", f"{render_count(len(traces.problems), 'solved problem')} in the error log"),
            ("", f"the name in {render_count(len(traces.mentions), 'text')} about others and about runs"),
            ("Remains", "the record itself as it is now, with what XPM says of it"),
            ("", f"{render_count(traces.open_problems, 'open problem')}, and the note that its history was erased"),
        ],
    )
    if not _is_wanted("Erase it? It does not come back.", is_yes=is_yes):
        click.echo("Nothing was erased.")
        return
    open_log(find_home(os.environ))
    with _opened(to_change=True) as centre:
        outcome = erase(centre, subject)
    _show(outcome)
