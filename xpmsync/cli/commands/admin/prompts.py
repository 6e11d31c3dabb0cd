"""What every command of the Admin Centre does with the person: check what was typed, ask, and tell what was done.

Opens a session for one command. Knows nothing of what is changed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource
from rich.console import Console

from xpmsync.cli.console import open_console, print_facts, print_text
from xpmsync.cli.formatting import clean, confirm, is_watched
from xpmsync.config import check_text, read_config
from xpmsync.errors import XpmsyncError
from xpmsync.home import find_home, prepare_home
from xpmsync.rules.reading import read_name

if TYPE_CHECKING:
    from xpmsync.admin.impact import Impact
    from xpmsync.admin.session import AdminSession, Edit, Outcome

ID_HELP: Final = "Its id, as the error log shows it (xpmsync errors)."


def check_name(text: str) -> str:
    """A name on one line, inner runs of white space folded as XPM's are."""
    return check_text(read_name(text))


@contextmanager
def opened(*, to_change: bool) -> Iterator["AdminSession"]:
    """The Admin Centre of this home. What it refuses names records of Xero: no control character is passed on."""
    from xpmsync.admin.session import open_session, read_session  # noqa: PLC0415 - the database is slow to load

    home = find_home(os.environ)
    prepare_home(home)
    opening = open_session(home, read_config(home), now=datetime.now(UTC)) if to_change else read_session(home)
    try:
        with opening as session:
            yield session
    except XpmsyncError as error:
        error.happened, error.remedy = clean(error.happened), clean(error.remedy)
        raise


def show_outcome(outcome: "Outcome") -> None:
    """Say what was done, field by field, what follows from it, and what to type next."""
    console = open_console()
    print_text(console, outcome.headline)
    _print_edits(console, outcome.edits)
    for remark in outcome.remarks:
        print_text(console, remark)
    if outcome.next_command:
        click.echo(f"  {clean(outcome.next_command)}")  # on one line, to be copied


def _print_edits(console: Console, edits: "Sequence[Edit]") -> None:
    print_facts(console, [(f"  {edit.label}", f"{edit.old or 'not set'} → {edit.new or 'not set'}") for edit in edits])


def need_some(example: str) -> None:
    """Refuse a command that says whom to change but not what."""
    context = click.get_current_context()
    names = [parameter.name or "" for parameter in context.command.params if parameter.name != "is_yes"]
    sources = [context.get_parameter_source(name) for name in names]
    if sources.count(ParameterSource.COMMANDLINE) < len(("the record", "an option")):
        raise click.UsageError(f"Say what to change, such as {example}.")


def change_if_agreed(
    preview: Callable[["AdminSession"], "Impact | None"], change: Callable[["AdminSession"], "Outcome"], *, is_yes: bool
) -> None:
    """Say what follows from a change, and make it once a person who can be asked agrees."""
    with opened(to_change=True) as session:  # not held while somebody thinks: a sync may be due
        impact = preview(session)
    if impact and not is_agreed(impact, is_yes=is_yes):
        return
    with opened(to_change=True) as session:
        outcome = change(session)
    show_outcome(outcome)


def is_agreed(impact: "Impact", *, is_yes: bool) -> bool:
    """Say what follows, and ask for it where somebody can be asked; in a script it goes on, as it can be undone."""
    console = open_console()
    for sentence in impact.sentences:
        print_text(console, sentence)
    _print_edits(console, impact.edits)
    if impact.count == 0 or is_yes or not is_watched() or confirm("Go on?"):
        return True
    click.echo("Nothing was changed.")
    return False
