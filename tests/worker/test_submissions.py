"""Own Futures: given, taken back, cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from fedfutures.errors import FederationLost, InitializerFailed, OutOfMemory, PoisonedFuture, TaskTimeout
from fedfutures.wire import codec
from fedfutures.wire.messages import (
    LOST,
    OUT_OF_MEMORY,
    OVERRAN,
    POISONED,
    Batch,
    Demand,
    Results,
    Running,
    State,
    Stranger,
)
from fedfutures.worker import local_calls
from fedfutures.worker.call_terms import CallTerms, checked_terms
from fedfutures.worker.future_fields import number_of

from .benches import Bench, batches, here, note, note_other, submit_two


def test_a_batch_is_of_one_root(worker: Bench) -> None:
    for piece, root in ((1, "origin-1"), (2, "origin-2"), (3, "origin-2")):
        worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], piece, root=root)
        worker.node.calls.run_fetched(worker.node.machine.workload.queue[0])
    worker.heard()
    worker.publish(1, unmet=9)
    assert [(batch.root, batch.ids) for batch in worker.heard(Batch)] == [
        ("origin-1", [1, 2]),
        ("origin-2", [3, 4, 5, 6]),
    ]


def test_a_worker_keeps_most_urgent_ones(worker: Bench) -> None:
    for _ in range(20):
        worker.node.submit(note, ("",), {}, CallTerms(1))
    worker.node.service()
    given = batches(worker)
    assert given == [(1, list(range(1, 1 + local_calls.URGENT_PER_WORKER * 2)))]
    worker.node.submissions.size = 1
    worker.say(Results(1, 1, [1], [worker.node.payloads.dump("")]))
    assert batches(worker) == []


def test_reclaimed_ones_are_the_first_to_be_given_again(origin: Bench) -> None:
    origin.say(Demand(3, 1, 3))
    futures = [origin.node.submit(note, ("",), {}) for _ in range(3)]
    futures += [origin.node.submit(note, ("",), {}, CallTerms(1))]
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
    first, second = (worker.node.submit(note, (name,), {}, CallTerms(1)) for name in "ab")
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
    worker.publish(1, unmet=2)
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


def explain_itself() -> str:
    node, future = here
    return str(node.submissions.explain(future)[0])


def test_where_an_own_future_is(origin: Bench, worker: Bench) -> None:
    for bench, reason in ((origin, "has not asked for it"), (worker, "the newest Futures first")):
        bench.node.submit(note, ("",), {}, CallTerms(0))
        future = bench.node.submit(note, ("",), {}, CallTerms(0))
        text, given = bench.node.submissions.explain(future)
        assert "priority 0, with 1 before it" in text
        assert reason in text
        assert not given
    origin.say(Demand(2, 1, 3))
    text, given = origin.node.submissions.explain(next(iter(origin.node.futures.values())))
    assert given
    assert "given to the Broker" in text
    here[:] = [worker.node]
    here.append(worker.node.submit(explain_itself, (), {}))
    assert "it runs here" in here[1].result()


def test_counts(origin: Bench) -> None:
    origin.node.submit(note, ("",), {})
    assert origin.node.submissions.statistics()["own"] == 1
    assert origin.node.submissions.statistics()["given"] == 0


class Sly:
    """Submits something urgent when it is packed."""

    def __reduce__(self) -> Any:
        if armed:
            armed.clear()
            here[0].submit(note, ("urgent",), {}, CallTerms(9))
        return Sly, ()


armed: list[bool] = []


def test_one_that_was_packed_and_not_given_may_run_on_its_worker(worker: Bench) -> None:
    worker.node.submit(note, ("a",), {})
    future = worker.node.submit(note_other, (Sly(),), {})
    armed.append(True)
    worker.publish(1, unmet=2)
    assert batches(worker) == [(0, [1]), (9, [3])]
    assert len(worker.run()) == 1
    assert isinstance(future.result(), Sly)


TOLD = [
    (LOST, "why", FederationLost),
    (LOST, ["why", False], FederationLost),
    (LOST, ["why", True], InitializerFailed),
    (POISONED, ["h", "h.1", "SIGSEGV", 3, "dump"], PoisonedFuture),
    (OVERRAN, ["h", "h.1", 1500, "dump"], TaskTimeout),
    (OUT_OF_MEMORY, ["h", "h.1", "over", 1, "dump", 3, 2, 0], OutOfMemory),
]


@pytest.mark.parametrize(("kind", "report", "error"), TOLD)
def test_why_a_future_is_given_up(origin: Bench, kind: int, report: Any, error: type[Exception]) -> None:
    origin.say(Demand(1, 1, 3))
    future = origin.node.submit(note, ("",), {})
    origin.node.service()
    origin.say(Results(1, 1, [1], [codec.pack_plain(report)], [(1, kind)]))
    assert type(future.exception(0)) is error


ODD_REPORTS = [
    b"",
    b"\xc1",
    b"\x81\x90\x01",
    *map(codec.pack_plain, (None, 7, [], [1, True], ["h", "w", "s", "3", "d"])),
]


@pytest.mark.parametrize("kind", [LOST, POISONED, OVERRAN, 7])
@pytest.mark.parametrize("report", ODD_REPORTS)
def test_a_reason_that_makes_no_sense_is_an_error_nevertheless(origin: Bench, kind: int, report: bytes) -> None:
    origin.say(Demand(1, 1, 3))
    future = origin.node.submit(note, ("",), {})
    origin.node.service()
    origin.say(Results(1, 1, [1], [report], [(1, kind)]))
    with pytest.raises(FederationLost, match="makes no sense"):
        future.result(0)


# -- with a time limit -----------------------------------------------------------------------------------------------


LIMITED = checked_terms(time_limit=0.5)


def limits(node: Bench) -> list[tuple[int, list[int]]]:
    return [(batch.limit, batch.ids) for batch in node.heard(Batch)]


def test_futures_of_one_limit_travel_together(origin: Bench) -> None:
    for terms, function in ((None, note), (LIMITED, note), (LIMITED, note_other), (None, note_other), (LIMITED, note)):
        origin.node.submit(function, ("",), {}, terms)
    origin.say(Demand(9, 1, 3))
    assert limits(origin) == [(0, [1]), (500, [2]), (500, [3]), (0, [4]), (500, [5])]


def test_those_with_a_limit_come_back_to_their_origin_like_others(origin: Bench) -> None:
    origin.say(Demand(9, 1, 3))
    for terms in (LIMITED, None, LIMITED):
        origin.node.submit(note, ("",), {}, terms)
    assert len(limits(origin)) == 3
    origin.say(Stranger())
    origin.link(6)
    origin.say(Demand(9, 1, 3))
    assert sorted(limits(origin)) == [(0, [2]), (500, [1]), (500, [3])]


def test_a_worker_gives_those_with_a_limit_at_once_and_runs_none(worker: Bench) -> None:
    future = worker.node.submit(note, ("limited",), {}, LIMITED)
    assert limits(worker) == [(500, [1])]
    worker.node.submit(note, ("mine",), {})
    assert worker.run() == ["mine"]
    worker.say(Stranger())
    assert worker.node.machine.own.count == 1
    worker.link(6)
    assert (worker.node.machine.own.count, worker.run()) == (1, []), "it is given again, and not run here"
    assert not future.done()
