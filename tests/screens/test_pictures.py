"""The README's pictures of the terminal show what the commands print today, and ask nothing of the network."""

import pytest
from lxml import etree
from pictures import ADVANCE, COLUMNS, FOLDER, LINE, MARGIN, PICTURES, draw_kept, read_screen
from test_screens import SCREENS

NAMESPACE = "{http://www.w3.org/2000/svg}"


def read_picture(text):
    """The lines of text that a person sees in a picture, by where its pieces stand."""
    lines = {}
    for piece in etree.fromstring(text).iter(f"{NAMESPACE}text"):
        number = int((float(piece.get("y")) - MARGIN) // LINE)
        column = round((float(piece.get("x")) - MARGIN) / ADVANCE)
        lines[number] = lines.get(number, "").ljust(column) + piece.text
    return [lines.get(number, "") for number in range(max(lines) + 1)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_the_screen_as_it_is_kept(name):
    text = (FOLDER / f"{name}.svg").read_text("utf-8")
    screen, command = PICTURES[name]
    lines, _ = read_screen(screen)
    assert read_picture(text) == [f"$ xpmsync {command}", *lines], "Draw anew: python tests/screens/pictures.py"
    assert text == draw_kept(name), "Draw anew: python tests/screens/pictures.py"
    assert max(map(len, lines)) <= COLUMNS
    assert {screen: command}.items() <= {each.name: each.command for each in SCREENS}.items()


def test_no_picture_is_left_over_or_asks_the_network_for_anything():
    assert {file.stem for file in FOLDER.iterdir()} == PICTURES.keys()
    for file in FOLDER.iterdir():
        text = file.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "//" not in text
        assert "url(" not in text
