import time
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.error_log import save_problems
from xpmsync.active.runs import finish_run, start_run
from xpmsync.config import read_config
from xpmsync.home import find_home
from xpmsync.monitoring.report import make_page

NOW = datetime(2026, 11, 22, 22, 44, tzinfo=UTC)


@pytest.fixture
def set_zone():
    """Sets the clock on the wall, for the length of a test."""
    with pytest.MonkeyPatch.context() as patch:

        def set_zone(name):
            patch.setenv("TZ", name)
            time.tzset()

        yield set_zone
    time.tzset()


@pytest.fixture
def home(tmp_path, monkeypatch, set_zone):
    set_zone("UTC")
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    return find_home({"XPMSYNC_HOME": str(tmp_path)})


@pytest.fixture
def record(home):
    """Writes one run, some hours before the page is made, with the problems that it met."""

    def record(*problems, hours_ago=0, status="succeeded", **values):
        moment = NOW - timedelta(hours=hours_ago)
        with open_database(home.database_file) as database:
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=moment)
            save_problems(
                database, map(vars, problems), run_id=run_id, now=moment, resolve_others=status == "succeeded"
            )
            finish_run(database, run_id, status=status, now=moment, values=values)

    return record


@pytest.fixture
def make(home):
    """The page as it is read."""

    def make(*, has_names=False, days=30):
        with open_database(home.database_file) as database:
            page = make_page(database, home, read_config(home), now=NOW, has_names=has_names, days=days)
        return page.decode()

    return make
