"""The page about the sync: one HTML file that needs no network and no script, for people who would rather look.

Every value is put in as text by lxml, so nothing that came from Xero can be markup. Reads no data and writes no file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import lxml.html
from lxml.etree import _Element

from xpmsync import __version__
from xpmsync.monitoring.causes import OMITTED, Cause
from xpmsync.monitoring.overview import Overview, State
from xpmsync.monitoring.plot import Days, H, Hour, render_plot
from xpmsync.notify.message import render_moment, summarise
from xpmsync.system.timestamps import from_stored
from xpmsync.text import REORDERING

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
TITLES: Final = {
    State.WORKING: "Working",
    State.DISRUPTED: "Disrupted",
    State.NOT_SET_UP: "Not set up yet",
}
SIGNS: Final = {State.WORKING: "✓", State.DISRUPTED: "!", State.NOT_SET_UP: "…"}
SHOWN_DAYS: Final = 10
HARMFUL: Final = re.compile(rf"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[{REORDERING}]")
"""What XML has no place for, control characters, and what would change the order of the text around it."""

STYLE: Final = """
:root { color-scheme: light dark; --back: #eef1f4; --card: #fff; --text: #14202e; --quiet: #4a5866; --line: #cbd3db;
  --good: #1d7a50; --bad: #b3261e; --cross: #fff; --gap: #a35200; --code: #eef1f4; }
@media (prefers-color-scheme: dark) {
  :root { --back: #10161d; --card: #1b2530; --text: #e8edf2; --quiet: #a9b6c2; --line: #3a4754;
    --good: #4fb98a; --bad: #ff8a80; --cross: #1b2530; --gap: #f5a623; --code: #10161d; }
}
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: var(--back); color: var(--text); }
main { max-width: 56rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.1rem; font-weight: 600; margin: .5rem 0 1rem; color: var(--quiet); }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
section { background: var(--card); border-radius: .75rem; padding: clamp(1rem, 4vw, 1.75rem); margin-bottom: 1rem; }
.answer { border-left: .5rem solid var(--quiet); }
.answer.working { border-color: var(--good); } .answer.disrupted { border-color: var(--bad); }
.answer .state { font-size: 1.9rem; line-height: 1.2; font-weight: 700; margin: 0; }
.working .state { color: var(--good); } .disrupted .state { color: var(--bad); }
.answer p { margin: .35rem 0 0; } .answer dl { margin: 1.25rem 0 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: .75rem 1.5rem; }
dt { font-size: .875rem; color: var(--quiet); } dd { margin: 0; font-weight: 600; }
.note { font-size: .875rem; color: var(--quiet); margin: .5rem 0 0; }
ol, ul { margin: 0; padding-left: 1.4rem; } li + li { margin-top: .5rem; }
ul.causes { list-style: none; padding: 0; }
.causes li { padding: .75rem 0; border-top: 1px solid var(--line); margin: 0; }
.causes li:first-child { border-top: 0; padding-top: 0; } .causes p { margin: .15rem 0 0; }
.causes .what { font-weight: 600; margin: 0; }
code { display: inline-block; font: .9em ui-monospace, monospace; background: var(--code);
  padding: .1em .35em; border-radius: .25rem; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0 2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line);
  font-weight: 400; overflow-wrap: normal; }
thead th { font-size: .875rem; color: var(--quiet); border-top: 0; }
.number { text-align: right; padding-right: 0; padding-left: .25rem; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: 0 .5rem; }
.of-day { display: grid; grid-template-rows: repeat(4, 1fr); font-size: .75rem; line-height: 1; color: var(--quiet); }
.hours { display: block; width: 100%; height: 16rem; }
.dates { grid-column: 2; position: relative; height: 1.5rem; font-size: .75rem; color: var(--quiet); }
.dates span { position: absolute; top: .35rem; transform: translateX(-50%); white-space: nowrap; }
.dates span:first-child { transform: translateX(-80%); }
.legend { grid-column: 1 / -1; list-style: none; padding: 0; margin-top: .75rem; display: flex; flex-wrap: wrap;
  gap: .25rem 1.25rem; font-size: .875rem; }
.legend li { margin: 0; } .sample { width: .9rem; height: .9rem; vertical-align: -.1rem; }
.succeeded, .mixed, .interrupted { fill: var(--good); } .failed { fill: var(--bad); }
.cross { fill: none; stroke: var(--cross); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.missed { fill: none; stroke: var(--gap); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.grid { fill: none; stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
footer { font-size: .875rem; color: var(--quiet); padding: 0 .25rem 1rem; } footer p { margin: .25rem 0; }
@media (max-width: 30rem) { main { padding: .5rem; } th, td { padding-right: .5rem; } }
@media print {
  :root { color-scheme: light; --back: #fff; --card: #fff; --text: #000; --quiet: #333; --line: #ccc; --good: #999;
    --bad: #000; --cross: #fff; --gap: #000; --code: #fff; }
  @page { margin: 15mm; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  section { padding: 0 0 5mm; margin: 0; border-radius: 0; }
  .answer { border: 1px solid #000; border-left-width: 2mm; padding: 4mm; margin-bottom: 5mm; }
  .working .state { color: #000; } .answer.working { border-color: #000; }
  .hours { height: 60mm; }
  h2, h3, caption, thead { break-after: avoid; }
  li, tr, .plot, .answer { break-inside: avoid; }
  code { padding: 0; }
}
"""


@dataclass(frozen=True)
class Contents:
    """What stands on the page."""

    overview: Overview
    days: Days
    causes: Sequence[Cause]
    has_names: bool
    """Whether it may name clients and staff."""


def render_page(contents: Contents) -> bytes:
    """The page, in UTF-8."""
    overview = contents.overview
    page = H.html(
        {"lang": "en"},
        H.head(
            H.meta(charset="utf-8"),
            H.meta({"http-equiv": "Content-Security-Policy", "content": POLICY}),
            H.meta(name="viewport", content="width=device-width, initial-scale=1"),
            H.title(_clean(f"{TITLES[overview.state]} – {overview.sync_name}")),
            H.style(STYLE),
        ),
        H.body(
            H.main(
                H.h1(_clean(overview.sync_name)),
                _render_answer(contents),
                _render_needs(overview),
                _render_days(contents.days),
                _render_causes(contents),
                _render_counts(overview),
                _render_runs(overview),
                _render_footer(contents),
            )
        ),
    )
    document: bytes = lxml.html.tostring(page, doctype="<!DOCTYPE html>", encoding="utf-8")
    return document


def _clean(text: object) -> str:
    return HARMFUL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def _render_answer(contents: Contents) -> _Element:
    """Whether it is working, since when, when next. Times are told, not ages: the page is read later."""
    overview = contents.overview
    state = overview.state.value.replace(" ", "-")
    facts = {
        "Last success": _render_moment(overview.last_success_at, "none yet"),
        "Next run": _render_moment(overview.next_run_at, _explain_next_run(overview)),
        "Next full run after": _render_moment(overview.next_full_at, "the first run is one"),
        "Left of Xero's daily limit": "unknown"
        if overview.day_calls_remaining is None
        else f"{overview.day_calls_remaining:,} calls",
    }
    return H.section(
        {"class": f"answer {state}"},
        H.p(
            {"class": "state"},
            H.span(SIGNS[overview.state], {"aria-hidden": "true"}),
            f" {TITLES[overview.state]}",
        ),
        H.p(_clean(_explain_state(contents))),
        H.p(
            {"class": "note"}, f"As of {render_moment(overview.made_at)}. What has happened since is not on this page."
        ),
        H.dl(*(H.div(H.dt(name), H.dd(value)) for name, value in facts.items())),
    )


def _explain_state(contents: Contents) -> str:
    overview = contents.overview
    since = f"Since {render_moment(overview.since)}" if overview.since else ""
    if overview.state is State.WORKING:
        return f"{since} no run has failed."
    reason = overview.reason or ""
    if overview.failed_exit_code is not None and not contents.has_names:
        reason = f"{summarise(overview.failed_exit_code)}."
    reason = f"{reason[:1].upper()}{reason[1:]}"
    return f"{since}. {reason}" if since else reason


def _explain_next_run(overview: Overview) -> str:
    return "no line of the crontab starts it" if overview.is_scheduled is False else "unknown: cron does not tell"


def _render_moment(moment: datetime | None, otherwise: str) -> str:
    return render_moment(moment) if moment else otherwise


def _render_needs(overview: Overview) -> _Element:
    needs = [H.li(f"{_clean(need.what)} ", H.code(_clean(need.command))) for need in overview.needs]
    return H.section(
        H.h2("What needs a person"),
        H.ol(*needs) if needs else H.p("Nothing."),
        *([H.p({"class": "note"}, "Commands are typed in a terminal of the computer that syncs.")] if needs else []),
    )


def _render_days(days: Days) -> _Element:
    incomplete = days.find_incomplete()
    rows = [
        (f"{day:%a, %-d %b}", *(count[hour] for hour in (Hour.FAILED, Hour.MIXED, Hour.INTERRUPTED, Hour.MISSED)))
        for day, count in incomplete[:SHOWN_DAYS]
    ]
    parts = [H.h2(f"The last {days.number} days, hour by hour" if days.number > 1 else "Today, hour by hour")]
    parts.append(render_plot(days))
    if rows:
        parts.append(H.h3("Days with something missing"))
        parts.append(_render_table(("Day", "Hours that failed", "In part", "Cut off", "Without a run"), rows))
    if more := len(incomplete) - len(rows):
        parts.append(H.p({"class": "note"}, f"And {more} earlier {'day' if more == 1 else 'days'}."))
    return H.section(*parts)


def _render_causes(contents: Contents) -> _Element:
    parts = [H.h2("Open problems")]
    for severity, title in (("error", "Errors"), ("warning", "Warnings")):
        causes = [cause for cause in contents.causes if cause.severity == severity]
        if causes:
            number = sum(cause.records for cause in causes)
            parts.append(H.h3(f"{title}: {number:,}"))
            parts.append(H.ul({"class": "causes"}, *map(_render_cause, causes)))
    if not contents.causes:
        parts.append(H.p("None: everything is synced."))
    elif not contents.has_names:
        parts.append(
            H.p({"class": "note"}, f"Names are left out here ({OMITTED}). See them with: ", H.code("xpmsync errors"))
        )
    return H.section(*parts)


def _render_cause(cause: Cause) -> _Element:
    parts = [
        H.p({"class": "what"}, _clean(cause.what)),
        H.p(f"To do: {_clean(cause.remedy)}"),
    ]
    if cause.names:
        names: list[str | _Element] = []
        for name in cause.names:
            names += ["; "] * bool(names) + [H.bdi(_clean(name))]
        more = cause.records - len(cause.names)
        parts.append(H.p("Concerns: ", *names, *([f" and {more:,} more: ", H.code(cause.command)] if more else ["."])))
    parts.append(H.p({"class": "note"}, f"Since {render_moment(from_stored(cause.first_seen_at))}."))
    return H.li(*parts)


def _render_counts(overview: Overview) -> _Element:
    users = _list_counts(overview.users)
    if overview.waiting_users:
        users.append(("of the active: cannot use Active yet", overview.waiting_users))
    tables = [
        _render_table((name, "Number"), rows)
        for name, rows in (("Users", users), ("Clients", _list_counts(overview.clients)))
    ]
    in_xpm = H.p({"class": "note"}, f"In XPM: {overview.xpm_clients}.")
    return H.section(H.h2("What Active holds"), H.div({"class": "tables"}, *tables), in_xpm)


def _list_counts(counts: Mapping[str, int]) -> list[tuple[object, ...]]:
    return [*counts.items()] or [("none yet", 0)]


def _render_runs(overview: Overview) -> _Element:
    rows = [
        (
            f"{from_stored(row['started_at']).astimezone():%-d %b, %H:%M}",
            row["status"],
            *(
                (
                    row["users_created"] + row["clients_created"],
                    row["users_updated"] + row["clients_updated"],
                    row["problems"],
                )
                if row["status"] == "succeeded"
                else ("–", "–", "–")
            ),
        )
        for row in overview.latest_runs
    ]
    table = _render_table(("Started", "Result", "New", "Changed", "Problems"), rows, numbers_from=2)
    return H.section(H.h2("The last runs"), table if rows else H.p("None yet."))


def _render_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, numbers_from: int = 1) -> _Element:
    """A table whose rows begin with what they are about; the columns from `numbers_from` on hold numbers."""

    def kind(index: int) -> dict[str, str]:
        return {"class": "number"} if index >= numbers_from else {}

    return H.table(
        H.thead(H.tr(*(H.th(name, {"scope": "col", **kind(index)}) for index, name in enumerate(headings)))),
        H.tbody(
            *(
                H.tr(
                    H.th(_render_cell(first), {"scope": "row"}),
                    *(H.td(_render_cell(cell), kind(index)) for index, cell in enumerate(rest, start=1)),
                )
                for first, *rest in rows
            )
        ),
    )


def _render_cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else _clean(value)


def _render_footer(contents: Contents) -> _Element:
    made_at = render_moment(contents.overview.made_at)
    names = "names clients and staff: keep it to those who may know them" if contents.has_names else "names nobody"
    return H.footer(
        H.p(f"Made on {made_at} by xpmsync {__version__}. This page {names}."),
        H.p("Times are those of the computer that syncs."),
    )
