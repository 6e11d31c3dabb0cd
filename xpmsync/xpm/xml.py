"""Records out of Xero's XML while it arrives, in constant memory.

Follows a RecordShape: elements that the shape does not name are skipped, their order and namespaces do not matter, text
is handed on as it came, None where the element is absent or empty. Judges the answer as a whole (is it one, is it
complete, does Xero say OK), never a record. Nothing may be believed before the iterator has ended: an answer that was
cut looks well until then.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from lxml.etree import XMLPullParser, XMLSyntaxError, _Element

from xpmsync.errors import PermanentError, TransientError
from xpmsync.records import Record, RecordShape
from xpmsync.xpm.responses import redact

Value = TypeVar("Value")

ROOT: Final = "Response"
WORDS: Final = re.compile("Response|OK|ERROR")
"""What may be logged of an answer's root and status: anything else may be a client's data."""
LARGEST_RECORD_BYTES: Final = 8_000_000
"""So much may arrive without a record ending in it: a million words of notes. More would fill the memory."""
MOST_TAGS: Final = 1_000
LONGEST_DESCRIPTION: Final = 300
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class CutShort(TransientError):
    """The answer ended before its end; asked again, it may come whole."""


class ErrorReported(PermanentError):
    """Practice Manager answers with an error of its own, in `description`, under a status that says all is well."""

    def __init__(self, description: str) -> None:
        super().__init__(
            "Xero Practice Manager reports an error of its own.",
            "If the next runs say the same, look in Practice Manager for what it names, or ask Xero's support.",
            names=f"It says: “{description}”" if description else None,
        )
        self.description = description


class Unreadable(PermanentError):
    """The answer is not what Practice Manager answers."""


class _ByLocalName(dict[str, Value | None]):
    """What is known of elements, by their tags; None for others. A tag with a namespace is looked up without it."""

    def __missing__(self, tag: str) -> Value | None:
        found = self.get(_local_name(tag))
        if len(self) < MOST_TAGS:  # kept, as a million children have some fifty tags
            self[tag] = found
        return found


@dataclass(frozen=True)
class _ListPlan:
    """Where a list's items are found, and what is read of each."""

    slot: int
    item: str
    keys: "_ByLocalName[str]"
    empty_item: dict[str, str | None]


_Plan = _ByLocalName["int | _ListPlan | _Plan"]
"""Child element to the value's place in the record, to a list, or to the plan for its own children."""


def parse_records(chunks: Iterable[bytes], shape: RecordShape, absent: set[str] | None = None) -> Iterator[Record]:
    """Each record of an answer, as soon as it has arrived.

    An element that a record has, empty or not, is taken out of `absent`. Raises ErrorReported where Xero says so,
    Unreadable where this is no such answer, CutShort where it is half of one.
    """
    *containers, tag = shape.path.split("/")
    parents = [*reversed(containers), ROOT]
    plan = _make_plan(shape)
    empty: list[str | None] = [None] * len(shape.columns)
    parser = XMLPullParser(
        ("end",),
        tag=[f"{{*}}{name}" for name in (tag, "Status", "ErrorDescription")],
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",  # whatever the answer claims: names read in another encoding would all be changed
    )
    outcome: dict[str, str] = {}
    unfinished_bytes = 0
    for chunk in chunks:
        unfinished_bytes += len(chunk)
        if unfinished_bytes > LARGEST_RECORD_BYTES:
            raise Unreadable(
                "Xero's answer holds something that is too large for a record of Practice Manager.",
                "If the next runs say the same, tell Xero's support, with the details in the log.",
                details=f"{unfinished_bytes:,} bytes without the end of a record",
            )
        try:
            parser.feed(chunk)
        except XMLSyntaxError as error:
            raise Unreadable(
                "Xero's answer is damaged: it is not the XML that Practice Manager sends.",
                "If the next runs say the same, tell Xero's support, with the details in the log.",
                details=_words(error),
            ) from None
        for _, element in cast("Iterable[tuple[str, _Element]]", parser.read_events()):
            name = _local_name(element.tag)
            if name == tag and _is_within(element, parents):
                values = empty.copy()
                _read(element, plan, values)
                if absent:  # in most answers only until the first few records are read
                    found = element.iterchildren(*(f"{{*}}{each}" for each in absent if "/" not in each))
                    absent.difference_update([_local_name(child.tag) for child in found])
                    absent.difference_update(_find_in_lists(element, shape, values, absent))
                yield tuple(values)
                _drop(element)
                unfinished_bytes = 0
            elif name != tag and _is_within(element, [ROOT]):
                outcome[name] = element.text or ""
    try:
        root = parser.close()
    except XMLSyntaxError as error:
        raise CutShort(
            "Xero's answer was cut off on its way.",
            "Nothing needs to be done: the next run tries again.",
            details=_words(error),
        ) from None
    _check_outcome(root, outcome)


def _check_outcome(root: _Element, outcome: Mapping[str, str]) -> None:
    """Whether Xero says, around the records, that all is well."""
    status = outcome.get("Status")
    # Practice Manager declares no document type; one would bring entities, and texts that are not what they seem.
    name = _local_name(root.tag)
    is_answer = name == ROOT and root.getroottree().docinfo.internalDTD is None
    if is_answer and status == "OK":
        return
    if is_answer and status == "ERROR":
        raise ErrorReported(_shorten(outcome.get("ErrorDescription", "")))
    raise Unreadable(
        "Xero's answer is not one of Practice Manager's.",
        "If the next runs say the same, remove api_url from config.toml if it is there.",
        details=f"root {redact(name, WORDS)}, status {redact(status, WORDS)}",
    )


def _shorten(text: str) -> str:
    """Xero's own words on one line that a screen and an e-mail can hold."""
    line = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return line if len(line) <= LONGEST_DESCRIPTION else f"{line[:LONGEST_DESCRIPTION]}…"


def _make_plan(shape: RecordShape) -> _Plan:
    plan: _Plan = _ByLocalName()
    slots = {column: slot for slot, column in enumerate(shape.columns)}
    for path, column in shape.values.items():
        _branch(plan, path)[path.rpartition("/")[2]] = slots[column]
    for part in shape.lists:
        container, _, item = part.path.rpartition("/")
        _branch(plan, container)[container.rpartition("/")[2]] = _ListPlan(
            slots[part.column], item, _ByLocalName(part.values), dict.fromkeys(part.values.values())
        )
    return plan


def _branch(plan: _Plan, path: str) -> _Plan:
    """The part of `plan` in which the last element of `path` is planned; made on the way."""
    for element in path.split("/")[:-1]:
        branch = plan.setdefault(element, _ByLocalName())
        assert isinstance(branch, _ByLocalName)  # noqa: S101 - an element read as a text and as a parent is a bug
        plan = branch
    return plan


def _read(element: _Element, plan: _Plan, values: list[str | None]) -> None:
    """Put what `plan` names of the element's children into `values`.

    One pass with a look-up each, as there are a million children: a search for each field takes three times as long.
    """
    for child in element:
        step = plan[child.tag]
        if step is None:
            continue
        if isinstance(step, int):
            values[step] = child.text or None
        elif isinstance(step, _ListPlan):
            items = [_read_item(item, step) for item in child if _local_name(item.tag) == step.item]
            values[step.slot] = _to_json(items) if items else "[]"
        else:
            _read(child, step, values)


def _read_item(item: _Element, plan: _ListPlan) -> dict[str, str | None]:
    values, keys = plan.empty_item.copy(), plan.keys
    for child in item:
        key = keys[child.tag]
        if key is not None:
            values[key] = child.text or None
    return values


def _find_in_lists(
    element: _Element, shape: RecordShape, values: list[str | None], absent: AbstractSet[str]
) -> Iterator[str]:
    """Of the paths in `absent`, those of the lists of a record that have an item, and of what an item has."""
    for part, items in zip(shape.lists, values[len(shape.values) :], strict=True):
        if items and items != "[]":
            yield part.path
            for child in part.needed:
                path = f"{part.path}/{child}"
                if path in absent and element.find("/".join(f"{{*}}{name}" for name in path.split("/"))) is not None:
                    yield path


def _is_within(element: _Element, parents: Iterable[str]) -> bool:
    """Whether the elements around this one are `parents`, from the inside to the root."""
    around = element.getparent()
    for tag in parents:
        if around is None or _local_name(around.tag) != tag:
            return False
        around = around.getparent()
    return around is None


def _drop(element: _Element) -> None:
    """Free a record that has been read, and everything that came before it, in its list and before that."""
    element.clear()
    container = element.getparent()
    while container is not None:
        while element.getprevious() is not None:
            del container[0]
        element, container = container, container.getparent()


def _local_name(tag: object) -> str:
    """The name of an element without its namespace, which lxml writes before it in braces; an entity has none."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _words(error: XMLSyntaxError) -> str:
    """Where the parser stumbled. Not its message, which may quote a client's data."""
    return f"XML error at line {error.lineno}, column {error.offset}"
