"""Judged every hour, written only where something differs."""

import sqlite3
from importlib import reload

import pytest

import xpmsync.sync.derive
from xpmsync.active.history import ChangeLog
from xpmsync.sync.derive import derive

ANN = {"UUID": "s1", "Name": "Ann Lee", "Email": "ann@firm.example"}
TWINS = [{"UUID": f"s{number}", "Name": "Bob Ray", "Email": "bob@firm.example"} for number in (2, 3)]
FARMS = {"Group": {"UUID": "g1", "Name": "Farms"}}

# A practice with everything that leaves a trace: typed values, refused records, shared codes, archived, former, groups.
CLIENTS = [
    {"UUID": "c1", "Name": "One", "AccountManager": ANN, "ClientCode": "A", "Groups": [FARMS], "Phone": "1"},
    {"UUID": "c2", "Name": "Two", "AccountManager": ANN, "ClientCode": "B"},
    {"UUID": "c3", "Name": "Two too", "AccountManager": ANN, "ClientCode": "b"},
    {"UUID": "c4", "Name": "Four", "ClientCode": "D"},
    {"UUID": "c5", "Name": "Five", "AccountManager": ANN, "IsArchived": "Yes"},
    {"UUID": "c6", "Name": "Six", "AccountManager": ANN, "JobManager": TWINS[0], "BusinessNumber": "pending"},
    {"UUID": "c7", "Name": "Seven", "AccountManager": ANN, "ClientCode": "by hand"},
    {"UUID": "c8", "Name": "Eight", "AccountManager": ANN},
]


def watched_tables(firm):
    tables = ("users", "clients", "client_groups", "client_group_members", "changes", "synced_values", "xpm_clients")
    return {table: firm.rows(f"SELECT * FROM {table}") for table in tables}


@pytest.fixture
def settled_firm(firm):
    """A firm that has had two different hours."""
    firm.sync([], staff=[ANN, *TWINS])
    firm.execute(
        "INSERT INTO clients (id, legal_name, code, telephone, office_code, partner_id) "
        "SELECT 'by-hand', 'Seven', 'BY HAND', 'typed', 'MAIN', id FROM users"
    )
    firm.execute("INSERT INTO client_groups (id, name) VALUES ('by-hand', 'VIPs')")
    firm.execute("INSERT INTO client_group_members VALUES ('by-hand', 'by-hand')")
    firm.sync([each | {"IsArchived": "No"} for each in CLIENTS])
    firm.sync(CLIENTS[:-1])
    return firm


@pytest.mark.parametrize("is_full_list", [True, False])
def test_a_second_run_writes_no_row(settled_firm, is_full_list):
    before = watched_tables(settled_firm)
    derivation = settled_firm.sync(CLIENTS[:-1], is_full_list=is_full_list)
    assert watched_tables(settled_firm) == before
    assert derivation.changes.is_empty
    assert (derivation.users.created, derivation.users.updated) == (0, 0)
    assert (derivation.clients.created, derivation.clients.updated) == (0, 0)


def test_a_second_derivation_touches_no_row_at_all(settled_firm):
    settled_firm.execute("DELETE FROM standing_outcome")
    connection = settled_firm.database.connection
    before = connection.total_changes
    first = rederive(settled_firm)
    assert connection.total_changes - before == 2  # the outcome itself: begun, and kept
    second = rederive(settled_firm)
    assert connection.total_changes - before == 2
    assert first.to_text() == second.to_text()


def rederive(firm, office="MAIN"):
    with firm.database.transaction():
        changes = ChangeLog(firm.database, run_id=firm.run_id, actor="sync", now=firm.now)
        return derive(firm.database, office, changes)


@pytest.mark.parametrize("outcome", ["oops", "[]", "{}", "5", "null"])
def test_an_outcome_that_another_program_has_damaged_is_worked_out_again(settled_firm, outcome):
    first = rederive(settled_firm)
    settled_firm.execute(f"UPDATE standing_outcome SET outcome = '{outcome}'")
    assert rederive(settled_firm).to_text() == first.to_text()
    assert settled_firm.rows("SELECT outcome FROM standing_outcome") == [{"outcome": first.to_text()}]


def test_an_outcome_stands_only_if_its_derivation_wrote_nothing(settled_firm):
    settled_firm.sync(CLIENTS)
    assert settled_firm.rows("SELECT * FROM standing_outcome") == []
    settled_firm.sync(CLIENTS)
    assert len(settled_firm.rows("SELECT * FROM standing_outcome WHERE outcome IS NOT NULL")) == 1


@pytest.mark.parametrize(
    ("statement", "is_healed"),
    [
        ("UPDATE clients SET telephone = '9' WHERE xpm_client_uuid = 'c1'", True),
        ("DELETE FROM client_group_members WHERE client_id IN (SELECT id FROM clients WHERE legal_name = 'One')", True),
        ("UPDATE client_groups SET name = 'Ranches' WHERE name = 'Farms'", True),
        ("UPDATE users SET email = 'other@firm.example'", True),
        ("UPDATE xpm_clients SET city = 'Perth' WHERE uuid = 'c1'", True),
        ("REPLACE INTO xpm_groups VALUES ('g1', 'Fields')", True),
        ("UPDATE offices SET default_partner_id = (SELECT id FROM users)", True),
        ("UPDATE synced_values SET written = '{}'", False),
    ],
)
def test_what_any_program_writes_is_judged_at_once(settled_firm, statement, is_healed):
    rederive(settled_firm)
    rederive(settled_firm)
    settled_firm.execute(statement)
    assert settled_firm.rows("SELECT * FROM standing_outcome") == []
    assert rederive(settled_firm).changes.is_empty != is_healed


def test_another_setting_is_judged_at_once(settled_firm):
    settled_firm.execute("INSERT INTO offices (code, name, default_partner_id) SELECT 'SYD', 'Sydney', id FROM users")
    assert rederive(settled_firm).changes.is_empty
    rederive(settled_firm, office="SYD")
    assert [change[1] for change in settled_firm.changes() if change[2] == "created"] == ["Four"]


@pytest.fixture
def upgrade_stdnum(tmp_path):
    """Puts another version of the library for check digits before the installed one; the program starts anew."""

    def upgrade():
        (tmp_path / "stdnum").mkdir()
        (tmp_path / "stdnum/__init__.py").write_text("__version__ = '99'\n")
        patch.syspath_prepend(tmp_path)
        reload(xpmsync.sync.derive)

    with pytest.MonkeyPatch.context() as patch:
        yield upgrade
    reload(xpmsync.sync.derive)


def test_another_version_of_the_library_for_business_numbers_judges_at_once(settled_firm, upgrade_stdnum):
    rederive(settled_firm)
    standing = settled_firm.rows("SELECT * FROM standing_outcome")
    rederive(settled_firm)
    assert settled_firm.rows("SELECT * FROM standing_outcome") == standing
    upgrade_stdnum()
    rederive(settled_firm)
    [judged_anew] = settled_firm.rows("SELECT * FROM standing_outcome")
    assert judged_anew["origin"] != standing[0]["origin"]


def test_everything_that_is_read_for_an_outcome_ends_it_when_it_is_written(settled_firm):
    settled_firm.execute("DELETE FROM standing_outcome")
    read = set()

    def note(action, table, *_):
        if action == sqlite3.SQLITE_READ:
            read.add(table)
        return sqlite3.SQLITE_OK

    settled_firm.database.connection.set_authorizer(note)
    rederive(settled_firm)
    settled_firm.database.connection.set_authorizer(None)
    triggers = {row["name"] for row in settled_firm.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    ours = read - {"standing_outcome", "sqlite_master", "json_each", ""}
    assert "xpm_clients" in ours
    assert triggers == {f"{table}_{event}" for table in ours for event in ("insert", "update", "delete")}


def test_a_typed_value_stays_hour_after_hour(settled_firm):
    by_hand = {
        "legal_name": "Seven",
        "code": "by hand",
        "telephone": "typed",
        "partner": "ann@firm.example",
        "office_code": "MAIN",
        "status": "active",
        "groups": "VIPs",
        "xpm_client_uuid": "c7",
    }
    assert by_hand in settled_firm.clients()
