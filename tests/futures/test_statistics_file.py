"""``--stats FILE``: what a run has computed is said and written when it ends, however it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from launching import Ended, launch, write

pytestmark = pytest.mark.host

PROGRAM = """
    import sys, time
    from fedfutures import futures

    def square(x):
        return x * x

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    def fail(x):
        raise ValueError(x)

    if __name__ == "__main__":
        for number in range(20):  # some of these go over a lane
            assert futures.submit(square, number).result() == number * number
        naps = [futures.submit(nap, 0.05) for _ in range(8)]
        failed = futures.submit(fail, 1)
        futures.wait([*naps, failed])
        assert isinstance(failed.exception(), ValueError)
        sys.exit(int(sys.argv[1]))
"""


def run(directory: Path, *options: str, code: int = 0) -> tuple[Ended, Any]:
    write(directory / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--stats", "run.json", *options, "prog.py", str(code), cwd=directory)
    file = directory / "run.json"
    return ended, json.loads(file.read_text()) if file.exists() else None


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_says_what_it_has_computed(tmp_path: Path, code: int) -> None:
    ended, report = run(tmp_path, code=code)
    assert ended.code == code
    said = re.search(r"fedfutures: 29 Futures in \d+\.\d s, 1 of them failed; 2 Workers were busy \d+ % of", ended.err)
    assert said is not None, ended.err
    functions = report["functions"]
    assert {name: (it["futures"], it["failed"]) for name, it in functions.items()} == {
        "square": (20, 0), "nap": (8, 0), "fail": (1, 1),
    }  # fmt: skip
    assert functions["nap"]["p50"] >= 0.05
    assert functions["nap"]["seconds"] >= 0.4
    assert functions["nap"]["seconds"] <= 2 * report["seconds"]
    assert sum(it["futures"] for it in report["workers"].values()) == 29
    assert [it["futures"] for it in report["hosts"].values()] == [29]
    assert list(tmp_path.glob("run.json.*")) == []


def test_quietly_it_is_only_written(tmp_path: Path) -> None:
    ended, report = run(tmp_path, "-q")
    assert (ended.err, report["futures"]) == ("", 29)


def test_a_file_that_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "1", "--stats", "none/run.json", "prog.py", "0", cwd=tmp_path)
    assert ended.code == 2
    assert f"--stats 'none/run.json' cannot be written: there is no directory {tmp_path}/none" in ended.err


def test_one_that_cannot_be_written_in_the_end_harms_nothing(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    (tmp_path / "run.json").mkdir()
    ended = launch("-n", "1", "--stats", "run.json", "prog.py", "0", cwd=tmp_path)
    assert ended.code == 0
    assert "run.json could not be written: Is a directory" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".pyc") == ["prog.py", "run.json"]
