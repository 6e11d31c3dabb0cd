import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.active.database import open_database, open_read_only
from xpmsync.admin.session import read_session
from xpmsync.admin.users import list_users
from xpmsync.config import Config, change_config, read_config
from xpmsync.errors import PermanentError, SuspiciousChange, TransientError
from xpmsync.home import Home
from xpmsync.monitoring.crontab import parse_crontab
from xpmsync.monitoring.overview import State, load_overview
from xpmsync.sandbox import Practice
from xpmsync.system.clock import Clock

HOURLY = "17 * * * * /opt/xpmsync sync\n"


@pytest.fixture
def firm(make_firm):
    firm = make_firm(Practice.generate(clients=120, staff=5, seed=7))
    firm.sync(is_watched=False)
    return firm


@pytest.fixture
def look(firm):
    """Gives the overview some hours from now, with the lines of a crontab; None is a machine that does not tell."""

    def look(*, hours=0, lines=HOURLY):
        crontab = None if lines is None else parse_crontab(f"XPMSYNC_HOME={os.environ['XPMSYNC_HOME']}\n{lines}")
        now = datetime.now(UTC) + timedelta(hours=hours)
        with open_database(firm.home.database_file) as database:
            return load_overview(database, firm.home, read_config(firm.home), crontab, now)

    return look


def commands(overview):
    return [need.command for need in overview.needs]


def fail(firm, fault, error, **options):
    with firm.sandbox.faults.active(fault, **options), pytest.raises(error):
        firm.sync(is_watched=False, full=True, clock=Clock(sleep=lambda _: None))


def test_it_works_since_the_first_success_after_the_last_failure(firm, look):
    fail(firm, "user-revoked", PermanentError)
    firm.sync()
    firm.sync()
    overview = look()
    third, _ = firm.rows("SELECT finished_at FROM sync_runs WHERE id > 2")
    assert overview.state is State.WORKING
    assert overview.since == datetime.fromisoformat(third["finished_at"])
    assert overview.reason is None


def test_it_is_disrupted_since_the_first_failure_for_the_reason_of_the_last(firm, look):
    fail(firm, "error-503", TransientError, path="staff.api")
    firm.write("UPDATE sync_runs SET finished_at = '2026-01-02T03:04:05Z' WHERE id = 2")
    fail(firm, "user-revoked", PermanentError)
    overview = look()
    assert overview.state is State.DISRUPTED
    assert overview.since == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert overview.reason.startswith("Xero refuses access")
    assert commands(overview)[:2] == ["xpmsync errors --entity run", "xpmsync sync"]
    assert re.fullmatch(r"Then make a run, or wait for the one at \d\d:17\.", overview.needs[1].what)
    assert look(lines=None).needs[1].what == "Then make a run."


def test_trouble_at_xero_passes_by_itself_and_needs_nobody(firm, look):
    before = commands(look())
    fail(firm, "error-503", TransientError, path="staff.api")
    assert look().state is State.DISRUPTED
    assert commands(look()) == before


def test_a_run_that_was_stopped_waits_for_a_person_who_accepts_it(firm, look):
    fail(firm, "empty-list", SuspiciousChange, path="client.api")
    accept = ["xpmsync sync --accept 2 --dry-run", "xpmsync sync --accept 2"]
    assert commands(look())[:2] == accept
    assert "xpmsync sync" not in commands(look())  # it would be stopped again
    firm.sync()
    overview = look()
    assert overview.state is State.WORKING
    assert commands(overview)[:2] == accept


def test_runs_that_come_no_more_are_a_disruption_after_three_hours(look):
    assert look(hours=2).state is State.WORKING
    overview = look(hours=4)
    assert overview.state is State.DISRUPTED
    assert overview.since == overview.last_success_at
    assert commands(overview)[0] == "xpmsync doctor --cron"


def test_where_nothing_is_set_up_but_cron_works_elsewhere_that_folder_is_named(look, tmp_path):
    def list_commands(text):
        home = Home(tmp_path, tmp_path)
        with open_read_only(home.database_file) as database:
            return commands(load_overview(database, home, Config(), parse_crontab(text), datetime.now(UTC)))

    assert list_commands(f"XPMSYNC_HOME='/srv/the firm'\n{HOURLY}") == [
        "export XPMSYNC_HOME='/srv/the firm'",
        "xpmsync connect",
    ]
    assert list_commands(HOURLY)[0] == "unset XPMSYNC_HOME"
    assert list_commands(f"XPMSYNC_HOME={tmp_path}\n{HOURLY}") == list_commands("") == ["xpmsync connect"]
    assert look().state is State.WORKING


def test_a_sync_that_nothing_starts_needs_a_line_in_the_crontab(look):
    assert look(lines="").next_run_at is None
    assert look(lines="").is_scheduled is False
    assert "xpmsync configure --crontab install" in commands(look(lines=""))
    assert "xpmsync configure --crontab install" not in commands(look())
    assert "xpmsync configure --crontab install" not in commands(look(lines=None))


def test_runs_that_come_hour_after_hour_are_started_by_something_that_need_not_be_cron(firm, look):
    for _ in range(2):
        firm.sync(is_watched=False)
    assert "xpmsync configure --crontab install" in commands(
        look(lines="")
    )  # three within an hour, as by ssh, are no timer's
    firm.write("UPDATE sync_runs SET started_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', (id - 3) || ' hours')")
    for lines in ("", None):
        overview = look(lines=lines)
        assert overview.is_scheduled is True
        assert overview.next_run_at is None
        assert "xpmsync configure --crontab install" not in commands(overview)
    assert look(lines="", hours=4).is_scheduled is False
    firm.write("UPDATE sync_runs SET is_watched = 1 WHERE id = 2")
    assert "xpmsync configure --crontab install" in commands(look(lines=""))


def test_the_next_run_is_that_of_cron_where_it_tells(look):
    assert look().next_run_at.astimezone().minute == 17
    assert look().is_scheduled
    assert look(lines=None).is_scheduled is None
    assert look(lines="@reboot /opt/xpmsync sync\n").next_run_at is None


def test_users_who_cannot_use_active_yet_are_those_of_the_admin_centre(firm, look):
    first, second, *_ = firm.rows("SELECT id FROM users ORDER BY id")
    firm.write("UPDATE users SET role = 'User', office_code = 'MAIN' WHERE id IN (?, ?)", first["id"], second["id"])
    firm.write("INSERT INTO user_modules VALUES (?, 'Tax')", first["id"])
    with read_session(firm.home) as session:
        waiting = sum(bool(row["missing"]) for row in list_users(session))
    assert look().waiting_users == waiting > 0
    assert "xpmsync admin user list --waiting" in commands(look())


def test_what_is_settled_needs_nobody(firm, look):
    firm.write("UPDATE users SET role = 'User', office_code = 'MAIN'")
    firm.write("INSERT INTO user_modules SELECT id, 'Tax' FROM users")
    firm.write("UPDATE sync_errors SET resolved_at = last_seen_at")
    assert look().needs == ()


def test_a_home_that_is_not_set_up_says_what_comes_next(firm, look):
    for table in ("changes", "sync_errors", "sync_runs"):
        firm.write(f"DELETE FROM {table}")
    assert (look().state, commands(look())[0]) == (State.NOT_SET_UP, "xpmsync sync")
    change_config(firm.home, {"sync.default_office_code": None})
    assert (look().state, commands(look())[0]) == (State.NOT_SET_UP, "xpmsync configure")
    change_config(firm.home, {"sync.tenant_id": None})
    assert (look().state, commands(look())[0]) == (State.NOT_SET_UP, "xpmsync connect")
