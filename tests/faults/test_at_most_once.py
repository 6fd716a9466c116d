"""Futures that start once at most: processes are killed with real signals, and none of them starts twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import once_functions as once
import pytest
from launching import eventually, launch, python
from reviving import Lives

from fedfutures.errors import FutureLost, PoisonedFuture

pytestmark = [pytest.mark.host, pytest.mark.once]
SECONDS = 30.0


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    here = Lives(2)
    with here.executor:
        yield here


def starts(directory: Path) -> dict[str, list[int]]:
    return {path.name: [int(pid) for pid in path.read_text().split()] for path in directory.iterdir()}


def has_started(directory: Path, name: str) -> bool:
    return bool((directory / name).exists() and (directory / name).read_text().endswith("\n"))


def outcomes(named: dict[str, Future[str]]) -> dict[str, str]:
    """Return "value" or "lost" by name; each has a value only if it is its own."""
    found = {}
    for name, future in named.items():
        error = future.exception(SECONDS)
        assert error is None or isinstance(error, FutureLost), error
        assert error is not None or future.result() == name
        found[name] = "value" if error is None else "lost"
    return found


def test_its_worker_is_killed(lives: Lives, tmp_path: Path) -> None:
    future = lives.executor.options(idempotent=False).submit(once.work, str(tmp_path), "a", 30.0)
    assert eventually(lambda: has_started(tmp_path, "a"), SECONDS)
    os.kill(starts(tmp_path)["a"][0], signal.SIGKILL)
    with pytest.raises(FutureLost, match=r"may have started, and is not started again.*signal SIGKILL") as found:
        future.result(SECONDS)
    error = found.value
    assert (error.function, error.attempts, error.status) == ("work", 1, "signal SIGKILL")
    assert error.host
    assert error.worker.startswith(error.host)
    assert "submit it again" in str(error)
    assert isinstance(error, PoisonedFuture)
    time.sleep(0.2)
    assert len(starts(tmp_path)["a"]) == 1


def test_what_waits_behind_one_that_crashes_goes_on(lives: Lives, tmp_path: Path) -> None:
    options = lives.executor.options(idempotent=False)
    crashing = [options.submit(once.crash, str(tmp_path), f"crash{index}") for index in range(3)]
    working = {f"work{index}": options.submit(once.work, str(tmp_path), f"work{index}") for index in range(20)}
    assert set(outcomes(working).values()) == {"value"}
    assert {type(future.exception(SECONDS)) for future in crashing} == {FutureLost}
    assert {len(pids) for pids in starts(tmp_path).values()} == {1}


def test_a_map(lives: Lives, tmp_path: Path) -> None:
    names = [f"item{index}" for index in range(8)]
    found = lives.executor.map(once.work, [str(tmp_path)] * 8, names, idempotent=False)
    assert list(found) == names
    assert {len(pids) for pids in starts(tmp_path).values()} == {1}


def test_its_child_crashes_and_it_lives(lives: Lives, tmp_path: Path) -> None:
    future = lives.executor.options(idempotent=False).submit(once.guard, str(tmp_path), "parent")
    assert future.result(SECONDS) == "lost crash, parent-other"
    found = starts(tmp_path)
    assert (len(found["parent"]), len(found["parent-child"])) == (1, 1), "the other one may be tried again"
    assert found["parent"] != found["parent-child"], "its child has a Worker to itself"


def test_its_broker_is_killed(lives: Lives, tmp_path: Path) -> None:
    options = lives.executor.options(idempotent=False)
    named = {f"n{index}": options.submit(once.work, str(tmp_path), f"n{index}", 1.0) for index in range(6)}
    assert eventually(lambda: len(starts(tmp_path)) == 2, SECONDS)
    running = set(starts(tmp_path))
    os.kill(lives.children("broker")[0], signal.SIGKILL)
    found = outcomes(named)
    assert {found[name] for name in running} == {"value"}, "their Workers live, and say that they have them"
    assert {len(pids) for pids in starts(tmp_path).values()} == {1}
    later = {"later": options.submit(once.work, str(tmp_path), "later")}
    assert outcomes(later) == {"later": "value"}, "one that no Broker had before is new"


def test_its_host_process_is_killed(lives: Lives, tmp_path: Path) -> None:
    options = lives.executor.options(idempotent=False)
    named = {f"n{index}": options.submit(once.work, str(tmp_path), f"n{index}", 0.5) for index in range(6)}
    assert eventually(lambda: len(starts(tmp_path)) == 2, SECONDS)
    running = set(starts(tmp_path))
    lives.kill()
    found = outcomes(named)
    assert {found[name] for name in running} == {"lost"}
    assert {len(pids) for pids in starts(tmp_path).values()} == {1}
    assert lives.is_ready_again(SECONDS)
    assert outcomes({"new": options.submit(once.work, str(tmp_path), "new")}) == {"new": "value"}


PROGRAM = """
import once_functions as once
from fedfutures import futures
from fedfutures.errors import FutureLost

if __name__ == "__main__":
    options = futures.options(idempotent=False)
    print(options.submit(once.work, ".", "work.txt").result())
"""
CRASHES = """    try:
        options.submit(once.crash, ".", "crash.txt").result()
    except FutureLost as error:
        print(error.call)
"""


def test_a_launched_program_and_a_serial_one(tmp_path: Path) -> None:
    (tmp_path / "once_functions.py").write_text(Path(once.__file__).read_text())
    (tmp_path / "prog.py").write_text(PROGRAM + CRASHES)
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.out.splitlines(), ended.code) == (["work.txt", "crash('.', 'crash.txt')"], 0), ended.err
    assert [len((tmp_path / name).read_text().split()) for name in ("work.txt", "crash.txt")] == [1, 1]
    (tmp_path / "prog.py").write_text(PROGRAM)
    assert python("prog.py", cwd=tmp_path).out.splitlines() == ["work.txt"]
