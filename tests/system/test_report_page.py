"""The page of `xpmsync report` in a real browser: on a phone and a desk, by day and by night, and on paper."""

import base64
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.cli import run
from xpmsync.sandbox import Practice, Sandbox
from xpmsync.system.timestamps import to_text

pytestmark = pytest.mark.slow

SIZES = {"phone": (360, 740), "desk": (1280, 900)}
TEXT_CONTRAST = 4.5
SHAPE_CONTRAST = 3.0
COLOURS = """(() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const found = channels(getComputedStyle(each).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('main *')].filter(element => !element.closest('svg')
    && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  const shapes = [...document.querySelectorAll('svg path')].filter(path => !path.matches('.grid, .cross'));
  return {
    texts: texts.map(element => [channels(getComputedStyle(element).color), behind(element), element.innerText]),
    shapes: shapes.map(path => {
      const style = getComputedStyle(path);
      return [channels(style.fill === 'none' ? style.stroke : style.fill), behind(path), path.className.baseVal];
    }),
  };
})()"""


@pytest.fixture(scope="module")
def address(furnish, tmp_path_factory):
    """A page with a month of runs: gaps, failures, and every kind of problem that a practice has."""
    folder = tmp_path_factory.mktemp("page")
    practice = Practice.generate(clients=120, staff=8, seed=7)
    with Sandbox(practice) as sandbox, pytest.MonkeyPatch.context() as monkeypatch:
        firm = furnish(sandbox, folder / "home", monkeypatch)
        firm.sync()
        now = datetime.now(UTC)
        rows = []
        for hours_ago in range(24 * 29, 0, -1):
            status = {7: "failed", 8: "interrupted"}.get(hours_ago % 90, "succeeded")
            moment = to_text(now - timedelta(hours=hours_ago))
            if hours_ago % 100 >= 5:
                rows.append(f"({-hours_ago}, '{moment}', '{moment}', 'incremental', '{status}')")
        firm.write(f"INSERT INTO sync_runs (id, started_at, finished_at, mode, status) VALUES {', '.join(rows)}")
        assert run(["report", str(folder / "page.html"), "--names"]) == 0
    return f"file://{folder}/page.html"


def luminance(colour):
    parts = [value / 255 for value in colour[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_readable_at_every_width_by_day_and_by_night(browser, address, size):
    width, height = SIZES[size]
    browser.emulate("setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == "phone")
    backgrounds = set()
    for scheme in ("light", "dark"):
        browser.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(address)
        browser.take_picture(f"report-{size}-{scheme}")
        assert browser.run("innerWidth") == width
        assert browser.run("document.documentElement.scrollWidth") <= width
        colours = browser.run(COLOURS)
        assert len(colours["texts"]) > 20
        for kind, enough in (("texts", TEXT_CONTRAST), ("shapes", SHAPE_CONTRAST)):
            for colour, behind, what in colours[kind]:
                assert contrast(colour, behind) >= enough, (scheme, what)
        assert {what for _, _, what in colours["shapes"]} == {"succeeded", "failed", "interrupted", "missed"}
        backgrounds.add(browser.run("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_the_page_asks_nobody_for_anything_and_the_browser_has_nothing_to_complain_of(browser, address):
    browser.open(address)
    assert {sent for sent, _ in browser.requests_sent()} == {address}
    assert browser.complaints() == []
    assert browser.run("document.scripts.length") == 0


def test_the_page_prints_on_paper(browser, address, require_program, tmp_path):
    browser.open(address)
    document = base64.b64decode(browser.ask("POST", "/print", {"page": {"width": 21.0, "height": 29.7}}))
    assert document.startswith(b"%PDF-")
    (tmp_path / "page.pdf").write_bytes(document)
    command = [require_program("pdftotext"), "-layout", str(tmp_path / "page.pdf"), "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for heading in ("Working", "What needs a person", "Open problems", "What Active holds", "The last runs"):
        assert re.search(rf"(?m)^\W*{heading}", text)
