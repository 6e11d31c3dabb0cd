"""``xpmsync admin client``: clients set up by hand, what may be changed of the others, and their links with XPM."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from rich.console import Console

from xpmsync.cli.click_types import Choice, CommandAboutOne, Group, typed
from xpmsync.cli.commands.admin.prompts import (
    ID_HELP,
    change_if_agreed,
    check_name,
    need_some,
    opened,
    show_outcome,
)
from xpmsync.cli.commands.history import choose_subject, describe_change
from xpmsync.cli.console import open_console, paged, print_advice, print_facts, print_table, print_text
from xpmsync.cli.formatting import YES, clean, print_json, render_count, render_time
from xpmsync.config import check_email, check_text, check_uuid
from xpmsync.rules.fields import CLIENT_FIELDS, Field
from xpmsync.rules.reading import is_business_number, read_business_number, read_text

if TYPE_CHECKING:
    from xpmsync.admin.outside import Outside

STATUSES: Final = ("active", "archived", "deleted", "removed")
MOST_ROWS: Final = 200
"""Of clients on a screen; a person looks for one by its name."""

Function = TypeVar("Function", bound=Callable[..., Any])


def _check_business_number(text: str) -> str:
    """The digits of an ABN or an NZBN, whose check digits hold."""
    digits = read_business_number(text)
    if digits is None or not is_business_number(digits):
        raise ValueError("must be an ABN (11 digits) or an NZBN (13 digits); one of the digits is wrong or missing")
    return digits


def _check_line(text: str) -> str:
    return check_text(read_text(text))


def _check_for(field: Field) -> Callable[[str], str]:
    """How a value of this field is checked; an empty one clears it, except where Active needs one."""
    checks = {"legal_name": check_name, "abn": _check_business_number, "email": check_email}
    is_name = field.column == "entity_type" or field.column.startswith("individual_")
    check = checks.get(field.column, check_name if is_name else _check_line)
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
                callback=typed(_check_for(field)),
                required=is_new and field.column == "legal_name",
                metavar="TEXT",
                help=f"{field.active_name}.",
            )(function)
        for name, metavar, text in reversed(LOOKED_UP):
            function = click.option(f"--{name}", metavar=metavar, help=text)(function)
        return function

    return decorate


@click.group(cls=Group, example="xpmsync admin client list --search Smith")
def command() -> None:
    """Clients set up by hand, and links with XPM."""


@command.command("list", example="xpmsync admin client list --search Smith --status active")
@click.option("--search", metavar="TEXT", help="Those whose name, code, ABN or e-mail address contains it.")
@click.option("--partner", metavar="EMAIL", help="Those of one partner.")
@click.option("--status", type=Choice(STATUSES), help="Those with one status.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_clients(*, search: str | None, partner: str | None, status: str | None, as_json: bool) -> None:
    """Show the clients. One without a code is named by its id.

    With --search or --status, also those that XPM has and Active has not, and why.
    """
    from xpmsync.admin import clients  # noqa: PLC0415 - the database is slow to load
    from xpmsync.admin.history import suggest_others  # noqa: PLC0415 - as above
    from xpmsync.admin.outside import REASONS, find_outside  # noqa: PLC0415 - as above
    from xpmsync.admin.session import find_key  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=False) as session:
        rows = clients.list_clients(session, search, partner=partner, status=status)
        statuses = REASONS.keys() if status is None else (status,)
        outside = [] if as_json or partner else find_outside(session.database, search, statuses=statuses)
        remedy = suggest_others(session, search, ["client"]) if search and not rows and not outside else None
    is_narrowed = any(condition is not None for condition in (search, partner, status))
    if as_json:
        print_json(rows)
        return
    if rows:
        table = [
            (find_key(row), row["legal_name"], row["partner"] or "gone", row["office_code"], row["status"])
            for row in rows[:MOST_ROWS]
        ]
        total = render_count(len(rows), "client")
        if len(rows) > MOST_ROWS:
            total = f"The first {MOST_ROWS} of {len(rows):,} clients. Find others by --search TEXT; --json prints all."
        console = open_console()
        with paged(console):
            print_table(console, ("Code or id", "Name", "Partner", "Office", "Status"), table)
            print_text(console, total)
            _print_outside(console, outside, is_narrowed=is_narrowed)
    else:
        click.echo("No client of Active is like that." if is_narrowed else "There is no client yet.")
        _print_outside(open_console(), outside, is_narrowed=is_narrowed)
        if remedy:
            print_advice(open_console(), remedy)


def _print_outside(console: Console, outside: "Sequence[Outside]", *, is_narrowed: bool) -> None:
    """The clients that XPM alone has; where nobody looks for any of them, how many there are."""
    if outside and is_narrowed:
        print_text(console, f"In XPM alone: {render_count(len(outside), 'client')}", style="bold")
        table = [(each.code, each.name, each.reason) for each in outside[:MOST_ROWS]]
        print_table(console, ("Code", "Name", "Why it is not in Active"), table)
        if len(outside) > MOST_ROWS:
            print_text(console, f"The first {MOST_ROWS} of them. Find others by --search TEXT.")
    elif outside:
        print_text(console, f"XPM has or had {render_count(len(outside), 'client')} more. See why, by status:")
        for status in dict.fromkeys(each.status for each in outside):
            click.echo(f"  xpmsync admin client list --status {status}")


@command.command("show", cls=CommandAboutOne, example="xpmsync admin client show SMITH001")
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_client(*, who: str, as_json: bool) -> None:
    """Show everything about one client.

    Its fields, partner, groups, open problems and latest changes. WHO is a client code, an id, a name or a part of one.
    """
    from xpmsync.admin.clients import describe_whole  # noqa: PLC0415 - the database is slow to load
    from xpmsync.admin.history import find_subjects  # noqa: PLC0415 - as above

    with opened(to_change=False) as session:
        subject = choose_subject(who, find_subjects(session, who, entity="client"))
        client = describe_whole(session, subject.id)
    if as_json:
        print_json(client)
    else:
        _print_client(open_console(), client, subject.key)


def _print_client(console: Console, client: Mapping[str, Any], key: str) -> None:
    print_text(console, f"{client['legal_name']} ({key})", style="bold")
    told = {
        **client,
        "partner_id": f"{client['partner']} ({client['partner_email']})" if client["partner"] else "gone from Active",
        "manager_id": client["manager"] and f"{client['manager']} ({client['manager_email']})",
        "groups": "; ".join(client["groups"]),
        "office_code": f"{client['office'] or 'gone from Active'} ({client['office_code']})",
    }
    rows = [(field.active_name, told[field.column]) for field in CLIENT_FIELDS if told[field.column]]
    link = f"yes ({client['xpm_client_uuid']})" if client["xpm_client_uuid"] else "no"
    own = [("Office", told["office_code"]), ("Status", client["status"]), ("Linked with XPM", link)]
    print_facts(console, [(f"  {name}", value) for name, value in (*rows, *own)])
    console.print()
    print_text(console, "Open problems" if client["errors"] else "No open problems.", style="bold")
    for issue in client["errors"]:
        print_text(console, f"{issue['severity'].capitalize()}: {issue['message']}", indent=2)
        print_advice(console, f"To do: {issue['suggestion']}", indent=4)
    console.print()
    print_text(console, "Latest changes" if client["changes"] else "No changes in the history.", style="bold")
    print_facts(
        console,
        [
            (f"  {render_time(row['changed_at'])}", f"{row['label']}: {describe_change(row)}")
            for row in client["changes"]
        ],
    )
    if client["changes"]:
        print_text(console, "All of them:")
        click.echo(f"  xpmsync history {clean(shlex.quote(key))}")  # on one line, to be copied


@command.command("add", example="xpmsync admin client add --legal-name 'Smith Pty Ltd' --code SMITH001")
@_client_options(is_new=True)
def add_client(*, partner: str | None, manager: str | None, office: str | None, **values: str | None) -> None:
    """Set up a client by hand. Those of XPM come by themselves.

    Without --office it goes to the default office, without --partner to the office's default partner. A partner who is
    given stays while XPM names none.
    """
    from xpmsync.admin import clients  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=True) as session:
        outcome = clients.add_client(session, _given(values), partner=partner, manager=manager, office=office)
    show_outcome(outcome)


@command.command("set", example="xpmsync admin client set SMITH001 --partner ann@example.com --office SYD")
@click.argument("client_code", metavar="CODE", required=False)
@click.option("--all-of", "owner", metavar="EMAIL", help="All clients of this partner, who get the one of --partner.")
@_client_options(is_new=False)
@YES
def set_client(
    *,
    client_code: str | None,
    owner: str | None,
    partner: str | None,
    manager: str | None,
    office: str | None,
    is_yes: bool,
    **values: str | None,
) -> None:
    """Change the client CODE; for one without a code, write its id.

    "" clears a value. What XPM tells of a client is changed in XPM. A partner who is given here stays while XPM names
    none; --partner "" lets the client follow the default partner of its office again. Says first where the next sync
    gives the client another partner.

    When a partner leaves, --all-of gives all their clients to another. Those whose partner XPM names stay.
    """
    from xpmsync.admin import clients  # noqa: PLC0415 - the database is slow to load

    need_some("--office CODE")
    if owner is not None:
        if not partner or client_code or manager is not None or office is not None or _given(values):
            raise click.UsageError("With --all-of EMAIL goes --partner EMAIL, and nothing else.")
        change_if_agreed(
            lambda session: clients.preview_handover(session, owner, partner),
            lambda session: clients.hand_over_clients(session, owner, partner),
            is_yes=is_yes,
        )
        return
    if client_code is None:
        raise click.UsageError("Name the client by its CODE, or all clients of a partner by --all-of EMAIL.")
    change_if_agreed(
        lambda session: clients.preview(session, client_code, partner=partner, office=office),
        lambda session: clients.set_client(
            session, client_code, _given(values), partner=partner, manager=manager, office=office
        ),
        is_yes=is_yes,
    )


def _given(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """What was typed; nothing between the quotes clears a value."""
    return {column: value or None for column, value in values.items() if value is not None}


@command.command(
    "link",
    example="xpmsync admin client link SMITH001 \\\n  --xpm-client 3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11",
)
@click.argument("client_code", metavar="CODE")
@click.option("--xpm-client", "client_uuid", required=True, callback=typed(check_uuid), metavar="UUID", help=ID_HELP)
@click.option("--move", "may_move", is_flag=True, help="Take the link away from the client that has it now.")
@YES
def link_client(*, client_code: str, client_uuid: str, may_move: bool, is_yes: bool) -> None:
    """Say that the client CODE is a certain client of XPM.

    For one without a code, write its id. Says first which values of the client the next sync replaces.
    """
    from xpmsync.admin import links  # noqa: PLC0415 - the database is slow to load

    change_if_agreed(
        lambda session: links.preview_client(session, client_code, client_uuid, may_move=may_move),
        lambda session: links.link_client(session, client_code, client_uuid, may_move=may_move),
        is_yes=is_yes,
    )
