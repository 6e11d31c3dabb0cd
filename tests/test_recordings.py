"""The answers recorded from a real practice, served over HTTP, pass through the real program."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import HostileServer

from xpmsync.config import change_config
from xpmsync.errors import PermanentError, TransientError
from xpmsync.rules.fields import CLIENT_FIELDS
from xpmsync.system.clock import Clock

RECORDINGS = Path(__file__).parent / "recordings"

# No recording of the group list exists; this is its form in Xero's documentation.
GROUP_LIST = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/xml; charset=utf-8\r\nconnection: close\r\n\r\n"
    b'<Response api-method="List"><Status>OK</Status><Groups><Group>'
    b"<UUID>6b92c360-462b-47f0-83e3-0e49553fafa3</UUID><Name>Test Group</Name><Taxable>No</Taxable>"
    b"</Group></Groups></Response>"
)


def recorded(name: str) -> bytes:
    """A recorded answer, byte for byte, with every line of its head ended as HTTP asks for."""
    head, body = (RECORDINGS / f"{name}.http").read_bytes().replace(b"\r\n", b"\n").split(b"\n\n", 1)
    return head.replace(b"\n", b"\r\n") + b"\r\nconnection: close\r\n\r\n" + body


@pytest.fixture
def recordings() -> Iterator[HostileServer]:
    answers = {
        "staff.api/list": recorded("staff-list"),
        "clientgroup.api/list": GROUP_LIST,
        "client.api/list": recorded("client-list-detailed"),
    }
    with HostileServer(answers) as server:
        yield server


@pytest.fixture
def firm(make_firm, recordings):
    firm = make_firm()
    change_config(firm.home, {"xero.api_url": recordings.url})
    return firm


STAFF = [
    ("00006112-81f8-4b9e-ab2f-efdea24426e1", "Test", None, "person9@example.com"),
    ("0ca762d5-cdef-4db3-9a13-e1188e521f9b", "Noel", "Darcy", "person5@example.com"),
    ("29cda9dc-53b5-4641-bb5f-a44fd6d1240b", "Eli", "Marsh", "person2@example.com"),
    ("4ed44d2d-3fbb-48fd-8618-e4ebab475855", "Noel", "Darcy", "person4@example.com"),
    ("6d15e37b-7955-4e3c-b893-9227500599bd", "Dana", "Testing", "person1@example.com"),
    ("73ba44b9-f8d0-426a-8509-b89776d70fb7", "Some", "User", "person8@example.com"),
    ("b58b9b8c-ce69-47b9-876e-40275c9beacf", "test", None, "person10@example.com"),
    ("db435764-0b89-4f58-9a11-5e55e0c6c0aa", "Jodie", "Palmer", "person3@example.com"),
    ("dbb689e9-11c6-4557-8b3c-1cc8ea4138bd", "Paula", "Frost", "person6@example.com"),
    ("dd80137f-97a7-444c-9c04-ccd42a824d1c", "Petra", "Ingham", "person7@example.com"),
]

NOTHING_SET = dict.fromkeys(field.column for field in CLIENT_FIELDS if field.column != "groups") | {
    "office_code": "MAIN",
    "status": "active",
}

# What differs from a client of whom XPM says nothing but the name.
CLIENTS = {
    "80ab2112-76dd-4d84-85a4-22259a9f0c2d": {"legal_name": "ABC Co"},
    "b61dbf74-52c9-4731-a276-4cb0fa9f927a": {"legal_name": "Ledger House 101"},
    "5a97a3a1-b0de-4c49-82b5-e75e1ebc0350": {"legal_name": "Acmer Pty Ltd"},
    "f6d511d1-0914-4429-9b76-fceaba2004b2": {"legal_name": "Acmer Pty Ltd"},
    "62755ef4-83ca-4322-b00f-e8d2c2e9e10d": {"legal_name": "Client without contact"},
    "efd8db1c-b878-424e-aa3b-610b05c5f062": {
        "legal_name": "Una Example Client",
        "email": "person15@example.com",
        "residential_address_line_1": "123 Main Street",
        "residential_address_suburb": "Sydney",
        "residential_address_state": "New South Wales",
        "residential_address_post_code": "2041",
        "postal_address_line_1": "123 Postal",
    },
    "1e4b0441-09cb-410d-9861-92a3d6d41a65": {
        "legal_name": "Harbour Advisory - XPM Product & Development Testing Account"
    },
    "0ca5befb-dbb5-4015-b2be-61baa66191f7": {
        "legal_name": "Sky Ranger",
        "email": "person19@example.com",
        "telephone": "12345678",
        "residential_address_line_1": "123 Gotham Street",
        "residential_address_suburb": "Sydney",
        "residential_address_state": "New South Wales",
        "residential_address_post_code": "2041",
    },
    "bd766235-24f6-44b3-8d72-8a5cb280ef81": {"legal_name": "Sky Ranger", "email": "person23@example.com"},
    "f2ce0dc2-2e91-42b6-921d-b0f02dd4de11": {"legal_name": "Sky Ranger", "email": "person24@example.com"},
    "08a5f012-856c-45ad-85af-00d87845efdc": {
        "legal_name": "Test Client",
        "telephone": "0412341234",
        "fax": "02 1234 1234",
        "residential_address_line_1": "123 Fake Street",
        "postal_address_line_1": "123",
        "postal_address_suburb": "123",
        "postal_address_state": "123",
        "postal_address_post_code": "123",
    },
    "873810dc-3d09-4163-bf24-66816b4586ec": {"legal_name": "Updated2 Person Name"},
}


def test_the_recorded_staff_become_users_and_clients_without_a_partner_become_errors(firm):
    summary = firm.sync()

    users = firm.rows("SELECT * FROM users ORDER BY xpm_staff_uuid")
    assert [(u["xpm_staff_uuid"], u["first_name"], u["last_name"], u["email"]) for u in users] == STAFF
    assert {(u["role"], u["office_code"], u["status"]) for u in users} == {(None, None, "active")}
    assert firm.rows("SELECT * FROM clients") == []
    assert (summary.users.created, summary.clients.created, summary.clients.skipped) == (10, 0, 12)
    *errors, absent = firm.rows(
        "SELECT code, severity, entity, xpm_uuid, name, field, message FROM sync_errors ORDER BY id"
    )
    assert absent["message"] == (
        "XPM sends none of these elements: "
        "AccountManager, BusinessStructure, ClientCode, FirstName, JobManager, LastName, Title of clients."
    )
    assert errors == [
        {
            "code": "staff-name-one-word",
            "severity": "warning",
            "entity": "user",
            "xpm_uuid": uuid,
            "name": name,
            "field": "name",
            "message": "The name in XPM is one word: it is taken as the first name, and the last name is left empty.",
        }
        for uuid, name in (
            ("00006112-81f8-4b9e-ab2f-efdea24426e1", "Test"),
            ("b58b9b8c-ce69-47b9-876e-40275c9beacf", "test"),
        )
    ] + [
        {
            "code": "partner-missing",
            "severity": "error",
            "entity": "client",
            "xpm_uuid": uuid,
            "name": values["legal_name"],
            "field": "partner_id",
            "message": "This client has no partner in XPM, and the office MAIN has no default partner.",
        }
        for uuid, values in sorted(CLIENTS.items())
    ]


def test_the_recorded_clients_arrive_whole_once_the_office_has_a_default_partner(firm):
    firm.sync()
    firm.write("UPDATE offices SET default_partner_id = (SELECT id FROM users WHERE email = 'person1@example.com')")
    summary = firm.sync()

    partner = firm.rows("SELECT id FROM users WHERE email = 'person1@example.com'")[0]["id"]
    clients = firm.rows("SELECT * FROM clients ORDER BY legal_name, xpm_client_uuid")
    told = {row.pop("xpm_client_uuid"): row for row in clients}
    for row in told.values():
        assert len(row.pop("id")) == 36
        assert row.pop("code_key") is None
    assert told == {uuid: {**NOTHING_SET, "partner_id": partner, **values} for uuid, values in CLIENTS.items()}
    assert (summary.clients.created, summary.clients.skipped, summary.errors, summary.warnings) == (12, 0, 0, 3)
    assert firm.rows("SELECT name, xpm_group_uuid FROM client_groups") == [
        {"name": "Test Group", "xpm_group_uuid": "6b92c360-462b-47f0-83e3-0e49553fafa3"}
    ]
    members = firm.rows("SELECT legal_name FROM client_group_members JOIN clients ON client_id = clients.id ORDER BY 1")
    assert [row["legal_name"] for row in members] == [
        "Harbour Advisory - XPM Product & Development Testing Account",
        "Una Example Client",
    ]
    assert firm.rows("SELECT code FROM sync_errors WHERE resolved_at IS NULL ORDER BY id") == [
        {"code": "staff-name-one-word"},
        {"code": "staff-name-one-word"},
        {"code": "elements-never-sent"},
    ]


def test_what_the_recordings_hold_of_tax_and_contacts_is_kept_nowhere(firm):
    firm.sync()

    kept = b"".join(path.read_bytes() for path in firm.home.data_folder.iterdir() if path.is_file())
    assert b"person9@example.com" in kept
    assert b"person16@example.com" not in kept  # a contact's own address
    assert b"TaxNumber" not in kept


@pytest.mark.parametrize("recording", ["staff-list-wrong-tenant", "staff-list-token-expired"])
def test_a_recorded_refusal_stops_the_run_and_changes_nothing(firm, recordings, recording):
    firm.sync()
    before = firm.rows("SELECT * FROM users"), firm.rows("SELECT * FROM changes")
    recordings.answers["staff.api/list"] = recorded(recording)

    with pytest.raises(PermanentError, match="Xero"):
        firm.sync()

    assert (firm.rows("SELECT * FROM users"), firm.rows("SELECT * FROM changes")) == before
    run = firm.rows("SELECT status, exit_code FROM sync_runs ORDER BY id DESC LIMIT 1")
    assert run == [{"status": "failed", "exit_code": 7}]


def test_the_recorded_minute_limit_is_waited_for_as_long_as_xero_asks(firm, recordings):
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        recordings.answers["staff.api/list"] = recorded("staff-list")

    recordings.answers["staff.api/list"] = recorded("staff-list-minute-limit")
    summary = firm.sync(clock=Clock(sleep=sleep))

    assert waits == [22.0]
    assert summary.users.created == 10


def test_a_minute_limit_that_never_ends_is_passing_trouble(firm, recordings):
    waits = []
    recordings.answers["staff.api/list"] = recorded("staff-list-minute-limit")

    with pytest.raises(TransientError):
        firm.sync(clock=Clock(sleep=waits.append))

    assert len(waits) > 1
    assert min(waits) == 22.0
    assert firm.rows("SELECT status, exit_code FROM sync_runs") == [{"status": "failed", "exit_code": 6}]
