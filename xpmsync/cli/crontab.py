"""The lines of the crontab that start xpmsync, as a person pastes them: what `xpmsync configure --crontab` prints.

Nothing of xpmsync's own writes a crontab, and what stands in one is read elsewhere (`xpmsync.crontab`).
"""

import os
import shlex
import sys
from collections.abc import Iterator

from xpmsync.config import Config
from xpmsync.home import HOME_VARIABLE, find_home


def render_crontab(config: Config) -> str:
    """The lines as they stand in a crontab, never broken."""
    return "".join(f"{line}\n" for line in _make_lines(config))


def _make_lines(config: Config) -> Iterator[str]:
    words = [sys.executable, "-m", "xpmsync"] if sys.argv[0].endswith("__main__.py") else [os.path.abspath(sys.argv[0])]  # noqa: PTH100 - a link stays what it is
    program = shlex.join(words).replace("%", r"\%")
    if os.environ.get(HOME_VARIABLE):
        yield f"{HOME_VARIABLE}={find_home(os.environ).config_folder}"
    bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if bus and not config.keyring.key_file:
        yield f"DBUS_SESSION_BUS_ADDRESS={bus}"  # without it cron's commands do not find the desktop's keyring
    yield f"17 * * * * {program} sync"
    yield f"*/10 * * * * {program} notify"
