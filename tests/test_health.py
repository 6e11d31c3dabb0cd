from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.notify.health import SILENCE_REMEDY, USUAL_REMEDY, Failure, Health, Trouble, find_trouble, looks_scheduled

NOW = datetime(2026, 11, 2, 14, 7, tzinfo=UTC)
CASES = (
    ("no run at all", [], False),
    ("one through a pipe", [0], False),
    ("several over ssh within an hour", [0.1, 0.5, 0.6, 0.9], False),
    ("one an hour", [2, 1, 0], True),
    ("one an hour, and some of a person's between them", [2.4, 2, 1.7, 1, 0.1, 0], True),
    ("one an hour, the second of them late", [2, 1.1, 0], True),
    ("one an hour, on the hour and just before it", [127 / 60, 8 / 60, 7 / 60], True),
    ("one an hour until three hours ago", [5, 4, 3], False),
    ("one an hour before the night, and the first of the morning", [18, 17, 16, 0], True),
    ("one every other hour", [6, 4, 2, 0], False),
    ("one an hour by a clock that was ahead", [-1, -2, -3], False),
)


@pytest.mark.parametrize(("hours_ago", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_runs_come_by_themselves_that_nobody_watched_in_three_hours_in_a_row(hours_ago, expected):
    starts = [NOW - timedelta(hours=hours) for hours in hours_ago]
    assert looks_scheduled(starts, NOW) is expected


def ago(hours):
    return None if hours is None else NOW - timedelta(hours=hours)


def sync(*, success=None, first=24.0, failure=None, code=1, since=None, remedy=None):
    """What is known of a sync; times in hours before now."""
    last_failure = None if failure is None else Failure(code, ago(failure), "It broke.", remedy)
    return Health(ago(first), ago(success), last_failure, ago(since))


def silence(hours, success=None):
    return Trouble(None, f"No run has succeeded for {hours} hours.", SILENCE_REMEDY, ago(success))


def failed(code=1, remedy=USUAL_REMEDY, *, success=None, since):
    return Trouble(code, "It broke.", remedy, ago(success), ago(since))


@pytest.mark.parametrize("code", [1, 4, 5, 7, 8, 9])
def test_a_failure_that_does_not_pass_by_itself_is_alerted_at_once(code):
    assert find_trouble(sync(success=1, failure=0, code=code), NOW) == failed(code, success=1, since=0)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (sync(first=None), None),
        (sync(first=2.9), None),
        (sync(first=3), silence(3)),
        (sync(success=2.9), None),
        (sync(success=3), silence(3, success=3)),
        (sync(success=5.5), silence(5, success=5.5)),
        (sync(success=0, first=4), None),
        (sync(success=-1, first=4), silence(4)),
        (sync(success=1, failure=2), None),
        (sync(success=1, failure=1), failed(success=1, since=1)),
        (sync(success=-1, failure=2), failed(since=2)),
        (sync(failure=1, since=2, remedy="Fix it."), failed(1, "Fix it.", since=2)),
        (sync(success=2.9, failure=0, code=6), None),
        (sync(success=3, failure=2.9, since=3, code=6), failed(6, success=3, since=3)),
        (sync(success=6, failure=3, code=6), silence(6, success=6)),
        (sync(success=3, failure=0, code=10), silence(3, success=3)),
    ],
    ids=[
        "never tried",
        "no success yet",
        "no success for three hours",
        "quiet for less than three hours",
        "quiet for three hours",
        "quiet for hours and a half",
        "just succeeded",
        "a success in the future proves nothing",
        "succeeded after the failure",
        "failed when another sync succeeded",
        "failed before a success in the future",
        "failed twice, and the failure says what to do",
        "Xero cannot be reached, for less than three hours",
        "Xero cannot be reached, for three hours",
        "Xero could not be reached, three hours ago",
        "another sync was running",
    ],
)
def test_an_alert_is_due_for_a_lasting_failure_and_after_three_hours_without_success(health, expected):
    assert find_trouble(health, NOW) == expected
