"""``xpmsync admin history``: letting go of the history of what changed."""

import os
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import TYPE_CHECKING

import click

from xpmsync.cli.click_types import CommandAboutOne, Group, typed
from xpmsync.cli.commands.admin.prompts import opened, show_outcome
from xpmsync.cli.commands.history import choose_subject
from xpmsync.cli.console import open_console, print_facts, print_text
from xpmsync.cli.formatting import YES, is_wanted, render_count
from xpmsync.home import find_home
from xpmsync.log import open_log

if TYPE_CHECKING:
    from xpmsync.active.history import Traces


@click.group(cls=Group, example="xpmsync admin history prune --before 2024-07-01")
def command() -> None:
    """The history of what changed (xpmsync history): letting go of it.

    It is kept for good. After a year you may prune it; one person's may be erased at any time.
    """


def _check_day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a day such as 2025-11-01") from None


@command.command("prune", example="xpmsync admin history prune --before 2024-07-01")
@click.option(
    "--before",
    "day",
    required=True,
    callback=typed(_check_day),
    metavar="DATE",
    help="A day that is at least a year ago.",
)
@YES
def prune_history(*, day: date, is_yes: bool) -> None:
    """Remove all changes from before a day, of all records.

    The log notes it. Users, clients, the error log and the runs stay as they are.
    """
    from xpmsync.active.history import count_changes_before  # noqa: PLC0415 - the database is slow to load
    from xpmsync.admin.history import check_day, prune  # noqa: PLC0415 - as above

    check_day(day, date.today())  # noqa: DTZ011 - the day by the clock on the wall
    moment = datetime.combine(day, time.min).astimezone()
    with opened(to_change=False) as session:
        count = count_changes_before(session.database, moment)
    if count == 0:
        click.echo(f"The history has no changes from before {day}.")
        return
    click.echo(f"Of the history, {render_count(count, 'change')} from before {day} would be removed.")
    if not is_wanted("Remove them?", is_yes=is_yes):
        click.echo("Nothing was removed.")
        return
    open_log(find_home(os.environ))
    with opened(to_change=True) as session:
        count = prune(session, moment)
    click.echo(f"{render_count(count, 'change')} removed.")


@command.command("erase", cls=CommandAboutOne, example="xpmsync admin history erase SMITH001")
@click.argument("who")
@YES
def erase_history(*, who: str, is_yes: bool) -> None:
    """Erase the past of one person, the client or user WHO.

    WHO is a client code, an e-mail address, a name or a part of one.

    Erased are the values in the history, the resolved problems in the error log, and the name where resolved problems
    of others and messages of runs mention it. So is what XPM sent of the person under an earlier ID, and the client
    groups that the person was in and nobody is in now. The record itself stays as it is now, with what XPM says of it
    and its open problems; a note in the history says that it was erased. Not searched are the log file and your
    backups.
    """
    from xpmsync.admin.history import erase, find_subjects, find_traces  # noqa: PLC0415 - the database is slow to load

    with opened(to_change=False) as session:
        subject = choose_subject(who, find_subjects(session, who))
        traces = find_traces(session, subject)
    console = open_console()
    print_text(console, f"The history of the {subject.entity} {subject.described}:", style="bold")
    print_facts(
        console,
        [
            ("Erased", f"{render_count(traces.changes, 'change')} in the history"),
            ("", f"{render_count(len(traces.issues), 'resolved problem')} in the error log"),
            ("", f"the name in {render_count(len(traces.mentions), 'text')} about others and about runs"),
            *_describe_former(traces),
            ("Remains", "the record itself as it is now, with what XPM says of it"),
            ("", f"{render_count(traces.open_issues, 'open problem')}, and the note that its history was erased"),
        ],
    )
    if not is_wanted("Erase it? It does not come back.", is_yes=is_yes):
        click.echo("Nothing was erased.")
        return
    open_log(find_home(os.environ))
    with opened(to_change=True) as session:
        outcome = erase(session, subject)
    show_outcome(outcome)


def _describe_former(traces: "Traces") -> Iterator[tuple[str, str]]:
    """What goes beside the history, if there is any of it, and what comes back."""
    if count := len(traces.former_entries):
        yield "", f"what XPM sent under {render_count(count, 'earlier ID')}"
    if count := len(traces.groups):
        yield "", f"{render_count(count, 'client group')} that nobody is in any more"
    if count := len(traces.entries_still_sent):
        yield "Returns", f"what XPM still sends under {render_count(count, 'earlier ID')}: at the next full sync"
    if traces.groups:
        yield "" if traces.entries_still_sent else "Returns", "a client group that XPM still lists: at the next sync"
