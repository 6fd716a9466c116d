"""``terminate_workers`` and ``kill_workers``, as in Python 3.14: all Workers end at once, whatever they run."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError

import order_functions as ordered
import pytest
from launching import eventually

from fedfutures import Executor, futures
from fedfutures.errors import NotSupportedHere

LIMIT = 20.0


@pytest.mark.host
@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
def test_what_runs_is_lost_and_what_waits_is_cancelled(how: str) -> None:
    executor = Executor(2)
    pid = executor.submit(os.getpid).result(LIMIT)
    running = [executor.submit(time.sleep, 60) for _ in range(2)]
    assert eventually(lambda: all(future.running() for future in running), LIMIT)
    waiting = [executor.submit(ordered.nap, 60.0) for _ in range(20)]
    began = time.monotonic()
    getattr(executor, how)()
    assert time.monotonic() - began < LIMIT
    assert all(isinstance(future.exception(0), BrokenExecutor) for future in running)
    for future in waiting:
        with pytest.raises((CancelledError, BrokenExecutor)):
            future.result(0)
    assert not os.path.exists(f"/proc/{pid}")
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)
    getattr(executor, how)()
    executor.shutdown()


@pytest.mark.host
def test_from_another_thread_who_waits_is_told() -> None:
    with Executor(1) as executor:
        future = executor.submit(time.sleep, 60)
        assert eventually(future.running, LIMIT)
        threading.Timer(0.1, executor.kill_workers).start()
        assert isinstance(future.exception(LIMIT), BrokenExecutor)


def test_without_workers_of_its_own() -> None:
    with Executor(mode="serial") as executor, pytest.raises(NotSupportedHere, match="no Workers of its own"):
        executor.terminate_workers()
    assert futures.submit(abs, -1).result() == 1
