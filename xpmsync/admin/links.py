"""Links between Active and XPM made by hand: they settle what a sync cannot tell.

What the next sync will do with them is foretold.
"""

from collections.abc import Mapping
from typing import Any, Final

from xpmsync.active import mirror
from xpmsync.active.clients import load_outlines, update_client
from xpmsync.active.users import update_user
from xpmsync.admin.centre import Centre, Outcome, count_clients, describe_client, describe_user, name_client, name_user
from xpmsync.admin.forecast import (
    NEXT_SYNC,
    count_clients_naming,
    explain_errors,
    explain_removal,
    find_staff_name,
    plan_next_clients,
    plan_next_users,
)
from xpmsync.errors import NotPossible
from xpmsync.records import User
from xpmsync.rules.reading import fold, read_legal_name

IN_XPM: Final = {"archived": "archived", "deleted": "deleted", "removed": "gone"}


def link_user(centre: Centre, email: str, staff_uuid: str, *, may_move: bool = False) -> Outcome:
    """Link a user to a staff member whom XPM lists, or names as the partner or manager of a client.

    `may_move` takes the link away from another user who has it.
    """
    user = centre.find_user(email)
    name = find_staff_name(centre, staff_uuid)
    if name is None:
        raise NotPossible(
            f"XPM has never told of a staff member with the id {staff_uuid}.",
            "Copy the id from the error log (xpmsync errors); if the entry is new in XPM, first run: xpmsync sync",
        )
    other = next((each for each in centre.users if each.xpm_staff_uuid == staff_uuid and each != user), None)
    if other and not may_move:
        raise NotPossible(
            f"The staff member {name} is linked to another user already, {describe_user(other)}.",
            f"If {describe_user(user)} is the right one, move the link: "
            f"xpmsync admin user link {name_user(user)} --xpm-staff {staff_uuid} --move",
        )
    links = {user.id: staff_uuid} | ({other.id: None} if other else {})
    remarks = _foretell_user(centre, user, staff_uuid, name, links)
    if user.xpm_staff_uuid == staff_uuid:
        return Outcome(f"{describe_user(user)} is linked to the staff member {name} already.", remarks=remarks)
    for each in (other, user):  # the link is let go of before it is given again
        if each:
            values = {"xpm_staff_uuid": links[each.id]}
            update_user(centre.database, each.id, values)
            centre.note("user", each.id, vars(each), values)
    if other:
        remarks += (f"{describe_user(other)} is no longer linked with XPM.",)
    return Outcome(f"{describe_user(user)} is now linked to the staff member {name}.", remarks=remarks)


def _foretell_user(
    centre: Centre, user: User, staff_uuid: str, name: str, links: dict[str, str | None]
) -> tuple[str, ...]:
    """What the next sync does when the users have these `links`; refuses a link that the sync would undo."""
    plan = plan_next_users(centre, links=links)
    listed = {row["uuid"] for row in mirror.load_listed_staff(centre.database)}
    former = user.xpm_staff_uuid if user.xpm_staff_uuid != staff_uuid else None
    remarks = []
    if staff_uuid not in listed:
        if former in listed or fold(user.email) in {fold(member.email) for member in plan.members.values()}:
            raise NotPossible(
                f"XPM no longer lists the staff member {name}, and lists {describe_user(user)} under another entry.",
                f"In XPM, give the clients that still name {name} another partner or job manager.",
            )
        remarks.append(f"{NEXT_SYNC}, the clients of {name} in XPM get this user as their partner or manager.")
        if user.status == "active":
            remarks += explain_removal(user, name)
    elif staff_uuid in plan.settlement.records:
        member = plan.members[staff_uuid]
        remarks.append(f"{NEXT_SYNC}, the user gets the name and address from XPM: {member.name}, {member.email}.")
        if user.status == "removed":
            remarks.append(
                f"The user is active again then, with the role {user.role}."
                if user.role
                else "The user is active again then."
            )
    remarks += explain_errors(plan.problems, staff_uuid)
    if former and former in plan.settlement.new:
        remarks.append(f"{find_staff_name(centre, former)}, who was linked until now, becomes a user of their own.")
    elif former and former not in listed and (count := count_clients_naming(centre, former)):
        remarks.append(
            f"XPM names {find_staff_name(centre, former)}, who was linked until now, as the partner of "
            f"{count_clients(count)}: "
            "choose another partner there, or they become errors."
        )
    return tuple(remarks)


def link_client(centre: Centre, code: str, client_uuid: str, *, may_move: bool = False) -> Outcome:
    """Link a client to another client of XPM than before, such as one that was re-created there.

    `may_move` takes the link away from another client of Active that has it.
    """
    client = centre.find_client(code)
    name = _find_client_name(centre, client_uuid)
    if name is None:
        raise NotPossible(
            f"XPM has never told of a client with the id {client_uuid}.",
            "Copy the id from the error log (xpmsync errors); if the client is new in XPM, first run: xpmsync sync",
        )
    others = (dict(row) for row in load_outlines(centre.database) if row["id"] != client["id"])
    other = next((each for each in others if each["xpm_client_uuid"] == client_uuid), None)
    if other and not may_move:
        raise NotPossible(
            f"XPM's client {name} is linked already, to Active's client {describe_client(other)}.",
            f"If {describe_client(client)} is the right one, move the link: "
            f"xpmsync admin client link {name_client(client)} --xpm-client {client_uuid} --move",
        )
    links = {client["id"]: client_uuid} | ({other["id"]: None} if other else {})
    remarks = _foretell_client(centre, client, client_uuid, links)
    if client["xpm_client_uuid"] == client_uuid:
        return Outcome(f"{describe_client(client)} is linked to {name} of XPM already.", remarks=remarks)
    for each in (other, client):  # the link is let go of before it is given again
        if each:
            values = {"xpm_client_uuid": links[each["id"]]}
            update_client(centre.database, each["id"], values)
            centre.note("client", each["id"], each, values)
    if other:
        remarks += (f"{describe_client(other)} is no longer linked with XPM.",)
    return Outcome(f"{describe_client(client)} is now linked to {name} of XPM.", remarks=remarks)


def _find_client_name(centre: Centre, client_uuid: str) -> str | None:
    """What to call a client that XPM ever told of."""
    for row in mirror.load_clients(centre.database, [client_uuid]):
        name = read_legal_name(row["name"], row["first_name"], row["last_name"]) or "the client without a name"
        return f"{name} ({row['client_code']})" if row["client_code"] else name
    return None


def _foretell_client(
    centre: Centre, client: Mapping[str, Any], client_uuid: str, links: Mapping[str, str | None]
) -> tuple[str, ...]:
    """What the next sync does when the clients have these `links`."""
    plan = plan_next_clients(centre, links=links)
    remarks = []
    if status := plan.statuses.get(client_uuid):
        remarks.append(f"In XPM, it is {IN_XPM[status]}: at the next sync, the client is {status} and keeps its data.")
    elif client_uuid in plan.settlement.records:
        remarks.append(f"{NEXT_SYNC}, the client gets what XPM tells of it.")
        if client["status"] != "active":
            remarks.append("The client is active again then.")
    remarks += explain_errors(plan.problems, client_uuid)
    former = client["xpm_client_uuid"]
    if former in plan.settlement.new:
        remarks.append(
            f"{_find_client_name(centre, former)}, which was linked until now, is still in XPM: "
            "it becomes a client of its own."
        )
    return tuple(remarks)
