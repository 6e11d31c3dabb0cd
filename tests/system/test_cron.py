"""A server without a desktop, set up by docs/server.md and started by a real cron, from the lines that xpmsync adds.

Every command of the document is run, word by word, by the user who runs the tests: in CI that is root, so it is root's
crontab; a user of its own would need a Python of its own as well. Only what is a person's is put in its place: the
paths and the button that is pressed in the browser. The crontab that was there before is put back.
"""

import itertools
import os
import re
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from firms import point_at

from xpmsync.config import KeyringSettings, read_config
from xpmsync.credentials.refresh_marker import find_mark, set_mark
from xpmsync.home import Home, find_home
from xpmsync.rules.schedule import hourly_minute
from xpmsync.sandbox import Practice, Sandbox
from xpmsync.sandbox.browser import press

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^```sh\n(.+?)^```", (ROOT / "docs" / "server.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
XPMSYNC = Path(sys.executable).with_name("xpmsync")
FAST_CLOCK = "@2026-01-01 10:16:55 x20"
"""For libfaketime: minute 17 is a quarter of a second away, minute 20 nine seconds more."""
WAIT_SECONDS = 120
"""A cron that runs already keeps its own time: what is to be done every minute is done within 60 seconds."""

SUDO = """\
#!/bin/sh
# Root needs no sudo; the packages are installed by .ci/install-debian-packages.
[ "$1 $2" = "apt install" ] || exec "$@"
shift 2
exec dpkg-query --show --showformat='${Package} ${db:Status-Status}\\n' "$@"
"""


@dataclass
class Server:
    """A machine without a desktop: a home, a shell, and Xero's stand-in."""

    home: Home
    folder: Path
    sandbox: Sandbox

    def run(self, command):
        """Run a command of the document as a person types it, and act as she does where it asks for her."""
        command = command.replace("/etc/xpmsync", str(self.folder / "etc")).strip()
        if command.startswith("xpmsync keyring setup"):
            command += " --yes"
        with subprocess.Popen(
            ["/bin/sh", "-euc", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
        ) as process:
            said = ""
            if command == "xpmsync connect --no-browser":
                while not said.startswith("http"):
                    said = process.stdout.readline()
                process.stdin.write(f"{press(said.strip())}\n")
            said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, f"{command}\n{said}"
        return said

    @property
    def environment(self):
        """As after a login through ssh."""
        return {
            "HOME": str(self.folder),
            "PATH": f"{self.folder / 'bin'}:{XPMSYNC.parent}:{os.environ['PATH']}",
            "XPMSYNC_HOME": str(self.home.data_folder),
            "CRONTAB_NOHEADER": "N",  # Debian's crontab then lists three lines of its own
        }

    def write_program(self, name, text):
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755)

    def runs(self):
        if not self.home.database_file.exists():
            return []
        with closing(sqlite3.connect(self.home.database_file)) as connection:
            return connection.execute(
                "SELECT status, is_watched FROM sync_runs WHERE finished_at IS NOT NULL"
            ).fetchall()


@pytest.fixture
def server(tmp_path, monkeypatch, require_program):
    for name in ("dbus-daemon", "gnome-keyring-daemon", "setpriv", "dpkg-query"):
        require_program(name)
    practice = Practice("A practice")
    partner = practice.add_staff("Ann Partner", "ann@example.com")
    practice.add_client("Acmer Pty Ltd", client_code="ACM1", account_manager=partner)
    with Sandbox(practice) as sandbox:
        monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "home"))
        home = find_home(os.environ)
        point_at(home, sandbox.url)
        server = Server(home, tmp_path, sandbox)
        server.write_program("sudo", SUDO)
        yield server


@pytest.fixture
def crontab(require_program):
    """Reads and writes the crontab; puts it back as it was."""
    program = require_program("crontab")
    before = subprocess.run([program, "-l"], capture_output=True, check=False)

    def crontab(option, text=""):
        return subprocess.run([program, option], input=text, capture_output=True, check=True, text=True).stdout

    yield crontab
    if before.returncode == 0:
        subprocess.run([program, "-"], input=before.stdout, check=True)
    else:
        subprocess.run([program, "-r"], check=False)


def is_cron_running():
    names = []
    for file in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            names.append(file.read_text().strip())
    return "cron" in names


@contextmanager
def cron(require_program, do_without):
    """Cron looks at the crontab: the machine's own, or one that is started here, with a clock that hurries."""
    program = require_program("cron")
    if is_cron_running():
        yield
        return
    if os.geteuid() != 0:
        do_without("no cron is running, and only root can start one")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None) or do_without("there is no libfaketime")
    environment = {"PATH": os.defpath, "LD_PRELOAD": str(library), "FAKETIME": FAST_CLOCK}
    with subprocess.Popen([program, "-f"], env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


def choose_minute_17(home):
    """Give the home an ID whose hourly sync is due when the clock that hurries has just begun."""
    ids = (str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in itertools.count())
    home.home_id_file.write_text(next(each for each in ids if hourly_minute(each) == 17) + "\n")


def wait_until(condition):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "cron has not run it"
        time.sleep(0.1)


def test_cron_finds_the_sign_in_on_a_server_set_up_as_the_document_says(server, crontab, require_program, do_without):
    choose_minute_17(server.home)
    others = "MAILTO=root\n# 17 * * * * xpmsync sync\n0 0 1 1 * true\n"
    crontab("-", others)
    for command in COMMANDS:
        said = server.run(command)
        if "apt install" in command:
            assert all(line.endswith(" installed") for line in said.splitlines())
    assert read_config(server.home).keyring == KeyringSettings(key_file=str(server.folder / "etc" / "keyring.key"))
    assert server.runs() == []
    lines = crontab("-l").removeprefix(others)
    assert re.findall(r"(?m)^(\S+) .* (\w+)$", lines) == [("17", "sync"), ("*/10", "notify")]
    if is_cron_running():
        crontab("-", re.sub(r"(?m)^(17|\*/10) ", "* ", others + lines))
    with cron(require_program, do_without):
        wait_until(server.runs)
        assert server.runs()[0] == ("succeeded", 0)
        set_mark(find_mark(server.home.sign_in_lock))  # as if a crash had come between two runs
        done = "no renewal of the sign-in is half done any more"
        wait_until(lambda: done in server.home.log_file.read_text("utf-8"))
    assert not find_mark(server.home.sign_in_lock).exists()
    assert "the sign-in" in server.run("xpmsync keyring")
    assert "succeeded" in server.run("xpmsync status")
    server.run("xpmsync configure --crontab remove")
    assert crontab("-l") == others
