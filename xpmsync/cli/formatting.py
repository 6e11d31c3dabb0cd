"""What every command has in common beside the screen: plain texts, JSON, CSV, times, counts, questions.

Names and texts come from Xero and may hold anything: no control character of theirs reaches a terminal, and no cell of
a CSV file is taken for a formula. Kept apart from what draws a screen, since cron's commands draw none.
"""

import csv
import io
import json
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, TextIO, TypeVar

import click

from xpmsync.system.timestamps import from_stored
from xpmsync.text import REORDERING, split_commands

Answer = TypeVar("Answer")

YES: Final = click.option("--yes", "is_yes", is_flag=True, help="Do not ask; for scripts.")
UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SINCE: Final = "24h|7d|today|TIME"
"""What `check_since` takes, for the help of an option."""
NO_RUN: Final = "No run has been made yet in {}. How it is there: xpmsync status"
"""What is said where there is no database to look into; with the folder, as another one may be meant."""
FORMULA_STARTS: Final = ("=", "+", "-", "@")
BREAKS: Final = re.compile("[\t\n\r\u2028\u2029]")
HARMFUL: Final = re.compile("[\0-\x08\v\f\x0e-\x1f\x7f-\x9f\ud800-\udfff" + f"{REORDERING}]")
"""What a terminal obeys or cannot show, or what makes it show a text in another order than it has."""


def is_watched() -> bool:
    """Whether a person sits at the terminal: can be asked, and likes to see progress."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def clean(text: object) -> str:
    """`text` on one line, with nothing in it that a terminal would obey."""
    line = str(text)
    if line.isprintable():  # as nearly all are
        return line
    return HARMFUL.sub("\N{REPLACEMENT CHARACTER}", BREAKS.sub(" ", line))


def clean_lines(text: str) -> str:
    """`text` with its own line breaks, and nothing else in it that a terminal would obey."""
    return "\n".join(clean(line) for line in text.split("\n"))


def wrap(text: str, stream: TextIO) -> str:
    """`text` with its lines broken between words where `stream` is a terminal; whole for everybody else.

    A line that is indented by four spaces is a command, to be copied, and is never broken.
    """
    if not stream.isatty():
        return text
    width = min(shutil.get_terminal_size().columns, 100)
    return "\n".join(
        line
        if line.startswith("    ")
        else textwrap.fill(
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
    lines = (split_commands(line) if len(line) > width else [(line, False)] for line in text.split("\n"))
    return "\n".join(f"  {part}" if is_command else wrap(part, stream) for line in lines for part, is_command in line)


def print_remark(text: str) -> None:
    """Tell a person, or cron, on standard error; what is to be typed stays whole."""
    click.echo(wrap_advice(clean_lines(text), sys.stderr), err=True)


def print_json(document: object) -> None:
    """One JSON document, in UTF-8 whatever the terminal's own encoding; harmful characters stand escaped in it."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    click.echo(HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode())


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


def check_since(value: str) -> datetime:
    """A stretch of time up to now, a day, or a moment by the clock on the wall; raises ValueError("must ...")."""
    now = datetime.now(UTC)
    try:
        moment = parse_since(value.strip().lower(), now)
    except (ValueError, OverflowError):
        raise ValueError("must be such as 90m, 24h, 7d, today, 2026-11-01 or “2026-11-01 14:30”") from None
    if moment > now:
        raise ValueError(f"must not be in the future, as {clean(value)} is")
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
    return from_stored(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def render_count(count: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 client, 2 clients."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def render_age(moment: str, now: datetime) -> str:
    """How long ago a stored time is, in its largest unit."""
    seconds = (now - from_stored(moment)).total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{render_count(int(seconds // length), unit)} ago"
    return "just now" if seconds > -60 else "in the future"  # noqa: PLR2004 - clocks differ by seconds


def ask(
    question: str, check: Callable[[object], Answer], *, default: str | None = None, is_hidden: bool = False
) -> Answer:
    """Ask until the answer passes `check`, which raises ValueError("must ...") on one that does not."""

    def convert(answer: str) -> Answer:
        if not answer.strip():
            raise click.UsageError("An answer is needed.")
        try:
            return check(answer)
        except ValueError as error:
            raise click.UsageError(f"It {error}.") from None

    answer: Answer = click.prompt(
        question, default=default or "", show_default=bool(default), hide_input=is_hidden, value_proc=convert
    )
    return answer


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask until the answer is yes or no; click's own question says of another one only that it is invalid."""

    def convert(answer: str) -> bool:
        if answer.strip().lower() not in ("y", "yes", "n", "no"):
            raise click.UsageError("Answer y or n.")
        return answer.strip().lower().startswith("y")

    choices, usual = ("Y/n", "y") if default else ("y/N", "n")
    agreed: bool = click.prompt(f"{question} [{choices}]", default=usual, show_default=False, value_proc=convert)
    return agreed


def is_wanted(question: str, *, is_yes: bool) -> bool:
    """Whether it is to be done: a person is asked, in a script only ``--yes`` says so. Raises click.UsageError."""
    if is_yes:
        return True
    if not is_watched():
        raise click.UsageError("Nothing was changed, as nobody is here to be asked: say --yes.")
    return confirm(question)
