"""Derives Active's users from the staff that XPM lists."""

import uuid
from collections.abc import Mapping

from xpmsync.active import mirror, synced_values
from xpmsync.active import users as active_users
from xpmsync.active.database import Database
from xpmsync.active.history import ChangeRow, make_changes
from xpmsync.records import User
from xpmsync.rules.overwrite import compare
from xpmsync.rules.staff import StaffMember, plan_users
from xpmsync.sync.derivation import Derivation


def derive_users(database: Database, result: Derivation) -> None:
    """Create, change and link users; one whose staff member is no longer listed gets the status `removed`."""
    staff = mirror.load_listed_staff(database)
    users = active_users.load_users(database)
    plan = plan_users(staff, users)
    result.issues.extend(plan.issues)
    result.users.skipped = len(staff) - len(plan.match_result.records) - len(plan.match_result.new)
    # An address that moves is let go of first, so that two users can swap theirs.
    active_users.release_emails(database, list(plan.match_result.moving))
    member_of = {user_id: plan.members[staff_uuid] for staff_uuid, user_id in plan.match_result.records.items()}
    listed = {row["uuid"] for row in staff}
    for user in users:
        if member := member_of.get(user.id):
            _update_user(database, result, user, member)
        elif user.xpm_staff_uuid and user.xpm_staff_uuid not in listed and user.status == "active":
            _change_user(database, result, user, {"status": "removed"})
            result.users.updated += 1
    for staff_uuid in sorted(plan.match_result.new):
        _create_user(database, result, plan.members[staff_uuid])


def _create_user(database: Database, result: Derivation, member: StaffMember) -> None:
    user_id = str(uuid.uuid4())
    active_users.insert_user(database, user_id, {**member.values, "xpm_staff_uuid": member.uuid})
    synced_values.save_written(database, {user_id: member.values})
    result.changes.append(ChangeRow("user", user_id, "created", new_value=member.name))
    result.users.created += 1


def _update_user(database: Database, result: Derivation, user: User, member: StaffMember) -> None:
    current = {column: getattr(user, column) for column in member.values}
    values = compare(current, member.values, synced_values.load_written(database, user.id))
    synced_values.save_written(database, {user.id: member.values})
    if user.xpm_staff_uuid != member.uuid:
        values["xpm_staff_uuid"] = member.uuid
        if user.xpm_staff_uuid:  # the same name and address: clients may still name the former entry
            active_users.save_former_staff(database, user.xpm_staff_uuid, user.id)
    if user.status == "removed":
        values["status"] = "active"
    if values:
        _change_user(database, result, user, values)
        result.users.updated += 1
    else:
        result.users.unchanged += 1


def _change_user(database: Database, result: Derivation, user: User, values: Mapping[str, object]) -> None:
    result.changes.extend(make_changes("user", user.id, vars(user), values))
    active_users.update_user(database, user.id, values)
