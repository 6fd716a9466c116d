"""What Futures name, and what is left of it."""

from __future__ import annotations

import pytest

from fedfutures.host.crash_cells import NESTED, ONCE_NUMBER, ONCE_PIECE
from fedfutures.wire.messages import ALONE_FLAG, APART_FLAG, BELOW_FLAG, ONCE_FLAG, Batch, Results
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


def nested(depth: int) -> list[int]:
    """Return what the crash cells say at each depth, and there again when the one inside has ended."""
    cells = here[0].surroundings.cells
    said = [int(cells[NESTED])]
    if depth:
        said += here[0].submit(nested, (depth - 1,), {}).result()
        said.append(int(cells[NESTED]))
    return said


@pytest.mark.parametrize("depth", [1, 3, nesting.INLINE_DEPTH + 2])
def test_the_host_process_can_tell_a_future_from_one_inside_of_it(worker: Bench, depth: int) -> None:
    worker.give(nested, [worker.node.payloads.dump(((depth,), {}))] * 2, 1)
    worker.run()
    finished = worker.node.machine.held[1].finished
    for _, outcome, kind, _ in finished:
        assert kind == 0
        assert worker.node.payloads.load(outcome) == [0, *[1] * (2 * depth - 1), 0]
    assert len(finished) == 2
    assert worker.node.surroundings.cells[NESTED] == 0


def submit_one(name: str) -> None:
    here[0].submit(scopes, (0,), {})


@pytest.mark.parametrize(
    ("flags", "of_children"),
    [(APART_FLAG, ALONE_FLAG), (ONCE_FLAG, ALONE_FLAG), (APART_FLAG | BELOW_FLAG, ALONE_FLAG | BELOW_FLAG), (0, None)],
)
def test_what_one_that_is_apart_submits_goes_elsewhere(worker: Bench, flags: int, of_children: int | None) -> None:
    worker.give(submit_one, [worker.node.payloads.dump((("n",), {}))], 1, flags=flags)
    worker.run()
    assert [batch.flags for batch in worker.heard(Batch)] == ([] if of_children is None else [of_children])


def test_the_last_one_that_starts_once_is_known_after_its_end(worker: Bench) -> None:
    cells = worker.node.surroundings.cells
    worker.give_noted(1, "a", flags=ONCE_FLAG)
    worker.give_noted(2, "b", limit=9000)
    worker.give_noted(3, "c")
    assert worker.run() == ["a", "b", "c"]
    assert (cells[ONCE_PIECE], cells[ONCE_NUMBER]) == (1, 1)


def wait_for_one(name: str) -> int:
    """Wait for a Future of its own."""
    return len(here[0].submit(scopes, (0,), {}).result())


def test_while_one_that_starts_once_waits_nothing_of_others_is_started(worker: Bench) -> None:
    worker.give(wait_for_one, [worker.node.payloads.dump((("n",), {}))], 1, flags=ONCE_FLAG)
    worker.give_noted(2, "other")
    assert worker.run() == []
    assert worker.node.locks.locked_in == 1
    assert [batch.flags for batch in worker.heard(Batch)] == [ALONE_FLAG]
