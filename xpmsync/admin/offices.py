"""Offices and their default partners, who take the clients that have no partner in XPM."""

import shlex
import sqlite3
from typing import Any

from xpmsync.active.history import ChangeRow
from xpmsync.active.offices import find_office, insert_office, update_office
from xpmsync.admin.impact import Impact, preview_default_partner
from xpmsync.admin.session import AdminSession, Outcome, compare, describe_office, describe_user, nothing_to_change
from xpmsync.errors import InvalidRequest
from xpmsync.records import User


def add_office(session: AdminSession, code: str, name: str) -> Outcome:
    """Set up an office."""
    if office := find_office(session.database, code):
        raise InvalidRequest(
            f"The code {office['code']} belongs to the office {office['name']} already.",
            "Choose another code for the new office.",
        )
    insert_office(session.database, code, name)
    session.changes.append(ChangeRow("office", code, "created", new_value=name))
    return Outcome(
        f"The office {name} ({code}) is set up.",
        remarks=("A default partner, who is given its clients that name no partner in XPM, is optional:",),
        next_command=f"xpmsync admin office set {shlex.quote(code)} --default-partner EMAIL",
    )


def set_office(
    session: AdminSession,
    code: str,
    *,
    name: str | None = None,
    default_partner: str | None = None,
    clear_default_partner: bool = False,
) -> Outcome:
    """Change an office's name or default partner."""
    office = session.find_office(code)
    current = {"name": office["name"], "default_partner_id": office["default_partner_id"]}
    wanted: dict[str, Any] = {
        "name": office["name"] if name is None else name,
        "default_partner_id": _choose_default_partner(
            session, office, default_partner, is_cleared=clear_default_partner
        ),
    }
    values = compare(current, wanted)
    update_office(session.database, office["code"], **wanted)  # it may lead to a user who is gone
    if not values:
        return nothing_to_change(describe_office(office))
    edits = session.note("office", office["code"], current, values)
    return Outcome(f"The office {describe_office(office)} is changed:", edits)


def preview(
    session: AdminSession, code: str, *, default_partner: str | None = None, clear_default_partner: bool = False
) -> Impact | None:
    """What `set_office` will move with this default partner; None where it stays the one it is."""
    office = session.find_office(code)
    partner_id = _choose_default_partner(session, office, default_partner, is_cleared=clear_default_partner)
    if partner_id == office["default_partner_id"]:
        return None
    return preview_default_partner(session, office["code"], partner_id)


def find_offices_of(session: AdminSession, user: User) -> list[sqlite3.Row]:
    """The offices whose default partner a user is."""
    return [office for office in session.offices if office["default_partner_id"] == user.id]


def hand_over_offices(session: AdminSession, user: User, successor: User) -> list[str]:
    """Make another user the default partner wherever this one is; gives what was done."""
    offices = find_offices_of(session, user)
    for office in offices:
        update_office(session.database, office["code"], name=office["name"], default_partner_id=successor.id)
        session.note("office", office["code"], dict(office), {"default_partner_id": successor.id})
    return [
        f"{describe_user(successor)} is now the default partner of {describe_office(office)}." for office in offices
    ]


def _choose_default_partner(
    session: AdminSession, office: sqlite3.Row, email: str | None, *, is_cleared: bool
) -> str | None:
    current_id: str | None = office["default_partner_id"]
    if is_cleared:
        return None
    return current_id if email is None else session.find_partner(email).id
