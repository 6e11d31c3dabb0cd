"""What the administrator owns of a user: whether there is one, the role, the office, the modules; never the name."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from xpmsync.active import mirror
from xpmsync.active.history import ChangeRow
from xpmsync.active.users import insert_user, load_modules, save_modules, update_user
from xpmsync.admin.centre import Centre, Outcome, compare, describe_user, nothing_to_change
from xpmsync.errors import NotPossible
from xpmsync.records import User
from xpmsync.rules.reading import fold


def list_users(centre: Centre) -> list[dict[str, Any]]:
    """Every user with their modules, and what each still needs before they can use Active."""
    modules = load_modules(centre.database)
    rows = []
    for user in centre.users:
        row = {**vars(user), "modules": list(modules.get(user.id, ()))}
        rows.append({**row, "missing": _find_missing(row)})
    return rows


def add_user(centre: Centre, first_name: str, last_name: str, email: str) -> Outcome:
    """Set up a user by hand; a sync recognises the user by the e-mail address."""
    for user in centre.users:
        if fold(user.email) == fold(email):
            raise NotPossible(
                f"The e-mail address {user.email} belongs to {user.name} already, "
                f"a user with the status “{user.status}”.",
                "Use another e-mail address, or change that user: xpmsync admin user set --help",
            )
    user_id, name = str(uuid.uuid4()), f"{first_name} {last_name}"
    values = {"first_name": first_name, "last_name": last_name, "email": email}
    insert_user(centre.database, user_id, values)
    centre.changes.append(ChangeRow("user", user_id, "created", new_value=name))
    return Outcome(
        f"{name} ({email}) is set up as a user.",
        remarks=(
            "A sync recognises the user by the e-mail address, once XPM lists a staff member who has it.",
            "Before they can use Active, give them a role, an office and modules:",
        ),
        next_command=f"xpmsync admin user set {email} --role User --office CODE --module NAME",
    )


def set_user(
    centre: Centre,
    email: str,
    *,
    role: str | None = None,
    office: str | None = None,
    modules: Sequence[str] | None = None,
    is_active: bool | None = None,
) -> Outcome:
    """Change a user's role, office, modules (which replace the earlier ones) or whether they are switched off."""
    user = centre.find_user(email)
    earlier = load_modules(centre.database).get(user.id, ())
    current = {
        "role": user.role,
        "office_code": user.office_code,
        "modules": _join(earlier),
        "status": user.status,
    }
    wanted = dict(current)
    if role is not None:
        wanted["role"] = role
    if office is not None:
        wanted["office_code"] = centre.find_office(office)["code"]
    if modules is not None:
        modules = tuple({fold(module): module for module in reversed(modules)}.values())
        wanted["modules"] = _join(modules)
    if is_active is not None:
        wanted["status"] = "active" if is_active else "deactivated"
    values = compare(current, wanted)
    if not values:
        return nothing_to_change(describe_user(user))
    if values.get("status") == "active":
        _check_listed(centre, user)
    if modules is not None:
        save_modules(centre.database, user.id, modules)
    if columns := {column: value for column, value in values.items() if column != "modules"}:
        update_user(centre.database, user.id, columns)
    edits = centre.note("user", user.id, current, values)
    return Outcome(f"{describe_user(user)} is changed:", edits, tuple(_remark(centre, user, wanted)))


def _remark(centre: Centre, user: User, wanted: dict[str, str | None]) -> Iterator[str]:
    if missing := _find_missing(wanted):
        yield f"The user cannot use Active yet; still needed: {', '.join(missing)}."
    if wanted["status"] == "deactivated":
        for office in centre.offices:
            if office["default_partner_id"] == user.id:
                yield (
                    f"The user is still the default partner of the office {office['code']}; choose another one: "
                    f"xpmsync admin office set {office['code']} --default-partner EMAIL"
                )


def _check_listed(centre: Centre, user: User) -> None:
    """A sync makes a linked user `removed` whose staff member is not listed: no other status would stay."""
    listed = {row["uuid"] for row in mirror.load_listed_staff(centre.database)}
    if user.xpm_staff_uuid is not None and user.xpm_staff_uuid not in listed:
        raise NotPossible(
            f"XPM does not list {describe_user(user)} as staff, so the next sync would take the access away again.",
            "Add the person to the staff in XPM; if they are there under a new entry, link that one: "
            f"xpmsync admin user link {user.email} --xpm-staff UUID",
        )


def _find_missing(row: dict[str, Any]) -> list[str]:
    """What an active user still needs before they can use Active."""
    needed = {"a role": row["role"], "an office": row["office_code"], "modules": row["modules"]}
    return [name for name, value in needed.items() if not value] if row["status"] == "active" else []


def _join(modules: Sequence[str]) -> str | None:
    """Modules as one text, as the history keeps them."""
    return "; ".join(sorted(modules, key=fold)) or None
