"""What is drawn on a screen: tables, facts and texts that fit 80 columns, pages of them, choices.

No text is taken for markup, whoever wrote it; colour is left to rich, which heeds NO_COLOR and TERM. Knows nothing of
what is shown.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from xpmsync.cli.formatting import ask, clean, is_watched
from xpmsync.text import split_commands

WIDTH: Final = 80
LONGEST_SHOWN: Final = 2_000
"""Of one value. A longer one is no name and no address; JSON and CSV have the whole of it."""


@dataclass(frozen=True)
class _Trimmed:
    """A table whose lines end where their words do; rich fills them up with blanks."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in Segment.split_lines(console.render(self.table, options)):
            while line and not line[-1].text.strip():
                line.pop()
            yield from line[:-1]
            yield from (Segment(last.text.rstrip(), last.style) for last in line[-1:])
            yield Segment.line()


class _Trimming(RenderHook):
    """Trims every table that a console prints."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Trimmed(each) if isinstance(each, Table) else each for each in renderables]


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
    console.push_render_hook(_Trimming())
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
        show(text)
    else:
        os.environ.setdefault("LESS", "-FRX -PsSpace for more, q to leave$")
        click.echo_via_pager(text)


def show(text: str) -> None:
    """Show what a console has captured, with the colours that rich has decided on."""
    click.echo(text, nl=False, color=True)


def _shorten(value: object) -> str:
    """`value` as a screen shows it: clean, and not for ever."""
    text = str(value)
    return clean(text) if len(text) <= LONGEST_SHOWN else f"{clean(text[:LONGEST_SHOWN])}…"


def print_table(
    console: Console, headings: Sequence[str], rows: Iterable[Sequence[object]], *, copied: str | None = None
) -> None:
    """Rows beneath headings; what is too long is folded. Counts stand to the right, None is left blank.

    The column `copied` holds what people copy: the others are folded first, as long as it leaves them a third.
    """
    rows = list(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        numbers = all(row[index] is None or isinstance(row[index], int) for row in rows)
        width = None
        if heading == copied:
            widest = max(cell_len(text) for text in (heading, *(_render_cell(row[index]) for row in rows)))
            width = min(widest, console.width * 2 // 3)
        table.add_column(heading, justify="right" if numbers and rows else "left", overflow="fold", width=width)
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
    for part, is_command in split_commands(_shorten(text)):
        if is_command:
            console.print(f"{'':{indent}}  {part}", style=style, soft_wrap=True)
        else:
            print_text(console, part, indent=indent, style=style)


def print_choices(console: Console, choices: Sequence[str], *, first: int = 1) -> None:
    """Numbered choices, one beneath the other."""
    for number, choice in enumerate(choices, start=first):
        print_text(console, f"{number:>3}  {choice}", indent=1)


def choose(console: Console, question: str, choices: Sequence[str]) -> int:
    """Show numbered choices and ask for one; gives back its index."""
    print_choices(console, choices)
    numbers = [str(number) for number in range(1, len(choices) + 1)]

    def read_index(answer: object) -> int:
        if str(answer).strip() not in numbers:
            raise ValueError(f"must be a number from 1 to {len(numbers)}")
        return numbers.index(str(answer).strip())

    return ask(question, read_index)
