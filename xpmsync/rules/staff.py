"""From XPM's staff to Active's users: who is synced, who becomes which user, who is refused and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from xpmsync.records import User
from xpmsync.rules.fields import STAFF_FIELDS, MirrorRow, make_reader
from xpmsync.rules.issues import Issue, issue, join_names
from xpmsync.rules.matching import Claimant, Holder, MatchResult, match
from xpmsync.rules.reading import is_email_address, read_name, read_text
from xpmsync.text import fold

_read_fields: Final = make_reader(STAFF_FIELDS)


@dataclass(frozen=True)
class StaffMember:
    """A staff member as XPM lists them, readable and with what Active asks for."""

    uuid: str
    name: str
    email: str
    values: Mapping[str, object]
    """Active's column to value."""


@dataclass(frozen=True)
class StaffPlan:
    """What becomes of the staff: whom each is in Active, and what was wrong."""

    members: Mapping[str, StaffMember]
    match_result: MatchResult
    issues: tuple[Issue, ...]


def _read_staff(rows: Sequence[MirrorRow]) -> tuple[list[StaffMember], list[Issue]]:
    """Read the listed staff: those that Active can take, and what is wrong with the others."""
    members, issues = [], []
    for row in rows:
        values = _read_fields(row)
        uuid, name, email = row["uuid"], read_name(row["name"]), read_text(row["email"])
        assert uuid is not None  # noqa: S101 - the mirror's key
        if name is None:
            issues.append(issue("staff-without-name", uuid, None, label=_label(uuid, email)))
        elif email is None:
            issues.append(issue("staff-without-email", uuid, name))
        elif not is_email_address(email):
            issues.append(issue("staff-email-unusable", uuid, name, email=email))
        else:
            if values["last_name"] is None:
                issues.append(issue("staff-name-one-word", uuid, name))
            members.append(StaffMember(uuid, name, email, values))
    return members, issues


def _label(uuid: str, email: str | None) -> str:
    return f"with the address {email}" if email else f"with the identifier {uuid}"


def plan_users(rows: Sequence[MirrorRow], users: Sequence[User]) -> StaffPlan:
    """Decide which user each listed staff member is: linked, else of the same e-mail address, else new."""
    read, issues = _read_staff(rows)
    members = {member.uuid: member for member in read}
    by_id = {user.id: user for user in users}
    listed = {row["uuid"] for row in rows}

    def refuse_takeover(uuid: str, user_id: str) -> str | None:
        user = by_id[user_id]
        if user.xpm_staff_uuid is None:
            return None
        if user.xpm_staff_uuid in listed:
            return "staff-email-taken"
        same_name = fold(user.name) == fold(members[uuid].name)
        return None if same_name else "staff-email-held-by-former-user"

    match_result = match(
        [Claimant(member.uuid, fold(member.email)) for member in read],
        [Holder(user.id, fold(user.email), user.xpm_staff_uuid) for user in users],
        shared="staff-email-shared",
        taken="staff-email-taken",
        refuse_takeover=refuse_takeover,
    )
    own = {user.xpm_staff_uuid: user.email for user in users}
    for uuid, rejection in match_result.rejections.items():
        member = members[uuid]
        holder = by_id.get(rejection.holder_id or "")
        is_colleague = holder is not None and holder.xpm_staff_uuid in listed
        sharers = rejection.sharers
        others = join_names((members[each].name for each in sharers if each != uuid), len(sharers) - 1)
        issues.append(
            issue(
                "staff-email-of-colleague" if is_colleague else rejection.code,
                uuid,
                member.name,
                email=member.email,
                own=own.get(uuid, "EMAIL"),
                holder=holder.name if holder else "",
                others=others,
            )
        )
    return StaffPlan(members, match_result, tuple(issues))


@dataclass(frozen=True)
class Directory:
    """Who is who: the staff that XPM names, and the users of Active they are."""

    listed: Mapping[str, str | None]
    """Listed staff member to their e-mail address, folded; None where it has none that can be used."""
    user_by_staff: Mapping[str, str]
    user_by_email: Mapping[str, str]
    """Of the active users who are linked to no staff member: nobody gets the clients of another person."""
    active: Collection[str]
    """The users who are active."""
    former: Mapping[str, str]
    """Entry of the staff list that was created again under another UUID, to its user."""

    def find_user(self, staff_uuid: str | None) -> str | None:
        """The user linked to a staff member, else the active, unlinked user with that staff member's email address.

        An entry that XPM no longer lists leads to the user who was linked to it before XPM listed the person again.
        """
        if staff_uuid is None:
            return None
        if user_id := self.user_by_staff.get(staff_uuid):
            return user_id
        if staff_uuid not in self.listed:
            return self.former.get(staff_uuid)
        email = self.listed[staff_uuid]
        return self.user_by_email.get(email) if email else None

    def explain_missing(self, staff_uuid: str | None) -> str:
        """The problem code that says why `find_user` found nobody."""
        if staff_uuid is None or staff_uuid not in self.listed:
            return "partner-not-listed"
        return "partner-not-in-active" if self.listed[staff_uuid] else "partner-without-email"


def make_directory(
    rows: Sequence[MirrorRow], users: Sequence[User], former: Mapping[str, str] = MappingProxyType({})
) -> Directory:
    """The directory after the users were synced."""

    def usable(text: str | None) -> str | None:
        email = read_text(text)
        return fold(email) if email and is_email_address(email) else None

    return Directory(
        former=former,
        active=frozenset(user.id for user in users if user.status == "active"),
        listed={row["uuid"]: usable(row["email"]) for row in rows if row["uuid"]},
        user_by_staff={user.xpm_staff_uuid: user.id for user in users if user.xpm_staff_uuid},
        user_by_email={
            fold(user.email): user.id for user in users if user.status == "active" and user.xpm_staff_uuid is None
        },
    )
