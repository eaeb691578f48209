"""The scripts run on a bare host: Python 3.11 and its standard library."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.process import ROOT

OLDEST_PYTHON = (3, 11)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name
)
def test_imports(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=OLDEST_PYTHON)
    assert set(imported(tree)) <= sys.stdlib_module_names | {"scripts"}


def imported(tree: ast.Module) -> Iterator[str]:
    """Top-level names of the modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
