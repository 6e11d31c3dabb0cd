from datetime import UTC, datetime
from functools import partial

import pytest

from xpmsync.active.database import open_database
from xpmsync.config import read_config
from xpmsync.monitoring.report import make_page

NOW = datetime(2026, 11, 22, 22, 44, tzinfo=UTC)


@pytest.fixture
def record(record, set_zone):
    """Writes one run, some hours before the page is made, with the problems that it met."""
    set_zone("UTC")
    return partial(record, now=NOW)


@pytest.fixture
def make(home, set_zone):
    """The page as it is read."""
    set_zone("UTC")

    def make(*, has_names=False, days=30):
        with open_database(home.database_file) as database:
            page = make_page(database, home, read_config(home), now=NOW, has_names=has_names, days=days)
        return page.decode()

    return make
