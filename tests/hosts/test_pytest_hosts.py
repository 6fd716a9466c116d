"""``pytest --fed-hosts``: a project's tests on hosts that do not have its files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from suites import lay_out

from .ground import Ground

pytestmark = pytest.mark.host
PROJECT = {
    "project/pytest.ini": "[pytest]\npythonpath = src\n",
    "project/src/mine/__init__.py": "def value(): return 1\n",
    "project/src/mine/data.txt": "3",
    "project/tests/conftest.py": """
        import pytest

        @pytest.fixture(scope="session")
        def process(worker_id): return worker_id
    """,
    "project/tests/test_it.py": """
        import os, time
        from pathlib import Path
        import elsewhere, fedfutures, mine, pytest

        @pytest.mark.parametrize("number", range(12))
        def test_number(number, process):
            time.sleep(0.1)
            data = Path(mine.__file__).with_name("data.txt").read_text()
            assert (mine.value(), data, elsewhere.VALUE, process[:2]) == (1, "3", 5, "gw")
            Path("written").write_text("on this host alone")
        def test_place():
            assert Path(mine.__file__).parents[2] == Path.cwd()
            assert Path(os.environ["PWD"]) != Path.cwd()
        def test_fails():
            assert mine.value() == 2
    """,
    "outside/elsewhere.py": "VALUE = 5\n",
}


def run_on(ground: Ground, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    lay_out(directory, PROJECT)
    place, options = directory / "project", f"--fed-options={' '.join(ground.options)}"
    script = 'cd "$0" && export PYTHONPATH="$1" && shift && exec "$@"'
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:cacheprovider",
        "-v",
        options,
        *words,
    ]
    return subprocess.run(
        [*ground.prefix, "sh", "-c", script, place, directory / "outside", *command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("where", ["loopback", "network"])
def test_the_project_travels(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lab = request.getfixturevalue("rootless" if where == "loopback" else "one_network")
    ground = Ground(lab, ["h1", "h2"], str(tmp_path), "paramiko", prefix=getattr(lab, "origin_prefix", []))
    ended = run_on(ground, tmp_path, "--fed-hosts", "h2", "h3")
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert "fedfutures: Workers on h2, h3" in lines
    assert [line.split()[1] for line in lines if line.startswith("tests/test_it.py::")] == ["PASSED"] * 13 + ["FAILED"]
    assert ">       assert mine.value() == 2" in lines
    assert "1 failed, 13 passed" in lines[-1]
    assert not (tmp_path / "project" / "written").exists()
    assert not ground.left()
