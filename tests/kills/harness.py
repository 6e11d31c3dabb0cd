"""Kills a command anywhere, and looks whether anything was lost. What is killed, `scenes.py` says.

Three techniques:

- **system call**: strace records every system call of an undisturbed run that changes something or speaks to somebody,
  and sends SIGKILL when the nth of a kind is about to be made. It counts each thread by itself, so of the short-lived
  threads that speak to the keyring and to Xero it reaches the first alone; the next technique reaches the others.
- **word**: Xero and the keyring are this process; at the nth word that reaches them the other side dies, before the
  word is acted on or before the answer goes out.
- **moment**: at a random moment after the nth word.

Every kill meets a fresh copy of the home; the sandbox lives on: its clock goes forward only, and a sign-in that was
renewed stays so.
"""

import contextlib
import difflib
import functools
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from unittest import mock

from firms import make_environment
from forks import Command, Forks
from scenes import SCENES, Scene, make_practice
from state import State, age_reservations, find_alert, load_alerts, load_state, load_times

from xpmsync.config import read_config
from xpmsync.credentials.refresh_marker import find_mark
from xpmsync.credentials.store import opened
from xpmsync.home import find_home
from xpmsync.sandbox import Sandbox, Switches
from xpmsync.sandbox.answers import Answer
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.sandbox.server import Manner, Reply
from xpmsync.xpm.tokens import open_tokens

SYSTEM_CALLS = (
    *("openat", "write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "rename", "renameat"),
    *("renameat2", "unlink", "unlinkat", "rmdir", "link", "linkat", "mkdir", "mkdirat", "fchmod", "chmod", "flock"),
    *("socket", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg", "shutdown", "exit_group"),
)
SIGN_IN_NEEDED = 4
GRACE_SECONDS = 31 * 60
"""A minute longer than Xero accepts a refresh token that was replaced."""
LOG_LINES = 6
MOMENTS_IN = 4
"""After so many steps comes a random moment."""


class Finding(Exception):
    """Something was lost, or half done."""


@dataclass(frozen=True)
class Kill:
    """When a process dies, and whether the watchman and half an hour pass before the next run."""

    technique: str
    name: str
    number: int
    delay_seconds: float = 0.0
    waits: bool = False

    def __str__(self) -> str:
        patience = "later" if self.waits else "at-once"
        return f"{self.technique}:{self.name}:{self.number}:{self.delay_seconds:.4f}:{patience}"

    @classmethod
    def from_text(cls, text: str) -> "Kill":
        technique, name, number, delay, waits = text.split(":")
        return cls(technique, name, int(number), float(delay), waits == "later")


class FatalSandbox(Sandbox):
    """Counts the words that reach it, and kills whoever says the one that is ordered."""

    def __init__(self) -> None:
        super().__init__(
            make_practice(),
            switches=Switches(limit_minute=10**6, limit_app_minute=10**6, limit_day=10**6),
        )
        self.heard: list[float] = []
        self._counting = threading.Lock()
        self._order: Kill | None = None
        self._kill: Callable[[], None] = lambda: None

    def arm(self, order: Kill | None, kill: Callable[[], None]) -> None:
        """Begin to count anew."""
        with self._counting:
            self.heard.clear()
            self._order, self._kill = order, kill

    def answer(self, request):
        if request.path.startswith("/identity/"):  # the browser's
            return super().answer(request)
        with self._counting:
            self.heard.append(time.monotonic())
            order = self._order if self._order and self._order.number == len(self.heard) else None
        if order and order.name == "before":
            self._kill()
            return Reply(Answer(HTTPStatus.OK), Manner(lost=True))
        reply = super().answer(request)
        if order and order.name == "after":
            self._kill()
        elif order:
            self.kill_later(order.delay_seconds)
        return reply

    def kill_later(self, seconds: float) -> None:
        threading.Timer(seconds, self._kill).start()


class Stage:
    """One scene: its sandbox, its mailbox, its home before and after, and what an undisturbed run does."""

    def __init__(self, scene: Scene, folder: Path, sandbox: FatalSandbox, mailbox: Mailbox, forks: Forks) -> None:
        self.scene, self.folder, self.sandbox, self.mailbox, self._forks = scene, folder, sandbox, mailbox, forks
        self.home = find_home(os.environ)
        self._template = folder / "template"
        self.kills: Counter[str] = Counter()
        self.survived = 0
        self._prepare()
        self._record()

    # Running.

    def perform(
        self,
        command: tuple[str, ...],
        converse: Callable[[Command], None],
        tracer: Sequence[str] = (),
        order: Kill | None = None,
    ) -> int:
        """Run a command as a process of its own, and kill it as ordered; gives how it ended."""
        process = self._forks.start(self._fill(command), tracer=tracer)
        self.sandbox.arm(order, process.kill)
        if order and order.technique == "moment" and order.number == 0:
            self.sandbox.kill_later(order.delay_seconds)
        try:
            with contextlib.suppress(BrokenPipeError):  # it may be dead by now
                converse(process)
            return process.finish()[0]
        finally:
            self.words = list(self.sandbox.heard)
            self.sandbox.arm(None, lambda: None)

    def play(self, tracer: Sequence[str] = (), order: Kill | None = None) -> int:
        """Run the scene's command."""
        return self.perform(self.scene.command, self.scene.converse, tracer, order)

    def run(self, command: tuple[str, ...], expected: int = 0) -> None:
        exit_code = self.perform(command, lambda _command: None)
        if exit_code != expected:
            raise Finding(
                f"xpmsync {' '.join(command)} ended with {exit_code} instead of {expected}\n{self._read_log()}"
            )

    def _fill(self, command: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.format(mail_port=self.mailbox.port) for word in command)

    def follow(self) -> int:
        """Run what follows, to its end."""
        return self.perform(
            self.scene.following, self.scene.converse if not self.scene.follow else lambda _command: None
        )

    # Preparing and recording.

    def _prepare(self) -> None:
        self.scene.prepare(self)
        shutil.copytree(self.home.data_folder, self._template)
        self.old_times = load_times(self._template / "active.db")
        time.sleep(1.01 - time.time() % 1)  # so that no new time is an old one
        self.before, self.settings_before = self.look(), self.read_settings()

    def refresh(self) -> None:
        """A fresh copy of the home."""
        shutil.rmtree(self.home.data_folder, ignore_errors=True)
        shutil.copytree(self._template, self.home.data_folder)
        self.scene.arrange(self)
        self.mailbox.messages.clear()

    def _record(self) -> None:
        """What undisturbed runs do, and what they leave."""
        self.refresh()
        began_at = time.monotonic()
        self.exit_code = self.play()
        ended_at = time.monotonic()
        self.steps = [
            Kill("word", name, number + 1) for number in range(len(self.words)) for name in ("before", "after")
        ]
        moments = [began_at, *self.words, ended_at]
        self.gaps = [end - begin for begin, end in pairwise(moments)]
        self.after, self.settings_after, self.files = self.look(), self.read_settings(), self.list_files()
        self.following_exit_code = self.follow()
        self.following, self.files = self.look(), self.files | self.list_files()
        sent_to = sorted(message["To"] for message in self.mailbox.messages)
        assert sent_to == sorted(self.list_alerted()), "an undisturbed run alerts everybody once"
        if has_strace():
            self.refresh()
            trace = self.folder / "trace"
            calls = ",".join(f"?{name}" for name in SYSTEM_CALLS)
            self.play(["strace", "-f", "-e", "signal=none", "-e", f"trace={calls}", "-o", str(trace)])
            self.steps += read_steps(trace.read_text("utf-8", "replace"))

    # Killing.

    @property
    def round_length(self) -> int:
        """How many kills take in every step once, with the random moments among them."""
        return len(self.steps) + -(-len(self.steps) // MOMENTS_IN)

    def choose(self, chance: random.Random) -> Iterator[Kill]:
        """Every step once, in a random order, with random moments among them; and so on without end."""
        while True:
            for index, step in enumerate(chance.sample(self.steps, len(self.steps))):
                yield replace(step, waits=chance.random() < 0.5)
                if index % MOMENTS_IN == 0:
                    number = chance.randrange(len(self.gaps))
                    delay = round(chance.uniform(0, self.gaps[number]), 4)
                    yield Kill("moment", "random", number, delay, waits=chance.random() < 0.5)

    def kill(self, kill: Kill) -> None:
        """Kill the command, and see that nothing is lost. Raises Finding."""
        self.refresh()
        if kill.technique == "call":
            orders = (f"trace={kill.name}", f"inject={kill.name}:signal=KILL:when={kill.number}")
            tracing = [word for order in orders for word in ("-e", order)]
            exit_code = self.play(["strace", "-f", "-o", "/dev/null", *tracing])
        else:
            exit_code = self.play(order=kill)
        if exit_code == -signal.SIGKILL:
            self.kills[kill.technique] += 1
        elif exit_code == self.exit_code:
            self.survived += 1
        else:
            raise Finding(f"the command ended with {exit_code}")
        try:
            self._verify(kill)
        except Exception as error:
            words = f"{error}" if isinstance(error, Finding) else f"{type(error).__name__}: {error}"
            raise Finding(f"{words}\n{self._read_log()}") from error

    def _verify(self, kill: Kill) -> None:
        state = self.look()
        expected = self._judge(state)
        if self.read_settings() not in (self.settings_before, self.settings_after):
            raise Finding("the settings are neither as before nor as after")
        is_ahead = self.read_settings() != self.settings_before and state.rows != self.after.rows
        if is_ahead and not self.scene.settings_come_first:
            raise Finding("the settings are those after the command, and the database is not")
        self._check_notified(state)
        self._check_alert_file()
        self._check_modes()
        if kill.waits and self.home.database_file.exists():
            self.run(("notify",))
            self._check_sign_in_is_settled()
            self.sandbox.clock.advance(GRACE_SECONDS)
        exit_code = self.follow()
        final = self.look()
        if (final.rows, exit_code) not in [(rows.rows, code) for rows, code in expected]:
            wanted, code = expected[-1]
            raise Finding(
                f"the next run ended with {exit_code}, and not as undisturbed with {code}:\n{compare(final, wanted)}"
            )
        if final.running or final.interrupted != state.running or final.damage:
            raise Finding(f"the next run left {final.running} running, {final.interrupted} interrupted, {final.damage}")
        if self.read_settings() != self.settings_after:
            raise Finding("the settings after the next run are not those of an undisturbed one")
        self._check_sign_in_is_settled()
        if not self.scene.ends_sign_in:
            self._check_sign_in_works()
        elif self.read_sign_in():
            raise Finding("the sign-in is still there")
        self._check_audit_trail()
        self._check_mail()
        self._check_leftovers()

    def _judge(self, state: State) -> list[tuple[State, int]]:
        """What may follow: the state and the exit code of an undisturbed run."""
        if state.damage:
            raise Finding(f"the database is damaged: {state.damage}")
        if state.running > 1 or state.interrupted:
            raise Finding(f"{state.running} runs are running, {state.interrupted} are interrupted")
        if state.migrations not in (
            self.before.migrations,
            self.after.migrations,
            self.following.migrations,
            frozenset(),
        ):
            raise Finding(f"the database is half migrated: {state.migrations}")
        as_after = (self.following, self.following_exit_code)
        expected = []
        in_between = [self.after.without(*self.scene.in_between).rows] if self.scene.in_between else []
        if state.rows in (self.before.rows, *in_between):
            expected.append((self.after, self.exit_code) if not self.scene.follow else as_after)
        if state.rows == self.after.rows:
            expected.append(as_after)
            if self.scene.ends_sign_in:  # killed once Xero had ended it: nobody knows then what Xero still lists
                expected.insert(0, (self.following, SIGN_IN_NEEDED))
            if state.running and state.rows != self.before.rows:
                raise Finding("the run's data is there, and the run is said to be running")
        if not expected:
            nearest = min((self.before, self.after), key=lambda each: len(each.rows ^ state.rows))
            raise Finding(f"neither as before nor as after; against the nearest of them:\n{compare(state, nearest)}")
        return expected

    # Looking.

    def look(self) -> State:
        return load_state(self.home.database_file, self.old_times, self.folder / "scratch")

    def read_settings(self) -> bytes:
        return self.home.config_file.read_bytes()

    def list_files(self) -> set[str]:
        """The names in the home; the audit trail has one of each month."""
        return {path.name for path in self.home.data_folder.iterdir() if not path.match("audit-*.jsonl")}

    def _read_log(self) -> str:
        """The end of the home's log, for whoever looks into a finding."""
        lines = self.home.log_file.read_text("utf-8").splitlines() if self.home.log_file.exists() else []
        return "\n".join(f"  log: {line}" for line in lines[-LOG_LINES:])

    def read_sign_in(self) -> dict[str, object] | None:
        with opened(self.home, read_config(self.home)) as vault:
            text = vault.read("sign-in")
        return json.loads(text) if text else None

    def write_sign_in(self, sign_in: dict[str, object]) -> None:
        with opened(self.home, read_config(self.home)) as vault:
            vault.write("sign-in", json.dumps(sign_in))

    def _check_modes(self) -> None:
        for path in self.home.data_folder.rglob("*"):
            if path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Finding(f"others can read {path.name}")

    def _check_audit_trail(self) -> None:
        for path in self.home.data_folder.glob("audit-*.jsonl"):
            for line in path.read_text("utf-8").splitlines():
                json.loads(line)

    def _check_notified(self, state: State) -> None:
        """Whoever is told of trouble has to be somebody who still works here."""
        email = read_config(self.home).notify.email
        users = [row.split(" · ") for row in state.rows if row.startswith("users: ")]
        if users and email and not any({f"email={email}", "status=active"} <= set(cells) for cells in users):
            raise Finding(f"{email} is to be notified, and is no active user")

    def _check_sign_in_is_settled(self) -> None:
        if find_mark(self.home.sign_in_lock).exists():
            raise Finding("a renewal of the sign-in is still marked as half done")
        sign_in = self.read_sign_in()
        if sign_in and sign_in["intent_at"]:
            raise Finding("a renewal of the sign-in is still half done")

    def _check_sign_in_works(self) -> None:
        config = read_config(self.home)
        with opened(self.home, config) as vault:
            open_tokens(self.home, config, vault).access_token()

    def list_alerted(self) -> list[str]:
        """Who gets an email in this scene."""
        settings = read_config(self.home).notify
        return [settings.email, *settings.cc] if self.scene.sends_mail else []

    def _check_mail(self) -> None:
        """Everybody gets one email, and nobody two, unless it died while the text was on its way."""
        self._count_mail()
        alerts = load_alerts(self.home.alert_file)
        missing = self._find_missing()
        for address in missing:
            if not find_alert(alerts, address).keys() & {"reserved_at", "sent_at"}:
                raise Finding(f"{address} was not alerted, and nothing says that an alert was about to be sent")
        unsent = [address for address in missing if "sent_at" not in find_alert(alerts, address)]
        if unsent:
            age_reservations(self.home.alert_file, minutes=11)
            self.perform(("notify",), lambda _command: None)
            self._count_mail()
        if lost := {*unsent} & {*self._find_missing()}:
            raise Finding(f"not alerted although no text had gone out: {', '.join(lost)}")

    def _count_mail(self) -> None:
        received = Counter(message["To"] for message in self.mailbox.messages)
        if received.keys() - {*self.list_alerted()} or max(received.values(), default=0) > 1:
            raise Finding(f"emails were sent: {dict(received)}")

    def _find_missing(self) -> list[str]:
        received = {message["To"] for message in self.mailbox.messages}
        return [address for address in self.list_alerted() if address not in received]

    def _check_alert_file(self) -> None:
        """Whatever is cut off, one half of the file is whole."""
        if load_alerts(self._template / self.home.alert_file.name) and not load_alerts(self.home.alert_file):
            raise Finding("the alert file is not whole")

    def _check_leftovers(self) -> None:
        if self.list_files() - self.files and self.scene.following[0] != "sync":
            self.perform(("sync",), lambda _command: None)  # the hourly run clears away what others left
        if left := self.list_files() - self.files - {"active.db", "run.lock"}:
            raise Finding(f"left behind: {', '.join(sorted(left))}")


@contextlib.contextmanager
def staged(scene: Scene, folder: Path, forks: Forks) -> Iterator[Stage]:
    """A scene, ready to be killed."""
    folder.mkdir()
    with (
        FatalSandbox() as sandbox,
        Mailbox() as mailbox,
        mock.patch.dict(os.environ, make_environment(folder / "home", sandbox.url)),
    ):
        yield Stage(scene, folder, sandbox, mailbox, forks)


def find_scene(name: str) -> Scene:
    return next(scene for scene in SCENES if scene.name == name)


@functools.cache
def has_strace() -> bool:
    """Whether strace is there and may trace here."""
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0
    )


def read_steps(trace: str) -> list[Kill]:
    """The steps in what strace has written: each kind of call as often as the thread that makes most of them."""
    counts: dict[str, Counter[str]] = {}
    creating = []
    for line in trace.splitlines():
        if found := re.match(r"(\d+) +(\w+)\((.*)", line):
            thread, name, arguments = found.groups()
            counts.setdefault(name, Counter())[thread] += 1
            if name == "openat" and "O_CREAT" in arguments:
                creating.append(Kill("call", name, counts[name][thread]))
    opened_for_reading = counts.pop("openat", None)
    del opened_for_reading
    return sorted(set(creating), key=str) + [
        Kill("call", name, number + 1)
        for name, threads in sorted(counts.items())
        for number in range(max(threads.values()))
    ]


def compare(state: State, expected: State) -> str:
    """What differs, row by row; of two that are nearly the same, the cells that are not."""
    missing = sorted(expected.rows - state.rows)
    lines = []
    for row in sorted(state.rows - expected.rows):
        near = difflib.get_close_matches(row, missing, n=1, cutoff=0.8)
        if near:
            missing.remove(near[0])
            cells, wanted = row.split(" · "), near[0].split(" · ")
            lines.append(
                f"  {cells[0]}: {[each for each in cells if each not in wanted]}, "
                f"not {[each for each in wanted if each not in cells]}"
            )
        else:
            lines.append(f"  too much: {row}")
    return "\n".join([*lines, *(f"  missing: {row}" for row in missing)][:40])
