"""What random histories have found, each as a short story of its own."""

from xpmsync.sandbox import Practice


def open_issues(firm):
    rows = firm.rows("SELECT code, coalesce(xpm_uuid, field) AS about FROM sync_errors WHERE resolved_at IS NULL")
    return {(row["code"], row["about"]) for row in rows}


def test_an_empty_first_list_is_no_longer_an_issue_as_soon_as_the_practice_has_somebody(make_firm):
    firm = make_firm(Practice())
    firm.sync()
    assert open_issues(firm) == {("first-list-empty", "staff"), ("first-list-empty", "clients")}

    ann = firm.practice.add_staff("Ann Lee", "ann@example.com")
    firm.sync()
    assert open_issues(firm) == {("first-list-empty", "clients")}

    firm.practice.add_client("First Pty Ltd", account_manager=ann)
    assert firm.sync().mode == "incremental"
    assert open_issues(firm) == set()


def test_a_client_re_created_without_contacts_keeps_the_salutation_of_the_record_it_takes_over(make_firm):
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    contacts = [{"salutation": "Hēmi", "is_primary": "Yes"}]
    former = practice.add_client("First Ltd", client_code="F1", account_manager=ann, contacts=contacts)
    firm = make_firm(practice)
    firm.sync()

    fresh = practice.recreate_client(former)
    practice.edit_client(fresh, contacts=None)
    firm.sync()

    assert firm.rows("SELECT xpm_client_uuid, individual_salutation FROM clients") == [
        {"xpm_client_uuid": fresh, "individual_salutation": "Hēmi"}
    ]


def test_codes_that_another_program_swapped_are_in_nobodys_way(make_firm):
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    second = practice.add_client("Second", client_code="B", account_manager=ann)
    firm = make_firm(practice)
    firm.sync()
    firm.write(
        "INSERT INTO clients (id, legal_name, code, code_key, partner_id, office_code) "
        "SELECT 'by-hand', 'First', 'A', 'a', id, 'MAIN' FROM users"
    )
    firm.write("UPDATE clients SET code = 'between' WHERE code = 'A'")
    firm.write("UPDATE clients SET code = 'A' WHERE code = 'B'")
    firm.write("UPDATE clients SET code = 'B' WHERE code = 'between'")

    practice.edit_client(second, client_code="Z")
    practice.add_client("Third", client_code="A", account_manager=ann)
    firm.sync()

    assert firm.rows("SELECT legal_name, code, code_key FROM clients ORDER BY legal_name") == [
        {"legal_name": "First", "code": "B", "code_key": "b"},
        {"legal_name": "Second", "code": "Z", "code_key": "z"},
        {"legal_name": "Third", "code": "A", "code_key": "a"},
    ]
