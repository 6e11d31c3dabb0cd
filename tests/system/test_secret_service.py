"""The keyring of xpmsync's own, with the real ``dbus-daemon`` and ``gnome-keyring-daemon``, whatever happens to them;
and the desktop's keyring, on a bus as a desktop has it, as cron's commands meet it."""

import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import Proxy, open_dbus_connection

import xpmsync
from xpmsync.cli import run
from xpmsync.config import KeyringSettings, change_config, read_config
from xpmsync.credentials.daemon import find_files, run_secret_service
from xpmsync.credentials.store import create_own_keyring, opened
from xpmsync.errors import KeyringError
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.sandbox import Practice, Sandbox
from xpmsync.sandbox.browser import press

pytestmark = pytest.mark.slow

KEY = "a key of letters and signs: %2F+="
PATIENCE_SECONDS = 30
"""For what takes a moment, on a machine that has much to do."""

HOLD_OPEN = """
import os, sys, time
from xpmsync.config import read_config
from xpmsync.home import find_home
from xpmsync.credentials.store import opened
home = find_home(os.environ)
with opened(home, read_config(home)) as vault:
    vault.write("sign-in", sys.argv[1])
    print("open", flush=True)
    sys.stdin.read()
"""
WRITE_AT_ONCE = """
import os, sys
from xpmsync.config import read_config
from xpmsync.home import find_home
from xpmsync.credentials.store import opened
home = find_home(os.environ)
for name in sys.argv[1:]:
    if os.fork() == 0:
        with opened(home, read_config(home)) as vault:
            vault.backend.set_password("xpmsync", name, "of " + name)
        os._exit(0)
sys.exit(any(os.wait()[1] for _ in sys.argv[1:]))
"""


@dataclass
class Server:
    """A machine without a desktop, and a home on it."""

    home: Home
    key_file: Path

    @property
    def config(self):
        return read_config(self.home)

    @property
    def store(self):
        return find_files(self.home).store

    def set_up(self):
        create_own_keyring(self.home, self.key_file)
        change_config(self.home, {"keyring.key_file": str(self.key_file)})

    def open(self, **options):
        return opened(self.home, self.config, environment=os.environ, **options)

    def read(self, name="sign-in"):
        with self.open() as vault:
            return vault.read(name)

    def write(self, value):
        with self.open() as vault:
            vault.write("sign-in", value)

    def write_key(self, content, mode=0o640):
        self.key_file.write_bytes(content)
        self.key_file.chmod(mode)

    def processes(self):
        """The daemons of this home, by the folder that they work in."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cwd").readlink().is_relative_to(self.home.data_folder):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue  # ended meanwhile, or somebody else's
        return found

    @contextmanager
    def other_command(self, value="of the other command"):
        """Another process that has the keyring open."""
        with subprocess.Popen(
            [sys.executable, "-c", HOLD_OPEN, value], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"open\n"
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="module")
def set_up_home(tmp_path_factory, require_program):
    """The folder of a home whose keyring is set up, to be copied."""
    for name in ("dbus-daemon", "gnome-keyring-daemon", "setpriv"):
        require_program(name)
    folder = tmp_path_factory.mktemp("set-up")
    home = Home(folder / "home", folder / "home")
    prepare_home(home)
    server = Server(home, folder / "keyring.key")
    server.write_key(f"{KEY}\n".encode())
    server.set_up()
    return home.data_folder


@pytest.fixture
def server(tmp_path, monkeypatch, set_up_home):  # noqa: ARG001 - which has looked for the programs
    for name in ("PYTHON_KEYRING_BACKEND", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path / "home"))
    home = find_home(os.environ)
    prepare_home(home)
    server = Server(home, tmp_path / "keyring.key")
    server.write_key(f"{KEY}\n".encode())
    return server


@pytest.fixture
def own_keyring(server, set_up_home):
    shutil.copytree(set_up_home, server.home.data_folder, dirs_exist_ok=True)
    change_config(server.home, {"keyring.key_file": str(server.key_file)})
    return server


def test_a_secret_is_there_when_the_keyring_is_opened_again_which_takes_no_time_to_speak_of(own_keyring):
    own_keyring.write("one")
    own_keyring.write("two")
    started = time.monotonic()
    assert own_keyring.read() == "two"
    assert time.monotonic() - started < 5
    with own_keyring.open() as vault:
        vault.forget("sign-in")
        assert (vault.description, vault.backend_name) == ("xpmsync's own keyring", None)
    assert own_keyring.read() is None


def test_nothing_of_it_is_open_to_others_or_in_the_clear(own_keyring):
    own_keyring.write("s3cret-of-the-sign-in")
    for path in [own_keyring.home.data_folder, *own_keyring.home.data_folder.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        if path.is_file():
            content = path.read_bytes()
            assert b"s3cret-of-the-sign-in" not in content
            assert KEY.encode() not in content


def test_neither_key_nor_secret_is_in_an_argument_or_the_environment_of_a_process(own_keyring, monkeypatch):
    monkeypatch.setenv("SOMETHING_PRIVATE", "of-the-callers-environment")
    with own_keyring.open() as vault:
        vault.write("sign-in", "s3cret-of-the-sign-in")
        processes = own_keyring.processes()
    assert len(processes) == 2
    seen = b"".join(processes.values())
    assert b"gnome-keyring-daemon" in seen
    for word in (KEY, "s3cret-of-the-sign-in", "of-the-callers-environment"):
        assert word.encode() not in seen


def test_nothing_runs_and_nothing_is_left_lying_about_when_it_is_closed(own_keyring):
    own_keyring.read()
    assert own_keyring.processes() == {}
    assert sorted(path.name for path in find_files(own_keyring.home).folder.iterdir()) == ["keyrings"]


def test_a_wrong_key_is_noticed_and_harms_nothing_and_how_the_line_ends_makes_no_difference(own_keyring):
    own_keyring.write("one")
    own_keyring.write_key(b"another key\n")
    with pytest.raises(KeyringError, match="does not open xpmsync's own keyring") as caught:
        own_keyring.read()
    assert "Put the key back" in caught.value.remedy
    with pytest.raises(KeyringError, match="does not open"):
        own_keyring.set_up()
    for ending in (b"", b"\n", b"\r\n"):
        own_keyring.write_key(KEY.encode() + ending)
        assert own_keyring.read() == "one"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"", 0o640, "does not hold a key"),
        (b"\n", 0o640, "does not hold a key"),
        (b"one line\nand another\n", 0o640, "does not hold a key"),
        (b"a NUL\0 would cut it short", 0o640, "does not hold a key"),
        (b"\xff\xfe", 0o640, "does not hold a key"),
        (b"x" * 2000, 0o640, "does not hold a key"),
        (f"{KEY}\n".encode(), 0o644, "is open to every user"),
        (f"{KEY}\n".encode(), 0o642, "is open to every user"),
    ],
)
def test_a_key_file_that_cannot_be_trusted_is_refused(own_keyring, content, mode, words):
    own_keyring.write_key(content, mode)
    with pytest.raises(KeyringError, match=words) as caught:
        own_keyring.read()
    assert KEY not in f"{caught.value.happened}{caught.value.remedy}{caught.value.details}"


def test_a_key_file_that_is_gone_or_cannot_be_read_says_so(own_keyring):
    own_keyring.key_file.unlink()
    with pytest.raises(KeyringError, match="is not there") as caught:
        own_keyring.read()
    assert "backup" in caught.value.remedy
    own_keyring.key_file.mkdir()
    with pytest.raises(KeyringError, match="cannot be read: Is a directory") as caught:
        own_keyring.read()
    assert f"sudo chmod 640 {own_keyring.key_file}" in caught.value.remedy


@pytest.mark.parametrize(
    ("programs", "missing", "packages"),
    [
        ((), "dbus-daemon, gnome-keyring-daemon", "dbus gnome-keyring util-linux dash"),
        (("sh", "setpriv", "dbus-daemon"), "not here: gnome-keyring-daemon\\.", "gnome-keyring"),
    ],
)
def test_programs_that_are_missing_are_named_with_their_packages(
    own_keyring, monkeypatch, tmp_path, programs, missing, packages
):
    for name in programs:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeyringError, match=missing) as caught:
        own_keyring.read()
    assert caught.value.remedy.endswith(f"sudo apt install {packages}")


def test_a_store_that_is_not_there_is_not_made_in_passing(own_keyring):
    own_keyring.store.unlink()
    with pytest.raises(KeyringError, match="is not there") as caught:
        own_keyring.read()
    assert caught.value.remedy.endswith("run: xpmsync keyring setup; then: xpmsync connect --no-browser")
    assert not own_keyring.store.exists()


def test_setting_up_again_without_the_store_says_that_what_it_held_is_lost(own_keyring, capfd):
    own_keyring.write("one")
    change_config(own_keyring.home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"})
    shutil.rmtree(find_files(own_keyring.home).folder)
    assert run(["keyring", "setup", "--yes"]) == 0  # with the key file of the settings
    shown = " ".join(capfd.readouterr().out.split())
    assert "What an earlier store held is lost." in shown
    assert shown.endswith("Next: xpmsync connect --no-browser")
    assert run(["keyring", "setup", "--yes"]) == 0
    assert capfd.readouterr().out.rstrip().endswith("Next: xpmsync connect --no-browser")
    assert own_keyring.read() is None


def test_a_set_up_that_was_cut_short_is_noticed_and_can_be_finished(server):
    with run_secret_service(find_files(server.home), server.key_file, may_create=True):
        pass
    change_config(server.home, {"keyring.key_file": str(server.key_file)})
    with pytest.raises(KeyringError, match="not set up to the end"):
        server.read()
    server.set_up()
    assert server.read() is None


@pytest.mark.parametrize(
    "damage",
    [lambda _content: b"", lambda content: content[:-1], lambda content: content[:200], lambda _content: b"no keyring"],
    ids=["empty", "cut", "cut in half", "something else"],
)
def test_a_store_that_is_damaged_is_named_and_the_advice_leads_out(own_keyring, capfd, monkeypatch, damage):
    practice = Practice.generate(clients=5, staff=4, seed=7)
    with Sandbox(practice) as sandbox:
        connect_and_configure(own_keyring.home, sandbox, monkeypatch)
        damaged = damage(own_keyring.store.read_bytes())
        own_keyring.store.write_bytes(damaged)
        for command in ("keyring", "sync", "doctor"):
            assert run([command]) == 4
            shown = " ".join("".join(capfd.readouterr()).split())
            assert "is damaged" in shown
            assert "xpmsync keyring setup" in shown
            names = sorted(path.name for path in own_keyring.store.parent.iterdir())
            assert names == ["login.keyring", "user.keystore"]
            assert own_keyring.store.read_bytes() == damaged
        assert run(["keyring", "setup", "--yes"]) == 0  # with the key file of the settings
        shown = capfd.readouterr().out
        (aside,) = own_keyring.home.data_folder.glob("keyring-damaged-*")
        assert f"\n  {aside}\n" in shown
        assert "Next: xpmsync connect --no-browser" in shown
        assert (aside / "keyrings" / "login.keyring").read_bytes() == damaged
        connect_and_configure(own_keyring.home, sandbox, monkeypatch)
        assert run(["sync"]) == 0


def connect_and_configure(home, sandbox, monkeypatch):
    """Sign in without a browser, and set up what a sync needs."""
    urls = {"login_url": f"{sandbox.url}/identity", "identity_url": sandbox.url, "api_url": sandbox.url}
    change_config(home, {"xero.client_id": "sandbox-app", **{f"xero.{key}": url for key, url in urls.items()}})
    shown, answer = io.StringIO(), io.StringIO()

    def read_address(_most):
        address = next(line for line in shown.getvalue().splitlines() if line.startswith("http"))
        return press(address)

    monkeypatch.setattr(answer, "readline", read_address)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", answer)
        patch.setattr(sys, "stdout", shown)
        assert run(["connect", "--no-browser"]) == 0
    email = next(each.elements["Email"] for each in sandbox.practice.staff.values() if "@" in each.elements["Email"])
    answers = ("--office", "SYD", "--office-name", "Sydney", "--default-partner", email, "--notify", email, "--later")
    assert run(["configure", *answers]) == 0


def test_the_set_up_asks_first_and_a_script_has_to_say_so(server, capfd, type_ahead):
    key_file = server.key_file.with_name("new.key")
    command = ["keyring", "setup", "--key-file", str(key_file)]
    assert run(command) == 2
    assert "say --yes" in capfd.readouterr().err
    type_ahead("n")
    assert run(command) == 0
    assert not key_file.exists()
    assert not server.home.config_file.exists()
    assert not server.store.exists()
    type_ahead("y")
    assert run(command) == 0
    assert server.config.keyring.key_file == str(key_file)


@pytest.mark.parametrize("name", ["Smith & Söhne's <~>%41", "long" * 60])
def test_a_home_may_have_any_name(server, tmp_path, name):
    home = Home(tmp_path / name, tmp_path / name)
    prepare_home(home)
    create_own_keyring(home, server.key_file)
    create_own_keyring(home, server.key_file)


def test_a_folder_that_cannot_be_used_is_told(own_keyring):
    folder = find_files(own_keyring.home).folder
    shutil.move(folder, folder.with_name("elsewhere"))
    folder.write_text("a file in the folder's place")
    with pytest.raises(KeyringError, match="cannot be used") as caught:
        create_own_keyring(own_keyring.home, own_keyring.key_file)
    assert "Make room" in caught.value.remedy


def test_commands_at_once_lose_no_write(own_keyring):
    names = [f"writer-{number}" for number in range(8)]
    subprocess.run([sys.executable, "-c", WRITE_AT_ONCE, *names], check=True, timeout=120)
    with own_keyring.open() as vault:
        assert [vault.backend.get_password("xpmsync", name) for name in names] == [f"of {name}" for name in names]


def test_a_command_does_not_wait_for_ever_for_another(own_keyring):
    with own_keyring.other_command() as other:
        started = time.monotonic()
        with (
            pytest.raises(KeyringError, match="Another xpmsync has been using the keyring") as caught,
            own_keyring.open(wait_seconds=0.3),
        ):
            pass
        assert time.monotonic() - started < 5
        assert f"fuser -v {own_keyring.home.data_folder}/keyring.lock" in caught.value.remedy
        other.stdin.close()
        assert own_keyring.read() == "of the other command"


def test_a_command_that_is_killed_leaves_neither_a_daemon_nor_a_lock_and_loses_no_write(own_keyring):
    with own_keyring.other_command("written in time") as other:
        assert len(own_keyring.processes()) == 2
        other.kill()
        other.wait()
        assert own_keyring.read() == "written in time"
    assert own_keyring.processes() == {}


def test_a_daemon_whose_parent_died_before_it_began_does_not_begin(server):
    script = "import sys; from xpmsync.credentials import daemon as s; sys.stdout.write(s.START_IF_PARENT_LIVES)"
    condition = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for parent, expected in ((os.getpid(), "started"), (1, "")):
        command = ["sh", "-c", condition, str(parent), "echo", "-n", "started"]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == expected
    assert server.processes() == {}


@pytest.mark.parametrize("program", [b"gnome-keyring-daemon\0", b"dbus-daemon\0"])
def test_a_daemon_that_freezes_is_given_up_and_ended(own_keyring, monkeypatch, program):
    monkeypatch.setattr("xpmsync.credentials.daemon.STOP_SECONDS", 0.1)
    with own_keyring.open(patience_seconds=1) as vault:
        frozen = next(pid for pid, words in own_keyring.processes().items() if program in words)
        os.kill(frozen, signal.SIGSTOP)
        with pytest.raises(KeyringError, match="has not answered for 1 seconds") as caught:
            vault.read("sign-in")
        assert caught.value.remedy.endswith("run: xpmsync keyring")
    assert own_keyring.processes() == {}
    assert own_keyring.read() is None


def test_a_daemon_that_dies_is_trouble_and_not_a_fault(own_keyring):
    with own_keyring.open(patience_seconds=5) as vault:
        daemon = next(pid for pid, words in own_keyring.processes().items() if b"gnome-keyring-daemon\0" in words)
        os.kill(daemon, signal.SIGKILL)
        with pytest.raises(KeyringError, match="does not work"):
            vault.write("sign-in", "one")
    assert own_keyring.read() is None


def test_a_persons_own_choice_goes_before_it(own_keyring):
    with (
        pytest.raises(KeyringError),
        opened(
            own_keyring.home,
            own_keyring.config,
            environment={"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        ) as vault,
    ):
        vault.read("sign-in")
    assert own_keyring.processes() == {}


def test_the_watchman_does_not_open_it_while_nothing_is_half_done(own_keyring, capfd):
    own_keyring.key_file.unlink()  # it would be noticed
    assert run(["notify"]) == 0
    assert capfd.readouterr() == ("", "")


def test_no_command_opens_a_keyring_past_the_one_way_that_starts_the_own_one():
    package = Path(xpmsync.__file__).parent
    importers = [
        path for path in package.rglob("*.py") if re.search(r"import .*\bopen_vault\b", path.read_text("utf-8"))
    ]
    assert importers == []


@pytest.mark.parametrize("name", ["dbus-daemon", "gnome-keyring-daemon"])
def test_programs_that_do_not_start_are_trouble_whose_details_are_for_the_log(own_keyring, monkeypatch, tmp_path, name):
    broken = tmp_path / "bin" / name
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho something is wrong >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(KeyringError, match="does not start") as caught:
        own_keyring.read()
    assert "something is wrong\n" in caught.value.details
    assert own_keyring.processes() == {}


# The command.


def test_the_set_up_makes_key_and_store_and_says_what_comes_next(server, capfd):
    key_file = server.key_file.parent / "etc" / "keyring.key"
    assert run(["keyring", "setup", "--yes", "--key-file", str(key_file)]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert "it can be read and written" in printed.out
    assert printed.out.rstrip().endswith("Next: xpmsync connect --no-browser")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o640
    assert len(key_file.read_text("ascii").strip()) >= 40
    assert key_file.read_text("ascii").strip() not in printed.out
    assert server.config.keyring == KeyringSettings(key_file=str(key_file))


def test_setting_up_again_keeps_everything(own_keyring, capfd):
    own_keyring.write("one")
    key = own_keyring.key_file.read_bytes()
    assert run(["keyring", "setup", "--yes", "--key-file", str(own_keyring.key_file)]) == 0
    assert "the sign-in" in (printed := capfd.readouterr().out)
    assert "Next" not in printed
    assert own_keyring.key_file.read_bytes() == key
    assert own_keyring.read() == "one"


def test_a_sign_in_that_lies_elsewhere_is_not_copied_without_a_word(server, capfd):
    change_config(server.home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"})
    assert run(["keyring", "setup", "--yes", "--key-file", str(server.key_file)]) == 0
    assert "stays in the keyring where it is, and is not copied" in " ".join(capfd.readouterr().out.split())


def test_a_key_that_only_root_can_make_is_left_to_root(server, capfd):
    server.key_file.unlink()
    server.key_file.parent.joinpath("etc").write_text("no folder can be made here")
    key_file = server.key_file.parent / "etc" / "xpmsync" / "my keyring.key"
    assert run(["keyring", "setup", "--yes", "--key-file", str(key_file)]) == 4
    commands = [line.strip() for line in capfd.readouterr().err.splitlines() if line.startswith("  ")]
    assert len(commands) == 3
    assert commands[0] == f"sudo install -d -m 755 {key_file.parent}"
    assert commands[2] == f"head -c 32 /dev/urandom | base64 | sudo tee '{key_file}' > /dev/null"
    assert not server.store.exists()


def test_a_key_beside_its_store_is_refused(server, capfd):
    assert run(["keyring", "setup", "--key-file", str(server.home.data_folder / "keyring.key")]) == 2
    assert "must be kept apart" in capfd.readouterr().err


def test_a_key_that_this_user_may_not_read_is_answered_with_what_to_do(server, run_shut_out):
    server.key_file.chmod(0)
    process = run_shut_out("keyring", "setup", "--yes", "--key-file", str(server.key_file))
    assert process.returncode == 4
    assert "Run xpmsync as the user it was set up for" in " ".join(process.stderr.split())


def test_a_lost_key_is_not_replaced_by_a_new_one_that_opens_nothing(own_keyring, capfd):
    own_keyring.key_file.unlink()
    assert run(["keyring", "setup", "--yes", "--key-file", str(own_keyring.key_file)]) == 4
    assert "Put it back from your backup of keys" in capfd.readouterr().err
    assert not own_keyring.key_file.exists()


def test_the_command_tells_which_keyring_it_is_and_what_is_in_it_or_that_it_does_not_open(own_keyring, capfd):
    own_keyring.write("one")
    assert run(["keyring"]) == 0
    printed = capfd.readouterr().out
    for words in (str(own_keyring.key_file), "xpmsync's own keyring", "can be read and written", "the sign-in"):
        assert words in printed
    own_keyring.write_key(b"another key")
    assert run(["keyring"]) == 4
    printed = capfd.readouterr()
    assert str(own_keyring.key_file) in printed.out
    assert "does not open" in printed.err


# The desktop's keyring, on a user's bus.


@pytest.fixture
def desktop(server, monkeypatch):
    """Starts a bus as a desktop has it, and the daemon on it: unlocked, if there is a password."""
    folder = str(server.key_file.parent)
    with ExitStack() as stack:

        def start(password=None):
            environment = {"PATH": os.defpath, "HOME": folder, "XDG_RUNTIME_DIR": folder}
            command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"]
            bus = stack.enter_context(_run(command, environment))
            environment["DBUS_SESSION_BUS_ADDRESS"] = address = bus.stdout.readline().decode().strip()
            command = ["gnome-keyring-daemon", "--foreground", "--components=secrets"]
            daemon = stack.enter_context(_run([*command, "--unlock"] if password else command, environment))
            daemon.stdin.write((password or "").encode())
            daemon.stdin.close()
            _wait_for_service(address)
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
            return daemon

        yield start


@contextmanager
def _run(command, environment):
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for_service(address):
    deadline = time.monotonic() + PATIENCE_SECONDS
    with open_dbus_connection(bus=address) as connection:
        while not Proxy(message_bus, connection).NameHasOwner("org.freedesktop.secrets")[0]:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def ask_as_cron(server, forks):
    """Asks a command, in an environment as bare as cron's, what it knows of the keyring."""
    change_config(server.home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"})

    def ask_as_cron():
        names = ("HOME", "XPMSYNC_HOME", "DBUS_SESSION_BUS_ADDRESS")
        environment = {name: os.environ[name] for name in names if name in os.environ}
        exit_code, printed = forks.start(["status", "--json"], environment=environment).finish()
        assert exit_code == 0
        return json.loads(printed)["connection"]

    return ask_as_cron


def test_the_address_of_the_desktops_bus_is_all_that_cron_needs(desktop, ask_as_cron):
    desktop("the user's own password")
    assert ask_as_cron() == {"state": "not connected"}  # nothing was stored, and that could be read


@pytest.mark.parametrize(
    ("has_keyring", "reason"),
    [(True, "The keyring is locked."), (False, "There is no keyring that xpmsync can reach.")],
)
def test_a_desktop_whose_keyring_is_locked_or_not_there_yet_says_so(desktop, ask_as_cron, has_keyring, reason):
    if has_keyring:
        daemon = desktop("the user's own password")
        daemon.kill()
        daemon.wait()
    desktop()
    answer = ask_as_cron()
    assert answer["reason"] == reason
    assert "Log in to the desktop of this machine once" in answer["remedy"]


def test_a_desktops_keyring_that_freezes_is_given_up(desktop, ask_as_cron):
    os.kill(desktop("the user's own password").pid, signal.SIGSTOP)
    assert ask_as_cron()["reason"] == "The keyring has not answered for 5 seconds; it may be locked."


@pytest.mark.parametrize("backend", [None, "keyring.backends.SecretService.Keyring"])
def test_where_there_is_no_bus_the_remedy_is_a_keyring_of_its_own(server, ask_as_cron, backend):
    change_config(server.home, {"keyring.backend": backend})
    assert "xpmsync keyring setup" in ask_as_cron()["remedy"]
