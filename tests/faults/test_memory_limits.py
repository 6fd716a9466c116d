"""Futures and Workers that use more memory than they may, in real Workers: they end, and nobody else is hurt."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hungry_functions as hungry
import pytest
from launching import eventually, launch
from started import overheard

from fedfutures import Executor
from fedfutures.errors import OutOfMemory, PoisonedFuture
from fedfutures.wire.control import Notice, WorkerEnded

pytestmark = [pytest.mark.host, pytest.mark.once]

SECONDS = 20.0
BOUND = 10.0
"""For what takes half a second at most on a quiet machine, and half a minute if nobody ends it."""
MIB = 1 << 20


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(1) as made:
        yield made


@pytest.fixture(scope="module")
def limited() -> Iterator[Executor]:
    """Each of its Workers may use 200 MiB."""
    with Executor(1, memory_per_worker="200M") as made:
        yield made


TAKING = [hungry.take, hungry.take_slowly, hungry.take_by_a_child, hungry.take_by_an_orphan]


@pytest.mark.parametrize("function", TAKING, ids=lambda it: it.__name__)
def test_a_future_ends_that_uses_more_than_it_may(executor: Executor, function: Callable[..., Any]) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfMemory, match=rf"{function.__name__}\(300\) used .* MiB .* memory= lets it use") as found:
        executor.options(memory="100M").submit(function, 300).result(SECONDS)
    assert time.monotonic() - began < BOUND
    error = found.value
    assert (error.limit, error.option, error.attempts) == (100 * MIB, "memory", 1)
    assert 100 * MIB < error.peak < 400 * MIB
    assert "hungry_functions.py" in error.dump, "it says where it was"
    assert isinstance(error, PoisonedFuture)
    assert executor.submit(pow, 2, 3).result(SECONDS) == 8


def test_one_that_keeps_within_its_limit_is_not_touched(executor: Executor) -> None:
    sparing = executor.options(memory="200M")
    assert sparing.submit(hungry.take, 150, 0.5).result(SECONDS) == 150
    assert list(sparing.map(hungry.take, [1] * 20, [0.0] * 20)) == [1] * 20


def test_what_was_used_before_does_not_count(executor: Executor) -> None:
    first = executor.submit(hungry.leak, 150).result(SECONDS)
    assert executor.options(memory="100M").submit(hungry.take, 50, 0.3).result(SECONDS) == 50
    assert executor.submit(hungry.pid).result(SECONDS) == first


def test_files_and_shared_memory_do_not_count(executor: Executor) -> None:
    assert executor.options(memory="100M").submit(hungry.take_shared, 300).result(SECONDS) == 300


def test_what_children_share_counts_once(executor: Executor) -> None:
    assert executor.options(memory="250M").submit(hungry.fork_with, 150).result(SECONDS) == 150


def test_its_parent_lives_and_catches_the_error(executor: Executor) -> None:
    assert executor.submit(hungry.guarded, 300, "100M").result(SECONDS) == "caught take(300, 0.0) memory"
    assert executor.submit(hungry.guarded, 10, "100M").result(SECONDS) == "returned 10"


def test_each_item_of_a_map_has_the_limit(executor: Executor) -> None:
    found = executor.map(hungry.take, [1, 300, 2], [0.2] * 3, memory="100M", return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["int", "OutOfMemory", "int"]


def test_what_the_program_raises_itself_stays_that(executor: Executor) -> None:
    with pytest.raises(MemoryError, match="of the program"):
        executor.options(memory="100M").submit(hungry.refuse).result(SECONDS)


# -- the limit of each Worker ----------------------------------------------------------------------------------------


def test_what_makes_a_worker_use_too_much_is_not_tried_again(limited: Executor) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfMemory, match=r"take\(300\) was running on .* more than --memory-per-worker .*200\.0 MiB"):
        limited.submit(hungry.take, 300).result(SECONDS)
    assert time.monotonic() - began < BOUND
    assert limited.submit(hungry.take, 100, 0.3).result(SECONDS) == 100


def test_a_parent_is_not_ended_for_what_ran_inside_of_it(limited: Executor) -> None:
    assert limited.submit(hungry.parent, 300).result(SECONDS) == "caught take(300) memory_per_worker"


def test_who_waits_is_to_blame_where_nothing_runs(limited: Executor) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfMemory, match=r"waiting\(300\) was running on"):
        limited.submit(hungry.waiting, 300).result(SECONDS)
    assert time.monotonic() - began < BOUND, "not only when it goes on"


def test_a_worker_that_has_grown_is_replaced_between_futures() -> None:
    ended: list[object] = []
    executor, _ = overheard(lambda frame: ended.append(frame), 1, memory_per_worker="200M")
    with executor:
        first = 0
        while not first:
            executor.submit(hungry.leak_until, 199).result(SECONDS)
            with contextlib.suppress(OutOfMemory):  # it was looked at in that moment
                first = executor.submit(hungry.leak_until, 201).result(SECONDS)
        assert eventually(lambda: not os.path.exists(f"/proc/{first}"), SECONDS)
        assert executor.submit(hungry.pid).result(SECONDS) != first
        assert executor.submit(hungry.take, 100, 0.0).result(SECONDS) == 100
    assert [frame for frame in ended if isinstance(frame, (WorkerEnded, Notice))] == [], "nobody is told"


LAUNCHED = """
import hungry_functions as hungry
from fedfutures import futures
from fedfutures.errors import OutOfMemory

if __name__ == "__main__":
    for terms in (futures.options(), futures.options(memory="100M")):
        try:
            terms.submit(hungry.take, 300).result()
        except OutOfMemory as error:
            print(error.call, error.option, error.limit >> 20)
    print(futures.submit(hungry.guarded, 300, "100M").result())
"""


def test_a_launched_program(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(LAUNCHED)
    (tmp_path / "hungry_functions.py").write_text(Path(hungry.__file__).read_text())
    ended = launch("-n", "1", "--memory-per-worker", "200M", "prog.py", cwd=tmp_path)
    assert ended.out.splitlines() == [
        "take(300) memory_per_worker 200", "take(300) memory 100", "caught take(300, 0.0) memory"
    ], ended.err  # fmt: skip
    assert (ended.code, ended.err) == (0, ""), "nobody is told of Workers that ended for that"


def test_limits_that_no_host_can_grant_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text("print(1)\n")
    ended = launch("-n", "2", "--memory-per-worker", "100T", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "1\n")
    assert "2 Workers on " in ended.err
    assert "may use 100.0 TiB each (--memory-per-worker), and " in ended.err
