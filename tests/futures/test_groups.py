"""Groups of Futures: waited for, cancelled, counted; and what they hold of what is done."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import order_functions as ordered
import pytest
from launching import eventually, launch, write

from fedfutures import Executor, futures

LIMIT = 20.0


class Blob:
    """Something that can be watched."""


def make() -> Blob:
    return Blob()


@pytest.fixture
def serial() -> Executor:
    return Executor(mode="serial")


# -- without processes -----------------------------------------------------------------------------------------------


def test_a_name_is_one_group() -> None:
    group = futures.group("one")
    assert futures.group("one") is group
    assert futures.group("another") is not group
    assert group.priority is None
    assert futures.group("one", priority=3) is group
    assert futures.group("one").priority == 3


def test_an_executor_has_its_own(serial: Executor) -> None:
    assert serial.group("one") is serial.group("one")
    assert serial.group("one") is not futures.group("one")


def test_what_is_no_name_or_priority() -> None:
    with pytest.raises(TypeError, match="name of a group is a str"):
        futures.group(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="priority must be an integer"):
        futures.group("wrong", priority="high")  # type: ignore[arg-type]


def test_all_keywords_are_the_calls_own(serial: Executor) -> None:
    assert serial.group("g").submit(ordered.with_priority, "name", priority="high").result() == ("name", "high")
    assert serial.group("g").submit(ordered.anything, priority=3).result() == {"priority": 3}


def test_counts_in_serial(serial: Executor) -> None:
    group = serial.group("g")
    kept = [group.submit(ordered.nap, 0.01), group.submit(ordered.fail, "text")]
    found = group.statistics()
    assert (found.name, found.pending, found.running, found.done, found.failed, found.cancelled) == (
        "g", 0, 0, 1, 1, 0,
    )  # fmt: skip
    assert found.seconds >= 0.01
    assert list(group) == kept
    assert futures.wait(group).not_done == set()
    assert group.wait().done == set(kept)
    assert list(group.map(abs, [-1, -2])) == [1, 2]
    assert "'g': 0 open" in repr(group)


def test_any_future_can_be_added(serial: Executor) -> None:
    group = serial.group("g")
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    group.add(future)
    group.add(future)
    assert group.statistics().pending == 1
    assert group.wait(0.01) == (set(), {future})
    future.set_running_or_notify_cancel()
    assert group.statistics().running == 1
    threading.Timer(0.05, future.set_result, (3,)).start()
    assert group.wait(LIMIT) == ({future}, set())
    assert group.statistics().done == 1
    other: concurrent.futures.Future[int] = concurrent.futures.Future()
    group.add(other)
    assert group.cancel() == 1
    assert group.cancel() == 0
    assert group.statistics().cancelled == 1
    with pytest.raises(TypeError, match="takes Futures, not int"):
        group.add(3)


def test_waiting_covers_those_that_join_meanwhile(serial: Executor) -> None:
    group = serial.group("g")
    first: concurrent.futures.Future[int] = concurrent.futures.Future()
    second: concurrent.futures.Future[int] = concurrent.futures.Future()
    group.add(first)

    def join(_: Any) -> None:
        group.add(second)
        threading.Timer(0.05, second.set_result, (2,)).start()

    first.add_done_callback(join)
    threading.Timer(0.05, first.set_result, (1,)).start()
    assert group.wait(LIMIT) == ({first, second}, set())


def test_results_that_nobody_holds_are_let_go(serial: Executor) -> None:
    group = serial.group("g")
    kept = group.submit(make)
    dropped = weakref.ref(group.submit(make).result())
    gc.collect()
    assert dropped() is None
    assert list(group) == [kept]
    assert len(group) == 1
    assert group.statistics().done == 2


def test_a_block_waits_and_cancels_when_an_exception_leaves_it(serial: Executor) -> None:
    open_one: concurrent.futures.Future[int] = concurrent.futures.Future()
    with serial.group("g") as group:
        group.add(open_one)
        threading.Timer(0.05, open_one.set_result, (1,)).start()
    assert open_one.done()
    waiting: concurrent.futures.Future[int] = concurrent.futures.Future()
    with pytest.raises(KeyError), serial.group("g"):  # noqa: PT012
        serial.group("g").add(waiting)
        raise KeyError
    assert waiting.cancelled()
    running: concurrent.futures.Future[int] = concurrent.futures.Future()
    running.set_running_or_notify_cancel()
    with pytest.raises(KeyboardInterrupt), serial.group("g"):  # noqa: PT012
        serial.group("g").add(running)
        raise KeyboardInterrupt
    assert not running.done()


# -- with Workers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(max_workers=2) as executor:
        yield executor
    gc.collect()


@pytest.mark.host
def test_waiting_for_a_group(executor: Executor) -> None:
    group = executor.group("waits")
    handles = [group.submit(ordered.nap, 0.02) for _ in range(10)]
    found = group.wait(0.01)
    assert found.not_done
    assert group.wait(LIMIT, futures.FIRST_COMPLETED).done
    assert futures.wait(group, LIMIT) == (set(handles), set())
    assert len(list(futures.as_completed(group, LIMIT))) == 10
    counts = group.statistics()
    assert (counts.pending, counts.running, counts.done) == (0, 0, 10)
    assert 0.1 < counts.seconds < LIMIT


@pytest.mark.host
def test_the_counts_are_exact_as_soon_as_a_result_is_there(executor: Executor) -> None:
    group = executor.group("exact")
    for count in range(1, 200):
        group.submit(pow, 2, 5).result(LIMIT)
        assert group.statistics().done == count


@pytest.mark.host
def test_cancelling_a_group(executor: Executor, tmp_path: Path) -> None:
    group = executor.group("cancels")
    paths = [str(tmp_path / name) for name in "ab"]
    running = [group.submit(ordered.hold, path) for path in paths]
    assert eventually(lambda: all(Path(path + ".runs").exists() for path in paths), LIMIT)
    handles = [group.submit(ordered.nap, 0.01) for _ in range(300)]
    assert eventually(lambda: all(future.running() for future in running), LIMIT)
    began = time.monotonic()
    assert group.cancel() == 300
    assert time.monotonic() - began < 3.0
    assert all(future.cancelled() for future in handles)
    counts = group.statistics()
    assert (counts.pending, counts.running, counts.cancelled) == (0, 2, 300)
    for path in paths:
        Path(path).touch()
    assert group.wait(LIMIT).not_done == set()
    assert group.statistics().done == 2


@pytest.mark.host
def test_a_map_of_a_group(executor: Executor) -> None:
    group = executor.group("maps")
    assert list(group.map(abs, range(-1000, 0))) == list(range(1000, 0, -1))
    counts = group.statistics()
    assert counts.done > 0
    assert counts.pending == counts.running == 0
    results = group.map(ordered.nap_for, range(1000), chunksize=1)
    group.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        list(results)


@pytest.mark.host
@pytest.mark.parametrize("kind", [list, iter], ids=["any thread reads it", "the reader reads it"])
def test_a_map_that_is_cancelled_makes_no_more_calls(executor: Executor, kind: Any) -> None:
    """Also where nobody reads its results: they would take minutes."""
    group = executor.group(f"ends here, {kind.__name__}")
    results = group.map(ordered.nap_for, kind(range(200_000)), chunksize=1)
    group.cancel()
    assert group.wait(LIMIT).not_done == set()
    counts = group.statistics()
    assert executor.submit(pow, 2, 3).result(LIMIT) == 8
    assert group.statistics() == counts
    with pytest.raises(concurrent.futures.CancelledError):
        list(results)


@pytest.mark.host
def test_a_block_that_fails_ends_its_maps(executor: Executor) -> None:
    with pytest.raises(KeyError), executor.group("fails") as group:  # noqa: PT012
        results = group.map(ordered.nap_for, range(200_000), chunksize=1)
        raise KeyError
    counts = group.statistics()
    assert counts.pending == counts.running == 0
    with pytest.raises(concurrent.futures.CancelledError):
        list(results)


@pytest.mark.host
def test_a_block_with_workers(executor: Executor) -> None:
    with executor.group("block") as group:
        handles = [group.submit(ordered.nap, 0.005) for _ in range(20)]
    assert all(future.done() for future in handles)
    with pytest.raises(KeyError), executor.group("block") as group:  # noqa: PT012
        handles = [group.submit(ordered.nap, 0.02) for _ in range(100)]
        raise KeyError
    assert all(future.done() for future in handles)
    assert sum(future.cancelled() for future in handles) > 50


@pytest.mark.host
def test_a_group_holds_what_is_open_and_no_more(executor: Executor) -> None:
    group = executor.group("holds")
    for _ in range(50):
        group.submit(pow, 2, 5)
    group.wait(LIMIT)
    assert eventually(lambda: gc.collect() >= 0 and len(group) == 0, LIMIT)
    assert group.statistics().done == 50


@pytest.mark.host
def test_groups_inside_futures(executor: Executor) -> None:
    assert executor.submit(ordered.group_inside, 10).result(LIMIT) == (10, sum(n * n for n in range(10)), True)
    assert executor.submit(ordered.groups_all_the_way, 30).result(LIMIT) == 31


@pytest.mark.host
def test_groups_of_one_name_in_several_futures_have_nothing_in_common(executor: Executor) -> None:
    quiet = [executor.submit(ordered.quiet_group, 0.2) for _ in range(4)]
    raising = [executor.submit(ordered.raising_group, "x") for _ in range(8)]
    cancelled = [future.result(LIMIT) for future in raising]
    assert set(cancelled) in ({1}, {0, 1})  # 0: another Worker had begun it
    assert [future.result(LIMIT) for future in quiet] == [5] * 4


@pytest.mark.host
def test_groups_in_a_launched_program(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import futures

        if __name__ == "__main__":
            with futures.group("powers", priority=2) as group:
                handles = [group.submit(pow, 2, number) for number in range(10)]
            print(sum(handle.result() for handle in handles), futures.group("powers").statistics().done)
        """,
    )
    assert launch("-n", "2", "prog.py", cwd=tmp_path).out.strip() == "1023 10"
