"""Whose client it is, and whose work: through the real program, from Xero's answers to the error log."""

import pytest

from xpmsync.cli import run
from xpmsync.sandbox import Practice


@pytest.fixture
def practice():
    return Practice()


@pytest.fixture
def firm(make_firm, practice):
    return make_firm(practice)


def issues(firm):
    """The open ones of records: code and name."""
    rows = firm.rows("SELECT code, name FROM open_errors WHERE entity <> 'run' ORDER BY code, name")
    return [(row["code"], row["name"]) for row in rows]


def clients(firm):
    """Name, partner and manager of each."""
    rows = firm.rows("SELECT legal_name, partner, manager FROM client_list ORDER BY legal_name")
    return [tuple(filter(None, row.values())) for row in rows]


def find(practice, name):
    """The UUID of a client."""
    return next(uuid for uuid, client in practice.clients.items() if client.name == name)


@pytest.mark.parametrize("has_left", [False, True])
def test_the_client_of_a_newcomer_with_the_address_of_a_linked_user_is_an_error(firm, practice, has_left):
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    practice.add_staff("Cy Fox", "cy@example.com")
    firm.sync()
    if has_left:
        practice.delete_staff(ann)
    newcomer = practice.add_staff("Newt Comer", "ann@example.com")
    practice.add_client("Newcomer's Ltd", account_manager=newcomer)
    firm.sync()
    assert clients(firm) == []
    rejection = "staff-email-held-by-former-user" if has_left else "staff-email-shared"
    assert issues(firm) == [("partner-not-in-active", "Newcomer's Ltd"), (rejection, "Newt Comer")]


def test_clients_keep_a_job_manager_who_leaves_with_one_warning_on_the_user(firm, practice):
    ann, bob = practice.add_staff("Ann Lee", "ann@example.com"), practice.add_staff("Bob Ray", "bob@example.com")
    for name in ("Acme", "Beta"):
        practice.add_client(name, account_manager=ann, job_manager=bob)
    firm.sync()
    practice.delete_staff(bob)
    firm.sync(full=True)
    assert clients(firm) == [("Acme", "Ann Lee", "Bob Ray"), ("Beta", "Ann Lee", "Bob Ray")]
    assert firm.rows("SELECT severity, name, message FROM open_errors WHERE code = 'manager-no-longer-listed'") == [
        {
            "severity": "warning",
            "name": "Bob Ray",
            "message": "XPM no longer lists this staff member but still names them as the job manager of 2 clients.",
        }
    ]


def test_a_default_partner_who_has_left_keeps_their_clients_and_is_given_no_others(firm, practice):
    bob, cy = practice.add_staff("Bob Ray", "bob@example.com"), practice.add_staff("Cy Fox", "cy@example.com")
    practice.add_client("Bob's by default", client_code="B")
    practice.add_client("Cy's", client_code="C", account_manager=cy)
    firm.sync()
    assert run(["admin", "office", "set", "MAIN", "--default-partner", "bob@example.com"]) == 0
    firm.sync()

    practice.delete_staff(bob)
    practice.add_client("Newcomer")
    practice.edit_client(find(practice, "Bob's by default"), phone="1")
    practice.edit_client(find(practice, "Cy's"), account_manager=None, phone="2")
    firm.sync()
    assert clients(firm) == [("Bob's by default", "Bob Ray"), ("Cy's", "Cy Fox")]
    assert firm.rows("SELECT telephone FROM client_list ORDER BY legal_name") == [
        {"telephone": "1"},
        {"telephone": None},
    ]
    assert issues(firm) == [
        ("default-partner-not-active", "Main Office"),
        ("no-active-default-partner", "Cy's"),
        ("no-active-default-partner", "Newcomer"),
    ]
    assert firm.rows("SELECT DISTINCT severity, entity, message FROM open_errors WHERE entity <> 'run' ORDER BY 1") == [
        {
            "severity": "error",
            "entity": "client",
            "message": "This client has no partner in XPM, and the default partner of the office MAIN is not an active "
            "user.",
        },
        {
            "severity": "warning",
            "entity": "office",
            "message": "The default partner of the office MAIN, Bob Ray (bob@example.com), is not an active user.",
        },
    ]

    assert run(["admin", "office", "set", "MAIN", "--default-partner", "cy@example.com", "--yes"]) == 0
    firm.sync()
    assert clients(firm) == [("Bob's by default", "Cy Fox"), ("Cy's", "Cy Fox"), ("Newcomer", "Cy Fox")]
    assert issues(firm) == []


def test_clients_follow_a_partner_whose_staff_entry_was_created_again(firm, practice):
    practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    practice.add_client("Bob's", account_manager=bob, job_manager=bob, phone="1")
    practice.add_client("Bob's too", account_manager=bob)
    firm.sync()

    fresh = practice.recreate_staff(bob)
    practice.edit_client(find(practice, "Bob's"), phone="2")
    practice.add_client("New", account_manager=bob)
    firm.sync()
    assert clients(firm) == [("Bob's", "Bob Ray", "Bob Ray"), ("Bob's too", "Bob Ray"), ("New", "Bob Ray")]
    assert firm.rows("SELECT telephone FROM client_list WHERE legal_name = 'Bob''s'") == [{"telephone": "2"}]
    assert issues(firm) == [("former-entry-still-named", "Bob Ray")]

    for client in practice.clients:
        practice.edit_client(client, account_manager=fresh, job_manager=None)
    firm.sync()
    assert issues(firm) == []

    # Once more, and the first entry comes back as another person.
    practice.recreate_staff(fresh)
    practice.staff[bob].deleted = False
    practice.edit_staff(bob, name="Bo Tree", email="bo@example.com")
    practice.edit_client(find(practice, "New"), account_manager=bob)
    firm.sync()
    assert clients(firm) == [("Bob's", "Bob Ray"), ("Bob's too", "Bob Ray"), ("New", "Bo Tree")]
    assert issues(firm) == [("former-entry-still-named", "Bob Ray")]


@pytest.mark.parametrize("is_linked_by_hand", [False, True])
def test_the_same_address_alone_or_a_link_made_by_hand_leads_no_clients_to_a_user(firm, practice, is_linked_by_hand):
    practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    practice.add_client("Bob's", account_manager=bob)
    firm.sync()
    fresh = practice.recreate_staff(bob)
    practice.edit_staff(fresh, name="Rob Ray")
    firm.sync()
    assert issues(firm) == [("partner-no-longer-listed", "Bob Ray"), ("staff-email-held-by-former-user", "Rob Ray")]
    if is_linked_by_hand:
        assert run(["admin", "user", "link", "bob@example.com", "--xpm-staff", fresh]) == 0
        firm.sync()
        assert issues(firm) == [("partner-not-listed", "Bob's")]


def test_an_entry_that_was_created_again_before_the_first_sync_is_linked_by_the_command_of_the_error(firm, practice):
    practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    practice.add_client("Bob's", account_manager=bob)
    practice.recreate_staff(bob)
    firm.sync()
    assert issues(firm) == [("partner-not-listed", "Bob's")]
    (error,) = firm.rows("SELECT suggestion FROM open_errors WHERE code = 'partner-not-listed'")
    assert error["suggestion"].endswith(f"xpmsync admin user link EMAIL --xpm-staff {bob} --also")
    assert run(["admin", "user", "link", "bob@example.com", "--xpm-staff", bob, "--also"]) == 0
    firm.sync()
    assert clients(firm) == [("Bob's", "Bob Ray")]
    assert issues(firm) == [("former-entry-still-named", "Bob Ray")]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_staff_member_gets_the_address_of_a_former_user_and_nothing_else_of_theirs(firm, practice, is_new):
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    firm.sync()
    assert run(["admin", "user", "set", "ann@example.com", "--role", "Owner"]) == 0
    practice.delete_staff(ann)
    if is_new:
        practice.add_staff("Cy Fox", "ann@example.com")
    else:
        practice.edit_staff(bob, email="ann@example.com")
    firm.sync()
    (error,) = firm.rows("SELECT name, suggestion FROM open_errors WHERE severity = 'error'")
    assert "xpmsync admin user set ann@example.com --email NEW" in error["suggestion"]
    assert run(["admin", "user", "set", "ann@example.com", "--email", "former@example.com"]) == 0
    firm.sync()
    assert issues(firm) == []
    assert firm.rows("SELECT name, email, role, status FROM user_list WHERE email <> 'bob@example.com'") == [
        {"name": "Ann Lee", "email": "former@example.com", "role": "Owner", "status": "removed"},
        {"name": error["name"], "email": "ann@example.com", "role": None, "status": "active"},
    ]


def test_after_a_link_was_moved_the_advice_about_a_taken_address_is_not_refused(firm, practice):
    practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Ray", "bob@example.com")
    firm.sync()
    assert run(["admin", "user", "add", "rob@example.com", "--first-name", "Rob", "--last-name", "Ray"]) == 0
    assert run(["admin", "user", "link", "rob@example.com", "--xpm-staff", bob, "--move"]) == 0
    firm.sync()
    (error,) = firm.rows("SELECT code, suggestion FROM open_errors WHERE severity = 'error'")
    assert error["code"] == "staff-email-taken"
    merge = "xpmsync admin user merge bob@example.com --into rob@example.com"
    assert merge in error["suggestion"]
    assert run([*merge.split()[1:], "--yes"]) == 0
    firm.sync()
    assert issues(firm) == []
    assert firm.rows("SELECT name, email FROM user_list WHERE name LIKE '%Ray'") == [
        {"name": "Bob Ray", "email": "bob@example.com"}
    ]
