"""SIGTERM and SIGHUP to a Worker: it finishes what it runs, returns the rest, and is replaced; no Future notices."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import eventually, launch, write

from fedfutures import Executor, futures

pytestmark = pytest.mark.host
SECONDS = 20.0


def runs(path: str, seconds: float) -> int:
    """Note that this was run, where, and take a while."""
    with open(path, "a") as file:
        print(os.getpid(), file=file)
    time.sleep(seconds)
    return os.getpid()


def parent(path: str) -> int:
    """Wait for a child that another Worker runs."""
    child = futures.submit(runs, path + "-child", 1.0)
    while not os.path.exists(path + "-child"):
        time.sleep(0.01)
    runs(path, 0.0)
    return child.result()


def terminates_itself(number: int) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    return number


def with_a_child() -> tuple[int, int | None]:
    """Start processes, and end them as programs do."""
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join(10)
    time.sleep(0.3)
    return os.getpid(), process.exitcode


def with_an_own_handler() -> tuple[int, list[int]]:
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
    return os.getpid(), seen


def noted(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()] if path.exists() else []


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(max_workers=2) as here:
        assert list(here.map(abs, range(10))) == list(range(10))
        yield here


def ended(pid: int) -> bool:
    return eventually(lambda: not os.path.exists(f"/proc/{pid}"), SECONDS)


@pytest.mark.fault("C10")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_runs_finishes_and_what_waits_runs_elsewhere(executor: Executor, number: int, tmp_path: Path) -> None:
    path = tmp_path / "long"
    long = executor.submit(runs, str(path), 1.0)
    assert eventually(lambda: len(noted(path)) == 1, SECONDS)
    others = [executor.submit(pow, number, 2) for number in range(200)]
    (worker,) = noted(path)
    os.kill(worker, number)
    assert [other.result(SECONDS) for other in others] == [number**2 for number in range(200)]
    assert not long.done()
    assert long.result(SECONDS) == worker
    assert noted(path) == [worker]
    assert ended(worker)
    again = tmp_path / "again"
    both = {future.result(SECONDS) for future in [executor.submit(runs, str(again), 0.3) for _ in range(4)]}
    assert len(both) == 2
    assert worker not in both


def test_a_future_that_waits_for_others_finishes_first(executor: Executor, tmp_path: Path) -> None:
    path = tmp_path / "parent"
    future = executor.submit(parent, str(path))
    assert eventually(lambda: len(noted(path)) == 1, SECONDS)
    (worker,) = noted(path)
    os.kill(worker, signal.SIGTERM)
    assert future.result(SECONDS) != worker
    assert noted(path) == [worker]
    assert len(noted(tmp_path / "parent-child")) == 1
    assert ended(worker)


def test_workers_that_wait_for_work_are_replaced(executor: Executor, tmp_path: Path) -> None:
    path = str(tmp_path / "here")
    pids = {future.result(SECONDS) for future in [executor.submit(runs, path, 0.2) for _ in range(4)]}
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert all(map(ended, pids))
    assert list(executor.map(abs, range(10))) == list(range(10))


def test_a_future_that_signals_its_own_worker_is_no_poison(executor: Executor) -> None:
    assert list(executor.map(terminates_itself, range(6), chunksize=1)) == list(range(6))


def test_signals_to_processes_of_futures_are_not_the_workers(executor: Executor) -> None:
    (first, code) = executor.submit(with_a_child).result(SECONDS)
    assert code == -signal.SIGTERM
    (second, seen) = executor.submit(with_an_own_handler).result(SECONDS)
    assert seen == [signal.SIGTERM]
    assert all(os.path.exists(f"/proc/{pid}") for pid in (first, second))


def test_after_the_grace_what_runs_runs_again_and_nobody_is_blamed(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import hashlib, os, signal, sys, time
        from fedfutures import futures

        def slow():
            with open("runs", "a") as file:
                print(os.getpid(), file=file)
            if len(open("runs").readlines()) < 4:
                os.kill(os.getpid(), signal.SIGTERM)
                hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)  # no handler of Python's runs meanwhile
            return "ran"

        if __name__ == "__main__":
            print(futures.submit(slow).result())
        """,
    )
    began = time.monotonic()
    ran: Any = launch("-n", "1", "--grace", "1", "prog.py", cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "ran\n", "")
    assert len(set(noted(tmp_path / "runs"))) == 4
    assert time.monotonic() - began > 3
