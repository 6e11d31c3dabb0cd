"""What the documents have from the code: tables of fields, problems, exit codes, settings, rooms and their imports.

In a document it stands between two marks, `<!-- made from the code: NAME -->` and `<!-- end -->`; the rest of the
document is a person's. `python tests/documentation/renew.py` writes all of it anew; a test compares.
"""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

import grimp

from xpmsync.cli.commands.sync import ISSUES_EXIT_CODE
from xpmsync.cli.config_reference import render_explanation, to_toml
from xpmsync.config import SECTIONS, SETTINGS, Setting
from xpmsync.errors import ENDINGS, INTERRUPTED_EXIT_CODE, InvalidRequest
from xpmsync.notify.health import DUE_AT_ONCE, PATIENCE, UNREACHABLE
from xpmsync.rules.fields import CLIENT_FIELDS, STAFF_FIELDS, Field
from xpmsync.rules.issues import CATALOGUE, Kind
from xpmsync.sandbox import FAULTS
from xpmsync.sandbox.control import ROUTES
from xpmsync.sandbox.switches import describe_switches

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "config.example.toml"
DOCUMENTS: Final = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]))
MARKED: Final = re.compile(r"(?<=<!-- made from the code: )([a-z ]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

sys.path.append(str(ROOT / "tests" / "faults"))
from matrix import render_outcomes  # noqa: E402 - once its folder is known


def make_table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [f"| {' | '.join(cells)} |\n" for cells in (headings, *rows)]
    lines.insert(1, f"|{'---|' * len(headings)}\n")
    return "".join(lines)


# What is synced, and what can be wrong.


def make_fields(fields: tuple[Field, ...]) -> str:
    """The supported fields of one kind of record."""
    return make_table(
        ("#", "XPM", "Practice Manager API", "Active", "Column"),
        [
            (
                field.row,
                field.xpm_name,
                ", ".join(f"`{element}`" for element in field.elements),
                field.active_name,
                f"`{field.column}`",
            )
            for field in fields
        ],
    )


def make_issues(entity: str) -> str:
    """The problems of one kind of record, each with its story."""
    return "\n".join(_make_issue(kind) for kind in CATALOGUE.values() if kind.entity == entity)


def _make_issue(kind: Kind) -> str:
    effect = {"keep": "the value is kept", "drop the value": "the value is dropped", "skip the record": "skipped"}
    where = f"{kind.entity}, `{kind.field}`" if kind.field else kind.entity
    return (
        f"### `{kind.code}`\n\n"
        f"{kind.severity.capitalize()} · {where} · {effect[kind.effect]}\n\n"
        f"{kind.message}\n\n"
        f"{kind.story}\n\n"
        f"*What to do:* {kind.suggestion.replace(':quoted}', '}').replace('{also}', '')}\n"
    )


def make_endings() -> str:
    """The ways in which a run can fail, each with its story."""
    return "\n".join(
        f"### `{kind.code}`\n\nExit code {kind.exit_code}\n\n{kind.story}\n\n*What to do:* {kind.usual_remedy}\n"
        for kind in ENDINGS.values()
    )


def make_error_codes() -> str:
    """Every code of the error log at a glance."""
    issues = [
        (_link(kind.code), kind.severity.value, kind.entity, kind.message.replace(":quoted}", "}"))
        for kind in CATALOGUE.values()
    ]
    endings = [
        (_link(kind.code), "error", "run", _first_sentence(kind.story))
        for kind in ENDINGS.values()
        if kind.code != "another-run"  # the log does not keep it
    ]
    return make_table(("code", "", "of a", "what it is"), [*issues, *endings])


def make_exit_codes() -> str:
    """Every exit code, whether somebody gets an e-mail for it, and what it means."""
    hours = PATIENCE.total_seconds() / 3600
    mails = dict.fromkeys(DUE_AT_ONCE, "at once") | {UNREACHABLE: f"after {hours:.0f} hours without a success"}
    rows = [
        (0, "", "Done. Problems of single records do not count; they are in the error log."),
        (InvalidRequest.exit_code, "", "What was typed or asked for cannot be done. Nothing was changed."),
        (ISSUES_EXIT_CODE, "", "With `--strict`: the run succeeded, and at least one record has an error."),
        *((kind.exit_code, _link(kind.code), kind.story) for kind in ENDINGS.values()),
        (INTERRUPTED_EXIT_CODE, "", "A person pressed Ctrl-C. Nothing is half done."),
    ]
    return make_table(
        ("exit code", "in the error log", "e-mail", "what it means"),
        [
            (str(code), log, mails.get(code, "never"), story)
            for code, log, story in sorted(rows, key=lambda row: row[0])
        ],
    )


def _link(code: str) -> str:
    return f"[`{code}`](problems.md#{code})"


def _first_sentence(text: str) -> str:
    return re.match(r".+?[.](?=\s|$)", text)[0]


# The settings.


def make_settings() -> str:
    """Every setting: what holds without it, what it must be, what it means."""
    return "\n".join(
        f"**`[{section}]`** {_flow(settings.__doc__)}\n\n"
        + make_table(
            ("key", "without it", "must be", "meaning"),
            [
                (f"`{each.key}`", _show_default(each), _tell_kind(each), each.meaning)
                for each in SETTINGS.values()
                if each.section == section
            ],
        )
        for section, settings in SECTIONS.items()
    )


def _show_default(setting: Setting) -> str:
    return "not set" if setting.default is None else f"`{to_toml(setting.default)}`"


def _tell_kind(setting: Setting) -> str:
    """What a refusal says that it must be."""
    try:
        setting.check(object())
    except ValueError as error:
        return str(error).removeprefix("must be ")
    raise AssertionError(setting.name)


def _flow(text: str | None) -> str:
    return " ".join((text or "").split())


# The sandbox.


def make_orders() -> str:
    """What its controls can do."""
    return make_table(("order", "does"), [(f"`{each.method} {each.path}`", each.meaning) for each in ROUTES])


def make_faults() -> str:
    """Its faults."""
    places = {"token": "`/connect/token`", "api": "Practice Manager", "everything": "every answer to a program"}
    return make_table(
        ("fault", "what happens", "where", "options"),
        [
            (
                f"`{name}`",
                kind.meaning,
                places.get(kind.where, kind.where),
                ", ".join(f"`{option}` = `{_show_plain(value)}`" for option, value in kind.options.items()),
            )
            for name, kind in FAULTS.items()
        ],
    )


def make_switches() -> str:
    """Its switches."""
    return make_table(
        ("switch", "default", "", "meaning"),
        [
            (f"`{name}`", f"`{_show_plain(default)}`", "unknown" if unknown else "", meaning)
            for name, default, meaning, unknown in describe_switches()
        ],
    )


def _show_plain(value: object) -> str:
    return '""' if value == "" else value if isinstance(value, str) else json.dumps(value)


# The rooms and their imports.


def make_rooms() -> str:
    """Every room with what it is for, layer by layer, and what it imports."""
    imports = find_imports()
    return make_table(
        ("room", "what it is for", "imports"),
        [
            (
                f"`{room}`",
                _first_sentence(_flow(import_module(f"xpmsync.{room}").__doc__)).replace("``", "`"),
                ", ".join(sorted(imports[room])) or "–",
            )
            for layer in (*find_layers(), ["sandbox"])
            for room in layer
        ],
    )


def make_picture() -> str:
    """The imports as a picture; an arrow that follows from two others is left out, as there would be a hundred."""
    imports = find_imports()
    layers = find_layers()
    lines = ["flowchart TD"]
    for number, layer in enumerate(layers, start=1):
        lines += [f'  subgraph layer{number}[" "]', *(f"    {room}" for room in layer), "  end"]
    lines += ["  sandbox"]
    lines += [f"  {room} --> {each}" for room in imports for each in sorted(leave_out_implied(imports, room))]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def find_layers() -> list[list[str]]:
    """The layers that the import rules keep apart, top to bottom."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def find_imports() -> dict[str, set[str]]:
    """What each room imports, by the code as it is."""
    graph = grimp.build_graph("xpmsync", cache_dir=None)
    rooms = sorted(graph.find_children("xpmsync") - {"xpmsync.__main__"})
    for room in rooms:
        graph.squash_module(room)
    return {
        room.removeprefix("xpmsync."): {
            each.removeprefix("xpmsync.")
            for each in graph.find_modules_directly_imported_by(room) - {room, "xpmsync"}  # the version is no room
        }
        for room in rooms
    }


def leave_out_implied(imports: Mapping[str, set[str]], room: str) -> set[str]:
    """The imports of a room that it does not reach through another of its imports."""

    def reach(start: str) -> set[str]:
        return {start}.union(*(reach(each) for each in imports[start]))

    return {each for each in imports[room] if not any(each in reach(other) for other in imports[room] - {each})}


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "fields of staff": lambda: make_fields(STAFF_FIELDS),
    "fields of clients": lambda: make_fields(CLIENT_FIELDS),
    "problems of users": lambda: make_issues("user"),
    "problems of clients": lambda: make_issues("client"),
    "problems of offices": lambda: make_issues("office"),
    "problems of a run": lambda: make_issues("run"),
    "runs that fail": make_endings,
    "troubles": render_outcomes,
    "error codes": make_error_codes,
    "exit codes": make_exit_codes,
    "settings": make_settings,
    "orders": make_orders,
    "faults": make_faults,
    "switches": make_switches,
    "rooms": make_rooms,
    "picture": make_picture,
}
"""What can stand between marks, by the name in the mark."""


def renew(document: Path) -> str:
    """The text of a document with what it has from the code made anew."""
    text = document.read_text("utf-8")
    if document == EXAMPLE:
        return render_explanation()
    return MARKED.sub(lambda found: f"{found[1]}{found[2]}\n{PARTS[found[1]]()}\n", text)


if __name__ == "__main__":
    for document in (*DOCUMENTS, EXAMPLE):
        document.write_text(renew(document), "utf-8")
