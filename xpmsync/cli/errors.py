"""``xpmsync errors``: the error log, for people, for programs and for spreadsheets."""

import difflib
import itertools
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click
from rich.console import Console

from xpmsync.cli.screen import (
    clean,
    open_console,
    print_csv,
    print_json,
    print_text,
    read_since,
    render_count,
    render_time,
)
from xpmsync.home import Home, find_home, prepare_home

COLUMNS: Final = (
    "id",
    "severity",
    "code",
    "entity",
    "name",
    "client_code",
    "field",
    "message",
    "suggestion",
    "first_seen_at",
    "last_seen_at",
    "times_seen",
    "first_run_id",
    "last_run_id",
    "resolved_at",
    "xpm_uuid",
)

Row = Mapping[str, Any]


@click.command()
@click.option("--since", callback=read_since, metavar="24h|7d|DATE", help="What was open at any moment since then.")
@click.option("--run", "run_id", type=click.IntRange(min=1), metavar="NUMBER", help="What one run met.")
@click.option("--entity", type=click.Choice(["client", "user", "run"]), help="Of one kind of record alone.")
@click.option("--code", metavar="CODE", help="Of one kind of problem alone, such as partner-missing.")
@click.option("--all", "include_resolved", is_flag=True, help="With those that are resolved.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values for a spreadsheet.")
def command(
    *,
    since: datetime | None,
    run_id: int | None,
    entity: str | None,
    code: str | None,
    include_resolved: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what the sync could not do, for which record, and what to do about it.

    Without options: everything that is open now.
    """
    if as_json and as_csv:
        raise click.UsageError("Choose one of --json and --csv.")
    home = find_home(os.environ)
    prepare_home(home)
    _check_code(code)
    rows = _load(home, since=since, run_id=run_id, entity=entity, code=code, include_resolved=include_resolved)
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(COLUMNS, rows)
    else:
        _print(open_console(), rows, is_narrowed=bool(since or run_id or entity or code or include_resolved))


def _check_code(code: str | None) -> None:
    """A code that does not exist would find nothing, and calm somebody who has mistyped it."""
    from xpmsync.errors import list_codes  # noqa: PLC0415 - only where it is asked for
    from xpmsync.rules.problems import CATALOGUE  # noqa: PLC0415 - as above

    codes = [*CATALOGUE, *list_codes()]
    if code is not None and code not in codes:
        near = difflib.get_close_matches(code, codes, n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/problems.md lists them."
        raise click.UsageError(f"There is no problem with the code {clean(code)}; {hint}")


def _load(home: Home, **conditions: Any) -> list[dict[str, Any]]:
    """The rows of the log, with the client code that XPM knows the client by."""
    from xpmsync.active.database import open_database  # noqa: PLC0415 - slow to load
    from xpmsync.active.error_log import find_problems  # noqa: PLC0415 - slow to load
    from xpmsync.active.mirror import load_clients  # noqa: PLC0415 - slow to load

    if not home.database_file.exists():
        return []
    with open_database(home.database_file) as database:
        rows = [dict(row) for row in find_problems(database, **conditions)]
        clients = load_clients(database, [row["xpm_uuid"] for row in rows if row["entity"] == "client"])
    codes = {client["uuid"]: client["client_code"] for client in clients}
    return [{column: ({"client_code": codes.get(row["xpm_uuid"])} | row)[column] for column in COLUMNS} for row in rows]


def _print(console: Console, rows: Sequence[Row], *, is_narrowed: bool) -> None:
    if not rows:
        print_text(console, "Nothing in the log matches." if is_narrowed else "No open problems.")
        return
    for (_, code), group in itertools.groupby(rows, key=lambda row: (row["severity"], row["code"])):
        _print_group(console, code, list(group))
    console.print(_summarise(rows), style="bold")


def _print_group(console: Console, code: str, rows: Sequence[Row]) -> None:
    """The records with one problem; what is the same for all of them is said once."""
    severity = rows[0]["severity"]
    style = "bold red" if severity == "error" else "bold yellow"
    count = "" if len(rows) == 1 else f" ({len(rows):,})"
    print_text(console, f"{severity.capitalize()}: {code}{count}", style=style)
    several = len(rows) > 1
    shared = [key for key in ("message", "suggestion") if several and len({row[key] for row in rows}) == 1]
    own = [key for key in ("message", "suggestion") if key not in shared]
    _print_details(console, rows[0], shared, indent=2)
    for row in rows:
        print_text(console, _name_record(row), indent=2, style="bold")
        _print_details(console, row, own, indent=4)
        print_text(console, _render_history(row), indent=4, style="dim")
    console.print()


def _print_details(console: Console, row: Row, keys: Sequence[str], *, indent: int) -> None:
    for key in keys:
        print_text(console, f"To do: {row[key]}" if key == "suggestion" else row[key], indent=indent)


def _name_record(row: Row) -> str:
    """Which record it is: its name, and the client code where it has one."""
    if row["entity"] == "run":
        return "The sync as a whole"
    name = row["name"] or f"A {'staff member' if row['entity'] == 'user' else 'client'} without a name"
    return f"{name} ({row['client_code']})" if row["client_code"] else name


def _render_history(row: Row) -> str:
    times = "once" if row["times_seen"] == 1 else f"{row['times_seen']:,} times"
    text = f"since {render_time(row['first_seen_at'])}, seen {times}"
    return f"{text}, resolved {render_time(row['resolved_at'])}" if row["resolved_at"] else text


def _summarise(rows: Sequence[Row]) -> str:
    unresolved = [row["severity"] for row in rows if row["resolved_at"] is None]
    counts = [
        render_count(unresolved.count("error"), "error"),
        render_count(unresolved.count("warning"), "warning"),
    ]
    if resolved := len(rows) - len(unresolved):
        counts.append(f"{resolved:,} resolved")
    return ", ".join(counts)
