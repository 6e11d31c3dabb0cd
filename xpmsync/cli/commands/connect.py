"""``xpmsync connect``: the sign-in at Xero, the choice of the practice, and the proof that it works.

Nothing that stood before is replaced until the new sign-in has been proven with a real call.
"""

import os
import sys
import threading
import webbrowser
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn

import click

from xpmsync.cli.click_types import Command, Number
from xpmsync.cli.console import open_console, print_advice, print_text
from xpmsync.cli.formatting import ask, render_count, wrap
from xpmsync.cli.practices import choose_practice, name_practice
from xpmsync.config import Config, change_config, check_setting, read_config
from xpmsync.errors import ConfigurationError, ConnectionFailed, PermanentError, SignInNeeded, TransientError
from xpmsync.home import Home, connect_command, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.notify.alert_file import AlertFile, AlertFileError
from xpmsync.preflight import is_database_lost
from xpmsync.system.clock import Clock
from xpmsync.xpm.callback import LONGEST_ADDRESS, Reply, listen, read_reply

if TYPE_CHECKING:
    from xpmsync.xpm.api import Connection
    from xpmsync.xpm.oauth import Consent, Grant, IdentityClient

WAIT_SECONDS: Final = 300
PROOF_SECONDS: Final = 120.0
APPS_PAGE: Final = "https://developer.xero.com/app/manage"
PASTES: Final = 3
"""How often an address may be pasted: it is not shown, and quickly cut off."""


@click.command(cls=Command, example="xpmsync connect --no-browser")
@click.option("--tenant", metavar="ID", help="Which practice, where you may use several: its id, or its name.")
@click.option("--no-browser", is_flag=True, help="Print the address, and read the one that Xero leads to.")
@click.option("--client-secret-stdin", is_flag=True, help="Read the app's client secret from standard input.")
@click.option(
    "--wait",
    "wait_seconds",
    metavar="SECONDS",
    type=Number(1, 3600),
    default=WAIT_SECONDS,
    show_default=True,
    help="How long to wait for the browser.",
)
@click.pass_obj
def command(
    clock: Clock | None, *, tenant: str | None, no_browser: bool, client_secret_stdin: bool, wait_seconds: int
) -> None:
    """Sign in at Xero and choose the practice.

    Opens the browser on Xero's page. On a server use --no-browser: open the address that is printed on any computer,
    and paste the address that the browser ends on.
    """
    # The network's libraries and the database are slow to load.
    from xpmsync.active.database import open_database  # noqa: PLC0415
    from xpmsync.credentials.store import UNLOCK_SECONDS, opened  # noqa: PLC0415
    from xpmsync.xpm.oauth import IdentityClient  # noqa: PLC0415
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415

    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    # Both are opened now, rather than only after the person has signed in; not held, as a sync may wait for them.
    _find_settled_practice(home, config)
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        secret = vault.read("client-secret")
    client_id, new_secret = _ask_for_app(config, client_secret_stdin=client_secret_stdin)
    if new_secret is not None:
        secret = new_secret or None
    settings = replace(config.xero, client_id=client_id)

    client = IdentityClient(settings, secret)
    try:
        grant = _sign_in_by_hand(client) if no_browser else _sign_in_with_browser(client, wait_seconds)
        _check_scopes(settings.scopes, grant)
        practice, staff_count = _prove(home, config, grant, tenant, clock or Clock())
    except TransientError as trouble:  # it passes by itself, but here no next run tries again
        trouble.meaning = "Nothing has changed."
        check = f"{trouble.check} Then try" if isinstance(trouble, ConnectionFailed) else "Try"
        trouble.remedy = f"{check} again later: {connect_command()}. If it lasts, look at https://status.xero.com."
        raise

    if not is_database_lost(home, config):
        with open_database(home.database_file):
            pass  # made now, so that one that is missing once the settings name the practice is known to be lost
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        if new_secret:
            vault.write("client-secret", new_secret)
        elif new_secret is not None:
            vault.forget("client-secret")
        tokens = open_tokens(home, config, vault)
        tokens.save_sign_in(grant, practice_name=practice.tenant_name, tenant_id=practice.tenant_id)
    change_config(
        home,
        {
            "xero.client_id": client_id,
            "sync.tenant_id": practice.tenant_id,
            "keyring.backend": vault.backend_name,
        },
    )
    with suppress(AlertFileError):  # every sync tries again, and says so
        AlertFile(home.alert_file).create()
    console = open_console()
    print_text(
        console, f"Connected to {name_practice(practice)}: {render_count(staff_count, 'staff member')} can be read."
    )
    print_text(console, f"The sign-in is kept in {vault.description}.")
    is_configured = config.sync.default_office_code is not None and config.sync.tenant_id == practice.tenant_id
    print_text(console, f"Next: xpmsync {'sync' if is_configured else 'configure'}")


def _ask_for_app(config: Config, *, client_secret_stdin: bool) -> tuple[str, str | None]:
    """The app's client id, and its client secret where it is told now: empty for an app that has none."""
    client_id = config.xero.client_id
    is_new = client_id is None and sys.stdin.isatty()
    if is_new:
        click.echo(f"The app's client id and client secret are on its page at {APPS_PAGE}", err=True)
        client_id = ask("Client id", lambda value: str(check_setting("xero.client_id", value)))
    if client_id is None:
        raise ConfigurationError(
            "The settings have no xero.client_id yet.",
            f"Put the client id of your app ({APPS_PAGE}) into config.toml, or on a terminal run: {connect_command()}",
        )
    if not (is_new or client_secret_stdin):
        return client_id, None
    return client_id, _read_secret_line("Client secret (press Enter if the app has none)")


def _sign_in_with_browser(client: "IdentityClient", wait_seconds: int) -> "Grant":
    from xpmsync.xpm.responses import ACCESS  # noqa: PLC0415 - slow to load

    consent = client.ask_for_consent()
    with listen(client.settings.redirect_uri, consent.state) as listener:
        console = open_console()
        print_text(console, f"You need {ACCESS}.")
        print_text(
            console, "Your browser opens on Xero's page: sign in there, choose the practice, and press “Allow access”."
        )
        print_text(console, "If no browser opens, go to this address:")
        click.echo(f"\n{consent.address}")  # on one line, to be copied

        def open_browser() -> None:
            if not webbrowser.open(consent.address):
                hint = "No browser has opened here. Over SSH, or without a desktop, press Ctrl-C, and type:"
                print_advice(console, f"{hint} xpmsync connect --no-browser")

        # In a thread: some browsers come back only when they are closed.
        threading.Thread(target=open_browser, daemon=True).start()
        return _redeem(consent, listener.wait(wait_seconds) or _explain_silence(client, wait_seconds))


def _sign_in_by_hand(client: "IdentityClient") -> "Grant":
    from xpmsync.xpm.responses import ACCESS  # noqa: PLC0415 - slow to load

    consent = client.ask_for_consent()
    before = f"You need {ACCESS}.\nOpen this address in a browser on any computer, sign in, and press “Allow access”:\n"
    after = (
        f"\nThe browser then tries to open {client.settings.redirect_uri}?… and may show an error; that is all right."
        "\nCopy the whole address from its address bar, and paste it here. (It is not shown.)"
    )
    click.echo(wrap(before, sys.stderr), err=True)
    click.echo(consent.address)
    click.echo(wrap(after, sys.stderr), err=True)
    for _ in range(PASTES if sys.stdin.isatty() else 1):
        if reply := read_reply(_read_secret_line("Address"), consent.state):
            return _redeem(consent, reply)
        click.echo(wrap("That is not the whole address that this sign-in ends on.", sys.stderr), err=True)
    raise SignInNeeded(
        "What was pasted is not the address that this sign-in ends on.",
        "Run xpmsync connect --no-browser again, open the new address, and paste the whole address it ends on.",
    )


def _redeem(consent: "Consent", reply: Reply) -> "Grant":
    if reply.code:
        return consent.redeem(reply.code)
    if reply.error == "access_denied":
        raise SignInNeeded(
            "Access was not allowed: “Cancel” was pressed on Xero's page. Nothing has changed.",
            f"To connect after all, press “Allow access” there. Run: {connect_command()}",
        )
    raise PermanentError(
        f"Xero has refused the sign-in ({reply.error}).",
        f"Compare the app's page at {APPS_PAGE} with config.toml, then run: {connect_command()}",
    )


def _explain_silence(client: "IdentityClient", wait_seconds: int) -> NoReturn:
    """Some mistakes end on a page of Xero's, and the program hears nothing: its time-out has to name them."""
    scopes = " ".join(client.settings.scopes)
    raise SignInNeeded(
        f"The browser has not come back within {render_count(wait_seconds, 'second')}. Nothing has changed.",
        f"If Xero showed an error instead of asking for access, it is put right on the app's page at {APPS_PAGE}:\n"
        f"  - “Invalid redirect_uri”: register {client.settings.redirect_uri} there, letter by letter.\n"
        f"  - “Invalid scope”: the app has not been granted all of: {scopes}\n"
        "  - “Unknown client”: xero.client_id in config.toml is not the client id shown there.\n"
        "Then run again: xpmsync connect. Where no browser can open: xpmsync connect --no-browser",
    )


def _check_scopes(asked: Collection[str], grant: "Grant") -> None:
    """Xero may grant more than was asked for, by earlier consents; less is of no use."""
    from xpmsync.xpm.oauth import find_missing  # noqa: PLC0415 - slow to load

    granted = set(grant.scopes or asked)  # an answer that names none grants what was asked for (RFC 6749)
    if grant.refresh_token:
        granted.add("offline_access")  # a server need not name it among the scopes: the refresh token is what it is
    missing = find_missing(asked, granted)
    if missing or not grant.refresh_token:
        raise PermanentError(
            f"Xero has granted less than was asked for. Missing: {', '.join(missing) or 'offline_access'}. Nothing has"
            " changed.",
            f"Ask Xero to allow it for the app (its page is at {APPS_PAGE}), then run: {connect_command()}",
        )


def _prove(home: Home, config: Config, grant: "Grant", tenant: str | None, clock: Clock) -> tuple["Connection", int]:
    """Choose the practice and ask it one real question; returns it, and how many staff members it has."""
    from xpmsync.xpm.api import PracticeManager, fetch_connections  # noqa: PLC0415 - slow to load
    from xpmsync.xpm.client import opened_gateway  # noqa: PLC0415
    from xpmsync.xpm.tokens import TrialTokens  # noqa: PLC0415

    settled_id = _find_settled_practice(home, config)
    with opened_gateway(config.xero.api_url, TrialTokens(grant), PROOF_SECONDS, clock) as gateway:
        practice = choose_practice(fetch_connections(gateway), tenant, settled_id)
        return practice, PracticeManager(gateway, practice.tenant_id).count_staff()


def _find_settled_practice(home: Home, config: Config) -> str | None:
    """The practice that this home belongs to, if it has one already."""
    from xpmsync.active.database import open_database  # noqa: PLC0415 - slow to load
    from xpmsync.active.runs import load_settled_practice  # noqa: PLC0415

    if not home.database_file.exists():
        return None
    with open_database(home.database_file) as database:
        return load_settled_practice(database, config.sync.tenant_id)


def _read_secret_line(question: str) -> str:
    """A line that the terminal does not show, or the next line of a pipe."""
    if sys.stdin.isatty():
        return str(click.prompt(question, hide_input=True, default="", show_default=False, err=True)).strip()
    return sys.stdin.readline(LONGEST_ADDRESS + 1).strip()
