"""The documents as those read them who follow them: command lines, commands mentioned in passing, settings, links.

Knows Markdown as far as our documents use it; runs nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from renew import DOCUMENTS, EXAMPLE, ROOT

CRONTAB: Final = ROOT / "crontab.example"
TEXTS: Final = (*DOCUMENTS, EXAMPLE, CRONTAB)
BLOCK: Final = re.compile(
    r"^(?P<mark><!-- command: \w+ -->\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
MENTIONS: Final = (
    re.compile(r"`(?:[^`\s]*/)?xpmsync ([^`]+)`"),
    re.compile(r"[“\"]xpmsync ([^”\"]+)[”\"]"),
    re.compile(r": xpmsync ([^.;,()|\n]+)"),
    re.compile(r"^[\d*/ ]+(?:\S*/)?xpmsync (.+)$", re.MULTILINE),
)
"""How the commands of xpmsync are written: as code, in quotation marks, after a colon, on a line for cron."""


@dataclass(frozen=True)
class Block:
    """What stands between fences."""

    document: str
    language: str
    text: str
    has_mark: bool
    """The README's own two commands have one: `.ci/run` finds them by it."""

    @property
    def commands(self) -> Iterator[str]:
        """Its command lines, without a prompt; those that go on in the next line are one."""
        for line in re.sub(r" *\\\n *", " ", self.text).splitlines():
            yield line.removeprefix("$ ")


def name_of(document: Path) -> str:
    """The path of a document, as people write it."""
    return document.relative_to(ROOT).as_posix()


def find_blocks() -> Iterator[Block]:
    """Every block of every document."""
    for document in DOCUMENTS:
        for found in BLOCK.finditer(document.read_text("utf-8")):
            text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield Block(name_of(document), found["language"], text, found["mark"] is not None)


def find_mentions(document: Path) -> Iterator[str]:
    """What follows the word xpmsync, wherever a command is written."""
    text = document.read_text("utf-8")
    for written in MENTIONS:
        for found in written.finditer(text):
            yield " ".join(found[1].split())
    for block in BLOCK.finditer(text):
        lines = block["text"].replace("\\\n", " ")
        for found in re.finditer(r"(?:^|&& |^\$ )(?:\S*/)?xpmsync (.+)$", lines, re.MULTILINE):
            yield found[1]


def find_code(document: Path) -> Iterator[str]:
    """What stands between backticks, outside of blocks."""
    for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", BLOCK.sub("", document.read_text("utf-8"))):
        yield " ".join(found[1].split())
