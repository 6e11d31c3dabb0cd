"""``xpmsync sync``: one run. Silent under cron on success; a person sees how far it is and what it did."""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import click

from xpmsync.cli.errors import name_record
from xpmsync.cli.grammar import Command
from xpmsync.cli.screen import is_watched, open_console, print_facts, print_json, print_table, print_text, render_count
from xpmsync.config import read_config
from xpmsync.errors import ConfigurationError
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log

if TYPE_CHECKING:
    from rich.console import Console

    from xpmsync.derive import Counts
    from xpmsync.sync import Preview, Summary

PROBLEMS_EXIT_CODE: Final = 3
SHOWN_ROWS: Final = 100
"""A terminal is no place for more."""


@click.command(cls=Command, example="xpmsync sync --dry-run")
@click.option("--full", is_flag=True, help="Fetch everything, not only what was modified.")
@click.option("--dry-run", is_flag=True, help="Show what a run would do, and change nothing.")
@click.option("--accept-removals", is_flag=True, help="Accept what the last run was stopped for, and no more.")
@click.option("--strict", is_flag=True, help="End with exit code 3 if any record has an error.")
@click.option("--json", "as_json", is_flag=True, help="Print what the run did as JSON.")
def command(*, full: bool, dry_run: bool, accept_removals: bool, strict: bool, as_json: bool) -> int:
    """Bring Active's users and clients up to date with XPM, once.

    Cron runs this every hour (see crontab.example). Prints nothing on success unless a person is watching.
    """
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    watched = is_watched()
    with _Screen(is_shown=watched and not as_json) as screen:
        if dry_run:
            preview = _preview(home, screen, full=full, accept_removals=accept_removals)
        else:
            summary = _run(home, screen, is_watched=watched, full=full, accept_removals=accept_removals)
    if dry_run:
        _show_preview(preview, as_json=as_json)
        return PROBLEMS_EXIT_CODE if strict and any(each.severity == "error" for each in preview.problems) else 0
    if as_json:
        print_json(_to_json(summary))
    elif watched:
        _print_summary(summary)
    return PROBLEMS_EXIT_CODE if strict and summary.errors else 0


def _run(home: Home, screen: "_Screen", *, is_watched: bool, full: bool, accept_removals: bool) -> "Summary":
    from xpmsync.sync import run_sync, tell_of_settings  # noqa: PLC0415 - the network's libraries are slow to load

    try:
        config = read_config(home)
    except ConfigurationError as error:
        if not is_watched:
            tell_of_settings(home, error, screen)
        raise
    return run_sync(home, config, report=screen, is_watched=is_watched, full=full, accept_removals=accept_removals)


def _preview(home: Home, screen: "_Screen", *, full: bool, accept_removals: bool) -> "Preview":
    from xpmsync.sync import preview_sync  # noqa: PLC0415 - the network's libraries are slow to load

    return preview_sync(home, read_config(home), report=screen, full=full, accept_removals=accept_removals)


def _show_preview(preview: "Preview", *, as_json: bool) -> None:
    """Print what a run would do; where the guard would stop it, end as it would end."""
    if as_json:
        print_json(
            {
                "mode": preview.mode,
                "users": dataclasses.asdict(preview.users),
                "clients": dataclasses.asdict(preview.clients),
                "changes": list(preview.changes),
                "problems": [vars(problem) for problem in preview.problems],
                "stopped_by_guard": preview.suspicious.in_full if preview.suspicious else None,
            }
        )
    else:
        _print_preview(preview)
    if preview.suspicious:
        raise preview.suspicious


def _print_preview(preview: "Preview") -> None:
    console = open_console()
    print_text(console, "This is what a run would do. Nothing was changed.", style="bold")
    print_facts(console, [("Users", _describe(preview.users)), ("Clients", _describe(preview.clients))])
    refused = [problem for problem in preview.problems if problem.severity == "error"]
    rows = [
        (
            each["entity"],
            each["name"],
            each["field"] or each["action"],
            each["old_value"],
            each["new_value"] if each["field"] else None,
        )
        for each in preview.changes
    ]
    _print_part(console, ("Kind", "Record", "Field", "Old", "New"), rows)
    _print_part(
        console,
        ("Refused", "Why"),
        [(name_record({**vars(each), "client_code": None}), each.message) for each in refused],
    )


def _print_part(console: "Console", headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        print_table(console, headings, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print_text(console, f"… and {len(rows) - SHOWN_ROWS:,} more; all of them: xpmsync sync --dry-run --json")


def _to_json(summary: "Summary") -> dict[str, Any]:
    document = dataclasses.asdict(summary)
    for name in ("started_at", "finished_at"):
        document[name] = document[name].strftime("%Y-%m-%dT%H:%M:%SZ")
    return document


def _print_summary(summary: "Summary") -> None:
    console = open_console()
    seconds = (summary.finished_at - summary.started_at).total_seconds()
    print_text(console, f"Run {summary.run_id} done in {seconds:.1f} seconds.", style="bold")
    print_facts(
        console,
        [
            ("Users", _describe(summary.users)),
            ("Clients", _describe(summary.clients)),
            ("Problems", f"{render_count(summary.errors, 'error')}, {render_count(summary.warnings, 'warning')}"),
            ("Xero", f"{render_count(summary.api_calls, 'call')}, {summary.bytes_received / 1000:,.0f} KB"),
        ],
    )
    if summary.errors + summary.warnings:
        print_text(console, "See what they are, and what to do: xpmsync errors")


def _describe(counts: "Counts") -> str:
    parts = [f"{number:,} {name}" for name, number in dataclasses.asdict(counts).items() if number]
    return ", ".join(parts) or "none"


class _Screen:
    """Progress on a terminal, on standard error; nothing where nobody watches."""

    def __init__(self, *, is_shown: bool) -> None:
        self._console = open_console(stderr=True)
        self._status = self._console.status("") if is_shown else None
        self._stage = ""

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def begin(self, stage: str) -> None:
        """A stage of the run begins."""
        self._stage = stage
        self._show(stage)

    def count(self, records: int) -> None:
        """So many records of the stage are done."""
        self._show(f"{self._stage}: {records:,}")

    def remark(self, text: str) -> None:
        """Something that a person should know although the run goes its way."""
        click.echo(text, err=True)

    def _show(self, text: str) -> None:
        if self._status:
            self._status.update(f"{text} …")
