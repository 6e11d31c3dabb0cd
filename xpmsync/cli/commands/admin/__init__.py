"""``xpmsync admin``: the Admin Centre. Offices, users, clients set up by hand, links with XPM, and the history.

Turns what was typed into values, and what was done into text; what is allowed, `xpmsync.admin` decides.
"""

import click

from xpmsync.cli.click_types import Group
from xpmsync.cli.commands.admin import clients, history, offices, users


@click.group(cls=Group, example="xpmsync admin user list --waiting")
def command() -> None:
    """The Admin Centre: offices, users, clients set up by hand, links with XPM, the history."""


command.add_command(offices.command, "office")
command.add_command(users.command, "user")
command.add_command(clients.command, "client")
command.add_command(history.command, "history")
