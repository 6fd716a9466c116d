"""``explain`` says where a Future is; ``statistics`` names every machine; neither waits for ever."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import time
from pathlib import Path

import order_functions as ordered
import pytest
from launching import eventually

import fedfutures
from fedfutures import Executor, explain, statistics

LIMIT = 20.0


# -- without processes -----------------------------------------------------------------------------------------------


def test_serial_futures() -> None:
    with Executor(mode="serial") as executor:
        assert "returned a value of type int" in explain(executor.submit(pow, 2, 5))
        assert "it raised ValueError: text" in explain(executor.submit(ordered.fail, "text"))


def test_futures_of_others() -> None:
    with pytest.raises(TypeError, match="takes a Future of fedfutures, not Future"):
        explain(concurrent.futures.Future())  # type: ignore[arg-type]
    future = fedfutures.Future()
    assert "belongs to no Federation" in explain(future)
    future.cancel()
    assert "cancelled before it started" in explain(future)


def test_nothing_to_count() -> None:
    if not fedfutures.worker.current.origins:
        assert statistics() == {}


# -- with Workers ----------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_one_that_waits_runs_and_is_done(executor: Executor, tmp_path: Path) -> None:
    paths = [str(tmp_path / str(number)) for number in range(2)]
    running = [executor.submit(ordered.hold, path) for path in paths]
    assert eventually(lambda: all(Path(path + ".runs").exists() for path in paths), LIMIT)
    handles = [executor.submit(ordered.nap, 0.01) for _ in range(200)]
    waiting = explain(handles[-1])
    assert "not known to be running" in waiting
    assert "waits in the queue of this node, priority 0, with" in waiting
    began = time.monotonic()
    where = explain(running[0], LIMIT)
    assert time.monotonic() - began < LIMIT, "it waits for no more than the answers"
    assert "given to the Broker" in where
    assert where.count("\n") >= 2
    worker = where.rpartition("with Worker ")[2].partition(",")[0]
    assert f"{worker}: with Worker {worker}, attempt 1: running, or next behind what runs" in where
    for path in paths:
        Path(path).touch()
    assert running[0].result(LIMIT) == worker
    assert "done, it returned a value of type str" in explain(running[0])
    handles[-1].cancel()
    assert "cancelled before it started" in explain(handles[-1])


@pytest.mark.host
def test_every_machine_is_counted(executor: Executor) -> None:
    workers = {executor.submit(ordered.hold, os.devnull).result(LIMIT) for _ in range(20)}
    found = statistics(LIMIT)
    assert workers <= set(found)
    assert None not in found.values()
    assert sum(name.startswith("origin") for name in found) == 1
    assert len(found) >= 4
    assert all(isinstance(count, int) for name in workers for count in (found[name] or {}).values())


@pytest.mark.host
def test_inside_futures(executor: Executor) -> None:
    before, after = executor.submit(ordered.explained_inside).result(LIMIT)
    assert "the newest Futures first" in before or "given to the Broker" in before  # where another Worker was faster
    assert "done, it returned a value of type int" in after
    assert len(executor.submit(ordered.statistics_inside).result(LIMIT)) >= 3


@pytest.mark.host
def test_a_worker_that_does_not_answer_is_named() -> None:
    with Executor(max_workers=2) as executor:
        pids = {executor.submit(os.getpid).result(LIMIT) for _ in range(20)}
        pid = min(pids)
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            found = statistics(0.5)
            assert time.monotonic() - began < LIMIT / 2
        finally:
            os.kill(pid, signal.SIGCONT)
        assert sum(counts is None for counts in found.values()) == 1
        assert eventually(lambda: None not in statistics().values(), LIMIT)


@pytest.mark.host
def test_of_a_federation_that_is_gone() -> None:
    with Executor(max_workers=1) as executor:
        future = executor.submit(pow, 2, 5)
    assert "done" in explain(future)
