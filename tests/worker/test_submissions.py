"""Own Futures: given, taken back, cancelled."""

from __future__ import annotations

import threading

from fedfutures.wire import codec
from fedfutures.wire.messages import (
    CANCELLED,
    Batch,
    Cancel,
    Demand,
    Results,
    Running,
    State,
    Stranger,
)
from fedfutures.worker import local_calls
from fedfutures.worker.future import number_of

from .benches import Bench, batches, here, note, submit_two


def test_a_batch_is_of_one_root(worker: Bench) -> None:
    for piece, root in ((1, "origin-1"), (2, "origin-2"), (3, "origin-2")):
        worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], piece, root=root)
        worker.node.calls.run_fetched(worker.node.machine.workload.queue[0])
    worker.heard()
    worker.publish(1, hunger=9)
    assert [(batch.root, batch.ids) for batch in worker.heard(Batch)] == [
        ("origin-1", [1, 2]),
        ("origin-2", [3, 4, 5, 6]),
    ]


def test_a_worker_keeps_most_urgent_ones(worker: Bench) -> None:
    for _ in range(20):
        worker.node.submit(note, ("",), {}, 1)
    worker.node.service()
    given = batches(worker)
    assert given == [(1, list(range(1, 1 + local_calls.URGENT_PER_WORKER * 2)))]
    worker.node.submissions.size = 1
    worker.say(Results(1, 1, [1], [worker.node.payloads.dump("")]))
    assert batches(worker) == []


def test_reclaimed_ones_are_the_first_to_be_given_again(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(3)]
    futures += [origin.node.submit(note, ("",), {}, 1)]
    origin.say(Running(1, [1]))
    origin.heard()
    futures += [origin.node.submit(note, ("",), {}) for _ in range(2)]
    assert futures[0].running()
    origin.say(Stranger())
    origin.link(6)
    assert not futures[0].running()
    assert [number_of(future) for future in origin.node.own] == [1, 2, 3, 5, 6]  # 4 is urgent
    origin.say(Demand(9, 1, 3))
    assert [number for batch in origin.heard(Batch) for number in batch.ids] == [1, 2, 3, 5, 6]


def test_reclaimed_ones_may_run_on_their_worker(worker: Bench) -> None:
    first, second = (worker.node.submit(note, (name,), {}, 1) for name in "ab")
    worker.node.service()
    assert batches(worker) == [(1, [1, 2])]
    worker.node.submissions.size = 1
    worker.say(Stranger())
    worker.link(6)
    assert [future.running() for future in (first, second)] == [False, False]
    assert worker.run() == ["b", "a"]
    assert first.result() == "a"
    assert worker.node.futures == {}


def test_reclaimed_ones_are_given_as_they_were(worker: Bench) -> None:
    worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], 1, root="origin-1", priority=-2)
    worker.node.calls.run_fetched(worker.node.machine.workload.queue[0])
    worker.heard()
    worker.publish(1, hunger=2)
    before = worker.heard(Batch)
    worker.say(Stranger())
    worker.link(6)
    worker.node.driver.meta.inbox.append(codec.encode(State(6, 1, 2, 0, 3), 0, 0))
    worker.node.service()
    after = worker.heard(Batch)
    assert [(batch.ids, batch.payloads, batch.root, batch.priority) for batch in after] == [
        (batch.ids, batch.payloads, batch.root, batch.priority) for batch in before
    ]


def test_a_reclaimed_one_that_was_cancelled_meanwhile_stays_so(origin: Bench) -> None:
    origin.say(Demand(1, 1, 3))
    future = origin.node.submit(note, ("",), {})
    origin.say(Stranger())
    origin.link(6)
    assert future.cancel()
    origin.heard()
    origin.say(Demand(5, 1, 3))
    assert not origin.node.own
    assert origin.heard(Batch) == []


def test_many_are_cancelled_with_one_question(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(5)]
    origin.say(Running(1, [1]))
    origin.heard()
    threading.Timer(0.05, lambda: origin.say(Results(2, 1, [2], [b""], [(2, CANCELLED)]), Running(3, [3]))).start()
    assert origin.node.cancel_all(futures) == 3
    assert [(cancel.piece, cancel.ids) for cancel in origin.heard(Cancel)] == [(2, [2]), (3, [3])]
    assert [future.cancelled() for future in futures] == [False, True, False, True, True]
    assert origin.node.cancel_all(futures) == 0


def explain_itself() -> str:
    node, future = here
    return str(node.explain(future)[0])


def test_where_an_own_future_is(origin: Bench, worker: Bench) -> None:
    for bench, reason in ((origin, "has not asked for it"), (worker, "the youngest first")):
        bench.node.submit(note, ("",), {}, 0)
        future = bench.node.submit(note, ("",), {}, 0)
        text, given = bench.node.explain(future)
        assert "priority 0, with 1 before it" in text
        assert reason in text
        assert not given
    origin.say(Demand(2, 1, 3))
    text, given = origin.node.explain(next(iter(origin.node.futures.values())))
    assert given
    assert "given to the Broker" in text
    here[:] = [worker.node]
    here.append(worker.node.submit(explain_itself, (), {}))
    assert "it runs here" in here[1].result()


def test_counts(origin: Bench) -> None:
    origin.node.submit(note, ("",), {})
    assert origin.node.statistics()["own"] == 1
    assert origin.node.statistics()["given"] == 0
