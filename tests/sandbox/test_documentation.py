import ast
import re
from pathlib import Path

import pytest

from xpmsync.sandbox import FAULTS, Switches
from xpmsync.sandbox.control import ROUTES
from xpmsync.sandbox.switches import NAMES, describe_switches

CHECKOUT = Path(__file__).parent.parent.parent
DOCUMENT = (CHECKOUT / "docs" / "sandbox.md").read_text()


def rows(heading: str) -> dict[str, str]:
    """The first two columns of the table under a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \|(.*)$", section, re.MULTILINE))


def test_every_fault_is_documented_with_its_meaning_and_options_and_no_other():
    documented = rows("Faults")
    assert documented.keys() == FAULTS.keys()
    for name, kind in FAULTS.items():
        assert kind.meaning in documented[name]
        assert all(f"`{option}`" in documented[name] for option in kind.options), name


def test_every_switch_is_documented_with_its_default_and_meaning_and_no_other():
    documented = rows("Switches")
    assert tuple(documented) == NAMES
    for name, default, meaning, unknown in describe_switches():
        shown = str(default).lower() if isinstance(default, bool) else str(default) or '""'
        assert f"`{shown}`" in documented[name], name
        assert meaning in documented[name], name
        assert ("unknown" in documented[name].split("|")[1]) is unknown, name


def test_every_control_is_documented():
    assert [
        f"{route.method} {route.path}" for route in ROUTES if f"`{route.method} {route.path}`" not in DOCUMENT
    ] == []


@pytest.mark.parametrize("path", sorted((CHECKOUT / "xpmsync" / "sandbox").glob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_imports_nothing_of_the_tool(path):
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert [each for each in modules if each.startswith("xpmsync") and not each.startswith("xpmsync.sandbox")] == []


def test_switches_cannot_be_changed_by_accident():
    with pytest.raises(AttributeError):
        Switches().gzip = False
