"""``xpmsync history``: what changed in Active, when and by which run; for people, programs and spreadsheets."""

import itertools
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from xpmsync.cli.click_types import CommandAboutOne, Number, typed
from xpmsync.cli.console import choose, open_console, paged, print_advice, print_facts, print_text
from xpmsync.cli.formatting import (
    NO_RUN,
    SINCE,
    check_since,
    clean,
    is_watched,
    print_csv,
    print_json,
    render_count,
    render_time,
)
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.records import RULE, XPM

if TYPE_CHECKING:
    from xpmsync.active.database import Database
    from xpmsync.admin.history import Subject

MOST_CHANGES: Final = 200
"""On a screen; the newest are those one looks for."""
KINDS: Final[Mapping[str, str]] = {"client": "Client", "user": "User", "group": "Client group", "office": "Office"}
NO_CHANGE: Final = "Nothing has changed yet. Start a run: xpmsync sync"
NO_MATCH: Final = "Nothing in the history matches."
UNDONE: Final[Mapping[str, str]] = {"failed": "failed", "interrupted": "was cut off"}
"""How a run ended that left everything as it was."""

Row = Mapping[str, Any]


@click.command(cls=CommandAboutOne, example="xpmsync history Smith --since 7d")
@click.argument("who", required=False)
@click.option("--run", "run_id", type=Number(), help="What one run changed.")
@click.option("--since", callback=typed(check_since), metavar=SINCE, help="What has changed since then.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values for a spreadsheet.")
def command(*, who: str | None, run_id: int | None, since: datetime | None, as_json: bool, as_csv: bool) -> None:
    """Show what has changed in Active, newest first.

    Field by field: the old value and the new one, when, and who made the change: somebody in XPM, a rule of the sync,
    or an account of this computer.

    WHO is a client or user: a client code, an e-mail address, a name or a part of one. Without it: everything.

    Changes are kept for good. To prune them: xpmsync admin history --help
    """
    from xpmsync.admin.history import COLUMNS  # noqa: PLC0415 - the database is slow to load

    if as_json and as_csv:
        raise click.UsageError("Choose one of --json and --csv.")
    home = find_home(os.environ)
    prepare_home(home)
    rows, nothing = _load(home, who, run_id, since)
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(COLUMNS, rows)
    elif not home.database_file.exists():
        print_advice(open_console(), NO_RUN.format(home.data_folder))
    else:
        console = open_console()
        is_narrowed = bool(who or run_id or since)
        with paged(console):
            _print(console, rows, nothing if is_narrowed else NO_CHANGE)


def _load(home: Home, who: str | None, run_id: int | None, since: datetime | None) -> tuple[list[dict[str, Any]], str]:
    """What changed, newest first, and what is said where it is nothing."""
    from xpmsync.admin.history import find_subjects, list_changes  # noqa: PLC0415 - as above
    from xpmsync.admin.session import read_session  # noqa: PLC0415 - the database is slow to load

    with read_session(home) as session:
        nothing = _explain_nothing(session.database, run_id)
        subject = choose_subject(who, find_subjects(session, who)) if who is not None else None
        return list_changes(session, record_id=subject.id if subject else None, run_id=run_id, since=since), nothing


def _explain_nothing(database: "Database", run_id: int | None) -> str:
    """What is said where nothing is found; a run that there is not is refused."""
    from xpmsync.active.runs import find_run  # noqa: PLC0415 - the database is slow to load

    if run_id is None:
        return NO_MATCH
    run = find_run(database, run_id)
    return f"Run {run_id} {UNDONE[run['status']]} and changed nothing." if run["status"] in UNDONE else NO_MATCH


def choose_subject(who: str, subjects: Sequence["Subject"]) -> "Subject":
    """The one who is meant: the only one, or the one that is chosen; in a script nobody chooses."""
    if len(subjects) == 1:
        return subjects[0]
    lines = [clean(f"{subject.key}  {subject.name} ({subject.entity})") for subject in subjects]
    if is_watched():
        return subjects[choose(open_console(), f"Which “{clean(who)}”", lines)]
    listed = "\n".join(f"  {line}" for line in lines)
    raise click.UsageError(f"Several match “{clean(who)}”. Write the code, id or e-mail address of one:\n{listed}")


def _print(console: Console, rows: Sequence[Row], nothing: str) -> None:
    if not rows:
        print_text(console, nothing)
        return
    shown = rows[:MOST_CHANGES]
    for heading, event in itertools.groupby(
        shown, key=lambda row: f"{render_time(row['changed_at'])}, {_name_origin(row)}"
    ):
        print_text(console, heading, style="bold")
        # Within one minute the order of the ids is the order of writing, which says nothing: a record stands together.
        ordered = sorted(event, key=lambda row: (_name_record(row), row["entity_id"], row["id"]))
        for _, record in itertools.groupby(ordered, key=lambda row: row["entity_id"]):
            _print_record(console, list(record))
        console.print()
    total = render_count(len(rows), "change")
    if len(rows) > len(shown):
        total = (
            f"The latest {len(shown)} of {len(rows):,} changes. See fewer with WHO, --run or --since; --json has all."
        )
    print_text(console, total, style="bold")


def _print_record(console: Console, rows: Sequence[Row]) -> None:
    """What happened to one record in one minute; a name that it was created with and still has is not said twice."""
    told = [row for row in rows if row["field"] is not None or row["new_text"] != row["name"]]
    is_created = len(told) < len(rows)
    print_text(console, f"{_name_record(rows[0])}{': created' if is_created else ''}", indent=2)
    if told:
        print_facts(console, [(f"    {clean(row['label'])}", describe_change(row)) for row in told])


def _name_origin(row: Row) -> str:
    """Who has made the change: somebody in XPM, a rule of the sync, or an account of this computer."""
    by = f"sync {row['run_id']}" if row["run_id"] else "xpmsync configure"
    if row["actor"] == XPM:
        return f"in XPM, seen by {by}"
    return f"by {by if row['actor'] == RULE else row['actor']}"


def _name_record(row: Row) -> str:
    name = f"{KINDS[row['entity']]} {row['name'] or row['entity_id']}"
    return f"{name} ({row['client_code']})" if row["client_code"] else name


def describe_change(row: Row) -> str:
    """The old value and the new one; a row that has none of its own to replace says what is new."""
    if row["field"] in (None, "history"):
        return str(row["new_text"])
    return f"{row['old_text'] or 'not set'} → {row['new_text'] or 'not set'}"
