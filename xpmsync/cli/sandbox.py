"""`xpmsync sandbox`: a stand-in for Xero as a server, for as long as a person wants it."""

import threading

import click

from xpmsync.cli.grammar import Command, Number
from xpmsync.cli.text import clean

DEFAULT_PORT = 8743


@click.command(cls=Command, example="xpmsync sandbox --clients 300 --switch limit-minute=1000")
@click.option("--port", type=Number(1, 65535), default=DEFAULT_PORT, show_default=True, help="Port to listen on.")
@click.option("--clients", type=Number(0), default=300, show_default=True, help="Clients of the practice.")
@click.option("--staff", type=Number(0), default=12, show_default=True, help="Staff of the practice.")
@click.option("--seed", type=Number(0), default=7, show_default=True, help="The same seed gives the same practice.")
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
    secret: str | None,
    redirect_ports: tuple[int, ...],
    switches: tuple[str, ...],
) -> None:
    """Run a stand-in for Xero on 127.0.0.1, with an invented practice, until Ctrl-C."""
    # Imported here, so that every other command starts without it.
    from xpmsync.sandbox import App, Practice, Sandbox  # noqa: PLC0415

    practice = Practice.generate(clients, staff, seed)
    sandbox = Sandbox(practice, port=port, apps=[App(secret=secret, redirect_ports=redirect_ports)])
    try:
        sandbox.set_switches(**dict(_read_pair(switch) for switch in switches))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        sandbox.start()
    except OSError as error:
        raise click.UsageError(f"Port {port} cannot be used ({error.strerror}). Choose another with --port.") from error
    try:
        click.echo(_render_address(sandbox.url, len(practice.clients), len(practice.staff), secret))
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo()
    finally:
        sandbox.stop()


def _read_pair(switch: str) -> tuple[str, str]:
    name, equals, value = switch.partition("=")
    if not equals:
        raise click.UsageError(f"--switch takes NAME=VALUE, not “{clean(switch)}”.")
    return name, value


def _render_address(url: str, clients: int, staff: int, secret: str | None) -> str:
    asked = f"\n\nThe client secret, when connect asks for it: {secret}" if secret else ""
    return f"""Xero's stand-in answers at {url}: {clients} clients, {staff} staff. Ctrl-C ends it.

For config.toml:

[xero]
client_id = "sandbox-app"
login_url = "{url}/identity"
identity_url = "{url}"
api_url = "{url}"{asked}

Change the practice, start faults, move the clock: {url}/sandbox"""
