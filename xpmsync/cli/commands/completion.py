"""``xpmsync completion``: what a shell reads to complete the words of a command line at the Tab key."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from xpmsync.cli.click_types import Choice, Command

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_XPMSYNC_COMPLETE"
"""By which the shell asks; click's own name for it."""


@click.command(cls=Command, example="xpmsync completion bash")
@click.argument("shell", metavar="SHELL", type=Choice(SHELLS))
@click.pass_context
def command(context: click.Context, /, *, shell: str) -> None:
    """Print what lets SHELL (bash, zsh or fish) complete words at the Tab key.

    It completes commands, options, their choices, and the codes of problems. One line, in the file your shell reads
    at its start, switches it on:

    In ~/.bashrc: eval "$(xpmsync completion bash)"

    In ~/.zshrc, after compinit: eval "$(xpmsync completion zsh)"

    In ~/.config/fish/config.fish: xpmsync completion fish | source
    """
    program = context.find_root().command
    writer = get_completion_class(shell)
    assert writer is not None  # noqa: S101 - click knows them all
    click.echo(writer(program, {}, "xpmsync", VARIABLE).source(), nl=False)
