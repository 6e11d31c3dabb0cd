"""The table of goals, from what was measured, as Markdown; and where it is written.

In README.md and docs/benchmarks.md it stands between two comments; everything else there is written by hand, also why
a goal is missed.
"""

import os
import platform
import re
import sqlite3
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lxml import etree
from measurements import COMMANDS, FIRST, FLOOR, FULL, HOURLY, NOTHING, OURS, Figures, Measured, at

ROOT = Path(__file__).parents[2]
NAMES = {
    "upsert_all": "xmltodict, `upsert_all`",
    "streaming": "xmltodict's streaming mode, `upsert_all`",
    "dlt": "dlt, SQLite destination",
}
"""What a user would pick instead."""
LARGEST_MEGABYTES = {15_000: 90, 50_000: 100, 150_000: 120}
LARGEST_MULTIPLES = {"--help": 7, "errors": 18, "status": 18}
"""Of the time of a Python that does nothing: 70 and 180 ms where that takes 10."""


@dataclass(frozen=True)
class Row:
    """One goal."""

    work: str
    goal: str
    measured: str
    is_met: bool | None
    """None where it could not be measured."""

    def render(self) -> str:
        verdict = {True: "met", False: "**missed**", None: "not measured"}[self.is_met]
        return f"| {self.work} | {self.goal} | {self.measured} | {verdict} |"


def judge(measured: Measured, day: Mapping[str, int], sizes: list[int], without: Mapping[str, str]) -> Iterator[Row]:
    """The rows of the table. `without` says why a rival is missing."""
    for work, most, floor in (
        (FULL, 1.5, "the same bytes parsed, hashes compared"),
        (FIRST, 2.0, "the same, and plain inserts"),
        (HOURLY, 1.5, "the same imports and calls"),
    ):
        name = at(sizes[0], work)
        ratio = measured[name, OURS] / measured[name, FLOOR]
        yield Row(name, f"at most {most} × the floor: {floor}", f"{ratio:.2f} ×", ratio <= most)
    yield judge_memory(measured, sizes)
    if len(sizes) > 1:
        yield judge_growth(measured, sizes[0], sizes[-1])
    ratios = {name: measured[f"xpmsync {name}", OURS] / measured["at the prompt", NOTHING] for name in COMMANDS}
    yield Row(
        ", ".join(f"`{name}`" for name in ratios),
        f"at most {render_list(LARGEST_MULTIPLES.values())} × {NOTHING}",
        f"{render_list(f'{ratio:.1f}' for ratio in ratios.values())} ×",
        all(ratio <= LARGEST_MULTIPLES[name] for name, ratio in ratios.items()),
    )
    less = day["hourly_full_bytes"] / day["bytes"]
    yield Row(
        "A day of hourly runs, 1 % of the clients edited",
        "at most 75 calls; 1/15 of the bytes of full pulls",
        f"{day['calls']} calls; 1/{less:.1f}",
        day["calls"] <= 75 and less >= 15,
    )
    for name, title in NAMES.items():
        goal = "4 × faster and 4 × smaller than it"
        yield (
            Row(f"Against {title}", goal, without[name], None)
            if name in without
            else judge_rival(measured, sizes[0], name, f"Against {title}", goal)
        )


def judge_memory(measured: Measured, sizes: list[int]) -> Row:
    used = {size: max(measured[work, OURS].megabytes for work in (at(size, FIRST), at(size, FULL))) for size in sizes}
    most = {size: find_limit(size) for size in sizes}
    return Row(
        f"Memory at {render_list(f'{size:,}' for size in sizes)} clients",
        f"under {render_list(most.values())} MB",
        f"{render_list(f'{megabytes:.0f}' for megabytes in used.values())} MB",
        all(used[size] < most[size] for size in sizes),
    )


def find_limit(size: int) -> int:
    return next((most for largest, most in LARGEST_MEGABYTES.items() if size <= largest), 120)


def judge_growth(measured: Measured, small: int, large: int) -> Row:
    """A client of the large practice against one of the small."""
    ratios = [
        measured[at(large, work), OURS] / measured[at(small, work), OURS] / (large / small) for work in (FIRST, FULL)
    ]
    return Row(
        f"From {small:,} to {large:,} clients",
        "time linear, within 15 %",
        f"a client takes {ratios[0]:.2f} × (first run) and {ratios[1]:.2f} × (full run)",
        all(ratio <= 1.15 for ratio in ratios),
    )


def judge_rival(measured: Measured, clients: int, name: str, work: str, goal: str) -> Row:
    pairs = [(measured[at(clients, each), name], measured[at(clients, each), OURS]) for each in (FIRST, FULL)]
    faster = [theirs / ours for theirs, ours in pairs]
    smaller = [theirs.megabytes / ours.megabytes for theirs, ours in pairs]
    return Row(
        work,
        goal,
        f"{faster[0]:.1f} × faster (first run), {faster[1]:.1f} × (full run); {min(smaller):.1f} × smaller",
        min(faster + smaller) >= 4,
    )


def render_list(parts) -> str:
    return ", ".join(map(str, parts))


def render_goals(rows: list[Row]) -> str:
    return "\n".join(["| work | goal | measured | verdict |", "|---|---|---|---|", *(row.render() for row in rows)])


def render_figures(measured: Measured) -> str:
    """Everything that was measured."""

    def spread(values: list[float]) -> str:
        return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

    def line(work: str, who: str, figures: Figures) -> str:
        times = f"{spread(figures.processor)} | {spread(figures.wall)}"
        return f"| {work} | {NAMES.get(who, who)} | {times} | {figures.megabytes:.0f} | {len(figures.wall)} |"

    head = "| work | by | processor, s | wall, s | memory, MB | runs |"
    return "\n".join([head, "|---|---|---|---|---|---|", *(line(*key, figures) for key, figures in measured.items())])


def describe_machine() -> str:
    """Where it was measured, and with what."""
    processor = platform.processor()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        processor = found[1] if found else processor
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    ours = [f"{name} {version(name)}" for name in ("lxml", "requests", "sqlite-utils", "click", "keyring")]
    theirs = [
        line.replace("==", " ")
        for line in Path(__file__).with_name("rivals.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    return (
        f"{os.cpu_count()} cores of {processor.strip()}, {memory:.0f} GB of memory, {platform.system()};"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}, {', '.join(ours)}. The others with {', '.join(theirs)}."
    )


def write_pages(
    into: Path, rows: list[Row], measured: Measured, day: Mapping[str, int], plot: str, clients: int, runs: int
) -> None:
    """Write the pages and the plot into a folder that is laid out as the repository is."""
    (into / "docs").mkdir(parents=True, exist_ok=True)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    goals = f"{render_goals(rows)}\n\nMeasured on {today} at {clients:,} clients"
    (into / "docs/benchmarks.svg").write_text(plot)
    replace_part(
        into,
        "docs/benchmarks.md",
        f"{goals} with `--runs {runs}`, on {describe_machine()}\n\n"
        "![The same work by the floor, by xpmsync and by the others, as bars](benchmarks.svg)\n\n"
        f"{render_figures(measured)}\n\n"
        f"The day: {day['calls']} calls and {day['bytes']:,} bytes; hourly full pulls are"
        f" {day['hourly_full_bytes']:,} bytes.",
    )
    replace_part(into, "README.md", f"{goals}; the figures behind it: [docs/benchmarks.md](docs/benchmarks.md).")


def replace_part(into: Path, page: str, text: str) -> None:
    """Replace what stands between the two comments of a page."""
    before, begin, rest = (ROOT / page).read_text("utf-8").partition("<!-- benchmarks: begin -->\n")
    _, end, after = rest.partition("\n<!-- benchmarks: end -->")
    assert begin, page
    assert end, page
    (into / page).write_text(f"{before}{begin}{text}{end}{after}", "utf-8")
