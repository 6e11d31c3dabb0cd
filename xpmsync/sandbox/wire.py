"""XML as Practice Manager sends it: compact, in the recorded order, with every recorded form of "nothing here".

Responsible for bytes: values in, XML out. Refuses to know which clients belong into an answer and what HTTP is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from xpmsync.sandbox.practice import BASE_ELEMENTS, DETAIL_ELEMENTS, STAFF_ELEMENTS, Client, Content, Group, Staff

Detail = Literal["paged", "plain", "detailed"]
_CHUNK_BYTES: Final = 256 * 1024
_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>'

_SPECIAL: Final = re.compile("[&<>\r]")
_CLOSED: Final = re.compile(rb"</\w+>|/>")
_ITEM_NAMES: Final = {
    "Contacts": "Contact",
    "Notes": "Note",
    "Groups": "Group",
    "Relationships": "Relationship",
    "Clients": "Client",
}
_MASKED_BUT_FOR: Final = 3


@dataclass(frozen=True)
class Form:
    """How elements are written; the part of the switches that rendered bytes depend on."""

    empty_elements: str = "mixed"
    uuid_last: bool = False


@dataclass(frozen=True)
class Document:
    """An XML answer in pieces, so that 50 MB are never joined.

    What stands before the records, the records in their container, and what stands after them.
    """

    before: bytes
    records: Sequence[bytes] = ()
    after: bytes = b""
    container: str = ""  # empty where the answer is not a list

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of a good size for a socket."""
        opening, closing = self._container_tags()
        collected = [self.before, opening]
        size = 0
        for record in self.records:
            collected.append(record)
            size += len(record)
            if size >= _CHUNK_BYTES:
                yield b"".join(collected)
                collected, size = [], 0
        yield b"".join([*collected, closing, self.after])

    def size(self) -> int:
        """The number of bytes."""
        return sum(map(len, (self.before, *self._container_tags(), *self.records, self.after)))

    def with_line_breaks(self) -> "Document":
        """The same document with a line break after each closed element."""
        before, after, *records = (_CLOSED.sub(rb"\g<0>\n", part) for part in (self.before, self.after, *self.records))
        return replace(self, before=before, records=records, after=(b"\n" if self.container else b"") + after)

    def with_declaration(self) -> "Document":
        """The same document after an XML declaration."""
        return replace(self, before=_DECLARATION + self.before)

    def _container_tags(self) -> tuple[bytes, bytes]:
        if not self.container:
            return b"", b""
        if not self.records:
            return f"<{self.container} />".encode(), b""
        return f"<{self.container}>".encode(), f"</{self.container}>".encode()

    def content(self) -> bytes:
        """All bytes in one."""
        return b"".join(self.pieces())

    def with_records(self, records: Sequence[bytes]) -> "Document":
        """The same document around other records."""
        return replace(self, records=records)


@dataclass(frozen=True)
class _RenderedClient:
    """A client's XML in the parts from which the three kinds of list are put together."""

    form: Form
    head: bytes
    contacts: bytes
    details: bytes
    tail: bytes


def escape(text: str) -> str:
    """A text for use between tags. A carriage return becomes a reference: a parser would make a line feed of it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


class _Tags(dict[str, tuple[str, str, str, str]]):
    """An element's tags and its two forms without a text, made once for each name."""

    def __missing__(self, name: str) -> tuple[str, str, str, str]:
        self[name] = made = (f"<{name}>", f"</{name}>", f"<{name}></{name}>", f"<{name} />")
        return made


_TAGS: Final = _Tags()


def render_elements(elements: Iterable[tuple[str, Content]], *, self_closing: bool = False) -> str:
    """Elements in a row. An empty list is self-closing (`<Groups />`, recorded); an empty text has one of two forms.

    A list of 15,000 clients passes a million texts through here: hence the plain loop.
    """
    parts: list[str] = []
    for name, content in elements:
        opening, closing, pair, single = _TAGS[name]
        if isinstance(content, str):
            if not content:
                parts.append(single if self_closing else pair)
            elif _SPECIAL.search(content):
                parts.append(f"{opening}{escape(content)}{closing}")
            else:
                parts.append(f"{opening}{content}{closing}")
        elif isinstance(content, list):
            items = [(_ITEM_NAMES[name], item) for item in content]
            parts.append(f"{opening}{render_elements(items, self_closing=self_closing)}{closing}" if items else single)
        else:
            parts.append(f"{opening}{render_elements(content.items(), self_closing=self_closing)}{closing}")
    return "".join(parts)


def render_staff(staff: Staff, form: Form) -> bytes:
    """A staff member: the UUID first, in the recorded order."""
    elements = [
        ("UUID", staff.uuid),
        *((name, staff.elements[name]) for name in STAFF_ELEMENTS if name in staff.elements),
    ]
    return render_elements([("Staff", dict(elements))], self_closing=_self_closing(staff.uuid, form)).encode()


def render_client(client: Client, form: Form, detail: Detail, *, business_number: bool = True) -> bytes:
    """A client in one of three details. The bytes are kept on the client until it changes."""
    if detail == "paged" and not business_number:
        without = {name: content for name, content in client.elements.items() if name != "BusinessNumber"}
        parts = _render_parts(replace(client, elements=without), form)
        return parts.head + parts.tail
    rendered = client.rendered
    if not isinstance(rendered, _RenderedClient) or rendered.form != form:
        rendered = _render_parts(client, form)
        client.rendered = rendered
    if detail == "paged":
        return rendered.head + rendered.tail
    if detail == "plain":
        return rendered.head + rendered.contacts + rendered.tail
    return rendered.head + rendered.contacts + rendered.details + rendered.tail


def _render_parts(client: Client, form: Form) -> _RenderedClient:
    elements = client.elements
    if "TaxNumber" in elements:
        elements = elements | {"TaxNumber": _masked(elements["TaxNumber"])}
    self_closing = _self_closing(client.uuid, form)

    def render(names: Iterable[str]) -> str:
        return render_elements(
            [(name, elements[name]) for name in names if name in elements], self_closing=self_closing
        )

    uuid = f"<UUID>{client.uuid}</UUID>"
    return _RenderedClient(
        form,
        head=f"<Client>{'' if form.uuid_last else uuid}{render(BASE_ELEMENTS)}{client.extra}".encode(),
        contacts=render(("Contacts",)).encode(),
        details=render(DETAIL_ELEMENTS).encode(),
        tail=f"{uuid if form.uuid_last else ''}</Client>".encode(),
    )


def _masked(content: Content) -> Content:
    """Xero sends a tax number masked but for its last three characters (docs: `******123`)."""
    if not isinstance(content, str):
        return content
    return "*" * (len(content) - _MASKED_BUT_FOR) + content[-_MASKED_BUT_FOR:]


def render_group(group: Group, members: Sequence[Client] | None = None) -> bytes:
    """A group, with its members where one group was asked for."""
    content: dict[str, Content] = {"UUID": group.uuid, "Name": group.name, "Taxable": "Yes" if group.taxable else "No"}
    if members is not None:
        content["Clients"] = [{"UUID": member.uuid, "Name": member.name} for member in members]
    return render_elements([("Group", content)]).encode()


def render_list(name: str, records: Sequence[bytes], *, after: bytes = b"", api_method: str = "List") -> Document:
    """A list answer: the status, a container of records, and what follows it."""
    return Document(
        f'<Response api-method="{api_method}"><Status>OK</Status>'.encode(),
        records,
        after + b"</Response>",
        container=name,
    )


def render_one(record: bytes, *, web_url: str | None = None) -> Document:
    """An answer with a single record."""
    url = render_elements([("WebUrl", web_url)]) if web_url else ""
    return Document(f'<Response api-method="Get"><Status>OK</Status>{url}'.encode(), [record], b"</Response>")


def render_error(description: str, api_method: str = "Get") -> Document:
    """The error that comes with HTTP status 200 (recorded)."""
    content = render_elements([("Status", "ERROR"), ("ErrorDescription", description)])
    return Document(f'<Response api-method="{api_method}">{content}</Response>'.encode())


def _self_closing(uuid: str, form: Form) -> bool:
    if form.empty_elements == "mixed":
        return uuid.endswith(("0", "7"))
    return form.empty_elements == "self-closing"
