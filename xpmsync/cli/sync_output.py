"""What a person at the terminal sees of a run: how far it is, what it did, what it would do."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Self

from rich.console import Console

from xpmsync.cli.console import open_console, print_advice, print_facts, print_table, print_text
from xpmsync.cli.formatting import print_remark, render_count
from xpmsync.rules.prerequisites import Prerequisite, Shortfall
from xpmsync.sync.derive import Counts
from xpmsync.sync.run import Preview, Summary

NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "user": ("staff member", "staff members"),
    "client": ("client", "clients"),
    "Active user": ("Active user", "Active users"),
    "Active client": ("Active client", "Active clients"),
}
SHOWN_ROWS: Final = 100
"""A terminal is no place for more."""


class Progress:
    """How far a run is, on standard error."""

    def __init__(self) -> None:
        self._status = open_console(stderr=True).status("")
        self._stage = ""

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
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
        print_remark(text)

    def _show(self, text: str) -> None:
        self._status.update(f"{text} …")


def print_summary(summary: Summary, *, is_accepting: bool) -> None:
    """Say what the run did, and what it accepted where it was told to."""
    console = open_console()
    seconds = (summary.finished_at - summary.started_at).total_seconds()
    print_text(console, f"Run {summary.run_id} done in {seconds:.1f} seconds.", style="bold")
    print_facts(
        console,
        [
            ("Users", _describe(summary.users)),
            ("Clients", _describe(summary.clients)),
            ("In XPM", str(summary.xpm_clients)),
            *([("Accepted", " ".join(summary.accepted) or "There was nothing to accept.")] if is_accepting else ()),
            ("Problems", f"{render_count(summary.errors, 'error')}, {render_count(summary.warnings, 'warning')}"),
            ("Xero", f"{render_count(summary.api_calls, 'call')}, {summary.bytes_received / 1000:,.0f} KB"),
        ],
    )
    if summary.errors + summary.warnings:
        print_text(console, "See what they are, and what to do: xpmsync errors")


def _describe(counts: Counts) -> str:
    parts = [f"{number:,} {name}" for name, number in dataclasses.asdict(counts).items() if number]
    return ", ".join(parts) or "none"


def print_preview(preview: Preview) -> None:
    """Say what the run would do."""
    console = open_console()
    print_text(console, "This is what a run would do. Nothing was changed.", style="bold")
    counts = [("Users", _describe(preview.users)), ("Clients", _describe(preview.clients))]
    print_facts(console, [*counts, ("In XPM", str(preview.xpm_clients))])
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
    command = f"xpmsync sync{' --full' if preview.mode == 'full' else ''} --dry-run --json"
    _print_part(console, ("Kind", "Record", "Field", "Old", "New"), rows, command)
    shortfalls = [shortfall for each in preview.prerequisites for shortfall in each.shortfalls]
    _print_part(console, ("To fix", "Why"), [(_name(each), each.message) for each in shortfalls], command)
    print_prerequisites(console, preview.prerequisites)
    if shortfalls:
        print_advice(console, f"The records are listed above; for a program: {command}")


def print_prerequisites(console: Console, prerequisites: Sequence[Prerequisite]) -> None:
    """Say of each prerequisite whether it is met, or how many records of which kind do not meet it."""
    print_text(console, "Prerequisites of the sync", style="bold")
    print_facts(console, [(each.requirement, _count(each.shortfalls)) for each in prerequisites])


def _count(shortfalls: Sequence[Shortfall]) -> str:
    numbers = Counter(NOUNS[each.entity] for each in shortfalls)
    return ", ".join(render_count(number, *noun) for noun, number in numbers.items()) or "ok"


def _name(shortfall: Shortfall) -> str:
    return shortfall.name or f"A {NOUNS[shortfall.entity][0]} without a name ({shortfall.xpm_uuid})"


def _print_part(console: Console, headings: Sequence[str], rows: Sequence[Sequence[object]], command: str) -> None:
    """A table, and the command that prints all of it where it is too long."""
    if rows:
        print_table(console, headings, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print_text(console, f"… and {len(rows) - SHOWN_ROWS:,} more; all of them: {command}")
