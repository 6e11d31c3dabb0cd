"""The problem catalogue: everything that can be wrong with a record, with its severity, its effect and the remedy.

Codes are stable: people filter by them. Messages name what is wrong; suggestions are imperative and name the screen in
XPM or the command that helps. Knows no record; the rules fill in the facts.
"""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad it is: an error keeps a record, or a run, from being synced; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Effect(StrEnum):
    """What the sync does about it."""

    KEEP = "keep"
    """The value is taken as it is."""
    DROP = "drop the value"
    """The value is not taken; the rest of the record is synced."""
    SKIP = "skip the record"
    """The record is not synced; what Active holds of it stays as it is."""


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue. `field` and all texts are templates for ``str.format``.

    What goes into a command that people copy is `quoted` for the shell: ``{code:quoted}``.
    """

    code: str
    entity: str
    severity: Severity
    effect: Effect
    field: str | None
    message: str
    """What is wrong with one record."""
    suggestion: str
    """What to do about one record."""
    cause: str | None
    """What is wrong with several records at once, to be read after their number: “38 clients name the partner …”.
    None for what is never said of more than one."""
    remedy: str | None
    """What to do about all of them."""


@dataclass(frozen=True)
class Problem:
    """One problem of one record, ready for the error log."""

    code: str
    severity: str
    entity: str
    xpm_uuid: str | None
    name: str | None
    field: str | None
    message: str
    suggestion: str
    cause: str | None = None
    """The same text for all records whose problem has one cause; see `Kind`."""
    remedy: str | None = None


def _error(
    code: str, entity: str, field: str | None, message: str, suggestion: str, *, cause: str, remedy: str
) -> Kind:
    return Kind(code, entity, Severity.ERROR, Effect.SKIP, field, message, suggestion, cause, remedy)


def _warning(
    code: str,
    entity: str,
    field: str,
    message: str,
    suggestion: str,
    *,
    cause: str | None,
    remedy: str | None,
    effect: Effect = Effect.KEEP,
) -> Kind:
    return Kind(code, entity, Severity.WARNING, effect, field, message, suggestion, cause, remedy)


_STAFF_SCREEN = "XPM, Business > Settings > Staff,"
_CLIENT_SCREEN = "XPM, Clients > {name} > Edit,"
_CLIENTS_SCREEN = "In XPM, Clients, open each of them, and under Edit"

_KINDS = (
    _error(
        "staff-without-id",
        "user",
        None,
        "XPM lists this staff member without an identifier, so nobody can tell who it is from one hour to the next.",
        "Report it to Xero support; the other staff are synced.",
        cause="are listed by XPM without an identifier",
        remedy="Report it to Xero support; the other staff are synced.",
    ),
    _error(
        "staff-without-name",
        "user",
        "name",
        "This staff member has no name in XPM.",
        f"In {_STAFF_SCREEN} find the entry {{label}} and enter the person's name.",
        cause="have no name in XPM",
        remedy=f"In {_STAFF_SCREEN} find each entry and enter the person's name.",
    ),
    _error(
        "staff-without-email",
        "user",
        "email",
        "This staff member has no e-mail address in XPM, and Active knows its users by it.",
        f"In {_STAFF_SCREEN} enter an e-mail address for {{name}}.",
        cause="have no e-mail address in XPM, and Active knows its users by it",
        remedy=f"In {_STAFF_SCREEN} enter an e-mail address for each of them.",
    ),
    _error(
        "staff-email-unusable",
        "user",
        "email",
        "“{email}” is not one e-mail address.",
        f"In {_STAFF_SCREEN} correct the e-mail address of {{name}}.",
        cause="have something else than one e-mail address in XPM",
        remedy=f"In {_STAFF_SCREEN} correct the e-mail address of each of them.",
    ),
    _warning(
        "staff-name-one-word",
        "user",
        "name",
        "The name in XPM is one word: it is taken as the first name, and the last name is left empty.",
        f"In {_STAFF_SCREEN} enter the full name of {{name}}.",
        cause="have a name of one word in XPM: it is taken as the first name, and the last name is left empty",
        remedy=f"In {_STAFF_SCREEN} enter the full name of each of them.",
    ),
    _error(
        "staff-email-shared",
        "user",
        "email",
        "The e-mail address {email} is shared with {others} in XPM, and a user of Active needs one of their own.",
        f"In {_STAFF_SCREEN} give each of them a different e-mail address.",
        cause="share the e-mail address {email} in XPM, and a user of Active needs one of their own",
        remedy=f"In {_STAFF_SCREEN} give each of them a different e-mail address.",
    ),
    _error(
        "staff-email-taken",
        "user",
        "email",
        "The e-mail address {email} belongs to another user of Active, {holder}.",
        f"In {_STAFF_SCREEN} correct the e-mail address of {{name}}; "
        "or, if both are one person, run: xpmsync admin user link {email:quoted} --xpm-staff {uuid:quoted}",
        cause="have an e-mail address that belongs to another user of Active",
        remedy=f"In {_STAFF_SCREEN} correct the e-mail address of each of them; "
        "or, where both are one person, link them: xpmsync admin user link --help",
    ),
    _error(
        "staff-email-held-by-former-user",
        "user",
        "email",
        "The e-mail address {email} belongs to {holder}, who is no longer listed in XPM. "
        "A new person must not inherit that user's role.",
        "If both are one person, run: xpmsync admin user link {email:quoted} --xpm-staff {uuid:quoted}; "
        f"if not, in {_STAFF_SCREEN} give {{name}} another e-mail address.",
        cause="have the e-mail address of a user who is no longer listed in XPM. "
        "A new person must not inherit that user's role",
        remedy="Decide for each: if both are one person, link them (xpmsync admin user link --help); "
        f"if not, in {_STAFF_SCREEN} give the new person another e-mail address.",
    ),
    _warning(
        "partner-no-longer-listed",
        "user",
        "status",
        "XPM no longer lists this staff member but still names them as the partner of {clients}.",
        "In XPM, give those clients another partner. Until then they keep this one.",
        cause="are no longer listed in XPM but still named as the partner of clients",
        remedy="In XPM, give their clients another partner. Until then they keep this one.",
    ),
    _error(
        "client-without-id",
        "client",
        None,
        "XPM lists this client without an identifier, so nobody can tell which it is from one hour to the next.",
        "Report it to Xero support; the other clients are synced.",
        cause="are listed by XPM without an identifier",
        remedy="Report it to Xero support; the other clients are synced.",
    ),
    _error(
        "client-without-name",
        "client",
        "legal_name",
        "This client has neither a name nor a first and last name in XPM.",
        "In XPM, find the client {label} and enter its name.",
        cause="have neither a name nor a first and last name in XPM",
        remedy="In XPM, find each of them and enter its name.",
    ),
    _error(
        "partner-not-listed",
        "client",
        "partner_id",
        "The partner {partner} is not in XPM's staff list.",
        f"In {_CLIENT_SCREEN} choose a partner who is on the staff; "
        "or, if a user of Active is meant, run: xpmsync admin user link EMAIL --xpm-staff {partner_uuid:quoted}",
        cause="name the partner {partner}, who is not in XPM's staff list",
        remedy=f"{_CLIENTS_SCREEN} choose a partner who is on the staff; "
        "or, if a user of Active is meant, run: xpmsync admin user link EMAIL --xpm-staff {partner_uuid:quoted}",
    ),
    _error(
        "partner-without-email",
        "client",
        "partner_id",
        "The partner {partner} has no usable e-mail address in XPM, so the user of Active cannot be found.",
        f"In {_STAFF_SCREEN} enter the e-mail address of {{partner}}; "
        "or, if a user of Active is meant, run: xpmsync admin user link EMAIL --xpm-staff {partner_uuid:quoted}",
        cause="name the partner {partner}, who has no usable e-mail address in XPM",
        remedy=f"In {_STAFF_SCREEN} enter the e-mail address of {{partner}}; "
        "or, if a user of Active is meant, run: xpmsync admin user link EMAIL --xpm-staff {partner_uuid:quoted}",
    ),
    _error(
        "partner-not-in-active",
        "client",
        "partner_id",
        "The partner {partner} is not a user of Active.",
        "See what keeps {partner} from becoming a user: xpmsync errors --entity user",
        cause="name the partner {partner}, who is not a user of Active",
        remedy="See what keeps {partner} from becoming a user: xpmsync errors --entity user",
    ),
    _error(
        "partner-missing",
        "client",
        "partner_id",
        "This client has no partner in XPM, and the office {office} has no default partner.",
        f"In {_CLIENT_SCREEN} choose a partner; "
        "or give the office a default partner: xpmsync admin office set {office:quoted} --default-partner EMAIL",
        cause="have no partner in XPM, and the office {office} has no default partner",
        remedy=f"{_CLIENTS_SCREEN} choose a partner; "
        "or give the office a default partner: xpmsync admin office set {office:quoted} --default-partner EMAIL",
    ),
    _warning(
        "manager-not-in-active",
        "client",
        "manager_id",
        "The job manager {manager} is not a user of Active; the client is synced without a manager.",
        f"In {_CLIENT_SCREEN} choose a job manager who is on the staff and has an e-mail address.",
        cause="name the job manager {manager}, who is not a user of Active; they are synced without a manager",
        remedy=f"{_CLIENTS_SCREEN} choose a job manager who is on the staff and has an e-mail address.",
        effect=Effect.DROP,
    ),
    _error(
        "client-code-shared",
        "client",
        "code",
        "The client code {code} is shared with {others} in XPM.",
        f"In {_CLIENT_SCREEN} give each of them a different client code.",
        cause="share the client code {code} in XPM",
        remedy=f"{_CLIENTS_SCREEN} enter a client code of its own.",
    ),
    _error(
        "client-code-taken",
        "client",
        "code",
        "The client code {code} belongs to another client of Active, {holder}.",
        f"In {_CLIENT_SCREEN} correct the client code, or see what keeps {{holder}} from being synced: "
        "xpmsync errors --entity client",
        cause="have a client code that belongs to another client of Active",
        remedy=f"{_CLIENTS_SCREEN} correct the client code, or see what keeps the other client from being synced: "
        "xpmsync errors --entity client",
    ),
    _error(
        "code-held-by-former-client",
        "client",
        "code",
        "The client code {code} belongs to {holder}, which is archived, deleted or gone in XPM, "
        "and nothing shows that both are one client.",
        "If both are one client, run: xpmsync admin client link {code:quoted} --xpm-client {uuid:quoted}; "
        f"if not, in {_CLIENT_SCREEN} give it another client code.",
        cause="have a client code that belongs to a client of Active which is archived, deleted or gone in XPM, "
        "and nothing shows that both are one client",
        remedy="Decide for each: if both are one client, link them (xpmsync admin client link --help); "
        "if not, enter another client code in XPM.",
    ),
    _error(
        "abn-contradicts",
        "client",
        "abn",
        "Active's client with the code {code}, {holder}, has another ABN than this one, so they are not linked.",
        "Correct the ABN or the client code where it is wrong; "
        "if both are one client, run: xpmsync admin client link {code:quoted} --xpm-client {uuid:quoted}",
        cause="have another ABN than the client of Active with the same code, so they are not linked",
        remedy="Correct the ABN or the client code where it is wrong; "
        "where both are one client, link them: xpmsync admin client link --help",
    ),
    _warning(
        "client-email-unusual",
        "client",
        "email",
        "“{email}” is not one e-mail address; it is taken over as it is.",
        f"In {_CLIENT_SCREEN} correct the e-mail address.",
        cause="have something else than one e-mail address in XPM; it is taken over as it is",
        remedy=f"{_CLIENTS_SCREEN} correct the e-mail address.",
    ),
    _warning(
        "business-number-unreadable",
        "client",
        "abn",
        "The business number “{number}” has neither the 11 digits of an ABN nor the 13 of an NZBN; "
        "the client is synced without one.",
        f"In {_CLIENT_SCREEN} correct the business number.",
        cause="have a business number with neither the 11 digits of an ABN nor the 13 of an NZBN; "
        "they are synced without one",
        remedy=f"{_CLIENTS_SCREEN} correct the business number.",
        effect=Effect.DROP,
    ),
    _warning(
        "business-number-check-digit",
        "client",
        "abn",
        "The business number {number} has a wrong digit (it is neither an ABN nor an NZBN whose check digits fit); "
        "it is taken over as it is.",
        f"In {_CLIENT_SCREEN} compare the business number with the public register.",
        cause="have a business number with a wrong digit (it is neither an ABN nor an NZBN whose check digits fit); "
        "it is taken over as it is",
        remedy=f"{_CLIENTS_SCREEN} compare the business number with the public register.",
    ),
    _warning(
        "several-primary-contacts",
        "client",
        "individual_salutation",
        "This client has {count} primary contacts in XPM; the salutation of the first is taken.",
        "In XPM, open the client's contacts and mark one of them as primary.",
        cause="have several primary contacts in XPM; the salutation of the first is taken",
        remedy="In XPM, open the contacts of each of these clients and mark one as primary.",
    ),
    _warning(
        "group-without-name",
        "client",
        "groups",
        "This client is in a group that has no name in XPM; the membership is left out.",
        "In XPM, open Clients > Client Groups and name the group.",
        cause="are in a group that has no name in XPM; the membership is left out",
        remedy="In XPM, open Clients > Client Groups and name the group.",
        effect=Effect.DROP,
    ),
    _warning(
        "first-list-empty",
        "run",
        "{records}",
        "XPM answered with an empty list of {records}.",
        "Check that the practice that is connected is the right one: xpmsync status",
        cause=None,
        remedy=None,
    ),
)


class Fact(str):
    """A text from Xero, which may hold anything: `quoted`, a shell takes it for one word and obeys nothing in it."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        return shlex.quote(self) if form == "quoted" else super().__format__(form)


CATALOGUE: Final = {kind.code: kind for kind in _KINDS}


def problem(code: str, xpm_uuid: str | None, name: str | None, /, **facts: object) -> Problem:
    """A problem of the catalogue, with the facts of one record filled into its texts."""
    kind = CATALOGUE[code]
    facts = {fact: Fact(value) for fact, value in {**facts, "uuid": xpm_uuid, "name": name}.items()}
    return Problem(
        code=code,
        severity=kind.severity.value,
        entity=kind.entity,
        xpm_uuid=xpm_uuid,
        name=name,
        field=kind.field and kind.field.format(**facts),
        message=kind.message.format(**facts),
        suggestion=kind.suggestion.format(**facts),
        cause=kind.cause and kind.cause.format(**facts),
        remedy=kind.remedy and kind.remedy.format(**facts),
    )
