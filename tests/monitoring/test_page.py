"""The page as a reader gets it: what it says, what it does not say, and that nothing from Xero is markup in it."""

import re
from collections import defaultdict
from dataclasses import replace

import lxml.html
import pytest
from lxml.etree import fromstring

from xpmsync.config import change_config
from xpmsync.rules.issues import CATALOGUE, Fact, Issue, issue

SECRET = "Qzx"
MISSING = issue("partner-missing", "c1", "Smith & Sons Pty Ltd", office="SYD")
SHARED = issue("client-code-shared", "c2", "Boronia Dairy", code="BOR", others="Rimu")


class Facts(defaultdict):
    def __missing__(self, key):
        return Fact(f"{SECRET}-{key}")


def meet(kind, number):
    """A problem of a kind, everything in which is a name."""
    facts = Facts()
    cause, remedy = (text and text.format_map(facts) for text in (kind.cause, kind.remedy))
    message, suggestion = kind.message.format_map(facts), kind.suggestion.format_map(facts)
    field = f"{kind.field}{number}" if kind.field else None
    name = f"{SECRET} {number}"
    return Issue(kind.code, kind.severity.value, kind.entity, name, name, field, message, suggestion, cause, remedy)


def read(page):
    """The page's text, without its style."""
    document = lxml.html.document_fromstring(page)
    for style in document.iter("style"):
        style.text = ""
    return " ".join(document.text_content().split())


@pytest.mark.parametrize("records", [1, 2])
@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.code)
def test_no_kind_of_issue_names_anybody_unless_names_are_asked_for(record, make, kind, records):
    record(*(meet(kind, number) for number in range(records)))
    assert SECRET not in make()
    assert "{" not in read(make())
    if records > 1 or "{" in kind.message + kind.suggestion:
        assert SECRET in make(has_names=True)


def test_how_a_run_failed_is_told_without_names(record, make):
    message = f"XPM's answer looks wrong: 30 of 30 clients are gone ({SECRET} One, {SECRET} Two, …)."
    stopped = Issue("suspicious-change", "error", "run", None, None, None, message, "Look into XPM.")
    record()
    record(stopped, status="failed", message=message, exit_code=8)
    assert SECRET not in make()
    assert "The safety limits stopped the sync." in read(make())
    assert "If XPM is correct, run: xpmsync sync --accept N." in read(make())
    assert message in read(make(has_names=True))


def test_a_failure_of_any_kind_has_words(record, make):
    for code, exit_code in (("xero-unreachable", 6), ("bug", 1), ("xero-refused", 7), ("never-heard-of", 99)):
        failure = Issue(code, "error", "run", None, None, None, SECRET, SECRET)
        record(failure, status="failed", message=SECRET, exit_code=exit_code)
        assert "Disrupted" in read(make())
        assert SECRET not in make()


def test_with_names_a_page_names_those_with_open_issues_and_nobody_else(record, make):
    record(MISSING, replace(MISSING, xpm_uuid="c3", name="Whānau Trust"), SHARED)
    text = read(make(has_names=True))
    assert "2 clients have no partner in XPM, and the office SYD has no default partner." in text
    assert "Concerns: Smith & Sons Pty Ltd; Whānau Trust." in text
    assert "Concerns: Boronia Dairy." in text
    record()
    assert "Smith" not in make(has_names=True)


def test_of_many_names_the_first_stand_there_and_the_command_for_the_rest(record, make):
    record(*(replace(MISSING, xpm_uuid=f"c{number}", name=f"Client {number:02}") for number in range(25)))
    text = read(make(has_names=True))
    assert "Client 19 and 5 more: xpmsync errors --code partner-missing" in text


def test_causes_that_differ_in_their_names_alone_are_one_without_them(record, make):
    record(
        *(
            issue("partner-not-listed", f"c{number}", "X", partner=partner, partner_uuid="u")
            for number, partner in enumerate(["Ann Lee", "Ann Lee", "Bob Ray"])
        )
    )
    assert "3 clients name the partner […], who is not in XPM's staff list." in read(make())


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</style></title><b>bold</b>",
        "&lt;b&gt; &amp; &#60;",
        "\x00\x07\x1b[31mred\x7f\ufffe",
        "Acme \u202eyldneirf\u202c \u2066Pty\u2069",
        "{{7*7}} {name} %s",
    ],
)
def test_whatever_a_name_holds_is_text(record, make, home, name):
    record(replace(MISSING, name=name, message=name))
    printable = "".join(character for character in name if character.isprintable())
    change_config(home, {"sync.name": printable})
    document = lxml.html.document_fromstring(make(has_names=True))
    clean = re.sub("[\x00-\x1f\x7f\ufffe\u202c\u202e\u2066\u2069]", "\N{REPLACEMENT CHARACTER}", name)
    assert document.findtext(".//bdi") == clean
    assert document.findtext(".//*[@class='what']") == f"{clean}."
    assert document.findtext(".//h1") == printable
    assert {element.tag for element in document.iter()}.isdisjoint({"script", "img", "b"})


def test_the_page_is_well_formed_reaches_for_nothing_and_runs_nothing(record, make):
    record(MISSING, SHARED)
    record(status="failed", hours_ago=1)
    page = make(has_names=True)
    head, _, rest = page.partition("</head>")
    closed = re.sub(r"<meta ([^>]*)>", r"<meta \1/>", head).replace("<!DOCTYPE html>", "")
    fromstring(f"{closed}</head>{rest}")  # well-formed XML but for the <meta>s
    assert not re.search(r"https?:|//|url\(|@import|<script|\bon\w+=|<link|<img|<iframe", page)
    document = lxml.html.document_fromstring(page)
    policy = document.find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert document.get("lang") == "en"
    assert len(document.findall(".//h1")) == 1


def test_it_says_whether_it_works_when_it_was_made_and_by_what(record, make):
    record(hours_ago=1)
    text = read(make())
    assert "✓ Working" in text
    assert "Last success22 November 2026, 21:44 UTC" in text
    assert "As of 22 November 2026, 22:44 UTC." in text
    assert "by xpmsync 0.1.0" in text
    assert "names nobody" in text


def test_before_the_first_run_there_is_a_page_too(make):
    assert "Not set up yetIt is not connected to Xero Practice Manager." in read(make())
    assert "Open problemsNone" in read(make())
    assert "no run yet" in make()


def plot(page):
    """What the plot tells those who do not see it, and how many squares of each kind it has."""
    svg = lxml.html.document_fromstring(page).find(".//svg[@role='img']")
    shapes = {shape.get("class"): shape.get("d").count("M") for shape in svg.iter("path")}
    return svg.get("aria-label"), {kind: number for kind, number in shapes.items() if kind not in ("grid", "cross")}


def test_every_hour_since_the_first_run_is_a_square_and_one_without_a_run_is_a_gap(record, make):
    for hours_ago in (9, 8, 7, 4, 3, 2, 1):
        record(hours_ago=hours_ago, status={3: "failed", 2: "interrupted"}.get(hours_ago, "succeeded"))
    label, squares = plot(make())
    assert squares == {"succeeded": 5, "failed": 1, "interrupted": 1, "missed": 2}
    assert label == (
        "Hours of the last 30 days: a run succeeded in 5; the run failed in 1; the run was cut off in 1; no run in 2."
    )
    assert "Sun, 22 Nov 1 0 1 2" in read(make().replace("</td>", " </td>").replace("</th>", " </th>"))


def test_an_hour_in_which_one_run_failed_and_another_succeeded_is_seen_as_such(record, make):
    for status in ("succeeded", "failed", "interrupted"):
        record(status=status, hours_ago=1)
    label, squares = plot(make())
    assert squares == {"mixed": 1}
    assert label == "Hours of the last 30 days: one run failed and another succeeded in 1."
    assert "one run failed and another succeeded: 1 hour" in read(make())
    assert "Sun, 22 Nov 0 1 0 0" in read(make().replace("</td>", " </td>").replace("</th>", " </th>"))


@pytest.mark.parametrize(
    ("runs", "days", "squares"),
    [
        ([("interrupted", 2), ("succeeded", 2), ("failed", 1), ("interrupted", 1)], 30, {"succeeded": 1, "failed": 1}),
        ([("succeeded", 50), ("succeeded", 1)], 2, {"succeeded": 1, "missed": 45}),
        ([("succeeded", 50), ("succeeded", 1)], 1, {"succeeded": 1, "missed": 21}),
    ],
    ids=["an hour with a run that was cut off is told by its other runs", "days before are left out", "nearly all"],
)
def test_each_hour_is_the_square_that_tells_of_it(record, make, runs, days, squares):
    for status, hours_ago in runs:
        record(status=status, hours_ago=hours_ago)
    assert plot(make(days=days))[1] == squares


def test_a_day_on_which_the_clocks_change_has_no_gap(record, make, set_zone):
    set_zone("Australia/Sydney")
    for hours_ago in range(24 * 51, 24 * 49, -1):  # the 4th of October 2026 is among them, and has 23 hours
        record(hours_ago=hours_ago)
    assert plot(make(days=60))[1] == {"succeeded": 48, "missed": 24 * 49}
