"""Texts: comparison keys, suggestions for mistyped words, and the commands inside sentences."""

import re
from collections.abc import Iterable, Iterator
from typing import Final
from unicodedata import category, normalize

JOINERS: Final = re.compile("[\u200c\u200d]+")
"""Zero-width non-joiner and joiner: between letters of some scripts they are part of the spelling."""
BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Characters that count as letters or symbols, and show nothing."""
REORDERING: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""What makes a screen show a text in another order than it has; for a set of characters in a pattern."""
WORD: Final = r"""(?:'[^']*'|"[^"]*"|[^\s'",.;()“”]|[.,](?=\S))+"""
COMMAND: Final = re.compile(
    rf"(?<=:) ([A-Z_]+={WORD}(?: xpmsync(?: {WORD})+)?|(?:chmod|crontab|fuser|mv|rm|sudo|xpmsync)(?: {WORD})+)"
)
"""A command, or a line of the crontab: it stands behind a colon, and ends where the sentence does, or a part of it."""


def fold(text: str) -> str:
    """What makes two codes, names or addresses the same: whatever their case, in any script, without what is invisible.

    Composed and decomposed letters are the same.
    """
    if not text.isascii():
        text = normalize("NFC", normalize("NFD", _drop_format(text)).casefold())
    return text.strip().casefold()


def clean(text: str) -> str:
    """A text as it is kept: trimmed, in NFC, without format characters but for joiners between letters."""
    if not text.isascii():
        plain = JOINERS.sub(lambda found: found[0] if _is_in_word(found) else "", _drop_format(text, JOINERS))
        text = normalize("NFC", plain)
    return text.strip()


def is_visible(text: str) -> bool:
    """Whether anything of a word can be seen."""
    return text.isascii() or any(category(character)[0] in "LNPS" and character not in BLANKS for character in text)


def _drop_format(text: str, kept: re.Pattern[str] | None = None) -> str:
    if text.isprintable():  # then there is none
        return text
    return "".join(each for each in text if category(each) != "Cf" or (kept and kept.match(each)))


def _is_in_word(found: re.Match[str]) -> bool:
    """Whether there is a letter, or a mark on one, on both sides."""
    text, (start, end) = found.string, found.span()
    return start > 0 and end < len(text) and {category(text[start - 1])[0], category(text[end])[0]} <= {"L", "M"}


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


def split_commands(text: str) -> Iterator[tuple[str, bool]]:
    """The commands in a text, what stands around them, and which is which; after a command begins a sentence."""
    before, *others = COMMAND.split(text)
    yield before, False
    for command, remark in zip(others[::2], others[1::2], strict=True):
        yield command, True
        if sentence := _begin_sentence(remark):
            yield sentence, False


def _begin_sentence(remark: str) -> str:
    """What follows on a command, without the marks that joined it to the command."""
    rest = remark.lstrip(" ,.;)")
    if rest.startswith("("):
        rest = rest[1:].removesuffix(")")
    return rest[:1].upper() + rest[1:]
