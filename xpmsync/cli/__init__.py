"""The commands: options in, text out. The only place that knows click and rich.

Each command is a file of its own and is imported when it is called, so that all of them start at once.
"""

import importlib
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from xpmsync import __version__
from xpmsync.cli.click_types import Group
from xpmsync.cli.streams import end_output, open_streams

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from xpmsync.audit import Trail
    from xpmsync.system.clock import Clock

COMMANDS: Final = {
    "connect": "Sign in at Xero and choose the practice.",
    "configure": "Set up the sync: office, partner, who is told of trouble.",
    "sync": "Bring Active's users and clients up to date with XPM, once.",
    "errors": "Show what the sync could not do, and what to do about it.",
    "history": "Show what has changed in Active, newest first.",
    "notify": "Send a failure alert if one is due (for cron).",
    "status": "Show how the sync is: the connection, the last runs.",
    "report": "Write a page about the sync, for people who would rather look.",
    "doctor": "Try everything that an hourly run needs.",
    "keyring": "Say which keyring is used, and whether it works.",
    "backup": "Copy the database to a file, while it is in use.",
    "restore": "Put a copy back in the database's place.",
    "admin": "The Admin Centre: offices, users, clients, links with XPM.",
    "disconnect": "End the connection at Xero and forget the sign-in.",
    "demo": "Watch the whole job against a stand-in for Xero.",
    "sandbox": "Run a stand-in for Xero on 127.0.0.1, until Ctrl-C.",
    "completion": "Print what lets your shell complete words at the Tab key.",
}
"""Each command, and what the list of them says of it."""
WITHOUT_HOME: Final = ("demo", "sandbox", "completion")
"""They touch nothing of the person's: no trail either."""


class _LazyGroup(Group):
    """A group that imports a command when it is called: `command` of `xpmsync.cli.commands.<name>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them all, which takes ten times as long."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"xpmsync.cli.commands.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a command file without a command is a bug
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete the names of the commands without importing them all, and the options."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only where a shell asks

        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, example="xpmsync errors --since 24h"
)
@click.version_option(__version__, prog_name="xpmsync", message="%(prog)s %(version)s")
def program() -> None:
    """Keep a firm's own records in step with Xero Practice Manager."""


def run(arguments: list[str], *, clock: "Clock | None" = None) -> int:
    """Run one command, and leave a trail of it. Returns the exit code. `clock` replaces the system's."""
    if os.environ.get("HOME") == "":
        del os.environ["HOME"]  # otherwise ~ would be the root folder
    trail = None
    with suppress(Exception):  # whatever it is, the command itself meets it again, and explains it
        trail = _begin_trail(arguments)
    exit_code = end_output(_run(arguments, clock))
    if trail:
        trail.end(exit_code)
    return exit_code


def _begin_trail(arguments: list[str]) -> "Trail | None":
    """Note that a command begins: by its name and the options it is given, not their values. Help is no command."""
    names: list[str] = []
    rest = list(arguments)
    command: click.Command | None = program
    context = program.make_context("xpmsync", [], resilient_parsing=True)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        names.append(rest.pop(0))
        command = command.get_command(context, names[-1])
    if command is None or not names or names[0] in WITHOUT_HOME:
        return None
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return None
    parser = command.make_parser(click.Context(command, context, resilient_parsing=True))
    _, _, parameters = parser.parse_args(rest)
    options = [max(each.opts, key=len) for each in parameters if isinstance(each, click.Option)]
    if not set(options).isdisjoint(context.help_option_names):
        return None
    from xpmsync.audit import Trail  # noqa: PLC0415 - slow to load
    from xpmsync.home import find_home  # noqa: PLC0415 - as above

    return Trail(find_home(os.environ), " ".join(names), options, os.environ)


def _run(arguments: list[str], clock: "Clock | None") -> int:
    """Run one command, and have it said what went wrong, if anything did; the one place that catches."""
    try:
        result = program.main(arguments, prog_name="xpmsync", standalone_mode=False, obj=clock)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last resort: a person is no debugger
        from xpmsync.cli.error_handler import explain  # noqa: PLC0415 - slow to load, and most commands end well

        return explain(error)
    return result if isinstance(result, int) else 0


def main() -> None:
    """The console script."""
    open_streams()
    sys.exit(run(sys.argv[1:]))
