"""Every entry of the problem catalogue, provoked: what XPM must tell for it, and what the error log then holds."""

import re
import shlex

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.home import Home
from xpmsync.rules.issues import CATALOGUE, Effect, Severity
from xpmsync.text import split_commands

ANN = {"UUID": "s1", "Name": "Ann Lee", "Email": "ann@firm.example"}
BOB = {"UUID": "s2", "Name": "Bob Ray", "Email": "bob@firm.example"}
SID = {"UUID": "s9", "Name": "Sid Fox", "Email": "sid@firm.example"}
STAFF = [ANN, BOB]
ABN = "51 824 753 556"


def client(uuid="c1", /, **elements):
    return {"UUID": uuid, "Name": "Ngata Ltd", "AccountManager": ANN, "ClientCode": "A"} | elements


def staff(*staff):
    return {"staff": staff}


def clients(*clients):
    return {"staff": STAFF, "clients": clients}


BY_HAND = (
    "INSERT INTO clients (id, legal_name, code, abn, office_code, partner_id) "
    "SELECT 'by-hand', 'Ngata', 'A', '53004085616', 'MAIN', id FROM users WHERE email = 'ann@firm.example'"
)

# Code to the hours that provoke it (what XPM tells, or what is done by hand), and the record and field in the log.
PROVOKED = {
    "staff-without-id": ([staff(ANN, BOB | {"UUID": " "})], None, "Bob Ray (1)"),
    "staff-without-name": ([staff(ANN, BOB | {"Name": ""})], "s2", "name"),
    "staff-without-email": ([staff(ANN, BOB | {"Email": ""})], "s2", "email"),
    "staff-email-unusable": ([staff(ANN, BOB | {"Email": "bob at firm"})], "s2", "email"),
    "staff-name-one-word": ([staff(ANN, BOB | {"Name": "Bob"})], "s2", "name"),
    "staff-email-shared": ([staff(ANN), staff(ANN, BOB | {"Email": "ann@firm.example"})], "s2", "email"),
    "staff-email-of-colleague": (
        [staff(ANN), staff(ANN | {"Email": ""}, BOB | {"Email": "ann@firm.example"})],
        "s2",
        "email",
    ),
    "staff-email-taken": (
        [
            "INSERT INTO users (id, first_name, email) VALUES ('by-hand', 'Bo', 'bo@firm.example')",
            staff(ANN, BOB),
            staff(ANN, BOB | {"Email": "bo@firm.example"}),
        ],
        "s2",
        "email",
    ),
    "staff-email-held-by-former-user": (
        [staff(ANN, BOB), staff(ANN, SID | {"Email": "bob@firm.example"})],
        "s9",
        "email",
    ),
    "partner-no-longer-listed": (
        [clients(client(AccountManager=BOB)), {"staff": [ANN], "clients": [client(AccountManager=BOB)]}],
        "s2",
        "status",
    ),
    "chosen-partner-not-active": (
        [
            clients(client(AccountManager=None)),
            BY_HAND,
            "INSERT INTO synced_values VALUES ('by-hand', json_object('partner_id', NULL))",
            "UPDATE users SET status = 'deactivated' WHERE email = 'ann@firm.example'",
            clients(client(AccountManager=None)),
        ],
        "s1",
        "status",
    ),
    "manager-no-longer-listed": (
        [clients(client(JobManager=BOB)), {"staff": [ANN], "clients": [client(JobManager=BOB)]}],
        "s2",
        "status",
    ),
    "former-entry-still-named": (
        [
            clients(client(AccountManager=BOB)),
            {"staff": [ANN, BOB | {"UUID": "s9"}], "clients": [client(AccountManager=BOB)]},
        ],
        "s2",
        "status",
    ),
    "client-without-id": ([clients(client("", Name="Nobody"))], None, "Nobody (1)"),
    "client-without-name": ([clients(client(Name=""))], "c1", "legal_name"),
    "partner-not-listed": ([clients(client(AccountManager=SID))], "c1", "partner_id"),
    "partner-without-email": (
        [{"staff": [*STAFF, SID | {"Email": ""}], "clients": [client(AccountManager=SID)]}],
        "c1",
        "partner_id",
    ),
    "partner-not-in-active": (
        [{"staff": [*STAFF, SID, SID | {"UUID": "s8"}], "clients": [client(AccountManager=SID)]}],
        "c1",
        "partner_id",
    ),
    "partner-missing": ([clients(client(AccountManager=""))], "c1", "partner_id"),
    "no-active-default-partner": (
        [
            staff(*STAFF),
            "UPDATE offices SET default_partner_id = (SELECT id FROM users WHERE email = 'bob@firm.example')",
            {"staff": [ANN], "clients": [client(AccountManager="")]},
        ],
        "c1",
        "partner_id",
    ),
    "default-partner-not-active": (
        [
            staff(*STAFF),
            "UPDATE offices SET default_partner_id = (SELECT id FROM users WHERE email = 'bob@firm.example')",
            staff(ANN),
        ],
        None,
        "MAIN",
    ),
    "manager-not-in-active": ([clients(client(JobManager=SID))], "c1", "manager_id"),
    "client-code-shared": ([clients(client("c1")), clients(client("c1"), client("c2"))], "c2", "code"),
    "client-code-taken": (
        [
            clients(client("c1"), client("c2", ClientCode="B")),
            clients(client("c1", ClientCode="Z", AccountManager=SID), client("c2")),
        ],
        "c2",
        "code",
    ),
    "code-held-by-former-client": ([clients(client("c1")), clients(client("c2", Name="Other Ltd"))], "c2", "code"),
    "abn-contradicts": ([staff(*STAFF), BY_HAND, clients(client(BusinessNumber=ABN))], "c1", "abn"),
    "client-email-unusual": ([clients(client(Email="a@b.example, c@d.example"))], "c1", "email"),
    "business-number-unreadable": ([clients(client(BusinessNumber="pending"))], "c1", "abn"),
    "business-number-check-digit": ([clients(client(BusinessNumber="51 824 753 557"))], "c1", "abn"),
    "several-primary-contacts": (
        [clients(client(Contacts=[{"Contact": {"IsPrimary": "Yes"}}, {"Contact": {"IsPrimary": "Yes"}}]))],
        "c1",
        "individual_salutation",
    ),
    "group-without-name": ([clients(client(Groups=[{"Group": {"UUID": "g1"}}]))], "c1", "groups"),
    "group-without-id": ([clients(client(Groups=[{"Group": {"Name": "Farms"}}]))], "c1", "groups"),
    "office-missing": (
        [
            clients(client()),
            "PRAGMA foreign_keys = OFF",
            "UPDATE clients SET office_code = 'SYD'",
            clients(client(AccountManager="")),
        ],
        "c1",
        "office_code",
    ),
    "first-list-empty": ([clients()], None, "clients"),
    "reference-broken": (
        [
            "PRAGMA foreign_keys = OFF",
            "UPDATE offices SET default_partner_id = 'gone'",
            staff(*STAFF),
        ],
        None,
        "offices.default_partner_id gone",
    ),
}

# Code to the record's name in the log, and to the facts of the case that its texts tell.
FACTS = {
    "staff-without-id": ("Bob Ray",),
    "staff-without-name": (None, "with the address bob@firm.example"),
    "staff-without-email": ("Bob Ray", "Bob Ray"),
    "staff-email-unusable": ("Bob Ray", "“bob at firm”"),
    "staff-name-one-word": ("Bob", "Bob"),
    "staff-email-shared": ("Bob Ray", "ann@firm.example", " Ann Lee in XPM"),
    "staff-email-of-colleague": ("Bob Ray", "ann@firm.example", " Ann Lee, "),
    "staff-email-taken": ("Bob Ray", " Bo, ", "set bo@firm.example", "merge bo@firm.example --into bob@firm.example"),
    "staff-email-held-by-former-user": ("Sid Fox", "bob@firm.example", " Bob Ray, ", "--xpm-staff s9"),
    "partner-no-longer-listed": ("Bob Ray", " one client."),
    "chosen-partner-not-active": ("Ann Lee", " one client.", "--partner ann@firm.example"),
    "manager-no-longer-listed": ("Bob Ray", " one client."),
    "former-entry-still-named": ("Bob Ray", "the present entry of Bob Ray"),
    "client-without-id": ("Nobody",),
    "client-without-name": (None, "with the code A"),
    "partner-not-listed": ("Ngata Ltd", "Sid Fox", "--xpm-staff s9"),
    "partner-without-email": ("Ngata Ltd", "Sid Fox", "--xpm-staff s9"),
    "partner-not-in-active": ("Ngata Ltd", "Sid Fox"),
    "partner-missing": ("Ngata Ltd", "office MAIN", "office set MAIN"),
    "no-active-default-partner": ("Ngata Ltd", "office MAIN", "office set MAIN"),
    "default-partner-not-active": ("Main Office", "office MAIN, Bob Ray (bob@firm.example)", "office set MAIN"),
    "manager-not-in-active": ("Ngata Ltd", "Sid Fox"),
    "client-code-shared": ("Ngata Ltd", "code A ", " Ngata Ltd in XPM"),
    "client-code-taken": ("Ngata Ltd", "code A ", ", Ngata Ltd."),
    "code-held-by-former-client": ("Other Ltd", "code A ", "Ngata Ltd", "client link A --xpm-client c2"),
    "abn-contradicts": ("Ngata Ltd", "code A, Ngata, ", "client link A --xpm-client c1"),
    "client-email-unusual": ("Ngata Ltd", "“a@b.example, c@d.example”"),
    "business-number-unreadable": ("Ngata Ltd", "“pending”"),
    "business-number-check-digit": ("Ngata Ltd", "51 824 753 557"),
    "several-primary-contacts": ("Ngata Ltd", "2 primary contacts"),
    "group-without-name": ("Ngata Ltd",),
    "group-without-id": ("Ngata Ltd", "client group (Farms) without"),
    "office-missing": ("Ngata Ltd", "its office SYD was", "office add SYD --name NAME"),
    "first-list-empty": (None, "clients"),
    "reference-broken": (None, "partner of MAIN is gone", "office set MAIN --default-partner EMAIL"),
}


def provoke(firm, hours):
    for hour in hours:
        if isinstance(hour, str):
            firm.execute(hour)
        else:
            firm.sync(hour.get("clients", ()), staff=hour["staff"])


def load_record(firm, uuid):
    """All that Active has of an XPM record: the user's values, or the client's."""
    return firm.rows(
        "SELECT first_name, last_name, email, NULL AS code FROM users WHERE xpm_staff_uuid = ?1 "
        "UNION ALL SELECT legal_name, NULL, NULL, code FROM clients WHERE xpm_client_uuid = ?1",
        uuid,
    )


ABOUT_OTHERS = {
    "former-entry-still-named",
    "partner-no-longer-listed",
    "manager-no-longer-listed",
    "chosen-partner-not-active",
    "default-partner-not-active",
    "first-list-empty",
    "reference-broken",
}
"""They are about no record that is synced now."""


@pytest.mark.parametrize("code", PROVOKED)
def test_the_issue_is_logged_once_with_all_its_facts_and_has_the_effect_that_the_catalogue_promises(firm, code):
    hours, uuid, field = PROVOKED[code]
    provoke(firm, hours[:-1])
    before = load_record(firm, uuid)
    provoke(firm, hours[-1:])
    kind = CATALOGUE[code]
    (entry,) = firm.rows("SELECT * FROM sync_errors WHERE code = ? AND resolved_at IS NULL", code)
    assert (entry["severity"], entry["entity"], entry.get("xpm_uuid"), entry.get("field")) == (
        *(kind.severity, kind.entity),
        *(uuid, field),
    )
    for text in (entry["message"], entry["suggestion"]):
        assert "None" not in text
        assert "{" not in text
        assert text[0].isupper() or text[0] == "“"
    name, *facts = FACTS[code]
    assert entry.get("name") == name
    assert [fact for fact in facts if fact not in f"{entry['message']} {entry['suggestion']}"] == []
    assert (entry["first_run_id"], entry["times_seen"]) == (firm.run_id, 1)
    if code not in ABOUT_OTHERS:
        assert (load_record(firm, uuid) == before) is (kind.effect is Effect.SKIP)


@pytest.mark.parametrize(
    ("hour", "code", "label"),
    [
        (staff(ANN, {"UUID": "s2"}), "staff-without-name", "with the identifier s2"),
        (staff(ANN, *({**ANN, "UUID": f"s{n}"} for n in range(2, 6))), "staff-email-shared", "Lee and 2 others in XPM"),
        (clients({"UUID": "c1"}), "client-without-name", "with the identifier c1"),
        (clients(client(AccountManager={"UUID": "s9"})), "partner-not-listed", "partner s9 "),
        (clients(client(AccountManager={"Name": "Sid Fox"})), "partner-not-listed", "--xpm-staff UUID"),
        (clients(client(JobManager={"UUID": "s9"})), "manager-not-in-active", "manager s9 "),
        (clients(client("c1", Name=""), client("c2")), "client-code-shared", " a client without a name in XPM"),
    ],
)
def test_a_record_is_told_apart_by_what_xpm_tells_of_it(firm, hour, code, label):
    provoke(firm, [hour])
    texts = [
        f"{row['message']} {row['suggestion']}" for row in firm.rows("SELECT * FROM sync_errors WHERE code = ?", code)
    ]
    assert any(label in text for text in texts), texts


NOT_DERIVED = {"elements-never-sent", "elements-no-longer-sent", "alert-recipient-not-active", "leftovers-removed"}
"""Of whole lists, in tests/test_guard.py, of a setting, in tests/test_trouble.py, and of damage, in
tests/test_damage.py, with the commands they advise."""


def test_every_issue_of_the_catalogue_is_provoked():
    assert PROVOKED.keys() | NOT_DERIVED == CATALOGUE.keys()


def test_an_error_skips_the_record_and_a_warning_does_not():
    for kind in CATALOGUE.values():
        assert (kind.severity is Severity.ERROR) == (kind.effect is Effect.SKIP)


def test_two_empty_first_lists_are_two_issues(firm):
    firm.sync([], staff=[])
    assert firm.rows("SELECT field, message FROM sync_errors ORDER BY field") == [
        {"field": "clients", "message": "XPM answered with an empty list of clients."},
        {"field": "staff", "message": "XPM answered with an empty list of staff."},
    ]


def test_each_record_without_an_identifier_is_an_issue_of_its_own(firm):
    named, nameless = client("", Name="Ngata"), client("", Name="")
    for _ in range(2):
        firm.sync([named, nameless, named, client("", Name="Other"), nameless], staff=STAFF)
    fields = ("(1)", "(2)", "Ngata (1)", "Ngata (2)", "Other (1)")
    assert firm.rows("SELECT field, times_seen FROM sync_errors WHERE resolved_at IS NULL ORDER BY field") == [
        {"field": field, "times_seen": 2} for field in fields
    ]
    firm.sync([named, client("", Name="Other")], staff=STAFF)
    rows = firm.rows("SELECT field FROM sync_errors WHERE resolved_at IS NULL ORDER BY field")
    assert [row["field"] for row in rows] == ["Ngata (1)", "Other (1)"]


# What is advised.

USUAL = {"EMAIL": "hand@firm.example", "NEW": "new@firm.example"}
"""What somebody writes in the place of a word in capitals: a user who was set up by hand, and a free address."""
OTHERS = {
    "staff-email-taken": {"EMAIL": "bo@firm.example"},
    "staff-email-held-by-former-user": {"EMAIL": "bob@firm.example"},
    "chosen-partner-not-active": {"CODE": "A"},
    "default-partner-not-active": {"CODE": "MAIN"},
}
"""Where somebody else is meant."""
LOOKS = ("--help", "xpmsync errors", "xpmsync status", "client list")
"""Commands with one of these show something, and settle nothing."""


def list_commands(*texts):
    return [part for text in texts if text for part, is_command in split_commands(text) if is_command]


SCENES = [(code, hours) for code, (hours, _, _) in PROVOKED.items()] + [
    # The address of somebody who has left, and the code of a client that is gone, for records that have others.
    ("staff-email-taken", [staff(ANN, BOB | {"Email": "bo@firm.example"}), staff(ANN | {"Email": "bo@firm.example"})]),
    ("code-held-by-former-client", [clients(client("c1"), client("c2", ClientCode="B")), clients(client("c2"))]),
]
ADVISED = [
    (code, hours, place)
    for code, hours in SCENES
    for place in range(len(list_commands(CATALOGUE[code].suggestion, CATALOGUE[code].remedy)))
]


def lengthen(told):
    """What XPM tells, with identifiers as long as Xero's."""
    if isinstance(told, (list, tuple)):
        return [lengthen(each) for each in told]
    if isinstance(told, dict):
        return {key: lengthen(value) for key, value in told.items()}
    short = re.fullmatch(r"[a-z]\d", told or "")
    return f"00000000-0000-4000-8000-{ord(told[0]):010}0{told[1]}" if short else told


@pytest.mark.parametrize(("code", "hours", "place"), ADVISED)
def test_the_advised_command_is_not_refused_and_settles_the_issue(firm, code, hours, place, monkeypatch, capsys):
    monkeypatch.setenv("XPMSYNC_HOME", str(firm.folder))
    change_config(Home(firm.folder, firm.folder), {"sync.default_office_code": "MAIN"})
    assert run(shlex.split("admin user add hand@firm.example --first-name Hand --last-name Made")) == 0
    open_issues = "SELECT suggestion, remedy FROM sync_errors WHERE code = ? AND resolved_at IS NULL"
    provoke(firm, lengthen(hours))
    entry = firm.rows(open_issues, code)[0]
    command = list_commands(entry["suggestion"], entry.get("remedy"))[place]
    words = USUAL | OTHERS.get(code, {})
    arguments = [words.get(argument, argument) for argument in shlex.split(command)[1:]]
    arguments += ["--yes"] if {"merge", "--all-of"} & {*arguments} else []
    capsys.readouterr()
    assert run(arguments) == 0, capsys.readouterr()
    assert "Nothing" not in capsys.readouterr().out

    provoke(firm, lengthen(hours[-1:]))
    is_settled = not any(look in command for look in LOOKS)
    assert (firm.rows(open_issues, code) == []) is is_settled
