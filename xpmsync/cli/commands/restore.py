"""``xpmsync restore``: a copy takes the database's place. What was there is kept aside."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xpmsync.cli.click_types import Command, expand_path, typed
from xpmsync.cli.console import open_console, print_facts, print_text
from xpmsync.cli.formatting import YES, is_wanted, render_count, render_time
from xpmsync.config import read_config
from xpmsync.home import find_home, prepare_home
from xpmsync.log import open_log

if TYPE_CHECKING:
    from xpmsync.backup import Contents


@click.command(cls=Command, example="xpmsync restore ~/copy.db")
@click.argument("file", type=click.Path(path_type=Path), callback=typed(expand_path))
@YES
def command(*, file: Path, is_yes: bool) -> None:
    """Put FILE, a copy that xpmsync backup has made, in the database's place.

    The copy is looked at first: whole, of this practice, of this version or an earlier one. The database that it
    replaces is kept beside it, and can be restored in the same way if this was a mistake.
    """
    from xpmsync.backup import compare, restore  # noqa: PLC0415 - the database is slow to load

    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    source = file.absolute()
    console = open_console()
    comparison = compare(home, config, source)
    print_facts(console, [("The copy", _describe(comparison.copy)), ("The database", _describe(comparison.present))])
    if comparison.present:
        print_text(
            console,
            "What XPM knows comes back with the next run. What was typed into Active since the copy was made (roles, "
            "offices, modules, clients set up by hand) does not; nor do the error log and the history of that time. A "
            "history that was erased since then (xpmsync admin history erase) is back: erase it again.",
        )
    is_there = home.database_file.exists()
    if is_there and not is_wanted("Put the copy in the database's place?", is_yes=is_yes):
        click.echo("Nothing was changed.")
        return
    aside = restore(home, config, source, now=datetime.now(UTC))
    click.echo("Restored. To fetch what has changed since: xpmsync sync --full")
    if aside:
        click.echo("The earlier database is kept; remove it when nobody needs it any more:")
        click.echo(f"  {aside}")  # on one line, to be copied


def _describe(contents: "Contents | None") -> str:
    if contents is None:
        return "none that can be read"
    users, clients = render_count(contents.users, "user"), render_count(contents.clients, "client")
    last = f"last success {render_time(contents.last_success_at)}" if contents.last_success_at else "no run yet"
    return f"{users}, {clients}, {last}"
