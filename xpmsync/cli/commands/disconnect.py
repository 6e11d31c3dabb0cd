"""``xpmsync disconnect``: ends the connection at Xero and forgets the sign-in. The data stays.

Works when Xero cannot be reached or no longer knows the sign-in: what cannot be ended there is said, and forgotten here
all the same.
"""

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from xpmsync.cli.click_types import Command
from xpmsync.cli.console import choose, open_console, print_advice, print_text
from xpmsync.cli.crontab import offer_removal
from xpmsync.cli.formatting import clean, confirm, is_watched, print_remark
from xpmsync.cli.practices import name_practice
from xpmsync.config import Config, read_config
from xpmsync.errors import KeyringError, PermanentError, XpmsyncError
from xpmsync.home import connect_command, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.system.clock import Clock

if TYPE_CHECKING:
    from xpmsync.xpm.api import Connection
    from xpmsync.xpm.client import ApiClient
    from xpmsync.xpm.tokens import Tokens

PATIENCE_SECONDS: Final = 60.0
ENDED: Final = "The connection has been ended at Xero."

log = logging.getLogger(__name__)


@click.command(cls=Command, example="xpmsync disconnect")
@click.option("--revoke", is_flag=True, help="End all of your connections to this app at Xero, not this one alone.")
@click.option("--yes", "is_yes", is_flag=True, help="Do not ask; for scripts.")
@click.pass_obj
def command(clock: Clock | None, *, revoke: bool, is_yes: bool) -> int:
    """End the connection at Xero and forget the sign-in.

    The refresh token is revoked as well, unless that would end other connections of yours to this app: those are named.
    The data stays, and so do the settings; xpmsync connect signs in again.
    """
    # The network's libraries are slow to load.
    from xpmsync.credentials.store import UNLOCK_SECONDS, opened  # noqa: PLC0415
    from xpmsync.xpm.connection_errors import check_authorities  # noqa: PLC0415
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415

    if not (is_yes or is_watched()):
        typed = f"xpmsync disconnect{' --revoke' if revoke else ''} --yes"
        raise click.UsageError(f"Nothing was changed, as nobody is here to be asked. In a script, run: {typed}")
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    check_authorities(config.xero.identity_url)  # before anything is forgotten that could be ended at Xero then
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        is_connected = vault.read("sign-in") is not None
    if not is_connected:
        click.echo("xpmsync is not connected to Xero.")
        offer_removal(home)
        return 0
    if not (is_yes or _is_agreed(revoke=revoke)):
        click.echo("Nothing was changed.")
        return 0
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:  # not held while somebody thinks
        clock = clock or Clock()
        tokens = open_tokens(home, config, vault, now=clock.now, sleep=clock.sleep)
        exit_code = _end_at_xero(config, tokens, clock, revoke=revoke)
        tokens.forget()
    click.echo(f"The sign-in has been forgotten. To connect again: {connect_command()}")
    click.echo("The data stays in this folder:")
    click.echo(f"  {home.data_folder}")  # on one line, to be copied
    offer_removal(home)
    return exit_code


def _is_agreed(*, revoke: bool) -> bool:
    what = "all of your connections to this app at Xero" if revoke else "the connection to Xero"
    print_text(open_console(), f"This ends {what}. No sync works until someone signs in again. The data stays.")
    return confirm("Disconnect?")


def _end_at_xero(config: Config, tokens: "Tokens", clock: Clock, *, revoke: bool) -> int:
    """End the connection, revoke its refresh token, and say what was done and what was not; gives the exit code."""
    from xpmsync.xpm.tokens import GrantEnded  # noqa: PLC0415 - slow to load

    done: str | None = None
    others: Sequence[Connection] = ()
    try:
        if not revoke:
            done, others = _delete_connection(config, tokens, clock)
        if not others:
            tokens.revoke()
    except KeyringError:
        raise  # what it holds could not be forgotten either
    except GrantEnded as error:
        print_remark(error.happened)
        print_remark("If the connection is still listed in Xero, end it there: open Settings > Connected apps.")
        return error.exit_code
    except XpmsyncError as error:
        _explain_failure(error, done)
        return error.exit_code
    if revoke:
        done = "All of your connections to this app have been ended at Xero."
    console = open_console()
    print_text(console, done or ENDED)
    if not others:
        print_text(console, "The refresh token has been revoked.")
        return 0
    print_text(
        console, "The refresh token has not been revoked, as that would also end your other connections to this app:"
    )
    for connection in others:
        print_text(console, clean(connection.tenant_name or connection.tenant_id), indent=2)
    print_advice(console, f"To end these too, run: {connect_command()}, then: xpmsync disconnect --revoke")
    return 0


def _delete_connection(config: Config, tokens: "Tokens", clock: Clock) -> tuple[str | None, list["Connection"]]:
    """End this practice's connection alone; gives what was done, and the user's other connections to the app.

    Where there are no others and it cannot be deleted, nothing was done yet: revoking ends it as well.
    """
    from xpmsync.xpm.api import fetch_connections  # noqa: PLC0415 - slow to load
    from xpmsync.xpm.client import opened_gateway  # noqa: PLC0415

    address = config.xero.api_url
    with opened_gateway(address, tokens, PATIENCE_SECONDS, clock) as gateway:
        connections = fetch_connections(gateway)
    tenant_id = config.sync.tenant_id or tokens.load_tenant_id() or _find_practice(connections)
    own = [connection for connection in connections if connection.tenant_id == tenant_id]
    others = [connection for connection in connections if connection.tenant_id != tenant_id]
    with opened_gateway(address, tokens, PATIENCE_SECONDS, clock) as gateway:
        try:
            for connection in own:
                _delete(gateway, connection)
        except XpmsyncError as error:
            if others or isinstance(error, KeyringError):
                raise
            log.warning("the connection could not be deleted: %s", error.for_log)
            return None, []
    return (ENDED if own else "Xero lists no connection to this practice any more."), others


def _find_practice(connections: Sequence["Connection"]) -> str | None:
    """The one practice that is connected, or the one that a person chooses; None where there is none.

    Raises UsageError with all of them where several are connected and nobody can be asked.
    """
    from xpmsync.xpm.api import PRACTICE_MANAGER  # noqa: PLC0415 - slow to load

    practices = [connection for connection in connections if connection.tenant_type == PRACTICE_MANAGER]
    if len(practices) < 2:  # noqa: PLR2004 - nothing to choose from
        return practices[0].tenant_id if practices else None
    if is_watched():
        chosen = choose(open_console(), "Which practice", [name_practice(practice) for practice in practices])
        return practices[chosen].tenant_id
    listed = "\n".join(f'  tenant_id = "{each.tenant_id}"  # {clean(each.tenant_name or "")}' for each in practices)
    raise click.UsageError(
        "Nothing was changed, as you have connected several practices. Put the one to disconnect into config.toml, "
        f"under [sync]:\n{listed}"
    )


def _delete(gateway: "ApiClient", connection: "Connection") -> None:
    from xpmsync.xpm.api import delete_connection  # noqa: PLC0415
    from xpmsync.xpm.responses import NotFound  # noqa: PLC0415 - slow to load

    if not connection.ids:
        raise PermanentError(
            "Xero's list of connections gives no valid ID for this one.", "In Xero, open Settings > Connected apps."
        )
    for connection_id in connection.ids:
        with suppress(NotFound):  # ended meanwhile
            delete_connection(gateway, connection_id)


def _explain_failure(error: XpmsyncError, done: str | None) -> None:
    """Say why something could not be ended at Xero, what that is, and how to end it there."""
    log.warning("could not be ended at Xero: %s", error.for_log)
    print_remark(error.happened)
    if done:
        print_text(open_console(), done)
        print_remark(
            "The refresh token could not be revoked. Without a connection it reads nothing, and Xero ends it after 60 "
            f"days without use. To revoke it, run: {connect_command()}, then: xpmsync disconnect"
        )
    else:
        print_remark(
            "So the connection could not be ended at Xero, and its refresh token was not revoked. To end the connection"
            " there: in Xero, open Settings > Connected apps."
        )
