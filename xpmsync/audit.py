"""The audit trail: who ran which command, when, from where, and how it ended. One private file a month, kept a year.

Lines are only ever added: one when a command begins and one when it ends, so that a command that was killed can be seen
as well. What was typed as a value is left out, as it may name a client; what a command changed is in the history of the
database. Nothing that goes wrong here stops a command, and no home is made for it.
"""

import json
import os
import pwd
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from xpmsync import __version__
from xpmsync.home import Home
from xpmsync.system.private_files import is_closed, open_or_set_aside
from xpmsync.system.timestamps import to_text

KEPT_MONTHS: Final = 12
"""Whole ones, beside the month that has begun."""


class Trail:
    """What is noted of one command, from its begin to its end."""

    def __init__(self, home: Home, command: str, options: Sequence[str], environment: Mapping[str, str]) -> None:
        self._home = home
        self._id = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._began_at = time.monotonic()
        self._waiting = [
            self._line(
                "began",
                command=command,
                options=list(options),
                user=name_account(),
                sudo_user=environment.get("SUDO_USER"),
                terminal=_name_terminal(),
                address=environment.get("SSH_CONNECTION", "").partition(" ")[0] or None,
                host=os.uname().nodename,
                version=__version__,
            )
        ]
        self._write()

    def end(self, exit_code: int) -> None:
        """Note how the command ended; where the home was only made by it, that it began as well."""
        seconds = round(time.monotonic() - self._began_at, 1)
        self._waiting.append(self._line("ended", exit_code=exit_code, seconds=seconds))
        self._write()

    def _line(self, event: str, **facts: Any) -> str:
        moment = to_text(datetime.now(UTC))
        return json.dumps({"at": moment, "id": self._id, "event": event, **facts}, ensure_ascii=False) + "\n"

    def _write(self) -> None:
        with suppress(OSError):
            # A folder that is open or another user's is no home yet: the command closes it, or refuses it.
            if is_closed(self._home.data_folder):
                _append(self._home.data_folder, "".join(self._waiting))
                self._waiting.clear()


def _append(folder: Path, text: str) -> None:
    now = datetime.now(UTC)
    path = folder / f"audit-{now:%Y-%m}.jsonl"
    is_new = not path.exists()
    descriptor = open_or_set_aside(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            text = f"\n{text}"  # a full disk has cut the line before this one
        os.write(descriptor, text.encode(errors="backslashreplace"))  # at once: two commands do not mix their lines
    finally:
        os.close(descriptor)
    if is_new:
        _remove_old(folder, now)


def _remove_old(folder: Path, now: datetime) -> None:
    months = now.year * 12 + now.month - 1 - KEPT_MONTHS
    oldest = f"audit-{months // 12:04}-{months % 12 + 1:02}.jsonl"
    for path in folder.glob("audit-????-??.jsonl"):
        if path.name < oldest:
            with suppress(OSError):  # root may have said that nothing of it is ever removed
                path.unlink()


def name_account() -> str:
    """The account of this computer that runs this; its number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _name_terminal() -> str | None:
    """The terminal a person sits at; None under cron."""
    try:
        return os.ttyname(sys.stdin.fileno())
    except (OSError, ValueError, AttributeError):
        return None
