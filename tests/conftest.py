"""What all tests share: how they are run, firms, free ports, processes, somebody at a terminal."""

import io
import itertools
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import firms
import pytest
from firms import Firm
from forks import Forks
from hypothesis import HealthCheck, settings

from xpmsync.active.database import open_database
from xpmsync.active.error_log import save_issues
from xpmsync.active.runs import finish_run, start_run
from xpmsync.errors import XpmsyncError
from xpmsync.home import Home, find_home
from xpmsync.rules.issues import Issue
from xpmsync.sandbox import Practice, Sandbox, browser

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Tests that run in the background ignore Ctrl-C, and so would every program that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
MEMORY, ROOM_BYTES = Path("/dev/shm"), 2 * 1024**3  # noqa: S108 - where Linux keeps files in memory
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
    memory = os.statvfs(MEMORY)
    if memory.f_bavail * memory.f_frsize >= ROOM_BYTES and not memory.f_flag & os.ST_NOEXEC:
        # Thousands of databases would wait for a disk.
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)
# No deadline: how fast the machine is, is not what is tested. In CI the same examples every time: the verdict is on the
# change, not on luck.
settings.register_profile(
    "xpmsync",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("xpmsync")


os.environ.pop("SSH_CONNECTION", None)  # over SSH the advice to sign in is another one

FIRST_PORT = 20_000
"""Our ports end below 32,768, from where Linux gives them away: a port of those that is free when a test looks for one
may be another test's when it is used."""
PORTS_OF_A_WORKER = 1_000
MOST_WORKERS = 12
CRONTAB_PROGRAM = """\
#!/bin/sh
# As Debian's does it.
case "$1" in
-l) cat '{0}' 2> /dev/null || {{ echo "no crontab for ann" >&2; exit 1; }} ;;
-) cat > '{0}.new'
   [ -z "$(tail -c 1 '{0}.new')" ] || {{ echo "missing newline before EOF, can't install." >&2; exit 1; }}
   mv '{0}.new' '{0}' ;;
*) exit 2 ;;
esac
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are cores: most tests wait for a process, a server or a lock."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out unless all are asked for, or one of them by its name."""
    if config.getoption("--all") or any("::" in argument for argument in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in set(slow)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what an error says to the log alone."""
    report = yield
    if call.excinfo and isinstance(call.excinfo.value, XpmsyncError) and call.excinfo.value.details:
        report.sections.append(("Details of the error", call.excinfo.value.details))
    return report


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home, to which the environment points."""
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    return find_home(os.environ)


@pytest.fixture
def record(home: Home) -> Callable[..., None]:
    """Writes one run into the home, some hours before now, with the problems that it met."""

    def record(
        *issues: Issue,
        hours_ago: float = 0,
        now: datetime,
        status: str = "succeeded",
        mode: str = "full",
        **values: Any,
    ) -> None:
        moment = now - timedelta(hours=hours_ago)
        with open_database(home.database_file) as database:
            run_id = start_run(database, tenant_id=None, mode=mode, is_watched=False, now=moment)
            save_issues(database, map(vars, issues), run_id=run_id, now=moment, resolve_others=status == "succeeded")
            finish_run(database, run_id, status=status, now=moment, values=values)

    return record


@pytest.fixture
def no_umask() -> Iterator[None]:
    """What is made without a word about its mode is everybody's to read and write."""
    earlier = os.umask(0)
    yield
    os.umask(earlier)


@pytest.fixture
def small_files() -> Callable[[int], AbstractContextManager[None]]:
    """For the length of a block, it is an error to write a file beyond a number of bytes."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        reaction = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, reaction)

    return limited


@pytest.fixture
def set_zone() -> Iterator[Callable[[str], None]]:
    """Sets the clock on the wall, for the length of a test."""
    with pytest.MonkeyPatch.context() as patch:

        def set_zone(name: str) -> None:
            patch.setenv("TZ", name)
            time.tzset()

        yield set_zone
    time.tzset()


@pytest.fixture(scope="session")
def find_free_port() -> Callable[[], int]:
    """Finds ports on 127.0.0.1 that are free, and stay so until the test uses them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_WORKERS
    # Tests that somebody else runs here at the same time begin elsewhere.
    ports = itertools.count(FIRST_PORT + worker * PORTS_OF_A_WORKER + os.getpid() % (PORTS_OF_A_WORKER // 2))

    def find() -> int:
        while True:
            with socket.socket() as probe:
                port = next(ports)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port

    return find


@pytest.fixture
def free_port(find_free_port: Callable[[], int]) -> int:
    """A port on 127.0.0.1 that is free, and stays so until the test uses it."""
    return find_free_port()


@pytest.fixture(scope="session")
def furnish() -> Callable[[Sandbox, Path, pytest.MonkeyPatch], Firm]:
    """Make a firm with a home in a folder, for as long as the environment points to it."""

    def furnish(sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Firm:
        for name, value in firms.make_environment(folder, sandbox.url).items():
            monkeypatch.setenv(name, value)
        return firms.furnish(sandbox)

    return furnish


@pytest.fixture
def make_firm(
    furnish: Callable[[Sandbox, Path, pytest.MonkeyPatch], Firm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Firm]]:
    """Make a firm of a practice; its home is `tmp_path`, and the environment points to it."""
    sandboxes = []

    def make(practice: Practice | None = None, *, default_partner: str | None = None) -> Firm:
        sandbox = Sandbox(practice or Practice()).start()
        sandboxes.append(sandbox)
        firm = furnish(sandbox, tmp_path / "home", monkeypatch)
        if default_partner:
            firm.sync()
            firm.write(
                "UPDATE offices SET default_partner_id = (SELECT id FROM users WHERE email = ?)", default_partner
            )
        return firm

    yield make
    for sandbox in sandboxes:
        sandbox.stop()


@pytest.fixture(scope="session")
def do_without() -> Callable[[str], NoReturn]:
    """Skips what cannot be tested here, and says why; in CI it fails."""

    def do_without(reason: str) -> NoReturn:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return do_without


@pytest.fixture(scope="session")
def require_program(do_without: Callable[[str], NoReturn]) -> Callable[[str], str]:
    """Gives the path of a program, or does without."""

    def require_program(name: str) -> str:
        return shutil.which(name) or do_without(f"{name} is not installed")

    return require_program


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts commands as processes of their own that have everything loaded already."""
    with Forks() as forks:
        yield forks


@pytest.fixture
def allow_access(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser that a command opens is somebody who presses “Allow access”."""
    monkeypatch.setattr(webbrowser, "open", lambda address: browser.main([address]) == 0)


@pytest.fixture
def crontab(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crontab program that is no one's but the test's; gives the file that is the crontab, once there is one.

    xpmsync is typed as its program, on a machine without a desktop.
    """
    folder = tmp_path_factory.mktemp("machine")
    file = folder / "lines"
    (folder / "crontab").write_text(CRONTAB_PROGRAM.format(file))
    (folder / "crontab").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "argv", [str(Path(sys.executable).with_name("xpmsync"))])
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    return file


@pytest.fixture
def strace() -> str:
    """The program that kills another one at a system call."""
    if path := shutil.which("strace"):
        return path
    if os.environ.get("CI") == "true":
        pytest.fail("strace is not installed")
    pytest.skip("strace is not installed")


@pytest.fixture
def run_shut_out() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs xpmsync as somebody for whom the modes of files hold: also where it is root, whom they do not keep out."""
    limits = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "xpmsync", *arguments]
        if os.geteuid() == 0:
            command = limits + command
        return subprocess.run(command, capture_output=True, check=False, text=True)

    return call


class Terminal(io.StringIO):
    """A keyboard on which somebody has typed ahead."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def type_ahead(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts somebody at a terminal, who gives these answers."""

    def call(*answers: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{answer}\n" for answer in answers)))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "dumb")

    return call
