"""Judged every hour, written only where something differs."""

import pytest

from xpmsync.derive import derive

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
    assert derivation.changes == []
    assert (derivation.users.created, derivation.users.updated) == (0, 0)
    assert (derivation.clients.created, derivation.clients.updated) == (0, 0)


def test_a_second_derivation_touches_no_row_at_all(settled_firm):
    connection = settled_firm.database.connection
    before = connection.total_changes
    with settled_firm.database.transaction():
        derive(settled_firm.database, "MAIN")
    assert connection.total_changes == before


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
