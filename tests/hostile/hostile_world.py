"""A firm with data, whose every answer from Xero can be put in the place of the right one; as it was for each case."""

import contextlib
import io
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from firms import furnish, make_environment
from servers import HostileServer, head

from xpmsync import cli
from xpmsync.config import change_config
from xpmsync.home import Home, prepare_home
from xpmsync.sandbox import Practice, Sandbox, Switches
from xpmsync.sandbox.api import answer_call
from xpmsync.sync.run import Summary
from xpmsync.system.clock import Clock

CALLS = ("staff.api/list", "clientgroup.api/list", "client.api/list")
DATA_TABLES = (
    "users",
    "clients",
    "client_groups",
    "client_group_members",
    "offices",
    "changes",
    "xpm_staff",
    "xpm_clients",
    "xpm_groups",
)
PLENTY = 10**9
RECORDINGS = Path(__file__).parent.parent / "recordings"


class World:
    """The sandbox signs the firm in, and a hostile server answers for Practice Manager."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-")))
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        switches = Switches(limit_minute=PLENTY, limit_day=PLENTY, refresh_token_seconds=PLENTY)
        practice = Practice.generate(clients=12, staff=4, seed=7)
        self.sandbox = self._stack.enter_context(Sandbox(practice, switches=switches))
        self.server = self._stack.enter_context(HostileServer())
        self.home = Home(self.folder / "home", self.folder / "home")
        self.spare_home = Home(self.folder / "spare", self.folder / "spare")
        for name, value in {**make_environment(self.home.data_folder, self.sandbox.url), "TZ": "UTC"}.items():
            patch.setenv(name, value)
        self.right = {
            call: content(answer_call(practice, switches, call, DETAILED, self.sandbox.url)) for call in CALLS
        }
        self._set_up()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        self._firm = furnish(self.sandbox)
        change_config(self.home, {"xero.api_url": self.server.url})
        self.restore()
        self.sync()
        shutil.copy(self.home.database_file, self.folder / "as-it-was.db")

    def restore(self) -> None:
        """Put back the data, and the right answers."""
        self.server.requests.clear()
        self.server.answers = {call: head() + body for call, body in self.right.items()}
        saved = self.folder / "as-it-was.db"
        if saved.exists():
            for name in self.home.data_folder.glob(f"{self.home.database_file.name}*"):
                name.unlink()
            shutil.copy(saved, self.home.database_file)

    def sync(self, **options: Any) -> Summary:
        """One full run in this process, which waits for nothing."""
        return self._firm.sync(**{"full": True, "clock": Clock(sleep=lambda _: None)} | options)

    def rows(self, query: str) -> list[dict[str, Any]]:
        return self._firm.rows(query)

    def load(self) -> dict[str, list[dict[str, Any]]]:
        """Everything in Active and in its mirror."""
        return {table: self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in DATA_TABLES}

    def say_in_spare_home(self, *arguments: str) -> tuple[int, str, str]:
        """The same in a home that has the data, but names no app at Xero: nothing leaves it, nobody is waited for."""
        shutil.rmtree(self.spare_home.data_folder, ignore_errors=True)
        prepare_home(self.spare_home)
        change_config(self.spare_home, {"sync.default_office_code": "MAIN"})
        shutil.copy(self.folder / "as-it-was.db", self.spare_home.database_file)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XPMSYNC_HOME", str(self.spare_home.data_folder))
            return say(*arguments)


def say(*arguments: str, typed: str = "", clock: Clock | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, run in this process."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    errors = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")  # as Python opens it
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(typed))
        exit_code = cli.run(list(arguments), clock=clock)
    return exit_code, *(_read(stream) for stream in (output, errors))  # type: ignore[return-value]


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.buffer.seek(0)
    return stream.buffer.read().decode("utf-8")


def content(document: Any) -> bytes:
    assert document is not None
    return bytes(document.content())


def recorded(name: str) -> bytes:
    """The body of a recorded answer."""
    return (RECORDINGS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")[2]


DETAILED = {"detailed": "true"}
