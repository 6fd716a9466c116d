"""Calls: pieces that change under way, and tasks that were altered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fedfutures.errors import SealBroken
from fedfutures.wire.failures import load_failure
from fedfutures.wire.messages import (
    ERROR,
    Batch,
    Demand,
    Function,
    Results,
)
from fedfutures.wire.payload import Payloads

from .benches import Bench, note, noted


class Canary:
    """Notes when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return note, ("unpickled",)


def sealed_by(origin: Bench, value: Any) -> tuple[Function, Batch]:
    """What an Origin says for one call."""
    origin.say(Demand(4, 1, 3))
    origin.node.submit(note, (value,), {})
    origin.node.service()
    snapshot, function, batch = origin.heard(Function, Batch)
    assert snapshot.digest.startswith(b"state ")
    return function, batch


def test_the_helper_thread_puts_a_piece_before_the_one_that_ends(worker: Bench) -> None:
    """The main thread takes off the piece that it has finished, not the one that was put before it meanwhile."""
    worker.give_noted(1, "low")
    low = worker.node.machine.workload.queue[0]
    remove: Callable[[Any], None] = list.remove

    class Between(list[Any]):
        def remove(self, piece: Any) -> None:
            worker.give_noted(2, "urgent", priority=1)
            remove(self, piece)

    worker.node.machine.workload.queue = Between(worker.node.machine.workload.queue)
    worker.node.calls.run_fetched(low)
    assert [piece.number for piece in worker.node.machine.workload.queue] == [2]


def test_sealed_tasks_run(sealing: tuple[Bench, Bench]) -> None:
    worker, origin = sealing
    worker.say(*sealed_by(origin, "sound"))
    assert worker.run() == ["sound"]


@pytest.mark.parametrize("what", ["payload", "number", "submitter", "none", "body"])
def test_an_altered_task_is_neither_loaded_nor_run(sealing: tuple[Bench, Bench], what: str) -> None:
    worker, origin = sealing
    function, batch = sealed_by(origin, "sound")
    if what == "payload":
        batch.payloads = [origin.node.payloads.dump(((Canary(),), {})) + batch.payloads[0][-16:]]
    elif what == "number":
        batch.ids = [batch.ids[0] + 1]
    elif what == "submitter":
        batch.submitter = "another"
    elif what == "none":
        batch.payloads = [origin.node.payloads.dump(((Canary(),), {}))]
    else:
        function.body = origin.node.functions.define(Canary().__reduce__).body
    worker.say(function, batch)
    assert worker.run() == []
    worker.node.service()
    (results,) = worker.heard(Results)
    assert results.odd == [(batch.ids[0], ERROR)]
    error = load_failure(results.outcomes[0], Payloads())
    assert type(error) is SealBroken
    assert "altered on its way" in str(error)
    assert noted == []
