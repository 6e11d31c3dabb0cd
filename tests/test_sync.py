"""The story of a sync: real HTTP, a real database, and what is left behind when something goes wrong."""

import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.errors import AnotherSyncRunning, ConfigurationError, PermanentError
from xpmsync.rules.issues import CATALOGUE
from xpmsync.sandbox import Practice

DATA_TABLES = ("users", "clients", "client_groups", "client_group_members", "synced_values", "changes", "xpm_clients")


def snapshot(firm):
    """Every row of the firm's data."""
    return {table: firm.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in DATA_TABLES}


def small_practice() -> tuple[Practice, dict[str, str]]:
    """A practice with two staff and three clients, nothing wrong with any of them."""
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    uuids = {
        "ann": ann,
        "bob": bob,
        "first": practice.add_client("First Pty Ltd", client_code="F1", account_manager=ann, groups=["Family"]),
        "second": practice.add_client("Second Trust", client_code="S2", account_manager=ann, job_manager=bob),
        "third": practice.add_client("Third", account_manager=bob),
    }
    return practice, uuids


def test_a_practice_arrives_in_active_and_a_second_run_writes_nothing(make_firm):
    firm = make_firm(Practice.generate(clients=300, staff=12, seed=7))

    first = firm.sync()
    before = snapshot(firm)
    again = firm.sync()

    assert first.clients.created == len(before["clients"]) > 250
    assert first.api_calls == again.api_calls == 3
    assert snapshot(firm) == before
    assert (again.clients.created, again.clients.updated) == (0, 0)
    assert again.clients.unchanged == first.clients.created
    assert (again.users.created, again.users.updated, again.users.unchanged) == (0, 0, first.users.created)
    assert (again.errors, again.warnings) == (first.errors, first.warnings)
    assert {row["times_seen"] for row in firm.rows("SELECT times_seen FROM sync_errors")} == {2}


def test_the_log_says_what_a_run_did_in_counts_alone(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    assert run(["sync"]) == 0
    (line,) = (line for line in firm.home.log_file.read_text().splitlines() if "run 1 succeeded" in line)
    assert re.search(
        r": run 1 succeeded: full, \d+\.\d seconds; users: 2 created, 0 updated, 0 unchanged, 0 skipped; "
        r"clients: 3 created, 0 updated, 0 unchanged, 0 skipped; errors: 0, warnings: 1; calls: 3, bytes: \d+$",
        line,
    )


def test_every_field_of_a_client_arrives(make_firm):
    practice = Practice()
    ann = practice.add_staff("Ann Mary Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    uuid = practice.add_client(
        "  Kōwhai &  Sons Ltd ",
        title="Dr",
        first_name="Hēmi",
        last_name="Kōwhai",
        email="office@example.co.nz",
        phone="09 555 0100",
        fax="09 555 0101",
        address="Level 3\n    Kauri House\n\n    12 Queen Street\n    Rear entrance",
        city="Auckland",
        region="Auckland",
        post_code="1010",
        postal_address="PO Box 7",
        postal_city="Hamilton",
        postal_region="Waikato",
        postal_post_code="3204",
        client_code="KOW01",
        account_manager=ann,
        job_manager=bob,
        business_number="51 824 753 556",
        business_structure="Company",
        groups=["Kōwhai family", "Growers"],
        contacts=[
            {"name": "Old", "salutation": "Sir", "is_primary": "Yes", "is_deleted": "Yes"},
            {"name": "Mere", "salutation": "Mere", "is_primary": "Yes"},
            {"name": "Tama", "salutation": "Tama", "is_primary": "No"},
        ],
    )
    firm = make_firm(practice)
    firm.sync()

    users = {row["email"]: row for row in firm.rows("SELECT * FROM users")}
    assert users["ann@example.com"] == {
        "id": users["ann@example.com"]["id"],
        "first_name": "Ann",
        "last_name": "Mary Lee",
        "email": "ann@example.com",
        "email_key": "ann@example.com",
        "role": None,
        "office_code": None,
        "status": "active",
        "xpm_staff_uuid": ann,
    }
    (client,) = firm.rows("SELECT * FROM clients")
    assert client == {
        "id": client["id"],
        "legal_name": "Kōwhai & Sons Ltd",
        "code": "KOW01",
        "code_key": "kow01",
        "entity_type": "Company",
        "abn": "51824753556",
        "individual_title": "Dr",
        "individual_first_name": "Hēmi",
        "individual_last_name": "Kōwhai",
        "individual_salutation": "Mere",
        "email": "office@example.co.nz",
        "telephone": "09 555 0100",
        "fax": "09 555 0101",
        "residential_address_line_1": "Level 3",
        "residential_address_line_2": "Kauri House",
        "residential_address_line_3": "12 Queen Street, Rear entrance",
        "residential_address_suburb": "Auckland",
        "residential_address_state": "Auckland",
        "residential_address_post_code": "1010",
        "postal_address_line_1": "PO Box 7",
        "postal_address_line_2": None,
        "postal_address_line_3": None,
        "postal_address_suburb": "Hamilton",
        "postal_address_state": "Waikato",
        "postal_address_post_code": "3204",
        "partner_id": users["ann@example.com"]["id"],
        "manager_id": users["bob@example.com"]["id"],
        "office_code": "MAIN",
        "status": "active",
        "xpm_client_uuid": uuid,
    }
    assert firm.rows("SELECT groups FROM client_list") == [{"groups": "Growers; Kōwhai family"}]
    assert firm.rows("SELECT * FROM sync_errors") == []


def test_what_changes_in_xpm_changes_in_active_with_a_row_for_each_field(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    practice.edit_client(uuids["first"], email="new@example.com", groups=["Family", "Friends"])
    practice.edit_client(uuids["second"], job_manager=("", ""))
    practice.archive_client(uuids["third"])
    practice.edit_staff(uuids["bob"], email="robert@example.com", name="Robert Ray")
    practice.rename_group(next(iter(practice.groups)), "The Family")

    summary = firm.sync(full=True)

    changes = firm.rows(
        "SELECT entity, name, action, field, old_value, new_value, actor FROM change_list WHERE run_id = ?",
        summary.run_id,
    )
    expected = [
        ("user", "Robert Ray", "updated", "first_name", "Bob", "Robert"),
        ("user", "Robert Ray", "updated", "email", "bob@example.com", "robert@example.com"),
        ("client", "Third", "status", "status", "active", "archived"),
        ("group", "The Family", "updated", "name", "Family", "The Family"),
        ("group", "Friends", "created", None, None, "Friends"),
        ("client", "First Pty Ltd", "updated", "email", None, "new@example.com"),
        ("client", "First Pty Ltd", "updated", "groups", "The Family", "Friends; The Family"),
        ("client", "Second Trust", "updated", "manager_id", "Robert Ray", None),
    ]
    assert sorted(map(str, (tuple(row.values())[:6] for row in changes))) == sorted(map(str, expected))
    assert {row["actor"] for row in changes} == {"XPM"}
    assert (summary.users.updated, summary.clients.updated) == (1, 3)


def test_an_archived_client_keeps_its_data_and_comes_back(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    (before,) = firm.rows("SELECT * FROM clients WHERE xpm_client_uuid = ?", uuids["first"])
    practice.edit_client(uuids["first"], email="late@example.com")
    practice.delete_client(uuids["first"])
    firm.sync(full=True)

    (deleted,) = firm.rows("SELECT * FROM clients WHERE xpm_client_uuid = ?", uuids["first"])
    assert deleted == {**before, "status": "deleted"}

    practice.restore_client(uuids["first"])
    firm.sync(full=True)
    (restored,) = firm.rows("SELECT * FROM clients WHERE xpm_client_uuid = ?", uuids["first"])
    assert restored == {**before, "email": "late@example.com"}


def test_a_client_created_anew_in_xpm_takes_its_record_over(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    (before,) = firm.rows("SELECT * FROM clients WHERE xpm_client_uuid = ?", uuids["first"])
    fresh = practice.recreate_client(uuids["first"])

    summary = firm.sync()

    (after,) = firm.rows("SELECT * FROM clients WHERE code = 'F1'")
    assert after == {**before, "xpm_client_uuid": fresh}
    linked = firm.rows("SELECT action, old_value, new_value FROM changes WHERE run_id = ?", summary.run_id)
    assert linked == [{"action": "linked", "old_value": uuids["first"], "new_value": fresh}]


def test_two_clients_that_swap_their_codes_and_two_staff_that_swap_their_addresses_are_no_conflict(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    practice.edit_client(uuids["first"], client_code="S2")
    practice.edit_client(uuids["second"], client_code="F1")
    practice.edit_staff(uuids["ann"], email="bob@example.com")
    practice.edit_staff(uuids["bob"], email="ann@example.com")

    summary = firm.sync()

    assert summary.errors == 0
    assert firm.rows("SELECT legal_name, code FROM clients WHERE code IS NOT NULL ORDER BY 1") == [
        {"legal_name": "First Pty Ltd", "code": "S2"},
        {"legal_name": "Second Trust", "code": "F1"},
    ]
    assert firm.rows("SELECT first_name, email FROM users ORDER BY 1") == [
        {"first_name": "Ann", "email": "bob@example.com"},
        {"first_name": "Bob", "email": "ann@example.com"},
    ]


def test_the_administrators_own_values_are_never_touched(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    firm.write("INSERT INTO offices (code, name) VALUES ('WEST', 'West')")
    firm.write("UPDATE users SET role = 'Owner', office_code = 'WEST' WHERE email = 'ann@example.com'")
    firm.write("INSERT INTO user_modules SELECT id, 'Forms' FROM users WHERE email = 'ann@example.com'")
    firm.write("UPDATE clients SET office_code = 'WEST', fax = '02 5550 0000' WHERE code = 'F1'")
    practice.edit_staff(uuids["ann"], name="Anna Lee")
    practice.edit_client(uuids["first"], phone="02 5550 0001")

    firm.sync()

    assert firm.rows("SELECT first_name, role, office_code FROM users WHERE email = 'ann@example.com'") == [
        {"first_name": "Anna", "role": "Owner", "office_code": "WEST"}
    ]
    assert firm.rows("SELECT module FROM user_modules") == [{"module": "Forms"}]
    assert firm.rows("SELECT office_code, fax, telephone FROM clients WHERE code = 'F1'") == [
        {"office_code": "WEST", "fax": "02 5550 0000", "telephone": "02 5550 0001"}
    ]


def test_a_default_partner_takes_the_clients_that_have_none(make_firm):
    practice = Practice()
    practice.add_staff("Ann Lee", "ann@example.com")
    practice.add_client("No Partner Pty Ltd")
    firm = make_firm(practice, default_partner="ann@example.com")

    query = "SELECT code FROM sync_errors WHERE resolved_at IS NULL AND entity = 'client'"
    assert firm.rows(query) == [{"code": "partner-missing"}]
    firm.sync()

    assert firm.rows("SELECT legal_name, partner FROM client_list") == [
        {"legal_name": "No Partner Pty Ltd", "partner": "Ann Lee"}
    ]
    assert firm.rows(query) == []


def test_every_issue_of_the_catalogue_is_provoked_by_a_practice(make_firm):  # noqa: PLR0915 - a line each
    practice = Practice()
    firm = make_firm(practice)
    firm.sync()  # an empty practice: first-list-empty
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    gone = practice.add_staff("Gone Partner", "gone@example.com")
    loser = practice.add_staff("Loses Address", "loser@example.com")
    leaver = practice.add_staff("Lea Ver", "lea@example.com")
    mover = practice.add_staff("Mo Ver", "mo@example.com")
    again = practice.add_staff("Again Entered", "again@example.com")
    practice.add_client("Names a former entry", account_manager=again)
    for code in ("OLD", "ABN"):
        practice.add_client(f"Former {code}", client_code=code, account_manager=ann, business_number="51824753556")
    practice.add_client("Keeps its partner", account_manager=gone, job_manager=gone, title="Dr")
    officeless = practice.add_client("Loses its office", account_manager=ann)
    practice.add_client("Holder", client_code="HELD", account_manager=ann)
    firm.sync(full=True)
    firm.write("UPDATE clients SET xpm_client_uuid = NULL WHERE code = 'ABN'")
    firm.write("INSERT INTO users (id, first_name, last_name, email) VALUES ('u1', 'Hand', 'Made', 'hand@example.com')")

    chosen = "client add --legal-name Chosen --code CHO --partner lea@example.com"
    assert run(["admin", *chosen.split()]) == 0

    practice.add_client("Chosen", client_code="CHO")
    practice.add_staff("", "nameless@example.com")
    practice.add_staff("No Email", "")
    unusable = practice.add_staff("Un Usable", "unusable")
    practice.add_staff("Oneword", "oneword@example.com")
    for name in ("Twin One", "Twin Two"):
        practice.add_staff(name, "twin@example.com")
    practice.edit_staff(mover, email="hand@example.com")
    practice.edit_staff(loser, email="")
    practice.add_staff("Gets Address", "loser@example.com")
    practice.delete_staff(leaver)
    practice.recreate_staff(again)
    practice.add_staff("Successor", "LEA@example.com")
    practice.delete_staff(gone)
    for uuid, client in list(practice.clients.items()):
        if client.name == "Former ABN":
            practice.vanish_client(uuid)
        elif client.name == "Former OLD":
            practice.archive_client(uuid)
        elif client.name == "Keeps its partner":
            practice.edit_client(uuid, title=None)
        elif client.name == "Holder":
            practice.edit_client(uuid, account_manager=None, client_code="NEW")
    practice.add_client("", client_code="NAMELESS", account_manager=ann)
    practice.add_client("Stranger's", account_manager=("99999999-0000-4000-8000-000000000000", "A Stranger"))
    practice.add_client("Unusable's", account_manager=unusable)
    practice.add_client("Twin's", account_manager=next(u for u, s in practice.staff.items() if s.name == "Twin One"))
    practice.add_client("Without a partner")
    practice.add_client("Of an office without an active default partner", client_code="EAST")
    firm.write("INSERT INTO offices SELECT 'EAST', 'East', id FROM users WHERE email = 'gone@example.com'")
    firm.write(
        "INSERT INTO clients (id, legal_name, code, office_code, partner_id) "
        "SELECT 'by-hand', 'Orphan', 'EAST', 'EAST', id FROM users WHERE email = 'ann@example.com'"
    )
    practice.add_client("Odd", account_manager=ann, job_manager=unusable, email="a@b; c@d", business_number="n/a")
    practice.add_client("Wrong digit", account_manager=ann, business_number="51 824 753 557")
    practice.add_client(
        "Two primaries",
        account_manager=ann,
        contacts=[{"name": name, "salutation": name, "is_primary": "Yes"} for name in ("One", "Two")],
    )
    practice.add_client("In a group", account_manager=ann, groups=[practice.add_group("")])
    unknown = practice.add_client("In a group without ID", account_manager=ann)
    practice.clients[unknown].elements["Groups"] = [{"Name": "Farms"}]
    for name in ("Same code", "Same code too"):
        practice.add_client(name, client_code="SAME", account_manager=ann)
    practice.add_client("Successor of OLD", client_code="old", account_manager=ann, business_number="53004085616")
    practice.add_client("Successor of ABN", client_code="ABN", account_manager=ann, business_number="53004085616")
    practice.add_client("Wants HELD", client_code="HELD", account_manager=ann)
    practice.staff[practice.add_staff("Without id", "without.id@example.com")].uuid = ""
    practice.clients[practice.add_client("Without id", account_manager=ann)].uuid = ""
    mail = {"smtp.host": "127.0.0.1", "smtp.from": "sync@example.com", "notify.email": "stranger@example.com"}
    change_config(firm.home, mail)
    firm.write("INSERT INTO offices (code, name) VALUES ('SYD', 'Sydney')")
    firm.write("UPDATE clients SET office_code = 'SYD' WHERE legal_name = 'Loses its office'")
    firm.write("DELETE FROM offices WHERE code = 'SYD'", has_foreign_keys=False)
    practice.edit_client(officeless, account_manager=None)
    firm.write("INSERT INTO user_modules VALUES ('gone', 'Jobs')", has_foreign_keys=False)
    firm.sync(full=True)

    provoked = {row["code"] for row in firm.rows("SELECT DISTINCT code FROM sync_errors")}
    assert provoked == CATALOGUE.keys()
    for row in firm.rows("SELECT * FROM sync_errors"):
        assert "{" not in row["message"] + row["suggestion"]
        assert "None" not in row["message"] + row["suggestion"]


def test_a_partner_chosen_by_hand_stays_while_xpm_names_none_also_after_they_leave(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()

    def admin(line):
        assert run(["admin", *shlex.split(line)]) == 0

    def find_partner():
        (row,) = firm.rows("SELECT users.email FROM clients JOIN users ON users.id = partner_id WHERE code = 'HM1'")
        return row["email"]

    admin("office set MAIN --default-partner ann@example.com")
    admin("client add --legal-name 'By hand' --code HM1 --partner bob@example.com")
    by_hand = practice.add_client("By hand", client_code="HM1")
    assert firm.sync().errors == 0
    assert find_partner() == "bob@example.com"

    practice.edit_client(uuids["third"], account_manager=uuids["ann"])
    practice.edit_client(uuids["second"], job_manager=None)
    practice.delete_staff(uuids["bob"])
    summary = firm.sync()
    assert (summary.errors, find_partner()) == (0, "bob@example.com")
    (warning,) = firm.rows("SELECT * FROM sync_errors WHERE resolved_at IS NULL AND entity = 'user'")
    assert (warning["code"], warning["name"]) == ("chosen-partner-not-active", "Bob Ray")
    assert "chosen by hand as the partner of one client" in warning["message"]
    assert run(shlex.split(re.search(r"xpmsync (admin client list .*?)\. ", warning["suggestion"])[1])) == 0
    admin("client set HM1 --partner ''")
    assert firm.sync().errors == 0
    assert find_partner() == "ann@example.com"
    assert firm.rows("SELECT 1 FROM sync_errors WHERE resolved_at IS NULL AND entity = 'user'") == []

    admin("client set HM1 --partner ann@example.com")
    admin("user add --first-name Cy --last-name Ng --email cy@example.com")
    admin("office set MAIN --default-partner cy@example.com")
    firm.sync()
    assert find_partner() == "ann@example.com"
    practice.edit_client(by_hand, account_manager=uuids["ann"])
    firm.sync()
    practice.edit_client(by_hand, account_manager=None)
    firm.sync()
    assert find_partner() == "cy@example.com"


def test_what_cannot_be_seen_makes_no_second_user_and_no_second_client(make_firm):
    practice = Practice()
    firm = make_firm(practice)
    for line in (
        "user add --first-name René --last-name Roy --email rené@example.com",
        "client add --legal-name Élan --code É1 --partner rené@example.com",
    ):
        assert run(["admin", *line.split()]) == 0
    rene = practice.add_staff("Rene\u0301 Roy\u200b", "\u200brene\u0301@example.com\u200b")
    practice.add_staff("Mai Lto", "mailto:mai@example.com")
    practice.add_staff("Dot End", "dot@example.com.")
    practice.add_staff("\u200b", "invisible@example.com")
    practice.add_client("\u200bE\u0301lan", client_code="e\u03011\u200b", account_manager=rene)
    practice.add_client("\u200b \u3164", first_name="\u2060", account_manager=rene)
    practice.add_client("Odd email", client_code="O1", account_manager=rene, email="mailto:x@example.com")
    firm.sync()

    assert firm.rows("SELECT first_name, last_name, email FROM users") == [
        {"first_name": "René", "last_name": "Roy", "email": "rené@example.com"}
    ]
    assert firm.rows("SELECT legal_name, code FROM clients ORDER BY code") == [
        {"legal_name": "Odd email", "code": "O1"},
        {"legal_name": "Élan", "code": "é1"},
    ]
    codes = [row["code"] for row in firm.rows("SELECT code FROM sync_errors WHERE field IS NOT NULL ORDER BY code")]
    assert codes == ["client-email-unusual", "client-without-name", *["staff-email-unusable"] * 2, "staff-without-name"]


def test_records_that_were_two_and_whose_keys_are_equal_now_both_stay_with_an_error(make_firm):
    practice = Practice()
    composed = practice.add_staff("René Roy", "rene@example.com")
    decomposed = practice.add_staff("Rene Ray", "other@example.com")
    clients = [practice.add_client(code, client_code=code, account_manager=composed) for code in ("C1", "C2")]
    firm = make_firm(practice)
    firm.sync()
    # As a version left them that did not see that they are the same.
    emails, codes = ("rené@example.com", "rene\u0301@example.com"), ("É1", "E\u03011")
    for uuid, email in zip((composed, decomposed), emails, strict=True):
        firm.write("UPDATE users SET email = ?1, email_key = ?1 WHERE xpm_staff_uuid = ?2", email, uuid)
        practice.edit_staff(uuid, email=email)
    for uuid, code in zip(clients, codes, strict=True):
        firm.write("UPDATE clients SET code = ?1, code_key = ?1 WHERE xpm_client_uuid = ?2", code, uuid)
        practice.edit_client(uuid, client_code=code, phone="1")

    summary = firm.sync()
    assert summary.errors == 4
    assert {row["email"] for row in firm.rows("SELECT email FROM users")} == {*emails}
    assert {row["code"] for row in firm.rows("SELECT code FROM clients")} == {*codes}
    assert {
        (row["code"], row["xpm_uuid"]) for row in firm.rows("SELECT * FROM sync_errors WHERE severity = 'error'")
    } == {
        *(("staff-email-shared", uuid) for uuid in (composed, decomposed)),
        *(("client-code-shared", uuid) for uuid in clients),
    }
    assert run(["admin", "client", "set", codes[1], "--fax", "2"]) == 0
    assert firm.rows("SELECT code FROM clients WHERE fax = '2'") == [{"code": codes[1]}]
    assert run(["admin", "user", "deactivate", emails[1]]) == 0
    assert firm.rows("SELECT email FROM users WHERE status = 'deactivated'") == [{"email": emails[1]}]


def test_a_value_typed_by_hand_that_xpm_sends_too_goes_when_xpm_clears_it(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    firm.sync()

    def find_telephone():
        return [row["telephone"] for row in firm.rows("SELECT telephone FROM clients WHERE code = 'T1'")]

    by_hand = "client add --legal-name Typed --code T1 --telephone 1 --partner ann@example.com"
    assert run(["admin", *by_hand.split()]) == 0
    typed = practice.add_client("Typed", client_code="T1", phone="1", account_manager=next(iter(practice.staff)))
    firm.sync()
    assert find_telephone() == ["1"]
    practice.edit_client(typed, phone="")
    firm.sync()
    assert find_telephone() == [None]
    assert run(["admin", "client", "set", "T1", "--telephone", "1"]) == 0
    for _ in range(2):
        firm.sync(full=True)
        assert find_telephone() == ["1"]


@pytest.mark.parametrize(
    ("fault", "error", "exit_code"),
    [
        ("status-error", PermanentError, 7),
        ("malformed-xml", PermanentError, 7),
        ("user-revoked", PermanentError, 7),
    ],
)
def test_a_run_that_fails_leaves_yesterdays_data_whole_and_says_so(make_firm, fault, error, exit_code):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    before = snapshot(firm)
    practice.edit_client(uuids["first"], email="changed@example.com")

    with firm.sandbox.faults.active(fault, path="client.api"), pytest.raises(error) as caught:
        firm.sync()

    assert snapshot(firm) == before
    assert caught.value.meaning.startswith("Active still holds the data of ")
    (run,) = firm.rows("SELECT status, message, exit_code FROM sync_runs WHERE id = 2")
    assert run == {"status": "failed", "message": caught.value.happened, "exit_code": exit_code}
    (issue,) = firm.rows("SELECT * FROM sync_errors WHERE severity = 'error'")
    assert (issue["entity"], issue["severity"], issue["code"]) == ("run", "error", error.code)
    assert not firm.home.spool_file.exists()

    firm.sync()
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "changed@example.com"}]
    assert firm.rows("SELECT 1 FROM sync_errors WHERE resolved_at IS NULL AND severity = 'error'") == []


@pytest.mark.slow
def test_a_second_run_at_the_same_time_ends_with_another_run(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    with firm.sandbox.faults.active("slow", path="client.api", delay_seconds=3):
        first = subprocess.Popen([sys.executable, "-m", "xpmsync", "sync"], stderr=subprocess.PIPE)
        wait_for_run(firm, 1)
        with pytest.raises(AnotherSyncRunning):
            firm.sync()
        assert (first.wait(30), first.stderr.read()) == (0, b"")
        first.stderr.close()
    assert [row["status"] for row in firm.rows("SELECT status FROM sync_runs")] == ["succeeded"]


def wait_for_run(firm, run_id):
    """Until a run in another process has begun."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if firm.rows("SELECT 1 FROM sync_runs WHERE id = ?", run_id):
                return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"run {run_id} never began")


def test_a_run_that_is_killed_is_marked_as_interrupted_by_the_next_and_loses_nothing(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    before = snapshot(firm)
    practice.edit_client(uuids["first"], email="changed@example.com")
    with firm.sandbox.faults.active("slow", path="client.api", delay_seconds=20):
        process = subprocess.Popen([sys.executable, "-m", "xpmsync", "sync"])
        wait_for_run(firm, 2)
        deadline = time.monotonic() + 20
        while not firm.home.spool_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert snapshot(firm) == before
    assert firm.home.spool_file.exists()

    firm.sync()

    assert [row["status"] for row in firm.rows("SELECT status FROM sync_runs ORDER BY id")] == [
        "succeeded",
        "interrupted",
        "succeeded",
    ]
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "changed@example.com"}]
    assert not firm.home.spool_file.exists()


def test_ctrl_c_ends_a_run_with_130_and_says_that_nothing_changed(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    with firm.sandbox.faults.active("slow", path="client.api", delay_seconds=20):
        process = subprocess.Popen([sys.executable, "-m", "xpmsync", "sync"], stderr=subprocess.PIPE)
        wait_for_run(firm, 1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=20)
    assert process.returncode == 130
    assert words.strip() == b"Interrupted. Nothing is half done."
    assert [row["status"] for row in firm.rows("SELECT status FROM sync_runs")] == ["interrupted"]


def test_cron_hears_nothing_on_success_and_one_short_message_on_failure(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)

    def run_as_cron():
        return subprocess.run(
            [sys.executable, "-m", "xpmsync", "sync"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    quiet = run_as_cron()
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    with firm.sandbox.faults.active("user-revoked"):
        loud = run_as_cron()
    assert (loud.returncode, loud.stdout) == (7, "")
    assert "Traceback" not in loud.stderr
    assert "Active still holds the data of" in loud.stderr
    assert len(loud.stderr.splitlines()) <= 5


def test_json_says_what_a_run_did(make_firm, capfd):
    practice, _ = small_practice()
    make_firm(practice)
    assert run(["sync", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["users"] == {"created": 2, "updated": 0, "unchanged": 0, "skipped": 0}
    assert document["clients"] == {"created": 3, "updated": 0, "unchanged": 0, "skipped": 0}
    assert (document["run_id"], document["mode"], document["errors"]) == (1, "full", 0)


def test_strict_makes_errors_in_records_an_exit_code(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    assert run(["sync", "--strict"]) == 0
    firm.practice.add_client("Without a partner")
    assert run(["sync", "--strict"]) == 3
    assert run(["sync"]) == 0


def test_another_practice_than_the_one_the_home_holds_is_refused(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    firm.sync()
    change_config(firm.home, {"sync.tenant_id": "11111111-2222-4333-8444-555555555555"})
    with pytest.raises(ConfigurationError, match="not the one whose data this home holds"):
        firm.sync()


def test_a_line_that_is_cut_half_way_is_fetched_again_from_the_start(make_firm):
    firm = make_firm(Practice.generate(clients=100, staff=12, seed=3))
    with firm.sandbox.faults.active("cut", path="client.api", times=1):
        summary = firm.sync()
    clean = len(firm.rows("SELECT 1 FROM xpm_clients"))
    assert clean == len(firm.practice.clients)
    assert summary.api_calls == 4


def test_the_database_and_everything_beside_it_is_private(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    assert run(["sync"]) == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in firm.home.data_folder.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert firm.home.data_folder.stat().st_mode & 0o777 == 0o700


def test_a_full_preview_that_is_too_long_names_the_command_that_shows_it_all(make_firm, type_ahead, capsys):
    firm = make_firm(Practice.generate(clients=300, staff=12, seed=7))
    firm.sync()
    type_ahead()
    with firm.sandbox.faults.active("empty-list", path="client.api"):
        assert run(["sync", "--full", "--dry-run"]) == 8
    assert "all of them: xpmsync sync --full --dry-run --json" in " ".join(capsys.readouterr().out.split())


def test_a_dry_run_says_what_the_run_after_it_does_and_changes_nothing(make_firm, capfd):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    practice.edit_client(uuids["first"], email="new@example.com", account_manager=uuids["bob"])
    practice.add_client("Fourth", account_manager=uuids["ann"])
    practice.add_client("Nobody's")
    practice.archive_client(uuids["third"])
    before = {name: firm.rows(f"SELECT * FROM {name}") for name in (*DATA_TABLES, "sync_runs", "sync_errors")}

    assert run(["sync", "--dry-run", "--full", "--json"]) == 0

    preview = json.loads(capfd.readouterr().out)
    assert {name: firm.rows(f"SELECT * FROM {name}") for name in before} == before
    assert preview["changes"] == [
        {
            "entity": "client",
            "name": "First Pty Ltd",
            "action": "updated",
            "field": "email",
            "old_value": None,
            "new_value": "new@example.com",
        },
        {
            "entity": "client",
            "name": "First Pty Ltd",
            "action": "updated",
            "field": "partner_id",
            "old_value": "Ann Lee",
            "new_value": "Bob Ray",
        },
        {
            "entity": "client",
            "name": "Fourth",
            "action": "created",
            "field": None,
            "old_value": None,
            "new_value": "Fourth",
        },
        {
            "entity": "client",
            "name": "Third",
            "action": "status",
            "field": "status",
            "old_value": "active",
            "new_value": "archived",
        },
    ]
    issues = [(each["code"], each["name"]) for each in preview["problems"]]
    assert issues == [("partner-missing", "Nobody's"), ("elements-never-sent", None)]
    summary = firm.sync(full=True)
    assert (summary.clients.created, summary.clients.updated, summary.clients.skipped) == (1, 2, 1)
    assert preview["clients"] == {"created": 1, "updated": 2, "unchanged": 1, "skipped": 1}


def test_a_dry_run_before_the_first_run_leaves_no_database_changed(make_firm, capfd):
    practice, _ = small_practice()
    firm = make_firm(practice)
    assert run(["sync", "--dry-run"]) == 0
    assert "This is what a run would do. Nothing was changed." in capfd.readouterr().out
    assert firm.rows("SELECT * FROM users") == firm.rows("SELECT * FROM sync_runs") == []


def test_a_dry_run_shows_the_plan_that_the_guard_would_stop_and_ends_with_8(make_firm, capfd):
    firm = make_firm(Practice.generate(clients=300, staff=12, seed=7))
    firm.sync()
    with firm.sandbox.faults.active("thin-list", path="client.api", keep=200):
        assert run(["sync", "--dry-run", "--full"]) == 8
    shown = capfd.readouterr()
    assert "removed" in shown.out
    assert re.search(r"clients are missing\. Among the \d+: [^;]+; [^;]+; [^;]+; …", " ".join(shown.err.split()))
    assert "If XPM is correct, run: xpmsync sync --full." in shown.err
    assert firm.rows("SELECT count(*) AS runs FROM sync_runs") == [{"runs": 1}]


def test_a_disk_that_is_full_ends_the_run_with_9_and_leaves_the_data_whole(make_firm):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    before = snapshot(firm)
    for number in range(60):
        practice.add_client(f"Client {number}", account_manager=uuids["ann"])
    size = max(path.stat().st_size for path in firm.home.data_folder.glob("active.db*"))
    process = subprocess.run(
        ["/bin/sh", "-c", f'ulimit -f {size // 512 // 2}; exec "$0" -m xpmsync sync --full', sys.executable],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 9
    assert "Traceback" not in process.stderr
    assert snapshot(firm) == before
    firm.sync(full=True)
    assert len(firm.rows("SELECT 1 FROM clients")) == 63


def test_a_dry_run_with_a_migration_pending_works_on_a_copy(make_firm, capfd):
    practice, uuids = small_practice()
    firm = make_firm(practice)
    firm.sync()
    practice.edit_client(uuids["first"], email="new@example.com")
    for view in ("open_errors", "open_causes", "error_list", "run_list", "change_list"):
        firm.write(f"DROP VIEW {view}")
    for column in ("cause", "remedy"):
        firm.write(f"ALTER TABLE sync_errors DROP COLUMN {column}")
    firm.write("DELETE FROM _sqlite_migrations WHERE name IN ('tell_of_causes', 'renew_views')")
    firm.write("PRAGMA user_version = 4")
    capfd.readouterr()

    assert run(["sync", "--dry-run", "--json"]) == 0

    (change,) = json.loads(capfd.readouterr().out)["changes"]
    assert (change["name"], change["new_value"]) == ("First Pty Ltd", "new@example.com")
    assert firm.rows("SELECT name FROM sqlite_master WHERE name = 'open_causes'") == []
    assert not list(firm.home.data_folder.glob("rehearsal*"))
    firm.sync()
    assert len(firm.rows("SELECT name FROM sqlite_master WHERE name = 'open_causes'")) == 1


def test_a_dry_run_without_a_database_makes_none(make_firm, capfd):
    practice, _ = small_practice()
    firm = make_firm(practice)
    for path in firm.home.data_folder.glob("active.db*"):
        path.unlink()
    change_config(firm.home, {"sync.default_office_code": None})
    assert run(["sync", "--dry-run"]) == 5
    assert "The settings have no sync.default_office_code yet" in capfd.readouterr().err
    assert not firm.home.database_file.exists()


def test_what_killed_commands_left_goes_with_the_next_run(make_firm):
    practice, _ = small_practice()
    firm = make_firm(practice)
    draft = firm.home.config_folder / ".config.toml.draft"
    draft.write_text("[sync")
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        copy = firm.home.data_folder / f"rehearsal-{killed.pid}-abc" / "active.db"
    copy.parent.mkdir(mode=0o700)
    copy.write_bytes(b"the firm's clients")
    firm.sync()
    assert not copy.parent.exists()
    assert not draft.exists()
