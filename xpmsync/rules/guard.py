"""The guard: whether so much would be lost at once that a person should look first.

A glitch at the source looks like a thousand archived clients. Compares counts with limits; knows nothing of how they
were counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """So many of so many records that would lose something."""

    kind: str
    """What is lost, as it is remembered for a person to accept."""
    sentence: str
    """What is lost, for people, with places for `lost` and `total`."""
    lost: int
    total: int
    names: tuple[str, ...]
    """Some of those concerned."""
    percent: int
    """Believed up to this share of the records …"""
    at_least: int
    """… and below this number."""
    is_list: bool = False
    """The records themselves are gone: a list that is empty all at once is never believed."""

    @property
    def is_suspicious(self) -> bool:
        """Whether the loss is beyond belief."""
        is_emptied = self.is_list and self.lost == self.total > 0
        return is_emptied or (self.lost >= self.at_least and self.lost * 100 > self.total * self.percent)

    def describe(self) -> str:
        """The loss as a sentence, in counts alone."""
        return f"{self.sentence.format(lost=f'{self.lost:,}', total=f'{self.total:,}')}."

    def name(self) -> str:
        """Some of those concerned. A name may hold a comma, so they stand between semicolons."""
        names = "; ".join(self.names)
        return f"Among the {self.lost:,}: {names}; …" if self.lost > len(self.names) else f"Namely: {names}."


def find_unaccepted(losses: Iterable[Loss], accepted: Mapping[str, int]) -> list[Loss]:
    """The losses of which a person has not said that so much is right; `accepted` holds how much of each kind is."""
    return [loss for loss in losses if loss.lost > accepted.get(loss.kind, 0)]
