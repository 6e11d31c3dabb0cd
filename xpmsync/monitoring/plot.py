"""The last days as a plot: one column a day, one square an hour, so that an hour without a run is seen.

Made of shapes as well as colours. Knows nothing of the page around it.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, Protocol

from lxml.builder import ElementMaker  # type: ignore[import-not-found]
from lxml.etree import _Element
from lxml.html import html_parser

from xpmsync.system.timestamps import from_stored

HOURS: Final = 24
CELL: Final = 10
EDGE: Final = 1.0
LABELS: Final = 4


class Maker(Protocol):
    """Makes elements of HTML, each by its name: attributes, text, children."""

    def __getattr__(self, tag: str) -> Callable[..., _Element]: ...


H: Final[Maker] = ElementMaker(makeelement=html_parser.makeelement)


class Hour(StrEnum):
    """What became of an hour."""

    SUCCEEDED = "succeeded"
    MIXED = "mixed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    MISSED = "missed"


MEANINGS: Final = {
    Hour.SUCCEEDED: "a run succeeded",
    Hour.MIXED: "one run failed and another succeeded",
    Hour.FAILED: "the run failed",
    Hour.INTERRUPTED: "the run was cut off",
    Hour.MISSED: "no run",
}
USUAL: Final = (Hour.SUCCEEDED, Hour.FAILED, Hour.MISSED)
"""What the legend explains in any case."""


@dataclass(frozen=True)
class Days:
    """What became of every hour of some days, by the clock on the wall."""

    first: date
    number: int
    hours: Mapping[tuple[int, int], Hour]
    """By day, counted from the first, and hour; those before the first run and those to come are left out."""

    def count(self) -> Counter[Hour]:
        """How many hours went how."""
        return Counter(self.hours.values())

    def find_incomplete(self) -> list[tuple[date, Counter[Hour]]]:
        """The days on which a run failed or is missing, newest first."""
        counts = [Counter(hour for (day, _), hour in self.hours.items() if day == number) for number in self._numbers]
        days = [(self.first + timedelta(days=number), counts[number]) for number in reversed(self._numbers)]
        return [(day, count) for day, count in days if set(count) - {Hour.SUCCEEDED}]

    @property
    def _numbers(self) -> range:
        return range(self.number)


def begin_of_days(number: int, now: datetime) -> datetime:
    """Midnight of the first of so many days up to now."""
    first = now.astimezone().date() - timedelta(days=number - 1)
    return datetime.combine(first, time()).astimezone()


def sort_hours(rows: Iterable[sqlite3.Row], first_run_at: datetime | None, number: int, now: datetime) -> Days:
    """What became of every hour since the first run there ever was."""
    first = begin_of_days(number, now)
    results: dict[tuple[int, int], set[Hour]] = {}
    for row in rows:
        if row["status"] != "running":
            place = _place(from_stored(row["started_at"]), first)
            results.setdefault(place, set()).add(Hour(row["status"]))
    hours: dict[tuple[int, int], Hour] = {}
    moment = max(first, first_run_at) if first_run_at else now
    # Step by step through real time: a day on which the clocks change has 23 hours, or 25.
    while (place := _place(moment, first)) <= _place(now, first):
        if found := results.get(place):
            hours[place] = _sum_up(found)
        elif place != _place(now, first):
            hours[place] = Hour.MISSED
        moment += timedelta(hours=1)
    return Days(first.date(), number, hours)


def _sum_up(runs: set[Hour]) -> Hour:
    """What became of an hour in which there were runs: the best of them, unless one failed beside it."""
    return Hour.MIXED if {Hour.SUCCEEDED, Hour.FAILED} <= runs else min(runs, key=list(Hour).index)


def _place(moment: datetime, first: datetime) -> tuple[int, int]:
    local = moment.astimezone()
    return (local.date() - first.date()).days, local.hour


def render_plot(days: Days) -> _Element:
    """The plot with its axes and its legend."""
    width, height = days.number * CELL, HOURS * CELL
    counts = days.count()
    told = "; ".join(f"{MEANINGS[hour]} in {counts[hour]:,}" for hour in Hour if counts[hour])
    svg = H.svg(
        {
            "class": "hours",
            "viewBox": f"0 0 {width} {height}",
            "preserveAspectRatio": "none",
            "role": "img",
            "aria-label": f"Hours of the last {days.number} days: {told or 'no run yet'}.",
        },
        *(_render_grid(days.number)),
        *(shape for hour in Hour for shape in _render_shapes(days, hour)),
    )
    hours = [H.span(f"{hour:02}:00") for hour in (0, 6, 12, 18)]
    step = -(-days.number // LABELS)
    dates = [
        H.span(
            f"{days.first + timedelta(days=number):%-d %b}",
            {"style": f"left:{(number + 0.5) / days.number:.2%}"},
        )
        for number in range(days.number - 1, -1, -step)
    ]
    legend = [
        H.li(_render_sample(hour), f" {MEANINGS[hour]}: {counts[hour]:,} {'hour' if counts[hour] == 1 else 'hours'}")
        for hour in Hour
        if counts[hour] or hour in USUAL
    ]
    return H.div(
        {"class": "plot"},
        H.div({"class": "of-day", "aria-hidden": "true"}, *hours),
        svg,
        H.div({"class": "dates", "aria-hidden": "true"}, *dates),
        H.ul({"class": "legend"}, *legend),
    )


def _render_grid(number: int) -> list[_Element]:
    """A line every six hours, to read the height by."""
    lines = "".join(f"M0 {hour * CELL}h{number * CELL}" for hour in (0, 6, 12, 18, 24))
    return [H.path({"class": "grid", "d": lines})]


def _render_shapes(days: Days, hour: Hour) -> list[_Element]:
    places = [(day * CELL, of_day * CELL) for (day, of_day), each in days.hours.items() if each is hour]
    return _draw(hour, places) if places else []


def _render_sample(hour: Hour) -> _Element:
    box = {"viewBox": f"0 0 {CELL} {CELL}", "class": "sample", "aria-hidden": "true"}
    return H.svg(box, *_draw(hour, [(0, 0)]))


def _draw(hour: Hour, places: Iterable[tuple[int, int]]) -> list[_Element]:
    """All squares of one kind: full, struck out, crossed, half, or empty."""
    places = list(places)
    side = CELL - 2 * EDGE
    square = f"h{side:g}v{side:g}h-{side:g}z"
    half = f"h{side:g}l-{side:g} {side:g}z"
    shape = "".join(f"M{x + EDGE:g} {y + EDGE:g}{half if hour is Hour.INTERRUPTED else square}" for x, y in places)
    shapes = [H.path({"class": hour.value, "d": shape})]
    if hour in (Hour.FAILED, Hour.MIXED):
        strokes = "".join(f"M{x + 2 * EDGE:g} {y + CELL - 2 * EDGE:g}l6-6" for x, y in places)
        if hour is Hour.FAILED:
            strokes += "".join(f"M{x + 2 * EDGE:g} {y + 2 * EDGE:g}l6 6" for x, y in places)
        shapes.append(H.path({"class": "cross", "d": strokes}))
    return shapes
