"""xpmsync's two lines of the crontab: shown, put in, taken out, and offered where somebody can be asked.

Before the crontab is changed, a copy of it is kept in the data folder. What stands in one is read elsewhere
(`xpmsync.monitoring.crontab`).
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from xpmsync.cli.console import open_console, print_advice, print_text
from xpmsync.cli.formatting import clean, confirm, is_watched, print_remark
from xpmsync.config import Config
from xpmsync.errors import InvalidRequest
from xpmsync.home import HOME_VARIABLE, Home, load_home_id
from xpmsync.monitoring.crontab import HOURLY, CannotRun, Crontab, parse_crontab, read_text, replace_lines, write_text
from xpmsync.rules.schedule import hourly_minute
from xpmsync.system.atomic import replaced

DEEDS: Final = ("install", "remove", "print")
INSTALL: Final = "xpmsync configure --crontab install"
REMOVE: Final = "xpmsync configure --crontab remove"
PASTE: Final = "To see the two lines, and paste them yourself: xpmsync configure --crontab print"
PLATFORM_VARIABLES: Final = ("XDG_CONFIG_HOME", "XDG_DATA_HOME")
"""Where the platform's own folders are, if it is elsewhere than usual: cron does not know."""
KEPT_COPIES: Final = 5


def edit_crontab(deed: str, home: Home, config: Config) -> None:
    """Do one of `DEEDS`."""
    match deed:
        case "install":
            _install(home, config)
        case "remove":
            _remove(home)
        case _:
            _print(home, config)


def _print(home: Home, config: Config) -> None:
    """Print the two lines for pasting."""
    click.echo("# Paste these lines with: crontab -e")
    _show(make_lines(home, config, _read() or ""))


def _install(home: Home, config: Config) -> None:
    """Put the two lines into the crontab, in the place of this home's older ones, and say what was done."""
    text = _read_or_refuse()
    lines, older = make_lines(home, config, text), _find_older(text, home)
    if older == lines:
        print_text(open_console(), "Your crontab has the two lines already.")
    else:
        _change(home, text, lines, {"Added to your crontab:": lines, "Removed from it:": older})
    _name_others(parse_crontab(text), home)


def _remove(home: Home) -> None:
    """Take this home's lines out of the crontab, and say what was done."""
    text = _read_or_refuse()
    older = _find_older(text, home)
    if older:
        _change(home, text, (), {"Removed from your crontab:": older})
    else:
        print_text(open_console(), "Your crontab has no such line for this data folder.")
    _name_others(parse_crontab(text), home)


def offer_lines(home: Home, config: Config, *, may_ask: bool, are_coming: bool) -> None:
    """Ask whether the two lines shall go into the crontab; print them for pasting where nobody or nothing can do it.

    Says nothing of them where syncs are coming without a line, as from a systemd timer.
    """
    text = _read()
    lines, older = make_lines(home, config, text or ""), _find_older(text or "", home)
    crontab = parse_crontab(text or "").of(home)
    if all(crontab.runs(name) for name in HOURLY) and (older in ([], lines) or not may_ask):
        return
    console = open_console()
    if are_coming and not crontab.runs("sync"):
        print_text(console, "Syncs start by themselves already, though not from your crontab.")
        return
    if text is None or not may_ask:
        print_text(console, "Syncs start every hour once these lines are in your crontab (crontab -e):")
        _show(lines)
        if text is not None:
            print_advice(console, f"To add them: {INSTALL}")
        return
    print_text(console, "Cron starts the hourly sync and sends the alerts. The two lines for your crontab:")
    _show(lines)
    if older:
        print_text(console, "They replace:")
        _show(older)
    if not confirm("Add the two lines to your crontab?", default=True):
        print_advice(console, f"To add them later: {INSTALL}")
        return
    if _try(lambda: _install(home, config)):
        print_text(console, "See whether cron has all it needs: xpmsync doctor --cron")


def offer_removal(home: Home) -> None:
    """Ask whether this home's lines shall go out of the crontab, if it has any; in a script, say how."""
    text = _read() or ""
    crontab, older = parse_crontab(text).of(home), _find_older(text, home)
    if not any(crontab.runs(name) for name in HOURLY):
        return
    console = open_console()
    if older and is_watched():
        print_text(console, "Your crontab still starts syncs for this data folder:")
        _show(older)
        if confirm("Remove these lines from your crontab?", default=True) and _try(lambda: _remove(home)):
            return
    print_advice(
        console, f"To stop for good, remove xpmsync's lines from your crontab: {REMOVE}. Otherwise you get an alert."
    )


def _try(change: Callable[[], None]) -> bool:
    """Change the crontab after something else, which is done whatever comes of this; says what went wrong."""
    try:
        change()
    except InvalidRequest as error:
        print_remark(f"{error.happened} {error.remedy}")
        return False
    return True


def make_lines(home: Home, config: Config, text: str) -> list[str]:
    """The two lines as they stand in the crontab `text`, each with all that it needs, so that no other line matters."""
    if os.environ.get(HOME_VARIABLE):
        variables = {HOME_VARIABLE: str(home.config_folder)}
    else:
        variables = {name: os.environ[name] for name in PLATFORM_VARIABLES if name in os.environ}
        if parse_crontab(text).variables.get(HOME_VARIABLE):
            variables[HOME_VARIABLE] = ""  # another line sets one for all lines beneath it
    bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if bus and not config.keyring.key_file:
        variables["DBUS_SESSION_BUS_ADDRESS"] = bus  # without it cron's commands do not find the desktop's keyring
    words = [sys.executable, "-m", "xpmsync"] if sys.argv[0].endswith("__main__.py") else [os.path.abspath(sys.argv[0])]  # noqa: PTH100 - a link stays what it is
    assignments = [f"{name}={shlex.quote(value) if value else ''}" for name, value in variables.items()]
    program = " ".join([*assignments, shlex.join(words)]).replace("%", r"\%")
    if "\n" in program:
        raise InvalidRequest(
            "A path with a line break can't stand in a crontab.", "Move the data folder or the program."
        )
    return [f"{hourly_minute(load_home_id(home))} * * * * {program} sync", f"*/10 * * * * {program} notify"]


def _find_older(text: str, home: Home) -> list[str]:
    """This home's lines that `replace_lines` replaces, as they stand there."""
    lines = text.split("\n")
    return [lines[job.number] for job in parse_crontab(text).of(home).jobs if job.is_plain()]


def _name_others(crontab: Crontab, home: Home) -> None:
    """Name the lines that run the hourly commands too, and that somebody has written by hand: those are left alone."""
    for job in crontab.of(home).jobs:
        if any(job.runs(name) for name in HOURLY) and not job.is_plain():
            print_text(open_console(), "Left as it is, since it was changed by hand; remove it if it's not needed:")
            _show([f"{job.schedule} {job.command}"])


def _change(home: Home, text: str, lines: Sequence[str], done: Mapping[str, Sequence[str]]) -> None:
    """Replace this home's lines by `lines`, keep a copy of the crontab before, and say what was `done`."""
    copy = _keep_copy(home, text) if text else None
    try:
        write_text(replace_lines(text, home, lines))
    except CannotRun as error:
        if _read() == text:
            raise InvalidRequest(f"The crontab was not changed: {error}.", PASTE) from error
        look = f"Compare your crontab (crontab -l) with its copy: {copy}" if copy else "Look at it: crontab -l"
        raise InvalidRequest(f"The crontab may be damaged: {error}.", look) from error
    console = open_console()
    for what, shown in done.items():
        if shown:
            print_text(console, what)
            _show(shown)
    if copy:
        print_text(console, "The crontab as it was before is kept in this file:")
        click.echo(f"  {copy}")  # on one line, to be copied


def _keep_copy(home: Home, text: str) -> Path:
    """Keep a copy of the crontab, its owner's alone, and a few of those before it."""
    now = datetime.now(UTC)
    copy = home.data_folder / f"crontab-before-{now:%Y%m%dT%H%M%S}.{now.microsecond:06}Z"
    with replaced(copy) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    for older in sorted(home.data_folder.glob("crontab-before-*Z"))[:-KEPT_COPIES]:
        older.unlink(missing_ok=True)
    return copy


def _read() -> str | None:
    try:
        return read_text()
    except CannotRun:
        return None


def _read_or_refuse() -> str:
    try:
        return read_text()
    except CannotRun as error:
        raise InvalidRequest(f"The crontab can't be read or changed: {error}.", PASTE) from error


def _show(lines: Sequence[str]) -> None:
    """Lines of a crontab, never broken, to be copied."""
    for line in lines:
        click.echo(clean(line))
