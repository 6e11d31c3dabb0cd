"""The guard: whether so much would be lost at once that a person should look first.

A glitch at the source looks like a thousand archived clients. Compares counts with limits; knows nothing of how they
were counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """So many of so many records that lose something between the last run and this one."""

    kind: str
    """What is lost, as it is remembered for `--accept-removals`: ``clients gone``, ``email emptied``."""
    sentence: str
    """What is lost, for people, with places for `lost` and `total`."""
    lost: int
    total: int
    names: tuple[str, ...] = ()
    """Some of those concerned."""


@dataclass(frozen=True)
class Limit:
    """From where on a loss is not believed: more than this share, and at least so many."""

    percent: int
    at_least: int

    def is_exceeded(self, loss: Loss) -> bool:
        """Whether the loss is too large; a list that is empty at once always is."""
        is_empty = loss.lost == loss.total > 0 and loss.kind.endswith(" gone")
        return is_empty or (loss.lost >= self.at_least and loss.lost * 100 > loss.total * self.percent)


def find_suspicious(
    losses: Iterable[tuple[Loss, Limit]], accepted: Mapping[str, int] | None = None
) -> list[Loss]:
    """The losses beyond their limits; `accepted` holds how much of each kind a person has said is right."""
    return [loss for loss, limit in losses if limit.is_exceeded(loss) and loss.lost > (accepted or {}).get(loss.kind, 0)]


def describe(losses: Iterable[Loss]) -> str:
    """The losses as sentences, each with some names."""
    sentences = []
    for loss in losses:
        sentence = loss.sentence.format(lost=f"{loss.lost:,}", total=f"{loss.total:,}")
        more = ", …" if loss.lost > len(loss.names) else ""
        sentences.append(f"{sentence} ({', '.join(loss.names)}{more})." if loss.names else f"{sentence}.")
    return " ".join(sentences)
