"""What the documents have from the code is what the code says now."""

from collections import Counter

import pytest
from renew import (
    DOCUMENTS,
    EXAMPLE,
    MARKED,
    PARTS,
    find_imports,
    leave_out_implied,
    make_exit_codes,
    make_picture,
    renew,
)

from xpmsync.cli import run
from xpmsync.errors import XpmsyncError
from xpmsync.notify import smtp  # its errors are a part of the tree

REMEDY = "python tests/documentation/renew.py writes it anew"


@pytest.mark.parametrize("document", [*DOCUMENTS, EXAMPLE], ids=lambda document: document.name)
def test_a_document_has_from_the_code_what_the_code_says(document):
    assert document.read_text("utf-8") == renew(document), REMEDY


def test_the_example_of_the_settings_is_what_the_program_prints_of_them(capsys):
    assert run(["configure", "--explain"]) == 0
    assert capsys.readouterr().out == EXAMPLE.read_text("utf-8")


def test_everything_that_is_made_from_the_code_stands_in_the_documents_once():
    marks = Counter(found[1] for document in DOCUMENTS for found in MARKED.finditer(document.read_text("utf-8")))
    assert marks == Counter(PARTS.keys())


def test_every_exit_code_that_an_error_has_is_told():
    def find_codes(kind):
        return {kind.exit_code}.union(*map(find_codes, kind.__subclasses__()))

    assert smtp.MailError in XpmsyncError.__subclasses__()
    told = {int(line.split("|")[1]) for line in make_exit_codes().splitlines()[2:]}
    assert find_codes(XpmsyncError) | {0, 3, 130} == told


def test_the_picture_leaves_out_what_follows_and_nothing_else():
    imports = find_imports()
    shown = {room: leave_out_implied(imports, room) for room in imports}

    def reach(graph, room):
        return graph[room].union(*(reach(graph, each) for each in graph[room]))

    assert {room: reach(shown, room) for room in shown} == {room: reach(imports, room) for room in imports}
    assert make_picture().count(" --> ") == sum(map(len, shown.values())) < sum(map(len, imports.values()))
