"""Back-pressure with real Workers: submit waits, nothing is lost, and the bound is kept."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pressure_functions as functions
import pytest
from launching import Running, write
from nodes import node_of

from fedfutures import Executor
from fedfutures.errors import FederationLost

pytestmark = pytest.mark.host

BOUND = 1_000_000
SECONDS = 30.0


@pytest.mark.parametrize("value", ["x" * 100_000, np.zeros(40_000)], ids=["payloads", "segments"])
def test_pending_futures_hold_no_more_than_they_may(value: Any) -> None:
    most = 0
    with Executor(2, pending_bytes=BOUND) as executor:
        pressure = node_of(executor).pressure
        futures = []
        for _ in range(40):
            futures.append(executor.submit(functions.length, value, 0.01))
            most = max(most, pressure.count())
        assert sum(future.done() for future in futures) >= 25
        assert [future.result(SECONDS) for future in futures] == [len(value)] * 40
        assert list(executor.map(functions.length, [value] * 40)) == [len(value)] * 40
    assert BOUND / 2 < most <= BOUND


def test_many_threads_wait_together() -> None:
    with Executor(2, pending_bytes=BOUND) as executor:
        found: list[int] = []

        def submit() -> None:
            mine = [executor.submit(functions.length, "x" * 100_000, 0.005) for _ in range(20)]
            found.extend(future.result(SECONDS) for future in mine)

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    assert found == [100_000] * 80


def test_a_callback_submits_without_waiting() -> None:
    with Executor(1, pending_bytes=BOUND) as executor:
        submitted: list[Any] = []
        done = threading.Event()

        def more(_: Any) -> None:
            submitted.extend(executor.submit(functions.length, "x" * 100_000, 0.01) for _ in range(30))
            done.set()

        executor.submit(functions.length, "").add_done_callback(more)
        assert done.wait(SECONDS)
        assert [future.result(SECONDS) for future in submitted] == [100_000] * 30


def test_a_future_runs_its_own_instead() -> None:
    with Executor(1) as executor:
        total, most = executor.submit(functions.parent, 200, 20_000, 20 * 21_100).result(SECONDS)
    assert total == 200 * 20_000
    assert 10 < most < 60


def test_nothing_waits_for_a_federation_that_is_closed() -> None:
    executor = Executor(1, pending_bytes=BOUND)
    futures = [executor.submit(functions.length, "x" * 100_000, 60) for _ in range(9)]
    killer = threading.Timer(0.3, executor.terminate_workers)
    killer.start()
    with pytest.raises((FederationLost, RuntimeError)):
        futures += [executor.submit(functions.length, "x" * 100_000, 60) for _ in range(9)]
    killer.join()
    assert all(future.done() for future in futures)


BLOCKED = """
import time
from pressure_functions import length
from fedfutures import futures

if __name__ == "__main__":
    found = [futures.submit(length, "x" * 100_000, 60) for _ in range(8)]
    print("full", flush=True)
    try:
        while True:
            found.append(futures.submit(length, "x" * 100_000, 60))
    except KeyboardInterrupt:
        print(len(found), flush=True)
        raise SystemExit(3)
"""


def test_ctrl_c_ends_a_submit_that_waits(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", BLOCKED)
    write(tmp_path / "pressure_functions.py", Path(functions.__file__).read_text())
    running = Running(["-n", "1", "--pending-bytes", "1M", "prog.py"], cwd=tmp_path)
    assert running.process.stdout is not None
    assert running.process.stdout.readline() == "full\n"
    time.sleep(0.3)
    os.kill(running.process.pid, 2)
    ended = running.end()
    assert (ended.code, ended.out) == (3, "10\n"), ended.err


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1 box"])
def test_what_is_no_bound(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="pending_bytes must be"):
        Executor(1, pending_bytes=value)
