"""The two pages that say what is synced and what can be wrong agree with the tables that the program follows."""

from pathlib import Path

import pytest

from xpmsync.errors import ENDINGS
from xpmsync.rules.fields import CLIENT_FIELDS, STAFF_FIELDS
from xpmsync.rules.problems import CATALOGUE

DOCS = Path(__file__).parent.parent.parent / "docs"


def read_section(page, heading):
    return (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def render_field(field):
    elements = ", ".join(f"`{element}`" for element in field.elements)
    return f"| {field.row} | {field.xpm_name} | {elements} | {field.active_name} | `{field.column}` |"


def render_problem(kind):
    effect = {"keep": "the value is kept", "drop the value": "the value is dropped", "skip the record": "skipped"}
    where = f"{kind.entity}, `{kind.field}`" if kind.field else kind.entity
    return (
        f"### `{kind.code}`\n\n"
        f"{kind.severity.capitalize()} · {where} · {effect[kind.effect]}\n\n"
        f"{kind.message}\n\n"
        f"{kind.story}\n\n"
        f"*What to do:* {kind.suggestion.replace(':quoted}', '}')}\n"
    )


def render_ending(kind):
    return f"### `{kind.code}`\n\nExit code {kind.exit_code}\n\n{kind.story}\n\n*What to do:* {kind.usual_remedy}\n"


@pytest.mark.parametrize(("heading", "fields"), [("Staff become users", STAFF_FIELDS), ("Clients", CLIENT_FIELDS)])
def test_the_documented_fields_are_those_of_the_field_table(heading, fields):
    rows = [line for line in read_section("fields.md", heading).splitlines() if line.startswith("| ")]
    assert rows[1:] == [render_field(field) for field in fields]


@pytest.mark.parametrize(
    ("heading", "entity"), [("Staff and users", "user"), ("Clients", "client"), ("The run", "run")]
)
def test_the_documented_problems_are_those_of_the_catalogue(heading, entity):
    section = read_section("problems.md", heading)
    expected = [render_problem(kind) for kind in CATALOGUE.values() if kind.entity == entity]
    assert section[section.index("### ") :].rstrip() == "\n".join(expected).rstrip()


def test_the_documented_ways_to_fail_are_those_of_the_error_tree():
    section = read_section("problems.md", "Runs that fail")
    assert section[section.index("### ") :].rstrip() == "\n".join(map(render_ending, ENDINGS.values())).rstrip()
