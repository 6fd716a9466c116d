"""What may import what, and how long things may be: the tail is what separates the good from the bad."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "fedfutures").rglob("*.py"), *(ROOT / "launcher").rglob("*.py")])
MACHINE_LINES = 600
FUNCTION_LINES = 60
EXCEPTIONS: dict[str, str] = {}
"""Functions that may be longer, as ``folder/module.py:name``, each with its reason."""


@pytest.mark.host
def test_imports_go_down_only() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name == "machine.py"], ids=lambda path: path.parent.name
)
def test_machines_fit_into_a_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MACHINE_LINES


def long_functions() -> Iterator[str]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno is not None
                if node.end_lineno - node.lineno + 1 > FUNCTION_LINES:
                    yield f"{path.relative_to(ROOT)}:{node.name}"


def test_functions_fit_on_a_page() -> None:
    assert set(long_functions()) == set(EXCEPTIONS)
