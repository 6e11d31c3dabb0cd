"""What another program has damaged in active.db: the sync goes on, nothing crashes, and doctor names the repair."""

import functools
import json

import pytest

from xpmsync.cli import run
from xpmsync.errors import SuspiciousChange
from xpmsync.sandbox import Practice

COMMANDS = (
    "status",
    "errors",
    "history",
    "report --names",
    "sync --dry-run",
    "admin office list",
    "admin user list",
    "admin client list",
    "admin client show ACM001",
    "admin client show OLD001",
    "admin user set bob@example.com --role Admin",
    "admin office set SYD --no-default-partner",
)
"""Those that read or write what may be damaged."""


@pytest.fixture
def firm(make_firm):
    """Ann, the default partner of MAIN, and Bob, who works in SYD; one client is archived, one names no partner."""
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Low", "bob@example.com")
    practice.add_client("Acme", client_code="ACM001", account_manager=ann, job_manager=bob, groups=["Farms"])
    old = practice.add_client("Old", client_code="OLD001", account_manager=ann, groups=["Farms"])
    firm = make_firm(practice, default_partner="ann@example.com")
    practice.add_client("No Partner", client_code="NOP001")
    practice.archive_client(old)
    firm.write("INSERT INTO offices (code, name) VALUES ('SYD', 'Sydney')")
    firm.write("UPDATE users SET office_code = 'SYD' WHERE email = 'bob@example.com'")
    firm.write("UPDATE clients SET office_code = 'SYD' WHERE code = 'OLD001'")
    firm.sync(full=True)
    assert not firm.rows("SELECT * FROM sync_errors WHERE resolved_at IS NULL AND code LIKE 'reference%'")
    return firm


@pytest.fixture
def damage(firm):
    """Does what a program does that leaves foreign keys off."""
    return functools.partial(firm.write, has_foreign_keys=False)


@pytest.fixture
def type_line(capsys):
    """Types a command; gives its exit code and what it printed."""

    def call(line):
        exit_code = run(line.split())
        printed = capsys.readouterr()
        return exit_code, " ".join((printed.out + printed.err).split())

    return call


@pytest.fixture
def examine(type_line):
    """What doctor finds of the database: verdict, findings and repair."""

    def call():
        _, out = type_line("doctor --json")
        (check,) = [each for each in json.loads(out)["checks"] if each["check"] == "Database"]
        return check["verdict"], check["found"], check["remedy"]

    return call


def list_warnings(firm):
    rows = firm.rows(
        "SELECT * FROM sync_errors WHERE code IN ('reference-broken', 'leftovers-removed') AND resolved_at IS NULL"
    )
    return [(row["message"], row["suggestion"]) for row in rows]


@pytest.mark.parametrize(
    ("statement", "what", "repair"),
    [
        (
            "UPDATE offices SET default_partner_id = 'gone' WHERE code = 'MAIN'",
            "The default partner of MAIN is gone",
            "xpmsync admin office set MAIN --default-partner ann@example.com",
        ),
        (
            "UPDATE offices SET default_partner_id = 'gone' WHERE code = 'MAIN'",
            "The default partner of MAIN is gone",
            "xpmsync admin office set MAIN --no-default-partner",
        ),
        (
            "DELETE FROM offices WHERE code = 'SYD'",
            "The office of Old (OLD001) is gone: another program has deleted the office SYD",
            "xpmsync admin office add SYD --name Sydney",
        ),
        (
            "UPDATE clients SET partner_id = 'gone' WHERE code = 'OLD001'",
            "The partner of Old (OLD001) is gone",
            "xpmsync admin client set OLD001 --partner bob@example.com",
        ),
        (
            "UPDATE clients SET manager_id = 'gone' WHERE code = 'NOP001'",
            "The manager of No Partner (NOP001) is gone",
            "xpmsync admin client set NOP001 --manager bob@example.com",
        ),
        # The sync repairs these by itself.
        ("DELETE FROM users WHERE email = 'bob@example.com'", "The manager of Acme (ACM001) is gone", "xpmsync sync"),
        ("UPDATE clients SET partner_id = 'gone' WHERE code = 'ACM001'", "The partner of Acme", "xpmsync sync"),
        (
            "DELETE FROM client_groups",
            "In the table client_group_members, client_group_id of 2 rows leads to",
            "xpmsync sync",
        ),
        (
            "INSERT INTO user_modules VALUES ('gone', 'Jobs')",
            "In the table user_modules, user_id of 1 row leads to “gone”",
            "xpmsync sync",
        ),
        (
            "INSERT INTO former_staff VALUES ('00000000-0000-4000-8000-000000000009', 'gone')",
            "In the table former_staff, user_id of 1 row leads to “gone”",
            "xpmsync sync",
        ),
    ],
)
def test_what_leads_to_a_row_that_is_gone_counts_as_none_until_it_is_repaired(
    firm, damage, type_line, examine, statement, what, repair
):
    damage(statement)
    verdict, found, remedy = examine()
    assert verdict == "warning"
    assert what in found
    assert " ".join(repair.split()[:4]) in remedy
    assert len(firm.rows("SELECT * FROM client_list")) == len(firm.rows("SELECT * FROM clients"))
    for command in COMMANDS:
        exit_code, out = type_line(command)
        assert exit_code in (0, 2), (command, out)
    firm.sync()
    if "In the table" in what or repair != "xpmsync sync":
        assert [message for message, _ in list_warnings(firm) if what in message]
    if repair != "xpmsync sync":
        assert type_line(repair.removeprefix("xpmsync "))[0] == 0
    firm.sync()
    assert list_warnings(firm) == []
    assert examine()[0] == "ok"
    assert firm.rows("PRAGMA foreign_key_check") == []


@pytest.mark.usefixtures("firm")
def test_a_user_whose_office_is_gone_needs_one_again(damage, type_line):
    damage("DELETE FROM offices WHERE code = 'SYD'")
    (bob,) = (user for user in json.loads(type_line("admin user list --json")[1]) if user["email"] == "bob@example.com")
    assert (bob["office_code"], bob["missing"]) == (None, ["a role", "an office", "modules"])


@pytest.mark.parametrize("garbage", ["{", "5", '{"groups": 5}', '{"groups": [[]]}'])
def test_of_synced_values_that_are_damaged_nothing_is_known(firm, damage, type_line, examine, garbage):
    damage(f"UPDATE synced_values SET written = '{garbage}'")
    if "groups" not in garbage:
        assert examine()[0] == "warning"
    for client in firm.practice.clients.values():
        firm.practice.edit_client(client.uuid, phone="1", groups=[])
    for command in COMMANDS:
        exit_code, out = type_line(command)
        assert exit_code in (0, 2), (command, out)
    firm.sync()
    (acme,) = firm.rows("SELECT telephone FROM clients WHERE code = 'ACM001'")
    assert acme["telephone"] == "1"
    firm.sync(full=True)
    assert examine()[0] == "ok"


@pytest.mark.parametrize("garbage", ["yesterday", "", "2026-02-31T10:00:00Z", "2026-11-01", "9999-12-31T23:59:59Z"])
def test_times_that_cannot_be_read_stop_nothing_and_a_full_sync_replaces_them(
    firm, damage, type_line, examine, garbage
):
    damage(f"UPDATE sync_runs SET started_at = '{garbage}', finished_at = '{garbage}', cursor_at = '{garbage}'")
    damage(f"UPDATE changes SET changed_at = '{garbage}'")
    damage(f"UPDATE sync_errors SET first_seen_at = '{garbage}', last_seen_at = '{garbage}'")
    if garbage[:4] != "9999":  # which is a time
        verdict, found, remedy = examine()
        assert verdict == "warning"
        assert "cursor_at cannot be read in 2 rows of the table sync_runs." in found
        assert remedy == "Run: xpmsync sync --full"
    for command in ("notify", *COMMANDS):
        exit_code, out = type_line(command)
        assert exit_code in (0, 2), (command, out)
    firm.sync()
    firm.sync(full=True)
    assert examine()[0] == "ok"


def test_a_sync_that_another_program_deleted_is_missed_by_nobody(firm, damage, type_line, examine):
    ann = next(iter(firm.practice.staff))
    for client in range(20):
        firm.practice.add_client(f"Client {client}", client_code=f"C{client}", account_manager=ann)
    firm.sync()
    for uuid in [*firm.practice.clients]:
        firm.practice.archive_client(uuid)
    with pytest.raises(SuspiciousChange):
        firm.sync(full=True)
    damage("DELETE FROM sync_runs")
    for command in COMMANDS:
        exit_code, out = type_line(command)
        assert exit_code in (0, 2, 5, 8), (command, out)
    for _ in range(2):
        with pytest.raises(SuspiciousChange):
            firm.sync()
    (number,) = firm.rows("SELECT max(id) AS id FROM sync_runs")
    firm.sync(accept=number["id"])
    verdict, found, remedy = examine()
    assert verdict == "warning"
    assert "In the table sync_errors, first_run_id of 1 row leads to “4”" in found
    assert remedy == "Nothing needs to be done: the history and the error log can be read without it."


def test_what_another_program_writes_is_replaced_where_xpm_has_a_value_as_docs_fields_md_says(firm, damage):
    damage("UPDATE clients SET legal_name = 'Written', fax = '123', status = 'archived' WHERE code = 'ACM001'")
    damage("DELETE FROM client_group_members")
    damage("DELETE FROM clients WHERE code = 'NOP001'")
    damage("DELETE FROM users WHERE email = 'bob@example.com'")
    firm.sync()
    clients = firm.rows("SELECT legal_name, fax, status, office_code FROM clients WHERE code <> 'OLD001' ORDER BY 1")
    assert [tuple(row.values()) for row in clients] == [
        ("Acme", "123", "active", "MAIN"),
        ("No Partner", None, "active", "MAIN"),
    ]
    (bob,) = firm.rows("SELECT status, office_code FROM users WHERE email = 'bob@example.com'")
    assert bob == {"status": "active", "office_code": None}
