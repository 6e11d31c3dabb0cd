"""What the next sync will do, worked out by its own rules from the mirror: nobody is promised what will not be.

Changes nothing; what is not decided yet is handed in.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from xpmsync.active import mirror, synced_values
from xpmsync.active.clients import load_clients, load_outlines
from xpmsync.admin.session import AdminSession, Edit, describe_office, describe_user
from xpmsync.records import User
from xpmsync.rules.clients import OUTLINE_COLUMNS, ClientPlan, ClientRecord, plan_clients, read_client, read_status
from xpmsync.rules.issues import Issue
from xpmsync.rules.overwrite import compare
from xpmsync.rules.reading import read_name
from xpmsync.rules.staff import StaffPlan, plan_users

UNNAMED: Final = ("partner-missing", "no-active-default-partner")
"""What is wrong with a client that has no partner, neither in XPM nor by its office."""
NEXT_SYNC: Final = "At the next sync (xpmsync sync)"
AS_IT_IS: Final[Mapping[str, str | None]] = MappingProxyType({})


def plan_next_users(
    session: AdminSession, *, links: Mapping[str, str | None] = AS_IT_IS, without: User | None = None
) -> StaffPlan:
    """What becomes of the staff when some users have these `links`, and `without` is none any more."""
    users = [
        dataclasses.replace(each, xpm_staff_uuid=links.get(each.id, each.xpm_staff_uuid))
        for each in session.users
        if each != without
    ]
    return plan_users(mirror.load_listed_staff(session.database), users)


def plan_next_clients(
    session: AdminSession,
    *,
    links: Mapping[str, str | None] = AS_IT_IS,
    default_partners: Mapping[str, str | None] = AS_IT_IS,
    changed: ClientRecord | None = None,
) -> ClientPlan:
    """What becomes of the clients when some have these `links`, some offices these `default_partners`.

    And one client has `changed`.
    """
    records = [ClientRecord(*row) for row in load_outlines(session.database)]
    if changed:
        records = [changed if record.id == changed.id else record for record in records]
    return plan_clients(
        mirror.iterate_clients(session.database, OUTLINE_COLUMNS),
        [
            dataclasses.replace(record, xpm_client_uuid=links.get(record.id, record.xpm_client_uuid))
            for record in records
        ],
        session.load_directory(),
        {office["code"]: office["default_partner_id"] for office in session.offices} | dict(default_partners),
        session.default_office or "",
    )


@dataclass(frozen=True)
class Impact:
    """What follows from a change that is not made yet."""

    count: int
    """So much has to be agreed to: clients, links and values that it takes away, and what follows for a user."""
    sentences: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    """The values that it replaces."""


def preview_partner(session: AdminSession, client: Mapping[str, Any], *, office: str, is_chosen: bool) -> Impact | None:
    """What the next sync does to the partner of a client that is in this office; None where the client keeps them."""
    (row,) = load_outlines(session.database, ids=[client["id"]])
    changed = dataclasses.replace(ClientRecord(*row), office_code=office, is_partner_chosen=is_chosen)
    plan = plan_next_clients(session, changed=changed)
    found = next((uuid for uuid, record_id in plan.match_result.records.items() if record_id == client["id"]), None)
    names = {user.id: describe_user(user) for user in session.users}
    place = session.find_office(office)
    if found and plan.partners[found] == place["default_partner_id"] != client["partner_id"]:
        former, partner = names[client["partner_id"]], names[plan.partners[found]]
        follows = f"goes from {former} to {partner}, the default partner of {describe_office(place)}."
    elif any(each.code in UNNAMED and each.xpm_uuid == client["xpm_client_uuid"] for each in plan.issues):
        follows = f"is an error and keeps its data, as {describe_office(place)} has no active default partner."
    else:
        return None
    return Impact(1, (f"XPM names no partner for this client. {NEXT_SYNC}, it {follows}",))


def preview_default_partner(session: AdminSession, code: str, partner_id: str | None) -> Impact:
    """How many clients the next sync moves when the office gets this default partner, or none."""
    before = plan_next_clients(session)
    after = plan_next_clients(session, default_partners={code: partner_id})
    plan = after if partner_id else before
    records, settled = plan.match_result.records, plan.match_result.records.keys() | plan.match_result.new
    affected = {uuid for uuid in settled if before.partners.get(uuid) != after.partners.get(uuid)}
    clients = load_clients(session.database, [records[uuid] for uuid in affected if uuid in records])
    owners = Counter(clients[records[uuid]]["partner_id"] if uuid in records else None for uuid in affected)
    del owners[partner_id or ""]  # those who have this partner already
    sentences = list(_describe_moves(session, code, owners, partner_id))
    if partner_id is None:
        sentences.append("From the next sync on, a client of the office without a partner in XPM is an error.")
    return Impact(owners.total(), tuple(sentences) or ("No client gets another partner by this.",))


def _describe_moves(
    session: AdminSession, code: str, owners: Mapping[str | None, int], partner_id: str | None
) -> Iterator[str]:
    names = defaultdict(lambda: "a user who is gone", {user.id: describe_user(user) for user in session.users})
    for owner_id, count in sorted(owners.items(), key=lambda item: -item[1]):
        clients, has, it = ("client", "has", "it") if count == 1 else ("clients", "have", "they")
        if partner_id is None:
            is_error = "is an error and keeps its data" if count == 1 else "are errors and keep their data"
            follows = f"{it} {is_error}"
        elif owner_id is None:
            follows = f"{it} {'comes' if count == 1 else 'come'} into Active, to {names[partner_id]}"
        else:
            follows = f"{it} {'goes' if count == 1 else 'go'} from {names[owner_id]} to {names[partner_id]}"
        yield (
            f"{count:,} {clients} of {describe_office(session.find_office(code))} {has} no partner in XPM. "
            f"{NEXT_SYNC}, {follows}."
        )


def find_replaced(
    session: AdminSession, plan: ClientPlan, client: Mapping[str, Any], client_uuid: str
) -> dict[str, Any]:
    """What a client of Active holds now and will no longer, once it is linked to a client of XPM: column to value."""
    if client_uuid not in plan.match_result.records:
        return {}
    directory = session.load_directory()
    (row,) = mirror.load_clients(session.database, [client_uuid])
    told = read_client(row, plan.partners[client_uuid], directory).values
    changed = compare(client, told, synced_values.load_written(session.database, client["id"]))
    return {column: value for column, value in changed.items() if client[column] is not None}


def find_staff_name(session: AdminSession, staff_uuid: str) -> str | None:
    """What to call a staff member whom XPM ever told of."""
    staff = mirror.find_staff(session.database, staff_uuid)
    return (read_name(staff["name"]) or f"without a name ({staff_uuid})") if staff else None


def count_clients_naming(session: AdminSession, staff_uuid: str) -> int:
    """How many live clients of XPM name a staff member as their partner."""
    rows = mirror.iterate_clients(
        session.database, ("account_manager_uuid", "is_archived", "is_deleted", "vanished_at")
    )
    return sum(row["account_manager_uuid"] == staff_uuid and read_status(row) == "active" for row in rows)


def explain_errors(issues: Iterable[Issue], xpm_uuid: str) -> list[str]:
    """What will still be in the way."""
    return [
        f"{NEXT_SYNC}, an error remains: {issue.message} {issue.suggestion}"
        for issue in issues
        if issue.xpm_uuid == xpm_uuid and issue.severity == "error"
    ]


def explain_removal(user: User, name: str) -> tuple[str, str]:
    """What a link to a staff member whom XPM does not list does to an active user, and the way out."""
    way_out = f"add them in XPM, Business > Settings > Staff, as {user.name} with the address {user.email}"
    return (
        f"{NEXT_SYNC}, the user gets the status “removed” and can no longer use Active, as XPM does not list {name}.",
        f"If they still work for the firm, {way_out}: the sync recognises them by it.",
    )
