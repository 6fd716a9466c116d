"""What a Worker runs next."""

from __future__ import annotations

from fedfutures.wire import codec
from fedfutures.wire.messages import PROTOCOL, Refused
from fedfutures.worker.call_terms import CallTerms

from .benches import Bench, note


def test_fetched_pieces_by_priority(worker: Bench) -> None:
    worker.give_noted(1, "low", "low 2", priority=-1)
    worker.give_noted(2, "first")
    worker.give_noted(3, "urgent", priority=3)
    worker.give_noted(4, "second")
    worker.give_noted(5, "as urgent", priority=3)
    assert worker.run() == ["urgent", "as urgent", "first", "second", "low", "low 2"]


def test_own_ones_the_youngest_of_the_highest_level_first(worker: Bench) -> None:
    for name, priority in (("a", 0), ("b", 1), ("c", -1), ("d", 1), ("e", None), ("f", -1)):
        worker.node.submit(note, (name,), {}, CallTerms(priority))
    assert worker.run() == ["d", "b", "e", "a", "f", "c"]


def test_own_ones_before_fetched_ones_of_the_same_priority(worker: Bench) -> None:
    worker.node.submissions.size = 1
    for name, priority in (("own 1", 1), ("own 0", 0), ("own -1", -1)):
        worker.node.submit(note, (name,), {}, CallTerms(priority))
    worker.give_noted(1, "fetched 0")
    worker.give_noted(2, "fetched 1", priority=1)
    worker.give_noted(3, "fetched 2", priority=2)
    assert worker.run() == ["fetched 2", "own 1", "fetched 1", "own 0", "fetched 0", "own -1"]


def test_a_worker_that_is_refused_ends(worker: Bench) -> None:
    worker.main.inbox.append(codec.encode(Refused(PROTOCOL, "its Batch raised")))
    worker.node.service()
    worker.node.loop.rest()
    assert worker.node.runners.stopping
