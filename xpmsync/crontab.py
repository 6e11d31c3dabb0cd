"""The person's crontab: which of xpmsync's lines it has, and the environment in which cron runs them.

Best effort, as `crontab -l` is all there is to ask. Changes nothing; knows nothing of what the commands do.
"""

import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USUAL_PATH: Final = "/usr/bin:/bin"
PATIENCE_SECONDS: Final = 10.0
VARIABLE: Final = re.compile(r"""\s*(["']?)(?P<name>[A-Za-z_]\w*)\1\s*=\s*(?P<value>.*?)\s*""")
JOB: Final = re.compile(r"\s*(@\w+|[\d*](\S*\s+){5})\s*(?P<command>\S.*)")
QUOTED: Final = re.compile(r"""(["'])(?P<text>.*)\1""")


@dataclass(frozen=True)
class Crontab:
    """What matters here of a crontab."""

    variables: Mapping[str, str]
    """Those that are set above xpmsync's first line."""
    commands: tuple[str, ...]
    """The commands in which xpmsync occurs."""

    def runs(self, name: str) -> bool:
        """Whether there is a line for this command of xpmsync."""
        return any(re.search(rf"xpmsync[\"']?\s+{name}\b", command) for command in self.commands)

    def find_missing_program(self) -> str | None:
        """The first program that cron would not find, as a line names it."""
        path = self.variables.get("PATH", USUAL_PATH)
        programs = (_find_program(command) for command in self.commands)
        return next((program for program in programs if program and shutil.which(program, path=path) is None), None)

    def make_environment(self) -> dict[str, str]:
        """What cron gives to a command of this user."""
        user = pwd.getpwuid(os.geteuid())
        usual = {"HOME": user.pw_dir, "SHELL": "/bin/sh", "PATH": USUAL_PATH}
        return {**usual, **self.variables, "LOGNAME": user.pw_name}


def read_crontab(environment: Mapping[str, str] = os.environ) -> Crontab | None:
    """The crontab of whoever runs this; None where the machine does not tell."""
    try:
        listing = subprocess.run(
            ["crontab", "-l"],  # noqa: S607 - wherever the machine has it
            env={**environment, "LC_ALL": "C"},
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if listing.returncode and "no crontab" not in listing.stderr:
        return None
    return parse_crontab(listing.stdout)


def parse_crontab(text: str) -> Crontab:
    """The lines that matter."""
    variables: dict[str, str] = {}
    commands: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if found := VARIABLE.fullmatch(line):
            if not commands:
                variables[found["name"]] = _unquote(found["value"])
        elif (job := JOB.fullmatch(line)) and "xpmsync" in job["command"]:
            commands.append(job["command"])
    return Crontab(variables, tuple(commands))


def _unquote(value: str) -> str:
    quoted = QUOTED.fullmatch(value)
    return quoted["text"] if quoted else value


def _find_program(command: str) -> str | None:
    """The program that a line starts: xpmsync itself, or the Python that runs it as a module."""
    try:
        words = shlex.split(command.replace(r"\%", "%"))
    except ValueError:
        return None
    for index, word in enumerate(words):
        if Path(word).name == "xpmsync":
            return words[index - 2] if words[index - 1 : index] == ["-m"] and index > 1 else word
    return None
