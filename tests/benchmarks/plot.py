"""The figures as bars, in an SVG that is at home on a light page and on a dark one."""

import statistics
from html import escape

from measurements import FIRST, FLOOR, FULL, OURS, Figures, Measured, at
from report import NAMES

WIDTH, LABEL, BAR, LINE, HEAD = 880, 300, 470, 26, 44
STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.value { fill: #59636e }
rect { fill: #afb8c1 }
.ours { fill: #0969da }
text.ours { fill: #1f2328; font-weight: 600 }
line { stroke: #59636e; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text, text.ours { fill: #e6edf3 }
  .value { fill: #9198a1 }
  rect { fill: #484f58 }
  rect.ours { fill: #4493f8 }
  line { stroke: #9198a1 }
}
"""

Bar = tuple[str, float, list[float]]
"""A label, its value, and the values it is the median of."""


def draw(measured: Measured, clients: int, sizes: list[int]) -> str:
    """Time and memory beside the floor and the others, and how both grow."""
    who = [FLOOR, OURS, *(name for name in NAMES if (at(clients, FULL), name) in measured)]
    panels = [
        (
            f"{at(clients, work)}: seconds of processor time",
            [time(name, measured[at(clients, work), name]) for name in who],
        )
        for work in (FIRST, FULL)
    ]
    panels.append(
        (
            f"Memory, {clients:,} clients: megabytes at most",
            [memory(name, *(measured[at(clients, work), name] for work in (FIRST, FULL))) for name in who],
        )
    )
    if len(sizes) > 1:
        pairs = [(size, measured[at(size, FIRST), OURS], measured[at(size, FULL), OURS]) for size in sizes]
        panels += [
            ("How a full run grows: seconds of processor time", [time(OURS, full, size) for size, _, full in pairs]),
            ("How memory grows: megabytes at most", [memory(OURS, *both, size=size) for size, *both in pairs]),
        ]
    parts, top = [], 0
    for title, bars in panels:
        parts.append(draw_panel(title, bars, top))
        top += HEAD + LINE * len(bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 12}" width="{WIDTH}" role="img"'
        f' aria-label="The figures of the benchmark as bars">\n<style>{STYLE}</style>\n{"".join(parts)}</svg>\n'
    )


def time(who: str, figures: Figures, size: int | None = None) -> Bar:
    return label(who, size), statistics.median(figures.processor), figures.processor


def memory(who: str, *runs: Figures, size: int | None = None) -> Bar:
    return label(who, size), max(figures.megabytes for figures in runs), []


def label(who: str, size: int | None) -> str:
    return f"{who}, {size:,} clients" if size else NAMES.get(who, who).replace("`", "")


def draw_panel(title: str, bars: list[Bar], top: int) -> str:
    longest = max(max([value, *values]) for _, value, values in bars)
    lines = [f'<text class="title" x="0" y="{top + 28}">{escape(title)}</text>\n']
    for number, (name, value, values) in enumerate(bars):
        y = top + HEAD + LINE * number
        kind = "ours" if name.startswith(OURS) else "other"
        length = BAR * value / longest
        lines.append(f'<text class="{kind}" x="{LABEL - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        lines.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{LINE - 8}" rx="2"/>')
        end = length
        if len(values) > 1:
            low, end = (BAR * each / longest for each in (min(values), max(values)))
            middle = y + (LINE - 8) / 2
            lines.append(f'<line x1="{LABEL + low:.1f}" x2="{LABEL + end:.1f}" y1="{middle}" y2="{middle}"/>')
        shown = f"{value:.2f}" if value < 10 else f"{value:,.0f}"
        lines.append(f'<text class="value" x="{LABEL + max(length, end) + 8:.1f}" y="{y + 14}">{shown}</text>\n')
    return "".join(lines)
