"""The user's crontab: which of xpmsync's lines it has, when they are due, the environment cron runs them in.

Read by `crontab -l` and written by `crontab -`. Every line but those of one home's hourly commands stays as it is, byte
for byte. Knows nothing of what the commands do.
"""

import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from xpmsync.errors import ConfigurationError
from xpmsync.home import Home, find_home

HOURLY: Final = ("sync", "notify")
"""The commands of xpmsync that a home needs in the crontab, a line for each."""
USUAL_PATH: Final = "/usr/bin:/bin"
PATIENCE_SECONDS: Final = 10.0
VARIABLE: Final = re.compile(r"""\s*(["']?)(?P<name>[A-Za-z_]\w*)\1\s*=\s*(?P<value>.*?)\s*""")
JOB: Final = re.compile(r"\s*(?P<schedule>@\w+|[\d*](\S*\s+){4}\S+)\s+(?P<command>\S.*)")
ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
HOME_REFERENCE: Final = re.compile(r"\\.|'[^']*'|(?P<home>\$(?:HOME\b|\{HOME\}))")
"""What a shell replaces by the user's home folder; and what is in the way of that, an escape or single quotes."""
QUOTED: Final = re.compile(r"""(["'])(?P<text>.*)\1""")
REDIRECTION: Final = re.compile(r"(?:\d*|&)(?:>>?|<)(?P<target>&\d|[^\s;|&<>()`]+)?")
SHORTHANDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What cron takes for a schedule, and CronSim does not know."""


@dataclass(frozen=True)
class Job:
    """One line of a crontab."""

    schedule: str
    command: str
    variables: Mapping[str, str]
    """What is set for it: in the lines above, and in front of the program."""
    number: int
    """Its place among the lines, from 0."""

    def runs(self, name: str) -> bool:
        """Whether it is for this command of xpmsync."""
        return re.search(rf"xpmsync[\"']?\s+{name}\b", self.command) is not None

    def is_plain(self) -> bool:
        """Whether it runs one of the hourly commands, and nothing and nobody has been added to it."""
        words = _split(self.command, self.variables)
        index = _find_xpmsync(words)
        if index is None or words[index + 1 : index + 2] not in [[name] for name in HOURLY]:
            return False
        before = [word for word in words[:index] if not ASSIGNMENT.match(word) and word != "env"]
        is_module = before[1:] == ["-m"] and re.fullmatch(r"python[\d.]*", Path(before[0]).name) is not None
        return (not before or is_module) and _are_redirections(words[index + 2 :])

    def find_missing_program(self) -> str | None:
        """The program, as the line names it, if cron would not find it."""
        program = _find_program(_split(self.command, self.variables))
        found = program and shutil.which(program, path=self.variables.get("PATH", USUAL_PATH))
        return None if found else program

    def works_in(self, home: Home) -> bool:
        """Whether it works in this home."""
        try:
            return find_home(self.variables) == home
        except ConfigurationError:
            return False


@dataclass(frozen=True)
class Crontab:
    """The lines of a crontab in whose commands xpmsync occurs."""

    jobs: tuple[Job, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """What its lines set, for all lines beneath them."""

    def of(self, home: Home) -> "Crontab":
        """The lines that work in this home alone: a person may sync several practices."""
        return Crontab(tuple(job for job in self.jobs if job.works_in(home)), self.variables)

    def runs(self, name: str) -> bool:
        """Whether there is a line for this command of xpmsync."""
        return any(job.runs(name) for job in self.jobs)

    def find_next(self, name: str, now: datetime) -> datetime | None:
        """When this command of xpmsync is due next; None where no line tells."""
        found = (find_next_time(job.schedule, now) for job in self.jobs if job.runs(name))
        return min(filter(None, found), default=None)

    def find_variables(self, home: Home) -> Mapping[str, str]:
        """What is set for the first line that works in this home; where none does, for the first line there is."""
        jobs = self.of(home).jobs or self.jobs
        return jobs[0].variables if jobs else {}


def make_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What cron gives to a command of this user for which these variables are set.

    Raises ConfigurationError where cron can start nothing for this user.
    """
    try:
        user = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise ConfigurationError(
            f"This computer does not know the user that runs xpmsync (number {os.geteuid()}). Cron starts commands for "
            "known users alone.",
            "Run xpmsync as a user that is listed by: getent passwd. If something else starts the syncs, check with: "
            "xpmsync doctor",
        ) from None
    usual = {"HOME": user.pw_dir, "SHELL": "/bin/sh", "PATH": USUAL_PATH}
    return {**usual, **variables, "LOGNAME": user.pw_name}


class CannotRun(Exception):
    """The crontab program is missing, silent, or did not do what it was asked; says why."""


def read_crontab(environment: Mapping[str, str] = os.environ) -> Crontab | None:
    """The crontab of whoever runs this; None where the machine does not tell."""
    try:
        return parse_crontab(read_text(environment))
    except CannotRun:
        return None


def read_text(environment: Mapping[str, str] = os.environ) -> str:
    """The crontab of whoever runs this as it stands, bytes that are no UTF-8 too; empty where there is none.

    Raises CannotRun.
    """
    listing = _run("-l", b"", environment)
    if listing.returncode and b"no crontab" not in listing.stderr:
        raise CannotRun(_explain(listing))
    return (b"" if listing.returncode else listing.stdout).decode("utf-8", "surrogateescape")


def write_text(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Put `text` in the place of the crontab, and read it back; raises CannotRun."""
    written = _run("-", text.encode("utf-8", "surrogateescape"), environment)
    if written.returncode:
        raise CannotRun(_explain(written))
    if read_text(environment) != text:
        raise CannotRun("what was written isn't what is there now")


def _run(option: str, given: bytes, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - the machine's own program
            ["crontab", option],  # noqa: S607 - wherever the machine has it
            env={**environment, "LC_ALL": "C", "CRONTAB_NOHEADER": "Y"},  # Debian's shows its own header without
            capture_output=True,
            check=False,
            input=given,
            timeout=PATIENCE_SECONDS,
        )
    except FileNotFoundError:
        raise CannotRun("there is no crontab program on this computer") from None
    except OSError as error:
        raise CannotRun(f"the crontab program can't be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotRun("the crontab program doesn't answer") from None


def _explain(ended: subprocess.CompletedProcess[bytes]) -> str:
    said = " ".join(ended.stderr.decode("utf-8", "replace").split())
    return (
        f"the crontab program says: {said}" if said else f"the crontab program ended with exit code {ended.returncode}"
    )


def parse_crontab(text: str) -> Crontab:
    """The lines that matter."""
    variables: dict[str, str] = {}
    jobs: list[Job] = []
    for number, line in enumerate(text.replace("\r", "").split("\n")):
        if line.lstrip().startswith("#"):
            continue
        if found := VARIABLE.fullmatch(line):
            variables[found["name"]] = _unquote(found["value"])
        elif (job := JOB.fullmatch(line)) and "xpmsync" in job["command"]:
            own = _find_own_variables(_split(job["command"], variables))
            jobs.append(Job(job["schedule"], job["command"], {**variables, **own}, number))
    return Crontab(tuple(jobs), variables)


def replace_lines(text: str, home: Home, lines: Sequence[str]) -> str:
    """`text` with these lines in the place of this home's plain ones, or at its end; all others stay as they are."""
    kept = text.split("\n")  # each may end in a carriage return, and keeps it
    older = [job.number for job in parse_crontab(text).of(home).jobs if job.is_plain()]
    place = older[0] if older else len(kept) - (kept[-1] == "")
    for number in reversed(older):
        del kept[number]
    kept[place:place] = lines
    return "\n".join(kept if kept[-1] == "" else [*kept, ""])  # crontab refuses a last line that does not end


class _WallClock(tzinfo):
    """The time zone of this computer with its daylight saving, which a zone of `datetime.astimezone` lacks."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, _moment: datetime | None) -> None:
        return None

    def tzname(self, _moment: datetime | None) -> None:
        return None

    def fromutc(self, moment: datetime) -> datetime:
        return datetime.fromtimestamp(moment.replace(tzinfo=UTC).timestamp()).replace(tzinfo=self)  # noqa: DTZ006 - as on the wall


def find_next_time(schedule: str, now: datetime) -> datetime | None:
    """The first moment (UTC) after `now` at which Debian's cron runs a line with this schedule.

    None for what has no such moment (``@reboot``), or is no schedule.
    """
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - where it is shown alone

    try:
        found = next(CronSim(SHORTHANDS.get(schedule, schedule), now.astimezone(_WallClock())), None)
    except CronSimError:
        return None
    return found and found.astimezone(UTC)


def _unquote(value: str) -> str:
    quoted = QUOTED.fullmatch(value)
    return quoted["text"] if quoted else value


def _find_own_variables(words: Sequence[str]) -> dict[str, str]:
    """What a line itself sets, in front of the program."""
    index = _find_xpmsync(words)
    return dict(word.split("=", 1) for word in words[:index] if ASSIGNMENT.match(word))


def _find_program(words: Sequence[str]) -> str | None:
    """The program that a line starts: xpmsync itself, or the Python that runs it as a module."""
    index = _find_xpmsync(words)
    if index is None:
        return None
    return words[index - 2] if words[index - 1 : index] == ["-m"] and index > 1 else words[index]


def _split(command: str, variables: Mapping[str, str]) -> list[str]:
    """The words of a command, with the home folder filled in as the shell does it; none where they cannot be told."""
    marked = HOME_REFERENCE.sub(lambda found: "\0" if found["home"] else found[0], command.replace(r"\%", "%"))
    try:
        words = shlex.split(marked)
    except ValueError:
        return []
    return [word.replace("\0", _find_home_folder(variables)) if "\0" in word else word for word in words]


def _find_home_folder(variables: Mapping[str, str]) -> str:
    """What HOME is for a command of cron's."""
    if "HOME" in variables:
        return variables["HOME"]
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return os.environ.get("HOME", "/")


def _are_redirections(words: Sequence[str]) -> bool:
    """Whether these words only say where the output of a command goes."""
    rest = iter(words)
    for word in rest:
        found = REDIRECTION.fullmatch(word)
        if found is None or (found["target"] is None and next(rest, None) is None):
            return False
    return True


def _find_xpmsync(words: Sequence[str]) -> int | None:
    return next((index for index, word in enumerate(words) if Path(word).name == "xpmsync"), None)
