"""What is beyond belief, what a person has accepted of it, and how it is said."""

import pytest

from xpmsync.rules.guard import Loss, find_unaccepted


def lose(lost, total, *names, kind="clients gone", **values):
    return Loss(kind, "{lost} of {total} clients are gone", lost, total, names, percent=10, at_least=10, **values)


@pytest.mark.parametrize(
    ("lost", "total", "expected"),
    [(9, 20, False), (10, 20, True), (10, 99, True), (10, 100, False), (11, 100, True), (1_000, 10_000, False)],
)
def test_more_than_the_share_and_at_least_the_number_is_suspicious(lost, total, expected):
    assert lose(lost, total).is_suspicious is expected
    assert lose(lost, total, is_list=True).is_suspicious is expected


@pytest.mark.parametrize(("lost", "total", "expected"), [(0, 0, False), (1, 1, True), (2, 2, True), (1, 2, False)])
def test_a_list_that_is_empty_all_at_once_is_suspicious_however_short_it_was(lost, total, expected):
    assert lose(lost, total, is_list=True).is_suspicious is expected
    assert not lose(lost, total).is_suspicious


def test_a_loss_is_said_in_numbers_for_people():
    assert lose(1_234, 12_345).describe() == "1,234 of 12,345 clients are gone."


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (2, "Namely: Lee, Ann; Ray, Bob."),
        (3, "Among the 3: Lee, Ann; Ray, Bob; …"),
        (1_234, "Among the 1,234: Lee, Ann; Ray, Bob; …"),
    ],
)
def test_some_of_many_are_named_and_few_all(lost, expected):
    assert lose(lost, 5_000, "Lee, Ann", "Ray, Bob").name() == expected


@pytest.mark.parametrize(
    ("lost", "accepted", "is_accepted"),
    [
        (12, {"clients gone": 12}, True),
        (11, {"clients gone": 12}, True),
        (13, {"clients gone": 12}, False),
        (12, {"staff gone": 12}, False),
        (1, {}, False),
    ],
)
def test_so_much_of_a_kind_is_accepted_and_no_more(lost, accepted, is_accepted):
    loss = lose(lost, 20)
    assert find_unaccepted([loss], accepted) == ([] if is_accepted else [loss])
