"""From XPM's clients to Active's clients: who is synced, which record each becomes, who is refused and why.

Planned in two steps, so that 15,000 clients need little memory: `plan_clients` sees only what matching and the
partner rules need of each client; `read_client` then reads the supported fields of one client at a time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from xpmsync.rules.fields import CLIENT_FIELDS, MirrorRow, make_reader
from xpmsync.rules.matching import Claimant, Holder, Settlement, settle
from xpmsync.rules.problems import Problem, join_names, problem
from xpmsync.rules.reading import (
    find_groups_without_id,
    is_business_number,
    is_email_address,
    is_yes,
    primary_contacts,
    read_business_number,
    read_groups,
    read_identity,
    read_legal_name,
    read_name,
    read_text,
)
from xpmsync.rules.staff import Directory
from xpmsync.spelling import fold, make_key

OUTLINE_COLUMNS: Final = (
    "uuid",
    "name",
    "first_name",
    "last_name",
    "client_code",
    "business_number",
    "account_manager_uuid",
    "account_manager_name",
    "is_archived",
    "is_deleted",
    "vanished_at",
)
"""The mirror's columns that `plan_clients` reads."""

_read_own_fields: Final = make_reader(tuple(field for field in CLIENT_FIELDS if not field.is_looked_up))
"""The fields whose value is in the client's own record."""


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client of Active, as far as matching needs it."""

    id: str
    legal_name: str
    code: str | None
    abn: str | None
    office_code: str
    status: str
    xpm_client_uuid: str | None
    is_code_typed: bool
    """The code was typed by hand, not written by a sync."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live client of XPM, as far as matching needs it."""

    uuid: str
    legal_name: str | None
    code: str | None
    abn: str | None


@dataclass(frozen=True)
class ClientPlan:
    """What becomes of the clients."""

    settlement: Settlement
    partners: Mapping[str, str]
    """XPM client to the user who is their partner."""
    statuses: Mapping[str, str]
    """XPM client that is not live to the status its Active client gets."""
    former_partners: Mapping[str, int]
    """Staff member whom XPM no longer lists, but names as the partner of so many clients, and whose user is known."""
    skipped: int
    problems: tuple[Problem, ...]


def read_status(row: MirrorRow) -> str:
    """What XPM says of a client's life: gone from a full list, deleted (which beats archived), archived, or live."""
    if row["vanished_at"] is not None:
        return "removed"
    if is_yes(row["is_deleted"]):
        return "deleted"
    return "archived" if is_yes(row["is_archived"]) else "active"


def plan_clients(
    rows: Iterable[MirrorRow],
    records: Sequence[ClientRecord],
    directory: Directory,
    default_partners: Mapping[str, str | None],
    default_office: str,
) -> ClientPlan:
    """Decide for every client of XPM which record of Active it is, and whose client.

    `default_partners` maps every office to its default partner; new clients go to `default_office`.
    """
    candidates: dict[str, Candidate] = {}
    partners: dict[str, str] = {}
    statuses: dict[str, str] = {}
    problems: list[Problem] = []
    former_partners: Counter[str] = Counter()
    without_partner: list[Candidate] = []
    for row in rows:
        status, uuid = read_status(row), row["uuid"]
        assert uuid is not None  # noqa: S101 - the mirror's key
        if status != "active":
            statuses[uuid] = status
            continue
        candidate = Candidate(
            uuid,
            read_legal_name(row["name"], row["first_name"], row["last_name"]),
            read_text(row["client_code"]),
            read_business_number(row["business_number"]),
        )
        candidates[uuid] = candidate
        staff_uuid, staff_name = read_identity(row["account_manager_uuid"]), read_name(row["account_manager_name"])
        if candidate.legal_name is None:
            problems.append(_explain_nameless(candidate))
        elif staff_uuid is None and staff_name is None:
            without_partner.append(candidate)
        elif user_id := directory.find_user(staff_uuid):
            partners[uuid] = user_id
            if staff_uuid is not None and staff_uuid not in directory.listed:
                former_partners[staff_uuid] += 1
        else:
            problems.append(_explain_partner(candidate, staff_uuid, staff_name, directory))
    find_office = _office_rule(candidates, records, default_office)
    for candidate in without_partner:
        office = find_office(candidate)
        if default_partner := default_partners.get(office):
            partners[candidate.uuid] = default_partner
        else:
            code = "partner-missing" if office in default_partners else "office-missing"
            problems.append(problem(code, candidate.uuid, candidate.legal_name, office=office))
    records_by_id = {record.id: record for record in records}
    settlement = settle(
        [Claimant(each.uuid, make_key(each.code), each.uuid not in partners) for each in candidates.values()],
        [Holder(each.id, make_key(each.code), each.xpm_client_uuid, each.is_code_typed) for each in records],
        shared="client-code-shared",
        taken="client-code-taken",
        refuse_takeover=_takeover_rule(candidates, records_by_id),
    )
    problems.extend(_explain_rejections(settlement, candidates, records_by_id))
    skipped = len((candidates.keys() - partners.keys()) | settlement.rejections.keys())
    return ClientPlan(settlement, partners, statuses, former_partners, skipped, tuple(problems))


def _explain_nameless(candidate: Candidate) -> Problem:
    label = f"with the code {candidate.code}" if candidate.code else f"with the identifier {candidate.uuid}"
    return problem("client-without-name", candidate.uuid, None, label=label)


def _explain_partner(
    candidate: Candidate, staff_uuid: str | None, staff_name: str | None, directory: Directory
) -> Problem:
    return problem(
        directory.explain_missing(staff_uuid),
        candidate.uuid,
        candidate.legal_name,
        partner=staff_name or staff_uuid,
        partner_uuid=staff_uuid or "UUID",
    )


def _office_rule(
    candidates: Mapping[str, Candidate], records: Sequence[ClientRecord], default_office: str
) -> Callable[[Candidate], str]:
    """A client's office: that of the record it is linked to, or would take over; else the default office.

    A record that belongs to another live client is not taken over, even where its code has just moved here.
    """
    linked = {record.xpm_client_uuid: record.office_code for record in records if record.xpm_client_uuid}
    free = {make_key(record.code): record.office_code for record in records if record.xpm_client_uuid not in candidates}

    def find_office(candidate: Candidate) -> str:
        code_office = free.get(make_key(candidate.code), default_office) if candidate.code else default_office
        return linked.get(candidate.uuid, code_office)

    return find_office


def _takeover_rule(
    candidates: Mapping[str, Candidate], records: Mapping[str, ClientRecord]
) -> Callable[[str, str], str | None]:
    """When a client may take over the record that holds its code.

    A record set up by hand: unless the ABNs contradict. One whose XPM client is archived, deleted or gone: the client
    was re-created in XPM if the ABN is the same, or the name is the same and no ABN contradicts.
    """

    def refuse_takeover(uuid: str, record_id: str) -> str | None:
        candidate, record = candidates[uuid], records[record_id]
        record_abn = read_business_number(record.abn)
        both_have_abn = candidate.abn is not None and record_abn is not None
        contradicts = both_have_abn and candidate.abn != record_abn
        if record.xpm_client_uuid is None:
            return "abn-contradicts" if contradicts else None
        same_name = fold(record.legal_name) == fold(candidate.legal_name or "")
        is_same = not contradicts and (both_have_abn or same_name)
        return None if is_same else "code-held-by-former-client"

    return refuse_takeover


def _explain_rejections(
    settlement: Settlement, candidates: Mapping[str, Candidate], records: Mapping[str, ClientRecord]
) -> Iterable[Problem]:
    for uuid, rejection in settlement.rejections.items():
        candidate = candidates[uuid]
        code = rejection.code
        if rejection.holder_id and code == "client-code-taken":
            owner = records[rejection.holder_id].xpm_client_uuid
            if owner is not None and owner not in candidates:
                code = "code-held-by-former-client"
        yield problem(
            code,
            uuid,
            candidate.legal_name,
            code=candidate.code,
            others=join_names(
                (
                    candidates[each].legal_name or "a client without a name"
                    for each in rejection.sharers
                    if each != uuid
                ),
                len(rejection.sharers) - 1,
            ),
            holder=records[rejection.holder_id].legal_name if rejection.holder_id else "",
        )


@dataclass(frozen=True)
class ClientReading:
    """The supported fields of one live client."""

    values: dict[str, object]
    """Active's column to value, without the groups, and without what XPM does not tell."""
    groups: Mapping[str, str | None] | None
    """The groups it is in, UUID to name; None where XPM does not tell."""
    has_groups_without_id: bool
    """So it may be in more groups than `groups` has."""
    problems: tuple[Problem, ...]


def read_client(row: MirrorRow, partner_id: str, directory: Directory) -> ClientReading:
    """Read one client that is synced; looks up its manager, and gives what is odd about its values as warnings."""
    values = _read_own_fields(row)
    values["partner_id"] = partner_id
    values["manager_id"] = directory.find_user(read_identity(row["job_manager_uuid"]))
    unidentified = bool(find_groups_without_id(row["groups"]))
    return ClientReading(values, read_groups(row["groups"]), unidentified, tuple(_check_values(row, values)))


def _check_values(row: MirrorRow, values: Mapping[str, object]) -> Iterable[Problem]:
    uuid, name = row["uuid"], str(values["legal_name"])
    email, abn, number = values["email"], values["abn"], read_text(row["business_number"])
    if isinstance(email, str) and not is_email_address(email):
        yield problem("client-email-unusual", uuid, name, email=email)
    if number and abn is None:
        yield problem("business-number-unreadable", uuid, name, number=number)
    if isinstance(abn, str) and not is_business_number(abn):
        yield problem("business-number-check-digit", uuid, name, number=number)
    if values["manager_id"] is None:
        manager = read_name(row["job_manager_name"]) or read_identity(row["job_manager_uuid"])
        if manager:
            yield problem("manager-not-in-active", uuid, name, manager=manager)
    if unidentified := find_groups_without_id(row["groups"]):
        groups = join_names((group or "one without a name" for group in unidentified), len(unidentified))
        yield problem("group-without-id", uuid, name, groups=groups)
    if (count := len(primary_contacts(row["contacts"]))) > 1:
        yield problem("several-primary-contacts", uuid, name, count=count)
