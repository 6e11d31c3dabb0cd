import json
import shlex
import uuid
from datetime import UTC, datetime

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.error_log import save_issues
from xpmsync.active.history import ChangeLog
from xpmsync.active.runs import start_run
from xpmsync.admin import session as admin_session
from xpmsync.audit import name_account
from xpmsync.cli import run
from xpmsync.config import change_config, read_config
from xpmsync.home import Home
from xpmsync.rules.fields import CLIENT_FIELDS
from xpmsync.rules.issues import issue
from xpmsync.sync.derive import derive
from xpmsync.system.lock import hold

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ANN, BOB, CAT = (f"00000000-0000-4000-8000-00000000000{number}" for number in "abc")
ACME, BETA, GONE = (f"11111111-0000-4000-8000-00000000000{number}" for number in "abc")
ONE_WORD = issue("staff-name-one-word", "s1", "Madonna")


class Desk:
    """A home and the commands of its Admin Centre, as a person sees them."""

    def __init__(self, home, capfd):
        self.home = home
        self._capfd = capfd

    def admin(self, line, *more):
        """Type a command, which must succeed; gives what it printed, its lines trimmed."""
        assert run(["admin", *shlex.split(line), *more]) == 0
        out, err = self._capfd.readouterr()
        assert err == ""
        assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("  xpmsync"))
        return [line.rstrip() for line in out.splitlines() if line.strip()]

    def read(self, line):
        """What a command prints for programs."""
        assert run(["admin", *shlex.split(line), "--json"]) == 0
        return json.loads(self._capfd.readouterr().out)

    def refuse(self, line, *, exit_code=2):
        """Type a command, which must be refused and change nothing; gives what it said."""
        before = self.dump()
        assert run(["admin", *shlex.split(line)]) == exit_code
        out, err = self._capfd.readouterr()
        assert out == ""
        assert self.dump() == before
        return err.splitlines()

    def query(self, sql, *parameters):
        with open_database(self.home.database_file) as database:
            return [dict(row) for row in database.connection.execute(sql, parameters)]

    def execute(self, sql, *parameters):
        with open_database(self.home.database_file) as database:
            database.connection.execute(sql, parameters)

    def insert(self, table, **row):
        self.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})", *row.values())

    def staff(self, staff_uuid, name, email, **row):
        self.insert("xpm_staff", uuid=staff_uuid, name=name, email=email, **row)

    def xpm_client(self, client_uuid, name, code=None, **row):
        self.insert("xpm_clients", uuid=client_uuid, name=name, client_code=code, **row)

    def dump(self):
        tables = ("offices", "users", "user_modules", "clients", "synced_values", "changes")
        return {table: self.query(f"SELECT * FROM {table}") for table in tables}

    def vanish(self, table):
        """XPM no longer lists what it has told."""
        self.execute(f"UPDATE {table} SET vanished_at = '2026-11-01T00:00:00Z'")

    def changes(self):
        """What the administrator has changed since it was last asked for."""
        columns = "entity, entity_id, action, field, old_value, new_value, run_id, actor"
        rows = [tuple(row.values()) for row in self.query(f"SELECT {columns} FROM changes ORDER BY id")]
        self.execute("DELETE FROM changes")
        assert {row[6:] for row in rows} <= {(None, name_account())}
        return [row[:6] for row in rows]

    def user(self, email):
        (row,) = self.query("SELECT * FROM users WHERE email = ?", email)
        return row

    def client(self, code):
        (row,) = self.query("SELECT * FROM clients WHERE code IS ?", code)
        return row

    def sync(self):
        """What a run does with the mirror; gives the codes of its problems."""
        with open_database(self.home.database_file) as database, database.transaction():
            issues = derive(database, "SYD", open_history(database)).issues
            database.connection.execute("DELETE FROM changes WHERE actor = 'sync'")  # only the administrator's count
        return sorted(issue.code for issue in issues)


def open_history(database):
    return ChangeLog(database, run_id=None, actor="sync", now=NOW)


@pytest.fixture
def empty(tmp_path, monkeypatch, capfd):
    """A home with nothing in it."""
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    monkeypatch.setattr(admin_session, "WAIT_SECONDS", 0.1)
    return Desk(Home(tmp_path, tmp_path), capfd)


@pytest.fixture
def firm(empty):
    """A home with the office SYD, whose default partner is Ann, and with Bob."""
    empty.admin("office add SYD --name Sydney")
    change_config(empty.home, {"sync.default_office_code": "SYD"})
    empty.admin("user add --first-name Ann --last-name Lee --email ann@example.com")
    empty.admin("user add --first-name Bob --last-name Low --email bob@example.com")
    empty.admin("office set SYD --default-partner ann@example.com")
    empty.changes()
    return empty


# Offices.


def test_an_office_is_set_up_and_changed(firm):
    assert firm.admin("office add MEL --name ' Melbourne  City '") == [
        "The office Melbourne City (MEL) is set up.",
        "A default partner, who is given its clients that name no partner in XPM, is",
        "optional:",
        "  xpmsync admin office set MEL --default-partner EMAIL",
    ]
    assert firm.query("SELECT * FROM offices WHERE code = 'MEL'") == [
        {"code": "MEL", "name": "Melbourne City", "default_partner_id": None}
    ]
    assert firm.admin("office set mel --name Melbourne --default-partner BOB@example.com") == [
        "No client gets another partner by this.",
        "The office Melbourne City (MEL) is changed:",
        "  Name             Melbourne City → Melbourne",
        "  Default partner  not set → Bob Low",
    ]
    bob = firm.user("bob@example.com")["id"]
    assert firm.query("SELECT * FROM offices WHERE code = 'MEL'") == [
        {"code": "MEL", "name": "Melbourne", "default_partner_id": bob}
    ]
    assert firm.admin("office set MEL --no-default-partner") == [
        "From the next sync on, a client of the office without a partner in XPM is an",
        "error.",
        "The office Melbourne (MEL) is changed:",
        "  Default partner  Bob Low → not set",
    ]
    assert firm.changes() == [
        ("office", "MEL", "created", None, None, "Melbourne City"),
        ("office", "MEL", "updated", "name", "Melbourne City", "Melbourne"),
        ("office", "MEL", "updated", "default_partner_id", None, bob),
        ("office", "MEL", "updated", "default_partner_id", bob, None),
    ]


def test_a_default_partner_must_be_active(firm):
    firm.execute("UPDATE users SET status = 'removed'")
    for email in ("ann@example.com", "bob@example.com"):  # who is the present one does not matter
        assert firm.refuse(f"office set SYD --default-partner {email}")[1] == (
            "Choose another user; this one is not on XPM's staff list."
        )
    firm.admin("office set SYD --name 'Sydney City'")
    assert firm.query("SELECT name, default_partner_id FROM offices") == [
        {"name": "Sydney City", "default_partner_id": firm.user("ann@example.com")["id"]}
    ]


@pytest.fixture
def orphans(firm):
    """Two clients that have no partner in XPM and so are Ann's, a third that is refused, and one of Bob's."""
    firm.staff(BOB, "Bob Low", "bob@example.com")
    firm.xpm_client(ACME, "Acme", "AC")
    firm.xpm_client(BETA, "Beta", "BE")
    firm.xpm_client(CAT, "Cara", "CA", account_manager_uuid=BOB, account_manager_name="Bob Low")
    firm.sync()
    firm.xpm_client(GONE, "Gamma", "ac")
    assert firm.sync() == ["client-code-shared"]
    firm.changes()
    return firm


def test_another_default_partner_says_first_how_many_clients_it_moves(orphans):
    assert orphans.admin("office set SYD --default-partner bob@example.com") == [
        "2 clients of Sydney (SYD) have no partner in XPM. At the next sync (xpmsync",
        "sync), they go from Ann Lee (ann@example.com) to Bob Low (bob@example.com).",
        "The office Sydney (SYD) is changed:",
        "  Default partner  Ann Lee → Bob Low",
    ]
    ann, bob = orphans.user("ann@example.com")["id"], orphans.user("bob@example.com")["id"]
    assert orphans.client("AC")["partner_id"] == ann
    # Before that sync it is taken back, and given again.
    for email, expected in (("ann@example.com", "No client"), ("bob@example.com", "2 clients")):
        assert orphans.admin("office set SYD --default-partner", email)[0].startswith(expected)
    orphans.sync()
    moved = [row["code"] for row in orphans.query("SELECT code FROM clients WHERE partner_id = ? ORDER BY code", bob)]
    assert moved == ["AC", "BE", "CA"]
    assert orphans.admin("office set SYD --no-default-partner")[:4] == [
        "2 clients of Sydney (SYD) have no partner in XPM. At the next sync (xpmsync",
        "sync), they are errors and keep their data.",
        "From the next sync on, a client of the office without a partner in XPM is an",
        "error.",
    ]
    orphans.xpm_client(ANN, "Delta", "DE")
    assert orphans.sync() == ["client-code-shared", *["partner-missing"] * 4]
    assert orphans.admin("office set SYD --default-partner ann@example.com")[:4] == [
        "2 clients of Sydney (SYD) have no partner in XPM. At the next sync (xpmsync",
        "sync), they go from Bob Low (bob@example.com) to Ann Lee (ann@example.com).",
        "1 client of Sydney (SYD) has no partner in XPM. At the next sync (xpmsync sync),",
        "it comes into Active, to Ann Lee (ann@example.com).",
    ]


def test_offices_are_listed(firm):
    firm.admin("office add MEL --name Melbourne")
    assert firm.read("office list") == [
        {"code": "MEL", "name": "Melbourne", "default_partner_email": None},
        {"code": "SYD", "name": "Sydney", "default_partner_email": "ann@example.com"},
    ]


def test_empty_lists_say_how_to_begin(empty):
    assert empty.admin("office list") == [
        "There is no office yet. Set one up: xpmsync admin office add CODE --name NAME"
    ]
    assert empty.admin("user list") == ["There is no user yet. The first sync brings the staff of XPM: xpmsync sync"]
    assert empty.admin("client list") == ["There is no client yet."]
    assert not empty.home.database_file.exists()
    assert empty.admin("client list --search x") == ["No client of Active is like that."]
    assert empty.admin("client list --json") == ["[]"]


def test_an_office_code_is_unique_in_any_script(firm):
    firm.admin("office add ŌTA --name Ōtautahi")
    assert firm.refuse("office add ōta --name Other") == [
        "The code ŌTA belongs to the office Ōtautahi already.",
        "Choose another code for the new office.",
    ]


SEE_OFFICES = "See which there are: xpmsync admin office list"
SEE_USERS = "See who there is: xpmsync admin user list"
SEE_CLIENTS = "See which there are: xpmsync admin client list"
LOOK = "Look for it by its name: xpmsync admin client list --search TEXT"


@pytest.mark.parametrize(
    ("line", "what", "advice"),
    [
        ("office set SDY --name X", "office with the code “SDY”", "Did you mean Sydney (SYD)?"),
        ("office set QQ --name X", "office with the code “QQ”", SEE_OFFICES),
        ("client add --legal-name X --office Q", "office with the code “Q”", SEE_OFFICES),
        (
            "user set an@example.com --role User",
            "user with the e-mail address “an@example.com”",
            "Did you mean Ann Lee (ann@example.com)?",
        ),
        ("user set Bob --role User", "user with the e-mail address “Bob”", "Did you mean Bob Low (bob@example.com)?"),
        ("user set ann@example.com q --role User", "user with the e-mail address “q”", SEE_USERS),
        ("client list --partner q", "user with the e-mail address “q”", SEE_USERS),
        ("client set ACM01 --fax 1", "client with the code or id “ACM01”", "Did you mean Acme Pty Ltd (ACME01)?"),
        ("client set 'pty ltd' --fax 1", "client with the code or id “pty ltd”", "Did you mean Acme Pty Ltd (ACME01)?"),
        ("client set '' --fax 1", "client with the code or id “”", LOOK),
        (f"client link zzz --xpm-client {ACME}", "client with the code or id “zzz”", LOOK),
        ("client show ann", "client with the code, name or e-mail address “ann”", SEE_CLIENTS),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_near(firm, line, what, advice):
    firm.admin("client add --legal-name 'Acme Pty Ltd' --code ACME01")
    assert firm.refuse(line) == [f"Active has no {what}.", advice]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f"user link ann@example.com --xpm-staff {CAT}", (f"a staff member with the id {CAT}", "entry")),
        (f"client link AC --xpm-client {ACME}", (f"a client with the id {ACME}", "client")),
    ],
)
def test_what_is_unknown_to_the_mirror_cannot_be_linked(firm, line, what):
    firm.admin("client add --legal-name Acme --code AC")
    assert firm.refuse(line) == [
        f"XPM has never told of {what[0]}.",
        f"Copy the id from the error log (xpmsync errors); if the {what[1]} is new in XPM, first run: xpmsync sync",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "office add 'a b' --name X",
            "Invalid value for “CODE”: must be up to 20 letters, digits, dots, dashes or underscores, such as SYD.",
        ),
        ("office add X --name '  '", "Invalid value for “--name”: must not be empty."),
        ("office add X", "Missing option “--name”."),
        ("office set SYD", "Say what to change, such as --name Sydney."),
        (
            "office set SYD --default-partner x --no-default-partner",
            "Choose one of --default-partner and --no-default-partner.",
        ),
        ("user add --first-name A --last-name B", "Say the user's e-mail address, such as ann@example.com."),
        ("user add a@x.com --first-name A --last-name B --email b@x.com", "Give one e-mail address: EMAIL or --email."),
        (
            "user add eve --first-name A --last-name B",
            "Invalid value for “EMAIL”: must be an e-mail address, such as ann@example.com.",
        ),
        (
            "user add --first-name A --last-name B --email 'a b@c'",
            "Invalid value for “--email”: must be an e-mail address, such as ann@example.com.",
        ),
        (
            "user add --first-name 'A\x1b[31m' --last-name B --email a@c",
            "Invalid value for “--first-name”: must be one line of text.",
        ),
        ("user set ann@example.com", "Say what to change, such as --role User."),
        (
            "user set ann@example.com --role Boss",
            "Invalid value for “--role”: “Boss” is not one of “User”, “Admin”, “Owner”.",
        ),
        ("user set ann@example.com --module Tax --no-modules", "Choose one of --module and --no-modules."),
        ("user set ann@example.com --module ' '", "Invalid value for “--module”: must not be empty."),
        (
            "user set ann@example.com --module Tax,Jobs",
            "Invalid value for “--module”: must be one module without a comma; give --module once for each.",
        ),
        (
            "user link ann@example.com --xpm-staff 12",
            "Invalid value for “--xpm-staff”: must be an id such as 3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11.",
        ),
        ("client add --code X", "Missing option “--legal-name”."),
        ("client set X", "Say what to change, such as --office CODE."),
        (
            "client set --fax 1 --telephone 2",
            "Name the client by its CODE, or all clients of a partner by --all-of EMAIL.",
        ),
        ("client set --all-of a@x.com --fax 1", "With --all-of EMAIL goes --partner EMAIL, and nothing else."),
        (
            "client set X --all-of a@x.com --partner b@x.com",
            "With --all-of EMAIL goes --partner EMAIL, and nothing else.",
        ),
        ("client set X --legal-name ''", "Invalid value for “--legal-name”: must not be empty."),
        ("client set X --fax '1\n2'", "Invalid value for “--fax”: must be one line of text."),
        (
            "client add --legal-name X --abn '51 824 753 557'",
            (
                "Invalid value for “--abn”: must be an ABN (11 digits) or an NZBN (13 digits); "
                "one of the digits is wrong or missing."
            ),
        ),
    ],
)
def test_what_is_typed_wrong_is_a_usage_error(firm, line, message):
    assert firm.refuse(line)[-1] == f"Error: {message}"


# Users.


def test_a_user_is_set_up_by_hand(firm):
    assert firm.admin("user add --first-name ' Zoë ' --last-name 'van  Dyk' --email ZOË@example.com") == [
        "Zoë van Dyk (ZOË@example.com) is set up as a user.",
        "A sync recognises the user by the e-mail address, once XPM lists a staff member",
        "who has it.",
        "The user cannot use Active yet; still needed: a role, an office, modules.",
        "  xpmsync admin user set 'ZOË@example.com' --role User --office CODE --module NAME",
    ]
    user = firm.user("ZOË@example.com")
    assert user == {
        "id": str(uuid.UUID(user["id"])),
        "first_name": "Zoë",
        "last_name": "van Dyk",
        "email": "ZOË@example.com",
        "email_key": "zoë@example.com",
        "role": None,
        "office_code": None,
        "status": "active",
        "xpm_staff_uuid": None,
    }
    assert firm.changes() == [("user", user["id"], "created", None, None, "Zoë van Dyk")]
    assert firm.refuse("user add --first-name X --last-name Y --email zoë@Example.com") == [
        "The e-mail address ZOË@example.com belongs to Zoë van Dyk already, a user with the status “active”.",
        "Use another e-mail address, or change that user: xpmsync admin user set --help",
    ]


def test_role_office_and_modules_are_decided(firm):
    ann = firm.user("ann@example.com")
    assert firm.admin("user set ANN@EXAMPLE.COM --role admin --module Tax") == [
        "Ann Lee (ann@example.com) is changed:",
        "  Role     not set → Admin",
        "  Modules  not set → Tax",
        "The user cannot use Active yet; still needed: an office.",
        "Nobody else has the module “Tax” yet.",
    ]
    assert firm.admin("user set ann@example.com --office syd --module workpapers --module Tax --module TAX") == [
        "Ann Lee (ann@example.com) is changed:",
        "  Office   not set → SYD",
        "  Modules  Tax → Tax; workpapers",
        "Nobody else has the module “Tax” or “workpapers” yet.",
    ]
    assert firm.user("ann@example.com") == ann | {"role": "Admin", "office_code": "SYD"}
    assert firm.query("SELECT * FROM user_modules") == [
        {"user_id": ann["id"], "module": "Tax"},
        {"user_id": ann["id"], "module": "workpapers"},
    ]
    assert firm.changes() == [
        ("user", ann["id"], "updated", "role", None, "Admin"),
        ("user", ann["id"], "updated", "modules", None, "Tax"),
        ("user", ann["id"], "updated", "office_code", None, "SYD"),
        ("user", ann["id"], "updated", "modules", "Tax", "Tax; workpapers"),
    ]
    assert firm.admin("user set ann@example.com --no-modules")[1] == "  Modules  Tax; workpapers → not set"
    assert firm.query("SELECT * FROM user_modules") == []


def test_a_user_whom_xpm_does_not_list_is_given_another_address(firm):
    change_config(firm.home, {"notify.email": "bob@example.com"})
    bob = firm.user("bob@example.com")
    assert firm.admin("user set BOB@example.com --email Low@example.com --role User") == [
        "Bob Low (bob@example.com) is changed:",
        "  Email  bob@example.com → Low@example.com",
        "  Role   not set → User",
        "The user cannot use Active yet; still needed: an office, modules.",
    ]
    assert firm.user("Low@example.com") == bob | {
        "email": "Low@example.com",
        "email_key": "low@example.com",
        "role": "User",
    }
    assert firm.changes()[0] == ("user", bob["id"], "updated", "email", "bob@example.com", "Low@example.com")
    assert read_config(firm.home).notify.email == "Low@example.com"
    assert firm.admin("user set low@example.com --email low@example.com")[0] == "Bob Low (Low@example.com) is changed:"
    assert "belongs to Ann Lee already" in firm.refuse("user set low@example.com --email ANN@example.com")[0]
    assert (
        "two users cannot have one address"
        in firm.refuse("user set low@example.com ann@example.com --email new@example.com")[-1]
    )
    firm.staff(BOB, "Bob Low", "low@example.com")
    firm.sync()
    assert firm.refuse("user set low@example.com --email bob@example.com") == [
        "XPM lists Bob Low (low@example.com) as staff, and the email address comes from there.",
        "In XPM, Business > Settings > Staff, change it; the next sync copies it to Active.",
    ]


def test_a_module_is_written_as_others_have_it_and_one_that_nobody_has_is_told(firm):
    firm.admin("user set bob@example.com --module Tax --module Jobs")
    assert firm.admin("user set ann@example.com --role User --office SYD --module tax") == [
        "Ann Lee (ann@example.com) is changed:",
        "  Role     not set → User",
        "  Office   not set → SYD",
        "  Modules  not set → Tax",
    ]
    assert firm.admin("user set ann@example.com --module JOBS --module Taxx")[1:] == [
        "  Modules  Tax → Jobs; Taxx",
        "Nobody else has the module “Taxx”; in use: Jobs, Tax.",
    ]
    added = firm.admin("user add eve@x.com --first-name Eve --last-name Ng --module Taxes")
    assert "Nobody else has the module “Taxes”; in use: Jobs, Tax, Taxx." in added
    # What only this user has can be written otherwise.
    firm.admin("user set ann@example.com --module taxx")
    assert firm.query("SELECT module FROM user_modules WHERE user_id = ?", firm.user("ann@example.com")["id"]) == [
        {"module": "taxx"}
    ]


def test_a_module_with_a_semicolon_in_its_name_is_another_one_than_two(firm):
    firm.admin("user set bob@example.com --module A --module B")
    firm.changes()
    assert firm.admin("user set bob@example.com --module 'A; B'")[1] == "  Modules  A; B → “A; B”"
    (bob,) = [user for user in firm.read("user list") if user["email"] == "bob@example.com"]
    assert bob["modules"] == ["A; B"]
    assert [change[4:] for change in firm.changes()] == [("A; B", "“A; B”")]
    firm.admin("user set bob@example.com --module B --module A")
    assert firm.admin("user set bob@example.com --module A --module B")[0].startswith("Nothing to change")


def test_nothing_is_written_when_nothing_differs(firm):
    set_ann = "user set ann@example.com --role User --office SYD --module b --module A"
    firm.admin(set_ann)
    firm.admin("user deactivate bob@example.com")
    firm.admin("client add --legal-name Acme --code AC")
    before = firm.dump()
    for line, who in (
        (set_ann, "Ann Lee (ann@example.com)"),
        ("user activate ann@example.com", "Ann Lee (ann@example.com)"),
        ("user deactivate bob@example.com", "Bob Low (bob@example.com)"),
        ("office set SYD --name Sydney --default-partner ann@example.com", "Sydney (SYD)"),
        ("client set ac --code AC --fax '' --manager ''", "Acme (AC)"),
    ):
        assert firm.admin(line) == [f"Nothing to change: {who} is like that already."]
    assert firm.dump() == before


def test_a_user_is_ready_in_one_command(firm):
    ready = "--role admin --office syd --module Tax --module TAX --module CRM"
    assert firm.admin(f"user add eve@x.com --first-name Eve --last-name Ng {ready}") == [
        "Eve Ng (eve@x.com) is set up as a user.",
        "A sync recognises the user by the e-mail address, once XPM lists a staff member",
        "who has it.",
        "Nobody else has the module “CRM” or “Tax” yet.",
    ]
    eve = firm.user("eve@x.com")
    assert (eve["role"], eve["office_code"]) == ("Admin", "SYD")
    assert firm.query("SELECT module FROM user_modules") == [{"module": "CRM"}, {"module": "Tax"}]
    assert firm.changes() == [("user", eve["id"], "created", None, None, "Eve Ng")]


def test_several_users_are_set_at_once_or_none_of_them(firm):
    assert firm.admin("user set ann@example.com bob@example.com ANN@example.com --role User") == [
        "Ann Lee (ann@example.com) is changed:",
        "  Role  not set → User",
        "The user cannot use Active yet; still needed: an office, modules.",
        "Bob Low (bob@example.com) is changed:",
        "  Role  not set → User",
        "The user cannot use Active yet; still needed: an office, modules.",
    ]
    assert len(firm.changes()) == 2
    printed = firm.admin("user set ann@example.com bob@example.com --office SYD --module Taxx")
    assert printed[3:] == [
        "Bob Low (bob@example.com) is changed:",
        "  Office   not set → SYD",
        "  Modules  not set → Taxx",
        "Nobody else has the module “Taxx” yet.",
    ]


def test_a_user_is_switched_off_and_on(firm):
    bob = firm.user("bob@example.com")
    firm.staff(BOB, "Bob Low", "bob@example.com")
    firm.xpm_client(ACME, "Acme", "AC", account_manager_uuid=BOB, account_manager_name="Bob Low")
    firm.sync()
    assert firm.admin("user deactivate bob@example.com") == [
        "Bob Low (bob@example.com) is changed:",
        "  Status  active → deactivated",
        "The user stays the partner of 1 client and the manager of 0 clients, until XPM",
        "tells of another.",
        "To give another partner to those whose partner the sync does not decide:",
        "  xpmsync admin client set --all-of bob@example.com --partner EMAIL",
    ]
    firm.changes()
    assert firm.sync() == []
    assert firm.user("bob@example.com")["status"] == "deactivated"
    assert firm.client("AC")["partner_id"] == bob["id"]
    assert firm.admin("user activate bob@example.com") == [
        "Bob Low (bob@example.com) is changed:",
        "  Status  deactivated → active",
        "The user cannot use Active yet; still needed: a role, an office, modules.",
    ]
    assert firm.changes() == [("user", bob["id"], "status", "status", "deactivated", "active")]


def test_a_default_partner_who_is_notified_is_not_switched_off_unless_another_takes_over(orphans):
    orphans.home.config_file.write_text(
        orphans.home.config_file.read_text("utf-8") + '[notify]\n# Ann reads it.\nemail = "ANN@example.com"\n'
    )
    assert orphans.refuse("user deactivate ann@example.com")[1] == (
        "Name another user who takes over: xpmsync admin user deactivate ann@example.com --replace-by EMAIL"
    )
    assert orphans.refuse("user deactivate ann@example.com --replace-by ann@example.com")[0] == (
        "Ann Lee (ann@example.com) cannot take over from themselves."
    )
    orphans.execute("UPDATE users SET status = 'removed' WHERE first_name = 'Bob'")
    assert orphans.refuse("user deactivate ann@example.com --replace-by bob@example.com")[0] == (
        "Bob Low (bob@example.com) cannot be given clients: the user's status is “removed”."
    )
    orphans.execute("UPDATE users SET status = 'active' WHERE first_name = 'Bob'")
    assert orphans.admin("user deactivate ann@example.com --replace-by bob@example.com")[-1] == (
        "  xpmsync admin client set --all-of ann@example.com --partner bob@example.com"
    )
    assert "# Ann reads it.\n" in orphans.home.config_file.read_text("utf-8")
    assert read_config(orphans.home).notify.email == "bob@example.com"
    ann, bob = orphans.user("ann@example.com")["id"], orphans.user("bob@example.com")["id"]
    assert orphans.changes() == [
        ("office", "SYD", "updated", "default_partner_id", ann, bob),
        ("user", ann, "status", "status", "active", "deactivated"),
    ]
    orphans.sync()
    assert orphans.query("SELECT DISTINCT partner_id FROM clients") == [{"partner_id": bob}]


def test_an_address_in_the_list_of_users_is_never_broken(firm):
    address = "bartholomew.featherstonehaugh@example.com.au"
    for each in (address, f"{'x' * 60}@example.com"):
        firm.admin(f"user add {each} --first-name 'Bartholomew Alexander' --last-name Featherstonehaugh")
    assert address in " ".join(firm.admin("user list")).split()


def test_a_user_whom_xpm_no_longer_lists_cannot_be_switched_on(firm):
    firm.staff(ANN, "Ann Lee", "ann@example.com")
    firm.sync()
    firm.vanish("xpm_staff")
    firm.sync()
    assert firm.user("ann@example.com")["status"] == "removed"
    assert firm.refuse("user activate ann@example.com") == [
        "XPM does not list Ann Lee (ann@example.com) as staff, so the next sync would take the access away again.",
        (
            "Add the person to the staff in XPM; if they are there under a new entry, link that one: "
            "xpmsync admin user link ann@example.com --xpm-staff UUID"
        ),
    ]


def test_users_are_listed_with_who_cannot_use_active_yet(firm):
    firm.admin("user set ann@example.com --role Admin --office SYD --module Tax --module CRM")
    firm.insert("users", id="x", first_name="Eve\x1b[31m\u202e", email="eve@example.com", status="removed")
    *table, count, like, copied = firm.admin("user list")
    assert [line.split() for line in table if "─" not in line] == [
        ["Name", "E-mail", "Access"],
        ["Ann", "Lee", "ann@example.com", "Admin,", "SYD,", "CRM,", "Tax"],
        ["Bob", "Low", "bob@example.com", "needs", "a", "role,", "an", "office,", "modules"],
        ["Eve�[31m�", "eve@example.com", "removed"],
    ]
    assert [count, like, copied] == [
        "1 user cannot use Active yet. Give what is needed, to several at once if you",
        "like:",
        "  xpmsync admin user set EMAIL EMAIL --role User --office CODE --module NAME",
    ]
    (waiting,) = firm.read("user list --waiting")
    assert (waiting["email"], waiting["missing"]) == ("bob@example.com", ["a role", "an office", "modules"])
    firm.admin("user set bob@example.com --role User --office SYD --module Tax")
    assert firm.admin("user list --waiting") == ["Nobody waits: every active user has a role, an office and modules."]
    ann = firm.user("ann@example.com")
    assert firm.read("user list")[0] == {
        "id": ann["id"],
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "ann@example.com",
        "role": "Admin",
        "office_code": "SYD",
        "status": "active",
        "xpm_staff_uuid": None,
        "modules": ["CRM", "Tax"],
        "missing": [],
    }


@pytest.mark.parametrize("command", ["admin user list", "admin client list", "history", "errors"])
def test_what_is_longer_than_the_screen_goes_through_the_pager(firm, type_ahead, capfd, monkeypatch, command):
    firm.admin("client add --legal-name Acme --code AC")
    firm.insert("sync_runs", id=1, started_at="2026-11-01T00:00:00Z", mode="full", status="failed")
    with open_database(firm.home.database_file) as database:
        save_issues(database, [vars(ONE_WORD)], run_id=1, now=NOW, resolve_others=False)
    monkeypatch.setenv("PAGER", "sed s/^/|/")
    for screen, is_paged in (("3", True), ("60", False)):
        monkeypatch.setenv("LINES", screen)
        type_ahead()
        assert run(command.split()) == 0
        lines = capfd.readouterr().out.splitlines()
        assert len(lines) > 3
        assert {line.startswith("|") for line in lines} == {is_paged}


# Clients set up by hand.

EMPTY_CLIENT = dict.fromkeys(
    {field.column for field in CLIENT_FIELDS} - {"legal_name", "partner_id", "groups"} | {"code_key", "xpm_client_uuid"}
)


def test_a_client_is_set_up_by_hand_in_the_default_office_for_its_default_partner(firm):
    assert firm.admin("client add --legal-name ' Acme  Pty Ltd' --code ' Ac1 ' --abn '51 824 753 556'") == [
        "Acme Pty Ltd (Ac1) is set up as a client of Ann Lee in the office SYD.",
        "If XPM has a client with the code Ac1, the next sync (xpmsync sync) takes this",
        "one over.",
    ]
    client = firm.client("Ac1")
    assert client == EMPTY_CLIENT | {
        "id": str(uuid.UUID(client["id"])),
        "legal_name": "Acme Pty Ltd",
        "code": "Ac1",
        "code_key": "ac1",
        "abn": "51824753556",
        "partner_id": firm.user("ann@example.com")["id"],
        "office_code": "SYD",
        "status": "active",
    }
    assert firm.changes() == [("client", client["id"], "created", None, None, "Acme Pty Ltd")]
    assert firm.query("SELECT * FROM synced_values") == []


def test_every_field_of_a_client_can_be_typed(firm):
    firm.admin("office add MEL --name Melbourne")
    columns = EMPTY_CLIENT.keys() - {"code_key", "manager_id", "xpm_client_uuid"}
    given = {column: f"the {column}" for column in columns} | {"abn": "9429032389470", "email": "x@example.com"}
    options = [part for column, value in given.items() for part in (f"--{column.replace('_', '-')}", value)]
    firm.admin(
        "client add --legal-name Acme --partner bob@example.com --manager ann@example.com --office mel", *options
    )
    client = firm.client("the code")
    assert client == given | {
        "id": client["id"],
        "legal_name": "Acme",
        "code_key": "the code",
        "partner_id": firm.user("bob@example.com")["id"],
        "manager_id": firm.user("ann@example.com")["id"],
        "office_code": "MEL",
        "status": "active",
        "xpm_client_uuid": None,
    }


def test_a_client_without_a_code_is_named_by_its_id(firm):
    lines = firm.admin("client add --legal-name Acme")
    client = firm.client(None)
    assert lines == [
        f"Acme ({client['id'][:8]}) is set up as a client of Ann Lee in the office SYD.",
        "It has no client code, so a sync will not recognise it in XPM. Give it one:",
        f"  xpmsync admin client set {client['id'][:8]} --code CODE",
    ]
    assert firm.admin(f"client set {client['id'][:8].upper()} --code AC") == [
        f"Acme ({client['id'][:8]}) is changed:",
        "  Code  not set → AC",
    ]
    assert firm.admin(f"client set {client['id']} --code ''")[1] == "  Code  AC → not set"
    assert firm.client(None) == client


def test_an_id_that_is_too_short_for_one_client_is_refused(firm):
    ann = firm.user("ann@example.com")["id"]
    for end in "12":
        firm.insert("clients", id=f"aaaaaaaa-000{end}", legal_name=f"Acme {end}", partner_id=ann, office_code="SYD")
    assert firm.refuse("client set aaaaaaaa --fax 1") == [
        "The ids of several clients begin with aaaaaaaa.",
        "Write more of the id.",
    ]
    assert firm.refuse("client set aaaaaaa --fax 1")[0] == "Active has no client with the code or id “aaaaaaa”."
    firm.admin("client set aaaaaaaa-0001 --fax 1")


def test_a_client_without_an_office_or_a_partner_is_refused(empty):
    empty.admin("user add --first-name Ann --last-name Lee --email ann@example.com")
    empty.admin("office add SYD --name Sydney")
    assert empty.refuse("client add --legal-name Acme") == [
        "There is no default office yet, so the client's office must be named.",
        "Name it: --office CODE; or set a default office: xpmsync configure",
    ]
    assert empty.refuse("client add --legal-name Acme --office SYD") == [
        "The office Sydney (SYD) has no default partner, so the client's partner must be named.",
        (
            "Name the partner: --partner EMAIL; or give the office one: "
            "xpmsync admin office set SYD --default-partner EMAIL"
        ),
    ]
    empty.admin("client add --legal-name Acme --office SYD --partner ann@example.com")


def test_a_user_who_is_switched_off_is_not_given_clients(firm):
    firm.admin("client add --legal-name Acme --code AC")
    firm.execute("UPDATE users SET status = 'deactivated' WHERE first_name = 'Ann'")
    refusal = [
        "Ann Lee (ann@example.com) cannot be given clients: the user's status is “deactivated”.",
        "Choose another user; or make this one active again: xpmsync admin user activate ann@example.com",
    ]
    assert firm.refuse("client add --legal-name Beta") == refusal
    assert firm.refuse("client set AC --manager ann@example.com") == refusal
    firm.admin("office set SYD --default-partner bob@example.com")
    assert firm.refuse("office set SYD --default-partner ann@example.com") == refusal
    firm.admin("client set AC --partner ann@example.com --fax 1")  # she keeps those she has


def test_a_client_code_is_unique_in_any_script(firm):
    firm.admin("client add --legal-name 'Größe GmbH' --code 'GRÖẞE 1'")
    firm.admin("client add --legal-name Acme --code AC")
    refusal = [
        "The client code GRÖẞE 1 belongs to Größe GmbH already, a client with the status “active”.",
        "Use another code, or give that client another one: xpmsync admin client set 'GRÖẞE 1' --code CODE",
    ]
    assert firm.refuse("client add --legal-name Other --code 'grösse 1'") == refusal
    assert firm.refuse("client set AC --code 'größe 1'") == refusal
    firm.admin("client set 'grösse 1' --code 'größe 1'")
    assert firm.client("größe 1")["code_key"] == "grösse 1"


def test_a_client_is_changed_field_by_field(firm):
    firm.admin("client add --legal-name Acme --code AC --telephone 1")
    firm.admin("office add MEL --name Melbourne")
    before = firm.client("AC")
    firm.changes()
    line = "client set ac --telephone '' --email x@example.com --partner bob@example.com --office mel"
    assert firm.admin(f"{line} --manager ann@example.com --legal-name 'Acme  Ltd'") == [
        "Acme (AC) is changed:",
        "  Contact Details – Telephone  1 → not set",
        "  Contact Details – Email      not set → x@example.com",
        "  Legal Name                   Acme → Acme Ltd",
        "  Partner                      Ann Lee → Bob Low",
        "  Manager                      not set → Ann Lee",
        "  Office                       SYD → MEL",
        "The client keeps this partner while XPM names none.",
    ]
    ann, bob = firm.user("ann@example.com")["id"], firm.user("bob@example.com")["id"]
    after = {
        "telephone": None,
        "email": "x@example.com",
        "legal_name": "Acme Ltd",
        "partner_id": bob,
        "manager_id": ann,
        "office_code": "MEL",
    }
    assert firm.client("AC") == before | after
    assert firm.changes() == [
        ("client", before["id"], "updated", column, before[column], value) for column, value in after.items()
    ]
    assert firm.admin("client set AC --manager ''")[1] == "  Manager  Ann Lee → not set"


def test_a_partner_chosen_by_hand_stays_while_xpm_names_none(firm):
    firm.admin("user add --first-name Cat --last-name Ng --email cat@example.com")
    firm.admin("client add --legal-name Acme --code AC --partner bob@example.com")
    firm.admin("client add --legal-name Beta --code BE")
    firm.xpm_client(ACME, "Acme", "AC")
    firm.xpm_client(BETA, "Beta", "BE")
    firm.xpm_client(GONE, "Gamma", "GA")

    def partners():
        return [row["partner"] for row in sorted(firm.read("client list"), key=lambda row: row["code"])]

    assert firm.sync() == []
    assert partners() == ["Bob Low", "Ann Lee", "Ann Lee"]
    assert firm.admin("client set GA --partner ann@example.com") == [
        "Gamma (GA) is changed.",
        "The client keeps this partner while XPM names none.",
    ]
    assert firm.admin("client set GA --partner ann@example.com") == [
        "Nothing to change: Gamma (GA) is like that already."
    ]
    assert firm.admin("client set AC --partner cat@example.com --fax 1")[1:] == [
        "  Contact Details – Fax  not set → 1",
        "  Partner                Bob Low → Cat Ng",
        "The client keeps this partner while XPM names none.",
        "This stays until XPM tells something else.",
    ]
    assert firm.admin("office set SYD --default-partner bob@example.com")[0].startswith("1 client of Sydney (SYD) has")
    assert firm.sync() == []
    assert partners() == ["Cat Ng", "Bob Low", "Ann Lee"]

    firm.execute("UPDATE xpm_clients SET account_manager_uuid = ?", BOB)
    firm.staff(BOB, "Bob Low", "bob@example.com")
    firm.sync()
    assert firm.refuse("client set GA --partner cat@example.com")[0].startswith("XPM tells of Gamma (GA)")
    firm.execute("UPDATE xpm_clients SET account_manager_uuid = NULL")
    firm.admin("office set SYD --default-partner ann@example.com")
    firm.sync()
    assert partners() == ["Ann Lee"] * 3


def test_a_choice_of_a_partner_ends_where_a_person_says_so(firm):
    firm.admin("client add --legal-name Acme --code AC --partner bob@example.com")
    firm.xpm_client(ACME, "Acme", "AC")
    firm.sync()
    assert firm.admin("client set AC --partner ''") == [
        "XPM names no partner for this client. At the next sync (xpmsync sync), it goes",
        "from Bob Low (bob@example.com) to Ann Lee (ann@example.com), the default partner",
        "of Sydney (SYD).",
        "Acme (AC) is changed.",
        "The partner is no longer chosen by hand.",
    ]
    assert firm.sync() == []
    assert [row["partner"] for row in firm.read("client list")] == ["Ann Lee"]
    assert firm.admin("client set AC --partner ''") == ["Nothing to change: Acme (AC) is like that already."]


def test_before_a_client_goes_to_another_office_its_next_partner_is_told(firm):
    firm.admin("office add MEL --name Melbourne")
    firm.admin("office add PER --name Perth")
    firm.admin("office set MEL --default-partner bob@example.com")
    firm.xpm_client(ACME, "Acme", "AC")
    firm.sync()
    assert firm.admin("client set AC --office mel") == [
        "XPM names no partner for this client. At the next sync (xpmsync sync), it goes",
        "from Ann Lee (ann@example.com) to Bob Low (bob@example.com), the default partner",
        "of Melbourne (MEL).",
        "Acme (AC) is changed:",
        "  Office  SYD → MEL",
    ]
    firm.sync()
    assert [row["partner"] for row in firm.read("client list")] == ["Bob Low"]
    assert firm.admin("client set AC --office PER --fax 1")[:2] == [
        "XPM names no partner for this client. At the next sync (xpmsync sync), it is an",
        "error and keeps its data, as Perth (PER) has no active default partner.",
    ]
    assert firm.sync() == ["partner-missing"]
    firm.admin("client set AC --partner ann@example.com")
    assert firm.admin("client set AC --office SYD") == ["Acme (AC) is changed:", "  Office  PER → SYD"]


def test_all_clients_of_a_partner_get_another_but_for_those_whose_partner_xpm_names(firm, type_ahead):
    ann, bob = firm.user("ann@example.com")["id"], firm.user("bob@example.com")["id"]
    firm.staff(ANN, "Ann Lee", "ann@example.com")
    firm.xpm_client(ACME, "Acme", "AC", account_manager_uuid=ANN, account_manager_name="Ann Lee")
    firm.sync()
    hand_over = "client set --all-of ANN@example.com --partner bob@example.com"
    kept = ["1 client kept theirs:", "  xpmsync admin client list --partner ann@example.com"]
    assert firm.admin(hand_over) == [
        "1 client will not, as XPM names the partner. Change it in XPM.",
        "No client gets another partner by this.",
        *kept,
    ]
    for code in ("HA", "HB"):
        firm.admin(f"client add --legal-name 'By hand' --code {code}")
    firm.admin("client add --legal-name Managed --code MA --partner bob@example.com --manager ann@example.com")
    firm.execute("UPDATE clients SET status = 'archived' WHERE code = 'HB'")
    firm.changes()
    said = [
        "2 clients will go from Ann Lee (ann@example.com) to Bob Low (bob@example.com).",
        "1 client will not, as XPM names the partner. Change it in XPM.",
    ]
    type_ahead("n")
    assert firm.admin(hand_over) == [*said, "Go on? [y/N]: Nothing was changed."]
    assert firm.changes() == []
    assert firm.admin(f"{hand_over} --yes") == [
        *said,
        "Bob Low (bob@example.com) is now the partner of 2 clients.",
        *kept,
    ]
    owners = {row["code"]: row["partner_id"] for row in firm.query("SELECT code, partner_id FROM clients")}
    assert owners == {"AC": ann, "HA": bob, "HB": bob, "MA": bob}
    assert {row[2:] for row in firm.changes()} == {("updated", "partner_id", ann, bob)}
    assert firm.refuse("client set --all-of bob@example.com --partner BOB@example.com")[1] == "Name another user."


def test_clients_are_listed_and_found(firm):
    firm.admin("client add --legal-name 'Zed & Sons' --code Z1 --abn 51824753556")
    firm.admin("client add --legal-name ärmel --email x@example.com")
    short = firm.client(None)["id"][:8]
    assert [short, "ärmel", "Ann", "Lee", "SYD", "active"] in map(str.split, firm.admin("client list"))
    for text, code in (("sons", "Z1"), ("z1", "Z1"), ("5182", "Z1"), ("X@", None), ("ÄRM", None)):
        (found,) = firm.read(f"client list --search {text}")
        assert found["code"] == code
    row = {column: value for column, value in firm.client(None).items() if column != "code_key"}
    assert found == row | {
        "partner": "Ann Lee",
        "partner_email": "ann@example.com",
        "manager": None,
        "manager_email": None,
    }


def test_clients_are_listed_by_partner_and_status(firm):
    firm.admin("client add --legal-name Acme --code AC")
    firm.admin("client add --legal-name Beta --code BE --partner bob@example.com")
    firm.admin("client add --legal-name Gone --code GO --partner bob@example.com")
    firm.execute("UPDATE clients SET status = 'archived' WHERE code = 'GO'")

    for options, codes in (
        ("--partner BOB@example.com", ["BE", "GO"]),
        ("--status archived", ["GO"]),
        ("--partner bob@example.com --status active --search b", ["BE"]),
    ):
        assert [row["code"] for row in firm.read(f"client list {options}")] == codes
    assert firm.admin("client list --status deleted") == ["No client of Active is like that."]


@pytest.mark.parametrize(
    ("sought", "advice"),
    [
        ("acne", ["Did you mean Acme Farms (ACME)?"]),
        ("acme --status deleted", ["Did you mean Acme Farms (ACME)?"]),
        ("betty", ["In XPM it may be one that could not be synced. See why:", "  xpmsync errors --search betty"]),
        ("qqqq", []),
    ],
)
def test_a_search_that_finds_nothing_suggests_what_a_client_that_is_not_found_does(firm, sought, advice):
    firm.admin("client add --legal-name 'Acme Farms' --code ACME")
    with open_database(firm.home.database_file) as database, database.transaction():
        run_id = start_run(database, tenant_id=None, mode="full", is_watched=True, now=NOW)
        missing = vars(issue("partner-missing", BETA, "Betty Low", office="SYD"))
        save_issues(database, [missing], run_id=run_id, now=NOW, resolve_others=True)
    assert firm.admin(f"client list --search {sought}") == ["No client of Active is like that.", *advice]
    assert firm.read(f"client list --search {sought}") == []
    if "--" not in sought:
        refusal = firm.refuse(f"client show {sought}")
        assert refusal[1:] == [" ".join(map(str.strip, advice)) or SEE_CLIENTS]


def test_a_client_is_shown_with_everything_about_it(firm):
    firm.staff(BOB, "Bob Low", "bob@example.com")
    firm.xpm_client(
        ACME,
        "Acme",
        "A C",
        account_manager_uuid=BOB,
        account_manager_name="Bob Low",
        job_manager_uuid=CAT,
        job_manager_name="Cat Ng",
        phone="1",
        groups='[{"uuid": "g1", "name": "Smiths"}, {"uuid": "g2", "name": "Farms"}]',
    )
    firm.insert("xpm_groups", uuid="g1", name="Smiths")
    firm.insert("xpm_groups", uuid="g2", name="Farms")
    with open_database(firm.home.database_file) as database, database.transaction():
        run_id = start_run(database, tenant_id=None, mode="full", is_watched=True, now=NOW)
        derivation = derive(database, "SYD", ChangeLog(database, run_id=run_id, actor="sync", now=NOW))
        save_issues(database, map(vars, derivation.issues), run_id=run_id, now=NOW, resolve_others=True)
    for number in range(10):
        firm.admin(f"client set 'a c' --fax {number}")
    lines = firm.admin("client show acm")
    assert " ".join(lines[6].split()) == "Client Group Farms; Smiths"
    start = lines.index("Latest changes")
    assert lines[lines.index("Open problems") + 1 : start] == [
        "  Warning: The job manager Cat Ng is not a user of Active; the client is synced",
        "  without a manager.",
        "    To do: In XPM, Clients > Acme > Edit, choose a job manager who is on the",
        "    staff and has an e-mail address.",
    ]
    assert len(lines) == start + 13
    assert lines[start + 1].endswith("Contact Details – Fax: 8 → 9")
    assert lines[-2:] == ["All of them:", "  xpmsync history 'A C'"]
    client = firm.read("client show 'A C'")
    assert list(client)[-6:] == ["manager", "manager_email", "office", "groups", "errors", "changes"]
    assert (client["partner_email"], client["manager_email"]) == ("bob@example.com", None)
    assert (client["office"], client["groups"]) == ("Sydney", ["Farms", "Smiths"])
    assert [error["code"] for error in client["errors"]] == ["manager-not-in-active"]
    assert len(client["changes"]) == 10


def test_only_clients_are_shown(firm):
    firm.admin("client add --legal-name 'Bob Burgers' --code BU")
    assert firm.admin("client show bob")[0] == "Bob Burgers (BU)"


def test_a_long_list_of_clients_ends_where_nobody_reads_on(firm):
    firm.execute(
        "INSERT INTO clients (id, legal_name, partner_id, office_code) SELECT value, 'Acme ' || value, ?, 'SYD' "
        "FROM json_each(?)",
        *(firm.user("ann@example.com")["id"], json.dumps(list(range(201)))),
    )
    lines = firm.admin("client list")
    assert lines[-1] == "The first 200 of 201 clients. Find others by --search TEXT; --json prints all."
    assert len([line for line in lines if "Acme" in line]) == 200
    assert len(firm.read("client list")) == 201


# What is XPM's.


def test_what_xpm_tells_of_a_client_is_not_changed_here(firm):
    firm.staff(BOB, "Bob Low", "bob@example.com")
    firm.xpm_client(ACME, "Acme\x1b[31m", "AC", phone="1", account_manager_uuid=BOB, account_manager_name="Bob Low")
    firm.sync()
    assert firm.refuse("client set AC --telephone 2 --code AD --partner ann@example.com") == [
        "XPM tells of Acme�[31m (AC) what the next sync would bring back: Contact Details – Telephone, Code, Partner.",
        "In XPM, Clients > Acme�[31m > Edit, change it; the next sync brings it to Active.",
    ]
    # Where XPM is silent, and what the administrator owns, stays as it is typed.
    firm.admin("office add MEL --name Melbourne")
    assert firm.admin("client set AC --fax 3 --manager ann@example.com --office MEL")[-1] == (
        "This stays until XPM tells something else."
    )
    assert firm.admin("client set AC --office SYD")[-1] == "  Office  MEL → SYD"
    typed = firm.client("AC")
    assert firm.sync() == []
    assert firm.client("AC") == typed
    assert (typed["fax"], typed["manager_id"]) == ("3", firm.user("ann@example.com")["id"])
    # A client that is gone in XPM is the administrator's again.
    firm.vanish("xpm_clients")
    firm.sync()
    firm.admin("client set AC --telephone 2")
    firm.sync()
    assert (firm.client("AC")["telephone"], firm.client("AC")["status"]) == ("2", "removed")


def test_what_was_typed_is_not_cleared_even_where_a_sync_once_wrote_the_same(firm):
    firm.xpm_client(ACME, "Acme", "AC", fax="1", phone="2")
    firm.sync()
    firm.vanish("xpm_clients")
    firm.sync()
    firm.admin("client set AC --fax 9")
    firm.admin("client set AC --fax 1")
    firm.execute("UPDATE xpm_clients SET vanished_at = NULL, fax = NULL, phone = NULL")
    firm.sync()
    assert (firm.client("AC")["fax"], firm.client("AC")["telephone"]) == ("1", None)


# Links.


def test_a_new_entry_of_the_same_person_is_linked_to_the_former_user(firm):
    firm.staff(ANN, "Ann Lee", "ann@example.com")
    firm.sync()
    firm.admin("user set ann@example.com --role Owner --office SYD --module Tax")
    firm.vanish("xpm_staff")
    firm.staff(BOB, "Ann Marsh", "Ann@example.com")
    assert firm.sync() == ["default-partner-not-active", "staff-email-held-by-former-user"]
    before = firm.user("ann@example.com")
    firm.changes()
    assert firm.admin(f"user link Ann@example.com --xpm-staff {BOB.upper()}") == [
        "At the next sync (xpmsync sync), the user gets the name and address from XPM:",
        "Ann Marsh, Ann@example.com.",
        "The user is active again then, with the role Owner.",
        "Ann Lee (ann@example.com) is now linked to the staff member Ann Marsh.",
    ]
    assert firm.user("ann@example.com") == before | {"xpm_staff_uuid": BOB}
    assert firm.changes() == [("user", before["id"], "linked", "xpm_staff_uuid", ANN, BOB)]
    assert firm.sync() == []
    assert firm.user("Ann@example.com") == before | {
        "last_name": "Marsh",
        "email": "Ann@example.com",
        "status": "active",
        "xpm_staff_uuid": BOB,
    }
    assert firm.query("SELECT module FROM user_modules") == [{"module": "Tax"}]


def test_an_address_taken_by_a_staff_member_who_lost_theirs_is_settled_by_a_link(firm):
    firm.staff(ANN, "Ann Lee", "ann@example.com")
    firm.sync()
    firm.execute("UPDATE xpm_staff SET email = NULL")
    firm.staff(BOB, "Ann Lee", "ann@example.com")
    assert firm.sync() == ["staff-email-of-colleague", "staff-without-email"]
    firm.admin(f"user link ann@example.com --xpm-staff {BOB}")
    assert firm.sync() == ["staff-without-email"]
    assert firm.user("ann@example.com")["xpm_staff_uuid"] == BOB


def test_a_link_that_another_user_has_is_moved_only_when_asked(firm):
    firm.staff(CAT, "Cat Ng", "cat@example.com")
    firm.sync()
    firm.execute("UPDATE xpm_staff SET email = 'bob@example.com'")
    assert firm.sync() == ["staff-email-taken"]
    assert firm.refuse(f"user link bob@example.com --xpm-staff {CAT}") == [
        "The staff member Cat Ng is linked to another user already, Cat Ng (cat@example.com).",
        (
            "If Bob Low (bob@example.com) is the right one, move the link: "
            f"xpmsync admin user link bob@example.com --xpm-staff {CAT} --move"
        ),
    ]
    bob, cat = firm.user("bob@example.com"), firm.user("cat@example.com")
    firm.changes()
    assert firm.admin(f"user link bob@example.com --xpm-staff {CAT} --move") == [
        "Cat Ng (cat@example.com) loses the link with XPM.",
        "At the next sync (xpmsync sync), the user gets the name and address from XPM:",
        "Cat Ng, bob@example.com.",
        "Bob Low (bob@example.com) is now linked to the staff member Cat Ng.",
    ]
    assert firm.changes() == [
        ("user", cat["id"], "linked", "xpm_staff_uuid", CAT, None),
        ("user", bob["id"], "linked", "xpm_staff_uuid", None, CAT),
    ]
    assert firm.sync() == []
    assert firm.user("cat@example.com") == cat | {"xpm_staff_uuid": None}
    assert firm.user("bob@example.com") == bob | {"first_name": "Cat", "last_name": "Ng", "xpm_staff_uuid": CAT}


def test_a_partner_whom_xpm_does_not_list_is_settled_by_a_link(firm):
    firm.xpm_client(ACME, "Acme", "AC", account_manager_uuid=CAT, account_manager_name="Bob  Low")
    assert firm.sync() == ["partner-not-listed"]
    assert firm.admin(f"user link bob@example.com --xpm-staff {CAT}") == [
        "At the next sync (xpmsync sync), the clients of Bob Low in XPM get this user as",
        "their partner or manager.",
        "At the next sync (xpmsync sync), the user gets the status “removed” and can no",
        "longer use Active, as XPM does not list Bob Low.",
        "If they still work for the firm, add them in XPM, Business > Settings > Staff,",
        "as Bob Low with the address bob@example.com: the sync recognises them by it.",
        "Bob Low (bob@example.com) is now linked to the staff member Bob Low.",
    ]
    assert firm.sync() == ["partner-no-longer-listed"]
    assert firm.client("AC")["partner_id"] == firm.user("bob@example.com")["id"]
    assert firm.user("bob@example.com")["status"] == "removed"
    # Another staff member who is not listed would leave the clients of the first without a partner.
    firm.xpm_client(BETA, "Beta", "BE", account_manager_uuid=ANN, account_manager_name="Rob Low")
    assert firm.admin(f"user link bob@example.com --xpm-staff {ANN}")[-3:-1] == [
        "XPM names Bob Low, who was linked until now, as the partner of 1 client: choose",
        "another partner there, or they become errors.",
    ]
    assert firm.sync() == ["partner-no-longer-listed", "partner-not-listed"]
    # The way out.
    firm.staff(BOB, "Bob Low", "bob@example.com")
    firm.execute("UPDATE xpm_clients SET account_manager_uuid = ?", BOB)
    assert firm.sync() == []
    assert firm.user("bob@example.com")["status"] == "active"


@pytest.mark.parametrize(("is_synced", "name"), [(True, "Robert"), (False, "Bob")])
def test_a_user_whom_xpm_lists_is_not_linked_to_an_entry_that_is_gone(firm, is_synced, name):
    firm.staff(BOB, "Robert Low", "bob@example.com")
    firm.xpm_client(ACME, "Acme", "AC", account_manager_uuid=CAT, account_manager_name="Bob Low")
    if is_synced:
        firm.sync()
    assert firm.refuse(f"user link bob@example.com --xpm-staff {CAT}") == [
        (f"XPM no longer lists the staff member Bob Low, and lists {name} Low (bob@example.com) under another entry."),
        (
            "In XPM, give the clients that still name Bob Low another partner or job manager; or, if both entries are "
            f"one person, run: xpmsync admin user link bob@example.com --xpm-staff {CAT} --also"
        ),
    ]
    assert firm.admin(f"user link bob@example.com --xpm-staff {CAT} --also") == [
        "At the next sync (xpmsync sync), the clients that name Bob Low get this user as",
        "their partner or manager.",
        "This holds as long as XPM does not list Bob Low.",
        f"{name} Low (bob@example.com) is now linked to the former entry Bob Low, too.",
    ]
    assert firm.changes()[-1][2:] == ("linked", "former_staff", None, CAT)
    assert firm.admin(f"user link bob@example.com --xpm-staff {CAT} --also") == [
        f"{name} Low (bob@example.com) is linked to the former entry Bob Low already."
    ]
    assert firm.changes() == []
    assert firm.sync() == ["former-entry-still-named"]
    bob = firm.user("bob@example.com")
    assert (bob["xpm_staff_uuid"], bob["status"]) == (BOB, "active")
    assert firm.client("AC")["partner_id"] == bob["id"]


def test_a_former_entry_leads_to_one_user_and_only_while_nobody_is_linked_to_it(firm):
    firm.staff(CAT, "Cat Ng", "cat@example.com")
    firm.xpm_client(ACME, "Acme", "AC", account_manager_uuid=ANN, account_manager_name="Ann Lee")
    firm.sync()
    link = f"user link bob@example.com --xpm-staff {CAT}"
    assert firm.refuse(f"{link} --also") == [
        "XPM lists the staff member Cat Ng.",
        f"Link without --also: xpmsync admin {link}",
    ]
    firm.vanish("xpm_staff")
    assert firm.refuse(f"{link} --also") == [
        "Cat Ng (cat@example.com) is linked to the staff member Cat Ng.",
        "If both users are one person, merge them: xpmsync admin user merge cat@example.com --into bob@example.com",
    ]
    assert firm.refuse(f"user link cat@example.com --xpm-staff {CAT} --also")[1] == (
        "Clients that name the entry are this user's already."
    )
    assert "Choose one of --also and --move." in firm.refuse(f"{link} --also --move")[-1]

    firm.admin(f"user link bob@example.com --xpm-staff {ANN} --also")
    assert firm.admin(f"user link ann@example.com --xpm-staff {ANN} --also")[2:4] == [
        "Bob Low (bob@example.com) no longer gets them.",
        "This holds as long as XPM does not list Ann Lee.",
    ]
    firm.sync()
    assert firm.client("AC")["partner_id"] == firm.user("ann@example.com")["id"]
    firm.admin("user merge ann@example.com --into bob@example.com --yes")
    firm.sync()
    assert firm.client("AC")["partner_id"] == firm.user("bob@example.com")["id"]
    firm.admin(f"user link cat@example.com --xpm-staff {ANN}")
    firm.sync()
    assert firm.client("AC")["partner_id"] == firm.user("cat@example.com")["id"]
    assert firm.query("SELECT * FROM former_staff") == []


def test_a_staff_member_linked_until_now_becomes_a_user_of_their_own(firm):
    firm.staff(ANN, "Ann Lee", "ann@example.com")
    firm.sync()
    firm.staff(CAT, "Cat Ng", "cat@example.com")
    assert firm.admin(f"user link ann@example.com --xpm-staff {CAT}")[-2] == (
        "Ann Lee, who was linked until now, becomes a user of their own."
    )
    assert firm.sync() == []
    names = {row["xpm_staff_uuid"]: row["first_name"] for row in firm.query("SELECT * FROM users")}
    assert names == {ANN: "Ann", CAT: "Cat", None: "Bob"}


def test_a_link_that_leaves_an_error_says_so(firm):
    firm.staff(CAT, "Cat Ng", None)
    lines = firm.admin(f"user link bob@example.com --xpm-staff {CAT}")
    assert " ".join(lines[:-1]) == (
        "At the next sync (xpmsync sync), an error remains: This staff member has no e-mail address in XPM, and Active "
        "knows its users by it. In XPM, Business > Settings > Staff, enter an e-mail address for Cat Ng."
    )
    assert firm.admin(f"user link bob@example.com --xpm-staff {CAT}")[-1] == (
        "Bob Low (bob@example.com) is linked to the staff member Cat Ng already."
    )
    assert len([row for row in firm.changes() if row[2] == "linked"]) == 1


def test_a_client_recreated_in_xpm_is_linked_to_its_record(firm):
    firm.xpm_client(GONE, "Acme Trust", "AC", fax="1")
    firm.sync()
    firm.execute("UPDATE xpm_clients SET is_archived = 'Yes'")
    firm.xpm_client(ACME, "Acme Family Trust", "ac")
    assert firm.sync() == ["code-held-by-former-client"]
    before = firm.client("AC")
    firm.changes()
    assert firm.admin(f"client link ac --xpm-client {ACME}") == [
        "At the next sync (xpmsync sync), the client is active again.",
        "At the next sync (xpmsync sync), the client gets what XPM tells of it, in place",
        "of what Active has:",
        "  Legal Name             Acme Trust → Acme Family Trust",
        "  Contact Details – Fax  1 → not set",
        "  Code                   AC → ac",
        "Acme Trust (AC) is now linked to Acme Family Trust (ac) of XPM.",
    ]
    assert firm.client("AC") == before | {"xpm_client_uuid": ACME}
    assert firm.changes() == [("client", before["id"], "linked", "xpm_client_uuid", GONE, ACME)]
    assert firm.sync() == []
    assert firm.client("ac") == before | {
        "legal_name": "Acme Family Trust",
        "code": "ac",
        "fax": None,
        "status": "active",
        "xpm_client_uuid": ACME,
    }


def test_a_command_of_the_error_log_can_be_pasted_whatever_the_client_code_is(firm):
    code = "A'$(touch /tmp/x) \"B; &c"
    firm.admin("client add --legal-name Acme --code", code, "--abn", "51824753556")
    firm.xpm_client(ACME, "Acme", code, business_number="53 004 085 616")
    with open_database(firm.home.database_file) as database, database.transaction():
        (issue,) = derive(database, "SYD", open_history(database)).issues
    assert issue.code == "abn-contradicts"
    words = shlex.split(issue.suggestion.partition("run: xpmsync admin ")[2])
    assert words == ["client", "link", code, "--xpm-client", ACME]
    firm.admin("", *words)
    assert firm.sync() == []
    assert (firm.client(code)["abn"], firm.client(code)["xpm_client_uuid"]) == ("53004085616", ACME)


def test_a_link_that_another_client_has_is_moved_only_when_asked(firm):
    firm.xpm_client(GONE, "Acme", "A C")
    firm.xpm_client(BETA, "Beta", "BE")
    firm.sync()
    firm.execute("UPDATE xpm_clients SET vanished_at = '2026-11-01T00:00:00Z' WHERE uuid = ?", GONE)
    firm.execute("UPDATE xpm_clients SET client_code = 'A C' WHERE uuid = ?", BETA)
    assert firm.sync() == ["code-held-by-former-client"]
    assert firm.refuse(f"client link 'A C' --xpm-client {BETA}") == [
        "XPM's client Beta (A C) is linked already, to Active's client Beta (BE).",
        f"If Acme (A C) is the right one, move the link: xpmsync admin client link 'A C' --xpm-client {BETA} --move",
    ]
    acme, beta = firm.client("A C"), firm.client("BE")
    firm.changes()
    assert firm.admin(f"client link 'A C' --xpm-client {BETA} --move")[0] == ("Beta (BE) loses the link with XPM.")
    assert firm.changes() == [
        ("client", beta["id"], "linked", "xpm_client_uuid", BETA, None),
        ("client", acme["id"], "linked", "xpm_client_uuid", GONE, BETA),
    ]
    assert firm.sync() == []
    assert firm.client("A C") == acme | {"legal_name": "Beta", "status": "active", "xpm_client_uuid": BETA}
    assert firm.client("BE") == beta | {"xpm_client_uuid": None}


def test_before_a_client_is_linked_the_values_are_told_that_the_next_sync_replaces(firm):
    typed = "--telephone 1 --fax 2 --email old@acme.example --partner bob@example.com"
    firm.admin(f"client add --legal-name Acme --code AC {typed}")
    firm.xpm_client(ACME, "ACME", "ZZ", phone=" 1 ", email="new@acme.example")
    assert firm.admin(f"client link AC --xpm-client {ACME}") == [
        "At the next sync (xpmsync sync), the client gets what XPM tells of it, in place",
        "of what Active has:",
        "  Legal Name               Acme → ACME",
        "  Contact Details – Email  old@acme.example → new@acme.example",
        "  Code                     AC → ZZ",
        "Acme (AC) is now linked to ACME (ZZ) of XPM.",
    ]
    before = firm.client("AC")
    firm.sync()
    after = firm.client("ZZ")
    assert {column for column, value in before.items() if after[column] != value} == {
        *("legal_name", "email", "code", "code_key")
    }
    assert firm.admin(f"client link ZZ --xpm-client {ACME}") == [
        "At the next sync (xpmsync sync), the client gets what XPM tells of it; nothing",
        "that Active has is replaced.",
        "ACME (ZZ) is linked to ACME (ZZ) of XPM already.",
    ]


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("office set SYD --default-partner bob@example.com", ["y"]),
        ("office set SYD --default-partner bob@example.com --yes", []),
        (f"user link ann@example.com --xpm-staff {GONE}", ["y"]),
        (f"user link ann@example.com --xpm-staff {CAT} --move --yes", []),
        (f"client link TYPED --xpm-client {ANN}", ["y"]),
        (f"client link TYPED --xpm-client {ACME} --move --yes", []),
    ],
)
def test_what_follows_at_the_next_sync_is_agreed_to_by_a_person_at_the_terminal(orphans, type_ahead, line, answers):
    orphans.staff(CAT, "Cat Ng", "cat@example.com")
    orphans.xpm_client(BOB, "Delta", "DE", account_manager_uuid=GONE, account_manager_name="Bo")
    orphans.sync()
    orphans.xpm_client(ANN, "Epsilon", "EP")
    orphans.admin("client add --legal-name Typed --code TYPED")
    before, question = orphans.dump(), line.removesuffix(" --yes")
    type_ahead("n")
    assert orphans.admin(question)[-1] == "Go on? [y/N]: Nothing was changed."
    assert orphans.dump() == before
    type_ahead(*answers)
    assert not orphans.admin(line)[-1].endswith("Nothing was changed.")
    assert orphans.dump() != before
    type_ahead()  # what is so already is not asked for
    assert orphans.admin(question)[-1].endswith(" already.")


def test_a_link_to_a_client_that_is_not_live_says_what_follows(firm):
    firm.admin("client add --legal-name Acme")
    code = firm.client(None)["id"]
    firm.xpm_client(GONE, None, first_name="Al", last_name="Bo", is_archived="Yes")
    link = f"client link {code} --xpm-client {GONE}"
    assert firm.admin(link) == [
        "In XPM, it is archived: at the next sync, the client is archived and keeps its",
        "data.",
        f"Acme ({code[:8]}) is now linked to Al Bo of XPM.",
    ]
    assert firm.admin(link)[-1] == f"Acme ({code[:8]}) is linked to Al Bo of XPM already."
    firm.sync()
    assert firm.client(None)["status"] == "archived"


def test_a_link_of_a_client_that_leaves_an_error_says_so(firm):
    firm.admin("client add --legal-name Acme --code AC")
    firm.xpm_client(ACME, "Acme", "AC", account_manager_uuid=CAT, account_manager_name="Cat Ng")
    lines = firm.admin(f"client link AC --xpm-client {ACME}")
    assert " ".join(lines[:-1]) == (
        "At the next sync (xpmsync sync), an error remains: The partner Cat Ng is not in XPM's staff list. "
        "In XPM, Clients > Acme > Edit, choose a partner who is on the staff; or, if Cat Ng is a user of Active, "
        f"run: xpmsync admin user link EMAIL --xpm-staff {CAT} --also"
    )


def test_a_client_of_xpm_linked_until_now_becomes_a_client_of_its_own(firm):
    firm.xpm_client(ACME, "Acme", "AC")
    firm.sync()
    firm.xpm_client(BETA, "Beta")
    assert firm.admin(f"client link AC --xpm-client {BETA}")[:2] == [
        "Acme (AC), which was linked until now, is still in XPM: it becomes a client of",
        "its own.",
    ]
    assert firm.sync() == []
    assert {row["legal_name"]: row["xpm_client_uuid"] for row in firm.query("SELECT * FROM clients")} == {
        "Acme": ACME,
        "Beta": BETA,
    }


# The lock.


def test_a_sync_in_progress_is_waited_for_and_then_named(firm):
    with hold(firm.home.run_lock) as is_held:
        assert is_held
        assert firm.refuse("office add MEL --name Melbourne", exit_code=10) == [
            "A sync is in progress, so nothing was changed.",
            "Try again in a few minutes.",
        ]
        assert firm.admin("office list")  # looking is always possible
