"""The types that users see: mypy and pyright find in the files of this folder what their ``assert_type`` say.

Where a line is wrong on purpose, ``type: ignore`` names the error; one that is not needed is an error itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = sorted(str(path) for path in FOLDER.glob("*.py") if path != Path(__file__))

pytestmark = [pytest.mark.host, pytest.mark.once]


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=FOLDER.parents[1], capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_mypy() -> None:
    pytest.importorskip("mypy")
    status, said = run("mypy", "--warn-unused-ignores", *FILES)
    assert status == 0, said


def test_pyright(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    if run("pyright", "--version")[0] != 0:
        pytest.skip("pyright needs node, and fetches its program from the npm registry at its first run")
    settings = tmp_path / "pyrightconfig.json"
    chosen = {"include": [str(FOLDER)], "typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": True}
    settings.write_text(json.dumps(chosen))
    status, said = run("pyright", "--pythonpath", sys.executable, "--project", str(settings))
    assert status == 0, said


def test_an_error_would_be_found(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from fedfutures import futures\nfutures.submit(len, 'a').result().upper()\nfutures.sumbit\n")
    status, said = run("mypy", str(wrong))
    assert status == 1
    assert '"int" has no attribute "upper"' in said
    assert 'has no attribute "sumbit"' in said
