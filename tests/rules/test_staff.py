import pytest

from xpmsync.records import User
from xpmsync.rules.issues import join_names
from xpmsync.rules.staff import make_directory


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["Ann"], "Ann"),
        (["Ann", "Bob"], "Ann and Bob"),
        (["Ann", "Bob", "Cy"], "Ann, Bob and Cy"),
        (["Ann", "Bob", "Cy", "Di"], "Ann, Bob and 2 others"),
        (["Ann", "Bob", "Cy", "Di", "Eve"], "Ann, Bob and 3 others"),
    ],
)
def test_names_are_joined_as_in_a_sentence(names, expected):
    assert join_names(names, len(names)) == expected


def test_of_many_names_only_those_are_asked_for_that_are_shown():
    names = iter(["Ann", "Bob", "Cy", "Di"])
    assert join_names(names, 15_000) == "Ann, Bob and 14,998 others"
    assert list(names) == ["Di"]


def user(user_id, email, staff_uuid=None, status="active"):
    return User(user_id, "Ann", "Lee", email, None, None, status, staff_uuid)


DIRECTORY = make_directory(
    [
        {"uuid": "s1", "name": "Ann", "email": " ANN@firm.example"},
        {"uuid": "s2", "name": "Bob", "email": "bob@firm.example"},
        {"uuid": "s3", "name": "Cy", "email": "nobody@firm.example"},
        {"uuid": "s4", "name": "Di", "email": None},
        {"uuid": "s5", "name": "Eve", "email": "eve at firm"},
        {"uuid": "s6", "name": "Fay", "email": "else@firm.example"},
        {"uuid": "s7", "name": "Guy", "email": "off@firm.example"},
    ],
    [
        user("u1", "ann@firm.example"),
        user("u2", "else@firm.example", "s2"),
        user("u9", "gone@firm.example", "s9"),
        user("u7", "off@firm.example", status="deactivated"),
        user("u0", " "),  # another program has written it
    ],
    former={"s0": "u2", "s3": "u2", "s9": "u2"},
)


@pytest.mark.parametrize(
    ("staff_uuid", "expected"),
    [
        ("s1", "u1"),
        ("s2", "u2"),
        ("s9", "u9"),
        ("s3", None),
        ("s4", None),
        ("s6", None),
        ("s7", None),
        ("s8", None),
        ("s0", "u2"),
        (None, None),
    ],
)
def test_a_user_is_found_by_the_link_or_else_by_the_listed_address_of_an_active_user_without_a_link(
    staff_uuid, expected
):
    assert DIRECTORY.find_user(staff_uuid) == expected


@pytest.mark.parametrize(
    ("staff_uuid", "expected"),
    [
        ("s3", "partner-not-in-active"),
        ("s4", "partner-without-email"),
        ("s5", "partner-without-email"),
        ("s8", "partner-not-listed"),
        (None, "partner-not-listed"),
    ],
)
def test_a_missing_user_is_explained(staff_uuid, expected):
    assert DIRECTORY.explain_missing(staff_uuid) == expected
