"""What a practice needs before it can be synced, in the order of the published article, and which records lack it.

Judged by the errors of a sync, so by its own rules.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from xpmsync.records import User
from xpmsync.rules.issues import Issue
from xpmsync.text import fold, make_key

STAFF: Final = "Staff have a name and their own email address"
CLIENTS: Final = "Clients have a name and a partner in XPM"
PARTNERS: Final = "Partners are in Active with the same email address"
CODES: Final = "Client codes are unique, the same in XPM and Active"

BY_ENTITY: Final[Mapping[str, str]] = {"user": STAFF, "client": CLIENTS}
"""The prerequisite that a record with an error does not meet, unless its code is one of the others."""
BY_CODE: Final[Mapping[str, str]] = {
    "staff-email-of-colleague": PARTNERS,
    "staff-email-taken": PARTNERS,
    "staff-email-held-by-former-user": PARTNERS,
    "partner-not-listed": PARTNERS,
    "partner-without-email": PARTNERS,
    "partner-not-in-active": PARTNERS,
    "client-code-shared": CODES,
    "client-code-taken": CODES,
    "code-held-by-former-client": CODES,
    "abn-contradicts": CODES,
}


@dataclass(frozen=True)
class Shortfall:
    """A record that does not meet a prerequisite."""

    entity: str
    """`user` and `client` in XPM, as in the error log; `Active user` and `Active client` where XPM has none."""
    name: str | None
    xpm_uuid: str | None
    message: str


@dataclass(frozen=True)
class Prerequisite:
    """One of them, and the records that do not meet it."""

    requirement: str
    shortfalls: tuple[Shortfall, ...]


@dataclass(frozen=True)
class HandMadeClient:
    """An active client of Active that is linked to no client of XPM."""

    legal_name: str
    code: str | None


def list_prerequisites(
    issues: Iterable[Issue],
    unlinked_users: Iterable[User],
    listed_emails: Collection[str],
    unlinked_clients: Iterable[HandMadeClient],
    live_codes: Collection[str],
) -> tuple[Prerequisite, ...]:
    """Every prerequisite, met or not.

    `issues` are those of a sync, after which the active users and clients `unlinked_…` are linked to nothing in XPM.
    `listed_emails` are the staff's, `live_codes` the clients', folded.
    """
    found: dict[str, list[Shortfall]] = {STAFF: [], CLIENTS: [], PARTNERS: [], CODES: []}
    for issue in issues:
        if issue.severity == "error" and issue.entity in BY_ENTITY:
            requirement = BY_CODE.get(issue.code, BY_ENTITY[issue.entity])
            found[requirement].append(Shortfall(issue.entity, issue.name, issue.xpm_uuid, issue.message))
    for user in unlinked_users:
        if fold(user.email) not in listed_emails:
            message = f"No staff member in XPM has the email address {user.email}."
            found[PARTNERS].append(Shortfall("Active user", user.name, None, message))
    for client in unlinked_clients:
        key = make_key(client.code)
        if key not in live_codes:
            message = f"No client in XPM has the client code {client.code}." if key else "It has no client code."
            found[CODES].append(Shortfall("Active client", client.legal_name, None, message))
    return tuple(Prerequisite(requirement, tuple(shortfalls)) for requirement, shortfalls in found.items())
