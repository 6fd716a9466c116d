"""What the host process tells a Worker: it hears that at rest and at work, and leaves in order when one too many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from fedfutures.supervision.attempts import CLOSED_EXIT_CODE
from fedfutures.wire.control import FederationSize, WithdrawWorker
from fedfutures.wire.framing import pack
from fedfutures.wire.messages import CANCELLED, Bye, Cancel, Demand, Results, Return
from fedfutures.worker.loop import Loop
from fedfutures.worker.orders import Orders

from .benches import Bench, batches, note, noted

REST = Loop.rest  # that of benches is another one


class Ended(Exception):
    """In place of the end of this process."""


@pytest.fixture
def orders(worker: Bench) -> Iterator[tuple[Orders, int]]:
    """Those of a Worker, from a pipe of their own."""

    def end(code: int) -> Any:
        raise Ended(code)

    read, write = os.pipe()
    node: Any = worker.node
    yield Orders(node.driver, node.calls, node.submissions, [0] * 24, read, end), write
    for descriptor in (read, write):
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test did


def test_one_at_work_gives_back_what_it_has_not_started_and_asks_for_no_more(worker: Bench) -> None:
    """Between two short Futures it polls nothing; the crash cell says that something has come."""
    worker.give_noted(1, "a", "b", "c")
    worker.heard()
    worker.order(WithdrawWorker())
    worker.node.service()
    assert [(back.piece, back.ids) for back in worker.heard(Return)] == [(1, [1, 2, 3])]
    worker.give_noted(2, "late")
    assert [(back.piece, back.ids) for back in worker.heard(Return)] == [(2, [1])]
    assert worker.heard(Demand) == []
    assert worker.run() == []


def test_one_at_rest_hears_it_and_leaves(worker: Bench) -> None:
    worker.order(WithdrawWorker())
    assert worker.node.driver.poll(0.0)
    assert worker.node.calls.leaving
    REST(worker.node.loop)
    assert [type(said) for said in worker.heard(Bye)] == [Bye]
    assert worker.node.runners.stopping


def test_one_that_is_to_stay_after_all_asks_again(worker: Bench) -> None:
    worker.heard()
    worker.order(WithdrawWorker())
    worker.node.service()
    worker.order(WithdrawWorker(stays=True))
    worker.node.service()
    assert worker.heard(Demand)[-1].count > 0
    worker.give_noted(1, "a")
    assert worker.run() == ["a"]


def test_a_signal_to_end_is_not_taken_back_by_that(worker: Bench) -> None:
    worker.node.calls.leave()
    worker.order(WithdrawWorker(), WithdrawWorker(stays=True))
    worker.node.service()
    assert worker.node.calls.leaving


def test_it_stays_until_it_has_the_results_of_what_it_has_submitted(worker: Bench) -> None:
    """They are asked for again, too: there may be no other Worker left to run them."""
    futures = [worker.node.submit(note, (name,), {}) for name in ("a", "b")]
    worker.publish(1, 2)
    [(_, ids)] = batches(worker)
    worker.order(WithdrawWorker())
    worker.node.service()
    REST(worker.node.loop)
    assert not worker.node.runners.stopping
    [asked] = worker.heard(Cancel)
    assert (asked.ids, asked.running) == (ids, False)
    worker.say(Results(asked.piece, 1, ids[:1], [worker.node.payloads.dump("done")]))
    REST(worker.node.loop)
    assert not worker.node.runners.stopping
    worker.say(Results(asked.piece, 1, ids[1:], [b""], [(ids[1], CANCELLED)]))
    noted.clear()
    assert worker.run() == ["b"], "it has come back, and runs here"
    REST(worker.node.loop)
    assert worker.node.runners.stopping
    assert [future.result() for future in futures] == ["done", "b"]
    assert [type(said) for said in worker.heard(Bye)] == [Bye]


def test_how_many_workers_there_are(worker: Bench) -> None:
    assert worker.node.size == 3
    worker.order(FederationSize(7))
    worker.node.service()
    assert worker.node.size == 7
    worker.link(6)
    worker.node.service()
    assert worker.node.size == 7, "the host process alone says it: what a Broker has sent may be older"


def test_a_closed_pipe_is_the_end_of_the_run(orders: tuple[Orders, int]) -> None:
    mine, write = orders
    mine.read()
    os.close(write)
    with pytest.raises(Ended, match=r"^0$"):
        mine.read()


def test_who_has_closed_the_pipe_or_opened_something_else_in_its_place_ends(orders: tuple[Orders, int]) -> None:
    mine, write = orders
    os.write(write, b"\xff" * 8)
    with pytest.raises(Ended, match=str(CLOSED_EXIT_CODE)):
        mine.read()


def test_a_frame_that_comes_in_parts(orders: tuple[Orders, int], worker: Bench) -> None:
    mine, write = orders
    data = pack(FederationSize(9))
    os.write(write, data[:3])
    mine.read()
    assert (mine.heard, worker.node.size) == (0, 3)
    os.write(write, data[3:])
    mine.read()
    assert (mine.heard, worker.node.size) == (1, 9)
