"""Two users who are one person are merged, and the next sync agrees."""

import json

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config, read_config
from xpmsync.sandbox import Practice

NAMES = "SELECT first_name || ' ' || last_name || ' ' || email AS name FROM users ORDER BY email"
HELD = (
    "SELECT legal_name, partner.email AS partner, manager.email AS manager FROM clients "
    "JOIN users AS partner ON partner.id = partner_id LEFT JOIN users AS manager ON manager.id = manager_id "
    "ORDER BY legal_name"
)


@pytest.fixture
def firm(make_firm):
    """Ann, who is on the staff, was set up by hand under her own address before the first sync made her a user."""
    practice = Practice()
    ann = practice.add_staff("Anna Lee", "anna@firm.example")
    bob = practice.add_staff("Bob Low", "bob@firm.example")
    practice.add_client("Acme", client_code="AC", account_manager=ann, job_manager=ann)
    practice.add_client("Beta", client_code="BE", account_manager=bob, job_manager=ann)
    practice.add_client("Orphan", client_code="OR")
    firm = make_firm(practice)
    admin("user add ann@home.example --first-name Ann --last-name Lee")
    admin("office set MAIN --default-partner ann@home.example")
    admin("client add --legal-name Typed --code TY --partner ann@home.example")
    firm.sync()
    assert list_held(firm) == [
        ("Acme", "anna@firm.example", "anna@firm.example"),
        ("Beta", "bob@firm.example", "anna@firm.example"),
        ("Orphan", "ann@home.example", None),
        ("Typed", "ann@home.example", None),
    ]
    return firm


def admin(line, *, exit_code=0):
    assert run(["admin", *line.split()]) == exit_code


def list_held(firm):
    return [tuple(row.values()) for row in firm.rows(HELD)]


def dump(firm):
    tables = ("offices", "users", "user_modules", "clients", "synced_values", "changes")
    return {table: firm.rows(f"SELECT * FROM {table}") for table in tables}


@pytest.fixture
def show(capsys):
    """Types a command; gives the lines that it prints, trimmed."""

    def show(line):
        capsys.readouterr()
        assert run(line.split()) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert all(len(line) <= 80 for line in out.splitlines())
        return [line.rstrip() for line in out.splitlines() if line.strip()]

    return show


def assert_all_is_anna(firm):
    assert [row["name"] for row in firm.rows(NAMES)] == ["Anna Lee anna@firm.example", "Bob Low bob@firm.example"]
    assert list_held(firm) == [
        ("Acme", "anna@firm.example", "anna@firm.example"),
        ("Beta", "bob@firm.example", "anna@firm.example"),
        ("Orphan", "anna@firm.example", None),
        ("Typed", "anna@firm.example", None),
    ]
    assert firm.rows("SELECT 1 FROM offices JOIN users ON users.id = default_partner_id") == [{"1": 1}]


def test_the_synced_user_is_merged_into_the_one_set_up_by_hand(firm, show):
    admin("user set anna@firm.example --role Owner --office MAIN --module Tax")
    change_config(firm.home, {"notify.email": "anna@firm.example"})
    by_hand, synced = (
        firm.rows("SELECT id FROM users WHERE email = ?", email)[0]["id"]
        for email in ("ann@home.example", "anna@firm.example")
    )
    assert show("admin user merge anna@firm.example --into ann@home.example --yes") == [
        "Anna Lee (anna@firm.example) is removed, and Ann Lee (ann@home.example) stays.",
        "The one who stays takes over:",
        "  As partner           1 client",
        "  As manager           2 clients",
        "  Role                 Owner",
        "  Office               MAIN",
        "  Modules              Tax",
        "  Link with XPM        Anna Lee",
        "  Notified of trouble  at anna@firm.example",
        "At the next sync (xpmsync sync), the user gets the name and address from XPM:",
        "Anna Lee, anna@firm.example.",
        "Anna Lee (anna@firm.example) is merged into Ann Lee (ann@home.example).",
    ]
    assert read_config(firm.home).notify.email == "anna@firm.example"
    (last_id,) = firm.rows("SELECT max(id) AS id FROM changes")
    summary = firm.sync(full=True)
    assert summary.errors == 0
    assert (summary.users.created, summary.users.updated, summary.clients.updated) == (0, 1, 0)
    assert firm.rows("SELECT entity_id, field, new_value FROM changes WHERE id > ?", last_id["id"]) == [
        {"entity_id": by_hand, "field": "first_name", "new_value": "Anna"},
        {"entity_id": by_hand, "field": "email", "new_value": "anna@firm.example"},
    ]
    assert_all_is_anna(firm)
    (user,) = firm.rows("SELECT * FROM users WHERE id = ?", by_hand)
    assert (user["role"], user["office_code"], user["status"]) == ("Owner", "MAIN", "active")
    assert firm.rows("SELECT * FROM user_modules") == [{"user_id": by_hand, "module": "Tax"}]
    assert firm.rows("SELECT 1 FROM synced_values WHERE record_id = ? OR written LIKE ?", synced, f"%{synced}%") == []
    before = dump(firm)
    firm.sync(full=True)
    assert dump(firm) == before


def test_the_user_set_up_by_hand_is_merged_into_the_synced_one(firm, show):
    change_config(firm.home, {"notify.email": "ann@home.example"})
    lines = show("admin user merge ann@home.example --into anna@firm.example --yes")
    assert lines == [
        "Ann Lee (ann@home.example) is removed, and Anna Lee (anna@firm.example) stays.",
        "The one who stays takes over:",
        "  As partner           2 clients",
        "  As default partner   Main Office (MAIN)",
        "  Notified of trouble  at anna@firm.example",
        "Ann Lee (ann@home.example) is merged into Anna Lee (anna@firm.example).",
    ]
    assert read_config(firm.home).notify.email == "anna@firm.example"
    before = dump(firm)
    summary = firm.sync(full=True)
    assert summary.errors == 0
    assert dump(firm) == before
    assert_all_is_anna(firm)


def test_what_a_sync_wrote_is_still_cleared_by_a_sync(firm):
    admin("user merge anna@firm.example --into ann@home.example --yes")
    (acme,) = (uuid for uuid, client in firm.practice.clients.items() if client.name == "Acme")
    firm.practice.edit_client(acme, job_manager=None)
    firm.sync(full=True)
    assert list_held(firm)[0] == ("Acme", "anna@firm.example", None)


def test_the_history_still_tells_of_the_user_who_is_no_more(firm, show):
    (synced,) = firm.rows("SELECT id FROM users WHERE email = 'anna@firm.example'")
    admin("user merge anna@firm.example --into ann@home.example --yes")
    firm.sync()
    lines = show("history")
    assert "  User Anna Lee" in lines
    assert "    Merged into    Anna Lee → Anna Lee" in lines
    assert "    Took over from  not set → Anna Lee" in lines
    assert not [line for line in lines if synced["id"] in line]
    rows = json.loads("".join(show(f"history --json {synced['id']}")))
    assert [row["field"] for row in rows] == ["merged_into", "xpm_staff_uuid", None]
    # Their past can be erased like anybody's.
    show(f"admin history erase {synced['id'][:8]} --yes")
    assert [row["field"] for row in firm.rows("SELECT field FROM changes WHERE entity_id = ?", synced["id"])] == [
        "history"
    ]
    show("history")


def test_two_whom_xpm_lists_are_two_people(firm, capsys):
    before = dump(firm)
    admin("user merge bob@firm.example --into anna@firm.example --yes", exit_code=2)
    assert capsys.readouterr().err.splitlines() == [
        "XPM lists them as two people: Bob Low (bob@firm.example) and Anna Lee (anna@firm.example).",
        "If they are one person, take one of the two off the staff list in XPM, and run: xpmsync sync",
    ]
    admin("user merge bob@firm.example --into BOB@firm.example --yes", exit_code=2)
    assert "Both addresses are those of Bob Low" in capsys.readouterr().err
    assert dump(firm) == before


def test_a_merge_is_asked_for(firm, capsys, type_ahead):
    before = dump(firm)
    merge = "user merge ann@home.example --into anna@firm.example"
    admin(merge, exit_code=2)
    assert "nobody is here to be asked: say --yes" in capsys.readouterr().err
    type_ahead("n")
    admin(merge)
    assert dump(firm) == before
    type_ahead("y")
    admin(merge)
    assert_all_is_anna(firm)


def test_one_who_came_back_under_another_name_and_address_stays_with_what_they_had(firm, show):
    """The former entry is off the staff list; the new one became a user of their own."""
    (former,) = [member for member in firm.practice.staff.values() if member.name == "Anna Lee"]
    admin("user set anna@firm.example --role Owner")
    firm.practice.delete_staff(former.uuid)
    firm.practice.add_staff("Anna Marsh", "marsh@firm.example")
    firm.sync(full=True)
    lines = show("admin user merge marsh@firm.example --into anna@firm.example --yes")
    start = lines.index("The one who stays takes over:") + 1
    assert lines[start : start + 6] == [
        "  Link with XPM  Anna Marsh",
        "At the next sync (xpmsync sync), the user gets the name and address from XPM:",
        "Anna Marsh, marsh@firm.example.",
        "The user is active again then.",
        "XPM still names the former entry of Anna Lee as the partner of 1 client: choose",
        "another partner there, or they become errors.",
    ]
    firm.sync(full=True)
    (user,) = firm.rows("SELECT * FROM users WHERE email = 'marsh@firm.example'")
    assert (user["last_name"], user["role"], user["status"]) == ("Marsh", "Owner", "active")
    assert [row["code"] for row in firm.rows("SELECT code FROM open_errors WHERE severity = 'error'")] == [
        "partner-not-listed"
    ]


def test_a_user_who_is_switched_off_takes_over_no_office(firm, capsys):
    admin("user add --first-name Zoe --last-name Old --email zoe@firm.example")
    admin("user deactivate zoe@firm.example")
    before = dump(firm)
    capsys.readouterr()
    admin("user merge ann@home.example --into zoe@firm.example --yes", exit_code=2)
    assert "the user's status is “deactivated”" in capsys.readouterr().err
    assert dump(firm) == before
    admin("user activate zoe@firm.example")
    admin("user merge ann@home.example --into zoe@firm.example --yes")
