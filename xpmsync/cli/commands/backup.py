"""``xpmsync backup``: the database as one file, to be kept or handed out. Silent under cron when it goes well."""

import os
from pathlib import Path
from typing import Final

import click

from xpmsync.cli.click_types import Command, expand_path, typed
from xpmsync.cli.console import open_console, print_text
from xpmsync.cli.formatting import is_watched, render_count
from xpmsync.home import find_home, prepare_home
from xpmsync.log import open_log

OWNER_READS: Final = 0o400
NEVER: Final = 0o7133
"""What no copy is for: to be run, to be written by others than its owner."""


def _check_mode(value: str) -> int:
    try:
        mode = int(value, 8)
    except ValueError:
        mode = NEVER
    if mode < 0 or mode & NEVER or not mode & OWNER_READS:
        raise ValueError("must be such as 0600 (you alone), 0640 (your group reads it) or 0644 (everybody)")
    return mode


@click.command(cls=Command, example="xpmsync backup ~/copy.db --mode 0640")
@click.argument("file", type=click.Path(path_type=Path), callback=typed(expand_path))
@click.option(
    "--mode",
    metavar="MODE",
    callback=typed(_check_mode),
    help="Who may read the copy, as for chmod: 0600, 0640 or 0644.",
)
def command(*, file: Path, mode: int | None) -> None:
    """Copy the database to FILE, at any time: a run that goes on is not disturbed.

    FILE is replaced if it is an earlier copy, and only by a whole one, so the same line can run every night. It holds
    all of Active and no password or sign-in. A new one can be read by you alone unless --mode says otherwise; one that
    is replaced keeps its mode and group. Any SQLite program can open it.

    The way back: xpmsync restore FILE
    """
    from xpmsync.backup import back_up  # noqa: PLC0415 - the database is slow to load

    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    target = file.absolute()
    contents = back_up(home, target, mode=mode)
    if is_watched():
        users, clients = render_count(contents.users, "user"), render_count(contents.clients, "client")
        print_text(open_console(), f"Copied {users} and {clients} to this file:")
        click.echo(f"  {target}")  # on one line, to be copied
