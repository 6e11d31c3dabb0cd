"""What Active must hold: the design and the supported fields once more, in plain dictionaries, as simply as can be.

A second witness beside the tool, and its specification for newcomers: read `Model.hear` for what is kept of XPM's
words, `Model.derive` for what becomes of them. It knows fifteen clients at most, so it searches where the tool looks
up, and walks where the tool works out in rounds. It imports nothing of the tool.
"""

import copy
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# What XPM tells of a client: element to text, `AccountManager` and `JobManager` to their UUID and Name, `Contacts` and
# `Groups` to a list; what is empty is None, what is absent is absent.
Elements = dict[str, Any]

DEFAULT_OFFICE = "MAIN"
VALID_NUMBERS = {"51824753556", "53004085616", "9429041535110"}
"""Business numbers of the public registers; every other number of the histories has a wrong digit."""


# Reading: white space trimmed, inner runs of it folded in names; composed letters, and nothing that cannot be seen.


def cut(text: str | None) -> str | None:
    return re.sub(r"\A\s+|\s+\Z", "", text or "") or None


def trim(text: str | None) -> str | None:
    kept = ""
    for place, character in enumerate(told := drop_format(text or "", "\u200c\u200d")):
        if character not in "\u200c\u200d" or (is_letter(kept[-1:]) and is_letter(told[place + 1 : place + 2])):
            kept += character
    return cut(unicodedata.normalize("NFC", kept))


def squeeze(text: str | None) -> str | None:
    words = re.split(r"\s+", trim(text) or "")
    return cut(" ".join(word for word in words if any(map(can_be_seen, word))))


def same(text: str | None) -> str | None:
    """What codes, addresses and names are compared by."""
    plain = unicodedata.normalize("NFD", drop_format(text or ""))
    return cut(unicodedata.normalize("NFC", plain.casefold()))


def drop_format(text: str, kept: str = "") -> str:
    return "".join(each for each in text if each in kept or unicodedata.category(each) != "Cf")


def is_letter(character: str) -> bool:
    """Or a mark on one."""
    return bool(character) and unicodedata.category(character)[0] in "LM"


def can_be_seen(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in "\u3164\u2800"


def is_address(text: str) -> bool:
    before, at, after = text.partition("@")
    is_whole = bool(before and at) and all(after.split("."))
    return is_whole and not re.search(r"[\s@,;:<>]", before + after)


def digits(text: str | None) -> str | None:
    """An ABN or NZBN."""
    found = "".join(character for character in text or "" if character in "0123456789")
    return found if len(found) in (11, 13) else None


def lines(address: str | None) -> list[str | None]:
    """Three lines; the rest joins the third."""
    told = [line for line in map(trim, (address or "").split("\n")) if line]
    return [*told[:2], ", ".join(told[2:]) or None] if len(told) > 2 else [*told, None, None, None][:3]


def split_name(name: str) -> tuple[str, str | None]:
    first, _, last = name.partition(" ")
    return first, last or None


TEXTS = {
    "individual_title": ("Title", squeeze),
    "email": ("Email", trim),
    "telephone": ("Phone", trim),
    "fax": ("Fax", trim),
    "code": ("ClientCode", trim),
    "residential_address_suburb": ("City", trim),
    "residential_address_state": ("Region", trim),
    "residential_address_post_code": ("PostCode", trim),
    "postal_address_suburb": ("PostalCity", trim),
    "postal_address_state": ("PostalRegion", trim),
    "postal_address_post_code": ("PostalPostCode", trim),
    "abn": ("BusinessNumber", digits),
    "entity_type": ("BusinessStructure", squeeze),
    "individual_first_name": ("FirstName", squeeze),
    "individual_last_name": ("LastName", squeeze),
}
ADDRESSES = {"residential_address_line": "Address", "postal_address_line": "PostalAddress"}
WATCHED = ("Name", "Address", "PostalAddress", *(element for element, _ in TEXTS.values()))
"""The texts of which many clients must not be emptied at once."""
PEOPLE, LISTS, FLAGS = ("AccountManager", "JobManager"), ("Contacts", "Groups"), ("IsArchived", "IsDeleted")
PARTS = {("Contacts", "Salutation"), ("Contacts", "IsPrimary"), ("Groups", "UUID")}
"""Lists, and what nothing can be read of their items without."""
KNOWN: dict[str, set[Any]] = {
    "staff": {"Name", "Email"},
    "clients": {*WATCHED, *PEOPLE, *LISTS, *FLAGS, *PARTS},
}
"""The elements that are read of each kind of record, beside its UUID."""
SOURCES = {
    **{column: element for column, (element, _) in TEXTS.items()},
    **{f"{column}_{number}": element for column, element in ADDRESSES.items() for number in (1, 2, 3)},
    "individual_salutation": "Contacts",
    "manager_id": "JobManager",
    "groups": "Groups",
}
"""Column of Active that may be emptied to the element that it comes from."""
NEEDED = {"staff": {"Email": 3}, "clients": {"ClientCode": 20, "AccountManager": 20, "Name": 20}}
"""Those by which records are matched, and of how many records not all may lack them in a first sync."""


def find_name(told: Elements) -> str | None:
    return squeeze(told.get("Name")) or squeeze(f"{told.get('FirstName') or ''} {told.get('LastName') or ''}")


def find_person(told: Elements, element: str) -> tuple[str | None, str | None]:
    """UUID and name of the partner or manager that XPM names."""
    person = told.get(element) or {}
    return same(person.get("UUID")), squeeze(person.get("Name"))


def find_primaries(told: Elements) -> list[Mapping[str, str | None]]:
    return [
        contact
        for contact in told.get("Contacts", ())
        if same(contact.get("IsPrimary")) == "yes" and same(contact.get("IsDeleted")) != "yes"
    ]


def find_status(told: Elements) -> str:
    """Deleted beats archived."""
    if told.get("vanished"):
        return "removed"
    if same(told.get("IsDeleted")) == "yes":
        return "deleted"
    return "archived" if same(told.get("IsArchived")) == "yes" else "active"


# Active's records.


@dataclass(eq=False)
class Record:
    """A user or a client of Active."""

    id: str
    values: dict[str, str | None]
    """Every column but the status and the link."""
    xpm_uuid: str | None = None
    status: str = "active"
    groups: set[str] = field(default_factory=set)
    sent: dict[str, str | None] = field(default_factory=dict)
    """What XPM last sent; when it clears a value, Active's goes if it is this one, whoever typed it."""
    sent_groups: set[str] = field(default_factory=set)
    has_chosen_partner: bool = False
    """A client's partner was chosen by hand, and XPM has named none since."""

    def write(self, told: Mapping[str, str | None]) -> None:
        for column, value in told.items():
            current = self.values.get(column)
            if value is not None or current == self.sent.get(column):
                self.values[column] = value
            self.sent[column] = value

    def join(self, told: set[str]) -> None:
        self.groups = told | (self.groups - self.sent_groups)
        self.sent_groups = told


@dataclass(frozen=True)
class Key:
    """What is unique among the records of a kind, and the codes of the problems about it."""

    column: str
    shared: str
    taken: str


EMAIL = Key("email", "staff-email-shared", "staff-email-taken")
CODE = Key("code", "client-code-shared", "client-code-taken")
Judge = Callable[[str, Record], str | None]
"""Why somebody may not take a record over, or None."""


class Settling:
    """Who becomes which record, when everybody who wants a key of their own moves at once."""

    def __init__(
        self,
        key: Key,
        wants: Mapping[str, str | None],
        refused: set[str],
        records: Iterable[Record],
        judge: Judge,
        closed: Mapping[Record, str | None] = MappingProxyType({}),
    ) -> None:
        """`closed` are records without a key, which those who are new take over by another one."""
        self.key = key
        self.wants = wants
        self.records = list(records)
        self.judge = judge
        self.closed = closed
        self.own = {record.xpm_uuid: record for record in self.records if record.xpm_uuid in wants}
        self.rivals = self._find_rivals()
        self.staying = refused | self.rivals
        """Those who keep what they have, whatever they want."""
        self.issues = {uuid: code for uuid in wants if (code := self._explain(uuid))}

    def find_record(self, uuid: str) -> Record | None:
        """The record that somebody accepted keeps, or takes over; None for a new one."""
        return self.own.get(uuid) or self._find_takeover(uuid)

    def _find_rivals(self) -> set[str]:
        """Of those who want one key, the one who holds it keeps it, else the only one who is linked; else nobody."""
        rivals = set()
        for wanted in set(self.wants.values()) - {None}:
            wanting = [uuid for uuid, key in self.wants.items() if key == wanted]
            linked = [uuid for uuid in wanting if uuid in self.own]
            holding = [uuid for uuid in linked if self._key_of(self.own[uuid]) == wanted]
            best = holding or linked
            rivals |= set(wanting) - set(best if len(best) == 1 else ())
            if len(wanting) == 1:
                rivals -= set(wanting)
        return rivals

    def _explain(self, uuid: str) -> str | None:
        if uuid in self.rivals:
            return self.key.shared
        if uuid in self.staying:
            return None
        if self._can_move(uuid):
            is_clear = uuid in self.own or self._find_takeover(uuid) or not self._find_closed(uuid)
            return None if is_clear else "code-held-by-former-client"
        holder = self.find_holder(uuid)
        assert holder
        if uuid in self.own or holder.xpm_uuid in self.wants:
            return self.key.taken
        return self.judge(uuid, holder)

    def _can_move(self, uuid: str) -> bool:
        """Walk from one who wants a key to whoever holds it, and on to what that one wants."""
        walked = {uuid}
        while holder := self.find_holder(uuid):
            owner = holder.xpm_uuid
            if owner not in self.wants:
                return uuid not in self.own and self.judge(uuid, holder) is None
            if owner in self.staying or self._wanted(owner) == self._key_of(holder):
                return False
            if owner in walked:
                return True  # a circle: everybody in it moves
            walked.add(owner)
            uuid = owner
        return True

    def _find_takeover(self, uuid: str) -> Record | None:
        holder = self.find_holder(uuid)
        if holder and holder.xpm_uuid not in self.wants:
            return holder
        same_one = [record for record in self._find_closed(uuid) if self.judge(uuid, record) is None]
        return same_one[0] if len(same_one) == 1 else None

    def _find_closed(self, uuid: str) -> list[Record]:
        wanted = self._wanted(uuid)
        return [record for record, key in self.closed.items() if wanted and key == wanted]

    def find_holder(self, uuid: str) -> Record | None:
        """Who else holds what somebody wants."""
        wanted = self._wanted(uuid)
        for record in self.records:
            if wanted and self._key_of(record) == wanted and record is not self.own.get(uuid):
                return record
        return None

    def _wanted(self, uuid: str) -> str | None:
        """The key somebody will have; a code typed by hand stays where XPM has none."""
        record = self.own.get(uuid)
        column = self.key.column
        if self.wants[uuid] is None and record and record.values.get(column) != record.sent.get(column):
            return self._key_of(record)
        return self.wants[uuid]

    def _key_of(self, record: Record) -> str | None:
        return same(record.values.get(self.key.column))


Losses = dict[str | tuple[str, str], set[str]]
"""Who loses what: a kind of loss to UUIDs; or a kind of record and an element that all of them lack."""


@dataclass(frozen=True)
class Accepted:
    """What a person accepts of one sync, by its number."""

    is_full: bool
    losses: Losses = field(default_factory=dict)
    elements: set[tuple[str, str]] = field(default_factory=set)
    """Kind of record and element that XPM does not send."""


@dataclass(frozen=True)
class Limits:
    """From where on a loss stops a sync."""

    clients_percent: int
    clients_at_least: int
    staff_percent: int
    staff_at_least: int
    field_percent: int
    field_at_least: int


@dataclass(frozen=True)
class Answers:
    """What Xero answered in one run: UUID to what was told."""

    staff: dict[str, Elements]
    groups: dict[str, str | None]
    clients: dict[str, Elements]
    is_full: bool
    gone: Collection[str] = ()
    """Asked for one by one, and not known any more."""

    def find_absent(self, kind: str) -> set[Any]:
        """The elements that no record of a list has; none are missed in an empty list."""
        told = self.staff if kind == "staff" else self.clients
        if not told:
            return set()
        parts = {
            (name, part) for each in told.values() for name in LISTS for item in each.get(name, ()) for part in item
        }
        return KNOWN[kind] - {name for each in told.values() for name in each} - parts

    def find_unheard(self) -> set[Any]:
        """The parts of items of which no client has one, so that nothing is said of them."""
        return {(name, part) for name, part in PARTS if not any(each.get(name) for each in self.clients.values())}

    def is_complete(self, kind: str) -> bool:
        """Whether what no record of a list has is evidence."""
        return kind == "staff" or self.is_full


class Model:
    """XPM as far as Xero has told, and Active as it must be."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.staff: dict[str, Elements] = {}
        """Those whom the last list has."""
        self.known_staff: dict[str, Elements] = {}
        """All who were ever listed, as they last were."""
        self.clients: dict[str, Elements] = {}
        self.group_names: dict[str, str | None] = {}
        self.has_heard_of = {"staff": False, "clients": False}
        self.has_succeeded = False
        self.not_sent: dict[tuple[str, Any], int | None] = {}
        """Kind of record and element that the last full list came without, to the number of the first sync that noticed
        it; None where somebody has accepted it."""
        self.offices: dict[str, str | None] = {DEFAULT_OFFICE: None}
        """Code to default partner."""
        self.active_users: dict[str, Record] = {}
        self.former: dict[str, Record] = {}
        """Staff entry that was created again under another UUID to its user, who has its clients while it is away."""
        self.active_clients: dict[str, Record] = {}
        self.active_groups: dict[str, tuple[str, str]] = {}
        """XPM's UUID to id and name."""
        self.lost_rows: set[str] = set()
        """What led to a group that another program deleted, until a sync removes it."""
        self.lost_entries: dict[str, str] = {}
        """Former entry of the staff list to the user that another program deleted, until a sync removes it."""
        self.issues: set[tuple[str, str | None]] = set()
        """Code and XPM record."""

    # What Xero tells.

    def find_stale_code_holders(self, clients: Mapping[str, Elements]) -> list[str]:
        """Clients that seem to hold a code of one just told; they are asked for before the verdict.

        Of those archived or deleted the ones whose record somebody new could take over.
        """
        linked = {client.xpm_uuid for client in self.active_clients.values()}
        live = {uuid: told for uuid, told in clients.items() if find_status(told) == "active"}
        codes = {same(told.get("ClientCode")) for told in live.values()} - {None}
        new_codes = {same(told.get("ClientCode")) for uuid, told in live.items() if uuid not in linked} - {None}
        sought = {"active": codes, "archived": new_codes, "deleted": new_codes}
        return [
            uuid
            for uuid, told in self.clients.items()
            if uuid not in clients
            and (find_status(told) == "active" or uuid in linked)
            and same(told.get("ClientCode")) in sought.get(find_status(told), ())
        ]

    def judge(self, answers: Answers, accepted: Accepted | None) -> Losses | None:
        """All that a person must accept where the safety limits stop a sync; None where they let it pass."""
        wanted = accepted.losses if accepted else {}
        found, must_stop = {}, False
        for kind, (losers, is_too_much) in self._find_losses(answers, accepted).items():
            if is_too_much or (losers and kind in wanted):
                found[kind] = losers
                must_stop |= bool(losers - wanted.get(kind, set()))
        if not must_stop:
            must_stop = self._judge_active(answers, accepted, found)
        return found if must_stop else None

    def _judge_active(self, answers: Answers, accepted: Accepted | None, found: Losses) -> bool:
        """Whether the sync would empty too much in Active, whatever XPM says; added to what was `found`."""
        wanted, must_stop = accepted.losses if accepted else {}, False
        live = [uuid for uuid, told in self.clients.items() if find_status(told) == "active"]
        agreed = set()
        if answers.is_full:
            agreed = answers.find_absent("clients") - self._find_staying("clients", answers, accepted)
            agreed = {name if isinstance(name, str) else name[0] for name in agreed - answers.find_unheard()}
        for column, losers in self._find_emptied_columns(answers, accepted).items():
            kind, source = f"Active's {column}", SOURCES[column]
            if source in agreed:
                continue
            may_go = wanted.get(kind, set()) | wanted.get(source, set())
            limits = (self.limits.field_percent, self.limits.field_at_least)
            if _is_beyond(losers, live, *limits) or kind in wanted or source in wanted:
                found[kind] = losers
                must_stop |= bool(losers - may_go)
        return must_stop

    def _find_emptied_columns(self, answers: Answers, accepted: Accepted | None) -> dict[str, set[str]]:
        """Which clients, of those that are active now, the sync would leave without what they have."""
        after = copy.deepcopy(self)
        after.hear(answers, 0, accepted)
        after.derive({})
        found: dict[str, set[str]] = {}
        for before in self.active_clients.values():
            now = after.active_clients[before.id]
            for column in SOURCES if before.status == "active" else ():
                had, has = ((each.groups if column == "groups" else each.values.get(column)) for each in (before, now))
                if had and not has:
                    found.setdefault(column, set()).add(str(now.xpm_uuid))
        return found

    def _find_losses(self, answers: Answers, accepted: Accepted | None) -> dict[Any, tuple[set[str], bool]]:
        """Who would lose what, and whether those are too many."""
        limits = self.limits
        of_clients, of_fields = (
            (limits.clients_percent, limits.clients_at_least),
            (limits.field_percent, limits.field_at_least),
        )
        missing = self.staff.keys() - answers.staff.keys() - self._find_relinked(answers.staff)
        staff_limits = (limits.staff_percent, limits.staff_at_least)
        found = {"staff": (missing, _is_beyond(missing, self.staff, *staff_limits, is_list=True))}
        live = {uuid: told for uuid, told in self.clients.items() if find_status(told) == "active"}
        if answers.is_full:
            gone = live.keys() - answers.clients.keys()
            found["clients"] = (gone, _is_beyond(gone, live, *of_clients, is_list=True))
        kept = {uuid: (told, answers.clients[uuid]) for uuid, told in live.items() if uuid in answers.clients}
        closed = {uuid for uuid, (_, now) in kept.items() if find_status(now) != "active"}
        found["closed"] = (closed, _is_beyond(closed, live, *of_clients))
        is_judged = {name for name in KNOWN["clients"] if isinstance(name, str)} - (
            answers.find_absent("clients") if answers.is_full else self._find_staying("clients", answers, accepted)
        )
        for name in is_judged:
            emptied = {uuid for uuid, (before, now) in kept.items() if name in _find_emptied(before, now)}
            found[name] = (emptied, _is_beyond(emptied, live, *of_fields))
        if not self.has_succeeded:
            for kind, told in (("staff", answers.staff), ("clients", answers.clients)):
                for name in NEEDED[kind].keys() & answers.find_absent(kind):
                    found[kind, name] = ({"all"}, len(told) >= NEEDED[kind][name])
        return found

    def _find_relinked(self, staff: dict[str, Elements]) -> set[str | None]:
        """The staff whose user another one takes over, who is listed now."""
        readable, settling = self._settle_users(staff)
        places = [settling.find_record(uuid) for uuid in readable if uuid not in settling.issues]
        return {place.xpm_uuid for place in places if place}

    def _find_staying(self, kind: str, answers: Answers, accepted: Accepted | None) -> set[Any]:
        """The elements that are not sent, and whose values stay."""
        agreed = {name for of, name in accepted.elements if of == kind} if accepted else set()
        known = {name: number for (of, name), number in self.not_sent.items() if of == kind}
        absent = answers.find_absent(kind)
        if answers.is_complete(kind):
            return absent - agreed - {name for name, number in known.items() if number is None}
        return absent & {name for name, number in known.items() if number is not None}

    def find_accepted_elements(self, number: int) -> set[tuple[str, Any]]:
        """The elements that a sync of this number has warned of."""
        open_ = {element: first for element, first in self.not_sent.items() if first is not None}
        return {element for element, first in open_.items() if first <= number} if number in open_.values() else set()

    def hear(self, answers: Answers, number: int, accepted: Accepted | None = None) -> None:
        """Keep what was told. Contacts or groups that are absent were not told: what is known of them stays.

        So does what is known of an element that no record of a full list has, until somebody accepts it.
        """
        self.issues = set()
        self.has_succeeded = True
        staying = {kind: self._find_staying(kind, answers, accepted) for kind in KNOWN}
        absent = {kind: answers.find_absent(kind) for kind in KNOWN}
        for kind, told in (("staff", answers.staff), ("clients", answers.clients)):
            self.has_heard_of[kind] |= bool(told)
            if not self.has_heard_of[kind]:
                self.issues.add(("first-list-empty", kind))
        self.staff = {
            uuid: _keep(self.known_staff.get(uuid, {}), staying["staff"]) | told for uuid, told in answers.staff.items()
        }
        self.known_staff |= self.staff
        agreed = absent["clients"] - staying["clients"] if answers.is_full else set()
        unsaid = {name for name, _ in staying["clients"] & PARTS}
        for uuid, told in answers.clients.items():
            earlier = self.clients.get(uuid, {})
            # What is told of items says nothing without these parts; that there are none says it all.
            said = {name: each for name, each in told.items() if name not in unsaid or name not in earlier or not each}
            emptied = {name: [] for name in LISTS if name in agreed and name in earlier}
            self.clients[uuid] = _keep(earlier, {*LISTS} | staying["clients"]) | emptied | said
        vanished = self.clients.keys() - answers.clients.keys() if answers.is_full else answers.gone
        for uuid in vanished:
            self.clients[uuid]["vanished"] = True
        brought = [group for told in answers.clients.values() for group in told.get("Groups", ())]
        brought_names = {group["UUID"]: group.get("Name") for group in brought if group.get("UUID")}
        self.group_names |= brought_names | answers.groups
        for kind, told in (("staff", answers.staff), ("clients", answers.clients)):
            unheard = answers.find_unheard() if kind == "clients" else set()
            self._remember_not_sent(
                kind, bool(told), absent[kind], unheard, staying[kind], answers.is_complete(kind), number
            )
        self._warn_of_not_sent()

    def _remember_not_sent(
        self,
        kind: str,
        has_told: bool,
        absent: set[Any],
        unheard: set[Any],
        staying: set[Any],
        is_complete: bool,
        number: int,
    ) -> None:
        for name in KNOWN[kind] - absent if has_told else ():
            self.not_sent.pop((kind, name), None)
        for name in absent - unheard if is_complete else ():
            first = self.not_sent.setdefault((kind, name), number)
            self.not_sent[kind, name] = first if name in staying else None

    def _warn_of_not_sent(self) -> None:
        """One warning of those of which there are values, one of all others."""
        records = {
            "staff": self.staff.values(),
            "clients": [told for told in self.clients.values() if not told.get("vanished")],
        }
        for (kind, name), first in self.not_sent.items():
            if first is not None:
                has_values = any(_has_value(told, name) for told in records[kind])
                self._report("elements-no-longer-sent" if has_values else "elements-never-sent", None)

    def lose_group(self, uuid: str) -> None:
        """Another program deletes a group of Active: who was in it is in none any more."""
        group_id, _ = self.active_groups.pop(uuid)
        for client in self.active_clients.values():
            if group_id in client.groups:
                self.lost_rows.add(f"client_group_members.client_group_id {group_id}")
            client.groups.discard(group_id)

    def lose_user(self, user_id: str) -> None:
        """Another program deletes a user of Active: former entries of the staff list lead to nobody."""
        user = self.active_users.pop(user_id)
        self.lost_entries |= {uuid: user_id for uuid, holder in self.former.items() if holder is user}
        self.former = {uuid: holder for uuid, holder in self.former.items() if holder is not user}

    def find_dangling(self) -> set[str]:
        """What leads to a user or an office that another program has deleted: it stays, and counts as none."""
        links = [("offices.default_partner_id", user, self.active_users) for user in self.offices.values()]
        links += [
            ("users.office_code", user.values.get("office_code"), self.offices) for user in self.active_users.values()
        ]
        for client in self.active_clients.values():
            links += [
                ("clients.partner_id", client.values["partner_id"], self.active_users),
                ("clients.manager_id", client.values.get("manager_id"), self.active_users),
                ("clients.office_code", client.values["office_code"], self.offices),
            ]
        return {f"{column} {key}" for column, key, there in links if key and key not in there}

    # What becomes of it.

    def derive(self, ids: Mapping[str, str]) -> None:
        """Bring Active up to date. `ids` tells which id a new record got, by its UUID in XPM."""
        self._ids = ids
        self._derive_users()
        self._rename_groups()
        for client in self.active_clients.values():  # of a user whom another program deleted nothing is left
            client.has_chosen_partner &= client.values["partner_id"] in self.active_users
        self._derive_clients()
        for code, partner in self.offices.items():
            if partner in self.active_users and self.active_users[partner].status != "active":
                self._report("default-partner-not-active", code)
        self.issues |= {("reference-broken", reference) for reference in self.find_dangling()}
        self.issues |= {("leftovers-removed", reference) for reference in self.lost_rows}
        self.issues |= {("leftovers-removed", f"former_staff.user_id {user}") for user in self.lost_entries.values()}
        self.lost_rows, self.lost_entries = set(), {}

    def _settle_users(self, staff: dict[str, Elements]) -> tuple[dict[str, tuple[str, str]], Settling]:
        """Name and address of those who have both, and which user each of them is."""
        named = {uuid: (squeeze(told.get("Name")), trim(told.get("Email"))) for uuid, told in staff.items()}
        readable = {
            uuid: (name, email) for uuid, (name, email) in named.items() if name and email and is_address(email)
        }

        def judge(uuid: str, user: Record) -> str | None:
            if user.xpm_uuid in staff:
                return "staff-email-taken"
            name = " ".join(filter(None, (user.values["first_name"], user.values.get("last_name"))))
            # A new person must not inherit the role of one who has left.
            is_another = user.xpm_uuid and same(name) != same(readable[uuid][0])
            return "staff-email-held-by-former-user" if is_another else None

        wants = {uuid: same(email) for uuid, (_, email) in readable.items()}
        return readable, Settling(EMAIL, wants, set(), self.active_users.values(), judge)

    def _report_staff(self) -> None:
        for uuid, told in self.staff.items():
            name, email = squeeze(told.get("Name")), trim(told.get("Email"))
            if not name:
                self._report("staff-without-name", uuid)
            elif not email:
                self._report("staff-without-email", uuid)
            elif not is_address(email):
                self._report("staff-email-unusable", uuid)
            elif " " not in name:
                self._report("staff-name-one-word", uuid)

    def _derive_users(self) -> None:
        self._report_staff()
        readable, settling = self._settle_users(self.staff)
        for uuid, code in settling.issues.items():
            holder = settling.find_holder(uuid)
            is_colleague = code == EMAIL.taken and holder and holder.xpm_uuid in self.staff
            self._report("staff-email-of-colleague" if is_colleague else code, uuid)
        places = {uuid: settling.find_record(uuid) for uuid in readable if uuid not in settling.issues}
        for uuid, place in places.items():
            user = place or self._add(self.active_users, uuid, {"role": None, "office_code": None})
            name, email = readable[uuid]
            first_name, last_name = split_name(name)
            user.write({"first_name": first_name, "last_name": last_name, "email": email})
            if user.xpm_uuid and user.xpm_uuid != uuid:
                self.former[user.xpm_uuid] = user
            user.xpm_uuid = uuid
            if user.status == "removed":
                user.status = "active"
        for user in self.active_users.values():
            if user.xpm_uuid and user.xpm_uuid not in self.staff and user.status == "active":
                user.status = "removed"

    def _rename_groups(self) -> None:
        for uuid, (group_id, name) in self.active_groups.items():
            self.active_groups[uuid] = (group_id, squeeze(self.group_names.get(uuid)) or name)

    def _derive_clients(self) -> None:
        live = {uuid: told for uuid, told in self.clients.items() if find_status(told) == "active"}
        closed = self._find_closed()

        def judge(uuid: str, client: Record) -> str | None:
            told, abn, former_abn = (
                live[uuid],
                digits(live[uuid].get("BusinessNumber")),
                digits(client.values.get("abn")),
            )
            contradicts = abn and former_abn and abn != former_abn
            if client.xpm_uuid is None:
                return "abn-contradicts" if contradicts else None
            is_same = (abn and abn == former_abn) or same(find_name(told)) == same(client.values["legal_name"])
            # One that was given another code in XPM is another client.
            has_code = same(self.clients[client.xpm_uuid].get("ClientCode")) == same(told.get("ClientCode"))
            return None if is_same and has_code and not contradicts else "code-held-by-former-client"

        wants = {uuid: same(told.get("ClientCode")) for uuid, told in live.items()}
        partners = {
            uuid: partner
            for uuid, told in live.items()
            if (partner := self._find_partner(uuid, told, lambda uuid: self._find_place(uuid, live, closed, judge)))
        }
        refused = live.keys() - partners.keys()
        held_before = {client: client.values.get("code") for client in closed}
        for client in closed:
            client.values["code"] = None  # those who are alive come first
        keys = {client: same(code) for client, code in closed.items()}
        settling = Settling(CODE, wants, refused, self.active_clients.values(), judge, keys)
        for uuid, code in settling.issues.items():
            holder = settling.find_holder(uuid)
            is_former = code == CODE.taken and holder and holder.xpm_uuid and holder.xpm_uuid not in live
            self._report("code-held-by-former-client" if is_former else code, uuid)
        places = {uuid: settling.find_record(uuid) for uuid in partners if uuid not in settling.issues}
        taken_over = [place for place in places.values() if place]
        self._update_statuses(live, taken_over)
        for client in taken_over:
            client.values["code"] = held_before.get(client, client.values.get("code"))
        for uuid, place in places.items():
            client = place or self._add(self.active_clients, uuid, {"office_code": DEFAULT_OFFICE})
            client.write(self._read(uuid, live[uuid], partners[uuid]))
            client.has_chosen_partner &= find_person(live[uuid], "AccountManager") == (None, None)
            if client.has_chosen_partner:
                self._warn_of_chosen_partner(client)
            client.xpm_uuid, client.status = uuid, "active"
            if "Groups" in live[uuid]:
                told = self._find_groups(uuid, live[uuid]["Groups"])
                if not all(same(group.get("UUID")) for group in live[uuid]["Groups"]):
                    self._report("group-without-id", uuid)
                    told |= client.groups & client.sent_groups  # it may be these
                client.join(told)
        self._follow_codes({client: code for client, code in closed.items() if client not in taken_over}, held_before)

    def _warn_of_chosen_partner(self, client: Record) -> None:
        """One warning on a user who is not active any more; one whom XPM never listed is told by the id."""
        partner = self.active_users[str(client.values["partner_id"])]
        if partner.status != "active":
            self._report("chosen-partner-not-active", partner.xpm_uuid or partner.id)

    def _update_statuses(self, live: Mapping[str, Elements], taken_over: Collection[Record]) -> None:
        for client in self.active_clients.values():
            if client.xpm_uuid in self.clients and client.xpm_uuid not in live and client not in taken_over:
                client.status = find_status(self.clients[client.xpm_uuid])

    def _follow_codes(self, closed: Mapping[Record, str | None], held_before: Mapping[Record, str | None]) -> None:
        """Those archived or deleted get their code of XPM where nobody has it; of several, the one who had it."""
        for client in sorted(closed, key=lambda each: (same(held_before[each]) != same(closed[each]), each.xpm_uuid)):
            code = closed[client]
            others = {same(each.values.get("code")) for each in self.active_clients.values() if each is not client}
            client.values["code"] = None if same(code) in others else code
            client.sent["code"] = code

    def _find_closed(self) -> dict[Record, str | None]:
        """The clients archived or deleted in XPM, and their code there. A code typed while XPM has none stays."""
        found = {}
        for client in self.active_clients.values():
            told = self.clients.get(client.xpm_uuid or "", {})
            code = trim(told.get("ClientCode"))
            held = client.values.get("code")
            is_typed = held and client.sent.get("code") != held
            if find_status(told) in ("archived", "deleted") and (code or not is_typed):
                found[client] = code
        return found

    def _read(self, uuid: str, told: Elements, partner: str) -> dict[str, str | None]:
        """The supported fields of one client, and what is odd about them."""
        values = {column: read(told.get(element)) for column, (element, read) in TEXTS.items()}
        for column, element in ADDRESSES.items():
            values |= {f"{column}_{number}": line for number, line in enumerate(lines(told.get(element)), start=1)}
        manager_uuid, manager_name = find_person(told, "JobManager")
        manager = self._find_user(manager_uuid)
        if manager and manager_uuid not in self.staff:
            is_former = manager.xpm_uuid != manager_uuid
            self._report("former-entry-still-named" if is_former else "manager-no-longer-listed", manager_uuid)
        values |= {"legal_name": find_name(told), "partner_id": partner, "manager_id": manager and manager.id}
        primaries = find_primaries(told)
        if "Contacts" in told:
            values["individual_salutation"] = squeeze(primaries[0].get("Salutation")) if primaries else None
        email, number, abn = values["email"], trim(told.get("BusinessNumber")), values["abn"]
        odd = {
            "client-email-unusual": email and not is_address(email),
            "business-number-unreadable": number and not abn,
            "business-number-check-digit": abn and abn not in VALID_NUMBERS,
            "manager-not-in-active": (manager_uuid or manager_name) and not manager,
            "several-primary-contacts": len(primaries) > 1,
        }
        self._report_all({uuid: code} for code, is_so in odd.items() if is_so)
        return values

    def _find_partner(self, uuid: str, told: Elements, find_place: Callable[[str], Record | None]) -> str | None:
        """The user whose client it is; without one, or without a name, the client is not synced."""
        staff_uuid, staff_name = find_person(told, "AccountManager")
        if not find_name(told):
            self._report("client-without-name", uuid)
        elif not staff_uuid and not staff_name:
            return self._find_unnamed_partner(uuid, find_place(uuid))
        elif user := self._find_user(staff_uuid):
            if staff_uuid not in self.staff:
                is_former = user.xpm_uuid != staff_uuid
                self._report("former-entry-still-named" if is_former else "partner-no-longer-listed", staff_uuid)
            return user.id
        elif staff_uuid not in self.staff:
            self._report("partner-not-listed", uuid)
        elif not is_address(trim(self.staff[staff_uuid].get("Email")) or ""):
            self._report("partner-without-email", uuid)
        else:
            self._report("partner-not-in-active", uuid)
        return None

    def _find_unnamed_partner(self, uuid: str, place: Record | None) -> str | None:
        """The one chosen by hand, else the default partner of the office."""
        if place and place.has_chosen_partner:
            return place.values["partner_id"]
        office = str(place.values["office_code"]) if place else DEFAULT_OFFICE
        if office not in self.offices:
            self._report("office-missing", uuid)
            return None
        default_partner = self.offices[office]
        if default_partner not in self.active_users:
            self._report("partner-missing", uuid)
            return None
        has_it = place and place.values["partner_id"] == default_partner
        if has_it or self.active_users[default_partner].status == "active":
            return default_partner  # who has one who left keeps them
        self._report("no-active-default-partner", uuid)
        return None

    def _find_place(
        self, uuid: str, live: Mapping[str, Elements], closed: Mapping[Record, str | None], judge: Judge
    ) -> Record | None:
        """The record that it has, or that its code leads to: its office and partner count."""
        code = same(live[uuid].get("ClientCode"))
        for client in self.active_clients.values():
            if client.xpm_uuid == uuid:
                return client
        for client in self.active_clients.values():
            is_free = client.xpm_uuid not in live and client not in closed
            if code and same(client.values.get("code")) == code and is_free:
                return client
        former = [client for client, held in closed.items() if code and same(held) == code and not judge(uuid, client)]
        return former[0] if len(former) == 1 else None

    def _find_user(self, staff_uuid: str | None) -> Record | None:
        """The user linked to a staff member, else the active user with that staff member's address who is nobody's.

        An entry that is not listed leads to the user whose former entry it is.
        """
        if staff_uuid is None:
            return None
        email = trim(self.staff.get(staff_uuid, {}).get("Email")) or ""
        users = self.active_users.values()
        linked = [user for user in users if user.xpm_uuid == staff_uuid]
        free = [user for user in users if user.status == "active" and user.xpm_uuid is None]
        alike = [user for user in free if is_address(email) and same(user.values["email"]) == same(email)]
        former = self.former.get(staff_uuid) if staff_uuid not in self.staff else None
        return next(iter(linked + alike), former)

    def _find_groups(self, client_uuid: str, told: list[Elements]) -> set[str]:
        found = set()
        for uuid in filter(None, (same(group.get("UUID")) for group in told)):
            name = squeeze(self.group_names.get(uuid))
            if uuid not in self.active_groups and name:
                self.active_groups[uuid] = (self._name_new(uuid), name)
            if uuid in self.active_groups:
                found.add(self.active_groups[uuid][0])
            else:
                self._report("group-without-name", client_uuid)
        return found

    # Inside.

    def _add(self, records: dict[str, Record], uuid: str, values: dict[str, str | None]) -> Record:
        record = Record(self._name_new(uuid), values, uuid)
        records[record.id] = record
        return record

    def _name_new(self, uuid: str) -> str:
        """The id of a record that must be new."""
        known = {*self.active_users, *self.active_clients, *(group_id for group_id, _ in self.active_groups.values())}
        found = self._ids.get(uuid)
        return found if found and found not in known else f"a new record for {uuid}"

    def _report(self, code: str, uuid: str | None) -> None:
        self.issues.add((code, uuid))

    def _report_all(self, issues: Mapping[str, str] | Iterable[Mapping[str, str]]) -> None:
        for each in [issues] if isinstance(issues, Mapping) else issues:
            for uuid, code in each.items():
                self._report(code, uuid)


def _is_beyond(
    lost: Collection[str], everybody: Collection[str], percent: int, at_least: int, *, is_list: bool = False
) -> bool:
    is_emptied = is_list and len(lost) == len(everybody) > 0
    return is_emptied or (len(lost) >= at_least and len(lost) * 100 > len(everybody) * percent)


def _keep(earlier: Elements, names: Collection[str]) -> Elements:
    return {name: earlier[name] for name in names if name in earlier}


def _has_value(told: Elements, name: Any) -> bool:
    if name in PARTS:
        return any(trim(item.get(name[1])) for item in told.get(name[0], ()))
    value = told.get(name)
    texts = value.values() if isinstance(value, dict) else [value]
    return bool(value) if name in LISTS else any(cut(text) for text in texts)


def _find_emptied(before: Elements, now: Elements) -> set[str]:
    """The supported fields that were set and are empty now."""
    return {
        *(name for name in WATCHED if cut(before.get(name)) and not cut(now.get(name))),
        *(name for name in PEOPLE if find_person(before, name)[0] and not find_person(now, name)[0]),
        *(name for name in LISTS if before.get(name) and now.get(name) == []),
    }
