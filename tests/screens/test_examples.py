"""The example at the end of every help: it is there, it is understood, and it does what it says."""

import shlex

import click
import pytest

from xpmsync.cli import program
from xpmsync.cli.click_types import walk

PATHS = [(), *walk(program, click.Context(program))]
SELDOM = {
    ("connect",): "waits for an address to be pasted",
    ("disconnect",): "the other screens need the sign-in",
    ("demo",): "takes a while; the README's own command is run in CI",
    ("doctor",): "cron's environment knows nothing of the sandbox",
    ("keyring", "setup"): "wants a key in /etc",
    ("sandbox",): "ends with Ctrl-C",
    ("admin", "user", "link"): "an id of a staff member of XPM is never the same",
    ("admin", "client", "link"): "an id of a client of XPM is never the same",
}
"""Not run here, and why."""
BEFORE = (
    "admin user add --first-name Bob --last-name Low --email bob@example.com",
    "admin user add --first-name Old --last-name Ann --email old@example.com",
)
ORDER = (
    "admin office add",
    "admin user add",
    "admin user set",
    "admin office set",
    "admin client add",
    "admin client set",
    "admin client show",
    "admin client list",
    "history",
    "admin user merge",
    "admin user deactivate",
    "admin user activate",
    "configure",
    "admin history erase",
    "backup",
    "restore",
)
"""The examples of these build on one another; the others stand alone, after them."""


def find(path):
    """The command that is typed like this, and its context."""
    command, context = program, click.Context(program, info_name="xpmsync")
    for name in path:
        command = command.get_command(context, name)
        context = click.Context(command, parent=context, info_name=name)
    return command, context


def read_example(command):
    """The words of a command's example, as a shell reads them."""
    return shlex.split(command.example_line.replace("\\\n", " "))


def name_path(path):
    return "-".join(("xpmsync", *path))


@pytest.mark.parametrize("path", PATHS, ids=name_path)
def test_every_help_ends_with_one_example_of_the_command_itself(path):
    command, context = find(path)
    text = command.get_help(context)
    assert text.count("Example:") == 1
    shown = text.partition("\nExample:\n")[2]
    assert [line[2:] for line in shown.splitlines()] == command.example_line.splitlines()
    assert read_example(command)[: len(path) + 1] == ["xpmsync", *path]


@pytest.mark.parametrize("path", PATHS, ids=name_path)
def test_every_example_is_a_command_line_that_is_understood(path):
    command, context = program, click.Context(program, info_name="xpmsync")
    words = read_example(find(path)[0])[1:]
    while isinstance(command, click.Group) and words:
        name, command, words = command.resolve_command(context, words)
        context = click.Context(command, parent=context, info_name=name)
    command.make_context(context.info_name, words, parent=context.parent)  # refuses what it does not understand


@pytest.mark.parametrize("path", PATHS, ids=name_path)
def test_every_help_explains_every_option_and_argument_and_is_cut_nowhere(path):
    command, context = find(path)
    text = command.get_help(context)
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Argument):
            assert parameter.make_metavar(context).strip("[].") in command.help
        else:
            assert parameter.help.endswith((".", ")."))
    lines = text.splitlines()
    assert [line for line in lines if line.endswith("...") and not line.startswith("Usage:")] == []
    assert [line for line in lines if "RANGE" in line or "INTEGER" in line or "x>=" in line] == []


@pytest.mark.slow
def test_the_examples_do_what_they_say(story, terminal):
    story.renew()
    leaves = {path for path in PATHS if not isinstance(find(path)[0], click.Group)} | {("keyring",)}
    ordered = [tuple(each.split()) for each in ORDER]
    assert SELDOM.keys() | set(ordered) <= leaves
    others = [path for path in PATHS if path in leaves - SELDOM.keys() - set(ordered)]
    lines = [
        *map(shlex.split, BEFORE),
        *(read_example(find(path)[0])[1:] for path in (*ordered, *others)),
    ]
    for words in lines:
        shown = terminal.show(words, environment=story.environment, typed=("y",))
        assert not any("exit code" in line for line in shown.lines), (words, shown.lines)
