"""``xpmsync admin user``: users, what they may do in Active, and their links with XPM."""

from typing import Final

import click

from xpmsync.cli.admin.dialogue import ID_HELP, check_name, need_some, opened, show_outcome, typed
from xpmsync.cli.screen import open_console, print_json, print_table, print_text, render_count
from xpmsync.config import check_email, check_uuid

ROLES: Final = ("User", "Admin", "Owner")


def _check_modules(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(check_name(name) for name in names)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


@click.group()
def command() -> None:
    """Users: their role, office and modules, and links with XPM."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_users(*, as_json: bool) -> None:
    """Show the users, and who cannot use Active yet."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=False) as centre:
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


@command.command("add")
@click.option("--first-name", required=True, callback=typed(check_name))
@click.option("--last-name", required=True, callback=typed(check_name))
@click.option("--email", required=True, callback=typed(check_email), help="Nobody else's; XPM's, if XPM has it too.")
def add_user(*, first_name: str, last_name: str, email: str) -> None:
    """Set up a user by hand. Those on XPM's staff list come by themselves."""
    from xpmsync.admin import users  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=True) as centre:
        outcome = users.add_user(centre, first_name, last_name, email)
    show_outcome(outcome)


@command.command("set")
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

    need_some("--role User")
    if modules and no_modules:
        raise click.UsageError("Choose one of --module and --no-modules.")
    with opened(to_change=True) as centre:
        outcome = users.set_user(
            centre,
            email,
            role=role,
            office=office,
            modules=modules if modules or no_modules else None,
            is_active=is_active,
        )
    show_outcome(outcome)


@command.command("link")
@click.argument("email")
@click.option("--xpm-staff", "staff_uuid", required=True, callback=typed(check_uuid), metavar="UUID", help=ID_HELP)
@click.option("--move", "may_move", is_flag=True, help="Take the link away from the user who has it now.")
def link_user(*, email: str, staff_uuid: str, may_move: bool) -> None:
    """Say that the user EMAIL is a certain staff member of XPM."""
    from xpmsync.admin import links  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=True) as centre:
        outcome = links.link_user(centre, email, staff_uuid, may_move=may_move)
    show_outcome(outcome)
