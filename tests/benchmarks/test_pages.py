"""What README.md says of the speed is what docs/benchmarks.md says."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def read_goals(page):
    (part,) = re.findall(
        r"<!-- benchmarks: begin -->\n(.*?)<!-- benchmarks: end -->", (ROOT / page).read_text(), re.DOTALL
    )
    goals, _, rest = part.partition("\n\nMeasured on ")
    return goals.splitlines(), rest[: len("2026-11-23")]


def test_the_readme_shows_the_goals_of_the_page_with_their_date():
    goals, date = read_goals("README.md")

    assert (goals, date) == read_goals("docs/benchmarks.md")
    assert len(goals) > 8
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)


def test_every_missed_goal_is_explained_by_hand():
    goals, _ = read_goals("docs/benchmarks.md")
    _, explained = (ROOT / "docs/benchmarks.md").read_text().split("## Why a goal is missed\n")

    missed = [line.split(" | ")[0].removeprefix("| ") for line in goals if line.endswith("| **missed** |")]
    assert [work for work in missed if work not in explained] == []
