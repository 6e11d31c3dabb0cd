"""Draws the README's pictures of the terminal from the kept screens, as SVG that needs no font and no network.

Whoever has renewed the kept screens draws them anew, and looks at them:

    python tests/screens/pictures.py
"""

import re
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
KEPT = Path(__file__).parent / "__snapshots__" / "test_screens"
PICTURES = {
    "first-sync": ("sync-first", "sync"),
    "errors": ("errors-code", "errors --code client-code-shared"),
    "status": ("status-working", "status"),
    "history": ("history-client", "history Kōwhai"),
}
"""A picture's name; the screen that it shows, and what is typed for it."""
COLUMNS = 80
SIZE = 14
ADVANCE = 8.43
"""From one character to the next: a run of text is stretched to it, whichever font the reader has."""
LINE = 20
MARGIN = 18
BACKGROUND, FOREGROUND, PROMPT = "#1b1f27", "#d7dce4", "#7dcfff"
FONT = (
    f'fill="{FOREGROUND}" font-size="{SIZE}"'
    " font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace\""
)
COLOURS = {"red": "#ff8f88", "green": "#86d992", "brown": "#e8bf5a", "cyan": "#7dcfff"}
"""By the terminal's names. The ground is the picture's own, so that a page may be light or dark."""


def read_screen(name):
    """The lines of a kept screen, 80 columns wide, and of each line the words that are not plain."""
    (file,) = KEPT.glob(f"*[[]{name}-{COLUMNS}[]].txt")
    text, _, listed = file.read_text("utf-8").partition("\n--- in colour ---\n")
    marks = {}
    for number, style, words in re.findall(r"(?m)^(\d+): ([a-z ]+): (.+)$", listed):
        marks.setdefault(int(number), []).append((style, words))
    return text.rstrip("\n").split("\n"), marks


def split_line(line, marks):
    """The pieces of a line: the column at which each begins, its style, its text. White space needs none."""
    pieces, place = [], 0
    for style, words in marks:
        start = line.index(words, place)
        pieces += [(place, "", line[place:start]), (start, style, words)]
        place = start + len(words)
    pieces.append((place, "", line[place:]))
    for start, style, text in pieces:
        for word in re.finditer(r"\S+( \S+)*", text):
            yield start + word.start(), style, word[0]


def draw(lines, marks, command):
    """The picture of a screen, beneath the command that was typed."""
    rows = [[(0, "prompt", "$"), (2, "bold", f"xpmsync {command}")]]
    rows += [list(split_line(line, marks.get(number, ()))) for number, line in enumerate(lines, start=1)]
    width, height = round(COLUMNS * ADVANCE + 2 * MARGIN), len(rows) * LINE + 2 * MARGIN
    texts = [
        f'<text x="{MARGIN + column * ADVANCE:.2f}" y="{MARGIN + number * LINE + SIZE}"'
        f' textLength="{len(text) * ADVANCE:.2f}"{_render_style(style)}>{escape(text, quote=False)}</text>'
        for number, row in enumerate(rows)
        for column, style, text in row
    ]
    size = f'width="{width}" height="{height}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img"'
    title = f"<title>The terminal after: xpmsync {escape(command)}</title>"
    frame = f'<rect {size} rx="8" fill="{BACKGROUND}"/>'
    return "\n".join([f"{start} {FONT}>", title, frame, *texts, "</svg>", ""])


def _render_style(style):
    words = style.split()
    weight = ' font-weight="bold"' if "bold" in words else ""
    colours = {"prompt": PROMPT} | COLOURS
    return weight + "".join(f' fill="{colours[word]}"' for word in words if word != "bold")


def draw_kept(name):
    """The picture as the kept screen would have it."""
    screen, command = PICTURES[name]
    return draw(*read_screen(screen), command)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in PICTURES:
        (FOLDER / f"{name}.svg").write_text(draw_kept(name), "utf-8")
