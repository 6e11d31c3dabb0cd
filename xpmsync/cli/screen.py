"""What every command has in common on a screen: tables and texts that fit 80 columns, JSON, CSV, times, questions.

Names and texts come from Xero and may hold anything: no control character of theirs reaches a terminal, nothing of
theirs is taken for markup, and no cell of a CSV file is taken for a formula. Colour is left to rich, which heeds
NO_COLOR and TERM. Knows nothing of what is shown.
"""

import csv
import io
import json
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, TextIO, TypeVar

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions
from rich.table import Table
from rich.text import Text

Answer = TypeVar("Answer")

WIDTH: Final = 80
LONGEST_SHOWN: Final = 2_000
"""Of one value. A longer one is no name and no address; JSON and CSV have the whole of it."""
UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SINCE: Final = "24h|7d|today|TIME"
"""What `read_since` takes, for the help of an option."""
COMMAND: Final = re.compile(
    r"""(?<=:)\ ((?:xpmsync|crontab)(?:\ (?:'[^']*'|"[^"]*"|[^\s'",.;()“”]|[.,](?=\S))+)+)[,.;]?\s*""", re.VERBOSE
)
"""A command within a text: it stands behind a colon, and ends where the sentence does, or a part of it."""
FORMULA_STARTS: Final = ("=", "+", "-", "@")
REVERSING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make a terminal show a text in another order than it has."""


def is_watched() -> bool:
    """Whether a person sits at the terminal: can be asked, and likes to see progress."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def open_console(*, stderr: bool = False) -> Console:
    """A console that takes texts literally: no markup, no emoji codes, no guessed highlighting.

    As wide as the terminal up to 100 columns; 80 where the output is no terminal.
    """
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a terminal without UTF-8 is no reason to fail
    console = Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # rich itself would leave bold
    )
    # Said once: rich would ask the system anew for every line.
    console.size = ConsoleDimensions(min(console.width, 100) if stream.isatty() else WIDTH, console.height)
    return console


@contextmanager
def paged(console: Console) -> Iterator[None]:
    """What is printed on `console` meanwhile goes through the pager, if a person watches and the screen is too short.

    The pager is PAGER, else less; it ends by itself where the text fits after all, and leaves the text on the screen.
    """
    if not is_watched():
        with console:  # all at once, not line by line
            yield
        return
    with console.capture() as captured:
        yield
    text = captured.get()
    if text.count("\n") < console.height:  # the prompt needs a line too
        click.echo(text, nl=False, color=True)  # rich has decided already which colours there are
    else:
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager(text)


def clean(text: object) -> str:
    """`text` on one line, with nothing in it that a terminal would obey."""
    line = str(text)
    if line.isprintable():  # as nearly all are
        return line
    return "".join(_clean_character(character) for character in line)


def _shorten(value: object) -> str:
    """`value` as a screen shows it: clean, and not for ever."""
    text = str(value)
    return clean(text) if len(text) <= LONGEST_SHOWN else f"{clean(text[:LONGEST_SHOWN])}…"


def clean_lines(text: str) -> str:
    """`text` with its own line breaks, and nothing else in it that a terminal would obey."""
    return "\n".join(clean(line) for line in text.split("\n"))


def wrap(text: str, stream: TextIO) -> str:
    """`text` with its lines broken between words where `stream` is a terminal; whole for everybody else."""
    if not stream.isatty():
        return text
    width = min(shutil.get_terminal_size().columns, 100)
    return "\n".join(
        textwrap.fill(
            line,
            width,
            subsequent_indent=line[: len(line) - len(line.lstrip())],
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )


def wrap_advice(text: str, stream: TextIO) -> str:
    """`text` as `wrap` breaks it, except that a command in it is never broken, so that it can be copied whole."""
    if not stream.isatty():
        return text
    width = min(shutil.get_terminal_size().columns, 100)
    lines = (_set_apart(line) if len(line) > width else [(line, False)] for line in text.split("\n"))
    return "\n".join(f"  {part}" if is_command else wrap(part, stream) for line in lines for part, is_command in line)


def _set_apart(text: str) -> Iterator[tuple[str, bool]]:
    """The commands in a text, what stands around them, and which is which; after a command begins a sentence."""
    before, *others = COMMAND.split(text)
    yield before, False
    for index, part in enumerate(filter(None, others)):
        is_command = index % 2 == 0
        yield part if is_command else part[0].upper() + part[1:], is_command


def _clean_character(character: str) -> str:
    if character in "\t\n\r\u2028\u2029":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if _is_harmful(character) else character


def _is_harmful(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in REVERSING


def print_table(console: Console, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows beneath headings; what is too long is folded. Counts stand to the right, None is left blank."""
    rows = list(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        numbers = all(row[index] is None or isinstance(row[index], int) for row in rows)
        table.add_column(heading, justify="right" if numbers and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_render_cell(cell) for cell in row))
    console.print(table)


def _render_cell(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else _shorten(cell)


def print_facts(console: Console, facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one beneath the other; a value that is too long goes on beneath itself."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, _shorten(value))
    console.print(table)


def print_text(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """A text, wrapped between the words, every line of it indented."""
    for line in Text(_shorten(text), style=style).wrap(console, console.width - indent):
        line.rstrip()
        console.print(Text.assemble(" " * indent, line), soft_wrap=True)  # it is wrapped already


def print_advice(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """A text that says what to do: if it takes more than a line, a command in it has one of its own, to be copied."""
    if cell_len(_shorten(text)) <= console.width - indent:
        print_text(console, text, indent=indent, style=style)
        return
    for part, is_command in _set_apart(_shorten(text)):
        if is_command:
            console.print(f"{'':{indent}}  {part}", style=style, soft_wrap=True)
        else:
            print_text(console, part, indent=indent, style=style)


def print_json(document: object) -> None:
    """One JSON document, in UTF-8 whatever the terminal's own encoding; harmful characters stand escaped in it."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    safe = "".join(
        character if character == "\n" or not _is_harmful(character) else f"\\u{ord(character):04x}"
        for character in text
    )
    click.echo(safe.encode())


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Comma-separated values for a spreadsheet; what it would calculate is marked as text.

    In UTF-8 with a byte order mark: without it, Excel opens the file in the computer's old encoding and shows a macron
    as two strange characters. Programs that cannot skip the mark have JSON.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows([_plain_cell(row[column]) for column in columns] for row in rows)
    click.echo(buffer.getvalue().encode("utf-8-sig"), nl=False)


def _plain_cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    return f"'{clean(value)}" if _is_calculated(value) else clean(value)


def _is_calculated(text: str) -> bool:
    """Whether a spreadsheet might take a text for a formula, behind spaces or in full-width letters too."""
    visible = (character for character in text if unicodedata.category(character)[0] not in "CZ")
    return unicodedata.normalize("NFKC", next(visible, "")).startswith(FORMULA_STARTS)


def read_since(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """A stretch of time up to now, a day, or a moment by the clock on the wall."""
    if value is None:
        return None
    now = datetime.now(UTC)
    try:
        moment = parse_since(value.strip().lower(), now)
    except (ValueError, OverflowError):
        raise click.BadParameter("must be such as 90m, 24h, 7d, today, 2026-11-01 or “2026-11-01 14:30”") from None
    if moment > now:
        raise click.BadParameter(f"must not be in the future, as {clean(value)} is")
    return moment


def parse_since(text: str, now: datetime) -> datetime:
    """The moment (UTC) that a text means; raises ValueError or OverflowError where it means none.

    Minutes and hours are counted as they pass; days and weeks by the clock on the wall, so that 7d is the same time of
    day a week ago, whether the clock was changed meanwhile or not.
    """
    if match := re.fullmatch(r"([0-9]{1,4})([mh])", text):
        return now - timedelta(**{UNITS[match[2]]: int(match[1])})
    wall = now.astimezone().replace(tzinfo=None)
    if match := re.fullmatch(r"([0-9]{1,4})([dw])", text):
        wall -= timedelta(**{UNITS[match[2]]: int(match[1])})
    elif text in ("today", "yesterday"):
        wall = datetime.combine(wall.date() - timedelta(days=text == "yesterday"), time.min)
    else:
        wall = datetime.fromisoformat(text.upper())
    return wall.astimezone(UTC)


def render_time(moment: str) -> str:
    """A stored time (UTC) as the clock on the wall shows it."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def render_count(count: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 client, 2 clients."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def render_age(moment: str, now: datetime) -> str:
    """How long ago a stored time is, in its largest unit."""
    seconds = (now - datetime.fromisoformat(moment).astimezone(UTC)).total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{render_count(int(seconds // length), unit)} ago"
    return "just now" if seconds > -60 else "in the future"  # noqa: PLR2004 - clocks differ by seconds


def ask(question: str, check: Callable[[object], Answer], *, default: str | None = None) -> Answer:
    """Ask until the answer passes `check`, which raises ValueError("must ...") on one that does not."""

    def convert(answer: str) -> Answer:
        try:
            return check(answer)
        except ValueError as error:
            raise click.UsageError(f"It {error}.") from None

    answer: Answer = click.prompt(question, default=default, show_default=bool(default), value_proc=convert)
    return answer


def choose(console: Console, question: str, choices: Sequence[str], *, default: int | None = None) -> int:
    """Show numbered choices and ask for one; gives back its index."""
    for number, choice in enumerate(choices, start=1):
        print_text(console, f"{number:>3}  {choice}", indent=1)
    number = click.prompt(
        question,
        type=click.IntRange(1, len(choices)),
        default=None if default is None else default + 1,
        show_choices=False,
    )
    return int(number) - 1
