"""Measure xpmsync beside the floor and beside what a user would pick instead, and write the table and the plot.

    python tests/benchmarks

It takes about a quarter of an hour on a quiet machine, in the environment in which xpmsync is installed. What is
compared is installed for the occasion, in an environment of its own (rivals.txt). The goals' table goes into README.md
and docs/benchmarks.md, the plot into docs/benchmarks.svg.

Every figure is a whole process against prepared answers, served by a process of its own: the medians and the range of
its wall and processor time, and the most memory. The ratios are those of the medians of processor time.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from firm import HERE, connected, prepared
from measurements import Figures, Measured, measure_commands, measure_day, measure_growth, measure_syncs
from plot import draw
from report import NAMES, ROOT, judge, render_goals, write_pages
from rivals import PACKAGES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=15_000, help="clients of the practice (default: 15000)")
    parser.add_argument(
        "--larger",
        type=int,
        nargs="*",
        default=[50_000, 150_000],
        help="sizes to grow to, at most 3 runs each; none to leave that out (default: 50000 150000)",
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each work is measured (default: 5)")
    parser.add_argument(
        "--rivals",
        nargs="*",
        choices=PACKAGES,
        default=list(PACKAGES),
        help="what to compare with, installed for the occasion; none to install nothing (default: all)",
    )
    parser.add_argument(
        "--into",
        metavar="FOLDER",
        type=Path,
        default=ROOT,
        help="write README.md and docs/ into this folder (default: this checkout, whose pages are replaced)",
    )
    options = parser.parse_args()
    measured = Measured(Figures)
    sizes = [options.clients, *options.larger]
    with tempfile.TemporaryDirectory() as folder:
        rivals, without = install(options.rivals, Path(folder))
        with prepared(options.clients) as firm:
            say(f"{firm.clients:,} clients, {options.runs} runs each")
            measure_syncs(firm, measured, rivals, options.runs)
            measure_commands(measured, options.runs)
    for clients in options.larger:
        say(f"{clients:,} clients")
        with prepared(clients) as firm:
            measure_growth(firm, measured, min(options.runs, 3))
    say("a day")
    with connected(options.clients) as firm:
        day = measure_day(firm, edits=options.clients // 100)
    rows = list(judge(measured, day, sizes, without))
    write_pages(
        options.into, rows, measured, day, draw(measured, options.clients, sizes), options.clients, options.runs
    )
    print(render_goals(rows))


def install(names: list[str], folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Those rivals that could be installed, each with its Python; and why the others are missing."""
    python = str(folder / "bin/python")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    rivals, without = {}, dict.fromkeys(NAMES, "left out of these runs")
    for name in names:
        say(f"installing what {name} needs")
        command = [python, "-m", "pip", "install", "--quiet", "--constraint", str(HERE / "rivals.txt"), *PACKAGES[name]]
        installation = subprocess.run(command, check=False, capture_output=True, text=True)
        if installation.returncode:
            say(installation.stderr)
            without[name] = "could not be installed"
        else:
            rivals[name] = python
            del without[name]
    return rivals, without


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
