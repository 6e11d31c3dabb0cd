"""The hourly run: what was modified, judged together with everything that is known."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.errors import SuspiciousChange
from xpmsync.rules.schedule import next_full_at
from xpmsync.sandbox import Practice
from xpmsync.system.clock import Clock

FIRST = "cccccccc-0000-4000-8000-000000000001"


def at(moment: datetime) -> Clock:
    """A clock of ours that stands still."""
    return Clock(now=lambda: moment, sleep=lambda _: None)


def last_client_call(firm):
    """What the last run asked of the client list."""
    return [parse_qs(call.query) for call in firm.sandbox.requests if call.path.endswith("client.api/list")][-1]


@pytest.fixture
def firm(make_firm):
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    practice.add_client("First", client_code="F1", account_manager=ann, uuid=FIRST)
    practice.add_client("Second", client_code="S2", account_manager=ann)
    firm = make_firm(practice)
    firm.sync()
    return firm


def test_the_second_run_asks_for_what_was_modified_since_the_first_less_ten_minutes_on_xeros_clock(firm):
    (run,) = firm.rows("SELECT mode, cursor_at FROM sync_runs")
    assert run["mode"] == "full"
    firm.sandbox.clock.advance(7_200)
    firm.practice.edit_client(FIRST, email="new@example.com")

    summary = firm.sync()

    since = datetime.fromisoformat(run["cursor_at"]) - timedelta(minutes=10)
    assert last_client_call(firm) == {"detailed": ["true"], "modifiedsince": [since.strftime("%Y-%m-%dT%H:%M:%S")]}
    assert (summary.mode, summary.api_calls, summary.clients.updated) == ("incremental", 3, 1)
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "new@example.com"}]
    (moved,) = firm.rows("SELECT cursor_at FROM sync_runs WHERE id = 2")
    assert moved["cursor_at"] > run["cursor_at"]


@pytest.mark.parametrize("skew_hours", [-24, -1, 1, 24])
def test_our_own_clock_may_be_wrong_by_a_day(firm, skew_hours):
    (run,) = firm.rows("SELECT cursor_at FROM sync_runs")
    firm.practice.edit_client(FIRST, email="new@example.com")
    firm.sync(clock=at(datetime.now(UTC) + timedelta(hours=skew_hours)))
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "new@example.com"}]
    (moved,) = firm.rows("SELECT cursor_at FROM sync_runs WHERE id = 2")
    assert abs(datetime.fromisoformat(moved["cursor_at"]) - datetime.fromisoformat(run["cursor_at"])) < timedelta(
        minutes=5
    )


def test_a_run_that_fails_moves_no_cursor_and_the_next_one_misses_nothing(firm):
    firm.practice.edit_client(FIRST, email="new@example.com")
    with firm.sandbox.faults.active("status-error", path="client.api"), pytest.raises(Exception, match="Xero"):
        firm.sync()
    firm.sandbox.clock.advance(5 * 3_600)
    firm.sync(clock=at(datetime.now(UTC) + timedelta(hours=1)))
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "new@example.com"}]


def test_everything_is_fetched_again_once_a_day_at_the_practices_own_hour(firm):
    (run,) = firm.rows("SELECT started_at FROM sync_runs")
    started_at = datetime.fromisoformat(run["started_at"])
    due_at = next_full_at(started_at, firm.sandbox.tenant_id, 24)
    assert started_at < due_at <= started_at + timedelta(hours=24)
    assert firm.sync(clock=at(due_at - timedelta(seconds=1))).mode == "incremental"
    assert firm.sync(clock=at(due_at)).mode == "full"


def test_a_full_run_in_the_future_counts_as_too_old(firm):
    firm.write("UPDATE sync_runs SET started_at = '2999-01-01T00:00:00Z'")
    assert firm.sync().mode == "full"


def test_another_field_table_asks_for_everything(firm):
    firm.write("UPDATE sync_runs SET field_table = 'an earlier one'")
    assert firm.sync().mode == "full"
    assert firm.sync().mode == "incremental"


def test_a_full_run_that_was_stopped_is_tried_again_after_six_hours_and_not_every_hour(make_firm):
    firm = make_firm(Practice.generate(clients=100, staff=12, seed=5))
    firm.sync()
    due_at = next_full_at(datetime.now(UTC), firm.sandbox.tenant_id, 24)
    with firm.sandbox.faults.active("thin-list", path="client.api", keep=20), pytest.raises(SuspiciousChange):
        firm.sync(clock=at(due_at))
    modes = [firm.sync(clock=at(due_at + timedelta(hours=hours))).mode for hours in (1, 5, 6, 7)]
    assert modes == ["incremental", "incremental", "full", "incremental"]


def test_a_partner_that_is_linked_in_active_clears_the_errors_that_hung_on_it(firm):
    firm.practice.add_client("Third", account_manager=("bbbbbbbb-0000-4000-8000-000000000009", "Pat Gone"))
    assert firm.sync().errors == 1
    firm.write(
        "INSERT INTO users (id, first_name, last_name, email, xpm_staff_uuid) "
        "VALUES ('u9', 'Pat', 'Gone', 'pat@example.com', 'bbbbbbbb-0000-4000-8000-000000000009')"
    )
    firm.sandbox.clock.advance(3_600)

    summary = firm.sync()

    assert (summary.mode, summary.errors, summary.clients.created) == ("incremental", 0, 1)
    assert firm.rows("SELECT code FROM sync_errors WHERE resolved_at IS NULL AND severity = 'error'") == []


@pytest.mark.parametrize("former", ["archived", "vanished"])
def test_a_client_typed_in_anew_takes_over_even_when_xero_does_not_tell_what_became_of_the_former(firm, former):
    fresh = firm.practice.recreate_client(FIRST, former=former)
    summary = firm.sync()
    assert (summary.mode, summary.api_calls, summary.errors) == ("incremental", 4, 0)
    assert firm.rows("SELECT xpm_client_uuid FROM clients WHERE code = 'F1'") == [{"xpm_client_uuid": fresh}]


def test_the_code_of_a_client_that_is_archived_and_given_another_code_is_free_for_a_new_client(firm):
    firm.practice.edit_client(FIRST, client_code="F1-OLD", is_archived=True)
    fresh = firm.practice.add_client("Another", client_code="F1", account_manager=next(iter(firm.practice.staff)))
    assert firm.sync().errors == 0
    assert firm.rows("SELECT code, status, xpm_client_uuid FROM clients WHERE code LIKE 'F1%' ORDER BY code") == [
        {"code": "F1", "status": "active", "xpm_client_uuid": fresh},
        {"code": "F1-OLD", "status": "archived", "xpm_client_uuid": FIRST},
    ]


def test_a_client_that_was_given_another_code_long_after_it_was_archived_keeps_its_record(firm):
    """XPM does not list it among the modified ones then."""
    firm.practice.archive_client(FIRST)
    firm.sync(full=True)
    firm.practice.edit_client(FIRST, client_code="F1-OLD")
    name = firm.practice.clients[FIRST].name
    fresh = firm.practice.add_client(name, client_code="F1", account_manager=next(iter(firm.practice.staff)))
    assert firm.sync().mode == "incremental"
    assert firm.rows("SELECT code, status, xpm_client_uuid FROM clients WHERE code LIKE 'F1%' ORDER BY code") == [
        {"code": "F1", "status": "active", "xpm_client_uuid": fresh},
        {"code": "F1-OLD", "status": "archived", "xpm_client_uuid": FIRST},
    ]


def test_the_advice_for_a_code_of_a_client_that_is_gone_frees_the_code(firm):
    firm.practice.vanish_client(FIRST)
    firm.practice.add_client("Another", client_code="F1", account_manager=next(iter(firm.practice.staff)))
    assert firm.sync(full=True).errors == 1
    assert firm.rows("SELECT code FROM sync_errors WHERE severity = 'error'") == [
        {"code": "code-held-by-former-client"}
    ]

    assert run(["admin", "client", "set", "F1", "--code", "F1-OLD"]) == 0
    assert firm.sync().errors == 0
    assert firm.rows("SELECT legal_name FROM clients WHERE code = 'F1'") == [{"legal_name": "Another"}]


def test_a_web_page_that_says_404_decides_no_conflict_of_codes(firm):
    fresh = firm.practice.recreate_client(FIRST, former="kept")
    firm.practice.edit_client(next(reversed([*firm.practice.clients][:-1])), email="new@example.com")
    with firm.sandbox.faults.active("html-page", path="client.api/get", status=404):
        summary = firm.sync()

    assert (summary.mode, summary.errors, summary.clients.updated) == ("incremental", 1, 1)
    assert firm.rows("SELECT xpm_client_uuid, status FROM clients WHERE code = 'F1'") == [
        {"xpm_client_uuid": FIRST, "status": "active"}
    ]
    assert firm.rows("SELECT code, xpm_uuid FROM sync_errors WHERE severity = 'error'") == [
        {"code": "client-code-shared", "xpm_uuid": fresh}
    ]


def test_two_living_clients_with_one_code_are_asked_for_once_and_not_every_hour(firm):
    firm.sandbox.clock.advance(3_600)
    firm.sync()
    firm.sandbox.clock.advance(3_600)
    firm.practice.recreate_client(FIRST, former="kept")
    first = firm.sync()
    assert (first.mode, first.api_calls, first.errors) == ("incremental", 4, 1)
    for _ in range(2):
        firm.sandbox.clock.advance(3_600)
        later = firm.sync()
    assert (later.mode, later.api_calls, later.errors) == ("incremental", 3, 1)


def fill(practice, number):
    """So many clients, of which Xero does not report that they are archived when the same ones are entered again."""
    ann = next(iter(practice.staff))
    return [practice.add_client(f"Old {each}", client_code=f"C{each}", account_manager=ann) for each in range(number)]


@pytest.mark.parametrize(("number", "mode", "api_calls"), [(10, "incremental", 13), (11, "full", 4)])
def test_where_too_many_conflicts_need_a_call_each_all_clients_are_fetched(firm, number, mode, api_calls):
    firm.sandbox.set_switches(modifiedsince_archived=False)
    uuids = fill(firm.practice, number)
    firm.practice.add_client("A stranger", client_code="X1", account_manager=next(iter(firm.practice.staff)))
    firm.sync()
    firm.practice.vanish_client(list(firm.practice.clients)[-1])
    fresh = [firm.practice.recreate_client(uuid, former="archived") for uuid in uuids]
    change_config(firm.home, {"guard.lost_clients_at_least": 100})

    summary = firm.sync()

    assert (summary.mode, summary.api_calls, summary.errors) == (mode, api_calls, 0)
    assert [row["mode"] for row in firm.rows("SELECT mode FROM sync_runs")] == ["full", "incremental", mode]
    linked = {
        row["xpm_client_uuid"] for row in firm.rows("SELECT xpm_client_uuid FROM clients WHERE status = 'active'")
    }
    assert linked >= {*fresh}
    assert len(firm.rows("SELECT 1 FROM clients WHERE status = 'removed'")) == (mode == "full")


def test_a_sync_that_became_full_and_is_stopped_is_accepted_as_a_full_one(firm):
    firm.sandbox.set_switches(modifiedsince_archived=False)
    uuids = fill(firm.practice, 11)
    firm.sync()
    for uuid in uuids:
        firm.practice.recreate_client(uuid, former="archived")
    with pytest.raises(SuspiciousChange, match="11 of 13 clients are archived"):
        firm.sync()
    assert firm.rows("SELECT mode, status FROM sync_runs WHERE id = 3") == [{"mode": "full", "status": "failed"}]
    assert firm.rows("SELECT field FROM sync_errors WHERE code = 'suspicious-change'") == [{"field": "full"}]
    summary = firm.sync(accept=3)
    assert (summary.mode, summary.errors) == ("full", 0)


def test_near_the_end_of_the_days_calls_a_run_does_only_what_it_must(firm):
    firm.sandbox.set_switches(limit_day=80)
    firm.practice.edit_client(FIRST, email="new@example.com")
    summary = firm.sync()
    assert summary.api_calls == 2
    assert firm.rows("SELECT email FROM clients WHERE code = 'F1'") == [{"email": "new@example.com"}]
    assert not [call for call in firm.sandbox.requests[-2:] if "group" in call.path]


def test_a_quiet_hour_is_no_empty_list(firm):
    for _ in range(2):
        firm.sandbox.clock.advance(7_200)
        summary = firm.sync()
    assert (summary.mode, summary.clients.unchanged) == ("incremental", 2)
