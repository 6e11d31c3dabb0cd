from xpmsync.records import User
from xpmsync.rules.issues import CATALOGUE, Severity, issue
from xpmsync.rules.prerequisites import BY_CODE, CLIENTS, CODES, PARTNERS, STAFF, HandMadeClient, list_prerequisites


def make_user(name, email):
    return User(name, name, None, email, None, None, "active", None)


def find_unmet(issues=(), users=(), emails=(), clients=(), codes=()):
    """The prerequisites that are not met, with the names of the records that do not meet them."""
    listed = list_prerequisites(issues, users, emails, clients, codes)
    assert [each.requirement for each in listed] == [STAFF, CLIENTS, PARTNERS, CODES]
    return {each.requirement: [record.name for record in each.shortfalls] for each in listed if each.shortfalls}


def test_every_error_of_a_record_counts_for_one_prerequisite_and_no_warning_does():
    facts = dict.fromkeys(
        ("label", "email", "own", "move", "others", "holder", "clients", "code", "partner", "partner_uuid"), "x"
    )
    facts |= dict.fromkeys(
        ("office", "manager", "number", "count", "records", "elements", "recipient", "who", "which"), "x"
    )
    facts |= dict.fromkeys(("groups", "reference", "what", "missing", "command", "also"), "x")
    issues = [issue(code, "uuid", code, **facts) for code in CATALOGUE]
    counted = [name for names in find_unmet(issues).values() for name in names]
    errors = [kind.code for kind in CATALOGUE.values() if kind.severity is Severity.ERROR and kind.entity != "run"]
    assert sorted(counted) == sorted(errors)
    assert BY_CODE.keys() <= set(errors)


def test_a_user_who_is_linked_to_nobody_counts_unless_the_staff_have_their_address():
    users = [make_user("Ann", "Ann@example.com"), make_user("Bob", "bob@old.example")]
    assert find_unmet(users=users, emails={"ann@example.com"}) == {PARTNERS: ["Bob"]}


def test_a_client_that_was_added_by_hand_counts_unless_a_client_of_xpm_has_its_code():
    clients = [HandMadeClient(name, code) for name, code in (("A", "abc"), ("B", "XYZ"), ("C", None), ("D", " "))]
    assert find_unmet(clients=clients, codes={"abc"}) == {CODES: ["B", "C", "D"]}
