"""What a Worker has before its node: the program is imported once, and what that raises is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TEXT = """
import sys, types
from fedfutures.worker.ground import Ground
ground = Ground()
ground.watch()
plain = sys.modules["importlib._bootstrap_external"]._LoaderBasics.exec_module
ground.watch()
assert sys.modules["importlib._bootstrap_external"]._LoaderBasics.exec_module is plain
seen = []
ground.run_imports_by(lambda run, module: (seen.append(module.__name__), run(module)))
import colorsys
assert seen == ["colorsys"], seen
ground.import_program("file", sys.argv[1])
print(ground.has_program, repr(ground.failure))
"""


def ran(place: Path, program: str) -> str:
    (place / "prog.py").write_text(program)
    command = [sys.executable, "-c", TEXT, str(place / "prog.py")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_program_is_imported_and_its_failure_kept(tmp_path: Path) -> None:
    assert ran(tmp_path, "A = 1") == "True None\n"
    assert ran(tmp_path, "raise ValueError(3)") == "True ValueError(3)\n"
