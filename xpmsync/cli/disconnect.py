"""``xpmsync disconnect``: ends the connection at Xero and forgets the sign-in. The data stays.

Works when Xero cannot be reached or no longer knows the sign-in: what cannot be ended there is said, and forgotten here
all the same.
"""

import os
from typing import TYPE_CHECKING, Final

import click

from xpmsync.cli.grammar import Command
from xpmsync.cli.screen import open_console, print_text
from xpmsync.cli.text import print_remark
from xpmsync.config import Config, read_config
from xpmsync.errors import KeyringTrouble, XpmsyncError
from xpmsync.home import find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.surroundings import Clock

if TYPE_CHECKING:
    from xpmsync.xpm.tokens import Tokens

PATIENCE_SECONDS: Final = 60.0


@click.command(cls=Command, example="xpmsync disconnect")
@click.option("--revoke", is_flag=True, help="End all of your connections to this app at Xero, not this one alone.")
def command(*, revoke: bool) -> None:
    """End the connection at Xero and forget the sign-in.

    The data stays, and so do the settings; xpmsync connect signs in again.
    """
    # The network's libraries are slow to load.
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415
    from xpmsync.xpm.vault import UNLOCK_SECONDS, opened  # noqa: PLC0415

    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        if vault.read("sign-in") is None:
            click.echo("xpmsync is not connected to Xero.")
            return
        _disconnect(config, open_tokens(home, config, vault), revoke=revoke)
    click.echo("The sign-in has been forgotten. To connect again: xpmsync connect")
    click.echo("The data stays in this folder:")
    click.echo(f"  {home.data_folder}")  # on one line, to be copied
    print_text(
        open_console(),
        "To stop for good, take xpmsync's lines out of the crontab (crontab -e); otherwise you are told every day.",
    )


def _disconnect(config: Config, tokens: "Tokens", *, revoke: bool) -> None:
    try:
        if revoke:
            tokens.revoke()
        else:
            _end_connection(config, tokens)
    except KeyringTrouble:
        raise  # what it holds could not be forgotten either
    except XpmsyncError as error:
        there = "To end it there: in Xero, open Settings > Connected apps."
        for text in (error.happened, f"So the connection could not be ended at Xero. {there}"):
            print_remark(text)
    else:
        click.echo("The connection has been ended at Xero.")
    tokens.forget()


def _end_connection(config: Config, tokens: "Tokens") -> None:
    """Remove this practice's connection alone: revoking would end the user's others to the app as well."""
    from xpmsync.xpm.api import delete_connection, fetch_connections  # noqa: PLC0415 - slow to load
    from xpmsync.xpm.http import opened_gateway  # noqa: PLC0415

    with opened_gateway(config.xero.api_url, tokens, PATIENCE_SECONDS, Clock()) as gateway:
        for connection in fetch_connections(gateway):
            if connection.tenant_id == config.sync.tenant_id:
                delete_connection(gateway, connection.id)
