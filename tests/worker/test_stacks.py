"""Who runs which Future, read off stacks."""

from __future__ import annotations

from typing import Any

import greenlet

from fedfutures.worker.stacks import name_of_innermost, run_by

from .benches import Bench, here

seen: list[tuple[str, list[Any]]] = []


def look() -> None:
    me = greenlet.getcurrent()
    seen.append((name_of_innermost(me), run_by(me)))


def outer() -> None:
    look()
    inner = here[0].submit(look, (), {})
    inner.result()
    look()
    seen.append(("inner", [inner]))


def test_the_innermost_future_and_the_own_ones(worker: Bench) -> None:
    seen.clear()
    worker.give(outer, [worker.node.payloads.dump(((), {}))], 1)
    worker.node.calls.run_fetched(worker.node.machine.workload.queue[0])
    inner = seen[-1][1]
    assert seen[:-1] == [("outer", []), ("look", inner), ("outer", [])]


def test_nobody_runs_a_future() -> None:
    assert run_by(greenlet.getcurrent()) == []
    assert name_of_innermost(greenlet.getcurrent()) == "a function"


def test_a_greenlet_that_stands_still() -> None:
    def stand() -> None:
        greenlet.getcurrent().parent.switch()

    standing = greenlet.greenlet(stand)
    standing.switch()
    assert run_by(standing) == []
    assert name_of_innermost(standing) == "a function"
    standing.switch()
