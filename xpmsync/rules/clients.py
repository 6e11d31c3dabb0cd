"""From XPM's clients to Active's clients: who is synced, which record each becomes, who is refused and why.

Planned in two steps, so that 15,000 clients need little memory: `plan_clients` sees only what matching and the
partner rules need of each client; `read_client` then reads the supported fields of one client at a time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from xpmsync.rules.fields import CLIENT_FIELDS, MirrorRow, make_reader
from xpmsync.rules.issues import CATALOGUE, Issue, issue, join_names
from xpmsync.rules.matching import Claimant, Holder, MatchResult, match
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
from xpmsync.text import fold, make_key

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
    partner_id: str
    status: str
    xpm_client_uuid: str | None
    is_code_typed: bool
    """The code was typed by hand, not sent by XPM."""
    is_partner_chosen: bool
    """The partner was chosen by hand."""


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

    match_result: MatchResult
    partners: Mapping[str, str]
    """XPM client to the user who is their partner."""
    statuses: Mapping[str, str]
    """XPM client that is not live to the status its Active client gets."""
    codes: Mapping[str, str | None]
    """Client of Active that is archived or deleted to the code it gets; None where another client has that code."""
    former_codes: Mapping[str, str | None]
    """XPM client that is not live to its code in XPM."""
    chosen: frozenset[str]
    """XPM clients without a partner in XPM whose partner was chosen by hand."""
    former_partners: Mapping[str, int]
    """Staff member whom XPM no longer lists, but names as the partner of so many clients, and whose user is known."""
    skipped: int
    issues: tuple[Issue, ...]


def read_status(row: MirrorRow) -> str:
    """What XPM says of a client's life: gone from a full list, deleted (which beats archived), archived, or live."""
    if row["vanished_at"] is not None:
        return "removed"
    if is_yes(row["is_deleted"]):
        return "deleted"
    return "archived" if is_yes(row["is_archived"]) else "active"


def read_partner(row: MirrorRow) -> tuple[str | None, str | None]:
    """UUID and name of the staff member whom XPM names as the partner; None and None where it names nobody."""
    return read_identity(row["account_manager_uuid"]), read_name(row["account_manager_name"])


def plan_clients(
    rows: Iterable[MirrorRow],
    records: Sequence[ClientRecord],
    directory: Directory,
    default_partners: Mapping[str, str | None],
    default_office: str,
) -> ClientPlan:
    """Decide for every client of XPM which record of Active it is, and whose client.

    `default_partners` maps every office to its default partner; new clients go to `default_office`. A default partner
    who is not active is given no clients, and keeps those that there are.
    """
    candidates: dict[str, Candidate] = {}
    partners: dict[str, str] = {}
    statuses: dict[str, str] = {}
    former_codes: dict[str, str | None] = {}
    issues: list[Issue] = []
    former_partners: Counter[str] = Counter()
    without_partner: list[Candidate] = []
    for row in rows:
        status, uuid = read_status(row), row["uuid"]
        assert uuid is not None  # noqa: S101 - the mirror's key
        if status != "active":
            statuses[uuid], former_codes[uuid] = status, read_text(row["client_code"])
            continue
        candidate = Candidate(
            uuid,
            read_legal_name(row["name"], row["first_name"], row["last_name"]),
            read_text(row["client_code"]),
            read_business_number(row["business_number"]),
        )
        candidates[uuid] = candidate
        staff_uuid, staff_name = read_partner(row)
        if candidate.legal_name is None:
            issues.append(_explain_nameless(candidate))
        elif staff_uuid is None and staff_name is None:
            without_partner.append(candidate)
        elif user_id := directory.find_user(staff_uuid):
            partners[uuid] = user_id
            if staff_uuid is not None and staff_uuid not in directory.listed:
                former_partners[staff_uuid] += 1
        else:
            issues.append(_explain_partner(candidate, staff_uuid, staff_name, directory))
    holders = [_make_holder(record, statuses, former_codes) for record in records]
    records_by_id = {record.id: record for record in records}
    refuse_takeover = _takeover_rule(candidates, records_by_id, former_codes)
    find_record = _record_rule(candidates, records_by_id, holders, refuse_takeover)
    chosen: set[str] = set()
    for candidate in without_partner:
        record = find_record(candidate)
        office = record.office_code if record else default_office
        found = _find_unnamed_partner(record, office, default_partners, directory)
        if found in CATALOGUE:
            issues.append(issue(found, candidate.uuid, candidate.legal_name, office=office))
            continue
        partners[candidate.uuid] = found
        if record and record.is_partner_chosen:
            chosen.add(candidate.uuid)
    match_result = match(
        [Claimant(each.uuid, make_key(each.code), each.uuid not in partners) for each in candidates.values()],
        holders,
        shared="client-code-shared",
        taken="client-code-taken",
        refuse_takeover=refuse_takeover,
    )
    issues.extend(_explain_rejections(match_result, candidates, records_by_id))
    taken_over = set(match_result.records.values())
    skipped = len((candidates.keys() - partners.keys()) | match_result.rejections.keys())
    codes = {
        each.id: former_codes[each.owner_uuid or ""] if each.id in match_result.following else None
        for each in holders
        if each.is_closed and each.id not in taken_over
    }
    synced = match_result.records.keys()
    return ClientPlan(
        match_result,
        partners,
        statuses,
        codes,
        former_codes,
        frozenset(chosen & synced),
        former_partners,
        skipped,
        tuple(issues),
    )


def _find_unnamed_partner(
    record: ClientRecord | None, office: str, default_partners: Mapping[str, str | None], directory: Directory
) -> str:
    """The partner of a client for whom XPM names none; else the code of the problem."""
    if record and record.is_partner_chosen:
        return record.partner_id
    if office not in default_partners:
        return "office-missing"
    default_partner = default_partners[office]
    if default_partner is None:
        return "partner-missing"
    keeps = record is not None and record.partner_id == default_partner
    return default_partner if keeps or default_partner in directory.active else "no-active-default-partner"


def _make_holder(record: ClientRecord, statuses: Mapping[str, str], former_codes: Mapping[str, str | None]) -> Holder:
    """A client of Active as matching sees it. A code typed by hand stays where XPM has none, archived or not."""
    owner = record.xpm_client_uuid
    xpm_code = former_codes.get(owner or "")
    stays = xpm_code is None and record.code is not None and record.is_code_typed
    is_closed = statuses.get(owner or "") in ("archived", "deleted") and not stays
    return Holder(record.id, make_key(record.code), owner, record.is_code_typed, is_closed, make_key(xpm_code))


def _explain_nameless(candidate: Candidate) -> Issue:
    label = f"with the code {candidate.code}" if candidate.code else f"with the identifier {candidate.uuid}"
    return issue("client-without-name", candidate.uuid, None, label=label)


def _explain_partner(
    candidate: Candidate, staff_uuid: str | None, staff_name: str | None, directory: Directory
) -> Issue:
    return issue(
        directory.explain_missing(staff_uuid),
        candidate.uuid,
        candidate.legal_name,
        partner=staff_name or staff_uuid,
        partner_uuid=staff_uuid or "UUID",
    )


def _record_rule(
    candidates: Mapping[str, Candidate],
    records: Mapping[str, ClientRecord],
    holders: Sequence[Holder],
    refuse_takeover: Callable[[str, str], str | None],
) -> Callable[[Candidate], ClientRecord | None]:
    """The record that a client is linked to, or would take over; its office and partner are the client's.

    A record that belongs to another live client is not taken over, even where its code has just moved here.
    """
    linked = {holder.owner_uuid: holder.id for holder in holders if holder.owner_uuid}
    free = [holder for holder in holders if holder.owner_uuid not in candidates]
    by_code = {holder.key: holder.id for holder in free if holder.key and not holder.is_closed}
    closed_of = defaultdict(list)
    for holder in free:
        if holder.is_closed:
            closed_of[holder.xpm_key].append(holder.id)

    def find_record(candidate: Candidate) -> ClientRecord | None:
        key = make_key(candidate.code)
        found = linked.get(candidate.uuid) or (by_code.get(key) if key else None)
        if found is None and key:
            same = [each for each in closed_of[key] if refuse_takeover(candidate.uuid, each) is None]
            found = same[0] if len(same) == 1 else None
        return records[found] if found else None

    return find_record


def _takeover_rule(
    candidates: Mapping[str, Candidate],
    records: Mapping[str, ClientRecord],
    former_codes: Mapping[str, str | None],
) -> Callable[[str, str], str | None]:
    """When a client may take over the record that holds its code.

    A record set up by hand: unless the ABNs contradict. One whose XPM client is archived, deleted or gone: the client
    was re-created in XPM if the ABN is the same, or the name is the same and no ABN contradicts; and if the former
    client has the same code in XPM now, since one that was given another code is another client.
    """

    def refuse_takeover(uuid: str, record_id: str) -> str | None:
        candidate, record = candidates[uuid], records[record_id]
        record_abn = read_business_number(record.abn)
        both_have_abn = candidate.abn is not None and record_abn is not None
        contradicts = both_have_abn and candidate.abn != record_abn
        if record.xpm_client_uuid is None:
            return "abn-contradicts" if contradicts else None
        same_name = fold(record.legal_name) == fold(candidate.legal_name or "")
        same_code = make_key(former_codes.get(record.xpm_client_uuid)) == make_key(candidate.code)
        is_same = same_code and not contradicts and (both_have_abn or same_name)
        return None if is_same else "code-held-by-former-client"

    return refuse_takeover


def _explain_rejections(
    match_result: MatchResult, candidates: Mapping[str, Candidate], records: Mapping[str, ClientRecord]
) -> Iterable[Issue]:
    linked = {record.xpm_client_uuid for record in records.values()}
    for uuid, rejection in match_result.rejections.items():
        candidate = candidates[uuid]
        code = rejection.code
        if rejection.holder_id and code == "client-code-taken":
            owner = records[rejection.holder_id].xpm_client_uuid
            if owner is not None and owner not in candidates:
                code = "code-held-by-former-client"
        yield issue(
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
            move=" --move" if uuid in linked else "",
        )


@dataclass(frozen=True)
class ClientReading:
    """The supported fields of one live client."""

    values: dict[str, object]
    """Active's column to value, without the groups, and without what XPM does not tell."""
    groups: Mapping[str, str | None] | None
    """The groups it is in, UUID to name; None where XPM does not tell."""
    former_manager: str | None
    """The staff member whom XPM names as the job manager and no longer lists, if their user is known."""
    has_groups_without_id: bool
    """So it may be in more groups than `groups` has."""
    issues: tuple[Issue, ...]


def read_client(row: MirrorRow, partner_id: str, directory: Directory) -> ClientReading:
    """Read one client that is synced; looks up its manager, and gives what is odd about its values as warnings."""
    values = _read_own_fields(row)
    values["partner_id"] = partner_id
    manager = read_identity(row["job_manager_uuid"])
    values["manager_id"] = directory.find_user(manager)
    former_manager = manager if values["manager_id"] and manager not in directory.listed else None
    unidentified = bool(find_groups_without_id(row["groups"]))
    issues = tuple(_check_values(row, values))
    return ClientReading(values, read_groups(row["groups"]), former_manager, unidentified, issues)


def _check_values(row: MirrorRow, values: Mapping[str, object]) -> Iterable[Issue]:
    uuid, name = row["uuid"], str(values["legal_name"])
    email, abn, number = values["email"], values["abn"], read_text(row["business_number"])
    if isinstance(email, str) and not is_email_address(email):
        yield issue("client-email-unusual", uuid, name, email=email)
    if number and abn is None:
        yield issue("business-number-unreadable", uuid, name, number=number)
    if isinstance(abn, str) and not is_business_number(abn):
        yield issue("business-number-check-digit", uuid, name, number=number)
    if values["manager_id"] is None:
        manager = read_name(row["job_manager_name"]) or read_identity(row["job_manager_uuid"])
        if manager:
            yield issue("manager-not-in-active", uuid, name, manager=manager)
    if unidentified := find_groups_without_id(row["groups"]):
        groups = join_names((group or "one without a name" for group in unidentified), len(unidentified))
        yield issue("group-without-id", uuid, name, groups=groups)
    if (count := len(primary_contacts(row["contacts"]))) > 1:
        yield issue("several-primary-contacts", uuid, name, count=count)
