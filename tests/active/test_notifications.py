"""At most one e-mail in 24 hours, across crashes, clocks and processes."""

from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.active.notifications import mark_notification_sent, release_notification, reserve_notification

NOW = datetime(2026, 11, 1, 14, 7, tzinfo=UTC)
DAY = timedelta(hours=24)
MOMENT = timedelta(seconds=1)


def reserve(database, now=NOW):
    return reserve_notification(database, "ann@firm.example", "The sync needs you", now)


@pytest.mark.parametrize(
    ("later", "is_free"), [(timedelta(0), False), (DAY - MOMENT, False), (DAY, True), (-MOMENT, True)]
)
def test_one_in_24_hours_and_none_from_the_future_counts(database, later, is_free):
    mark_notification_sent(database, reserve(database), NOW)
    assert (reserve(database, NOW + later) is not None) is is_free


def test_a_reservation_counts_although_nobody_said_that_it_was_sent(database):
    assert reserve(database) is not None
    assert reserve(database, NOW + MOMENT) is None


def test_a_released_one_does_not_count(database, rows):
    release_notification(database, reserve(database))
    second = reserve(database)
    assert second is not None
    mark_notification_sent(database, second, NOW + MOMENT)
    assert rows("SELECT status, reserved_at, sent_at FROM notifications") == [
        {"status": "released", "reserved_at": "2026-11-01T14:07:00Z", "sent_at": None},
        {"status": "sent", "reserved_at": "2026-11-01T14:07:00Z", "sent_at": "2026-11-01T14:07:01Z"},
    ]


def test_of_processes_that_ask_at_once_one_gets_it(path, database, four_processes, rows):
    assert sorted(four_processes("reserve", path)) == ["1", "None", "None", "None"]
    assert len(rows("SELECT * FROM notifications")) == 1
    assert reserve(database, datetime(2026, 11, 1, 1, tzinfo=UTC)) is None
