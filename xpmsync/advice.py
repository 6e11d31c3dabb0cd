"""What stands in an advice to be typed or copied: the commands in it, and what is said around them.

Each is shown on a line of its own, whole, on a screen and in an e-mail. Knows neither, and no command's meaning.
"""

import re
from collections.abc import Iterator
from typing import Final

WORD: Final = r"""(?:'[^']*'|"[^"]*"|[^\s'",.;()“”]|[.,](?=\S))+"""
COMMAND: Final = re.compile(
    rf"(?<=:) ([A-Z_]+={WORD}(?: xpmsync(?: {WORD})+)?|(?:chmod|crontab|fuser|mv|rm|sudo|xpmsync)(?: {WORD})+)"
)
"""A command, or a line of the crontab: it stands behind a colon, and ends where the sentence does, or a part of it."""


def set_apart(text: str) -> Iterator[tuple[str, bool]]:
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
