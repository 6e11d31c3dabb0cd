"""``xpmsync errors``: the error log by what there is to do, for people; row by row for programs and spreadsheets."""

import itertools
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click
from rich.console import Console

from xpmsync.cli.click_types import Choice, ExplainingCommand, Number, typed
from xpmsync.cli.console import open_console, paged, print_advice, print_text
from xpmsync.cli.formatting import NO_RUN, SINCE, check_since, clean, print_csv, print_json, render_count, render_time
from xpmsync.home import Home, connect_command, find_home, prepare_home
from xpmsync.preflight import check_readable
from xpmsync.system.timestamps import to_text
from xpmsync.text import find_nearest, suggest

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
    "cause",
    "remedy",
)
"""Other programs rely on them and on their order: a new one goes to the end."""
MOST_RECORDS: Final = 10
"""Of one cause, on a screen that shows every kind of problem."""
FEW_RECORDS: Final = 3
"""So many are shown in full where each has something of its own to say."""
LIKENESS_OF_CODES: Final = 0.8
"""Of a word that stands alone: a name of a client may be like a code as well."""
NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "client": ("client", "clients"),
    "user": ("staff member", "staff members"),
    "office": ("office", "offices"),
}
ARTICLES: Final = {"run": "the", "office": "an"}

Row = Mapping[str, Any]


def _list_codes() -> list[str]:
    from xpmsync.errors import ENDINGS  # noqa: PLC0415 - only where it is asked for
    from xpmsync.rules.issues import CATALOGUE  # noqa: PLC0415 - as above

    return [*CATALOGUE, *ENDINGS]


def _complete_code(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The codes that a shell offers."""
    return [code for code in _list_codes() if code.startswith(incomplete)]


class _LogCommand(ExplainingCommand):
    """Takes no word that stands alone, and says which option somebody means who types one."""

    def explain_more(self, ctx: click.Context, more: Sequence[str]) -> str:  # noqa: ARG002 - other commands need it
        """What may be meant: a code, as the log shows it, or a name."""
        word = clean(more[0])
        if code := find_nearest(word, _list_codes(), likeness=LIKENESS_OF_CODES):
            return (
                f"“{word}” cannot stand alone. To read about that kind of problem: xpmsync errors --explain {code}. "
                f"To see the records that have it: xpmsync errors --code {code}"
            )
        return (
            f"“{word}” cannot stand alone. To look for a client or a staff member: "
            f"xpmsync errors --search {shlex.quote(word)}"
        )


@click.command(cls=_LogCommand, example="xpmsync errors --since 24h --search Smith")
@click.option("--since", callback=typed(check_since), metavar=SINCE, help="What was open at any moment since then.")
@click.option("--run", "run_id", type=Number(), help="What one run met.")
@click.option("--entity", type=Choice(["client", "user", "office", "run"]), help="Only one kind of record.")
@click.option("--severity", type=Choice(["error", "warning"]), help="Only errors, or only warnings.")
@click.option(
    "--code",
    "codes",
    multiple=True,
    metavar="CODE",
    shell_complete=_complete_code,
    help="Only one kind of problem, with all its records; may be repeated.",
)
@click.option("--search", metavar="TEXT", help="Only what has this in its name, client code or message.")
@click.option("--all", "include_resolved", is_flag=True, help="Also what is resolved.")
@click.option(
    "--explain",
    "explained",
    metavar="CODE",
    shell_complete=_complete_code,
    help="Tell the whole story of one kind of problem.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values for a spreadsheet.")
def command(*, explained: str | None, as_json: bool, as_csv: bool, **conditions: Any) -> None:
    """Show what the sync could not do, for which records, and what to do about it.

    Without options: everything that is open now. Options narrow it; several do so together.

    A time is 90m, 24h, 7d or 2w ago, today, yesterday, 2026-11-01 or "2026-11-01 14:30", by the clock on the wall.
    """
    if as_json and as_csv:
        raise click.UsageError("Choose one of --json and --csv.")
    for code in (*conditions["codes"], *filter(None, [explained])):
        _check_code(code)
    home = find_home(os.environ)
    prepare_home(home)
    if explained:
        if as_json or as_csv or any(conditions.values()):
            raise click.UsageError(f"--explain stands alone. See the records with: xpmsync errors --code {explained}")
        _explain(home, explained)
        return
    rows = _load(home, **conditions)
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(COLUMNS, rows)
    elif not home.database_file.exists():
        print_advice(open_console(), NO_RUN.format(home.data_folder))
    else:
        console = open_console()
        with paged(console):
            _print(console, rows, conditions)
            if conditions["search"]:
                _print_outside(console, home, conditions["search"])


def _check_code(code: str) -> None:
    """A code that does not exist would find nothing, and calm somebody who has mistyped it."""
    codes = _list_codes()
    if code not in codes:
        hint = suggest(code, codes) or f" There are: {', '.join(codes)}."
        raise click.UsageError(f"There is no problem with the code “{clean(code)}”.{hint}")


def _load(home: Home, *, run_id: int | None = None, **conditions: Any) -> list[Row]:
    """The rows of the log that meet the conditions."""
    from xpmsync.active.database import open_read_only  # noqa: PLC0415 - slow to load
    from xpmsync.active.error_log import find_issues  # noqa: PLC0415 - slow to load
    from xpmsync.active.runs import find_run  # noqa: PLC0415 - slow to load

    check_readable(home)
    with open_read_only(home.database_file) as database:
        if run_id is not None:
            find_run(database, run_id)
        rows = find_issues(database, run_id=run_id, **conditions)
    return [{column: row[column] for column in COLUMNS} for row in rows]


# The log, by what there is to do.


def _print(console: Console, rows: Sequence[Row], conditions: Mapping[str, Any]) -> None:
    if not rows:
        print_text(console, "Nothing in the log matches." if any(conditions.values()) else "No open problems.")
        return
    causes = _group(rows)
    for cause in causes:
        if len(cause) == 1:
            _print_single(console, cause[0])
        else:
            _print_cause(console, cause, conditions)
        console.print()
    print_text(console, _summarise(causes), style="bold")
    codes = {row["code"] for row in rows}
    code = codes.pop() if len(codes) == 1 else "CODE"
    print_advice(console, f"The whole story of one kind: xpmsync errors --explain {code}", style="dim")


def _print_outside(console: Console, home: Home, search: str) -> None:
    """Say of the clients looked for that are no errors why Active does not have them."""
    from xpmsync.active.database import open_read_only  # noqa: PLC0415 - slow to load
    from xpmsync.admin.outside import REASONS, find_outside  # noqa: PLC0415 - slow to load

    with open_read_only(home.database_file) as database:
        outside = find_outside(database, search, statuses=REASONS.keys() - {"active"})
    for each in outside[:MOST_RECORDS]:
        print_advice(console, each.explain())
    if len(outside) > MOST_RECORDS:
        print_advice(console, f"All of them: xpmsync admin client list --search {shlex.quote(clean(search))}")


def _group(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows by their cause: open ones first, the sync as a whole, errors, and what concerns the most records."""

    def key(row: Row) -> tuple[Any, ...]:
        # Rows from before there were causes, and those of runs, have none: the same words are the same cause.
        # A cause may quote a client code or an address, and those are the same whatever their case.
        cause = (row["cause"] or row["message"]).casefold()
        return (row["resolved_at"] is not None, row["severity"], row["entity"], row["code"], cause)

    causes = [list(group) for _, group in itertools.groupby(sorted(rows, key=key), key=key)]

    def weight(cause: Sequence[Row]) -> tuple[Any, ...]:
        is_resolved, severity, entity, code, _ = key(cause[0])
        # Of what the sync as a whole met since it last succeeded, the latest is what keeps it from that now.
        latest = -cause[0]["last_run_id"] if entity == "run" else 0
        return (is_resolved, severity, entity != "run", latest, -_count_records(cause), code)

    return sorted(causes, key=weight)


def _count_records(rows: Iterable[Row]) -> int:
    """A problem that came back after it was resolved is another row of the same record."""
    return len({(row["entity"], row["xpm_uuid"] or row["id"]) for row in rows})


def _print_title(console: Console, row: Row) -> None:
    style = "bold red" if row["severity"] == "error" else "bold yellow"
    resolved = " (resolved)" if row["resolved_at"] else ""
    print_text(console, f"{row['severity'].capitalize()}: {row['code']}{resolved}", style=style)


def _print_single(console: Console, row: Row) -> None:
    _print_title(console, row)
    print_text(console, name_record(row), indent=2, style="bold")
    _print_texts(console, row, ("message", "suggestion"), indent=4)
    print_text(console, _render_history(row), indent=4, style="dim")


def _print_texts(console: Console, row: Row, columns: Iterable[str], *, indent: int) -> None:
    for column in columns:
        if column == "message":
            print_text(console, row[column], indent=indent)
        elif not row["resolved_at"]:
            print_advice(console, f"To do: {row[column]}", indent=indent)


def _print_cause(console: Console, rows: Sequence[Row], conditions: Mapping[str, Any]) -> None:
    """Several records with one cause: what they have in common is said once."""
    first, code = rows[0], rows[0]["code"]
    own = [column for column in ("message", "suggestion") if _differs(rows, column)]
    is_narrowed = bool(conditions["codes"])
    is_in_full = bool(own) and (is_narrowed or len(rows) <= FEW_RECORDS)
    _print_title(console, first)
    print_text(console, _render_cause(rows), indent=2)
    # The remedy for all is in nobody's way where each has its own, but says nothing new there.
    if not first["resolved_at"] and not (is_in_full and "suggestion" in own):
        print_advice(console, f"To do: {first['remedy'] or first['suggestion']}", indent=2)
    is_one_history = len({_render_history(row) for row in rows}) == 1
    if is_one_history:
        print_text(console, _render_history(first), indent=2, style="dim")
    shown = sorted(rows, key=lambda row: name_record(row).casefold())
    if not is_narrowed:
        shown = shown[:MOST_RECORDS]
    for row in shown:
        print_text(console, name_record(row), indent=4, style="bold")
        if is_in_full:
            _print_texts(console, row, own, indent=6)
        if not is_one_history:
            print_text(console, _render_history(row), indent=6, style="dim")
    if len(shown) < len(rows):
        print_advice(console, f"and {len(rows) - len(shown):,} more: {_render_command(code, conditions)}", indent=4)
    elif own and not is_in_full:
        print_advice(console, f"Each of them in full: {_render_command(code, conditions)}", indent=4)


def _differs(rows: Sequence[Row], column: str) -> bool:
    """Whether the records' texts differ in more than the record's own name."""
    return len({row[column].replace(row["name"], "") if row["name"] else row[column] for row in rows}) > 1


def _render_cause(rows: Sequence[Row]) -> str:
    """What is wrong with all of them, as a sentence."""
    row = rows[0]
    if row["cause"] is None:
        return str(row["message"])
    sentence = f"{render_count(_count_records(rows), *NOUNS[row['entity']])} {row['cause']}"
    return sentence if sentence.endswith(".") else f"{sentence}."


def _render_command(code: str, conditions: Mapping[str, Any]) -> str:
    """The command that shows all records with one code, narrowed as before."""
    arguments = ["xpmsync", "errors", "--code", code]
    if since := conditions["since"]:
        arguments += ["--since", to_text(since)]
    if conditions["run_id"]:
        arguments += ["--run", str(conditions["run_id"])]
    if conditions["search"]:
        arguments += ["--search", conditions["search"]]
    if conditions["include_resolved"]:
        arguments.append("--all")
    return shlex.join(arguments)


def name_record(row: Row) -> str:
    """Which record it is: its name, and the client code where it has one; the id of one that has neither."""
    if row["entity"] == "run":
        return "The sync as a whole"
    name = row["name"] or f"A {NOUNS[row['entity']][0]} without a name"
    key = row["client_code"] or (None if row["name"] else row["xpm_uuid"])
    return f"{name} ({key})" if key else name


def _render_history(row: Row) -> str:
    times = "once" if row["times_seen"] == 1 else f"{row['times_seen']:,} times"
    text = f"since {render_time(row['first_seen_at'])}, seen {times}"
    if row["resolved_at"]:
        return f"{text}, resolved {render_time(row['resolved_at'])}"
    # What has been put right meanwhile is known by the next run alone.
    if row["entity"] != "run" or row["severity"] != "error":
        return text
    sync = "full sync" if row["field"] == "full" else "sync"
    return f"{text}; clears when a {sync} gets past this point"


def _summarise(causes: Sequence[Sequence[Row]]) -> str:
    """How much there is to do, for how many records."""
    rows = list(itertools.chain.from_iterable(causes))
    severities = [row["severity"] for row in rows if row["resolved_at"] is None]
    resolved = len(rows) - len(severities)
    if not severities:
        return f"Nothing of this is open any more: {resolved:,} resolved"
    counts = [
        render_count(count, severity) for severity in ("error", "warning") if (count := severities.count(severity))
    ]
    if resolved:
        counts.append(f"{resolved:,} resolved")
    todo = render_count(sum(cause[0]["resolved_at"] is None for cause in causes), "thing")
    records = _count_records(row for row in rows if row["resolved_at"] is None and row["entity"] != "run")
    concerned = f" for {render_count(records, 'record')}" if records else ""
    return f"{todo} to do{concerned}: {', '.join(counts)}"


# The story of one kind.


def _explain(home: Home, code: str) -> None:
    """The whole story of one kind, and how much of it is open now."""
    from xpmsync import errors  # noqa: PLC0415 - only where it is asked for
    from xpmsync.rules import issues  # noqa: PLC0415 - as above

    if kind := issues.CATALOGUE.get(code):
        noun = "run" if kind.entity == "run" else NOUNS[kind.entity][0]
        where = f"{ARTICLES.get(kind.entity, 'a')} {noun}"
        title = f"{kind.severity} of {where}"
        texts = (kind.story, kind.meanwhile, kind.general_suggestion, issues.END)
    else:
        ending = errors.ENDINGS[code]
        title = f"ends a run, with the exit code {ending.exit_code}"
        remedy = ending.usual_remedy.replace("xpmsync connect", connect_command())
        texts = (ending.story, errors.MEANWHILE, remedy, ending.end)
    headings = ("What it is", "Meanwhile", "What to do", "How it goes away", "Open now")
    try:
        open_now = _count_open(code, _load(home, codes=[code]))
    except errors.XpmsyncError as error:  # what the code means is told all the same
        open_now = f"That cannot be told. {error.in_full} {error.remedy}"
    console = open_console()
    with paged(console):
        print_text(console, f"{code}: {title}", style="bold")
        for heading, text in zip(headings, (*texts, open_now), strict=True):
            console.print()
            print_text(console, heading, style="bold")
            print_advice(console, text, indent=2)


def _count_open(code: str, rows: Sequence[Row]) -> str:
    if not rows:
        return "None."
    since = render_time(min(row["first_seen_at"] for row in rows))
    if rows[0]["entity"] == "run":
        return f"Yes, since {since}. See it: xpmsync errors --code {code}"
    count = render_count(_count_records(rows), *NOUNS[rows[0]["entity"]])
    oldest = "" if len(rows) == 1 else "the oldest "
    return f"{count}, {oldest}since {since}. See them: xpmsync errors --code {code}"
