"""What is beyond the safety limits, and how it is said."""

import pytest

from xpmsync.rules.guard import Loss


def lose(lost, total, **values):
    return Loss("{lost} of {total} clients are missing", lost, total, percent=10, at_least=10, **values)


@pytest.mark.parametrize(
    ("lost", "total", "expected"),
    [(9, 20, False), (10, 20, True), (10, 99, True), (10, 100, False), (11, 100, True), (1_000, 10_000, False)],
)
def test_more_than_the_share_and_at_least_the_number_is_too_much(lost, total, expected):
    assert lose(lost, total).is_too_much is expected
    assert lose(lost, total, is_list=True).is_too_much is expected


@pytest.mark.parametrize(("lost", "total", "expected"), [(0, 0, False), (1, 1, True), (2, 2, True), (1, 2, False)])
def test_a_list_that_is_empty_all_at_once_is_too_much_however_short_it_was(lost, total, expected):
    assert lose(lost, total, is_list=True).is_too_much is expected
    assert not lose(lost, total).is_too_much


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (None, "1,234 of 12,345 clients are missing."),
        (1_234, "1,234 of 12,345 clients are missing."),
        (1_233, "1,234 of 12,345 clients are missing, 1,233 more than accepted."),
    ],
)
def test_a_loss_is_said_in_numbers_for_people(more, expected):
    assert lose(1_234, 12_345).describe(more) == expected
