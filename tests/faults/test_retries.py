"""Calls that raise and are tried again, in real Workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path

import flaky_functions as flaky
import pytest
from launching import eventually, launch

from fedfutures import Executor, Retries, explain, futures
from fedfutures.errors import FederationLost, PoisonedFuture

pytestmark = [pytest.mark.host, pytest.mark.once]

SECONDS = 30.0
QUICK = flaky.QUICK
PATIENT = Retries(3, delay=60.0)


def test_a_call_is_tried_again(executor: Executor, tmp_path: Path) -> None:
    future = executor.options(retries=QUICK).submit(flaky.flaky, str(tmp_path / "file"), 2)
    assert future.result(SECONDS) == "value"
    assert flaky.tries_of(tmp_path / "file") == 3


def test_the_last_error_says_how_often(executor: Executor, tmp_path: Path) -> None:
    future = executor.options(retries=QUICK).submit(flaky.flaky, str(tmp_path / "file"), 9)
    error = future.exception(SECONDS)
    assert str(error) == "try 4"
    assert any(note.startswith("tried 4 times in ") for note in getattr(error, "__notes__", []))


def test_children_are_tried_again_while_others_run(executor: Executor, tmp_path: Path) -> None:
    found, seconds = executor.submit(flaky.family, str(tmp_path)).result(SECONDS)
    assert found == [0, 1, 2]
    assert seconds < 6.0, "they wait at the same time"


def test_children_of_a_thread(executor: Executor, tmp_path: Path) -> None:
    assert executor.submit(flaky.in_a_thread, str(tmp_path)).result(SECONDS) == ["value"]


def test_each_item_of_a_map_is_tried_again(executor: Executor, tmp_path: Path) -> None:
    paths = [str(tmp_path / str(number)) for number in range(6)]
    failures = [0, 2, 9, 1, 0, 3]
    for unordered in (False, True):
        found = executor.map(
            flaky.flaky, [f"{path}-{unordered}" for path in paths], failures, range(6), retries=QUICK, chunksize=3,
            buffersize=4, return_exceptions=True, unordered=unordered,
        )  # fmt: skip
        shown = [one if isinstance(one, int) else str(one) for one in found]
        assert sorted(map(str, shown)) == sorted(map(str, [0, 1, "try 4", 3, 4, 5]))
        if not unordered:
            assert shown == [0, 1, "try 4", 3, 4, 5]
    assert executor.submit(flaky.mapped, str(tmp_path)).result(SECONDS) == [0, 1, 2]
    with pytest.raises(OSError, match="try 2") as caught:
        list(executor.map(flaky.flaky, [str(tmp_path / "last")], [9], retries=Retries(1, delay=0.01)))
    assert "item 0 of map" in getattr(caught.value, "__notes__", [])


def test_each_try_draws_the_same_numbers(executor: Executor, tmp_path: Path) -> None:
    plain = executor.options(seed=7).submit(flaky.draws, str(tmp_path / "a"), 0).result(SECONDS)
    assert executor.options(seed=7, retries=QUICK).submit(flaky.draws, str(tmp_path / "b"), 2).result(SECONDS) == plain


def test_one_that_was_late_is_tried_again(executor: Executor, tmp_path: Path) -> None:
    limited = executor.options(time_limit=0.3, retries=QUICK)
    assert limited.submit(flaky.late_first, str(tmp_path / "file")).result(SECONDS) == "in time"


@pytest.mark.fault("A15")
def test_a_poisoned_one_is_tried_again(tmp_path: Path) -> None:
    with Executor(1) as executor:
        again = executor.options(retries=Retries(1, on=PoisonedFuture, delay=0.01))
        assert again.submit(flaky.killed, str(tmp_path / "file"), 3).result(SECONDS) == "alive"


def test_it_waits_and_can_be_cancelled(executor: Executor, tmp_path: Path) -> None:
    path = tmp_path / "file"
    future = executor.options(retries=PATIENT).submit(flaky.flaky, str(path), 9)
    assert eventually(lambda: flaky.tries_of(path) == 1 and "2nd try" in explain(future), SECONDS)
    assert not future.running()
    with pytest.raises(futures.TimeoutError):
        future.result(0.05)
    with executor.group("late") as group:
        group.add(future)
        assert group.statistics().pending == 1
        assert future.cancel()
    with pytest.raises(CancelledError):
        future.result()


def test_the_end_waits_for_tries_or_cancels_them(tmp_path: Path) -> None:
    with Executor(1) as executor:
        waits = executor.options(retries=Retries(1, delay=0.5)).submit(flaky.flaky, str(tmp_path / "a"), 1)
        assert executor.submit(flaky.leaves_one_behind, str(tmp_path)).result(SECONDS) == "done"
    assert waits.result(0) == "value"
    assert flaky.tries_of(tmp_path / "left") == 2, "nobody waited for that, and it is not lost"
    executor = Executor(1)
    waits = executor.options(retries=PATIENT).submit(flaky.flaky, str(tmp_path / "b"), 9)
    assert eventually(lambda: flaky.tries_of(tmp_path / "b") == 1 and "2nd" in explain(waits), SECONDS)
    began = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert waits.cancelled()
    assert time.monotonic() - began < 10


def test_workers_that_are_killed_take_waiting_ones_along(tmp_path: Path) -> None:
    executor = Executor(1)
    waits = executor.options(retries=PATIENT).submit(flaky.flaky, str(tmp_path / "a"), 9)
    assert eventually(lambda: "2nd try" in explain(waits), SECONDS)
    executor.kill_workers()
    assert waits.cancelled() or isinstance(waits.exception(0), FederationLost)


LAUNCHED = """
import sys, time
import flaky_functions as flaky
from fedfutures import futures

if __name__ == "__main__":
    print(futures.submit(flaky.family, ".").result()[0])
    if sys.argv[1:]:
        future = futures.options(retries=flaky.Retries(1, delay=60.0)).submit(flaky.flaky, "b", 9)
        print("waits", flush=True)
        future.result()
    future = futures.options(retries=flaky.QUICK).submit(flaky.flaky, "a", 2)
    future.add_done_callback(lambda done: print(done.result()))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "prog.py").write_text(LAUNCHED)
    (tmp_path / "flaky_functions.py").write_text(Path(flaky.__file__).read_text())
    return tmp_path


def test_the_end_of_a_program_waits_for_the_last_try(program: Path) -> None:
    ended = launch("-n", "1", "prog.py", cwd=program)
    assert (ended.out.splitlines(), ended.code) == (["[0, 1, 2]", "value"], 0), ended.err


def test_a_program_that_waits_for_a_try_can_be_interrupted(program: Path) -> None:
    command = [sys.executable, "-m", "fedfutures", "-n", "1", "prog.py", "long"]
    running = subprocess.Popen(command, cwd=program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    while running.stdout.readline() not in ("waits\n", ""):
        pass
    assert eventually(lambda: flaky.tries_of(program / "b") == 1, SECONDS)
    time.sleep(0.1)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=SECONDS)
    assert "KeyboardInterrupt" in said
    assert time.monotonic() - began < 5
