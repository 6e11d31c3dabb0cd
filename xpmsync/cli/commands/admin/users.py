"""``xpmsync admin user``: users, what they may do in Active, and their links with XPM."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click
from rich.console import Console

from xpmsync.cli.click_types import Choice, Group, typed
from xpmsync.cli.commands.admin.prompts import (
    ID_HELP,
    change_if_agreed,
    check_name,
    need_some,
    opened,
    show_outcome,
)
from xpmsync.cli.console import open_console, paged, print_advice, print_facts, print_table, print_text
from xpmsync.cli.formatting import YES, is_wanted, print_json, render_count
from xpmsync.config import check_email, check_uuid

ROLES: Final = ("User", "Admin", "Owner")

Function = TypeVar("Function", bound=Callable[..., Any])


def _check_module(text: str) -> str:
    """One module; several with commas between them would be taken for one."""
    if "," in text:
        raise ValueError("must be one module without a comma; give --module once for each")
    return check_name(text)


def _work_options(function: Function) -> Function:
    """The options for what a user may do in Active."""
    modules = click.option(
        "--module",
        "modules",
        multiple=True,
        metavar="NAME",
        callback=typed(lambda names: tuple(map(_check_module, names))),
        help="A part of Active that the user may use; once for each.",
    )
    office = click.option("--office", metavar="CODE", help="Where the user works.")
    role = click.option("--role", type=Choice(ROLES, case_sensitive=False), help="What the user may do.")
    return role(office(modules(function)))


@click.group(cls=Group, example="xpmsync admin user list --waiting")
def command() -> None:
    """Users: their role, office and modules, and links with XPM."""


@command.command("list", example="xpmsync admin user list --waiting")
@click.option("--waiting", "is_waiting", is_flag=True, help="Only those who cannot use Active yet.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_users(*, is_waiting: bool, as_json: bool) -> None:
    """Show the users, and what each needs to use Active."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=False) as session:
        is_empty = not session.users
        rows = users.list_users(session, is_waiting=is_waiting)
    if as_json:
        print_json(rows)
    elif is_empty:
        click.echo("There is no user yet. The first sync brings the staff of XPM: xpmsync sync")
    elif not rows:
        click.echo("Nobody waits: every active user has a role, an office and modules.")
    else:
        console = open_console()
        with paged(console):
            _print_users(console, rows)


def _describe_access(row: Mapping[str, Any]) -> str:
    """Why there is none, if there is none; role, office and modules, as far as there are any."""
    held = ", ".join(filter(None, (row["role"], row["office_code"], *row["modules"])))
    obstacle = f"needs {', '.join(row['missing'])}" if row["missing"] else row["status"]
    return held if obstacle == "active" else f"{obstacle} ({held})" if held else obstacle


def _print_users(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        console,
        ("Name", "E-mail", "Access"),
        [(f"{row['first_name']} {row['last_name'] or ''}", row["email"], _describe_access(row)) for row in rows],
        copied="E-mail",
    )
    if waiting := sum(bool(row["missing"]) for row in rows):
        print_advice(
            console,
            f"{render_count(waiting, 'user')} cannot use Active yet. Give what is needed, to several at once if you "
            "like: xpmsync admin user set EMAIL EMAIL --role User --office CODE --module NAME",
        )


@command.command("add", example="xpmsync admin user add ann@example.com --first-name Ann --last-name Li")
@click.argument("address", metavar="EMAIL", required=False, callback=typed(check_email))
@click.option("--first-name", required=True, callback=typed(check_name), help="The first name.")
@click.option("--last-name", required=True, callback=typed(check_name), help="The last name.")
@click.option("--email", metavar="EMAIL", callback=typed(check_email), help="The address, if it does not stand alone.")
@_work_options
def add_user(
    *,
    address: str | None,
    first_name: str,
    last_name: str,
    email: str | None,
    role: str | None,
    office: str | None,
    modules: tuple[str, ...],
) -> None:
    """Set up a user by hand. Those on XPM's staff list come by themselves.

    EMAIL is the address that XPM has, if it has one.
    """
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    if address and email:
        raise click.UsageError("Give one e-mail address: EMAIL or --email.")
    email = address or email
    if email is None:
        raise click.UsageError("Say the user's e-mail address, such as ann@example.com.")
    with opened(to_change=True) as session:
        outcome = users.add_user(session, first_name, last_name, email, role=role, office=office, modules=modules)
    show_outcome(outcome)


@command.command("set", example="xpmsync admin user set ann@example.com --role User --office SYD --module Jobs")
@click.argument("emails", metavar="EMAIL...", nargs=-1, required=True)
@_work_options
@click.option("--no-modules", is_flag=True, help="The user may use none.")
@click.option(
    "--email", metavar="NEW", callback=typed(check_email), help="Another email address, for one whom XPM does not list."
)
def set_user(
    *,
    emails: tuple[str, ...],
    role: str | None,
    office: str | None,
    modules: tuple[str, ...],
    no_modules: bool,
    email: str | None,
) -> None:
    """Decide what the user EMAIL, or several at once, may do.

    The modules replace the earlier ones. All users are changed or, where one address is wrong, none. A sync never
    changes any of this.
    """
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    need_some("--role User")
    if modules and no_modules:
        raise click.UsageError("Choose one of --module and --no-modules.")
    if email and len(emails) > 1:
        raise click.UsageError("Give one EMAIL with --email: two users cannot have one address.")
    with opened(to_change=True) as session:
        chosen = modules if modules or no_modules else None
        outcomes = users.set_users(session, emails, role=role, office=office, modules=chosen, email=email)
    for outcome in outcomes:
        show_outcome(outcome)


@command.command("deactivate", example="xpmsync admin user deactivate ann@example.com --replace-by bob@example.com")
@click.argument("email")
@click.option("--replace-by", "replacement", metavar="EMAIL", help="Who takes over as default partner and is notified.")
@YES
def deactivate_user(*, email: str, replacement: str | None, is_yes: bool) -> None:
    """Switch the user EMAIL off, who then cannot use Active.

    No sync switches them on again. While they are a default partner, or the one to notify of trouble, another user
    must take over.

    Their clients keep them as partner until the sync decides on another. To give the others to another user:

    xpmsync admin client set --all-of EMAIL --partner EMAIL
    """
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    change_if_agreed(
        lambda session: users.preview_deactivation(session, email, replacement),
        lambda session: users.deactivate_user(session, email, replacement),
        is_yes=is_yes,
    )


@command.command("activate", example="xpmsync admin user activate ann@example.com")
@click.argument("email")
def activate_user(*, email: str) -> None:
    """Switch the user EMAIL on again."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=True) as session:
        outcome = users.activate_user(session, email)
    show_outcome(outcome)


@command.command("merge", example="xpmsync admin user merge old@example.com --into ann@example.com")
@click.argument("duplicate", metavar="DUPLICATE")
@click.option("--into", "survivor", required=True, metavar="EMAIL", help="The user who stays.")
@YES
def merge_users(*, duplicate: str, survivor: str, is_yes: bool) -> None:
    """Merge two users who are one person.

    DUPLICATE, an e-mail address, is removed. The one who stays takes over its clients, its offices as default partner,
    its link with XPM, and whatever they lack themselves of role, office and modules. Says first what will move.
    """
    from xpmsync.admin import merging  # noqa: PLC0415 - the database is slow to load
    from xpmsync.admin.session import describe_user  # noqa: PLC0415 - as above

    with opened(to_change=True) as session:  # not held while somebody thinks: a sync may be due
        merger = merging.plan_merger(session, duplicate, survivor)
    console = open_console()
    print_text(console, f"{describe_user(merger.duplicate)} is removed, and {describe_user(merger.survivor)} stays.")
    print_text(console, "The one who stays takes over:" if merger.facts else "There is nothing to take over.")
    print_facts(console, [(f"  {label}", value) for label, value in merger.facts])
    for remark in merger.remarks:
        print_text(console, remark)
    if not is_wanted("Merge them? It cannot be undone.", is_yes=is_yes):
        click.echo("Nothing was changed.")
        return
    with opened(to_change=True) as session:
        outcome = merging.merge_users(session, duplicate, survivor)
    show_outcome(outcome)


@command.command(
    "link",
    example="xpmsync admin user link ann@example.com \\\n  --xpm-staff 3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11",
)
@click.argument("email")
@click.option("--xpm-staff", "staff_uuid", required=True, callback=typed(check_uuid), metavar="UUID", help=ID_HELP)
@click.option("--move", "may_move", is_flag=True, help="Take the link away from the user who has it now.")
@click.option("--also", "is_former", is_flag=True, help="It is a former entry of the user, whose own link stays.")
@YES
def link_user(*, email: str, staff_uuid: str, may_move: bool, is_former: bool, is_yes: bool) -> None:
    """Say that the user EMAIL is a certain staff member of XPM. Says first what follows.

    With --also, clients that name a former entry, which XPM no longer lists, are the user's too.
    """
    from xpmsync.admin import links  # noqa: PLC0415 - the database is slow to load

    if is_former:
        if may_move:
            raise click.UsageError("Choose one of --also and --move.")
        change_if_agreed(
            lambda session: links.preview_former_entry(session, email, staff_uuid),
            lambda session: links.link_former_entry(session, email, staff_uuid),
            is_yes=is_yes,
        )
        return
    change_if_agreed(
        lambda session: links.preview_user(session, email, staff_uuid, may_move=may_move),
        lambda session: links.link_user(session, email, staff_uuid, may_move=may_move),
        is_yes=is_yes,
    )
