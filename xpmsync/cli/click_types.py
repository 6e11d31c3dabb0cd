"""What command lines are made of: commands with an example, groups of them, choices and numbers.

Each help has the same shape, and a word that was mistyped is answered with the one that was meant. Knows no command.
"""

import abc
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from xpmsync.text import find_nearest, suggest

MOST_PLACES: Final = 3
"""Where a command that was looked for in the wrong place may be; more of them would help nobody."""
LIKENESS_ELSEWHERE: Final = 0.8
"""Nearer than in its own place: there are many commands, and one of them is like every word."""


class Command(click.Command):
    """A command whose help ends with an example, as it is copied."""

    def __init__(self, *arguments: Any, example: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.example_line = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the example."""
        with formatter.section("Example"):
            formatter.write(f"{textwrap.indent(self.example_line, ' ' * formatter.current_indent)}\n")


class ExplainingCommand(Command, abc.ABC):
    """A command that says what somebody means who types more words than it takes; click would only count them."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments and options."""
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise click.UsageError(self.explain_more(ctx, ctx.args), ctx)
        return ctx.args

    @abc.abstractmethod
    def explain_more(self, ctx: click.Context, more: Sequence[str]) -> str:
        """What is said of the words that are too many."""


class CommandAboutOne(ExplainingCommand):
    """A command about the one record WHO, whose name may have several words: they stand in quotation marks."""

    def explain_more(self, ctx: click.Context, more: Sequence[str]) -> str:
        """Show the name in quotation marks."""
        from xpmsync.cli.formatting import clean  # noqa: PLC0415 - slow to load, and most people type it well

        name = clean(" ".join([ctx.params["who"], *more]))
        return f"A name of several words stands in quotation marks: {ctx.command_path} {shlex.quote(name)}"


class Group(Command, click.Group):
    """A group whose commands are listed as they were defined, and looked for elsewhere where they are not in it."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of the commands, as they were defined."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or say which one may have been meant."""
        typed = args[0]
        is_known = typed.startswith("-") or self.get_command(ctx, typed) is not None
        if is_known or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        names = self.list_commands(ctx)
        hint = suggest(typed, names) or _suggest_elsewhere(typed, ctx) or f" There are: {', '.join(names)}."
        raise click.UsageError(f"There is no command “{typed}”.{hint}", ctx)


def typed(check: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """What an option or argument calls to have its value checked; `check` raises ValueError("must ...")."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from None

    return callback


def expand_path(path: Path) -> Path:
    """`path` with a ~ at its start written out; raises ValueError("must ...") where it is nobody's."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"must begin with the folder of a user that this computer knows, unlike {path}") from None


def _suggest_elsewhere(typed: str, ctx: click.Context) -> str:
    """A sentence that names the commands of the same or nearly the same name in other groups, if they are few."""
    root = ctx.find_root()
    assert isinstance(root.command, click.Group)  # noqa: S101 - the program is one
    paths = [(str(root.info_name), *path) for path in walk(root.command, root)]
    name = find_nearest(typed, {path[-1] for path in paths}, likeness=LIKENESS_ELSEWHERE)
    near = [f"“{' '.join(path)}”" for path in paths if path[-1] == name]
    return f" Did you mean {' or '.join(near)}?" if 0 < len(near) <= MOST_PLACES else ""


def walk(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, ...]]:
    """Every command beneath a group, as it is typed there."""
    for name in group.list_commands(ctx):
        yield (name,)
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            for path in walk(command, ctx):
                yield (name, *path)


class Choice(click.Choice[str]):
    """One of a few words."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """How the help shows it: all of them, without brackets, which would say that it may be left out."""
        return "|".join(self.choices)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's signature
        """Say what there is, and which may have been meant."""
        listed = ", ".join(map(repr, self.choices))  # click lists them in lower case where any case is taken
        return f"{value!r} is not one of {listed}.{suggest(str(value), self.choices)}"


class Number(click.ParamType[int]):
    """A whole number; which ones, a wrong one is told."""

    name = "number"

    def __init__(self, least: int = 1, most: int = 1_000_000_000) -> None:
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number that was typed."""
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or not self.least <= number <= self.most:
            self.fail(f"must be a whole number from {self.least} to {self.most}.", param, ctx)
        return number
