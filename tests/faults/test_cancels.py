"""Futures that are cancelled while they run, in real Workers: they end, and nobody else is hurt."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import cancelled_functions as mine
import late_functions as late
import pytest
from launching import eventually, launch
from reviving import children_of, is_alive
from started import overheard

from fedfutures import Executor
from fedfutures.wire.control import WorkerEnded

pytestmark = [pytest.mark.host, pytest.mark.once]

SECONDS = 20.0
BOUND = 10.0
"""For what takes some tenths of a second on a quiet machine, and half a minute if nobody ends it."""


@pytest.mark.fault("A15")
@pytest.mark.parametrize(
    "function", [late.nap, late.hold_the_lock, late.ignore_signals, late.swallow], ids=lambda it: it.__name__
)
def test_what_runs_ends_whatever_it_does(executor: Executor, function: Callable[..., Any]) -> None:
    future = executor.submit(function, 30.0)
    eventually(future.running, 0.5)  # one that holds the GIL never says so
    began = time.monotonic()
    assert future.cancel(running=True)
    assert executor.submit(late.nap, 0).result(SECONDS) == 0
    assert time.monotonic() - began < BOUND
    with pytest.raises(CancelledError):
        future.result(0)


def test_what_has_ended_has_its_value(executor: Executor) -> None:
    future = executor.submit(late.nap, 0.4)
    assert eventually(lambda: future.running() or future.done(), SECONDS)
    assert not future.cancel(), "as ever"
    assert future.result(SECONDS) == 0.4
    assert not future.cancel(running=True)
    futures = [executor.submit(late.nap, 0.01) for _ in range(20)]
    cancelled = [future.cancel(running=True) for future in futures]
    assert [future.cancelled() for future in futures] == cancelled
    assert {future.result(SECONDS) for future in futures if not future.cancelled()} <= {0.01}


def test_a_parent_ends_with_what_it_waits_for(executor: Executor, tmp_path: Path) -> None:
    future = executor.submit(mine.parent, str(tmp_path / "child"), 60.0)
    count = 2 if executor.num_workers > 1 else 1
    begun = [tmp_path / f"child{index}" for index in range(2)]
    assert eventually(lambda: sum(map(mine.has_begun, begun)) == count, SECONDS)
    assert future.cancel(running=True)
    assert executor.submit(late.nap, 0).result(SECONDS) == 0
    pids = [int(path.read_text()) for path in begun if path.exists()]
    assert eventually(lambda: not any(map(is_alive, pids)), SECONDS)


def test_what_else_its_worker_had_begun_runs_again() -> None:
    """It counts as no attempt: three of them would poison it."""
    ended: list[WorkerEnded] = []
    executor, _ = overheard(lambda frame: ended.append(frame) if isinstance(frame, WorkerEnded) else None)
    with executor:
        others = [executor.submit(late.families, 1, 0.3) for _ in range(2)]
        for _ in range(3):
            future = executor.options(priority=1).submit(late.nap, 30.0)
            assert eventually(future.running, SECONDS)
            assert future.cancel(running=True)
        assert [other.result(SECONDS) for other in others] == [pytest.approx(0.3)] * 2
    assert ended == [], "nobody is told of Workers that ended for that"


def test_a_child_that_is_cancellable_ends_alone(executor: Executor) -> None:
    assert executor.submit(mine.cancels_its_child, 30.0, True).result(SECONDS) == [True, True]


def test_a_group_ends_with_one_question(executor: Executor) -> None:
    group = executor.group("cancelled")
    futures = [group.submit(late.nap, 30.0) for _ in range(20)]
    assert eventually(futures[0].running, SECONDS)
    began = time.monotonic()
    assert group.cancel(running=True) == 20
    assert time.monotonic() - began < BOUND
    assert all(future.cancelled() for future in futures)


def test_a_broker_that_dies_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "begun"
    executor, handle = overheard()
    with executor:
        future = executor.submit(mine.touch_and_nap, str(path), 60.0)
        assert eventually(lambda: mine.has_begun(path), SECONDS)
        [broker] = [
            pid for pid in children_of(handle.facts["pid"]) if "broker" in Path(f"/proc/{pid}/comm").read_text()
        ]
        os.kill(broker, signal.SIGKILL)
        assert future.cancel(running=True)
        assert executor.submit(late.nap, 0).result(SECONDS) == 0
        [worker] = map(int, path.read_text().split())
        assert eventually(lambda: not is_alive(worker), SECONDS)


def test_a_map_whose_reader_is_interrupted_frees_its_workers(executor: Executor) -> None:
    threading.Timer(0.5, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        list(executor.map(late.nap, [30.0] * 20))
    began = time.monotonic()
    assert executor.submit(late.nap, 0).result(SECONDS) == 0
    assert time.monotonic() - began < BOUND


def test_a_program_that_is_interrupted_and_waits_again_has_its_value(executor: Executor) -> None:
    future = executor.submit(late.nap, 1.0)
    threading.Timer(0.3, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        future.result(SECONDS)
    assert future.result(SECONDS) == 1.0


LAUNCHED = """
import late_functions as late
import cancelled_functions as mine
from fedfutures import futures

if __name__ == "__main__":
    futures.submit(late.nap, 0).result()
    future = futures.submit(late.nap, 30)
    while not future.running():
        futures.wait([future], 0.1)
    print(future.cancel(), future.cancel(running=True), futures.submit(late.nap, 0.25).result())
    print(futures.submit(mine.cancels_its_child, 30.0, True).result())
"""


def test_a_launched_program(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(LAUNCHED)
    for module in (late, mine):
        (tmp_path / f"{module.__name__}.py").write_text(Path(str(module.__file__)).read_text())
    ended = launch("-n", "1", "prog.py", cwd=tmp_path)
    assert (ended.out.splitlines(), ended.code) == (["False True 0.25", "[True, True]"], 0), ended.err
    assert ended.err == "", "nobody is told of Workers that ended for that"
