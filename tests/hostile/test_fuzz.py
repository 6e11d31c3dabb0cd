"""CI's share of the campaign: the same cases every time. `campaign.py` throws new ones for as long as one likes."""

import logging
from collections import Counter

import pytest
from campaign import PROPERTIES, play

pytestmark = pytest.mark.slow

CASES = {"runs": 150, "values": 12, "parsing": 400, "tokens": 300, "commands": 200, "addresses": 300, "settings": 300}
"""Some twenty seconds for each of the first two, a few for the others."""


@pytest.mark.parametrize("name", PROPERTIES)
def test_whatever_is_thrown_the_properties_hold(world, name):
    logging.disable(logging.CRITICAL)
    try:
        found = play(world, name, 2026, CASES[name], Counter())
    finally:
        logging.disable(logging.NOTSET)
    assert found is None, found
