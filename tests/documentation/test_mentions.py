"""Every command, option, script and setting that a document mentions in passing is there."""

import itertools
import re
import shlex
import tomllib

import click
import pytest
from reading import TEXTS, find_code, find_mentions, name_of
from renew import DOCUMENTS, ROOT

from xpmsync.cli import program
from xpmsync.config import SECTIONS, SETTINGS


def parse(line):
    """Hold a command line against the commands and options that there are."""
    command, context = program, click.Context(program, info_name="xpmsync", **program.context_settings)
    words = list(itertools.takewhile(lambda word: word not in ("<", "|", "||"), shlex.split(line)))
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        command = command.get_command(context, words.pop(0))
        assert command is not None, f"there is no such command: xpmsync {line}"
        context = click.Context(command, parent=context)
    _, left, _ = command.make_parser(context).parse_args(words)
    assert left == [], f"xpmsync {line} takes no {left}"


@pytest.mark.parametrize("document", TEXTS, ids=name_of)
def test_a_command_that_is_mentioned_exists(document):
    for line in find_mentions(document):
        try:
            parse(line)
        except click.UsageError as error:
            pytest.fail(f"xpmsync {line}: {error.message}")


def test_mentions_are_found_however_they_are_written():
    found = {name_of(document): set(find_mentions(document)) for document in TEXTS}
    assert {"demo", "connect", "sync --dry-run", "admin user set --help"} <= found["README.md"]
    assert "sync --accept N" in found["docs/problems.md"]
    assert "connect" in found["config.example.toml"]
    assert {"sync", "notify"} <= found["crontab.example"]
    assert "sandbox --clients 300 --staff 12 --seed 7" in found["docs/sandbox.md"]


def find_options(command):
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from find_options(command.get_command(click.Context(command), name))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_an_option_that_is_mentioned_is_one_of_some_command(document):
    known = {*find_options(program), "--help"}
    known |= {"--cancel", "--practice"}  # of the sandbox's browser
    known |= {"--runs"}  # of the benchmarks
    assert [code for code in find_code(document) if code.startswith("--") and code.split()[0] not in known] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_script_that_is_mentioned_exists_with_its_options(document):
    for code in find_code(document):
        words = [word for word in code.split() if "=" not in word]
        if len(words) > 1 and words[0] in ("python", "pytest") and words[1].startswith("tests/"):
            script = ROOT / words[1]
            assert script.exists(), code
            if words[0] == "python":
                text = script.read_text("utf-8")
                assert [word for word in words[2:] if word.startswith("--") and f'"{word}"' not in text] == [], code


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_setting_that_is_mentioned_exists_and_may_have_its_value(document):
    for code in find_code(document):
        if found := re.fullmatch(
            rf"(?P<name>({'|'.join(SECTIONS)})\.(?!py$|html$|lock$)\w+)(?: = (?P<value>.+))?", code
        ):
            assert found["name"] in SETTINGS, code
            if found["value"]:
                SETTINGS[found["name"]].check(tomllib.loads(f"value = {found['value']}")["value"])
        elif found := re.fullmatch(r"\[(\w+)\]", code):
            assert found[1] in SECTIONS, code
