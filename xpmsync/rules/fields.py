"""The supported fields: one table of data for staff and one for clients.

The parser, the mirror, the mapping, the change log and the documentation follow these rows. To add a field, add a
row here and its columns in a migration (`xpmsync.active.migrations`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from xpmsync.records import ListShape, RecordShape
from xpmsync.rules.reading import (
    read_address_line,
    read_business_number,
    read_family_name,
    read_given_name,
    read_groups,
    read_identity,
    read_legal_name,
    read_name,
    read_salutation,
    read_text,
)

# What is read of each repeated element: child element to key.
LISTS: Mapping[str, Mapping[str, str]] = {
    "Contacts/Contact": {"Salutation": "salutation", "IsPrimary": "is_primary", "IsDeleted": "is_deleted"},
    "Groups/Group": {"UUID": "uuid", "Name": "name"},
}
NEEDED_IN_LISTS: Mapping[str, tuple[str, ...]] = {
    "Contacts/Contact": ("Salutation", "IsPrimary"),
    "Groups/Group": ("UUID",),
}
"""Without these no salutation and no group is read of a client, however many contacts and groups there are."""


@dataclass(frozen=True)
class Field:
    """One supported field: what it is in XPM, what it is in Active, and how the one is read from the other."""

    row: str
    """Its number in the published table; `+` for an addition of ours."""
    xpm_name: str
    """What XPM's screens call it."""
    elements: tuple[str, ...]
    """The API's elements, in the order in which `read` takes their texts."""
    column: str
    """Its column in Active's table."""
    active_name: str
    """What Active's screens call it."""
    read: Callable[..., object]
    is_looked_up: bool = False
    """What is read is the identity of a staff member or of groups, to be looked up among Active's own records."""

    @cached_property
    def mirror_columns(self) -> tuple[str, ...]:
        """Where the mirror keeps the texts of `elements`."""
        return tuple(_column(element) for element in self.elements)

    @cached_property
    def is_list(self) -> bool:
        """It is read from a repeated element, of which XPM may tell none, or nothing at all."""
        return self.elements[0] in LISTS


def _column(path: str) -> str:
    """The mirror's column for an element: ``AccountManager/UUID`` is kept in ``account_manager_uuid``."""
    if path in LISTS:
        path = path.partition("/")[0]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.replace("/", "_")).lower()


STAFF_FIELDS = (
    Field("1", "Name", ("Name",), "first_name", "First Name", read_given_name),
    Field("1", "Name", ("Name",), "last_name", "Last Name", read_family_name),
    Field("2", "Email", ("Email",), "email", "Email", read_text),
)

CLIENT_FIELDS = (
    Field("1", "Name", ("Name", "FirstName", "LastName"), "legal_name", "Legal Name", read_legal_name),
    Field("2", "Title", ("Title",), "individual_title", "Individual Title", read_name),
    Field("3", "Email", ("Email",), "email", "Contact Details – Email", read_text),
    Field("4", "Phone", ("Phone",), "telephone", "Contact Details – Telephone", read_text),
    Field("5", "Fax", ("Fax",), "fax", "Contact Details – Fax", read_text),
    Field("6", "Client Code", ("ClientCode",), "code", "Code", read_text),
    Field("7", "Partner", ("AccountManager/UUID",), "partner_id", "Partner", read_identity, is_looked_up=True),
    Field("8", "Job Manager", ("JobManager/UUID",), "manager_id", "Manager", read_identity, is_looked_up=True),
    *(
        Field(
            str(8 + line),
            f"Address {line}",
            ("Address",),
            f"residential_address_line_{line}",
            f"Residential Address line {line}",
            read_address_line(line),
        )
        for line in (1, 2, 3)
    ),
    Field("12", "City", ("City",), "residential_address_suburb", "Residential Address Suburb", read_text),
    Field("13", "Region", ("Region",), "residential_address_state", "Residential Address State", read_text),
    Field("+", "Post Code", ("PostCode",), "residential_address_post_code", "Residential Address Post Code", read_text),
    *(
        Field(
            str(13 + line),
            f"Postal Address {line}",
            ("PostalAddress",),
            f"postal_address_line_{line}",
            f"Postal Address line {line}",
            read_address_line(line),
        )
        for line in (1, 2, 3)
    ),
    Field("17", "Postal City", ("PostalCity",), "postal_address_suburb", "Postal Address Suburb", read_text),
    Field("18", "Postal Region", ("PostalRegion",), "postal_address_state", "Postal Address State", read_text),
    Field(
        "19", "Postal Post Code", ("PostalPostCode",), "postal_address_post_code", "Postal Address Post Code", read_text
    ),
    Field("20", "Group", ("Groups/Group",), "groups", "Client Group", read_groups, is_looked_up=True),
    Field("21", "Business Number", ("BusinessNumber",), "abn", "ABN", read_business_number),
    Field("22", "Business Structure", ("BusinessStructure",), "entity_type", "Entity Type", read_name),
    Field("23", "First Name", ("FirstName",), "individual_first_name", "Individual First Name", read_name),
    Field("24", "Last Name", ("LastName",), "individual_last_name", "Individual Last Name", read_name),
    Field(
        "25",
        "Contact Salutation",
        ("Contacts/Contact",),
        "individual_salutation",
        "Individual Salutation",
        read_salutation,
    ),
)

# Not fields themselves, but a record cannot be told, named or judged without them.
STAFF_ELEMENTS = ("UUID",)
CLIENT_ELEMENTS = ("UUID", "IsArchived", "IsDeleted", "AccountManager/Name", "JobManager/Name")


def _shape(path: str, elements: tuple[str, ...], fields: tuple[Field, ...]) -> RecordShape:
    paths = dict.fromkeys((*elements, *(element for field in fields for element in field.elements)))
    return RecordShape(
        path=path,
        values={path: _column(path) for path in paths if path not in LISTS},
        lists=tuple(
            ListShape(path, _column(path), LISTS[path], NEEDED_IN_LISTS[path]) for path in paths if path in LISTS
        ),
    )


STAFF_SHAPE = _shape("StaffList/Staff", STAFF_ELEMENTS, STAFF_FIELDS)
CLIENT_SHAPE = _shape("Clients/Client", CLIENT_ELEMENTS, CLIENT_FIELDS)
GROUP_SHAPE = RecordShape("Groups/Group", {"UUID": "uuid", "Name": "name"})


class MirrorRow(Protocol):
    """One record as the mirror keeps it: column to text."""

    def __getitem__(self, column: str, /) -> str | None:
        """The text of one column."""


def make_reader(fields: tuple[Field, ...]) -> Callable[[MirrorRow], dict[str, object]]:
    """What reads these fields of a mirrored record: Active's column to value.

    Worked out once for all records. Where a field has one text, an empty one is not read: half of a client's are empty.
    A list that XPM does not tell has no value, not even an empty one: a record just taken over keeps what it has.
    """
    joint = [(field.column, field.mirror_columns, field.read) for field in fields if len(field.elements) > 1]
    single = [field for field in fields if len(field.elements) == 1]
    texts = [(field.column, field.mirror_columns[0], field.read) for field in single if not field.is_list]
    lists = [(field.column, field.mirror_columns[0], field.read) for field in single if field.is_list]

    def read_record(row: MirrorRow) -> dict[str, object]:
        values = {column: read(*[row[source] for source in sources]) for column, sources, read in joint}
        for column, source, read in texts:
            text = row[source]
            values[column] = read(text) if text else None
        for column, source, read in lists:
            if (told := row[source]) is not None:
                values[column] = read(told)
        return values

    return read_record
