"""The log: details for the person who helps, in one private file beside the database.

Only xpmsync's own words reach it. The libraries that sign in and fetch write tokens and secrets when they are asked to
be talkative, so they are cut off here, whatever level anybody sets. Nothing that goes wrong with the log stops a run.
"""

import contextlib
import logging
import logging.handlers
import time
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from xpmsync.home import Home
from xpmsync.system import timestamps
from xpmsync.system.private_files import open_or_set_aside

LONGEST_LINE: Final = 2_000
LARGEST_FILE_BYTES: Final = 1_000_000
OLDER_FILES: Final = 3
SILENCED: Final = ("keyring", "oauthlib", "requests", "requests_oauthlib", "urllib3")
"""Known to log tokens, secrets or whole requests: nothing of theirs is kept or passed on."""

# Until a log is open nothing is kept; Python would print warnings on standard error instead.
logging.getLogger("xpmsync").addHandler(logging.NullHandler())


def open_log(home: Home, *, level: int = logging.INFO) -> None:
    """Send what ``xpmsync`` logs to the home's log file, or nowhere if the file cannot be written."""
    logging.raiseExceptions = False  # a full disk is no reason for a stack trace under cron
    for name in SILENCED:
        library = logging.getLogger(name)
        library.propagate = False
        library.setLevel(logging.CRITICAL + 1)
        library.handlers = [logging.NullHandler()]
    logger = logging.getLogger("xpmsync")
    for earlier in logger.handlers[:]:
        logger.removeHandler(earlier)
        with contextlib.suppress(OSError):
            earlier.close()
    logger.setLevel(level)
    logger.addHandler(_open_handler(home.log_file))


def _open_handler(path: Path) -> logging.Handler:
    try:
        handler = _PrivateHandler(
            path, maxBytes=LARGEST_FILE_BYTES, backupCount=OLDER_FILES, encoding="utf-8", errors="backslashreplace"
        )
    except OSError:
        return logging.NullHandler()
    formatter = _LineFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s", timestamps.FORMAT)
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    return handler


class _PrivateHandler(logging.handlers.RotatingFileHandler):
    """Each file is its owner's alone, the first and those that follow when one is full; a link is set aside."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=open_or_set_aside)


class _LineFormatter(logging.Formatter):
    """Each message on one line of bounded length: what Xero says in it can write no lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        line = super().formatMessage(record)[:LONGEST_LINE]
        return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
