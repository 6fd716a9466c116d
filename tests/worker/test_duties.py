"""What a Worker says to its Broker whenever it is driven, and when its helper thread looks."""

from __future__ import annotations

import math
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from fedfutures.node.asking import LONG_SECONDS
from fedfutures.node.pace import CUT_SECONDS, LOOK_SECONDS, REPORT_SECONDS
from fedfutures.wire.messages import Batch, Demand, Results, Return, Running
from fedfutures.worker import duties
from fedfutures.worker.driver import DRIVEN
from fedfutures.worker.future_fields import call_of
from fedfutures.worker.threads import STILL_SECONDS

from .benches import Bench, note, noted


@pytest.fixture
def helper(worker: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Drive the Worker as its helper thread does that finds one Future at work for so many seconds."""
    driver: Any = worker.node.driver

    def drive(seconds: float) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(duties, "threading", SimpleNamespace(get_ident=lambda: -1))
            driver.times[DRIVEN] = time.monotonic() - seconds
            worker.node.service()

    return drive


def begin(worker: Bench, piece: int, number: int) -> None:
    """A Future of this piece has been started."""
    worker.node.machine.workload.pieces[piece].todo.popleft()
    worker.node.surroundings.begin(piece, number)


@pytest.mark.parametrize("seconds", [0.0, 2 * LONG_SECONDS])
def test_none_are_asked_for_while_a_worker_is_being_prepared(worker: Bench, seconds: float) -> None:
    worker.heard()
    mine = worker.node.duties
    mine.take_more(False)
    worker.give(time.sleep, [worker.node.payloads.dump(((seconds,), {}))], 1)
    worker.run()
    worker.node.service()
    assert worker.heard(Demand) == []
    with worker.node.lock:  # the helper thread would ask as well
        mine.take_more(True)
        worker.node.service()
    assert [demand.count > 0 for demand in worker.heard(Demand)] == [True]


def test_what_waits_behind_a_long_future_goes_back_and_that_one_is_said_to_run(worker: Bench, helper: Any) -> None:
    worker.give_noted(1, "a", "b", "c")
    begin(worker, 1, 1)
    worker.heard()
    helper(-1.0)
    assert worker.heard(Return, Running) == []
    helper(REPORT_SECONDS + 0.05)
    returned, running = worker.heard(Return, Running)
    assert (returned.piece, returned.ids) == (1, [2, 3])
    assert (running.piece, running.ids) == (1, [1])
    helper(REPORT_SECONDS + 0.05)
    assert worker.heard(Return, Running) == []


def test_what_futures_have_printed_goes_out_before_their_results(
    worker: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.give_noted(1, "a")
    worker.run()
    worker.heard()
    order: list[str] = []

    class Stream:
        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None:
            order.append("flushed")
            raise OSError("nobody reads")

    monkeypatch.setattr(sys, "stdout", Stream())
    step = worker.node.driver.machine.step
    monkeypatch.setattr(
        type(worker.node.driver), "step", lambda driver, event: order.append(type(event).__name__) or step(event, 0.0)
    )
    with worker.node.lock:
        worker.node.duties.send_results()
    assert order == ["flushed", "Finished"]


def test_results_are_sent_once(worker: Bench) -> None:
    worker.give_noted(1, "a", "b")
    assert worker.run() == ["a", "b"]
    worker.node.service()
    assert [results.ids for results in worker.heard(Results)] == [[1, 2]]
    worker.node.service()
    assert worker.heard(Results) == []


def test_own_futures_are_kept_while_a_future_that_waits_holds_a_lock_and_nothing_else_runs(worker: Bench) -> None:
    worker.node.submit(note, ("a",), {})
    worker.node.locks.locked_in = 1
    worker.publish(1, unmet=1)
    assert worker.heard(Batch) == []
    worker.node.locks.locked_in = 0
    worker.node.service()
    assert len(worker.heard(Batch)) == 1


def test_a_thread_relieves_a_main_thread_that_stands_still(worker: Bench, helper: Any) -> None:
    noted.clear()
    future = worker.node.submit(note, ("relieved",), {})
    helper(STILL_SECONDS - 1.0)
    assert call_of(future) is not None
    helper(STILL_SECONDS + 10)
    until = time.monotonic() + 30
    while not future.done() and time.monotonic() < until:
        time.sleep(0.001)
    assert future.result() == "relieved"


def test_the_main_socket_is_listened_to_only_while_own_futures_are_out(worker: Bench) -> None:
    mine = worker.node.duties
    future = worker.node.submit(note, ("a",), {})
    assert not mine.helper_listens()
    worker.publish(1, unmet=1)
    assert mine.helper_listens()
    assert not future.done()


def test_when_the_helper_thread_looks_again(worker: Bench) -> None:
    node = worker.node
    mine, times = node.duties, node.driver.times
    assert mine.helper_deadline() is None  # nothing runs
    worker.give_noted(1, "a")
    begin(worker, 1, 1)
    times[DRIVEN] = 1000.0
    assert mine.helper_deadline() == 1000.0 + REPORT_SECONDS
    node.machine.workload.report(math.inf, (1, 1))
    before = time.monotonic()
    assert before + LOOK_SECONDS <= mine.helper_deadline() <= time.monotonic() + LOOK_SECONDS
    node.submit(note, ("own",), {})
    times[DRIVEN] = 1000.0
    assert mine.helper_deadline() == 1000.0 + STILL_SECONDS


def test_a_slice_that_can_be_cut_is_looked_at_before_it_is_said_to_run(
    worker: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.give_noted(1, "a")
    begin(worker, 1, 1)
    worker.node.driver.times[DRIVEN] = 1000.0
    monkeypatch.setattr("fedfutures.worker.slices.can_be_cut", lambda place: place == (1, 1))
    assert worker.node.duties.helper_deadline() == 1000.0 + CUT_SECONDS


def test_a_slice_that_was_cut_is_said_to_keep_the_items_that_are_left(
    worker: Bench, helper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.give_noted(1, "a")
    begin(worker, 1, 1)
    worker.heard()
    left = [4]  # only once there is something to take from it
    monkeypatch.setattr("fedfutures.worker.slices.cut", lambda place: left.pop() if left else 0)
    helper(CUT_SECONDS - 1.0)
    assert worker.heard(Running) == []
    helper(CUT_SECONDS + 0.01)
    assert [(running.ids, running.kept) for running in worker.heard(Running)] == [([1], 4)]


def test_a_worker_that_leaves_returns_what_it_has_not_started_and_asks_for_nothing(worker: Bench) -> None:
    worker.heard()
    worker.node.calls.leave()
    assert worker.node.duties.helper_listens()
    worker.give_noted(1, "a", "b")
    assert [(back.piece, sorted(back.ids)) for back in worker.heard(Return)] == [(1, [1, 2])]
    worker.node.service()
    assert [demand.count for demand in worker.heard(Demand)] in ([], [0])
    assert worker.node.machine.asking.load.locked_in
