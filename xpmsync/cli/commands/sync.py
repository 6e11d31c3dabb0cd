"""``xpmsync sync``: one run. Silent under cron on success; a person sees how far it is and what it did."""

import dataclasses
import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from xpmsync.cli.click_types import Command, Number
from xpmsync.cli.formatting import is_watched, print_json, print_remark, render_count
from xpmsync.cli.streams import find_output_error
from xpmsync.config import read_config
from xpmsync.errors import ConfigurationError, InvalidRequest
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.system.clock import Report
from xpmsync.system.timestamps import to_text

if TYPE_CHECKING:
    from xpmsync.sync.run import Preview, Summary

ISSUES_EXIT_CODE: Final = 3


@click.command(cls=Command, example="xpmsync sync --dry-run")
@click.option("--full", is_flag=True, help="Fetch everything, not only what was modified.")
@click.option("--dry-run", is_flag=True, help="Show what a run would do, and change nothing.")
@click.option(
    "--accept",
    type=Number(),
    metavar="N",
    help="Repeat sync N, which the safety limits stopped, and accept exactly what it was stopped for.",
)
@click.option("--accept-removals", is_flag=True, hidden=True, help="Replaced by --accept N.")
@click.option("--strict", is_flag=True, help="End with exit code 3 if any record has an error.")
@click.option("--json", "as_json", is_flag=True, help="Print what the run did, or would do, as JSON.")
def command(
    *, full: bool, dry_run: bool, accept: int | None, accept_removals: bool, strict: bool, as_json: bool
) -> int:
    """Bring Active's users and clients up to date with XPM, once.

    Cron runs this every hour, from the line that xpmsync configure adds. Prints nothing on success unless a person is
    watching.
    """
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    if accept_removals:
        raise _name_accept(home)
    if full and accept:
        raise click.UsageError(f"Leave --full out: xpmsync sync --accept {accept} repeats that sync in its own mode.")
    watched = is_watched()
    with open_report(is_shown=watched and not as_json) as report:
        if dry_run:
            preview = _preview(home, report, full=full, accept=accept)
        else:
            summary = _run(home, report, is_watched=watched, full=full, accept=accept)
    if dry_run:
        _show_preview(preview, as_json=as_json)
        return ISSUES_EXIT_CODE if strict and any(each.severity == "error" for each in preview.issues) else 0
    if as_json:
        print_json(_to_json(summary))
        if find_output_error():
            print_remark(_describe(summary))
    elif watched:
        from xpmsync.cli.sync_output import print_summary  # noqa: PLC0415 - slow to load, and cron is shown nothing

        print_summary(summary, is_accepting=accept is not None)
    return ISSUES_EXIT_CODE if strict and summary.errors else 0


def open_report(*, is_shown: bool) -> AbstractContextManager[Report]:
    """Where a sync says how far it is: on the terminal, or nowhere."""
    if not is_shown:
        return nullcontext(_Silence())
    from xpmsync.cli.sync_output import Progress  # noqa: PLC0415 - slow to load, and cron is shown nothing

    return Progress()


def _run(home: Home, report: Report, *, is_watched: bool, full: bool, accept: int | None) -> "Summary":
    from xpmsync.sync.run import alert_of_unreadable_settings, run_sync  # noqa: PLC0415 - the network's libraries are slow to load

    try:
        config = read_config(home)
    except ConfigurationError as error:
        if not is_watched:
            alert_of_unreadable_settings(home, error, report)
        raise
    return run_sync(home, config, report=report, is_watched=is_watched, full=full, accept=accept)


def _preview(home: Home, report: Report, *, full: bool, accept: int | None) -> "Preview":
    from xpmsync.sync.run import preview_sync  # noqa: PLC0415 - the network's libraries are slow to load

    return preview_sync(home, read_config(home), report=report, full=full, accept=accept)


def _name_accept(home: Home) -> InvalidRequest:
    """What is said to somebody who types the option that was there before."""
    from xpmsync.active.database import open_read_only  # noqa: PLC0415 - only where it is asked for
    from xpmsync.active.stops import advise  # noqa: PLC0415 - as above

    with open_read_only(home.database_file) as database:
        return InvalidRequest("There is no --accept-removals: a sync is accepted by its number.", advise(database))


def _show_preview(preview: "Preview", *, as_json: bool) -> None:
    """Print what a run would do; where the guard would stop it, end as it would end."""
    if as_json:
        print_json(
            {
                "mode": preview.mode,
                "users": dataclasses.asdict(preview.users),
                "clients": dataclasses.asdict(preview.clients),
                "xpm_clients": dataclasses.asdict(preview.xpm_clients),
                "changes": list(preview.changes),
                "problems": [vars(issue) for issue in preview.issues],
                "prerequisites": [
                    {
                        "requirement": each.requirement,
                        "is_met": not each.shortfalls,
                        "records": [vars(shortfall) for shortfall in each.shortfalls],
                    }
                    for each in preview.prerequisites
                ],
                "stopped_by_guard": preview.suspicious.in_full if preview.suspicious else None,
            }
        )
    else:
        from xpmsync.cli.sync_output import print_preview  # noqa: PLC0415 - slow to load, and cron is shown nothing

        print_preview(preview)
    if preview.suspicious:
        raise preview.suspicious


def _describe(summary: "Summary") -> str:
    """What a sync did, where its output cannot say it."""
    changes = (
        f"{render_count(getattr(counts, name), noun)} {name}"
        for noun, counts in (("user", summary.users), ("client", summary.clients))
        for name in ("created", "updated")
    )
    return f"Sync {summary.run_id} succeeded: {', '.join(changes)}."


def _to_json(summary: "Summary") -> dict[str, Any]:
    document = dataclasses.asdict(summary)
    for name in ("started_at", "finished_at"):
        document[name] = to_text(document[name])
    return document


class _Silence:
    """Says nothing of how far a run is, since nobody watches."""

    def begin(self, stage: str) -> None:
        """Say nothing."""

    def count(self, records: int) -> None:
        """Say nothing."""

    def remark(self, text: str) -> None:
        """Tell cron, which mails it."""
        print_remark(text)
