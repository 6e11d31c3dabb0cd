"""Whose client it is, and whose work: through the real program, from Xero's answers to the error log."""

import pytest

from xpmsync.sandbox import Practice


@pytest.fixture
def practice():
    return Practice()


@pytest.fixture
def firm(make_firm, practice):
    return make_firm(practice)


def issues(firm):
    """The open ones: code and name."""
    rows = firm.rows("SELECT code, name FROM sync_errors WHERE resolved_at IS NULL ORDER BY code, name")
    return [(row["code"], row["name"]) for row in rows]


def clients(firm):
    """Name, partner and manager of each."""
    rows = firm.rows("SELECT legal_name, partner, manager FROM client_list ORDER BY legal_name")
    return [tuple(filter(None, row.values())) for row in rows]


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
