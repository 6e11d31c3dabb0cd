"""docs/scaling.md: its arithmetic worked out anew, and what it has for other programs looked at."""

import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import pytest

from xpmsync.home import Home
from xpmsync.rules.schedule import next_full_at

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "scaling.md").read_text("utf-8")
MEASURED = (DOCS / "benchmarks.md").read_text("utf-8")
FIRMS = 1_000
HOURLY_SECONDS, FULL_SECONDS, MEGABYTES, DAY_MEGABYTES, FULL_MEGABYTES = 0.6, 5, 60, 8, 7
"""Rounded from docs/benchmarks.md."""
WATCHMAN_SECONDS, FILE_MEGABYTES = 0.3, 33
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_full_runs_of_a_thousand_firms_spread_over_the_day_as_the_page_says():
    due = [next_full_at(MIDNIGHT, str(uuid5(NAMESPACE_DNS, f"firm-{number}.example")), 24) for number in range(FIRMS)]
    runs = Counter(ceil((each - MIDNIGHT) / HOUR) - 1 for each in due)  # the next hourly run is the full one

    hours = [runs[hour] for hour in range(24)]
    assert sum(hours) == FIRMS
    assert ", ".join(map(str, hours)) in PAGE
    assert f"between {min(hours)} and {max(hours)}" in PAGE


def test_the_page_multiplies_and_divides_correctly():
    calls_a_day = 24 * 3
    seconds_a_day = 23 * HOURLY_SECONDS + FULL_SECONDS + 144 * WATCHMAN_SECONDS
    for statement in (
        f"24 × 3 = {calls_a_day} calls a day",
        f"{calls_a_day / 5_000:.1%}".replace("%", " %") + " of its 5,000",
        f"1,000 × {calls_a_day} = {FIRMS * calls_a_day:,} calls a day, {FIRMS * calls_a_day / 1_440:.0f} a minute",
        f"10,000 / 3 = {10_000 // 3:,} firms",
        f"60 × {10_000 // 3:,} = {60 * (10_000 // 3):,} firms",
        f"23 × {HOURLY_SECONDS} s + {FULL_SECONDS} s + 144 × {WATCHMAN_SECONDS} s = {seconds_a_day:.1f} s",
        f"1,000 × {seconds_a_day:.1f} s / 86,400 s = {FIRMS * seconds_a_day / 86_400:.2f} of one core",
        f"1,000 × {MEGABYTES} MB = {FIRMS * MEGABYTES // 1_000} GB",
        f"1,000 × {FILE_MEGABYTES} MB = {FIRMS * FILE_MEGABYTES // 1_000} GB",
        f"1,000 × {DAY_MEGABYTES} MB × 30 = {FIRMS * DAY_MEGABYTES * 30 // 1_000} GB a month",
        f"1,000 × 24 × {FULL_MEGABYTES} MB × 30 = {FIRMS * 24 * FULL_MEGABYTES * 30 // 1_000:,} GB",
        f"an hourly run {HOURLY_SECONDS} s of processor, a full run {FULL_SECONDS} s, {MEGABYTES} MB of memory",
        f"the watchman {WATCHMAN_SECONDS} s of processor",
        f"a file of {FILE_MEGABYTES} MB",
    ):
        assert statement in PAGE, statement


def test_what_the_page_has_from_the_benchmarks_agrees_with_them():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in MEASURED.splitlines() if line.startswith("| ")]
    ours = {row[0]: (float(row[2].split()[0]), float(row[4])) for row in rows if row[1] == "xpmsync"}
    first, full, hourly = (
        ours[f"{run}, 15,000 clients"]
        for run in ("First run", "Full run, nothing changed", "Hourly run, nothing changed")
    )
    received, pulled = re.search(r"calls and ([\d,]+) bytes; hourly full pulls are ([\d,]+) bytes", MEASURED).groups()
    measured = (hourly[0], full[0], max(first[1], full[1]))
    measured += (int(received.replace(",", "")) / 1e6, int(pulled.replace(",", "")) / 24 / 1e6)

    rounded = (HOURLY_SECONDS, FULL_SECONDS, MEGABYTES, DAY_MEGABYTES, FULL_MEGABYTES)
    assert rounded == pytest.approx(measured, rel=0.2)


@pytest.mark.slow
def test_systemd_accepts_the_units(tmp_path, require_program):
    analyze = require_program("systemd-analyze")
    units = re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.+?)```", PAGE, re.DOTALL)
    assert [name for name, _ in units] == ["xpmsync@.service", "xpmsync@.timer"]
    for name, text in units:
        (tmp_path / name).write_text(text.replace("/opt/xpmsync/bin/xpmsync", sys.executable))

    for name, _ in units:
        unit = tmp_path / name.replace("@", "@fern-partners")
        found = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert (found.returncode, [line for line in found.stderr.splitlines() if "xpmsync" in line]) == (0, [])


def test_what_is_replicated_is_the_database():
    name = Home(Path("config"), Path("data")).database_file.name

    assert f'pattern: "{name}"' in PAGE
