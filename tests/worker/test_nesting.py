"""Futures that Futures submit."""

from __future__ import annotations

import threading

from fedfutures.wire.messages import (
    Batch,
)
from fedfutures.worker.call_terms import CallTerms
from fedfutures.worker.future_fields import call_of, priority_of

from .benches import Bench, here, note_other, noted, submit_two


def nested(name: str) -> None:
    inner = here[0].submit(note_other, (f"{name} inherits",), {})
    here[0].submit(note_other, (f"{name} says 9",), {}, CallTerms(9))
    noted.append(name)
    inner.result()


def test_nested_ones_have_priority_and_root_of_the_future_that_runs(worker: Bench) -> None:
    worker.give(submit_two, [worker.node.payloads.dump((("",), {}))], 1, root="origin-1", priority=7)
    worker.node.calls.run_fetched(worker.node.machine.workload.queue[0])
    worker.heard()
    worker.publish(1, unmet=9)
    assert [(batch.root, batch.priority) for batch in worker.heard(Batch)] == [("origin-1", 7)]


def test_inherited_and_said_priorities(worker: Bench) -> None:
    worker.give(nested, [worker.node.payloads.dump((("outer",), {}))], 1, priority=5)
    worker.give_noted(2, "six", priority=6)
    worker.node.calls.run_fetched(worker.node.machine.workload.queue[-1])
    assert noted[-2:] == ["outer", "outer inherits"]
    assert worker.run() == ["outer says 9", "six"]


def test_what_runs_on_a_foreign_thread_inherits_as_well(worker: Bench) -> None:
    future = worker.node.submit(nested, ("outer",), {}, CallTerms(4))
    noted.clear()
    thread = threading.Thread(target=future.result)
    thread.start()
    thread.join()
    assert noted == ["outer", "outer inherits"]
    assert [priority_of(other) for other in worker.node.own if call_of(other)] == [9]
