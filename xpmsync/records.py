"""The shape of a record as it travels from Xero's XML into the mirror, and what a user of Active is.

The rules say which elements are supported; the parser and the database follow the shape without knowing why.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

XPM, RULE = "XPM", "sync"
"""Who has made a change that a sync wrote: somebody in XPM, or a rule. A change that is made here has the account's
name."""

Record = tuple[str | None, ...]
"""One record's values in the order of its shape's `columns`: the element's text as it came, None where it is absent
or empty. A list is one value: JSON text, ``[]`` where Xero says that there is none, None where it says nothing."""


@dataclass(frozen=True)
class ListShape:
    """A repeated element within a record, such as a client's contacts."""

    path: str
    """From the record to the repeated element, such as ``Contacts/Contact``."""
    column: str
    values: Mapping[str, str]
    """Child element to key of the JSON object."""
    needed: tuple[str, ...] = ()
    """The child elements without which nothing is read of an item."""


@dataclass(frozen=True)
class RecordShape:
    """Which elements of a record are read, and where they are kept."""

    path: str
    """From the answer's root to the record, such as ``Clients/Client``."""
    values: Mapping[str, str]
    """Element (or path, ``AccountManager/UUID``) to column; the column `uuid` is the record's identity."""
    lists: tuple[ListShape, ...] = ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column, in the order of a Record."""
        return (*self.values.values(), *(part.column for part in self.lists))

    @cached_property
    def elements(self) -> Mapping[str, tuple[str, ...]]:
        """Each element that stands right within a record, or that a list needs, and the columns read from it."""
        columns: dict[str, tuple[str, ...]] = {}
        for path, column in (*self.values.items(), *((part.path, part.column) for part in self.lists)):
            element = path.partition("/")[0]
            columns[element] = (*columns.get(element, ()), column)
        return columns | {f"{part.path}/{child}": (part.column,) for part in self.lists for child in part.needed}

    def find_part(self, element: str) -> ListShape | None:
        """The list that needs an element, such as ``Contacts/Contact/Salutation``."""
        return next((part for part in self.lists if element.startswith(f"{part.path}/")), None)


def fingerprint(*shapes: RecordShape) -> str:
    """A short text that is another one as soon as any of the shapes is."""
    return hashlib.sha256(repr(shapes).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class User:
    """A user of Active."""

    id: str
    first_name: str
    last_name: str | None
    email: str
    role: str | None
    office_code: str | None
    status: str
    xpm_staff_uuid: str | None

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name or ''}".strip()
