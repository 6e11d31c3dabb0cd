"""When everything is fetched, and from when on clients are asked for: times in, times and modes out."""

from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.rules.schedule import Past, choose_mode, find_modified_since, next_full_at


def at(text):
    return datetime.fromisoformat(f"{text}Z")


# The SHA-256 of “practice” begins with 0.678… of the largest number: so far into the day is the practice's own hour.
@pytest.mark.parametrize(
    ("success", "every_hours", "expected"),
    [
        ("2026-11-02T14:07:00", 24, "2026-11-02T16:16:48.082589"),
        ("2026-11-02T16:16:48.082588", 24, "2026-11-02T16:16:48.082589"),
        ("2026-11-02T16:16:48.082589", 24, "2026-11-03T16:16:48.082589"),
        ("2026-11-02T14:07:00", 12, "2026-11-02T20:08:24.041294"),
    ],
)
def test_the_next_full_sync_is_at_the_practices_own_hour(success, every_hours, expected):
    assert next_full_at(at(success), "practice", every_hours) == at(expected)


def test_another_practice_has_another_hour():
    assert next_full_at(at("2026-11-02T14:07:00"), "another practice", 24) == at("2026-11-02T18:02:36.609143")


SUCCESS = datetime(2026, 11, 2, 16, 30, tzinfo=UTC)
DUE = datetime(2026, 11, 3, 16, 16, 48, 82589, tzinfo=UTC)
BEFORE, AGAIN = DUE - timedelta(seconds=1), DUE + timedelta(hours=6)


@pytest.mark.parametrize(
    ("past", "now", "expected"),
    [
        (Past(None, SUCCESS, None, is_field_table_changed=False), BEFORE, "full"),
        (Past(None, SUCCESS, BEFORE, is_field_table_changed=False), BEFORE, "full"),
        (Past(SUCCESS, None, BEFORE, is_field_table_changed=False), BEFORE, "full"),
        (Past(SUCCESS, SUCCESS, None, is_field_table_changed=False), SUCCESS, "incremental"),
        (Past(SUCCESS, SUCCESS, None, is_field_table_changed=False), BEFORE, "incremental"),
        (Past(SUCCESS, SUCCESS, None, is_field_table_changed=True), BEFORE, "full"),
        (Past(SUCCESS, SUCCESS, BEFORE, is_field_table_changed=True), BEFORE, "incremental"),
        (Past(SUCCESS, SUCCESS, None, is_field_table_changed=False), DUE, "full"),
        (Past(SUCCESS, SUCCESS, DUE, is_field_table_changed=False), DUE, "incremental"),
        (Past(SUCCESS, SUCCESS, DUE, is_field_table_changed=False), AGAIN - timedelta(seconds=1), "incremental"),
        (Past(SUCCESS, SUCCESS, DUE, is_field_table_changed=False), AGAIN, "full"),
        (Past(SUCCESS, SUCCESS, AGAIN, is_field_table_changed=False), DUE, "full"),
        (Past(SUCCESS, SUCCESS, None, is_field_table_changed=False), SUCCESS - timedelta(seconds=1), "full"),
        (Past(SUCCESS, SUCCESS, BEFORE, is_field_table_changed=False), BEFORE + timedelta(hours=5), "incremental"),
    ],
    ids=[
        "no cursor",
        "no cursor, and a full sync has just failed",
        "no full success, and a full sync has just failed",
        "just succeeded",
        "not due",
        "another field table",
        "another field table, and a full sync has just failed",
        "due",
        "due, and a full sync has just failed",
        "due, and a full sync failed less than six hours ago",
        "due, and a full sync failed six hours ago",
        "due, and a full sync failed in the future",
        "a full success in the future",
        "due, and a full sync failed before that",
    ],
)
def test_a_sync_is_full_when_that_is_due_unless_one_has_just_failed(past, now, expected):
    mode = choose_mode(past, now, tenant_id="practice", full_every_hours=24, full_again_after_hours=6)
    assert mode == expected


def test_clients_are_asked_for_from_ten_minutes_before_the_cursor():
    assert find_modified_since(at("2026-11-02T14:07:00")) == at("2026-11-02T13:57:00")
