"""Makes the page about the sync, and puts it where it is looked for: whole, or not at all."""

from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from xpmsync.active import runs
from xpmsync.active.database import Database
from xpmsync.config import Config
from xpmsync.errors import XpmsyncError
from xpmsync.home import Home
from xpmsync.monitoring.causes import generalise_causes, name_causes
from xpmsync.monitoring.crontab import read_crontab
from xpmsync.monitoring.overview import load_overview
from xpmsync.monitoring.page import Contents, render_page
from xpmsync.monitoring.plot import begin_of_days, sort_hours
from xpmsync.system.atomic import CannotKeepGroup, replaced, take_over_mode
from xpmsync.system.private_files import check_link
from xpmsync.system.timestamps import from_stored

USUAL_DAYS: Final = 30


class PageNotWritten(XpmsyncError):
    """The page cannot be put where it should be."""

    exit_code: ClassVar[int] = 5
    code: ClassVar[str] = "page-not-written"


def make_page(
    database: Database, home: Home, config: Config, *, now: datetime, has_names: bool, days: int = USUAL_DAYS
) -> bytes:
    """The page about the sync of `home`, as it is now."""
    overview = load_overview(database, home, config, read_crontab(), now)
    first = runs.load_first_run(database)
    latest = runs.load_runs_since(database, begin_of_days(days, now))
    hours = sort_hours(latest, from_stored(first["started_at"]) if first else None, days, now)
    causes = (
        name_causes(database, overview.causes) if has_names else generalise_causes(overview.causes, overview.stopped)
    )
    return render_page(Contents(overview, hours, causes, has_names))


def write_page(path: Path, page: bytes) -> None:
    """Put the page in the file's place whole. A new one is its owner's alone; one that was there keeps its mode.

    Raises PageNotWritten. A link is followed, not replaced.
    """
    target = path.resolve()
    try:
        check_link(path)
        with replaced(target) as file:
            file.write(page)
            take_over_mode(target, file)  # an administrator opens it to others once, not after every run
    except OSError as error:
        usual = "Make its folder, or give it room and whoever runs xpmsync the right to write there."
        remedy = error.remedy if isinstance(error, CannotKeepGroup) else usual
        raise PageNotWritten(f"The page {path} cannot be written: {error.strerror}.", remedy) from error
