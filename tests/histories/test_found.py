"""What random histories have found, each as a short story of its own."""

from xpmsync.sandbox import Practice


def open_problems(firm):
    rows = firm.rows("SELECT code, coalesce(xpm_uuid, field) AS about FROM sync_errors WHERE resolved_at IS NULL")
    return {(row["code"], row["about"]) for row in rows}


def test_an_empty_first_list_is_no_longer_a_problem_as_soon_as_the_practice_has_somebody(make_firm):
    firm = make_firm(Practice())
    firm.sync()
    assert open_problems(firm) == {("first-list-empty", "staff"), ("first-list-empty", "clients")}

    ann = firm.practice.add_staff("Ann Lee", "ann@example.com")
    firm.sync()
    assert open_problems(firm) == {("first-list-empty", "clients")}

    firm.practice.add_client("First Pty Ltd", account_manager=ann)
    assert firm.sync().mode == "incremental"
    assert open_problems(firm) == set()
