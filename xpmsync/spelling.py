"""Which texts are the same whatever their case, and what somebody may have meant who has mistyped a word.

Knows no word of its own.
"""

from collections.abc import Iterable
from typing import Final

REORDERING: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""What makes a screen show a text in another order than it has; for a set of characters in a pattern."""


def fold(text: str) -> str:
    """What makes two codes, names or addresses the same, whatever their case, in any script."""
    return text.strip().casefold()


def make_key(text: str | None) -> str | None:
    """What tells a code or an address from others; one of white space alone, typed by hand, is none."""
    return (fold(text) or None) if text else None


def suggest(typed: str, known: Iterable[str]) -> str:
    """A sentence, after a space, that names the known word nearest to the typed one; nothing where none is near."""
    near = find_nearest(typed, known)
    return f" Did you mean “{near}”?" if near else ""


def find_nearest(typed: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word nearest to the typed one, whatever their case; None where none is near: 1 is the same word."""
    import difflib  # noqa: PLC0415 - for a mistake alone

    folded = {fold(word): word for word in known}
    near = difflib.get_close_matches(fold(typed), folded, n=1, cutoff=likeness)
    return folded[near[0]] if near else None
