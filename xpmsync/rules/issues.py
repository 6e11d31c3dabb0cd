"""The problem catalogue: everything that can be wrong with a record, with its severity, its effect and the remedy.

Codes are stable: people filter by them. Messages name what is wrong; suggestions are imperative and name the screen in
XPM or the command that helps. Knows no record; the rules fill in the facts.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
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


class Fact(str):
    """A text from Xero, which may hold anything: `quoted`, a shell takes it for one word and obeys nothing in it."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        return shlex.quote(self) if form == "quoted" else super().__format__(form)


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue. `field` and the texts up to `remedy` are templates for ``str.format``.

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
    story: str
    """What it is, and why the sync does not simply guess."""

    @property
    def meanwhile(self) -> str:
        """What happens to the record and its data as long as nothing is done."""
        return _MEANWHILE[self.effect]

    @property
    def general_suggestion(self) -> str:
        """What to do about a record, where none is meant in particular."""
        return self.suggestion.format_map(_ANY_RECORD)


@dataclass(frozen=True)
class Issue:
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
    code: str, entity: str, field: str | None, message: str, suggestion: str, *, cause: str, remedy: str, story: str
) -> Kind:
    return Kind(code, entity, Severity.ERROR, Effect.SKIP, field, message, suggestion, cause, remedy, story)


def _warning(
    code: str,
    entity: str,
    field: str | None,
    message: str,
    suggestion: str,
    *,
    cause: str | None,
    remedy: str | None,
    story: str,
    effect: Effect = Effect.KEEP,
) -> Kind:
    return Kind(code, entity, Severity.WARNING, effect, field, message, suggestion, cause, remedy, story)


END: Final = (
    "By itself, at the first run that finds it put right: usually the next one, at the latest the full run, which is "
    "made once a day. A change in XPM that no hourly run sees is found sooner with: xpmsync sync --full"
)
"""How a problem goes away."""
_MEANWHILE: Final[Mapping[Effect, str]] = {
    Effect.KEEP: "Nothing waits for it: the sync goes on, and the value stays as it is.",
    Effect.DROP: "The client is synced without this value. What somebody typed into Active by hand stays there.",
    Effect.SKIP: "The record is not synced: what Active holds of it stays as it is, its status too, and what Active "
    "does not have yet is not created. All other records are synced.",
}
_ANY_RECORD: Final[Mapping[str, Fact]] = {
    "name": Fact("NAME"),
    "uuid": Fact("UUID"),
    "label": Fact("in question"),
    "email": Fact("EMAIL"),
    "own": Fact("EMAIL"),
    "move": Fact(""),
    "code": Fact("CODE"),
    "holder": Fact("the other client"),
    "partner": Fact("the partner"),
    "partner_uuid": Fact("UUID"),
    "office": Fact("OFFICE"),
    "number": Fact("N"),
    "command": Fact("the warning names the command"),
    "also": Fact(""),
}
"""What a suggestion says in the place of a record's own facts."""
MOST_NAMES: Final = 3
"""In one sentence."""

_STAFF_SCREEN = "XPM, Business > Settings > Staff,"
_CLIENT_SCREEN = "XPM, Clients > {name} > Edit,"
_CLIENTS_SCREEN = "In XPM, Clients, open each of them, and under Edit"

_KINDS = (
    _error(
        "staff-without-id",
        "user",
        "{which}",
        "XPM lists this staff member without an identifier, so nobody can tell who it is from one hour to the next.",
        "Report it to Xero support; the other staff are synced.",
        cause="are listed by XPM without an identifier",
        remedy="Report it to Xero support; the other staff are synced.",
        story="XPM gives every staff member an identifier, and the sync recognises people by it even when their "
        "name or e-mail address changes. This entry came without one. A user made from it would be a stranger "
        "to the next run, so none is made.",
    ),
    _error(
        "staff-without-name",
        "user",
        "name",
        "This staff member has no name in XPM.",
        f"In {_STAFF_SCREEN} find the entry {{label}} and enter the person's name.",
        cause="have no name in XPM",
        remedy=f"In {_STAFF_SCREEN} find each entry and enter the person's name.",
        story="A user of Active needs a first name, and XPM has no name at all for this person. The sync makes no "
        "name up from the e-mail address.",
    ),
    _error(
        "staff-without-email",
        "user",
        "email",
        "This staff member has no e-mail address in XPM, and Active knows its users by it.",
        f"In {_STAFF_SCREEN} enter an e-mail address for {{name}}.",
        cause="have no e-mail address in XPM, and Active knows its users by it",
        remedy=f"In {_STAFF_SCREEN} enter an e-mail address for each of them.",
        story="Active knows its users by their e-mail address, and this person has none in XPM. Clients that name "
        "the person as their partner wait as well, with the code partner-without-email, unless a user of "
        "Active is linked to the person already.",
    ),
    _error(
        "staff-email-unusable",
        "user",
        "email",
        "“{email}” is not one e-mail address.",
        f"In {_STAFF_SCREEN} correct the e-mail address of {{name}}.",
        cause="have something else than one e-mail address in XPM",
        remedy=f"In {_STAFF_SCREEN} correct the e-mail address of each of them.",
        story="What XPM holds is not one e-mail address: several stand in one field, there is a space in it, or it "
        "is no address at all. The sync neither chooses one of several nor mends what was mistyped, since a "
        "wrong address could be somebody else's.",
    ),
    _warning(
        "staff-name-one-word",
        "user",
        "name",
        "The name in XPM is one word: it is taken as the first name, and the last name is left empty.",
        f"In {_STAFF_SCREEN} enter the full name of {{name}}.",
        cause="have a name of one word in XPM: it is taken as the first name, and the last name is left empty",
        remedy=f"In {_STAFF_SCREEN} enter the full name of each of them.",
        story="XPM has one field for a staff member's name, and Active has two: the first word becomes the first "
        "name, everything after it the last name. Here nothing comes after it. Where the name really is one "
        "word, nothing needs to be done.",
    ),
    _error(
        "staff-email-shared",
        "user",
        "email",
        "The e-mail address {email} is shared with {others} in XPM, and a user of Active needs one of their own.",
        f"In {_STAFF_SCREEN} give each of them a different e-mail address.",
        cause="share the e-mail address {email} in XPM, and a user of Active needs one of their own",
        remedy=f"In {_STAFF_SCREEN} give each of them a different e-mail address.",
        story="Several staff members have one e-mail address in XPM, and Active knows a user by it, so only one of "
        "them can have it. Whoever is linked to the user with that address keeps it, and the others wait. "
        "Where the sync cannot tell who that is, all of them wait.",
    ),
    _error(
        "staff-email-of-colleague",
        "user",
        "email",
        "The email address {email} belongs to another user of Active, {holder}, who is on XPM's staff list too.",
        f"In {_STAFF_SCREEN} correct the email address of {{name}} or of {{holder}}; "
        "if both entries are one person, delete one of them.",
        cause="have the email address of another user of Active, who is on XPM's staff list too",
        remedy=f"In {_STAFF_SCREEN} correct the email address of each of them, or of the other user; "
        "where both entries are one person, delete one of them.",
        story="A user of Active has the email address already, and is linked to another staff member whom XPM lists. "
        "That staff member's entry has no usable email address any more, or cannot be synced for another reason, so "
        "the user keeps the address. Two users cannot have one address.",
    ),
    _error(
        "staff-email-taken",
        "user",
        "email",
        "The email address {email} belongs to another user of Active, {holder}, whom XPM does not list.",
        "Give {holder} another email address: xpmsync admin user set {email:quoted} --email NEW; "
        "or, if both are one person, run: xpmsync admin user merge {email:quoted} --into {own:quoted}; "
        f"or, if the address is wrong, in {_STAFF_SCREEN} correct the email address of {{name}}.",
        cause="have the email address of another user of Active, whom XPM does not list",
        remedy="Give each of the other users another email address: xpmsync admin user set EMAIL --email NEW; "
        "or, where both are one person, merge them: xpmsync admin user merge --help",
        story="This person has a user in Active, and another user has the email address already: one who has left "
        "XPM's staff list, or who was set up by hand. Two users cannot have one address, and the sync does not guess "
        "whether both are one person. The role, office and modules of the other user are not handed over.",
    ),
    _error(
        "staff-email-held-by-former-user",
        "user",
        "email",
        "The email address {email} belongs to {holder}, who is no longer listed in XPM. "
        "A new person must not inherit that user's role.",
        "If both are one person, run: xpmsync admin user link {email:quoted} --xpm-staff {uuid:quoted}; "
        "if not, give {holder} another email address: xpmsync admin user set {email:quoted} --email NEW",
        cause="have the email address of a user who is no longer listed in XPM. "
        "A new person must not inherit that user's role",
        remedy="Decide for each: if both are one person, link them: xpmsync admin user link --help; "
        "if not, give the former user another email address: xpmsync admin user set EMAIL --email NEW",
        story="The email address belongs to a user whose staff member XPM no longer lists, and this staff member "
        "has another name. It may be one person who was entered again after a change of name, or a new person "
        "who was given the old address. A new person must not inherit the other's role and modules, so a "
        "person has to decide.",
    ),
    _warning(
        "partner-no-longer-listed",
        "user",
        "status",
        "XPM no longer lists this staff member but still names them as the partner of {clients}.",
        "In XPM, give those clients another partner. Until then they keep this one.",
        cause="are no longer listed in XPM but still named as the partner of clients",
        remedy="In XPM, give their clients another partner. Until then they keep this one.",
        story="XPM no longer lists this staff member, and yet names them as the partner of clients. Their user in "
        "Active is known, so the clients keep that partner, and one warning stands for all of them.",
    ),
    _warning(
        "chosen-partner-not-active",
        "user",
        "status",
        "This user is no longer active, but was chosen by hand as the partner of {clients}.",
        "List the clients: xpmsync admin client list --partner {email:quoted} --status active. Choose another partner "
        "for them: xpmsync admin client set --all-of {email:quoted} --partner EMAIL. Until then they keep this one.",
        cause="are no longer active, but were chosen by hand as the partner of clients",
        remedy="Choose another partner for their clients: xpmsync admin client set CODE --partner EMAIL. Until then "
        "they keep this one.",
        story="XPM names no partner for these clients, and a person chose this user as their partner. The choice "
        "stays while XPM names none, so the clients keep the partner, and one warning stands for all of them. To let a "
        "client follow the default partner of its office again, run: xpmsync admin client set CODE --partner ''",
    ),
    _warning(
        "former-entry-still-named",
        "user",
        "status",
        "XPM still names a former entry of this staff member as the partner or job manager of clients.",
        "In XPM, choose the present entry of {name} as the partner or job manager of those clients. "
        "Until then they keep {name}.",
        cause="have a former entry that XPM still names as the partner or job manager of clients",
        remedy="In XPM, choose their present entries as the partner or job manager of those clients. "
        "Until then the clients keep them.",
        story="The staff entry of this person was deleted in XPM and created again, with the same name and email "
        "address, or somebody has said so with the command xpmsync admin user link and its option --also. Clients in "
        "XPM still name the former entry. It leads to the same user as long as XPM does not list it.",
    ),
    _warning(
        "manager-no-longer-listed",
        "user",
        "status",
        "XPM no longer lists this staff member but still names them as the job manager of {clients}.",
        "In XPM, give those clients another job manager. Until then they keep this one.",
        cause="are no longer listed in XPM but still named as the job manager of clients",
        remedy="In XPM, give their clients another job manager. Until then they keep this one.",
        story="XPM no longer lists this staff member, and yet names them as the job manager of clients. Their user in "
        "Active is known, so the clients keep that manager, and one warning stands for all of them.",
    ),
    _error(
        "client-without-id",
        "client",
        "{which}",
        "XPM lists this client without an identifier, so nobody can tell which it is from one hour to the next.",
        "Report it to Xero support; the other clients are synced.",
        cause="are listed by XPM without an identifier",
        remedy="Report it to Xero support; the other clients are synced.",
        story="XPM gives every client an identifier, and the sync recognises clients by it even when their name or "
        "code changes. This one came without it. A client made from it would be a stranger to the next run, "
        "so none is made. Only a full run sees all clients, so it takes one to tell that this is put right.",
    ),
    _error(
        "client-without-name",
        "client",
        "legal_name",
        "This client has neither a name nor a first and last name in XPM.",
        "In XPM, find the client {label} and enter its name.",
        cause="have neither a name nor a first and last name in XPM",
        remedy="In XPM, find each of them and enter its name.",
        story="A client of Active needs a legal name. XPM has neither a name for this one nor a first and last "
        "name, and the sync does not make one up from other fields.",
    ),
    _error(
        "partner-not-listed",
        "client",
        "partner_id",
        "The partner {partner} is not in XPM's staff list.",
        f"In {_CLIENT_SCREEN} choose a partner who is on the staff; "
        "or, if {partner} is a user of Active, run: "
        "xpmsync admin user link EMAIL --xpm-staff {partner_uuid:quoted} --also",
        cause="name the partner {partner}, who is not in XPM's staff list",
        remedy=f"{_CLIENTS_SCREEN} choose a partner who is on the staff; "
        "or, if {partner} is a user of Active, run: "
        "xpmsync admin user link EMAIL --xpm-staff {partner_uuid:quoted} --also",
        story="Every client of Active has a partner who is a user. XPM names one for this client who is not in its "
        "staff list, and no user of Active is linked to that staff member. The person may have left, or may "
        "have been entered again before the first sync. Who gets the client is for the firm to decide, so the sync "
        "gives it to nobody, not even to the default partner of the office.",
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
        story="Every client of Active has a partner who is a user. XPM names one for this client who is on the "
        "staff but has no e-mail address that can be used, and no user of Active is linked to that staff "
        "member. The sync does not go by the name alone, since two people may share it. The address in XPM, "
        "or one link, settles it for all clients of this partner.",
    ),
    _error(
        "partner-not-in-active",
        "client",
        "partner_id",
        "The partner {partner} is not a user of Active.",
        "See what keeps {partner} from becoming a user: xpmsync errors --entity user",
        cause="name the partner {partner}, who is not a user of Active",
        remedy="See what keeps {partner} from becoming a user: xpmsync errors --entity user",
        story="Every client of Active has a partner who is a user. XPM names one for this client who is on the "
        "staff and has an e-mail address, but has not become a user: something else is wrong with the staff "
        "entry, such as a name that is missing or an address that is shared. Once the person is a user, all "
        "of their clients are synced.",
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
        story="Every client of Active has a partner. Where XPM names none, the client gets the default partner of "
        "its office, and this office has none. A default partner settles it for all clients of the office; a "
        "partner entered in XPM settles it for one client and always comes first.",
    ),
    _error(
        "no-active-default-partner",
        "client",
        "partner_id",
        "This client has no partner in XPM, and the default partner of the office {office} is not an active user.",
        f"In {_CLIENT_SCREEN} choose a partner; "
        "or give the office another default partner: xpmsync admin office set {office:quoted} --default-partner EMAIL",
        cause="have no partner in XPM, and the default partner of the office {office} is not an active user",
        remedy=f"{_CLIENTS_SCREEN} choose a partner; "
        "or give the office another default partner: xpmsync admin office set {office:quoted} --default-partner EMAIL",
        story="XPM names no partner for this client, so it would get the default partner of its office. That user is "
        "no longer listed in XPM, or was switched off, and is given no further clients. Clients that have this "
        "partner keep it, and are synced.",
    ),
    _error(
        "office-missing",
        "client",
        "office_code",
        "This client has no partner in XPM, and its office {office} was deleted from Active by another program.",
        f"In {_CLIENT_SCREEN} choose a partner; "
        "or set the office up again: xpmsync admin office add {office:quoted} --name NAME",
        cause="have no partner in XPM, and their office {office} was deleted from Active by another program",
        remedy=f"{_CLIENTS_SCREEN} choose a partner; "
        "or set the office up again: xpmsync admin office add {office:quoted} --name NAME",
        story="Every client of Active has a partner. Where XPM names none, the client gets the default partner of its "
        "office. This office is gone, so nobody can say who that is. The client keeps the partner that it has.",
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
        story="XPM names a job manager who is not a user of Active: somebody who is not on the staff, has no e-mail "
        "address that can be used, or could not become a user for another reason. A client may be without a "
        "manager, so it does not wait. Once the person is a user, the manager is filled in.",
    ),
    _error(
        "client-code-shared",
        "client",
        "code",
        "The client code {code} is shared with {others} in XPM.",
        f"In {_CLIENT_SCREEN} give each of them a different client code.",
        cause="share the client code {code} in XPM",
        remedy=f"{_CLIENTS_SCREEN} enter a client code of its own.",
        story="Several clients that are neither archived nor deleted have one client code in XPM, and Active knows "
        "a client by it. Capital and small letters make no difference. The client that is linked to the one "
        "in Active with that code keeps it, and the others wait. Where the sync cannot tell which that is, "
        "all of them wait.",
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
        story="Another client of Active has this code and keeps it: one that something else holds back, so that its "
        "new code cannot be taken over, or one that was set up by hand. Two clients cannot have one code, and "
        "the sync takes it away from neither.",
    ),
    _error(
        "code-held-by-former-client",
        "client",
        "code",
        "The client code {code} belongs to {holder}, which is archived, deleted or gone in XPM, "
        "and nothing shows that both are one client.",
        "If both are one client, run: xpmsync admin client link {code:quoted} --xpm-client {uuid:quoted}{move}; "
        f"if not, in {_CLIENT_SCREEN} give it another client code, or give {{holder}} another one there.",
        cause="have a client code that belongs to a client of Active which is archived, deleted or gone in XPM, "
        "and nothing shows that both are one client",
        remedy="Decide for each: if both are one client, link them: xpmsync admin client link --help; "
        "if not, give one of the two another client code in XPM.",
        story="The code belongs to a client of Active that is archived, deleted or gone in XPM. A client that was "
        "entered into XPM again is relinked if the former one still has this code there, and the ABN is the same, "
        "or the name is the same and no ABN contradicts. Neither is certain here. It may be another client that "
        "was given an old code, and the two must not be mixed up. The code of an archived or deleted client that "
        "you change in XPM is free at the next sync. A client that is gone from XPM keeps its code in Active; to "
        "change it, run: "
        "xpmsync admin client set CODE --code NEW",
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
        story="Active has a client with this code that was set up by hand, and the sync would link it with XPM's "
        "client by the code. But the two have different ABNs: one of the numbers or codes is wrong, or they "
        "are two clients. A wrong link would mix the data of both.",
    ),
    _warning(
        "client-email-unusual",
        "client",
        "email",
        "“{email}” is not one e-mail address; it is taken over as it is.",
        f"In {_CLIENT_SCREEN} correct the e-mail address.",
        cause="have something else than one e-mail address in XPM; it is taken over as it is",
        remedy=f"{_CLIENTS_SCREEN} correct the e-mail address.",
        story="The field holds something else than one e-mail address, such as several of them or a remark. Clients "
        "are not recognised by it, so it is taken over as it is. A program that sends e-mails to clients from "
        "Active may not be able to use it.",
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
        story="An ABN has 11 digits and an NZBN has 13; spaces and other characters between them do not count. This "
        "number has more or fewer, and the sync neither cuts nor fills it up.",
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
        story="An ABN and an NZBN carry check digits, and here they do not fit: a digit was mistyped, or digits "
        "have changed places. The sync cannot tell which, and takes the number over. As long as it is wrong, "
        "the client may not be recognised when it is entered into XPM anew.",
    ),
    _warning(
        "several-primary-contacts",
        "client",
        "individual_salutation",
        "This client has {count} primary contacts in XPM; the salutation of the first is taken.",
        "In XPM, open the client's contacts and mark one of them as primary.",
        cause="have several primary contacts in XPM; the salutation of the first is taken",
        remedy="In XPM, open the contacts of each of these clients and mark one as primary.",
        story="The salutation in Active is that of the client's primary contact in XPM. Several contacts of this "
        "client are marked as primary, and the first of them in XPM's own order is taken. Deleted contacts do "
        "not count.",
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
        story="XPM says that the client is in a group, but tells the group's name nowhere, and a group of Active "
        "needs one. The client's other groups are taken over.",
    ),
    _warning(
        "default-partner-not-active",
        "office",
        "{office}",
        "The default partner of the office {office}, {partner}, is not an active user.",
        "Choose an active user: xpmsync admin office set {office:quoted} --default-partner EMAIL; "
        "or, if the office needs none: xpmsync admin office set {office:quoted} --no-default-partner",
        cause="have a default partner who is not an active user",
        remedy="Choose an active user for each: xpmsync admin office set CODE --default-partner EMAIL",
        story="The default partner of the office is no longer listed in XPM, or was switched off. Clients without a "
        "partner in XPM that have this partner keep it. Every other client without a partner in XPM is an error with "
        "the code no-active-default-partner, until the office has an active default partner.",
    ),
    _warning(
        "group-without-id",
        "client",
        "groups",
        "XPM sends this client's client group ({groups}) without an ID. The client stays in all its groups in Active.",
        f"In {_CLIENT_SCREEN} take the client out of the group and put it in again. If that does not help, tell Xero "
        "support.",
        cause="are in a client group that XPM sends without an ID; they stay in all their groups in Active",
        remedy="In XPM, take one of them out of the group and put it in again. If that does not help, tell Xero "
        "support.",
        story="XPM sends an ID with each client group, and the sync recognises groups by it. Without one nobody can "
        "say which group of Active is meant, as several may have one name. So the client is taken out of no group. "
        "Groups that have an ID are joined as usual.",
    ),
    _warning(
        "first-list-empty",
        "run",
        "{records}",
        "XPM answered with an empty list of {records}.",
        "Check that the practice that is connected is the right one: xpmsync status",
        cause=None,
        remedy=None,
        story="XPM's list was empty, and there has never been anything in it. That is right for a practice that is "
        "just being set up; it is also what another practice looks like than the one that was meant. Once "
        "there has been a list, an empty one stops the run, with the code suspicious-change.",
    ),
    _warning(
        "elements-never-sent",
        "run",
        None,
        "XPM sends none of these elements: {elements}.",
        "If your practice uses one of them, ask Xero support why the API leaves it out. If it uses none of them, hide "
        "this warning: xpmsync sync --accept {number}{also}",
        cause=None,
        remedy=None,
        story="A full list came in which no record has these elements, and Active has no values from them. XPM leaves "
        "out elements that a practice does not use, such as the title of persons. An element that is empty is sent, "
        "and is not meant here. Accepting says that your practice does not use them. If XPM sends one later, its "
        "values are copied as usual. Accepting also accepts what earlier syncs have warned of, and then says so.",
    ),
    _warning(
        "elements-no-longer-sent",
        "run",
        None,
        "XPM no longer sends these elements: {elements}. Their values in Active stay as they are.",
        "Check in XPM whether the fields are still filled in. If they are, tell Xero support. If they are to be empty "
        "in Active too, run: xpmsync sync --accept {number}{also}",
        cause=None,
        remedy=None,
        story="A full list came in which no record has these elements, although XPM has sent values for them before. "
        "That is no edit of each record, so the sync clears nothing: all values stay until XPM sends the element "
        "again. All other changes of the same records are copied. Accepting clears the values. It also accepts what "
        "earlier syncs have warned of, and then says so.",
    ),
    _warning(
        "reference-broken",
        "run",
        "{reference}",
        "{what} is gone: another program has deleted {missing} from Active.",
        "Choose another, or set it up again: {command}",
        cause=None,
        remedy=None,
        story="Records of Active lead to each other: a client to its partner, manager and office, an office to its "
        "default partner, a user to an office. Another program has deleted a row of active.db that others lead to. "
        "SQLite prevents that only where a program switches foreign keys on. What is gone counts as not set. A partner "
        "or manager whom XPM names comes back by the sync. For all others the warning stays until another one is "
        "chosen, or the row is back.",
    ),
    _warning(
        "leftovers-removed",
        "run",
        "{reference}",
        "{what}, which another program has deleted. The sync has removed these rows.",
        "Nothing needs to be done: what XPM has is set up again.",
        cause=None,
        remedy=None,
        story="A membership in a client group, or a module of a user, says nothing without the group, client or user. "
        "Another program has deleted that row of active.db and left the others behind. SQLite prevents that only where "
        "a program switches foreign keys on. The sync has removed what was left, and sets up again what XPM has.",
    ),
    _warning(
        "alert-recipient-not-active",
        "run",
        None,
        "The alert recipient, {recipient}, is not an active user of Active, so {who}.",
        "Choose an active user as the alert recipient: xpmsync configure",
        cause=None,
        remedy=None,
        story="An email about a sync that fails goes to one chosen user, and follows this user when the email address "
        "changes in XPM. The user has left, was deactivated or merged, or the address in config.toml (notify.email) "
        "is nobody's. Nobody else is mailed instead. As long as this is so, standard error has the alert, at most once "
        "in 24 hours, and cron mails that where the crontab says so (MAILTO).",
    ),
)


CATALOGUE: Final = {kind.code: kind for kind in _KINDS}


def issue(code: str, xpm_uuid: str | None, name: str | None, /, **facts: object) -> Issue:
    """A problem of the catalogue, with the facts of one record filled into its texts."""
    kind = CATALOGUE[code]
    facts = {fact: Fact(value) for fact, value in {**facts, "uuid": xpm_uuid, "name": name}.items()}
    return Issue(
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


def list_unidentified(entity: str, names: Iterable[str | None]) -> Iterator[Issue]:
    """A problem for each record of a list (`staff` or `client`) that came without an ID, by name and number."""
    seen: Counter[str | None] = Counter()
    for name in names:
        seen[name] += 1
        yield issue(f"{entity}-without-id", None, name, which=f"{name or ''} ({seen[name]})".strip())


def join_names(names: Iterable[str], count: int) -> str:
    """Names in a sentence: “Ann”, “Ann and Bob”, “Ann, Bob and Cy”, “Ann, Bob and 3 others”.

    There are `count` of them; of many, only those are asked for that are shown.
    """
    shown = list(islice(names, MOST_NAMES))
    if count > MOST_NAMES:
        shown[-1] = f"{count - MOST_NAMES + 1:,} others"
    return " and ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else "".join(shown)
