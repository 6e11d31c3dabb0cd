"""What the administrator owns of a user: whether there is one, the role, the office, the modules; never the name."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from xpmsync.active import mirror
from xpmsync.active.clients import load_clients_of
from xpmsync.active.history import ChangeRow
from xpmsync.active.users import insert_user, load_modules, load_needs, save_modules, update_user
from xpmsync.admin.impact import Impact, preview_default_partner
from xpmsync.admin.offices import find_offices_of, hand_over_offices
from xpmsync.admin.session import (
    AdminSession,
    Edit,
    Outcome,
    compare,
    count_clients,
    describe_office,
    describe_user,
    name_user,
    nothing_to_change,
)
from xpmsync.errors import InvalidRequest
from xpmsync.records import User
from xpmsync.rules.issues import join_names
from xpmsync.text import fold

OPTIONS: Final[Mapping[str, str]] = {
    "a role": "--role User",
    "an office": "--office CODE",
    "modules": "--module NAME",
}
"""What a user may need before they can use Active, and what gives it."""


def list_users(session: AdminSession, *, is_waiting: bool = False) -> list[dict[str, Any]]:
    """Every user with their modules, and what each still needs; or only those who wait for something."""
    modules, needs = load_modules(session.database), load_needs(session.database)
    return [
        {**vars(user), "modules": list(modules.get(user.id, ())), "missing": list(needs.get(user.email, ()))}
        for user in session.users
        if user.email in needs or not is_waiting
    ]


def add_user(
    session: AdminSession,
    first_name: str,
    last_name: str,
    email: str,
    *,
    role: str | None = None,
    office: str | None = None,
    modules: Sequence[str] = (),
) -> Outcome:
    """Set up a user by hand; a sync recognises the user by the e-mail address."""
    _check_email_is_free(session, email)
    user_id = str(uuid.uuid4())
    office_code = session.find_office(office)["code"] if office is not None else None
    user = User(user_id, first_name, last_name, email, role, office_code, "active", None)
    in_use = _find_modules_of_others(session, [user_id])
    modules = _choose_modules(modules, in_use)
    insert_user(session.database, user_id, {column: value for column, value in vars(user).items() if column != "id"})
    save_modules(session.database, user_id, modules)
    session.changes.append(ChangeRow("user", user_id, "created", new_value=user.name))
    needs = load_needs(session.database).get(email, ())
    options = " ".join(OPTIONS[need] for need in needs)
    return Outcome(
        f"{describe_user(user)} is set up as a user.",
        remarks=(
            "A sync recognises the user by the e-mail address, once XPM lists a staff member who has it.",
            *_explain_needs(session, user),
            *_explain_modules(modules, in_use),
        ),
        next_command=f"xpmsync admin user set {name_user(user)} {options}" if needs else None,
    )


def _check_email_is_free(session: AdminSession, email: str, user: User | None = None) -> None:
    """Refuse an address that another user than `user` has."""
    for other in session.users:
        if fold(other.email) == fold(email) and other != user:
            raise InvalidRequest(
                f"The e-mail address {other.email} belongs to {other.name} already, "
                f"a user with the status “{other.status}”.",
                "Use another e-mail address, or change that user: xpmsync admin user set --help",
            )


def set_users(
    session: AdminSession,
    emails: Sequence[str],
    *,
    role: str | None = None,
    office: str | None = None,
    modules: Sequence[str] | None = None,
    email: str | None = None,
) -> list[Outcome]:
    """Change the role, office or modules (which replace the earlier ones) of all these users, or of none.

    `email` is a new address for a single one whom XPM does not list.
    """
    users = {user.id: user for user in map(session.find_user, emails)}
    in_use = _find_modules_of_others(session, users.keys())
    chosen = _choose_modules(modules or (), in_use)
    replacing = None if modules is None else chosen
    outcomes = [_set_user(session, user, role, office, replacing, email) for user in users.values()]
    if any(outcome.edits for outcome in outcomes):
        # Of all of them, so it stands behind them.
        last = outcomes[-1]
        outcomes[-1] = replace(last, remarks=(*last.remarks, *_explain_modules(chosen, in_use)))
    return outcomes


def _set_user(
    session: AdminSession,
    user: User,
    role: str | None,
    office: str | None,
    modules: Sequence[str] | None,
    email: str | None,
) -> Outcome:
    current: dict[str, Any] = {
        "email": user.email,
        "role": user.role,
        "office_code": user.office_code,
        "modules": frozenset(load_modules(session.database).get(user.id, ())),
    }
    wanted = dict(current)
    if role is not None:
        wanted["role"] = role
    if office is not None:
        wanted["office_code"] = session.find_office(office)["code"]
    if modules is not None:
        wanted["modules"] = frozenset(modules)
    if email is not None:
        wanted["email"] = email
    values = compare(current, wanted)
    if not values:
        return nothing_to_change(describe_user(user))
    if email is not None:
        _change_address(session, user, email)
    if modules is not None:
        save_modules(session.database, user.id, modules)
    if columns := {column: value for column, value in values.items() if column != "modules"}:
        update_user(session.database, user.id, columns)
    if "modules" in values:
        current["modules"], values["modules"] = join_modules(current["modules"]), join_modules(values["modules"])
    edits = session.note("user", user.id, current, values)
    remarks = _explain_needs(session, replace(user, email=email or user.email))
    return Outcome(f"{describe_user(user)} is changed:", edits, tuple(remarks))


def _change_address(session: AdminSession, user: User, email: str) -> None:
    """Let alerts follow; refuses an address that another user has, or that a sync would change back."""
    if user.xpm_staff_uuid in mirror.load_listed_uuids(session.database):
        raise InvalidRequest(
            f"XPM lists {describe_user(user)} as staff, and the email address comes from there.",
            "In XPM, Business > Settings > Staff, change it; the next sync copies it to Active.",
        )
    _check_email_is_free(session, email, user)
    if is_notified(session, user):
        session.settings["notify.email"] = email


def activate_user(session: AdminSession, email: str) -> Outcome:
    """Let a user use Active again who was switched off."""
    user = session.find_user(email)
    if user.status == "active":
        return nothing_to_change(describe_user(user))
    _check_listed(session, user)
    edits = _change_status(session, user, "active")
    return Outcome(f"{describe_user(user)} is changed:", edits, tuple(_explain_needs(session, user)))


def preview_deactivation(session: AdminSession, email: str, replacement: str | None) -> Impact:
    """What `deactivate_user` will move; refuses as it does."""
    user = session.find_user(email)
    successor = _choose_successor(session, user, replacement)
    outlooks = [
        preview_default_partner(session, office["code"], successor.id)
        for office in find_offices_of(session, user)
        if successor
    ]
    sentences = dict.fromkeys(sentence for impact in outlooks for sentence in impact.sentences)
    return Impact(sum(impact.count for impact in outlooks), tuple(sentences))


def deactivate_user(session: AdminSession, email: str, replacement: str | None = None) -> Outcome:
    """Switch a user off; `replacement` takes over as default partner, and as the one who is told of trouble."""
    user = session.find_user(email)
    successor = _choose_successor(session, user, replacement)
    remarks: list[str] = []
    if successor:
        remarks += hand_over_offices(session, user, successor)
        if is_notified(session, user):
            session.settings["notify.email"] = successor.email
            remarks.append(f"{describe_user(successor)} is now the one to notify of trouble.")
    edits = _change_status(session, user, "deactivated")
    if not edits and not remarks:
        return nothing_to_change(describe_user(user))
    clients = load_clients_of(session.database, user.id)
    partner, manager = (
        sum(client[column] == user.id and client["status"] == "active" for client in clients)
        for column in ("partner_id", "manager_id")
    )
    if partner or manager:
        remarks.append(
            f"The user stays the partner of {count_clients(partner)} and the manager of {count_clients(manager)}, "
            "until XPM tells of another."
        )
    command = None
    if partner:
        remarks.append("To give another partner to those whose partner the sync does not decide:")
        other = name_user(successor) if successor else "EMAIL"
        command = f"xpmsync admin client set --all-of {name_user(user)} --partner {other}"
    return Outcome(f"{describe_user(user)} is changed:", edits, tuple(remarks), command)


def is_notified(session: AdminSession, user: User) -> bool:
    """Whether the user is the one to notify of trouble."""
    return session.notified is not None and fold(session.notified) == fold(user.email)


def _choose_successor(session: AdminSession, user: User, replacement: str | None) -> User | None:
    """Who takes over; nobody needs to where the user is neither a default partner nor the one to notify."""
    if replacement is not None:
        successor = session.find_partner(replacement)
        if successor == user:
            raise InvalidRequest(f"{describe_user(user)} cannot take over from themselves.", "Name another user.")
        return successor
    parts = [f"the default partner of {describe_office(office)}" for office in find_offices_of(session, user)]
    if is_notified(session, user):
        parts.append("the one to notify of trouble (notify.email)")
    if parts:
        raise InvalidRequest(
            f"{describe_user(user)} is {join_names(parts, len(parts))}.",
            f"Name another user who takes over: xpmsync admin user deactivate {name_user(user)} --replace-by EMAIL",
        )
    return None


def _change_status(session: AdminSession, user: User, status: str) -> tuple[Edit, ...]:
    values = compare(vars(user), {"status": status})
    if values:
        update_user(session.database, user.id, values)
    return session.note("user", user.id, vars(user), values)


def _check_listed(session: AdminSession, user: User) -> None:
    """A sync makes a linked user `removed` whose staff member is not listed: no other status would stay."""
    listed = mirror.load_listed_uuids(session.database)
    if user.xpm_staff_uuid is not None and user.xpm_staff_uuid not in listed:
        raise InvalidRequest(
            f"XPM does not list {describe_user(user)} as staff, so the next sync would take the access away again.",
            "Add the person to the staff in XPM; if they are there under a new entry, link that one: "
            f"xpmsync admin user link {name_user(user)} --xpm-staff UUID",
        )


def _explain_needs(session: AdminSession, user: User) -> Iterator[str]:
    if needs := load_needs(session.database).get(user.email):
        yield f"The user cannot use Active yet; still needed: {', '.join(needs)}."


def _find_modules_of_others(session: AdminSession, user_ids: Collection[str]) -> dict[str, str]:
    """The modules that other users have, by their names in one case: nothing else says which there are."""
    modules = load_modules(session.database)
    return {fold(name): name for user_id, names in modules.items() if user_id not in user_ids for name in names}


def _choose_modules(modules: Sequence[str], in_use: Mapping[str, str]) -> tuple[str, ...]:
    """Each module once, whatever its case: as others have it, else as it was first written."""
    return tuple({fold(module): in_use.get(fold(module), module) for module in reversed(modules)}.values())


def _explain_modules(modules: Sequence[str], in_use: Mapping[str, str]) -> Iterator[str]:
    """A module that nobody else has may be a slip."""
    if unknown := sorted(f"“{module}”" for module in modules if fold(module) not in in_use):
        there_are = f"; in use: {', '.join(in_use[key] for key in sorted(in_use))}" if in_use else " yet"
        yield f"Nobody else has the module {' or '.join(unknown)}{there_are}."


def join_modules(modules: Iterable[str]) -> str | None:
    """Modules as one text, as the history keeps them; one with a semicolon in its name stands in quotes."""
    names = (f"“{module}”" if ";" in module else module for module in sorted(modules, key=fold))
    return "; ".join(names) or None
