"""Links between Active and XPM made by hand: they settle what a sync cannot tell.

What the next sync will do with them is foretold first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from xpmsync.active import mirror
from xpmsync.active.clients import load_outlines, update_client
from xpmsync.active.history import ChangeRow
from xpmsync.active.users import forget_former_staff, load_former_staff, save_former_staff, update_user
from xpmsync.admin.impact import (
    NEXT_SYNC,
    Impact,
    count_clients_naming,
    explain_errors,
    explain_removal,
    find_replaced,
    find_staff_name,
    plan_next_clients,
    plan_next_users,
)
from xpmsync.admin.session import (
    AdminSession,
    Outcome,
    count_clients,
    describe_client,
    describe_user,
    name_client,
    name_user,
)
from xpmsync.errors import InvalidRequest
from xpmsync.records import User
from xpmsync.rules.clients import ClientPlan
from xpmsync.rules.reading import read_legal_name
from xpmsync.rules.staff import StaffPlan
from xpmsync.text import fold

IN_XPM: Final = {"archived": "archived", "deleted": "deleted", "removed": "gone"}


def preview_user(session: AdminSession, email: str, staff_uuid: str, *, may_move: bool = False) -> Impact:
    """What follows from `link_user`; refuses as it does."""
    link = _plan_user(session, email, staff_uuid, may_move=may_move)
    loss = [f"{describe_user(link.other)} loses the link with XPM."] if link.other else []
    sentences = (*loss, *_explain_user_link(session, link, staff_uuid))
    is_new = link.user.xpm_staff_uuid != staff_uuid
    return Impact(len(sentences) * is_new, sentences)


def link_user(session: AdminSession, email: str, staff_uuid: str, *, may_move: bool = False) -> Outcome:
    """Link a user to a staff member whom XPM lists, or names as the partner or manager of a client.

    `may_move` takes the link away from another user who has it.
    """
    link = _plan_user(session, email, staff_uuid, may_move=may_move)
    if link.user.xpm_staff_uuid == staff_uuid:
        return Outcome(f"{describe_user(link.user)} is linked to the staff member {link.name} already.")
    for each in (link.other, link.user):  # the link is let go of before it is given again
        if each:
            values = {"xpm_staff_uuid": link.links[each.id]}
            update_user(session.database, each.id, values)
            session.note("user", each.id, vars(each), values)
    forget_former_staff(session.database, staff_uuid)
    return Outcome(f"{describe_user(link.user)} is now linked to the staff member {link.name}.")


def preview_former_entry(session: AdminSession, email: str, staff_uuid: str) -> Impact:
    """What follows from `link_former_entry`; refuses as it does."""
    user, name = _find_former_entry(session, email, staff_uuid)
    holder_id = load_former_staff(session.database).get(staff_uuid)
    if holder_id == user.id:
        return Impact(0, ())
    loss = [f"{describe_user(session.users_by_id[holder_id])} no longer gets them."] if holder_id else []
    gain = f"{NEXT_SYNC}, the clients that name {name} get this user as their partner or manager."
    return Impact(1, (gain, *loss, f"This holds as long as XPM does not list {name}."))


def link_former_entry(session: AdminSession, email: str, staff_uuid: str) -> Outcome:
    """Let an entry that XPM does not list lead to a user, too, whose own link stays."""
    user, name = _find_former_entry(session, email, staff_uuid)
    if load_former_staff(session.database).get(staff_uuid) == user.id:
        return Outcome(f"{describe_user(user)} is linked to the former entry {name} already.")
    save_former_staff(session.database, staff_uuid, user.id)
    session.changes.append(ChangeRow("user", user.id, "linked", "former_staff", new_value=staff_uuid))
    return Outcome(f"{describe_user(user)} is now linked to the former entry {name}, too.")


def _find_former_entry(session: AdminSession, email: str, staff_uuid: str) -> tuple[User, str]:
    """The user and the entry's name; refuses an entry that XPM lists, or that a user is linked to."""
    user, name = session.find_user(email), _find_name(session, staff_uuid)
    if staff_uuid in mirror.load_listed_uuids(session.database):
        raise InvalidRequest(
            f"XPM lists the staff member {name}.",
            f"Link without --also: xpmsync admin user link {name_user(user)} --xpm-staff {staff_uuid}",
        )
    for other in session.users:
        if other.xpm_staff_uuid == staff_uuid:
            raise InvalidRequest(
                f"{describe_user(other)} is linked to the staff member {name}.",
                "Clients that name the entry are this user's already."
                if other == user
                else "If both users are one person, merge them: "
                f"xpmsync admin user merge {name_user(other)} --into {name_user(user)}",
            )
    return user, name


def _find_name(session: AdminSession, staff_uuid: str) -> str:
    """What to call a staff member; refuses one of whom XPM has never told."""
    name = find_staff_name(session, staff_uuid)
    if name is None:
        raise InvalidRequest(
            f"XPM has never told of a staff member with the id {staff_uuid}.",
            "Copy the id from the error log (xpmsync errors); if the entry is new in XPM, first run: xpmsync sync",
        )
    return name


@dataclass(frozen=True)
class _UserLink:
    """A link between a user and a staff member that can be made."""

    user: User
    name: str
    """The staff member's."""
    other: User | None
    """The user who loses the link."""
    links: dict[str, str | None]
    """What the links will be, by user."""
    plan: StaffPlan
    """What the next sync does with them."""


def _plan_user(session: AdminSession, email: str, staff_uuid: str, *, may_move: bool) -> _UserLink:
    """Find the two; refuses a link that somebody else has, or that the next sync would undo."""
    user = session.find_user(email)
    name = _find_name(session, staff_uuid)
    other = next((each for each in session.users if each.xpm_staff_uuid == staff_uuid and each != user), None)
    if other and not may_move:
        raise InvalidRequest(
            f"The staff member {name} is linked to another user already, {describe_user(other)}.",
            f"If {describe_user(user)} is the right one, move the link: "
            f"xpmsync admin user link {name_user(user)} --xpm-staff {staff_uuid} --move",
        )
    links = {user.id: staff_uuid} | ({other.id: None} if other else {})
    plan = plan_next_users(session, links=links)
    listed = mirror.load_listed_uuids(session.database)
    is_under_another_entry = user.xpm_staff_uuid in listed or fold(user.email) in {
        fold(member.email) for member in plan.members.values()
    }
    if staff_uuid not in listed and is_under_another_entry:
        raise InvalidRequest(
            f"XPM no longer lists the staff member {name}, and lists {describe_user(user)} under another entry.",
            f"In XPM, give the clients that still name {name} another partner or job manager; or, if both entries are "
            f"one person, run: xpmsync admin user link {name_user(user)} --xpm-staff {staff_uuid} --also",
        )
    return _UserLink(user, name, other, links, plan)


def _explain_user_link(session: AdminSession, link: _UserLink, staff_uuid: str) -> Iterator[str]:
    """What the next sync does."""
    user, name, plan = link.user, link.name, link.plan
    listed = mirror.load_listed_uuids(session.database)
    if staff_uuid not in listed:
        yield f"{NEXT_SYNC}, the clients of {name} in XPM get this user as their partner or manager."
        if user.status == "active":
            yield from explain_removal(user, name)
    elif staff_uuid in plan.match_result.records:
        member = plan.members[staff_uuid]
        yield f"{NEXT_SYNC}, the user gets the name and address from XPM: {member.name}, {member.email}."
        if user.status == "removed":
            yield (
                f"The user is active again then, with the role {user.role}."
                if user.role
                else "The user is active again then."
            )
    yield from explain_errors(plan.issues, staff_uuid)
    former = user.xpm_staff_uuid if user.xpm_staff_uuid != staff_uuid else None
    if former and former in plan.match_result.new:
        yield f"{find_staff_name(session, former)}, who was linked until now, becomes a user of their own."
    elif former and former not in listed and (count := count_clients_naming(session, former)):
        yield (
            f"XPM names {find_staff_name(session, former)}, who was linked until now, as the partner of "
            f"{count_clients(count)}: "
            "choose another partner there, or they become errors."
        )


def preview_client(session: AdminSession, code: str, client_uuid: str, *, may_move: bool = False) -> Impact:
    """What follows from `link_client`; refuses as it does."""
    link = _plan_client(session, code, client_uuid, may_move=may_move)
    loss = [f"{describe_client(link.other)} loses the link with XPM."] if link.other else []
    plan = plan_next_clients(session, links=link.links)
    edits = session.describe_edits(link.client, find_replaced(session, plan, link.client, client_uuid))
    is_new = link.client["xpm_client_uuid"] != client_uuid
    sentences = (*loss, *_explain_client_link(session, link, plan, client_uuid, replaces=bool(edits)))
    return Impact(len(loss) + len(edits) * is_new, sentences, edits)


def link_client(session: AdminSession, code: str, client_uuid: str, *, may_move: bool = False) -> Outcome:
    """Link a client to another client of XPM than before, such as one that was re-created there.

    `may_move` takes the link away from another client of Active that has it.
    """
    link = _plan_client(session, code, client_uuid, may_move=may_move)
    if link.client["xpm_client_uuid"] == client_uuid:
        return Outcome(f"{describe_client(link.client)} is linked to {link.name} of XPM already.")
    for each in (link.other, link.client):  # the link is let go of before it is given again
        if each:
            values = {"xpm_client_uuid": link.links[each["id"]]}
            update_client(session.database, each["id"], values)
            session.note("client", each["id"], each, values)
    return Outcome(f"{describe_client(link.client)} is now linked to {link.name} of XPM.")


@dataclass(frozen=True)
class _ClientLink:
    """A link between a client of Active and one of XPM that can be made."""

    client: dict[str, Any]
    name: str
    """That of XPM's client."""
    other: dict[str, Any] | None
    """The client of Active that loses the link."""
    links: dict[str, str | None]
    """What the links will be, by client."""


def _plan_client(session: AdminSession, code: str, client_uuid: str, *, may_move: bool) -> _ClientLink:
    """Find the two; refuses a link that another client has."""
    client = session.find_client(code)
    name = _find_client_name(session, client_uuid)
    if name is None:
        raise InvalidRequest(
            f"XPM has never told of a client with the id {client_uuid}.",
            "Copy the id from the error log (xpmsync errors); if the client is new in XPM, first run: xpmsync sync",
        )
    others = (dict(row) for row in load_outlines(session.database) if row["id"] != client["id"])
    other = next((each for each in others if each["xpm_client_uuid"] == client_uuid), None)
    if other and not may_move:
        raise InvalidRequest(
            f"XPM's client {name} is linked already, to Active's client {describe_client(other)}.",
            f"If {describe_client(client)} is the right one, move the link: "
            f"xpmsync admin client link {name_client(client)} --xpm-client {client_uuid} --move",
        )
    return _ClientLink(client, name, other, {client["id"]: client_uuid} | ({other["id"]: None} if other else {}))


def _find_client_name(session: AdminSession, client_uuid: str) -> str | None:
    """What to call a client that XPM ever told of."""
    for row in mirror.load_clients(session.database, [client_uuid]):
        name = read_legal_name(row["name"], row["first_name"], row["last_name"]) or "the client without a name"
        return f"{name} ({row['client_code']})" if row["client_code"] else name
    return None


def _explain_client_link(
    session: AdminSession, link: _ClientLink, plan: ClientPlan, client_uuid: str, *, replaces: bool
) -> Iterator[str]:
    """What the next sync does; the values that it `replaces` are told after it."""
    if status := plan.statuses.get(client_uuid):
        yield f"In XPM, it is {IN_XPM[status]}: at the next sync, the client is {status} and keeps its data."
    elif client_uuid in plan.match_result.records and link.client["status"] != "active":
        yield f"{NEXT_SYNC}, the client is active again."
    yield from explain_errors(plan.issues, client_uuid)
    former = link.client["xpm_client_uuid"]
    if former in plan.match_result.new:
        yield (
            f"{_find_client_name(session, former)}, which was linked until now, is still in XPM: "
            "it becomes a client of its own."
        )
    if replaces:
        yield f"{NEXT_SYNC}, the client gets what XPM tells of it, in place of what Active has:"
    elif client_uuid in plan.match_result.records:
        yield f"{NEXT_SYNC}, the client gets what XPM tells of it; nothing that Active has is replaced."
