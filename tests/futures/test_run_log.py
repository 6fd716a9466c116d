"""``--log FILE``: a line for each Future that has an outcome, and for each process that has ended, with the cause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from launching import launch, write

pytestmark = pytest.mark.host

PROGRAM = """
    import os, signal, time
    from fedfutures import futures, worker

    def square(x):
        return x * x

    def fail(x):
        raise ValueError(x)

    def die_once(path):
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return 7

    if __name__ == "__main__":
        assert [futures.submit(square, n).result() for n in range(5)] == [0, 1, 4, 9, 16]
        assert list(futures.map(square, range(40), chunksize=20)) == [n * n for n in range(40)]
        failed = futures.submit(fail, 1)
        futures.wait([failed])
        failed.exception()
        assert futures.submit(die_once, "died").result() == 7
"""


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_happens_is_written_down_with_its_cause(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--log", "run.log", "prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines = lines_of(tmp_path / "run.log")
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert (lines[0]["event"], lines[0]["program"]) == ("begin", "prog.py")
    of_futures = [line for line in lines if line["event"] == "future"]
    assert [line["function"] for line in of_futures] == ["square"] * 7 + ["fail", "die_once"]
    assert [line["outcome"] for line in of_futures] == ["value"] * 7 + ["error", "value"]
    assert all(line["worker"].startswith(line["host"] + ".") for line in of_futures)
    assert of_futures[-1]["attempts"] == 2
    [lost] = [line for line in lines if line["event"] == "worker ended"]
    assert "SIGKILL" in lost["status"]
    last = lines[-1]
    assert (last["event"], last["futures"], last["failed"], last["lost"], last["retries"]) == ("end", 9, 1, 0, 1)


def test_a_disk_that_is_full_ends_the_log_and_not_the_run(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--log", "/dev/full", "prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "the log ends, for it cannot be written: No space left on device" in ended.err


def test_a_directory_that_is_not_there_is_said_before_the_run(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "1", "--log", "none/run.log", "prog.py", cwd=tmp_path)
    assert ended.code == 2
    assert "--log 'none/run.log' cannot be written: there is no directory" in ended.err
