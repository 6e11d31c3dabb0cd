"""Two users who are one person become one: the one who stays takes over what the other held.

Typically one was set up by hand, and a sync made the other under another address. What the next sync does is foretold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xpmsync.active import mirror
from xpmsync.active.clients import load_clients_of, update_client
from xpmsync.active.history import ChangeRow
from xpmsync.active.synced_values import rename_user
from xpmsync.active.users import delete_user, load_modules, move_former_staff, save_modules, update_user
from xpmsync.admin.impact import (
    NEXT_SYNC,
    count_clients_naming,
    explain_errors,
    explain_removal,
    find_staff_name,
    plan_next_users,
)
from xpmsync.admin.offices import find_offices_of, hand_over_offices
from xpmsync.admin.session import (
    AdminSession,
    Outcome,
    compare,
    count_clients,
    describe_office,
    describe_user,
    name_user,
)
from xpmsync.admin.users import is_notified, join_modules
from xpmsync.errors import InvalidRequest
from xpmsync.records import User
from xpmsync.rules.staff import StaffMember


@dataclass(frozen=True)
class Merger:
    """What becomes of two users."""

    duplicate: User
    survivor: User
    taken: dict[str, Any]
    """What the survivor takes over of role, office and link: column to value."""
    modules: tuple[str, ...]
    """The modules the survivor takes over."""
    notified: str | None
    """The new address to notify of trouble, where it was the duplicate's."""
    facts: tuple[tuple[str, str], ...]
    """What moves, for people."""
    remarks: tuple[str, ...]
    """What follows from it."""


def plan_merger(session: AdminSession, duplicate_email: str, survivor_email: str) -> Merger:
    """Work out what the survivor takes over; refuses where XPM lists the two as two people."""
    duplicate, survivor = session.find_user(duplicate_email), session.find_user(survivor_email)
    if duplicate == survivor:
        raise InvalidRequest(f"Both addresses are those of {describe_user(survivor)}.", "Name two users.")
    link, former = _choose_link(session, duplicate, survivor)
    modules = load_modules(session.database)
    wanted = {
        "role": survivor.role or duplicate.role,
        "office_code": survivor.office_code or duplicate.office_code,
        "xpm_staff_uuid": link,
    }
    taken = compare(vars(survivor), wanted)
    taken_modules = () if modules.get(survivor.id) else modules.get(duplicate.id, ())
    plan = plan_next_users(session, links={survivor.id: link}, without=duplicate)
    member = plan.members.get(link or "") if link in plan.match_result.records else None
    notified = (member.email if member else survivor.email) if is_notified(session, duplicate) else None
    _check_successor(session, duplicate, survivor, returns=bool(member) and survivor.status == "removed")
    facts = list(_describe_holdings(session, duplicate))
    if "role" in taken:
        facts.append(("Role", taken["role"]))
    if "office_code" in taken:
        facts.append(("Office", taken["office_code"]))
    if taken_modules:
        facts.append(("Modules", join_modules(taken_modules) or ""))
    if "xpm_staff_uuid" in taken:
        facts.append(("Link with XPM", find_staff_name(session, link or "") or ""))
    if notified:
        facts.append(("Notified of trouble", f"at {notified}"))
    remarks = [*_explain_merger(session, survivor, link, former, member), *explain_errors(plan.issues, link or "")]
    return Merger(duplicate, survivor, taken, taken_modules, notified, tuple(facts), tuple(remarks))


def merge_users(session: AdminSession, duplicate_email: str, survivor_email: str) -> Outcome:
    """Do what `plan_merger` says; the duplicate is removed, and its history stays."""
    merger = plan_merger(session, duplicate_email, survivor_email)
    database, duplicate, survivor = session.database, merger.duplicate, merger.survivor
    for client in load_clients_of(database, duplicate.id):
        values = {column: survivor.id for column in ("partner_id", "manager_id") if client[column] == duplicate.id}
        update_client(database, client["id"], values)
        session.note("client", client["id"], client, values)
    rename_user(database, duplicate.id, survivor.id)
    move_former_staff(database, duplicate.id, survivor.id)
    hand_over_offices(session, duplicate, survivor)
    delete_user(database, duplicate.id)  # first: its link and its address are free now
    if merger.taken:
        update_user(database, survivor.id, merger.taken)
        session.note("user", survivor.id, vars(survivor), merger.taken)
    if merger.modules:
        save_modules(database, survivor.id, merger.modules)
        session.note("user", survivor.id, {"modules": None}, {"modules": join_modules(merger.modules)})
    if duplicate.xpm_staff_uuid:  # whose entry in XPM it was is known as long as there is a history
        session.note("user", duplicate.id, vars(duplicate), {"xpm_staff_uuid": None})
    if merger.notified and merger.notified != session.notified:
        session.settings["notify.email"] = merger.notified
    session.changes += (
        ChangeRow("user", survivor.id, "updated", "merged_from", new_value=duplicate.id),
        ChangeRow("user", duplicate.id, "updated", "merged_into", duplicate.name, survivor.id),
    )
    return Outcome(f"{describe_user(duplicate)} is merged into {describe_user(survivor)}.")


def _choose_link(session: AdminSession, duplicate: User, survivor: User) -> tuple[str | None, str | None]:
    """The staff member whom the survivor is from now on, and the one whom nobody is any more.

    One whom a sync would link at its next run counts as linked. A staff member who is listed is the right one.
    """
    next_links = {user_id: uuid for uuid, user_id in plan_next_users(session).match_result.records.items()}
    other, own = (next_links.get(user.id, user.xpm_staff_uuid) for user in (duplicate, survivor))
    listed = mirror.load_listed_uuids(session.database)
    if own in listed and other in listed:
        raise InvalidRequest(
            f"XPM lists them as two people: {describe_user(duplicate)} and {describe_user(survivor)}.",
            "If they are one person, take one of the two off the staff list in XPM, and run: xpmsync sync",
        )
    return (other, own) if own is None or other in listed else (own, other)


def _check_successor(session: AdminSession, duplicate: User, survivor: User, *, returns: bool) -> None:
    """Nobody who is switched off becomes default partner or the one to notify, unless the next sync `returns` them."""
    if survivor.status == "active" or returns:
        return
    if find_offices_of(session, duplicate) or is_notified(session, duplicate):
        raise InvalidRequest(
            f"{describe_user(survivor)} cannot take over what {describe_user(duplicate)} holds: "
            f"the user's status is “{survivor.status}”.",
            f"Let the user use Active again first: xpmsync admin user activate {name_user(survivor)}",
        )


def _describe_holdings(session: AdminSession, user: User) -> Iterator[tuple[str, str]]:
    clients = load_clients_of(session.database, user.id)
    for label, column in (("As partner", "partner_id"), ("As manager", "manager_id")):
        if count := sum(client[column] == user.id for client in clients):
            yield label, count_clients(count)
    for office in find_offices_of(session, user):
        yield "As default partner", describe_office(office)


def _explain_merger(
    session: AdminSession, survivor: User, link: str | None, former: str | None, member: StaffMember | None
) -> Iterator[str]:
    if member:
        if (member.name, member.email) != (survivor.name, survivor.email):
            yield f"{NEXT_SYNC}, the user gets the name and address from XPM: {member.name}, {member.email}."
        if survivor.status == "removed":
            yield "The user is active again then."
    elif link and survivor.status == "active" and link != survivor.xpm_staff_uuid:
        yield from explain_removal(survivor, find_staff_name(session, link) or link)
    if former and (count := count_clients_naming(session, former)):
        yield (
            f"XPM still names the former entry of {find_staff_name(session, former)} as the partner of "
            f"{count_clients(count)}: choose another partner there, or they become errors."
        )
