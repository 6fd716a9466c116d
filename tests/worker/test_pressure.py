"""How much pending Futures hold, and who waits for less; the Broker is the test's."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fedfutures.errors import FederationLost
from fedfutures.program import postponing
from fedfutures.wire.messages import Demand, Results
from fedfutures.worker import pressure as rules
from fedfutures.worker.call_terms import CallTerms
from fedfutures.worker.driver import PUMP_DUE
from fedfutures.worker.pressure import FUTURE_BYTES, MOST_OF_SMALL, LocalPressure, Pressure

from .benches import Bench, note

LARGE = "x" * 10_000
EACH = 10_000 + FUTURE_BYTES
SOON = 0.15
MOST_SECONDS = 15.0


@pytest.fixture
def pressure(origin: Bench) -> Iterator[Pressure]:
    made: Pressure = origin.node.pressure
    made.set_bound(10 * EACH + 2000)
    guard = threading.Timer(MOST_SECONDS, origin.node.submissions.lose, [FederationLost("it waits for nothing")])
    guard.start()
    yield made
    guard.cancel()


@pytest.fixture
def later(origin: Bench) -> Iterator[Callable[..., None]]:
    """Have the Broker say something soon."""
    threads: list[threading.Timer] = []

    def say(*said: Any) -> None:
        threads.append(threading.Timer(SOON, origin.arrive, said))
        threads[-1].start()

    yield say
    for thread in threads:
        thread.join()


def fill(origin: Bench, count: int = 10) -> list[Any]:
    origin.say(Demand(9, 1, 3))
    return [origin.node.submit(note, (LARGE,), {}) for _ in range(count)]


def result(origin: Bench, piece: int) -> Results:
    return Results(piece, 1, [piece], [origin.node.payloads.dump("")], [], 0.1, 1)


def took(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_what_is_open_is_counted(origin: Bench, pressure: Pressure) -> None:
    assert pressure.count() == 0
    fill(origin, 3)
    assert 3 * EACH <= pressure.count() <= 3 * EACH + 200
    origin.node.submit(note, ("",), {}, CallTerms(2))
    assert 3 * EACH + FUTURE_BYTES < pressure.count() < 3 * EACH + MOST_OF_SMALL
    origin.say(result(origin, 1))
    assert 2 * EACH + FUTURE_BYTES < pressure.count() < 2 * EACH + MOST_OF_SMALL


def test_submit_waits_until_there_is_room(
    origin: Bench, pressure: Pressure, later: Callable[..., None]
) -> None:  # fmt: skip
    futures = fill(origin)
    later(result(origin, 1))
    assert SOON / 2 < took(lambda: futures.append(origin.node.submit(note, (LARGE,), {}))) < MOST_SECONDS
    assert [future.done() for future in futures] == [True] + [False] * 10
    assert pressure.count() <= pressure.bound


def test_small_ones_wait_too(origin: Bench, pressure: Pressure, later: Callable[..., None]) -> None:
    origin.say(Demand(1, 1, 3))
    pressure.set_bound(8 * MOST_OF_SMALL)
    origin.node.submit(note, ("y" * 200,), {})
    each = pressure.count()
    fit = pressure.bound // each
    assert took(lambda: [origin.node.submit(note, ("y" * 200,), {}) for _ in range(fit - 1)]) < MOST_SECONDS
    later(result(origin, 1))
    assert SOON / 2 < took(lambda: origin.node.submit(note, ("y" * 200,), {})) < MOST_SECONDS


def test_many_small_ones_are_not_counted_before_they_may_be_too_many(
    origin: Bench, pressure: Pressure, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    looks: list[int] = []
    monkeypatch.setattr(Pressure, "look", lambda _, number: looks.append(number))
    pressure.set_bound(1000 * MOST_OF_SMALL)
    for _ in range(1200):
        origin.node.submit(note, ("",), {})
    assert looks == list(range(1000, 1201))


def test_counts_are_few(origin: Bench, pressure: Pressure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each looks at all that is open: as the bound comes near there is one for each twentieth of it."""
    counts: list[int] = []
    count = Pressure.count
    monkeypatch.setattr(Pressure, "count", lambda self: counts.append(1) or count(self))
    pressure.set_bound(1000 * EACH)
    for _ in range(980):
        origin.node.submit(note, (LARGE,), {})
    assert len(counts) <= 3


def test_arrays_count_once_however_many_futures_need_them(
    origin: Bench, pressure: Pressure, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from fedfutures.wire.segments import Segments

    origin.node.payloads.segments = Segments(str(tmp_path), "origin-1")
    pressure.set_bound(1 << 30)
    array = np.zeros(100_000)
    futures = [origin.node.submit(np.sum, (array,), {}) for _ in range(3)]
    assert 3 * array.nbytes <= pressure.count() < 3 * array.nbytes + 4 * MOST_OF_SMALL
    submit = origin.node.submitter(np.sum)
    for _ in range(3):
        submit((array,))
    assert pressure.count() < 4 * array.nbytes + 8 * MOST_OF_SMALL, "those of a map share a segment"
    pressure.set_bound(5 * array.nbytes)
    monkeypatch.setattr(rules, "why_not_to_wait", lambda _: "the test does not")
    origin.node.submit(np.sum, (array,), {})
    futures[0].cancel()
    assert pressure.count() <= 4 * array.nbytes + 8 * MOST_OF_SMALL


def test_it_may_hold_a_lock_that_a_callback_wants(
    origin: Bench, pressure: Pressure, later: Callable[..., None]
) -> None:  # fmt: skip
    lock, called = threading.Lock(), list[bool]()
    futures = fill(origin)
    futures[0].add_done_callback(lambda _: called.append(lock.acquire(timeout=5) and (lock.release() or True)))
    later(result(origin, 1))
    with lock:
        assert took(lambda: origin.node.pressure.admit(b"x" * 10_000)) < 4
        assert (futures[0].done(), called) == (True, [])
    origin.node.service()
    assert called == [True]


def test_a_blocked_submit_ends_when_the_run_is_lost(origin: Bench, pressure: Pressure) -> None:
    fill(origin)
    lose = threading.Timer(SOON, origin.node.submissions.lose, [FederationLost("gone")])
    lose.start()
    with pytest.raises(FederationLost, match="gone"):
        origin.node.submit(note, (LARGE,), {})
    lose.join()


def test_a_blocked_submit_can_be_interrupted_and_leaves_nothing(
    origin: Bench, pressure: Pressure, tmp_path: Any
) -> None:  # fmt: skip
    from fedfutures.wire.segments import Segments

    origin.node.payloads.segments = Segments(str(tmp_path), "origin-1")
    fill(origin)
    interrupt = threading.Timer(SOON, signal.raise_signal, [signal.SIGINT])
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        origin.node.submit(note, (np.zeros(100_000),), {})
    interrupt.join()
    assert len(origin.node.futures) + len(origin.node.own) == 10
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("free-")] == []


def test_it_does_not_wait_if_nothing_is_open(origin: Bench, pressure: Pressure) -> None:
    pressure.set_bound(5000)
    assert took(lambda: origin.node.submit(note, (LARGE,), {})) < MOST_SECONDS


@pytest.mark.parametrize("where", ["loop", "handler", "callback"])
def test_who_may_not_wait_does_not(
    origin: Bench, pressure: Pressure, where: str, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    futures = fill(origin)

    def submit(*_: Any) -> None:
        futures.extend(origin.node.submit(note, (LARGE,), {}) for _ in range(5))

    async def in_a_loop() -> None:
        submit()

    if where == "loop":
        asyncio.run(in_a_loop())
    elif where == "handler":
        postponing.install()  # as the start of an Origin does
        old = signal.signal(signal.SIGUSR1, submit)
        signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, old)
    else:
        futures[0].add_done_callback(submit)
        origin.say(result(origin, 1))
    assert len(futures) == 15
    [record] = caplog.records
    why = {
        "loop": "an event loop runs in",
        "handler": "the handler of a signal",
        "callback": "a callback of a Future",
    }
    assert f"submit does not wait, since {why[where]}" in record.getMessage()
    assert "--pending-bytes" in record.getMessage()


def test_a_map_is_bounded_otherwise(origin: Bench, pressure: Pressure) -> None:
    fill(origin)
    submit = origin.node.submitter(note)
    assert took(lambda: [submit((LARGE,)) for _ in range(20)]) < MOST_SECONDS


# -- in a Worker -----------------------------------------------------------------------------------------------------


def test_a_worker_runs_own_futures_instead(worker: Bench) -> None:
    node, most = worker.node, [0]
    pressure: LocalPressure = node.nesting.pressure
    pressure.set_bound(10 * EACH)

    def parent() -> None:
        for _ in range(50):
            node.driver.times[PUMP_DUE] = 0.0
            node.submit(note, (LARGE,), {})
            most[0] = max(most[0], sum(not future.done() for future in node.own))

    parent()
    assert 8 <= most[0] <= 11
    assert node.own, "and no more than needed"


def test_a_worker_estimates_by_the_newest(worker: Bench) -> None:
    pressure: LocalPressure = worker.node.nesting.pressure
    assert not pressure.is_high()
    assert pressure.newest() is None
    for _ in range(20):
        worker.node.submit(note, (LARGE,), {})
    assert not pressure.is_high(), "far below what anybody has"
    pressure.set_bound(20 * EACH - 1)
    assert pressure.is_high()
    newest = pressure.newest()
    assert newest is list(worker.node.own)[-1]
    newest.cancel()
    assert pressure.newest() is list(worker.node.own)[-1] is not newest


def test_where_a_worker_may_not_run_others_it_says_so_once(worker: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> list[bool]:
        return [worker.node.nesting.pressure.may_run(worker.node.driver) for _ in range(2)]

    assert asyncio.run(ask()) == [False, False]
    assert len(caplog.records) == 1
    assert worker.node.nesting.pressure.may_run(worker.node.driver)
