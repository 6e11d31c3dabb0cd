"""``xpmsync demo``: the whole main job in one command, against the stand-in for Xero.

Runs the real commands, each as a process of its own, in a home that is thrown away. Neither the person's keyring nor
their files are touched: the secrets stay in the sandbox's memory, the browser is a program that presses the button, and
the mail server keeps what it is given.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from xpmsync.cli.click_types import Command
from xpmsync.cli.commands.sandbox import print_mail
from xpmsync.cli.console import open_console, print_advice

CLIENTS: Final = 300
STAFF: Final = 12
SEED: Final = 7


@click.command(cls=Command, example="xpmsync demo --keep demo")
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the result in this new folder, to look at.",
)
def command(keep: Path | None) -> None:
    """Watch the whole job against a stand-in for Xero: sign-in, set-up, sync, error log, e-mail.

    Needs no Xero account, and touches neither your keyring nor your files.
    """
    from xpmsync.sandbox import App, Practice, Sandbox  # noqa: PLC0415 - only the sandbox's commands need it
    from xpmsync.sandbox.mailbox import Mailbox  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        home = _make_home(stack, keep)
        callback_port = _find_free_port()
        practice = Practice.generate(CLIENTS, STAFF, SEED)
        sandbox = stack.enter_context(Sandbox(practice, apps=[App(redirect_ports=(callback_port,))]))
        mailbox = stack.enter_context(Mailbox())
        _write_settings(home, sandbox.url, callback_port)
        stage = _Stage(_make_environment(home, sandbox.url))
        partner = next(each for each in practice.staff.values() if "@" in str(each.elements.get("Email")))
        email = str(partner.elements["Email"])

        stage.tell(
            f"A practice with {CLIENTS} clients and {STAFF} staff waits at {sandbox.url}, as Xero's would.",
            "The administrator signs in. Here a program presses “Allow access” instead.",
        )
        stage.run("connect")
        stage.tell("Where new clients belong, and who is told when something is wrong, is said once.")
        stage.run(
            *("configure", "--sync-name", "Kahikatea & Wattle", "--office", "AKL", "--office-name", "Auckland"),
            *("--default-partner", email, "--notify", email, "--smtp-host", "127.0.0.1"),
            *("--smtp-port", str(mailbox.port), "--smtp-security", "none", "--smtp-from", "xpmsync@example.com"),
            "--later",
        )
        stage.tell("Every hour cron runs the sync. It prints nothing when it went well.")
        stage.run("sync")
        stage.run("status")
        stage.tell("What could not be synced is in the error log, each with what to do.")
        stage.run("errors", "--entity", "user")
        stage.tell("In XPM somebody corrects one of them. The next run clears its error by itself.")
        unusable = next(uuid for uuid, each in practice.staff.items() if each.elements.get("Email") == "no email yet")
        practice.edit_staff(unusable, email="tui.henare@example.co.nz")
        stage.run("sync")
        stage.run("errors", "--code", "staff-email-unusable", "--all")
        stage.tell(
            "Then Xero takes the right to read the practice away. The data stays as it is, the run says what happened, "
            "and the chosen user gets an e-mail: one, although two runs fail."
        )
        with sandbox.faults.active("user-revoked"):
            stage.run("sync", expected=7)
            stage.run("sync", expected=7)
        for message in mailbox.messages:
            stage.tell("The e-mail:")
            print_mail(message)
        if keep:
            stage.tell(
                "Everything is in this folder: look at active.db with any SQLite browser, or with xpmsync itself:"
            )
            click.echo(f"export XPMSYNC_HOME={shlex.quote(str(home))}")  # on one line, to be copied
            stage.tell("The stand-in for Xero, its keyring and its mail server have ended with this demo.")
        else:
            stage.tell("That was all of it; the home is thrown away. Keep one to look at: xpmsync demo --keep DIR")


class _Stage:
    """Shows commands and what they print, as a terminal would."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._console = open_console()

    def tell(self, *texts: str) -> None:
        """Say what happens next."""
        click.echo()
        for text in texts:
            print_advice(self._console, text, style="bold")

    def run(self, *arguments: str, expected: int = 0) -> None:
        """Run one command of xpmsync as cron would: nobody is asked anything."""
        click.echo()
        self._print("\n".join(_fold(["$", "xpmsync", *map(shlex.quote, arguments)], self._console.width)), "cyan")
        sys.stdout.flush()
        process = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "-m", "xpmsync", *arguments],
            check=False,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        if process.returncode:
            self._print(f"(exit code {process.returncode})", "dim")
        if process.returncode != expected:
            raise click.ClickException("That was not expected; the demo ends here.")

    def _print(self, line: str, style: str) -> None:
        """Lines that are broken nowhere else, as a command in them is copied."""
        self._console.print(line, style=style, soft_wrap=True)


def _fold(words: Iterable[str], width: int) -> list[str]:
    """A command in lines that a shell takes for one; an option stays with its value."""
    parts: list[str] = []
    for word in words:
        if not parts or word.startswith("--"):
            parts.append(word)
        else:
            parts[-1] += f" {word}"
    lines = parts[:1]
    for part in parts[1:]:
        if len(f"{lines[-1]} {part} \\") <= width:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {part}")
    return lines


def _make_home(stack: ExitStack, keep: Path | None) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xpmsync-demo-")))
    try:
        keep.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise click.UsageError(f"{keep} is there already; name a new folder.") from None
    except OSError as error:
        raise click.UsageError(f"{keep} cannot be made: {error.strerror}.") from error
    return keep.absolute()


def _find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _write_settings(home: Path, url: str, callback_port: int) -> None:
    (home / "config.toml").write_text(
        f"""\
# Made by xpmsync demo: the addresses are those of the stand-in for Xero.
[xero]
client_id = "sandbox-app"
redirect_uri = "http://localhost:{callback_port}/callback"
login_url = "{url}/identity"
identity_url = "{url}"
api_url = "{url}"
""",
        "utf-8",
    )


def _make_environment(home: Path, url: str) -> dict[str, str]:
    return {
        **os.environ,
        "XPMSYNC_HOME": str(home),
        "PYTHON_KEYRING_BACKEND": "xpmsync.sandbox.keyring.SandboxKeyring",
        "XPMSYNC_SANDBOX_KEYRING": url,
        "BROWSER": f"{shlex.quote(sys.executable)} -m xpmsync.sandbox.browser %s",
        "COLUMNS": str(min(shutil.get_terminal_size().columns, 100)),
    }
