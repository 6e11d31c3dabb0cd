"""What becomes of the staff: linked, created, changed, removed, refused."""

import pytest

ANN = {"UUID": "s1", "Name": "Ann Lee", "Email": "ann@firm.example"}
BOB = {"UUID": "s2", "Name": "Bob Ray", "Email": "bob@firm.example"}
ACTIVE = {"status": "active"}
ANN_ROW = ACTIVE | {"first_name": "Ann", "last_name": "Lee", "email": "ann@firm.example", "xpm_staff_uuid": "s1"}
BOB_ROW = ACTIVE | {"first_name": "Bob", "last_name": "Ray", "email": "bob@firm.example", "xpm_staff_uuid": "s2"}


def add_user(firm, **values):
    row = {"id": "by-hand", "first_name": "Ann", "last_name": "Lee", "email": "ann@firm.example"} | values
    columns = ", ".join(row)
    firm.execute(f"INSERT INTO users ({columns}) VALUES ({', '.join('?' * len(row))})", *row.values())


def test_new_staff_become_users_without_role_office_or_modules(firm):
    firm.sync(staff=[ANN, BOB])
    assert firm.users() == [ANN_ROW, BOB_ROW]
    assert firm.changes() == [
        ("user", "Ann Lee", "created", None, None, "Ann Lee"),
        ("user", "Bob Ray", "created", None, None, "Bob Ray"),
    ]
    assert firm.rows("SELECT * FROM user_modules") == []


def test_every_staff_member_is_counted_once(firm):
    def count(*staff):
        return vars(firm.sync(staff=staff).users)

    without_email = [{"UUID": f"s{number}", "Name": "Sid Ray"} for number in (7, 8)]
    more = [{"UUID": f"s{number}", "Name": "Cy Fox", "Email": f"{number}@firm.example"} for number in (3, 4)]
    assert count(ANN, BOB, *without_email) == {"created": 2, "updated": 0, "unchanged": 0, "skipped": 2}
    assert count(ANN, BOB, *more) == {"created": 2, "updated": 0, "unchanged": 2, "skipped": 0}
    changed = [staff | {"Name": "Di Fox"} for staff in more]
    assert count(ANN, BOB, *changed) == {"created": 0, "updated": 2, "unchanged": 2, "skipped": 0}
    assert count(*changed) == {"created": 0, "updated": 2, "unchanged": 2, "skipped": 0}
    assert count(ANN, BOB, *changed) == {"created": 0, "updated": 2, "unchanged": 2, "skipped": 0}


def test_a_user_set_up_by_hand_is_matched_by_the_address_whatever_its_case(firm):
    add_user(firm, email="ÉLISE@firm.example", role="Owner", office_code="MAIN")
    firm.execute("INSERT INTO user_modules VALUES ('by-hand', 'Documents')")
    firm.sync(staff=[ANN | {"Email": "élise@firm.example"}])
    assert firm.users() == [ANN_ROW | {"email": "élise@firm.example", "role": "Owner", "office_code": "MAIN"}]
    assert firm.user_id("élise@firm.example") == "by-hand"
    assert firm.changes() == [
        ("user", "Ann Lee", "updated", "email", "ÉLISE@firm.example", "élise@firm.example"),
        ("user", "Ann Lee", "linked", "xpm_staff_uuid", None, "s1"),
    ]
    assert firm.rows("SELECT * FROM user_modules") == [{"user_id": "by-hand", "module": "Documents"}]


def test_a_changed_name_and_address_change_the_linked_user(firm):
    firm.sync(staff=[ANN])
    before = firm.user_id("ann@firm.example")
    firm.sync(staff=[{"UUID": "s1", "Name": "Ann van Dyk", "Email": "ann.vandyk@firm.example"}])
    assert firm.users() == [ANN_ROW | {"last_name": "van Dyk", "email": "ann.vandyk@firm.example"}]
    assert firm.user_id("ann.vandyk@firm.example") == before
    assert firm.changes() == [
        ("user", "Ann van Dyk", "updated", "last_name", "Lee", "van Dyk"),
        ("user", "Ann van Dyk", "updated", "email", "ann@firm.example", "ann.vandyk@firm.example"),
    ]


def test_two_users_swap_their_addresses_in_one_run(firm):
    firm.sync(staff=[ANN, BOB])
    firm.sync(staff=[ANN | {"Email": "bob@firm.example"}, BOB | {"Email": "ann@firm.example"}])
    assert firm.users() == [BOB_ROW | {"email": "ann@firm.example"}, ANN_ROW | {"email": "bob@firm.example"}]
    assert firm.rows("SELECT email_key FROM users ORDER BY email") == [
        {"email_key": "ann@firm.example"},
        {"email_key": "bob@firm.example"},
    ]
    assert firm.changes() == [
        ("user", "Ann Lee", "updated", "email", "ann@firm.example", "bob@firm.example"),
        ("user", "Bob Ray", "updated", "email", "bob@firm.example", "ann@firm.example"),
    ]


def test_a_newcomer_gets_the_address_that_a_colleague_gave_up_in_the_same_hour(firm):
    firm.sync(staff=[ANN])
    firm.sync(staff=[ANN | {"Email": "lee@firm.example"}, BOB | {"Email": "ann@firm.example"}])
    assert firm.users() == [BOB_ROW | {"email": "ann@firm.example"}, ANN_ROW | {"email": "lee@firm.example"}]


def test_staff_no_longer_listed_are_removed_and_come_back(firm):
    firm.sync(staff=[ANN, BOB])
    firm.execute("UPDATE users SET role = 'Admin' WHERE email = 'bob@firm.example'")
    firm.sync(staff=[ANN])
    assert firm.users() == [ANN_ROW, BOB_ROW | {"status": "removed", "role": "Admin"}]
    assert firm.changes() == [("user", "Bob Ray", "status", "status", "active", "removed")]
    firm.sync(staff=[ANN, BOB])
    assert firm.users() == [ANN_ROW, BOB_ROW | {"role": "Admin"}]
    assert firm.changes() == [("user", "Bob Ray", "status", "status", "removed", "active")]


@pytest.mark.parametrize("staff", [[ANN, BOB], [ANN]], ids=["listed", "no longer listed"])
def test_a_user_whom_the_administrator_deactivated_stays_so(firm, staff):
    firm.sync(staff=[ANN, BOB])
    firm.execute("UPDATE users SET status = 'deactivated' WHERE email = 'bob@firm.example'")
    firm.sync(staff=staff)
    assert firm.users() == [ANN_ROW, BOB_ROW | {"status": "deactivated"}]
    assert firm.changes() == []


def test_a_user_set_up_by_hand_whom_xpm_does_not_know_is_left_alone(firm):
    add_user(firm, email="reception@firm.example")
    firm.sync(staff=[ANN])
    assert [row["email"] for row in firm.users()] == ["ann@firm.example", "reception@firm.example"]
    assert firm.rows("SELECT status, xpm_staff_uuid FROM users WHERE id = 'by-hand'") == [{"status": "active"}]


def test_somebody_re_created_in_xpm_with_the_same_name_and_address_keeps_their_user(firm):
    firm.sync(staff=[ANN])
    firm.execute("UPDATE users SET role = 'Admin'")
    firm.sync(staff=[ANN | {"UUID": "s9", "Name": "ANN LEE"}])
    assert firm.users() == [
        ANN_ROW | {"first_name": "ANN", "last_name": "LEE", "role": "Admin", "xpm_staff_uuid": "s9"}
    ]
    assert firm.changes() == [
        ("user", "ANN LEE", "updated", "first_name", "Ann", "ANN"),
        ("user", "ANN LEE", "updated", "last_name", "Lee", "LEE"),
        ("user", "ANN LEE", "linked", "xpm_staff_uuid", "s1", "s9"),
    ]


def test_a_new_person_does_not_inherit_the_user_of_somebody_who_left(firm):
    firm.sync(staff=[ANN])
    firm.sync(staff=[BOB | {"Email": "Ann@firm.example"}])
    assert firm.users() == [ANN_ROW | {"status": "removed"}]
    assert firm.issues() == [("staff-email-held-by-former-user", "s2")]


def test_of_two_with_one_address_the_linked_one_keeps_it(firm):
    firm.sync(staff=[ANN])
    derivation = firm.sync(staff=[ANN, BOB | {"Email": "ann@firm.example"}])
    assert firm.users() == [ANN_ROW]
    assert [issue.message for issue in derivation.issues] == [
        (
            "The e-mail address ann@firm.example is shared with Ann Lee in XPM, "
            "and a user of Active needs one of their own."
        )
    ]
    assert vars(derivation.users) == {"created": 0, "updated": 0, "unchanged": 1, "skipped": 1}


def test_of_two_with_one_address_neither_is_synced_where_none_is_linked(firm):
    add_user(firm)
    derivation = firm.sync(staff=[ANN, BOB | {"Email": "ANN@firm.example"}])
    assert firm.users() == [{"first_name": "Ann", "last_name": "Lee", "email": "ann@firm.example", "status": "active"}]
    assert firm.issues() == [("staff-email-shared", "s1"), ("staff-email-shared", "s2")]
    assert vars(derivation.users) == {"created": 0, "updated": 0, "unchanged": 0, "skipped": 2}


def test_an_address_that_another_user_holds_is_refused_and_all_stays_as_it_was(firm):
    firm.sync(staff=[ANN])
    add_user(firm, email="reception@firm.example", first_name="Reception", last_name=None)
    firm.sync(staff=[ANN | {"Email": "Reception@firm.example", "Name": "Ann Leigh"}])
    assert firm.users() == [ANN_ROW, {"first_name": "Reception", "email": "reception@firm.example", "status": "active"}]
    assert firm.issues() == [("staff-email-taken", "s1")]
    assert firm.changes() == []


def test_the_address_of_a_colleague_who_lost_theirs_in_xpm_is_not_given_away(firm):
    firm.sync(staff=[ANN])
    firm.sync(staff=[ANN | {"Email": ""}, BOB | {"Email": "ann@firm.example"}])
    assert firm.users() == [ANN_ROW]
    assert firm.issues() == [("staff-email-of-colleague", "s2"), ("staff-without-email", "s1")]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (ANN | {"Name": " "}, "staff-without-name"),
        (ANN | {"Email": ""}, "staff-without-email"),
        (ANN | {"Email": "ann@firm.example; lee@firm.example"}, "staff-email-unusable"),
    ],
)
def test_refused_staff_keep_the_user_they_have(firm, told, code):
    firm.sync(staff=[ANN])
    firm.sync(staff=[told])
    assert firm.users() == [ANN_ROW]
    assert firm.issues() == [(code, "s1")]
    assert firm.changes() == []
    firm.sync(staff=[ANN])
    assert firm.issues() == []


def test_a_name_that_became_one_word_clears_the_last_name_that_a_sync_wrote(firm):
    firm.sync(staff=[ANN])
    firm.sync(staff=[ANN | {"Name": "Ann"}])
    assert firm.users() == [{column: value for column, value in ANN_ROW.items() if column != "last_name"}]
    assert firm.changes() == [("user", "Ann", "updated", "last_name", "Lee", None)]
    assert firm.issues() == [("staff-name-one-word", "s1")]


def test_a_last_name_typed_by_hand_stays_where_xpm_has_none(firm):
    add_user(firm)
    firm.sync(staff=[ANN | {"Name": "Ann"}])
    assert firm.users() == [ANN_ROW]
    firm.sync(staff=[ANN | {"Name": "Ann"}])
    assert firm.users() == [ANN_ROW]
    assert firm.changes() == []
