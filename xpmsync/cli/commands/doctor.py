"""``xpmsync doctor``: everything that an hourly run needs, tried; one line each, with what to do beneath."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from xpmsync.cli.click_types import Command
from xpmsync.cli.console import open_console, print_advice, print_text
from xpmsync.cli.formatting import clean_lines, print_json, render_count
from xpmsync.errors import ConfigurationError
from xpmsync.home import HOME_VARIABLE, find_home

if TYPE_CHECKING:
    from xpmsync.doctor import Finding

STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red", "not checked": "dim"}
VERDICT_WIDTH: Final = max(map(len, STYLES))


@click.command(cls=Command, example="xpmsync doctor --cron")
@click.option("--cron", "as_cron", is_flag=True, help="Check in the environment that cron gives to its commands.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_cron: bool, as_json: bool) -> int:
    """Try everything that an hourly run needs, and say what to do where something is wrong.

    Renews the sign-in, and asks Xero for one list. Sends no e-mail and changes no data. The exit code is that of the
    first check that failed; a warning is no failure.
    """
    if as_cron:
        return _run_as_cron(as_json=as_json)
    from xpmsync.doctor import CHECKS, examine, find_exit_code  # noqa: PLC0415 - the network's libraries are slow to load

    console = open_console()
    width = max(map(len, CHECKS))
    findings = []
    for finding in examine(find_home(os.environ), os.environ):
        findings.append(finding)
        if not as_json:
            _print_finding(console, finding, width)
    exit_code = find_exit_code(findings)
    if as_json:
        print_json({"exit_code": exit_code, "checks": [dataclasses.asdict(finding) for finding in findings]})
    else:
        console.print()
        print_text(console, _summarise(findings), style="bold")
    return exit_code


def _print_finding(console: Console, finding: "Finding", width: int) -> None:
    """One check, as soon as it is made: the next one may take a while."""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=VERDICT_WIDTH, style=STYLES[finding.verdict])
    row.add_column(width=width)
    row.add_column(overflow="fold")
    row.add_row(finding.verdict, finding.check, clean_lines(finding.found))
    console.print(row)
    if finding.remedy:
        print_advice(console, f"To do: {finding.remedy}", indent=VERDICT_WIDTH + width + 4)


def _summarise(findings: Sequence["Finding"]) -> str:
    verdicts = [finding.verdict.value for finding in findings]
    failed, warnings, rest = (verdicts.count(name) for name in ("failed", "warning", "not checked"))
    if not failed + warnings + rest:
        return "All is well."
    counts = ((failed, "failed"), (warnings, "with a warning"), (rest, "not made"))
    described = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"Of {render_count(len(verdicts), 'check')}: {described}."


def _run_as_cron(*, as_json: bool) -> int:
    """Make the checks in another process, as cron would start it; gives its exit code."""
    from xpmsync.monitoring.crontab import Crontab, make_environment, read_crontab  # noqa: PLC0415 - for this alone

    crontab = read_crontab() or Crontab(())
    home = find_home(os.environ)
    if os.environ.get(HOME_VARIABLE) and not crontab.of(home).jobs:
        # Whatever cron meets in another home, its remedies would be typed in this one.
        raise ConfigurationError(
            f"No line of the crontab works in {home.data_folder}, which your {HOME_VARIABLE} names.",
            "Add them: xpmsync configure --crontab install",
        )
    variables = crontab.find_variables(home)
    environment = make_environment(variables)
    if not os.path.isdir(environment["HOME"]):  # noqa: PTH112 - a Path of nothing is the folder one is in
        raise ConfigurationError(
            f"Cron starts its commands in the folder that HOME names, and “{environment['HOME']}” is none.",
            "Correct HOME in the crontab, or remove it there: crontab -e",
        )
    if not as_json:
        names = ", ".join(variables) or "no variable"
        print_text(open_console(), f"As cron would run it; the crontab sets {names}.", style="bold")
    process = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "xpmsync", "doctor", *(["--json"] if as_json else [])],
        check=False,
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    return process.returncode
