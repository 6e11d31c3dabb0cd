"""`xpmsync sandbox`: a stand-in for Xero as a server, for as long as a person wants it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from xpmsync.cli.click_types import Command, Number
from xpmsync.cli.formatting import clean, clean_lines

if TYPE_CHECKING:
    from email.message import EmailMessage

DEFAULT_PORT = 8743


@click.command(cls=Command, example="xpmsync sandbox --clients 300 --switch limit-minute=1000")
@click.option("--port", type=Number(1, 65535), default=DEFAULT_PORT, show_default=True, help="Port to listen on.")
@click.option("--clients", type=Number(0), default=300, show_default=True, help="Clients of the practice.")
@click.option("--staff", type=Number(0), default=12, show_default=True, help="Staff of the practice.")
@click.option("--seed", type=Number(0), default=7, show_default=True, help="The same seed gives the same practice.")
@click.option("--mailbox", "mail_port", type=Number(1, 65535), help="Take e-mails on this port too, and print them.")
@click.option("--secret", help="Make the app a web app with this client secret; without, it is a PKCE app.")
@click.option(
    "--redirect-port",
    "redirect_ports",
    type=Number(1, 65535),
    multiple=True,
    help="A further port of the redirect address.",
)
@click.option(
    "--switch", "switches", metavar="NAME=VALUE", multiple=True, help="Set a switch; /sandbox/switches has them."
)
def command(
    port: int,
    clients: int,
    staff: int,
    seed: int,
    mail_port: int | None,
    secret: str | None,
    redirect_ports: tuple[int, ...],
    switches: tuple[str, ...],
) -> None:
    """Run a stand-in for Xero on 127.0.0.1, with an invented practice, until Ctrl-C."""
    # Imported here, so that every other command starts without it.
    from xpmsync.sandbox import App, Practice, Sandbox  # noqa: PLC0415
    from xpmsync.sandbox.mailbox import Mailbox  # noqa: PLC0415

    practice = Practice.generate(clients, staff, seed)
    sandbox = Sandbox(practice, port=port, apps=[App(secret=secret, redirect_ports=redirect_ports)])
    try:
        sandbox.set_switches(**dict(_read_pair(switch) for switch in switches))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with ExitStack() as stack:
        with _using_port(port, "--port"):
            stack.enter_context(sandbox)
        if mail_port:
            with _using_port(mail_port, "--mailbox"):
                stack.enter_context(Mailbox(mail_port, print_mail))
        click.echo(_render_address(sandbox.url, len(practice.clients), len(practice.staff), secret, mail_port))
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        click.echo()


@contextmanager
def _using_port(port: int, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.UsageError(
            f"Port {port} cannot be used ({error.strerror}). Choose another with {option}."
        ) from error


def print_mail(message: "EmailMessage") -> None:
    """Show an e-mail; whoever sent it, nothing in it that a terminal would obey."""
    body = message.get_body(("plain",))
    click.echo()
    for name in ("From", "To", "Subject"):
        click.echo(f"{name}: {clean(message[name])}")
    click.echo(f"\n{clean_lines(body.get_content().replace(chr(13), '').rstrip()) if body else ''}")


def _read_pair(switch: str) -> tuple[str, str]:
    name, equals, value = switch.partition("=")
    if not equals:
        raise click.UsageError(f"--switch takes NAME=VALUE, not “{clean(switch)}”.")
    return name, value


def _render_address(url: str, clients: int, staff: int, secret: str | None, mail_port: int | None) -> str:
    asked = f"\n\nThe client secret, when connect asks for it: {secret}" if secret else ""
    mailbox = f"\nE-mails that reach port {mail_port}, which wants no password, are printed here." if mail_port else ""
    return f"""Xero's stand-in answers at {url}: {clients} clients, {staff} staff. Ctrl-C ends it.

For config.toml:

[xero]
client_id = "sandbox-app"
login_url = "{url}/identity"
identity_url = "{url}"
api_url = "{url}"{asked}

Change the practice, start faults, move the clock: {url}/sandbox{mailbox}"""
