"""``xpmsync report``: the same as status and errors, as one page to look at."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from xpmsync.cli.click_types import Command, Number, typed
from xpmsync.cli.console import open_console, print_text
from xpmsync.config import check_page, read_config
from xpmsync.home import find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.preflight import check_not_lost

MOST_DAYS: Final = 90
STANDARD_OUTPUT: Final = "-"


def _check_file(value: str) -> str:
    return value if value == STANDARD_OUTPUT else check_page(str(Path(value).expanduser().absolute()))


@click.command(cls=Command, example="xpmsync report --names --days 7")
@click.argument("file", required=False, type=click.Path(allow_dash=True), callback=typed(_check_file))
@click.option("--names", is_flag=True, help="Name the clients and the staff that have an open problem.")
@click.option("--days", type=Number(1, MOST_DAYS), default=30, show_default=True, help="How far back to look.")
def command(*, file: str | None, names: bool, days: int) -> None:
    """Write a page about the sync: how it is, the last runs as a plot, and what is open.

    FILE ends in .html; without it the page is report.html in the data folder, and - prints it. It names nobody unless
    you ask for that. To have it written after every run, name it in config.toml: [report], file.
    """
    from xpmsync.active.database import open_read_only  # noqa: PLC0415 - slow to load
    from xpmsync.monitoring.report import make_page, write_page  # noqa: PLC0415 - slow to load

    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    check_not_lost(home, config)
    with open_read_only(home.database_file) as database:
        page = make_page(database, home, config, now=datetime.now(UTC), has_names=names, days=days)
    if file == STANDARD_OUTPUT:
        click.echo(page)
        return
    path = Path(file) if file else home.report_file
    write_page(path, page)
    print_text(open_console(), f"The page is written: {path}")
