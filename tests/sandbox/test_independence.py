import ast
from pathlib import Path

import pytest

from xpmsync.sandbox import Switches

SANDBOX = Path(__file__).parents[2] / "xpmsync" / "sandbox"


@pytest.mark.parametrize("path", sorted(SANDBOX.glob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_imports_nothing_of_the_tool(path):
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert [each for each in modules if each.startswith("xpmsync") and not each.startswith("xpmsync.sandbox")] == []


def test_switches_cannot_be_changed_by_accident():
    with pytest.raises(AttributeError):
        Switches().gzip = False
