from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.health import has_rhythm

NOW = datetime(2026, 11, 2, 14, 7, tzinfo=UTC)
CASES = (
    ("no run at all", [], False),
    ("one through a pipe", [0], False),
    ("several over ssh within an hour", [0.1, 0.5, 0.6, 0.9], False),
    ("one an hour", [2, 1, 0], True),
    ("one an hour, and some of a person's between them", [2.4, 2, 1.7, 1, 0.1, 0], True),
    ("one an hour until three hours ago", [5, 4, 3], False),
    ("one an hour before the night, and the first of the morning", [18, 17, 16, 0], True),
    ("one every other hour", [6, 4, 2, 0], False),
    ("one an hour by a clock that was ahead", [-1, -2, -3], False),
)


@pytest.mark.parametrize(("hours_ago", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_runs_come_by_themselves_that_nobody_watched_in_three_hours_in_a_row(hours_ago, expected):
    starts = [NOW - timedelta(hours=hours) for hours in hours_ago]
    assert has_rhythm(starts, NOW) is expected
