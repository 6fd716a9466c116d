"""One battery for every kind of Executor: PEP 3148, the 3.14 standard library, and what fedfutures adds."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import itertools
import operator
import os
import pickle
import random
import threading
import time
import unittest
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, BrokenExecutor, CancelledError
from pathlib import Path
from typing import Any

import pytest
from battery_functions import (
    concatenate,
    fail_to_initialize,
    initialize,
    initialized,
    inverse,
    keywords,
    make_thing,
    pid,
    pids,
    raise_it,
    sleep,
    square,
    text,
    wait_for,
)
from launching import eventually, launch, write
from nodes import node_of

import fedfutures
from fedfutures import Executor, futures
from fedfutures.futures import reduction

pytestmark = pytest.mark.host

KINDS: dict[str, Callable[..., Executor]] = {
    "serial": functools.partial(Executor, mode="serial"),
    "one": functools.partial(Executor, max_workers=1),
    "two": functools.partial(Executor, max_workers=2),
}
LIMIT = 20.0


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def executor(kind: str) -> Iterator[Executor]:
    with KINDS[kind]() as executor:
        yield executor


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """What the tests of a module have left to the garbage collector ends with the module."""
    yield
    gc.collect()


@pytest.fixture
def fresh(kind: str) -> Iterator[Callable[..., Executor]]:
    """Make Executors of the kind that end with the test."""
    made: list[Executor] = []

    def make(**options: Any) -> Executor:
        made.append(KINDS[kind](**options))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def parallel() -> Iterator[Executor]:
    with Executor(max_workers=2) as executor:
        yield executor


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that Futures wait for; it appears at the latest when the test ends."""
    path = tmp_path / "gate"
    yield path
    path.touch()


def started(gate: Path) -> bool:
    return eventually(Path(f"{gate}.started").exists, LIMIT)


# -- one Future ------------------------------------------------------------------------------------------------------


def test_submit_and_result(executor: Executor) -> None:
    future = executor.submit(square, 7)
    assert isinstance(future, concurrent.futures.Future)
    assert isinstance(future, fedfutures.Future)
    assert future.result(LIMIT) == 49
    assert future.done()
    assert not future.running()
    assert not future.cancelled()
    assert future.exception() is None
    assert future.result(0) == 49


def test_arguments_of_every_form(executor: Executor) -> None:
    assert executor.submit(keywords, 1, fn=2, self=3).result(LIMIT) == ((1,), {"fn": 2, "self": 3})
    assert executor.submit(keywords).result(LIMIT) == ((), {})
    assert executor.submit(pow, 2, 5, mod=7).result(LIMIT) == 4


def test_exception(executor: Executor) -> None:
    future = executor.submit(inverse, 0)
    assert isinstance(future.exception(LIMIT), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        future.result(LIMIT)
    assert future.done()
    assert not future.cancelled()
    error = executor.submit(raise_it, KeyError("a", 2)).exception(LIMIT)
    assert type(error) is KeyError
    assert error.args == ("a", 2)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit("x"), StopIteration(5), BaseException("base")])
def test_exceptions_that_are_no_errors(executor: Executor, error: BaseException) -> None:
    found = executor.submit(raise_it, error).exception(LIMIT)
    assert type(found) is type(error)
    assert found.args == error.args
    assert executor.submit(square, 2).result(LIMIT) == 4


def test_the_remote_traceback_is_the_cause(parallel: Executor) -> None:
    error = parallel.submit(inverse, 0).exception(LIMIT)
    assert error is not None
    assert "return 1 / x" in str(error.__cause__)


def test_timeouts(parallel: Executor, gate: Path) -> None:
    future = parallel.submit(wait_for, str(gate))
    for call in (future.result, future.exception):
        for seconds in (0, 0.05):
            began = time.monotonic()
            with pytest.raises(concurrent.futures.TimeoutError):
                call(seconds)
            assert seconds <= time.monotonic() - began < seconds + 10
    with pytest.raises(futures.TimeoutError):
        future.result(timeout=0.01)
    gate.touch()
    assert future.result(LIMIT)


def test_callbacks_run_in_order_and_may_raise(executor: Executor, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Any] = []
    done = threading.Event()
    future = executor.submit(sleep, 0.05, "value")
    future.add_done_callback(lambda f: calls.append(("first", f is future, f.result(0))))
    future.add_done_callback(lambda f: inverse(0))
    future.add_done_callback(lambda f: raise_it(SystemExit(1)))
    future.add_done_callback(lambda f: calls.append("last"))
    future.add_done_callback(lambda f: done.set())
    assert future.result(LIMIT) == "value"
    assert done.wait(LIMIT)
    assert calls == [("first", True, "value"), "last"]
    future.add_done_callback(lambda f: calls.append("at once"))
    assert calls[-1] == "at once"
    assert sum("calling callback" in record.message for record in caplog.records) == 2


def test_callbacks_of_failed_futures(executor: Executor) -> None:
    done = threading.Event()
    future = executor.submit(inverse, 0)
    future.add_done_callback(lambda f: isinstance(f.exception(0), ZeroDivisionError) and done.set())
    assert done.wait(LIMIT)


def test_callbacks_may_submit(executor: Executor) -> None:
    results: list[int] = []
    done = threading.Event()

    def again(future: Any) -> None:
        results.append(future.result(0))
        if len(results) < 5:
            executor.submit(square, len(results)).add_done_callback(again)
        else:
            done.set()

    executor.submit(square, 0).add_done_callback(again)
    assert done.wait(LIMIT)
    assert results == [0, 1, 4, 9, 16]


def test_callbacks_without_anybody_waiting(parallel: Executor) -> None:
    done = threading.Event()
    parallel.submit(square, 3).add_done_callback(lambda f: done.set())
    assert done.wait(LIMIT)


# -- cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.fault("A16")
def test_cancel_what_is_queued(fresh: Callable[..., Executor], kind: str, gate: Path) -> None:
    if kind == "serial":
        pytest.skip("nothing is queued")
    executor = fresh()
    blockers = [executor.submit(wait_for, str(gate)) for _ in range(2)]
    assert started(gate)
    queued = [executor.submit(square, n) for n in range(50)]
    victim = queued[-1]
    calls: list[Any] = []
    victim.add_done_callback(calls.append)
    assert victim.cancel()
    assert victim.cancelled()
    assert victim.done()
    assert not victim.running()
    assert victim.cancel()
    for call in (victim.result, victim.exception):
        with pytest.raises(CancelledError):
            call(LIMIT)
    assert eventually(lambda: calls == [victim], LIMIT)
    gate.touch()
    assert [future.result(LIMIT) for future in queued[:-1]] == [n * n for n in range(49)]
    assert all(future.result(LIMIT) for future in blockers)


def test_cancel_all_that_is_queued(fresh: Callable[..., Executor], kind: str, gate: Path) -> None:
    if kind == "serial":
        pytest.skip("nothing is queued")
    executor = fresh()
    blockers = [executor.submit(wait_for, str(gate)) for _ in range(2)]
    assert started(gate)
    assert eventually(lambda: all(future.running() for future in blockers[: 1 if kind == "one" else 2]), LIMIT)
    queued = [executor.submit(square, n) for n in range(100)]
    assert all(future.cancel() for future in queued)
    gate.touch()
    assert all(future.result(LIMIT) for future in blockers)
    assert executor.submit(square, 3).result(LIMIT) == 9


@pytest.mark.fault("A16")
def test_what_runs_cannot_be_cancelled(parallel: Executor, gate: Path) -> None:
    future = parallel.submit(wait_for, str(gate))
    assert started(gate)
    assert eventually(future.running, LIMIT)
    assert not future.cancel()
    assert not future.cancelled()
    assert not future.done()
    gate.touch()
    assert future.result(LIMIT) is True
    assert not future.running()
    assert not future.cancel()


@pytest.mark.fault("A16")
def test_what_is_done_cannot_be_cancelled(executor: Executor) -> None:
    future = executor.submit(square, 2)
    assert future.result(LIMIT) == 4
    assert not future.cancel()
    assert not future.cancelled()


# -- several Futures -------------------------------------------------------------------------------------------------

WAITS = {"ours": futures.wait, "stdlib": concurrent.futures.wait}
AS_COMPLETED = {"ours": futures.as_completed, "stdlib": concurrent.futures.as_completed}


@pytest.mark.parametrize("whose", WAITS)
def test_wait_for_all(executor: Executor, whose: str) -> None:
    fs = [executor.submit(sleep, 0.01 * n, n) for n in range(5)]
    done, not_done = WAITS[whose](fs, LIMIT)
    assert done == set(fs)
    assert not_done == set()
    assert WAITS[whose](fs, 0, ALL_COMPLETED).done == set(fs)
    assert WAITS[whose]([]) == (set(), set())


@pytest.mark.parametrize("whose", WAITS)
def test_wait_for_the_first(parallel: Executor, whose: str, gate: Path) -> None:
    slow = parallel.submit(wait_for, str(gate))
    quick = parallel.submit(square, 2)
    done, not_done = WAITS[whose]([slow, quick, quick], LIMIT, FIRST_COMPLETED)
    assert done == {quick}
    assert not_done == {slow}
    assert WAITS[whose]([slow, quick], LIMIT, return_when=FIRST_COMPLETED).done == {quick}
    gate.touch()
    assert WAITS[whose]([slow, quick], LIMIT).done == {slow, quick}


@pytest.mark.parametrize("whose", WAITS)
def test_wait_for_the_first_exception(parallel: Executor, whose: str, gate: Path) -> None:
    fine = parallel.submit(square, 2)
    slow = parallel.submit(wait_for, str(gate))
    assert fine.result(LIMIT) == 4
    failing = parallel.submit(sleep_and_fail, 0.05)
    done, not_done = WAITS[whose]([slow, failing, fine], LIMIT, FIRST_EXCEPTION)
    assert done == {failing, fine}
    assert not_done == {slow}
    gate.touch()
    fs = [slow, fine]
    assert WAITS[whose](fs, LIMIT, FIRST_EXCEPTION).done == set(fs)


def sleep_and_fail(seconds: float) -> None:
    time.sleep(seconds)
    raise ValueError("it failed")


@pytest.mark.parametrize("whose", WAITS)
def test_wait_gives_up_in_time(parallel: Executor, whose: str, gate: Path) -> None:
    slow, quick = parallel.submit(wait_for, str(gate)), parallel.submit(square, 2)
    assert quick.result(LIMIT) == 4
    began = time.monotonic()
    done, not_done = WAITS[whose]([slow, quick], 0.1)
    assert 0.1 <= time.monotonic() - began < 10
    assert (done, not_done) == ({quick}, {slow})
    gate.touch()
    assert slow.result(LIMIT)


def test_wait_refuses_nonsense(parallel: Executor) -> None:
    with pytest.raises(ValueError, match="return condition"):
        futures.wait([parallel.submit(sleep, 0.1)], LIMIT, "SOME_COMPLETED")


@pytest.mark.parametrize("whose", AS_COMPLETED)
def test_as_completed(executor: Executor, whose: str) -> None:
    fs = [executor.submit(sleep, 0.01 * (n % 3), n) for n in range(20)]
    found = list(AS_COMPLETED[whose]([*fs, *fs[:5]], LIMIT))
    assert len(found) == 20
    assert set(found) == set(fs)
    assert sorted(future.result(0) for future in found) == list(range(20))
    assert list(AS_COMPLETED[whose]([])) == []


@pytest.mark.parametrize("whose", AS_COMPLETED)
def test_as_completed_gives_the_quick_ones_first_and_up_in_time(parallel: Executor, whose: str, gate: Path) -> None:
    slow = parallel.submit(wait_for, str(gate))
    quick = [parallel.submit(square, n) for n in range(3)]
    found = AS_COMPLETED[whose]([slow, *quick], 0.3)
    assert {next(found) for _ in quick} == set(quick)
    with pytest.raises(concurrent.futures.TimeoutError, match=r"1 \(of 4\) futures unfinished"):
        next(found)
    gate.touch()
    assert slow.result(LIMIT)


def test_futures_of_several_executors(executor: Executor, parallel: Executor) -> None:
    fs = [executor.submit(square, 2), parallel.submit(square, 3), concurrent.futures.Future()]
    fs[2].set_result(16)
    assert futures.wait(fs, LIMIT).done == set(fs)
    assert sorted(future.result(0) for future in futures.as_completed(fs, LIMIT)) == [4, 9, 16]


def test_wait_and_cancelled_futures(parallel: Executor, gate: Path) -> None:
    blockers = [parallel.submit(wait_for, str(gate)) for _ in range(2)]
    assert eventually(lambda: all(future.running() for future in blockers), LIMIT)
    queued = parallel.submit(square, 2)
    threading.Timer(0.1, queued.cancel).start()
    assert futures.wait([*blockers, queued], LIMIT, FIRST_COMPLETED).done == {queued}
    assert list(futures.as_completed([queued], LIMIT)) == [queued]
    gate.touch()
    assert all(future.result(LIMIT) for future in blockers)


def test_asyncio(executor: Executor) -> None:
    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        several = [asyncio.wrap_future(executor.submit(sleep, 0.01, n)) for n in range(10)]
        values = await asyncio.wait_for(asyncio.gather(*several), LIMIT)
        values.append(await asyncio.wait_for(loop.run_in_executor(executor, square, 9), LIMIT))
        try:
            await asyncio.wait_for(asyncio.wrap_future(executor.submit(inverse, 0)), LIMIT)
        except ZeroDivisionError:
            values.append("failed")
        return values

    assert asyncio.run(main()) == [*range(10), 81, "failed"]


def test_asyncio_cancels(parallel: Executor, gate: Path) -> None:
    async def main() -> None:
        blockers = [parallel.submit(wait_for, str(gate)) for _ in range(2)]
        while not all(future.running() for future in blockers):
            await asyncio.sleep(0.01)
        queued = parallel.submit(square, 2)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(queued), 0.1)
        assert queued.cancelled()
        gate.touch()
        await asyncio.wait_for(asyncio.gather(*map(asyncio.wrap_future, blockers)), LIMIT)

    asyncio.run(main())


# -- map -------------------------------------------------------------------------------------------------------------


def test_map_keeps_the_order(executor: Executor) -> None:
    assert list(executor.map(square, range(1000), timeout=LIMIT)) == [n * n for n in range(1000)]
    delays = [random.Random(5).random() / 100 for _ in range(30)]
    assert list(executor.map(sleep, delays, range(30), timeout=LIMIT)) == list(range(30))
    assert list(executor.map(square, [], timeout=LIMIT)) == []


def test_map_ends_with_the_shortest_iterable(executor: Executor) -> None:
    found = executor.map(keywords, range(3), "abcdef", itertools.count(), timeout=LIMIT)
    assert [args for args, _ in found] == [(0, "a", 0), (1, "b", 1), (2, "c", 2)]


def test_map_of_no_iterables(executor: Executor) -> None:
    assert list(executor.map(keywords, timeout=LIMIT)) == []


@pytest.mark.parametrize("chunksize", [1, 3, 10, 1000, None])
@pytest.mark.parametrize("buffersize", [1, 7, None])
def test_map_of_any_slice(executor: Executor, chunksize: int | None, buffersize: int | None) -> None:
    found = executor.map(square, iter(range(50)), chunksize=chunksize, buffersize=buffersize, timeout=LIMIT)
    assert list(found) == [n * n for n in range(50)]


def test_map_reads_lazily(executor: Executor) -> None:
    read = 0

    def endless() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    results = executor.map(square, endless(), buffersize=10, timeout=LIMIT)
    assert read <= 10
    for n in range(1, 101):
        assert next(results) == n * n
        assert read <= n + 10
    results.close()  # type: ignore[attr-defined]
    read = 0
    assert list(itertools.islice(executor.map(square, endless(), timeout=LIMIT), 300)) == [n * n for n in range(1, 301)]
    assert read < 200_000


def test_map_times_out(parallel: Executor, gate: Path) -> None:
    results = parallel.map(maybe_wait, [str(gate), "", ""][::-1], timeout=0.4)
    assert [next(results), next(results)] == ["", ""]
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    gate.touch()


def maybe_wait(path: str) -> str:
    if path:
        wait_for(path)
    return path


@pytest.mark.parametrize("chunksize", [1, 4, None])
def test_an_item_that_fails_fails_at_its_place(executor: Executor, chunksize: int | None) -> None:
    results = executor.map(inverse, [1, 2, 4, 0, 8], chunksize=chunksize, timeout=LIMIT)
    assert [next(results) for _ in range(3)] == [1, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize("chunksize", [1, 4, None])
def test_errors_as_values(executor: Executor, chunksize: int | None) -> None:
    found = list(executor.map(inverse, [0, 2, 0, 4, 5, 0], chunksize=chunksize, return_exceptions=True, timeout=LIMIT))
    assert [type(value) for value in found] == [
        ZeroDivisionError, float, ZeroDivisionError, float, float, ZeroDivisionError,
    ]  # fmt: skip


def test_an_iterable_that_fails(executor: Executor) -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(executor.map(square, items(), timeout=LIMIT))
    assert executor.submit(square, 2).result(LIMIT) == 4


def test_a_map_that_is_left_early(executor: Executor) -> None:
    results = executor.map(sleep, [0.001] * 2000, itertools.count(), timeout=LIMIT)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    del results
    gc.collect()
    assert executor.submit(square, 2).result(LIMIT) == 4


def test_several_maps_at_once(executor: Executor) -> None:
    one, two = (executor.map(square, range(start, start + 200), timeout=LIMIT) for start in (0, 1000))
    for n, (a, b) in enumerate(zip(one, two)):
        assert (a, b) == (n * n, (n + 1000) ** 2)


# -- the module-level functions: serially here, in a Federation in the programs below ---------------------------------


@pytest.fixture(params=["serially", "on two Workers"])
def face(request: pytest.FixtureRequest, parallel: Executor, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``fedfutures.futures``, with and without a Federation."""
    if request.param != "serially":
        monkeypatch.setattr(fedfutures.worker.current, "node", node_of(parallel))
    return futures


def test_starmap(face: Any) -> None:
    items = [(2, 5), [3, 2], futures.Arguments(4, exp=2), futures.Arguments(base=5, exp=2)]
    assert list(face.starmap(pow, items, timeout=LIMIT)) == [32, 9, 16, 25]


def test_map_as_completed(face: Any) -> None:
    assert sorted(face.map_as_completed(square, range(500), timeout=LIMIT)) == [n * n for n in range(500)]
    found = list(face.map_as_completed(inverse, [1, 0, 2], return_exceptions=True, timeout=LIMIT))
    assert sorted(str(value) for value in found) == ["0.5", "1.0", "division by zero"]
    with pytest.raises(ZeroDivisionError):
        list(face.map_as_completed(inverse, [1, 0, 2], timeout=LIMIT))


def test_map_as_completed_gives_what_is_ready(parallel: Executor, gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fedfutures.worker.current, "node", node_of(parallel))
    results = futures.map_as_completed(maybe_wait, [str(gate), "", ""], timeout=LIMIT)
    assert [next(results), next(results)] == ["", ""]
    gate.touch()
    assert list(results) == [str(gate)]


@pytest.mark.parametrize("length", range(41))
def test_reduce_and_scan_against_their_twins(face: Any, length: int) -> None:
    letters = [text(n) for n in range(length)]
    expected = list(itertools.accumulate(letters, concatenate))
    assert face.map_scan(text, concatenate, range(length)) == expected
    assert face.map_scan(text, concatenate, iter(range(length))) == expected
    with_initial = list(itertools.accumulate(letters, concatenate, initial="start:"))
    assert face.map_scan(text, concatenate, iter(range(length)), initial="start:") == with_initial
    reduced = functools.reduce(concatenate, letters, "start:")
    assert face.map_reduce(text, concatenate, iter(range(length)), initial="start:") == reduced
    if length:
        assert face.map_reduce(text, concatenate, range(length)) == "".join(letters)
        assert face.map_reduce(text, concatenate, (n for n in range(length))) == "".join(letters)
    else:
        with pytest.raises(TypeError, match="no initial value"):
            face.map_reduce(text, concatenate, range(length))


def test_reduce_and_scan_of_several_iterables(face: Any) -> None:
    pairs = [pow(a, b) for a, b in zip(range(30), range(100))]
    assert face.map_reduce(pow, operator.add, range(30), range(100)) == sum(pairs)
    assert face.map_scan(pow, operator.add, range(30), itertools.count()) == list(itertools.accumulate(pairs))
    assert face.mapReduce is face.map_reduce
    assert face.mapScan is face.map_scan


def test_reduce_and_scan_of_many(face: Any) -> None:
    assert face.map_reduce(square, operator.add, iter(range(5000))) == sum(n * n for n in range(5000))
    found = face.map_scan(text, concatenate, (n for n in range(500)))
    assert found == list(itertools.accumulate(map(text, range(500)), concatenate))


def test_reduce_and_scan_hand_errors_on(face: Any) -> None:
    for function in (face.map_reduce, face.map_scan):
        with pytest.raises(ZeroDivisionError):
            function(inverse, operator.add, [1, 2, 0, 4])
        with pytest.raises(TypeError):
            function(square, operator.concat, [1, 2, 3, 4])
    assert reduction.MISSING is not None


# -- arguments that make no sense ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_workers": 0}, ValueError),
        ({"max_workers": -1}, ValueError),
        ({"initializer": 5}, TypeError),
        ({"max_tasks_per_child": 0}, ValueError),
        ({"max_tasks_per_child": 1.5}, TypeError),
        ({"mode": "odd"}, ValueError),
    ],
)
def test_an_executor_refuses_nonsense(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Executor(**options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunksize": 0}, ValueError),
        ({"chunksize": -2}, ValueError),
        ({"buffersize": 0}, ValueError),
        ({"buffersize": "x"}, TypeError),
    ],
)
def test_map_refuses_nonsense_at_the_call(executor: Executor, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        executor.map(square, [1, 2], **options)


def test_map_refuses_what_cannot_be_iterated(executor: Executor) -> None:
    with pytest.raises(TypeError):
        executor.map(square, 5)  # type: ignore[arg-type]


def test_submit_needs_a_function(executor: Executor) -> None:
    with pytest.raises(TypeError):
        executor.submit()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        executor.submit(5).result(LIMIT)  # type: ignore[arg-type]


def test_what_cannot_travel_is_an_error_at_the_call(parallel: Executor) -> None:
    with pytest.raises(pickle.PicklingError, match=r"args\[0\]\[1\]"):
        parallel.submit(square, [1, threading.Lock()])
    with pytest.raises(pickle.PicklingError, match="kwargs"):
        parallel.submit(keywords, a=threading.Lock())
    assert parallel.submit(square, 2).result(LIMIT) == 4


# -- shutdown --------------------------------------------------------------------------------------------------------


def test_shutdown_waits_and_then_refuses(fresh: Callable[..., Executor]) -> None:
    executor = fresh()
    fs = [executor.submit(sleep, 0.02, n) for n in range(10)]
    executor.shutdown()
    assert [future.result(0) for future in fs] == list(range(10))
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 2)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(square, [2])
    executor.shutdown()
    executor.shutdown(wait=False)


def test_shutdown_without_waiting(fresh: Callable[..., Executor]) -> None:
    executor = fresh()
    assert executor.submit(square, 2).result(LIMIT) == 4
    fs = [executor.submit(sleep, 0.05, n) for n in range(6)]
    began = time.monotonic()
    executor.shutdown(wait=False)
    waited = time.monotonic() - began
    assert waited < 0.05
    with pytest.raises(RuntimeError):
        executor.submit(square, 2)
    assert [future.result(LIMIT) for future in fs] == list(range(6))


def test_shutdown_that_cancels(fresh: Callable[..., Executor], kind: str, gate: Path) -> None:
    executor = fresh()
    if kind == "serial":
        executor.shutdown(cancel_futures=True)
        return
    running = [executor.submit(wait_for, str(gate)) for _ in range(1 if kind == "one" else 2)]
    assert eventually(lambda: all(future.running() for future in running), LIMIT)
    queued = [executor.submit(square, n) for n in range(200)]
    threading.Timer(0.3, gate.touch).start()
    executor.shutdown(cancel_futures=True)
    assert all(future.result(0) for future in running)
    assert all(future.cancelled() for future in queued)


def test_shutdown_of_an_executor_never_used(fresh: Callable[..., Executor]) -> None:
    fresh().shutdown()
    with fresh():
        pass


def test_the_context_manager_waits(kind: str) -> None:
    with KINDS[kind]() as executor:
        future = executor.submit(sleep, 0.1, 5)
    assert future.done()
    assert future.result(0) == 5
    executor = KINDS[kind]()
    with pytest.raises(ZeroDivisionError), executor:
        inverse(executor.submit(sleep, 0.1, 0).result() * executor.submit(sleep, 0.1, 6).result())
    with pytest.raises(RuntimeError):
        executor.submit(square, 2)


def test_results_outlive_their_executor() -> None:
    with Executor(max_workers=1) as executor:
        future = executor.submit(bytes, 3 << 20)
    assert len(future.result(0)) == 3 << 20


# -- Workers of its own kind -----------------------------------------------------------------------------------------


def test_an_initializer_runs_in_each_worker() -> None:
    with Executor(max_workers=2, initializer=initialize, initargs=(1, "two")) as executor:
        fs = [executor.submit(sleep, 0.05) for _ in range(4)]
        assert futures.wait(fs, LIMIT).not_done == set()
        for _ in range(10):
            assert executor.submit(initialized).result(LIMIT) == [1, "two"]


def test_an_initializer_that_is_a_closure() -> None:
    value = [7]
    with Executor(max_workers=1, initializer=lambda: initialize(*value)) as executor:
        assert executor.submit(initialized).result(LIMIT) == [7]


def test_an_initializer_that_fails_breaks_the_executor(capfd: pytest.CaptureFixture[str]) -> None:
    with Executor(max_workers=2, initializer=fail_to_initialize) as executor:
        with pytest.raises(fedfutures.errors.InitializerFailed) as caught:  # at the submit, if that comes too late
            executor.submit(square, 2).result(LIMIT)
        assert isinstance(caught.value, BrokenExecutor)
        with pytest.raises(BrokenExecutor):
            executor.submit(square, 2).result(LIMIT)
        with pytest.raises(BrokenExecutor):
            list(executor.map(square, range(10), timeout=LIMIT))
    assert "no initialization" in "".join(capfd.readouterr())


@pytest.mark.parametrize("most", [1, 3])
def test_a_worker_is_replaced_after_so_many_futures(most: int) -> None:
    with Executor(max_workers=1, max_tasks_per_child=most) as executor:
        found = [executor.submit(pid).result(LIMIT) for _ in range(7)]
    assert all(found.count(one) <= most for one in found)
    assert len(set(found)) >= 7 // most
    with Executor(max_workers=2, max_tasks_per_child=most) as executor:
        found = [future.result(LIMIT) for future in [executor.submit(pid) for _ in range(12)]]
    assert all(found.count(one) <= most for one in found)


# -- threads, and the end --------------------------------------------------------------------------------------------


def in_threads(count: int, function: Callable[[int], Any]) -> list[Any]:
    """Call a function in several threads at once; return what it returned or raised."""
    found: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(place: int) -> None:
        try:
            barrier.wait(LIMIT)
            found[place] = function(place)
        except BaseException as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LIMIT)
        assert not thread.is_alive()
    return found


def test_threads_submit_at_once(executor: Executor) -> None:
    def use(place: int) -> list[int]:
        fs = [executor.submit(square, place * 1000 + n) for n in range(200)]
        return [future.result(LIMIT) for future in fs]

    assert in_threads(8, use) == [[(place * 1000 + n) ** 2 for n in range(200)] for place in range(8)]


def test_threads_wait_map_and_complete_at_once(executor: Executor) -> None:
    def use(place: int) -> int:
        fs = [executor.submit(square, n) for n in range(50)]
        if place % 4 == 0:
            return sum(future.result(0) for future in futures.wait(fs, LIMIT).done)
        if place % 4 == 1:
            return sum(future.result(0) for future in futures.as_completed(fs, LIMIT))
        if place % 4 == 2:
            return sum(future.result(0) for future in concurrent.futures.as_completed(fs, LIMIT))
        return sum(executor.map(square, range(50), timeout=LIMIT))

    assert in_threads(8, use) == [sum(n * n for n in range(50))] * 8


def test_threads_wait_for_one_future(parallel: Executor, gate: Path) -> None:
    future = parallel.submit(wait_for, str(gate))
    threading.Timer(0.1, gate.touch).start()
    assert in_threads(8, lambda place: future.result(LIMIT)) == [True] * 8


def test_executors_in_threads() -> None:
    def use(place: int) -> list[int]:
        with Executor(max_workers=1) as executor:
            return list(executor.map(square, range(20), timeout=LIMIT))

    assert in_threads(4, use) == [[n * n for n in range(20)]] * 4


def _gone(*pids: int) -> bool:
    return eventually(lambda: not any(os.path.exists(f"/proc/{pid}/fd") for pid in pids), 2.0)


def test_shutdown_leaves_no_process() -> None:
    executor = Executor(max_workers=2)
    left = executor.submit(pids).result(LIMIT)
    executor.shutdown()
    assert _gone(*left)


def test_a_forgotten_executor_leaves_no_process() -> None:
    executor = Executor(max_workers=2)
    left = executor.submit(pids).result(LIMIT)
    seen = weakref.ref(executor)
    del executor
    gc.collect()
    assert seen() is None
    assert _gone(*left)


def test_a_forgotten_executor_finishes_its_futures() -> None:
    executor = Executor(max_workers=1)
    fs = [executor.submit(sleep, 0.02, n) for n in range(10)]
    del executor
    gc.collect()
    assert [future.result(LIMIT) for future in fs] == list(range(10))


def test_processes_of_a_program_that_forgets_its_executor(tmp_path: Path) -> None:
    """Also one whose interpreter is ending already."""
    for name, last in {"end": "", "exit": "os._exit(0)", "kill": "os.kill(os.getpid(), 9)"}.items():
        write(
            tmp_path / f"{name}.py",
            f"""
            import os
            from fedfutures import Executor

            def work(n):
                return n + 1

            if __name__ == "__main__":
                executor = Executor(max_workers=2)
                print(executor.submit(work, 1).result(), flush=True)
                late = executor.submit(work, 2)
                {last}
            """,
        )
        from launching import python

        ended = python(f"{name}.py", cwd=tmp_path)
        assert (ended.out, ended.err) == ("2\n", "")
        assert ended.code == (-9 if name == "kill" else 0)


# -- launched --------------------------------------------------------------------------------------------------------

LAUNCHED = """
    import asyncio, concurrent.futures, functools, itertools, operator, time
    import fedfutures
    from fedfutures import Executor, futures, shared

    def square(x):
        return x * x

    def inverse(x):
        return 1 / x

    def slow(seconds, value):
        time.sleep(seconds)
        return value

    def text(n):
        return f"{n},"

    async def over_asyncio():
        return await asyncio.gather(*(asyncio.wrap_future(futures.submit(square, n)) for n in range(5)))

    def main():
        f = futures.submit(square, 7)
        print(f.result(20), f.done(), f.running(), f.cancelled(), f.exception())
        print(isinstance(f, concurrent.futures.Future))
        print(repr(futures.submit(inverse, 0).exception(20)))
        try:
            futures.submit(slow, 0.3, 1).result(0.05)
        except futures.TimeoutError as error:
            print("timed out")
        calls = []
        f = futures.submit(slow, 0.05, 1)
        f.add_done_callback(lambda f: calls.append(1))
        f.add_done_callback(lambda f: calls.append(2))
        f.result(20)
        time.sleep(0.05)
        print(calls)
        blockers = [futures.submit(slow, 0.4, n) for n in range(2)]
        while not all(f.running() for f in blockers):
            time.sleep(0.01)
        victim = futures.submit(square, 2)
        print(victim.cancel(), victim.cancelled(), blockers[0].cancel())
        done, not_done = futures.wait([victim, *blockers], 20, futures.FIRST_COMPLETED)
        print(len(done), len(not_done))
        for wait in (futures.wait, concurrent.futures.wait):
            print(len(wait(blockers, 20).done))
        for complete in (futures.as_completed, concurrent.futures.as_completed):
            print(sorted(f.result() for f in complete([futures.submit(square, n) for n in range(9)], 20)))
        print(asyncio.run(over_asyncio()))
        print(list(futures.map(square, range(20), timeout=20)) == [n * n for n in range(20)])
        print(list(itertools.islice(futures.map(square, itertools.count(), buffersize=5), 6)))
        results = futures.map(inverse, [1, 2, 0, 4])
        print(next(results), next(results))
        try:
            next(results)
        except ZeroDivisionError:
            print("failed at its place")
        print([type(v).__name__ for v in futures.map(inverse, [1, 0], return_exceptions=True)])
        print(list(futures.starmap(pow, [(2, 3), (3, 2)])), sorted(futures.map_as_completed(abs, [-1, 2])))
        for n in range(1, 20):
            assert futures.map_reduce(text, operator.add, iter(range(n))) == "".join(map(text, range(n)))
            assert futures.map_scan(text, operator.add, range(n)) == list(itertools.accumulate(map(text, range(n))))
        with Executor() as executor:
            print(executor.submit(square, 5).result(20), list(executor.map(square, range(4))))
        try:
            executor.submit(square, 1)
        except RuntimeError as error:
            print(error)
        print(futures.submit(square, 6).result(20), fedfutures.IS_ORIGIN, fedfutures.IS_RUNNING, fedfutures.SIZE)
        late = [futures.submit(slow, 0.05, n) for n in range(4)]
        futures.shutdown()
        print([f.result(0) for f in late])
        try:
            futures.submit(square, 1)
        except RuntimeError as error:
            print(error)

    if __name__ == "__main__":
        main()
"""


def test_a_launched_program(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", LAUNCHED)
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert ended.err == ""
    assert ended.out.splitlines() == [
        "49 True False False None",
        "True",
        "ZeroDivisionError('division by zero')",
        "timed out",
        "[1, 2]",
        "True True False",
        "1 2",
        "2",
        "2",
        "[0, 1, 4, 9, 16, 25, 36, 49, 64]",
        "[0, 1, 4, 9, 16, 25, 36, 49, 64]",
        "[0, 1, 4, 9, 16]",
        "True",
        "[0, 1, 4, 9, 16, 25]",
        "1.0 0.5",
        "failed at its place",
        "['float', 'ZeroDivisionError']",
        "[8, 9] [1, 2]",
        "25 [0, 1, 4, 9]",
        "cannot schedule new futures after shutdown",
        "36 True True 2",
        "[0, 1, 2, 3]",
        "cannot schedule new futures after shutdown",
    ]
    assert ended.code == 0


def test_a_map_lets_go_of_each_result_once_it_was_delivered(executor: Executor) -> None:
    for chunksize in (1, 4):
        for result in executor.map(make_thing, range(10), chunksize=chunksize):
            known = weakref.ref(result)
            del result
            assert known() is None


def test_free_reference_of_cpython(executor: Executor) -> None:
    """CPython's own test for this, where the interpreter comes with its tests."""
    theirs = pytest.importorskip("test.test_concurrent_futures.executor")
    case = type("Case", (unittest.TestCase,), {"executor": executor})()
    theirs.ExecutorTest.test_free_reference(case)
