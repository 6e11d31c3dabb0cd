"""A home with a story, and a terminal in which the real commands print.

The practice, the seed and the order of events are fixed. What differs all the same from one machine or minute to the
next is handed in (the computer's name, the user's) or replaced by something of the same length, since a line breaks by
the length of its words.
"""

import itertools
import os
import pty
import re
import select
import shlex
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import pyte
import pytest
from firms import make_environment, point_at
from forks import Command, Forks

from xpmsync.home import find_home
from xpmsync.sandbox import App, Practice, Sandbox
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.sandbox.switches import Switches

WIDEST = 1_000
PATIENCE_SECONDS = 30
PLACE = "/home/ann/kahikatea-and-wattle"
"""What the home's folder is called on a kept screen."""
STAND_INS = {
    r"\d{4}-\d\d-\d\d(?=[ T]\d\d:)": "2026-11-01",
    r"\b\d\d:\d\d(?=:\d\d)": "14:07",
    r"(?<=2026-11-01[ T])\d\d:\d\d": "14:07",
    r"(?<=14:07:)\d\d": "00",
    r"127\.0\.0\.1:\d{5}": "127.0.0.1:55555",
    r"localhost(:|%3A)\d{5}": r"localhost\g<1>55555",
    r"(?<=Port \[)\d{5}": "55555",
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}": "00000000-0000-4000-8000-000000000000",
    r"\b(?!5 January)\d{1,2} [A-Z][a-z]+ 20\d\d, \d\d:\d\d": "1 November 2026, 14:07",
    r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d": "Sun, 01 Nov 2026 14:07:00",
    r"\d+(\.\d+)? (?=[GM]B are free)": "42.0 ",
    r"\d+(?= KB)": "40",
    r"(?<=state=)[\w-]{30}": "s" * 30,
    r"(?<=code_challenge=)[\w-]{43}": "c" * 43,
    r"(?m)^ [0-9a-f]{8}(?=  )": " 00000000",
    r"\d\.\d(?= seconds)": "0.3",
    r"4,[89]\d\d(?= (calls|of))": "4,990",
    r"\d{8}T\d{6}Z": "20261101T140700Z",
}


@dataclass(frozen=True)
class Shown:
    """A command's output as a person sees it."""

    raw: str
    lines: Sequence[str]
    marks: Sequence[str]
    """Where the text is not plain: line, style, words."""


class Terminal:
    """Pseudo-terminals in which commands of xpmsync print, each in a process of its own."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks

    def show(
        self,
        arguments: Sequence[str],
        *,
        environment: dict[str, str],
        columns: int = 80,
        colour: bool = False,
        typed: Sequence[str] = (),
    ) -> Shown:
        """What `arguments` print; `typed` answers the questions, one after the other."""
        controller, terminal = pty.openpty()
        ioctl(terminal, TIOCSWINSZ, pack("HHHH", 50, columns, 0, 0))
        surroundings = {**environment, "TERM": "xterm-256color"} | ({} if colour else {"NO_COLOR": "1"})
        command = self._forks.start_in_terminal(arguments, terminal, surroundings)
        raw = self._converse(controller, command, list(typed))
        os.close(terminal)
        os.close(controller)
        return _look(raw)

    def _converse(self, controller: int, command: Command, answers: list[str]) -> str:
        """Read until the command has ended; whenever it waits behind a question, type the next answer."""
        received = b""
        while True:
            ready, _, _ = select.select([controller, self._forks.line], [], [], PATIENCE_SECONDS)
            if controller in ready:
                received += os.read(controller, 65536)
                if answers and received.endswith(b": "):
                    os.write(controller, f"{answers.pop(0)}\n".encode())
                continue
            if not ready:
                command.kill()
            command.wait()
            assert ready, f"It waits for what nobody types: {received.decode()[-300:]}"
            return received.decode()


def _look(raw: str) -> Shown:
    """The screen at the end, so wide and long that nothing breaks or leaves it that the command has not broken."""
    screen = pyte.Screen(WIDEST, raw.count("\n") + 1)
    pyte.Stream(screen).feed(re.sub("[\u200b-\u200f\ufe0f]", "", raw))  # at a joiner pyte drops the rest of the line
    lines, marks = [], []
    for number in range(screen.lines):
        cells = [screen.buffer[number][column] for column in range(max(screen.buffer[number], default=-1) + 1)]
        lines.append("".join(cell.data for cell in cells).rstrip())
        for _, group in itertools.groupby(cells, key=lambda cell: cell[1:]):  # all but the letter
            alike = list(group)
            style, words = _describe(alike[0]), "".join(cell.data for cell in alike).strip()
            if style and words:
                marks.append(f"{number + 1}: {style}: {words}")
    while lines and not lines[-1]:
        lines.pop()
    return Shown(raw, lines, marks)


def _describe(cell: pyte.screens.Char) -> str:
    names = [name for name in ("bold", "italics", "underscore", "reverse") if getattr(cell, name)]
    return " ".join([*names, cell.fg] if cell.fg != "default" else names)


@pytest.fixture(scope="session")
def printer() -> Iterator[Forks]:
    with Forks("printer:print_screen") as forks:
        yield forks


@pytest.fixture(scope="session")
def terminal(printer: Forks) -> Terminal:
    return Terminal(printer)


@dataclass
class Story:
    """A home in which things have happened; every screen gets a copy of it, at the same place."""

    folder: Path
    place: Path
    environment: dict[str, str]
    sandbox: Sandbox

    def renew(self, *statements: str, is_new: bool = False) -> None:
        """Put a fresh copy of the home in its place, as it was before the first sync or after all, and change it."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.folder.with_name("new") if is_new else self.folder, self.place)
        with closing(sqlite3.connect(self.place / "active.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def normalise(self, text: str) -> str:
        """`text` without what differs from one session to the next, at the same length where lines are broken."""
        text = text.replace(str(self.place), PLACE).replace(str(self.place.parent), str(Path(PLACE).parent))
        for pattern, replacement in STAND_INS.items():
            text = re.sub(pattern, replacement, text)
        return text


@pytest.fixture(scope="session")
def story(printer: Forks, find_free_port: Callable[[], int]) -> Iterator[Story]:
    callback_port = find_free_port()
    practice = Practice.generate(clients=80, staff=12, seed=7)
    # The name of the folder is as long everywhere as the one that stands for it.
    place = Path(tempfile.mkdtemp(prefix="screens-", dir="/tmp"))
    assert len(str(place)) <= len(PLACE)
    place = place / ("x" * (len(PLACE) - len(str(place)) - 1))
    folder = place.with_name("kept")
    programs = place.with_name("programs")
    programs.mkdir()
    crontab = programs / "crontab"
    crontab.write_text(
        "#!/bin/sh\n"
        '[ "$1" = -l ] || exec cat > "$XPMSYNC_HOME/crontab"\n'
        'cat "$XPMSYNC_HOME/crontab" 2>/dev/null || { echo no crontab for ann >&2; exit 1; }\n'
    )
    crontab.chmod(0o700)
    apps = [App(redirect_ports=(callback_port,))]
    switches = Switches(limit_minute=10_000)  # hundreds of screens in a minute are more than Xero would bear
    with Sandbox(practice, apps=apps, switches=switches) as sandbox, Mailbox() as mailbox:
        environment = {
            "HOME": str(place.parent),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PAGER": "cat",  # what is long is all shown
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **make_environment(place, sandbox.url),
            "BROWSER": f"{shlex.quote(sys.executable)} -m xpmsync.sandbox.browser %s",
        }
        home = find_home(environment)
        point_at(home, sandbox.url, {"xero.redirect_uri": f"http://localhost:{callback_port}/callback"})
        home.home_id_file.touch(0o600)
        home.home_id_file.write_text("3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11\n")  # decides the minute of the hourly sync

        def happen(*arguments: str, exit_code: int = 0) -> None:
            ended, printed = printer.start(arguments, environment=environment).finish()
            assert ended == exit_code, printed

        happen("connect")
        people = [each for each in practice.staff.values() if "@" in str(each.elements.get("Email"))]
        partner = str(people[0].elements["Email"])
        happen(
            *("configure", "--sync-name", "Kahikatea & Wattle", "--office", "AKL", "--office-name", "Auckland"),
            *("--default-partner", partner, "--notify", partner, "--smtp-host", "127.0.0.1", "--smtp-port"),
            *(str(mailbox.port), "--smtp-security", "none", "--smtp-from", "xpmsync@example.com", "--later"),
        )
        shutil.copytree(place, folder.with_name("new"))
        happen("sync")
        known = [uuid for uuid, each in practice.clients.items() if each.name and each.elements.get("ClientCode")]
        practice.edit_client(known[0], name="Kōwhai & Daughters Ltd", email="office@kowhai.example")
        practice.archive_client(known[1])
        happen("sync")
        with sandbox.faults.active("user-revoked"):
            happen("sync", exit_code=7)
        happen("backup", str(place.with_name("copy.db")))
        shutil.copytree(place, folder)
        yield Story(folder, place, environment, sandbox)
    shutil.rmtree(place.parent)
