"""The long run: throw, for as long as it is told to, what CI throws for seconds.

    python tests/hostile/campaign.py --minutes 60 --seed 1

Every property gets the same share of the time. What is found is printed with the smallest example that hypothesis can
make of it; it belongs into the tests, as an example that is kept.
"""

import argparse
import logging
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable

from hostile_world import World
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning
from properties import (
    check_command_line,
    check_parsing,
    check_pasted_address,
    check_run,
    check_settings,
    check_token_answer,
    check_values,
)

MOST_CHARACTERS = 8000
CASES_OF_A_ROUND = {"settings": 1000, "parsing": 2000, "addresses": 2000, "tokens": 1000}
PROPERTIES: dict[str, Callable[[World, Callable], None]] = {
    "runs": check_run,
    "values": check_values,
    "parsing": check_parsing,
    "tokens": check_token_answer,
    "commands": check_command_line,
    "addresses": check_pasted_address,
    "settings": lambda world, draw: check_settings(world.spare_home, draw),
}


def play(world: World, name: str, number: int, cases: int, counted: Counter) -> str | None:
    """Cases of one property; what it found, if anything."""

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(st.data())
    def cases_of(data):
        counted[name] += 1
        PROPERTIES[name](world, data.draw)

    try:
        cases_of()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we are looking for
        notes = "\n".join(getattr(error, "__notes__", []))
        return f"{''.join(traceback.format_tb(error.__traceback__)[-4:])}{error!r}\n{notes}"[:MOST_CHARACTERS]
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=PROPERTIES)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", HypothesisWarning)
    names = [asked.only] if asked.only else list(PROPERTIES)
    counted: Counter = Counter()
    spent: Counter = Counter()
    findings = 0
    started = time.monotonic()
    number = asked.seed * 1_000_000
    with World() as world:
        while time.monotonic() - started < asked.minutes * 60:
            name = min(names, key=lambda each: spent[each])
            number += 1
            began = time.monotonic()
            found = play(world, name, number, CASES_OF_A_ROUND.get(name, 100), counted)
            spent[name] += time.monotonic() - began
            if found:
                findings += 1
                print(f"\nFOUND by {name}, round {number}:\n{found}", flush=True)
    total = sum(counted.values())
    print(
        f"\n{total:,} cases in {(time.monotonic() - started) / 60:.1f} minutes, seed {asked.seed}; {findings} findings"
    )
    for name in names:
        print(f"  {name}: {counted[name]:,} cases in {spent[name] / 60:.1f} minutes")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
