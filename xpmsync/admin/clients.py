"""Clients set up by hand, and what the administrator may change of those that XPM tells of."""

import shlex
import uuid
from collections.abc import Mapping
from typing import Any, Final

from xpmsync.active import mirror, synced_values
from xpmsync.active.clients import insert_clients, load_clients, load_clients_of, load_outlines, update_client
from xpmsync.active.error_log import find_issues
from xpmsync.active.groups import load_groups, load_memberships
from xpmsync.active.history import ChangeRow
from xpmsync.admin.history import list_changes
from xpmsync.admin.impact import Impact, preview_partner
from xpmsync.admin.session import (
    LABELS,
    AdminSession,
    Outcome,
    compare,
    count_clients,
    describe_client,
    describe_office,
    describe_user,
    name_client,
    name_user,
    nothing_to_change,
)
from xpmsync.errors import InvalidRequest
from xpmsync.rules.clients import read_client, read_partner, read_status
from xpmsync.text import fold

SEARCHED: Final = ("legal_name", "code", "abn", "email")
ISSUE_COLUMNS: Final = ("severity", "code", "field", "message", "suggestion", "first_seen_at", "times_seen")
LATEST_CHANGES: Final = 10


def list_clients(
    session: AdminSession, search: str | None = None, *, partner: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    """Every client by name; each condition narrows it, `search` to name, code, ABN or e-mail address."""
    partner_id = session.find_user(partner).id if partner is not None else None
    rows = load_clients(session.database, [row["id"] for row in load_outlines(session.database)]).values()
    clients = [
        _with_names(session, row)
        for row in rows
        if (search is None or any(fold(search) in fold(row[column] or "") for column in SEARCHED))
        and partner_id in (None, row["partner_id"])
        and status in (None, row["status"])
    ]
    return sorted(clients, key=lambda client: (fold(client["legal_name"]), client["id"]))


def _with_names(session: AdminSession, row: Mapping[str, Any]) -> dict[str, Any]:
    """A client as people and programs read it: with the names and e-mail addresses of its partner and manager."""
    partner, manager = session.users_by_id.get(row["partner_id"]), session.users_by_id.get(row["manager_id"])
    return {
        **{column: value for column, value in row.items() if column != "code_key"},
        "partner": partner and partner.name,  # who is gone where another program has deleted the user
        "partner_email": partner and partner.email,
        "manager": manager and manager.name,
        "manager_email": manager and manager.email,
    }


def describe_whole(session: AdminSession, client_id: str) -> dict[str, Any]:
    """Everything about one client: its fields, its groups, what is wrong with it now, and its latest changes."""
    client = _with_names(session, load_clients(session.database, [client_id])[client_id])
    names = {group["id"]: group["name"] for group in load_groups(session.database)}
    offices = {office["code"]: office["name"] for office in session.offices}
    memberships = load_memberships(session.database, [client_id]).get(client_id, frozenset())
    errors = [
        {column: row[column] for column in ISSUE_COLUMNS}
        for row in find_issues(session.database, entity="client")
        if row["xpm_uuid"] is not None and row["xpm_uuid"] == client["xpm_client_uuid"]
    ]
    return {
        **client,
        "office": offices.get(client["office_code"]),
        "groups": sorted(names[group_id] for group_id in memberships),
        "errors": errors,
        "changes": list_changes(session, record_id=client_id)[:LATEST_CHANGES],
    }


def add_client(
    session: AdminSession,
    values: Mapping[str, str | None],
    *,
    partner: str | None = None,
    manager: str | None = None,
    office: str | None = None,
) -> Outcome:
    """Set up a client by hand; a sync recognises it by its code."""
    code = values.get("code")
    _check_code_is_free(session, code, None)
    row: dict[str, Any] = {"id": str(uuid.uuid4()), "code": None, **values}
    row["office_code"], row["partner_id"] = _choose_office_and_partner(session, office, partner)
    row["manager_id"] = session.find_partner(manager).id if manager else None
    insert_clients(session.database, [row])
    if partner is not None:
        synced_values.save_written(session.database, {row["id"]: synced_values.CHOSEN})
    session.changes.append(ChangeRow("client", row["id"], "created", new_value=row["legal_name"]))
    owner = session.users_by_id[row["partner_id"]]
    recognised = (
        f"If XPM has a client with the code {code}, the next sync (xpmsync sync) takes this one over."
        if code
        else "It has no client code, so a sync will not recognise it in XPM. Give it one:"
    )
    return Outcome(
        f"{describe_client(row)} is set up as a client of {owner.name} in the office {row['office_code']}.",
        remarks=(recognised,),
        next_command=None if code else f"xpmsync admin client set {name_client(row)} --code CODE",
    )


def preview(
    session: AdminSession, code: str, *, partner: str | None = None, office: str | None = None
) -> Impact | None:
    """What the next sync does to the client's partner after `set_client`, where that moves or ends a choice."""
    current = session.find_client(code)
    wanted = _find_wanted(session, current, partner=partner, manager=None, office=office)
    sent = synced_values.load_written(session.database, current["id"])
    is_moved = wanted.get("office_code", current["office_code"]) != current["office_code"]
    if partner or not (is_moved or (partner == "" and synced_values.is_partner_chosen(sent))):
        return None
    return preview_partner(
        session,
        current,
        office=wanted.get("office_code") or current["office_code"],
        is_chosen=partner is None and synced_values.is_partner_chosen(sent),
    )


def set_client(
    session: AdminSession,
    code: str,
    values: Mapping[str, str | None],
    *,
    partner: str | None = None,
    manager: str | None = None,
    office: str | None = None,
) -> Outcome:
    """Change a client; an empty `manager` leaves it without one, an empty `partner` ends a choice by hand.

    What XPM tells of a client is changed in XPM.
    """
    current = session.find_client(code)
    wanted = dict(values) | _find_wanted(session, current, partner=partner, manager=manager, office=office)
    return _change_client(session, current, wanted, partner=partner)


def _find_wanted(
    session: AdminSession, current: Mapping[str, Any], *, partner: str | None, manager: str | None, office: str | None
) -> dict[str, str | None]:
    """What is named by an email address or an office's code: column to value."""
    wanted: dict[str, str | None] = {}
    if partner:
        wanted["partner_id"] = session.find_partner(partner, current_id=current["partner_id"]).id
    if manager is not None:
        wanted["manager_id"] = session.find_partner(manager, current_id=current["manager_id"]).id if manager else None
    if office is not None:
        wanted["office_code"] = session.find_office(office)["code"]
    return wanted


def _change_client(
    session: AdminSession, current: Mapping[str, Any], wanted: Mapping[str, Any], *, partner: str | None
) -> Outcome:
    changed = compare(current, wanted)
    told = _load_told(session, current)
    sent = synced_values.load_written(session.database, current["id"])
    # What is typed while XPM has none is not what XPM sent, even where it once sent the same.
    kept = {column: value for column, value in sent.items() if column not in changed}
    ends_choice = partner == "" and synced_values.is_partner_chosen(sent)
    if ends_choice:
        kept = {column: value for column, value in kept.items() if column not in synced_values.CHOSEN}
    elif partner and told.get("partner_id") is None:
        kept |= synced_values.CHOSEN
    if not changed and kept == sent:
        return nothing_to_change(describe_client(current))
    _refuse_what_xpm_tells(current, changed, told)
    if "code" in changed:
        _check_code_is_free(session, changed["code"], current["id"])
    if changed:
        update_client(session.database, current["id"], changed)
    if kept != sent:
        synced_values.save_written(session.database, {current["id"]: kept})
    edits = session.note("client", current["id"], current, changed)
    remarks = []
    if partner and synced_values.is_partner_chosen(kept):
        remarks.append("The client keeps this partner while XPM names none.")
    if ends_choice:
        remarks.append("The partner is no longer chosen by hand.")
    if current["xpm_client_uuid"] and changed.keys() - {"office_code", "partner_id"}:
        remarks.append("This stays until XPM tells something else.")
    return Outcome(f"{describe_client(current)} is changed{':' if edits else '.'}", edits, tuple(remarks))


def preview_handover(session: AdminSession, owner: str, successor: str) -> Impact:
    """What `hand_over_clients` will do, and what it will not."""
    clients, kept = _split_handover(session, owner, successor)
    sentences = []
    if clients:
        names = [describe_user(session.find_user(email)) for email in (owner, successor)]
        sentences.append(f"{count_clients(len(clients))} will go from {' to '.join(names)}.")
    if kept:
        sentences.append(f"{count_clients(kept)} will not, as XPM names the partner. Change it in XPM.")
    return Impact(len(clients), tuple(sentences))


def hand_over_clients(session: AdminSession, owner: str, successor: str) -> Outcome:
    """Give another partner to all clients of one, but for those whose partner XPM names."""
    clients, kept = _split_handover(session, owner, successor)
    user = session.find_partner(successor)
    for client in clients:
        _change_client(session, client, {"partner_id": user.id}, partner=successor)
    return Outcome(
        f"{describe_user(user)} is now the partner of {count_clients(len(clients))}."
        if clients
        else "No client gets another partner by this.",
        remarks=(f"{count_clients(kept)} kept theirs:",) if kept else (),
        next_command=f"xpmsync admin client list --partner {name_user(session.find_user(owner))}" if kept else None,
    )


def _split_handover(session: AdminSession, owner: str, successor: str) -> tuple[list[dict[str, Any]], int]:
    """The clients of one partner that can be given to another, and how many cannot."""
    user, wanted = session.find_user(owner), {"partner_id": session.find_partner(successor).id}
    if user.id == wanted["partner_id"]:
        raise InvalidRequest(f"{describe_user(user)} is the partner of these clients already.", "Name another user.")
    clients, kept = [], 0
    for client in load_clients_of(session.database, user.id):
        if client["partner_id"] != user.id:
            continue
        try:
            _refuse_what_xpm_tells(client, wanted, _load_told(session, client))
        except InvalidRequest:
            kept += 1
        else:
            clients.append(client)
    return clients, kept


def _check_code_is_free(session: AdminSession, code: str | None, client_id: str | None) -> None:
    for row in load_outlines(session.database) if code else ():
        if row["id"] != client_id and row["code"] and fold(row["code"]) == fold(code or ""):
            raise InvalidRequest(
                f"The client code {row['code']} belongs to {row['legal_name']} already, "
                f"a client with the status “{row['status']}”.",
                "Use another code, or give that client another one: "
                f"xpmsync admin client set {name_client(row)} --code CODE",
            )


def _choose_office_and_partner(session: AdminSession, office_code: str | None, partner: str | None) -> tuple[str, str]:
    """What was asked for, else the default office and its default partner."""
    if office_code is None and session.default_office is None:
        raise InvalidRequest(
            "There is no default office yet, so the client's office must be named.",
            "Name it: --office CODE; or set a default office: xpmsync configure",
        )
    office = session.find_office(office_code or session.default_office or "")
    if partner is not None:
        return office["code"], session.find_partner(partner).id
    if office["default_partner_id"] is None:
        raise InvalidRequest(
            f"The office {describe_office(office)} has no default partner, so the client's partner must be named.",
            "Name the partner: --partner EMAIL; or give the office one: "
            f"xpmsync admin office set {shlex.quote(office['code'])} --default-partner EMAIL",
        )
    return office["code"], session.find_partner(session.users_by_id[office["default_partner_id"]].email).id


def _load_told(session: AdminSession, current: Mapping[str, Any]) -> dict[str, object]:
    """What XPM tells of a client that is live there: column to value. It keeps its partner where XPM's is no user."""
    mirrored = mirror.load_clients(session.database, [current["xpm_client_uuid"]])
    if not mirrored or read_status(mirrored[0]) != "active":
        return {}
    directory = session.load_directory()
    told = read_client(mirrored[0], current["partner_id"], directory).values
    staff_uuid, staff_name = read_partner(mirrored[0])
    is_named = staff_uuid is not None or staff_name is not None
    return told | {"partner_id": (directory.find_user(staff_uuid) or current["partner_id"]) if is_named else None}


def _refuse_what_xpm_tells(current: Mapping[str, Any], changed: Mapping[str, Any], told: Mapping[str, object]) -> None:
    """The next sync would undo a change of what XPM tells of a live client."""
    undone = [
        LABELS[column] for column, value in changed.items() if column in told and told[column] not in (None, value)
    ]
    if undone:
        raise InvalidRequest(
            f"XPM tells of {describe_client(current)} what the next sync would bring back: {', '.join(undone)}.",
            f"In XPM, Clients > {current['legal_name']} > Edit, change it; the next sync brings it to Active.",
        )
