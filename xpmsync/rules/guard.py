"""The safety limits: whether so much would be lost at once that a person should look first.

A glitch at the source looks like a thousand archived clients. Compares counts with limits; knows nothing of how they
were counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NEEDED_ELEMENTS: Final[Mapping[str, Mapping[str, int]]] = {
    "staff": {"Email": 3},
    "clients": {"ClientCode": 20, "AccountManager": 20, "Name": 20},
}
"""What matching relies on: element to the number of records that must not all be without it, in a first sync."""


@dataclass(frozen=True)
class Loss:
    """So many of so many records that would lose something."""

    sentence: str
    """What is lost, for people, with places for `lost` and `total`."""
    lost: int
    total: int
    percent: int
    """Allowed up to this share of the records …"""
    at_least: int
    """… and below this number."""
    is_list: bool = False
    """The records themselves are missing: not all of them may be, however few they are."""

    @property
    def is_too_much(self) -> bool:
        """Whether the loss is beyond the limits."""
        is_emptied = self.is_list and self.lost == self.total > 0
        return is_emptied or (self.lost >= self.at_least and self.lost * 100 > self.total * self.percent)

    def describe(self, more: int | None = None) -> str:
        """The loss as a sentence, in counts alone; with how many of them are `more` than was accepted."""
        sentence = self.sentence.format(lost=f"{self.lost:,}", total=f"{self.total:,}")
        return f"{sentence}, {more:,} more than accepted." if more and more < self.lost else f"{sentence}."
