"""A secret service of xpmsync's own, for machines without a desktop: started for the length of one command.

It is a private message bus (``dbus-daemon``) and on it ``gnome-keyring-daemon``, whose store lies in a folder of its
own and is unlocked with a key that is kept apart from it. Three things make it safe to use from cron:

- Two daemons on one store lose each other's writes. So one lock is held from before they start until the last of them
  has ended: they inherit its descriptor, and the kernel lets go of it when nobody has it open any more.
- A command that is killed takes them with it: the kernel ends the bus when its parent dies, and gnome-keyring ends when
  it loses its bus.
- The bus starts nothing by itself and there is no display, so that nothing can wait for a person who is not there.

The key goes through a pipe, never through an argument or the environment. Knows processes and files. What is stored,
and whether the key was the right one (gnome-keyring takes a wrong one without a word), is for
``xpmsync.credentials.store``.
"""

import fcntl
import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from xpmsync.errors import KeyringError
from xpmsync.home import Home
from xpmsync.system.private_files import FOLDER_MODE, NotPrivate, open_private
from xpmsync.system.timeouts import OutOfTime, call_within

Result = TypeVar("Result")


class DamagedStore(KeyringError):
    """The store is there, and gnome-keyring cannot read it: it is empty or cut, or holds something else."""


PROGRAMS: Final[Mapping[str, str]] = {
    "dbus-daemon": "dbus",
    "gnome-keyring-daemon": "gnome-keyring",
    "setpriv": "util-linux",
    "sh": "dash",
}
"""What it is made of, and the package of Debian and Ubuntu that each comes in."""
STORE_BEGINS: Final = b"GnomeKeyring\n\r\0\n"
SET_UP: Final = "Run: xpmsync keyring setup"
BUS_NAME: Final = "org.freedesktop.secrets"
LOCK_SECONDS: Final = 120.0
"""For the command before: a long run uses the service until it ends, all others for seconds."""
START_SECONDS: Final = 20.0
"""It takes a quarter of a second on a machine that has nothing else to do."""
STOP_SECONDS: Final = 5.0
STEP_SECONDS: Final = 0.01
LONGEST_KEY_BYTES: Final = 1024
LONGEST_COMPLAINT: Final = 1000

# The daemons work in the folder of the bus. Its whole path may be too long for a socket (107 bytes), and hold letters
# that the parties to D-Bus spell differently.
BUS_ADDRESS: Final = "unix:path=bus"
# As a session's bus, but without any service that it could start by itself.
BUS_SETTINGS: Final = f"""\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{BUS_ADDRESS}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

# The kernel's signal at the parent's death is set by then; a parent that died before that is noticed here.
START_IF_PARENT_LIVES: Final = '[ "$PPID" = "$0" ] && exec "$@"'


@dataclass(frozen=True)
class ServiceFiles:
    """Where a home's own secret service keeps its things."""

    folder: Path
    lock: Path

    @property
    def store(self) -> Path:
        """The secrets, encrypted with the key."""
        return self.folder / "keyrings" / "login.keyring"

    @property
    def strays(self) -> list[Path]:
        """What gnome-keyring makes, and would use, in place of a store that it cannot read."""
        return list(self.store.parent.glob(f"{self.store.stem}_*{self.store.suffix}"))

    @property
    def run_folder(self) -> Path:
        """What lives as long as the service."""
        return self.folder / "run"

    @property
    def bus_settings(self) -> Path:
        """What the bus is told."""
        return self.run_folder / "bus.conf"

    @property
    def errors_file(self) -> Path:
        """What the daemons complain of."""
        return self.run_folder / "errors.txt"

    @property
    def way_out(self) -> str:
        """What to do where the key is lost, and so what the store holds."""
        moved = f"mv {shlex.quote(str(self.folder))} {shlex.quote(f'{self.folder}-locked')}"
        return f"run: {moved}; then: xpmsync keyring setup; then: xpmsync connect --no-browser"


def find_files(home: Home) -> ServiceFiles:
    """The places in `home`."""
    return ServiceFiles(home.own_keyring_folder, home.data_folder / "keyring.lock")


@contextmanager
def run_secret_service(
    files: ServiceFiles, key_file: Path, *, wait_seconds: float = LOCK_SECONDS, may_create: bool = False
) -> Iterator[None]:
    """Run the service for the length of a ``with`` block; meanwhile `connect_to_bus` reaches it.

    Waits up to `wait_seconds` for another command's service to end. A store that is missing is trouble, unless it
    `may_create` one; one that cannot be read is DamagedStore. Call it from the main thread: the kernel ends the service
    with the thread that started it.
    """
    programs = find_programs()
    key = read_key(key_file, files)
    with _hold(files, wait_seconds) as lock:
        _check_store(files, may_create=may_create)
        with (
            _prepare(files) as environment,
            _run_bus(programs, files, environment, lock),
            _run_daemon(programs, files, environment, lock, key) as daemon,
        ):
            _wait_for_name(daemon, files)
            if files.strays:
                raise _explain_damage(files)
            yield


def _check_store(files: ServiceFiles, *, may_create: bool) -> None:
    try:
        begin = files.store.read_bytes()[: len(STORE_BEGINS)]
    except FileNotFoundError:
        if not may_create:
            raise KeyringError(
                f"xpmsync's own keyring, {files.store}, is not there.",
                "Put back a copy of it. If there is none, run: xpmsync keyring setup; then: "
                "xpmsync connect --no-browser",
            ) from None
    except OSError as error:
        raise _explain_disk(files, error) from error
    else:
        if begin != STORE_BEGINS:
            raise _explain_damage(files)


def _explain_damage(files: ServiceFiles) -> DamagedStore:
    return DamagedStore(
        f"The store of xpmsync's own keyring, {files.store}, is damaged. What it held is lost, unless you put back a "
        "copy.",
        f"{SET_UP}; it sets the store aside, and makes a new one. Then sign in again: xpmsync connect --no-browser",
    )


def archive(files: ServiceFiles, now: datetime) -> Path:
    """Rename the folder of the store, so that a new one can be made; returns its new place."""
    with _hold(files, LOCK_SECONDS):
        aside = files.folder.with_name(f"{files.folder.name}-damaged-{now:%Y%m%dT%H%M%SZ}")
        try:
            files.folder.rename(aside)
        except OSError as error:
            raise _explain_disk(files, error) from error
    return aside


def connect_to_bus(files: ServiceFiles) -> Any:
    """A connection to the service's bus, of the kind that SecretStorage takes (keyring's own way to D-Bus)."""
    from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]  # noqa: PLC0415 - Linux's alone

    folder = os.open(files.run_folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_dbus_connection(bus=f"unix:path=/proc/self/fd/{folder}/bus", auth_timeout=START_SECONDS)
    finally:
        os.close(folder)


def find_programs() -> Mapping[str, str]:
    """Where the programs are that the service is made of; KeyringError that names those that are missing."""
    if sys.platform != "linux":
        raise KeyringError(
            "A keyring of xpmsync's own is for Linux servers.",
            "Remove keyring.key_file from config.toml: this machine has a keyring, and xpmsync uses it.",
        )
    found = {name: path for name in PROGRAMS if (path := shutil.which(name))}
    if missing := ", ".join(name for name in PROGRAMS if name not in found):
        raise KeyringError(
            f"xpmsync's own keyring needs programs that are not here: {missing}.",
            f"Install them, on Debian and Ubuntu with: sudo apt install {' '.join(find_missing_packages())}",
        )
    return found


def find_missing_packages() -> list[str]:
    """The packages of Debian and Ubuntu that have the programs which are not here."""
    return [package for name, package in PROGRAMS.items() if not shutil.which(name)]


def read_key(key_file: Path, files: ServiceFiles) -> bytes:
    """The key: the file's one line, without the line's end, which an editor may or may not have written."""
    try:
        with key_file.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(LONGEST_KEY_BYTES + 1)
    except FileNotFoundError:
        raise KeyringError(
            f"The keyring's key file {key_file} is not there.",
            f"Put it back from your backup of keys. If it is lost, so are the secrets that it locked; {files.way_out}",
        ) from None
    except OSError as error:
        raise KeyringError(
            f"The keyring's key file {key_file} cannot be read: {error.strerror}.",
            f"Run xpmsync as the user it was set up for, or let that user's group read it: sudo chgrp GROUP {key_file}"
            f" && sudo chmod 640 {key_file}",
        ) from error
    if mode & stat.S_IRWXO:
        raise KeyringError(
            f"The keyring's key file {key_file} is open to every user of this machine. xpmsync does not use it.",
            f"Run: sudo chmod 640 {key_file}",
        )
    key = text.rstrip(b"\r\n")
    if not key or len(key) > LONGEST_KEY_BYTES or not (key.isascii() and key.decode("ascii").isprintable()):
        raise KeyringError(
            f"The keyring's key file {key_file} does not hold a key: one line of letters, digits and signs.",
            "Put back the one that the keyring was made with. If there is none yet, remove the file, and run:"
            f" xpmsync keyring setup --key-file {shlex.quote(str(key_file))}",
        )
    return key


@contextmanager
def _hold(files: ServiceFiles, wait_seconds: float) -> Iterator[int]:
    """Hold the lock; yields its descriptor, for the daemons to inherit: that of ``xpmsync.system.lock`` is not."""
    try:
        descriptor = open_private(files.lock, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _explain_disk(files, error) from error
    try:
        _lock(descriptor, files.lock, wait_seconds)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, wait_seconds: float) -> None:
    try:
        call_within(wait_seconds, lambda: fcntl.flock(descriptor, fcntl.LOCK_EX))
    except OutOfTime:
        raise KeyringError(
            f"Another xpmsync has been using the keyring for {wait_seconds:.0f} seconds, most likely a sync.",
            f"Wait until it has ended, then try again. (To see which process it is: fuser -v {path})",
        ) from None


@contextmanager
def _prepare(files: ServiceFiles) -> Iterator[dict[str, str]]:
    """Make the folders, free of what a killed command left; yields the daemons' environment: nothing of ours in it."""
    try:
        _tidy_up(files)
        for folder in (files.folder, files.run_folder):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            if folder.is_symlink():
                raise NotPrivate(folder)
            folder.chmod(FOLDER_MODE)
        with open(files.bus_settings, "x", encoding="utf-8", opener=open_private) as file:
            file.write(BUS_SETTINGS)
        open(files.errors_file, "x", opener=open_private).close()
    except OSError as error:
        raise _explain_disk(files, error) from error
    try:
        yield {
            "PATH": os.defpath,
            "HOME": str(files.folder),  # gnome-keyring looks for older stores there
            "XDG_DATA_HOME": str(files.folder),
            "XDG_RUNTIME_DIR": str(files.run_folder),
            "DBUS_SESSION_BUS_ADDRESS": BUS_ADDRESS,
        }
    finally:
        _tidy_up(files)


def _tidy_up(files: ServiceFiles) -> None:
    """Remove what the service leaves beside the store, also where it was killed."""
    shutil.rmtree(files.run_folder, ignore_errors=True)
    for stray in files.strays:
        with suppress(OSError):
            stray.unlink()


@contextmanager
def _run_bus(
    programs: Mapping[str, str], files: ServiceFiles, environment: Mapping[str, str], lock: int
) -> Iterator[None]:
    arguments = (f"--config-file={files.bus_settings}", "--print-address=1", "--nofork", "--nopidfile", "--nosyslog")
    with _run(programs, "dbus-daemon", arguments, files, environment, lock) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101 - as above
        process.stdin.close()
        if not _wait(process.stdout.readline, files):  # its address, once it listens
            raise _explain_failure("The message bus of xpmsync's own keyring does not start.", files)
        yield


@contextmanager
def _run_daemon(
    programs: Mapping[str, str], files: ServiceFiles, environment: Mapping[str, str], lock: int, key: bytes
) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = ("--foreground", "--unlock", "--components=secrets", "--control-directory=.")
    with _run(programs, "gnome-keyring-daemon", arguments, files, environment, lock) as process:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError):  # it has ended already, which is noticed in a moment
            process.stdin.write(key)
            process.stdin.close()
        yield process


@contextmanager
def _run(
    programs: Mapping[str, str],
    name: str,
    arguments: Sequence[str],
    files: ServiceFiles,
    environment: Mapping[str, str],
    lock: int,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one of the two for the length of a ``with`` block, or of this process, whichever is shorter."""
    command = [
        *(programs["setpriv"], "--pdeathsig", "KILL"),
        *(programs["sh"], "-c", START_IF_PARENT_LIVES, str(os.getpid())),
        *(programs[name], *arguments),
    ]
    with open(files.errors_file, "ab", opener=open_private) as errors:
        process = subprocess.Popen(  # noqa: S603 - programs of the system, and paths of ours
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=files.run_folder,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C is for the command, which then ends these in their turn
        )
    with process:
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End it; by force if it is frozen."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_name(daemon: "subprocess.Popen[bytes]", files: ServiceFiles) -> None:
    """Wait until the daemon serves: by then it has tried the key."""
    from jeepney.bus_messages import message_bus  # type: ignore[import-untyped]  # noqa: PLC0415 - Linux's alone
    from jeepney.io.blocking import Proxy  # noqa: PLC0415 - as above

    def wait() -> bool:
        with connect_to_bus(files) as connection:
            bus = Proxy(message_bus, connection)
            while daemon.poll() is None:
                if bus.NameHasOwner(BUS_NAME)[0]:
                    return True
                time.sleep(STEP_SECONDS)
        return False

    if not _wait(wait, files):
        raise _explain_failure("gnome-keyring does not start.", files)


def _wait(call: Callable[[], Result], files: ServiceFiles) -> Result:
    try:
        return call_within(START_SECONDS, call)
    except Exception as error:  # OutOfTime, or what the library for D-Bus makes of a bus that dies
        raise _explain_failure("xpmsync's own keyring has not started.", files) from error


def _explain_failure(happened: str, files: ServiceFiles) -> KeyringError:
    """What the daemons said goes to the log: it is about their start, and no secret has been spoken of yet."""
    words = files.errors_file.read_text("utf-8", errors="replace")[-LONGEST_COMPLAINT:]
    return KeyringError(
        happened, "Try again. If it stays so, the log says what the programs complain of.", details=words
    )


def _explain_disk(files: ServiceFiles, error: OSError) -> KeyringError:
    return KeyringError(
        f"The folder of xpmsync's own keyring, {files.folder}, cannot be used: {error.strerror}.",
        "Make room on the disk, or give the folder back to the user who runs xpmsync.",
    )
