"""Futures submit Futures and wait for them, to any depth, in any way, with any number of Workers."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nesting_functions as nested
import pytest
from launching import launch, write

from fedfutures import Executor, shared

pytestmark = pytest.mark.host

LIMIT = 15.0


@pytest.fixture(scope="module", params=[1, 2], ids=["one Worker", "two Workers"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with Executor(max_workers=request.param) as executor:
        yield executor
    gc.collect()


@pytest.fixture
def size(executor: Executor) -> int:
    return executor.num_workers


@pytest.mark.parametrize("function", [nested.deep, nested.deep_with_timeout, nested.deep_map])
def test_a_deep_chain(executor: Executor, function: Any) -> None:
    assert executor.submit(function, 500).result(LIMIT) == 500


def test_several_deep_chains_at_once(executor: Executor) -> None:
    assert list(executor.map(nested.deep, [100] * 8, timeout=LIMIT)) == [100] * 8


@pytest.mark.parametrize(("depth", "fan"), [(4, 9), (13, 2), (1, 10_000)])
def test_a_tree(executor: Executor, depth: int, fan: int) -> None:
    nodes = sum(fan**level for level in range(depth + 1))
    assert executor.submit(nested.tree, depth, fan).result(LIMIT) == nodes


def test_fibonacci(executor: Executor) -> None:
    assert executor.submit(nested.fib, 15).result(LIMIT) == 610


@pytest.mark.parametrize("way", nested.WAYS)
def test_every_way_to_wait(executor: Executor, way: str) -> None:
    assert executor.submit(nested.inner, way, 30).result(LIMIT) == sum(n * n for n in range(30))


@pytest.mark.parametrize("way", nested.WAYS)
def test_every_way_to_wait_several_levels_down(executor: Executor, way: str) -> None:
    assert executor.submit(nested.outer, way, 2).result(LIMIT) == 9 * 285


@pytest.mark.parametrize("way", nested.WAYS)
def test_a_wait_in_a_foreign_thread(way: str) -> None:
    """It works, or says clearly that it does not; the Worker goes on."""
    executor = Executor(max_workers=1)
    host = executor.submit(os.getppid).result(LIMIT)
    try:
        for found in executor.submit(nested.in_a_thread, way).result(LIMIT):
            assert found == sum(n * n for n in range(20)) or "thread" in str(found)
        assert executor.submit(nested.square, 2).result(LIMIT) == 4
    finally:
        os.kill(host, signal.SIGKILL)  # what the threads still wait for goes with it
        executor.shutdown()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_event_loop_in_a_future(workers: int) -> None:
    with Executor(max_workers=workers) as executor:
        assert executor.submit(nested.in_an_event_loop, 10).result(LIMIT) == 285


def test_constants_of_a_plain_program_reach_its_executors() -> None:
    shared.set(before=1)
    with Executor(max_workers=1) as executor:
        assert executor.submit(shared.get, "before").result(LIMIT) == 1
        shared.set(before=2, after="x" * 500_000)
        assert executor.submit(shared.get, "before").result(LIMIT) == 2
        assert executor.submit(nested.length_of, "after").result(LIMIT) == 500_000
        with pytest.raises(KeyError, match="no shared constant 'never'"):
            executor.submit(shared.get, "never").result(LIMIT)


def test_errors_pass_through(executor: Executor) -> None:
    assert executor.submit(nested.caught, 5).result(LIMIT) == "caught 5"
    with pytest.raises(LookupError, match="5"):
        executor.submit(nested.uncaught, 5).result(LIMIT)


def test_the_rest_of_the_interface_inside_a_future(executor: Executor) -> None:
    assert executor.submit(nested.cancelled).result(LIMIT) == (True, True)
    assert executor.submit(nested.timed_out).result(LIMIT) in ("timed out, then done", "in time")
    assert executor.submit(nested.called_back).result(LIMIT) == [16]
    assert "initializer" in executor.submit(nested.own_executor).result(LIMIT)


def test_the_nested_run_on_all_workers() -> None:
    with Executor(max_workers=2) as executor:
        assert executor.num_workers == 2
        seen: set[str] = set()
        until = time.monotonic() + LIMIT
        while len(seen) < 2 and time.monotonic() < until:
            seen = executor.submit(nested.names, 4).result(LIMIT)
        assert len(seen) == 2


def test_where_a_future_is(executor: Executor, size: int) -> None:
    is_origin, is_running, seen, name = executor.submit(nested.where).result(LIMIT)
    assert (is_origin, is_running, seen) == (False, True, size)
    assert name.rpartition(".")[2] in ("1", "2")


FACTS = """
    import fedfutures
    from fedfutures import futures

    def facts():
        return fedfutures.IS_ORIGIN, fedfutures.IS_RUNNING, fedfutures.SIZE

    if __name__ == "__main__":
        print(facts(), futures.submit(facts).result())
"""


def test_where_a_launched_program_is(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", FACTS)
    assert launch("-n", "2", "prog.py", cwd=tmp_path).out == "(True, True, 2) (False, True, 2)\n"


SHARED = """
    import fedfutures
    from fedfutures import futures, shared
    from nesting_functions import get, set_and_read

    if __name__ == "__main__":
        shared.set(answer=42, text="t")
        shared.setConst(older=[1, 2])
        print(list(futures.map(get, ["answer", "text", "older"] * 5)) == [42, "t", [1, 2]] * 5)
        print(futures.submit(set_and_read, "theirs", {"a": 1}).result())
        print(shared.get("theirs", timeout=10), shared.getConst("older"))
        print([futures.submit(get, "theirs").result() for _ in range(4)] == [{"a": 1}] * 4)
        shared.set(answer=43)
        print(futures.submit(get, "answer").result())
        try:
            shared.get("missing")
        except KeyError as error:
            print("missing" in str(error), shared.get("missing", 7), shared.get("missing", None, timeout=0.01))
        print(type(futures.submit(get, "missing", 0.05).exception()).__name__)
"""


def test_shared_constants(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", SHARED)
    here = str(Path(__file__).parent)
    for count in ("1", "2"):
        ended = launch("-n", count, "--pythonpath", here, "prog.py", cwd=tmp_path)
        assert ended.err == ""
        assert ended.out.splitlines() == [
            "True", "{'a': 1}", "{'a': 1} [1, 2]", "True", "43", "True 7 None", "KeyError",
        ]  # fmt: skip
