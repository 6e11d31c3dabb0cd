import contextlib
import logging
import re
import stat
from pathlib import Path

import pytest

from xpmsync.errors import XpmsyncError
from xpmsync.home import Home
from xpmsync.log import LARGEST_FILE_BYTES, LONGEST_LINE, OLDER_FILES, SILENCED, open_log

log = logging.getLogger("xpmsync.tests")


@pytest.fixture
def home(tmp_path):
    yield Home(tmp_path, tmp_path)
    for handler in logging.getLogger("xpmsync").handlers[:]:
        logging.getLogger("xpmsync").removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


def test_what_is_logged_reaches_a_private_file_with_utc_times(home):
    open_log(home)
    log.info("a run has begun")
    line = home.log_file.read_text("utf-8")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \d+ INFO xpmsync\.tests: a run has begun\n", line)
    assert stat.S_IMODE(home.log_file.stat().st_mode) == 0o600


def test_the_log_takes_a_few_files_of_a_megabyte_for_ever(home, monkeypatch):
    assert LARGEST_FILE_BYTES == 1_000_000
    monkeypatch.setattr("xpmsync.log.LARGEST_FILE_BYTES", largest := 20_000)  # as good as a megabyte, and quicker
    open_log(home)
    for number in range((OLDER_FILES + 3) * largest // LONGEST_LINE):
        log.info(str(number).ljust(LONGEST_LINE))
    files = sorted(home.data_folder.glob("xpmsync.log*"))
    assert [file.name for file in files] == ["xpmsync.log", *(f"xpmsync.log.{n + 1}" for n in range(OLDER_FILES))]
    assert sum(file.stat().st_size for file in files) <= (OLDER_FILES + 1) * largest
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_what_is_logged_writes_one_line_whatever_it_holds(home, monkeypatch):
    open_log(home)
    monkeypatch.setattr(logging.getLogger("xpmsync"), "propagate", False)  # not for pytest's report
    log.warning(
        "Xero says: %s",
        "no\n2026-01-01T00:00:00Z 1 INFO xpmsync.sync.run: run 9 succeeded\x1b[2J\u202e\ud800" + "x" * 10**6,
    )
    (line,) = home.log_file.read_text("utf-8").splitlines()
    assert line.isprintable()
    assert "no\\n2026" in line
    assert len(line) < 2 * LONGEST_LINE


@pytest.mark.parametrize("library", [*SILENCED, "requests_oauthlib.oauth2_session", "urllib3.connectionpool"])
def test_a_library_that_is_made_talkative_still_says_nothing(home, library, caplog):
    open_log(home, level=logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    if library in SILENCED:
        library += ".somewhere"
    logging.getLogger(library).setLevel(logging.DEBUG)
    logging.getLogger(library).debug("refresh_token=s3cret")
    logging.getLogger(library).critical("refresh_token=s3cret")
    assert "s3cret" not in caplog.text
    assert home.log_file.read_text("utf-8") == ""


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda path: path.symlink_to("/dev/full")], ids=["a folder", "full"])
def test_a_log_that_cannot_be_opened_or_written_stops_nothing_and_says_nothing(home, capfd, spoil):
    spoil(home.log_file)
    open_log(home)
    log.error("nobody reads this")
    assert capfd.readouterr() == ("", "")


def test_opening_the_log_again_writes_every_line_once(home):
    open_log(home)
    open_log(home)
    log.warning("once")
    assert home.log_file.read_text("utf-8").count("once") == 1


@pytest.mark.parametrize(
    ("details", "logged"), [("SMTP 550", "It did not work. (SMTP 550)"), (None, "It did not work.")]
)
def test_an_error_stands_in_the_log_with_its_details_in_brackets_if_it_has_any(home, details, logged):
    open_log(home)
    log.warning("%s", XpmsyncError("It did not work.", "Try again.", details=details).for_log)
    assert home.log_file.read_text("utf-8").endswith(f" WARNING xpmsync.tests: {logged}\n")
