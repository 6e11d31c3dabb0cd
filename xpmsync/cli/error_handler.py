"""What a person is told where a command does not end well, and the exit code that it ends with."""

import io
import logging
import os
import re
import sys
from typing import Final

import click

from xpmsync.cli.formatting import clean_lines, print_remark, wrap
from xpmsync.errors import INTERRUPTED_EXIT_CODE, XpmsyncError
from xpmsync.home import find_home
from xpmsync.log import open_log
from xpmsync.text import COMMAND

QUOTED: Final = re.compile(r"(?<!\w)'([^'\n]+)'(?!\w)")
"""Words between click's quotation marks, which are others than ours."""

log = logging.getLogger(__name__)


def explain(error: BaseException) -> int:
    """Say what a command ended of; gives the exit code."""
    match error:
        case click.ClickException():
            _show_mistake(error)
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            # A question leaves the cursor on its own line.
            start = "\n" if isinstance(error, click.Abort) else ""
            click.echo(f"{start}Interrupted. Nothing is half done.", err=True)
            return INTERRUPTED_EXIT_CODE
        case XpmsyncError():
            _show_error(error)
            return error.exit_code
    return _show_fault(error)


def _show_mistake(error: click.ClickException) -> None:
    """What is wrong with what was typed; it quotes that, which may come from anywhere."""
    said = io.StringIO()
    error.show(said)
    print_remark(_quote_as_we_do(said.getvalue().rstrip("\n")))


def _quote_as_we_do(text: str) -> str:
    """The text with our quotation marks in the place of click's; a command in it keeps the shell's."""
    parts = COMMAND.split(text)
    return "".join(f" {part}" if index % 2 else QUOTED.sub(r"“\1”", part) for index, part in enumerate(parts))


def _show_error(error: XpmsyncError) -> None:
    """Print an error's parts on standard error: what happened, what it means for the data, what to do."""
    log.warning("%s", error.for_log)
    for part in (error.in_full, error.meaning):
        if part:
            click.echo(wrap(clean_lines(part), sys.stderr), err=True)
    if error.remedy:
        print_remark(error.remedy)


def _show_fault(error: BaseException) -> int:
    """A bug: its details go to the log, and a person is told where they are."""
    home = find_home(os.environ)
    open_log(home)
    log.error("a fault in xpmsync", exc_info=error)
    click.echo(f"xpmsync has a fault and stopped ({type(error).__name__}). Nothing is half done.", err=True)
    click.echo(f"Send the log to the people who make xpmsync: {home.log_file}", err=True)
    return XpmsyncError.exit_code
