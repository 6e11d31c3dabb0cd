"""Every link of the documents leads somewhere, and every file that they or the program name is there.

Addresses of others are looked at, not called: the tests need no network.
"""

import ast
import re
from urllib.parse import urlsplit

import pytest
from pictures import KEPT
from reading import BLOCK, TEXTS, find_code, name_of
from renew import DOCUMENTS, ROOT

from xpmsync.cli.config_reference import render_explanation

LINK = re.compile(r"\[(?:[^\]]+)\]\(([^)\s]+)\)")
ADDRESS = re.compile(r"https?://[^\s<>()`\"“”]*[^\s<>()`\"“”.,:;|*]")


def find_anchors(document):
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(document):
    for target in LINK.findall(document.read_text("utf-8")):
        if urlsplit(target).scheme:
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        assert not anchor or anchor in find_anchors(file), target


def test_links_and_headings_are_found():
    assert "docs/server.md" in LINK.findall((ROOT / "README.md").read_text("utf-8"))
    assert {"staff-without-id", "the-run"} <= find_anchors(ROOT / "docs" / "problems.md")
    assert "xeros-self-assessment-control-by-control" in find_anchors(ROOT / "SECURITY.md")


@pytest.mark.parametrize("document", TEXTS, ids=name_of)
def test_an_address_is_well_formed(document):
    for address in ADDRESS.findall(document.read_text("utf-8")):
        parts = urlsplit(address)
        is_here = parts.hostname in ("localhost", "127.0.0.1")
        assert is_here or (parts.scheme == "https" and re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.hostname)), (
            address
        )


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_file_of_the_checkout_that_is_named_is_there(document):
    for code in find_code(document):
        if re.fullmatch(r"(xpmsync|tests|docs|\.ci)/[\w./-]+", code):
            assert (ROOT / code).exists(), code


def find_names(text):
    """The files of the checkout that a text names."""
    return re.findall(r"docs/\w+\.md|\b(?:\w+\.example\.toml|crontab\.example)\b|\b[A-Z]+\.md\b", text)


def test_a_document_that_the_program_names_in_a_comment_is_there():
    texts = [module.read_text("utf-8") for module in (ROOT / "xpmsync").rglob("*.py")]
    names = {name for text in texts for name in find_names(text)}
    assert {"docs/sandbox.md", "config.example.toml"} <= names
    assert [name for name in sorted(names) if not (ROOT / name).exists()] == []


def test_nothing_that_is_printed_names_a_file_that_only_the_checkout_has():
    texts = [text for module in (ROOT / "xpmsync").rglob("*.py") for text in find_strings(module)]
    texts += [file.read_text("utf-8") for file in KEPT.iterdir()]
    texts.append(render_explanation())
    assert "The hourly sync isn't in your crontab: add it." in "".join(texts)
    assert [name for text in texts for name in find_names(text)] == []


def find_strings(module):
    """Every text of a module but the docstrings."""
    tree = ast.parse(module.read_text("utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value
