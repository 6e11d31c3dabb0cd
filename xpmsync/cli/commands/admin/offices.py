"""``xpmsync admin office``: offices, and the default partner of each."""

import click

from xpmsync.cli.click_types import Group, typed
from xpmsync.cli.commands.admin.prompts import change_if_agreed, check_name, need_some, opened, show_outcome
from xpmsync.cli.console import open_console, print_table
from xpmsync.cli.formatting import YES, print_json
from xpmsync.config import check_office_code


@click.group(cls=Group, example="xpmsync admin office list")
def command() -> None:
    """Offices, and the default partner of each."""


@command.command("list", example="xpmsync admin office list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_offices(*, as_json: bool) -> None:
    """Show the offices."""
    with opened(to_change=False) as session:
        partners = {user.id: user.email for user in session.users}
        rows = [
            {"code": row["code"], "name": row["name"], "default_partner_email": partners.get(row["default_partner_id"])}
            for row in session.offices
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(open_console(), ("Code", "Name", "Default partner"), [tuple(row.values()) for row in rows])
    else:
        click.echo("There is no office yet. Set one up: xpmsync admin office add CODE --name NAME")


@command.command("add", example="xpmsync admin office add SYD --name Sydney")
@click.argument("code", callback=typed(check_office_code))
@click.option("--name", required=True, callback=typed(check_name), help="What people call it, such as Sydney.")
def add_office(*, code: str, name: str) -> None:
    """Set up an office. Its CODE, such as SYD, never changes."""
    from xpmsync.admin import offices  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=True) as session:
        outcome = offices.add_office(session, code, name)
    show_outcome(outcome)


@command.command("set", example="xpmsync admin office set SYD --default-partner ann@example.com")
@click.argument("code")
@click.option("--name", callback=typed(check_name), help="What people call it.")
@click.option("--default-partner", metavar="EMAIL", help="The user who takes the clients without a partner in XPM.")
@click.option("--no-default-partner", is_flag=True, help="Nobody takes them: such a client is an error of the sync.")
@YES
def set_office(
    *, code: str, name: str | None, default_partner: str | None, no_default_partner: bool, is_yes: bool
) -> None:
    """Change the office CODE. Says first how many clients another default partner moves."""
    from xpmsync.admin import offices  # noqa: PLC0415 - the database is slow to load

    need_some("--name Sydney")
    if default_partner is not None and no_default_partner:
        raise click.UsageError("Choose one of --default-partner and --no-default-partner.")
    change_if_agreed(
        lambda session: offices.preview(
            session, code, default_partner=default_partner, clear_default_partner=no_default_partner
        ),
        lambda session: offices.set_office(
            session, code, name=name, default_partner=default_partner, clear_default_partner=no_default_partner
        ),
        is_yes=is_yes,
    )
