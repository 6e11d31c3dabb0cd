"""The practice: staff, clients and groups as Practice Manager holds them, and every change a person there could make.

Responsible for the state and for when which part of a client changed. Refuses to know how any of it looks on the
wire, which changes Xero reports, and who may read it: it keeps the facts, others decide what to tell.

Values are given under Xero's own element names in lower case with underscores (`PostalPostCode` is
`postal_post_code`). A text is a text, `""` an element that is there without a text, `None` an element that is not
there at all, `True` and `False` are Yes and No.
"""

import copy
import difflib
import functools
import random
import re
import threading
import uuid as uuids
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from xpmsync.sandbox.clock import Clock

# An element's content: a text, elements within it, or a list of elements of one kind.
Content = str | Mapping[str, "Content"] | list[Mapping[str, "Content"]]
Elements = dict[str, Content]

# In the order of the recordings; those that only Xero's docs of 3.1 name stand where the docs have them.
_IDENTITY_ELEMENTS: Final = ("Name", "Title", "Gender", "FirstName", "LastName", "OtherName", "Email", "DateOfBirth")
_ADDRESS_ELEMENTS: Final = (
    *("Address", "City", "Region", "PostCode", "Country"),
    *("PostalAddress", "PostalCity", "PostalRegion", "PostalPostCode", "PostalCountry"),
    *("Phone", "Fax", "Website", "ReferralSource", "ExportCode", "IsArchived", "IsDeleted"),
    *("AccountManager", "JobManager", "Type", "BillingClient", "ClientCode"),
)
TAX_ELEMENTS: Final = (
    *("TaxNumber", "CompanyNumber", "BusinessNumber", "BusinessStructure", "BranchNumber", "BalanceMonth"),
    *("GSTRegistered", "GSTPeriod", "GSTBasis", "ProvisionalTaxBasis", "ProvisionalTaxRatio", "PrepareGST"),
    *("SignedTaxAuthority", "TaxAgent", "AgencyStatus", "ReturnType"),
    *("PrepareActivityStatement", "PrepareTaxReturn", "ActiveAtoClient"),
)
_MANAGER_ELEMENTS: Final = ("AccountManager", "JobManager")
BASE_ELEMENTS: Final = _IDENTITY_ELEMENTS + _ADDRESS_ELEMENTS + TAX_ELEMENTS
DETAIL_ELEMENTS: Final = ("Notes", "Groups", "Relationships")
_CONTACT_ELEMENTS: Final = (
    *("UUID", "Name", "Mobile", "Email", "Phone", "Position", "Salutation", "Addressee", "IsDeleted", "IsPrimary"),
)
STAFF_ELEMENTS: Final = ("Name", "Email", "Phone", "Mobile", "Address", "PayrollCode")
_NOTE_ELEMENTS: Final = ("Title", "Text", "Folder", "Date", "CreatedBy")
_RELATIONSHIP_ELEMENTS: Final = (
    "UUID",
    "Type",
    "RelatedClient",
    "NumberOfShares",
    "Percentage",
    "StartDate",
    "EndDate",
)

# What a client that somebody just typed in looks like in the recordings: these are there (up to ExportCode without a
# text), and Email is not.
_NEW_CLIENT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("Name", *_ADDRESS_ELEMENTS[:15]), ""),
    "IsArchived": "No",
    "IsDeleted": "No",
    **dict.fromkeys(("TaxNumber", "CompanyNumber", "BusinessNumber", "BranchNumber"), ""),
    "GSTRegistered": "No",
    "PrepareGST": "No",
    "SignedTaxAuthority": "No",
    "AgencyStatus": "Unlinked",
    "PrepareActivityStatement": "No",
    "PrepareTaxReturn": "No",
    "ActiveAtoClient": "No",
}


def _keyword(element: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", element).lower()


@dataclass(frozen=True)
class _Vocabulary:
    """The keywords of one kind of record and the elements they stand for."""

    kind: str
    elements: Mapping[str, str]

    def element(self, keyword: str) -> str:
        if keyword not in self.elements:
            close = difflib.get_close_matches(keyword, self.elements, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            hint += " (Any other element goes into 'extra', as XML.)" if self.kind == "client" else ""
            raise ValueError(f"A {self.kind} has no {keyword!r}.{hint}")
        return self.elements[keyword]


def _vocabulary(kind: str, elements: Sequence[str]) -> _Vocabulary:
    return _Vocabulary(kind, {_keyword(element): element for element in elements})


_CLIENT: Final = _vocabulary("client", (*BASE_ELEMENTS, "Contacts", *DETAIL_ELEMENTS))
_CONTACT: Final = _vocabulary("contact", _CONTACT_ELEMENTS)
_STAFF: Final = _vocabulary("staff member", STAFF_ELEMENTS)
_NOTE: Final = _vocabulary("note", _NOTE_ELEMENTS)
_RELATIONSHIP: Final = _vocabulary("relationship", _RELATIONSHIP_ELEMENTS)


@dataclass(slots=True)
class Staff:
    """A staff member; one who was deleted stays here, because clients still name them."""

    uuid: str
    elements: Elements
    disabled: bool = False
    deleted: bool = False
    renamed_at: float = 0.0

    @property
    def name(self) -> str:
        """The name, empty where there is none."""
        return str(self.elements.get("Name", ""))


@dataclass(slots=True)
class Group:
    """A client group. Its members are known from the clients."""

    uuid: str
    name: str
    taxable: bool = False
    renamed_at: float = 0.0


@dataclass(slots=True)
class Client:
    """A client, with the time of the last change of each part that Xero might or might not report."""

    uuid: str
    number: int  # the integer in Practice Manager's own web addresses
    elements: Elements
    extra: str = ""
    edited_at: float = 0.0
    contacts_changed_at: float = 0.0
    groups_changed_at: float = 0.0
    custom_fields_changed_at: float = 0.0
    rendered: object = field(default=None, repr=False, compare=False)  # whoever renders it keeps the result here

    @property
    def name(self) -> str:
        """The name, empty where there is none."""
        return str(self.elements.get("Name", ""))

    @property
    def archived(self) -> bool:
        """Whether it is flagged as archived."""
        return self.elements.get("IsArchived") == "Yes"

    @property
    def deleted(self) -> bool:
        """Whether it is flagged as deleted."""
        return self.elements.get("IsDeleted") == "Yes"


class Practice:
    """One practice. Every method may be called from any thread while the sandbox serves."""

    def __init__(self, name: str = "Kahikatea & Wattle Accountants") -> None:
        self.name = name
        self.tenant_id = str(uuids.uuid4())
        self.lock = threading.RLock()
        self.clock = Clock()
        self.staff: dict[str, Staff] = {}
        self.clients: dict[str, Client] = {}
        self.groups: dict[str, Group] = {}
        self._next_number = 10_000_370  # the first number in the recordings

    @classmethod
    def generate(cls, clients: int = 300, staff: int = 12, seed: int = 7) -> "Practice":
        """A believable practice with everything that hurts in it.

        The same numbers give the same practice, byte for byte, and the same tenant ID.
        """
        from xpmsync.sandbox.generate import fill_practice  # noqa: PLC0415 - it builds practices, so it imports this module

        practice = cls()
        chance = random.Random(f"{clients} clients, {staff} staff, seed {seed}")  # noqa: S311 - repeatable, not secret
        practice.tenant_id = str(uuids.UUID(int=chance.getrandbits(128), version=4))
        fill_practice(practice, clients=clients, staff=staff, seed=seed)
        return practice

    # Staff

    def add_staff(
        self, name: str | None = "", email: str | None = "", *, uuid: str | None = None, **values: Any
    ) -> str:
        """Add a staff member and return the UUID. Further values: phone, mobile, address, payroll_code."""
        with self.lock:
            _check_text("uuid", uuid or "")
            elements = _changed(
                dict.fromkeys(STAFF_ELEMENTS, ""), _read_staff({"name": name, "email": email, **values})
            )
            staff = Staff(uuid or str(uuids.uuid4()), elements)
            self.staff[staff.uuid] = staff
            return staff.uuid

    def edit_staff(self, uuid: str, **values: Any) -> None:
        """Change a staff member. A new name is seen at once on all clients that name this person."""
        with self.lock:
            staff = self._staff(uuid)
            old_name = staff.name
            staff.elements = _changed(staff.elements, _read_staff(values))
            if staff.name != old_name:
                staff.renamed_at = self.clock.now()
                self._rename_manager(uuid, staff.name)

    def disable_staff(self, uuid: str) -> None:
        """Take away the log-in of a staff member."""
        with self.lock:
            self._staff(uuid).disabled = True

    def enable_staff(self, uuid: str) -> None:
        """Give the log-in back."""
        with self.lock:
            self._staff(uuid).disabled = False

    def delete_staff(self, uuid: str) -> None:
        """Delete a staff member. The clients keep naming the person."""
        with self.lock:
            self._staff(uuid).deleted = True

    def recreate_staff(self, uuid: str) -> str:
        """Delete a staff member and type the same person in again.

        Returns the new UUID. Clients keep naming the old one.
        """
        with self.lock:
            former = self._staff(uuid)
            former.deleted = True
            fresh = Staff(str(uuids.uuid4()), dict(former.elements))
            self.staff[fresh.uuid] = fresh
            return fresh.uuid

    # Groups

    def add_group(self, name: str, *, uuid: str | None = None, taxable: bool = False) -> str:
        """Add a client group and return its UUID."""
        with self.lock:
            group = Group(uuid or str(uuids.uuid4()), name, taxable)
            self.groups[group.uuid] = group
            return group.uuid

    def rename_group(self, uuid: str, name: str) -> None:
        """Rename a group; its clients show the new name at once."""
        with self.lock:
            group = self._group(uuid)
            group.name = name
            group.renamed_at = self.clock.now()
            for client in self.clients.values():
                groups = client.elements.get("Groups", [])
                if isinstance(groups, list) and any(each["UUID"] == uuid for each in groups):
                    client.elements["Groups"] = [self._group_reference(str(each["UUID"])) for each in groups]
                    client.rendered = None

    def group_members(self, uuid: str) -> list[Client]:
        """The clients of a group, in the order of the client list."""
        with self.lock:
            self._group(uuid)
            return [client for client in self.clients.values() if uuid in self._group_uuids(client)]

    # Clients

    def add_client(self, name: str | None = "", *, uuid: str | None = None, extra: str = "", **values: Any) -> str:
        """Add a client and return the UUID.

        Elements that are not named are as Xero has them for a fresh client. Besides the elements: `account_manager` and
        `job_manager` (the UUID of a staff member, or a pair of UUID and name for someone the practice does not know),
        `groups` (UUIDs, or names, which are added when new), `contacts`, `notes`, `relationships` (lists of mappings),
        `type` and `billing_client` (a mapping), `tax_block=False` (none of the tax elements), `extra` (XML, put into
        the client as it is).
        """
        with self.lock:
            _check_text("extra", extra)
            _check_text("uuid", uuid or "")
            elements: Elements = {**_NEW_CLIENT, "Contacts": [], "Notes": [], "Groups": [], "Relationships": []}
            client = Client(uuid or str(uuids.uuid4()), self.take_number(), elements, extra)
            if not values.pop("tax_block", True):
                for element in TAX_ELEMENTS:
                    client.elements.pop(element, None)
            self._apply_to_client(client, {"name": name, **values})
            client.edited_at = self.clock.now()
            self.clients[client.uuid] = client
            return client.uuid

    def edit_client(self, uuid: str, *, extra: str | None = None, **values: Any) -> None:
        """Change a client. Takes the elements and the `extra` of `add_client`, which plays the part of a custom field.

        Whether Xero reports the change as a modification depends on what was changed, and on the switches.
        """
        with self.lock:
            client = self.client(uuid)
            _check_text("extra", extra or "")
            self._apply_to_client(client, values)
            now = self.clock.now()
            if extra is not None:
                client.extra = extra
                client.custom_fields_changed_at = now
            if "contacts" in values:
                client.contacts_changed_at = now
            if "groups" in values:
                client.groups_changed_at = now
            if values.keys() - {"contacts", "groups"}:
                client.edited_at = now
            client.rendered = None

    def archive_client(self, uuid: str) -> None:
        """Archive a client."""
        self.edit_client(uuid, is_archived=True)

    def restore_client(self, uuid: str) -> None:
        """Bring an archived or deleted client back."""
        self.edit_client(uuid, is_archived=False, is_deleted=False)

    def delete_client(self, uuid: str) -> None:
        """Delete a client: it stays in the full list, flagged."""
        self.edit_client(uuid, is_deleted=True)

    def vanish_client(self, uuid: str) -> None:
        """Take a client out of every list, without a trace."""
        with self.lock:
            self.client(uuid)
            del self.clients[uuid]

    def recreate_client(
        self,
        uuid: str,
        *,
        former: Literal["deleted", "archived", "vanished", "kept"] = "deleted",
    ) -> str:
        """Type a client in again, with everything it has, and return the new UUID; the former one is left as said."""
        leave = {"deleted": self.delete_client, "archived": self.archive_client, "vanished": self.vanish_client}
        if former not in (*leave, "kept"):
            raise ValueError(f"'former' is one of {', '.join(leave)} or kept, not {former!r}.")
        with self.lock:
            old = self.client(uuid)
            now = self.clock.now()
            elements = copy.deepcopy(old.elements) | {"IsArchived": "No", "IsDeleted": "No"}
            contacts = elements.get("Contacts")
            if isinstance(contacts, list):
                elements["Contacts"] = [{**contact, "UUID": str(uuids.uuid4())} for contact in contacts]
            fresh = Client(str(uuids.uuid4()), self.take_number(), elements, old.extra, edited_at=now)
            self.clients[fresh.uuid] = fresh
            if former != "kept":
                leave[former](uuid)
            return fresh.uuid

    def merge_clients(self, duplicate_uuid: str, into_uuid: str) -> None:
        """Merge one client into another.

        Leaves an archived client and no other trace, as users of other products report.
        """
        with self.lock:
            self.client(into_uuid)
            self.archive_client(duplicate_uuid)

    def client(self, uuid: str) -> Client:
        """The client with this UUID. Raises ValueError when there is none."""
        client = self.clients.get(uuid)
        if client is None:
            raise ValueError(f"There is no client {uuid!r}.")
        return client

    def take_number(self) -> int:
        """The next of the integers that Practice Manager gives its clients."""
        with self.lock:
            self._next_number += 37
            return self._next_number

    def modified_at(
        self,
        client: Client,
        *,
        contacts: bool,
        groups: bool,
        group_names: bool,
        staff_names: bool,
        custom_fields: bool,
    ) -> float:
        """When a client last changed, counting the named kinds of change besides its own elements."""
        times = [client.edited_at]
        if contacts:
            times.append(client.contacts_changed_at)
        if groups:
            times.append(client.groups_changed_at)
        if custom_fields:
            times.append(client.custom_fields_changed_at)
        if group_names:
            times += [self.groups[uuid].renamed_at for uuid in self._group_uuids(client) if uuid in self.groups]
        if staff_names:
            for element in _MANAGER_ELEMENTS:
                reference = client.elements.get(element)
                if isinstance(reference, Mapping) and str(reference.get("UUID")) in self.staff:
                    times.append(self.staff[str(reference["UUID"])].renamed_at)
        return max(times)

    # Inside

    def _staff(self, uuid: str) -> Staff:
        staff = self.staff.get(uuid)
        if staff is None:
            raise ValueError(f"There is no staff member {uuid!r}.")
        return staff

    def _group(self, uuid: str) -> Group:
        group = self.groups.get(uuid)
        if group is None:
            raise ValueError(f"There is no group {uuid!r}.")
        return group

    @staticmethod
    def _group_uuids(client: Client) -> list[str]:
        groups = client.elements.get("Groups", [])
        return [str(each["UUID"]) for each in groups] if isinstance(groups, list) else []

    def _group_reference(self, uuid_or_name: str) -> dict[str, Content]:
        if uuid_or_name not in self.groups:
            if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid_or_name):
                raise ValueError(f"There is no group {uuid_or_name!r}.")
            same_name = [group.uuid for group in self.groups.values() if group.name == uuid_or_name]
            uuid_or_name = same_name[0] if same_name else self.add_group(uuid_or_name)
        group = self.groups[uuid_or_name]
        return {"UUID": group.uuid, "Name": group.name}

    def _staff_reference(self, value: Any) -> dict[str, Content]:
        match value:
            case str():
                return {"UUID": value, "Name": self._staff(value).name}
            case (str(uuid), str(name)) | {"uuid": str(uuid), "name": str(name)}:
                return {"UUID": uuid, "Name": name}
        raise ValueError(f"A manager is the UUID of a staff member, or a pair of UUID and name, not {value!r}.")

    def _rename_manager(self, uuid: str, name: str) -> None:
        for client in self.clients.values():
            for element in _MANAGER_ELEMENTS:
                reference = client.elements.get(element)
                if isinstance(reference, Mapping) and reference["UUID"] == uuid:
                    client.elements[element] = {"UUID": uuid, "Name": name}
                    client.rendered = None

    def _apply_to_client(self, client: Client, values: Mapping[str, Any]) -> None:
        read = {_CLIENT.element(keyword): self._read_of_client(keyword, value) for keyword, value in values.items()}
        client.elements = _changed(client.elements, read)

    def _read_of_client(self, keyword: str, value: Any) -> Content | None:
        lists: Mapping[str, Callable[[Any], Elements]] = {
            "groups": self._group_reference,
            "contacts": _read_contact,
            "notes": functools.partial(_read_nested, _NOTE),
            "relationships": functools.partial(_read_nested, _RELATIONSHIP),
        }
        if value is None:
            return None
        if keyword in lists:
            return [lists[keyword](each) for each in _listed(keyword, value)]
        if keyword in ("account_manager", "job_manager"):
            return self._staff_reference(value)
        if keyword in ("type", "billing_client"):
            return _read_mapping(keyword, value)
        return _read_text(keyword, value)


def _check_text(keyword: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{keyword!r} is a text, not {value!r}.")


def _listed(keyword: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{keyword!r} is a list, not {value!r}.")
    return value


def _read_mapping(keyword: str, value: Any) -> dict[str, Content]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{keyword!r} is a mapping of element names to texts, not {value!r}.")
    return {str(key): _read_text(key, text) or "" for key, text in value.items()}


def _read_text(keyword: object, value: Any) -> str | None:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"{keyword!r} is a text, true, false or null, not {value!r}.")


def _changed(elements: Elements, read: Mapping[str, Content | None]) -> Elements:
    """The elements with others put in; None takes one out."""
    return {element: content for element, content in {**elements, **read}.items() if content is not None}


def _read_staff(values: Mapping[str, Any]) -> dict[str, str | None]:
    return {_STAFF.element(keyword): _read_text(keyword, value) for keyword, value in values.items()}


def _read_nested(vocabulary: _Vocabulary, values: Any) -> Elements:
    if not isinstance(values, Mapping):
        raise TypeError(f"A {vocabulary.kind} is a mapping, not {values!r}.")
    read: Elements = {}
    for keyword, value in values.items():
        element = vocabulary.element(str(keyword))
        if isinstance(value, Mapping):
            read[element] = _read_mapping(str(keyword), value)
        elif (text := _read_text(keyword, value)) is not None:
            read[element] = text
    return read


def _read_contact(values: Any) -> Elements:
    """A contact as Xero has a fresh one, with the given values; `None` leaves an element out."""
    given = _read_nested(_CONTACT, values)
    left_out = {_CONTACT.element(str(keyword)) for keyword, value in values.items() if value is None}
    blank: Elements = {"UUID": str(uuids.uuid4()), "IsDeleted": "No", "IsPrimary": "No"}
    complete = dict.fromkeys(_CONTACT_ELEMENTS, "") | blank | given
    return {element: complete[element] for element in _CONTACT_ELEMENTS if element not in left_out}
