"""What Futures name, and what is left of it."""

from __future__ import annotations

import pytest

from fedfutures.wire.messages import (
    Results,
)
from fedfutures.worker import nesting

from .benches import Bench, here


def scopes(depth: int) -> list[int]:
    mine = here[0].scope()
    assert here[0].scope() is mine
    mine["depth"] = depth
    inner = here[0].submit(scopes, (depth - 1,), {}).result() if depth else []
    assert here[0].scope() == {"depth": depth}
    return [depth, *inner]


@pytest.mark.parametrize("depth", [0, 3, nesting.INLINE_DEPTH + 3])
def test_a_future_has_names_of_its_own_until_it_ends(worker: Bench, depth: int) -> None:
    future = worker.node.submit(scopes, (depth,), {})
    worker.run()
    assert len(future.result()) == depth + 1
    assert worker.node.surroundings.scopes == {}


def test_a_fetched_future_has_names_of_its_own_too(worker: Bench) -> None:
    worker.give(scopes, [worker.node.payloads.dump(((1,), {}))] * 2, 1)
    worker.run()
    with worker.node.lock:
        worker.node.duties.send_results()
        worker.node.driver.flush()
    (results,) = worker.heard(Results)
    assert results.odd == []
    assert worker.node.surroundings.scopes == {}
