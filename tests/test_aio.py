"""Futures for asyncio."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import launch, write

from fedfutures import Executor, aio

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor(2) as found:
        yield found


@pytest.fixture
def workers(executor: Executor) -> aio.AsyncSubmitter:
    return aio.over(executor)


def inverse(x: int) -> float:
    return 1 / x


def marks(path: Path, seconds: float) -> None:
    Path(f"{path}.began").touch()
    time.sleep(seconds)
    path.touch()


def slept(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


async def coroutine() -> None:
    pass


async def listed(results: Any) -> list[Any]:
    return [result async for result in results]


def test_a_call_is_awaited_while_others_go_on(workers: aio.AsyncSubmitter) -> None:
    async def main() -> tuple[list[Any], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        found = await asyncio.gather(
            workers.submit(slept, 0.2), workers.submit(pow, 2, 5), workers.submit(int, "7", base=8)
        )
        ticking.cancel()
        return found, ticks

    found, ticks = asyncio.run(main())
    assert found == [0.2, 32, 7]
    assert ticks > 5


def test_an_error_is_that_of_the_call(workers: aio.AsyncSubmitter) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(workers.submit(inverse, 0))


def test_a_cancelled_task_ends_its_call(workers: aio.AsyncSubmitter, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "done"
        task = asyncio.create_task(workers.submit(marks, path, 30))
        while not Path(f"{path}.began").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        began = time.monotonic()
        assert await asyncio.gather(*(workers.submit(slept, 0.05) for _ in range(4))) == [0.05] * 4
        assert time.monotonic() < began + 15, "the Worker is free"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(workers.submit(slept, 30), 0.1)

    asyncio.run(main())


def test_a_map_is_in_order_or_as_they_are_done(workers: aio.AsyncSubmitter) -> None:
    assert asyncio.run(listed(workers.map(pow, [2, 3], [5, 2, 9]))) == [32, 9]
    assert asyncio.run(listed(workers.map(slept, [0.4, 0.0], unordered=True))) == [0.0, 0.4]
    assert asyncio.run(listed(workers.map(abs, range(-2500, 0)))) == list(range(2500, 0, -1))
    assert asyncio.run(listed(workers.map(abs, []))) == []


def test_errors_of_items(workers: aio.AsyncSubmitter) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(listed(workers.map(inverse, [1, 0, 2])))
    found = asyncio.run(listed(workers.map(inverse, [1, 0, 2], return_exceptions=True)))
    assert (found[0], type(found[1]), found[2]) == (1.0, ZeroDivisionError, 0.5)


def test_the_input_may_be_endless_and_the_rest_is_cancelled(workers: aio.AsyncSubmitter) -> None:
    read = 0

    def numbers() -> Iterator[float]:
        nonlocal read
        for read in itertools.count(1):
            yield 0.01 if read < 4 else 30.0

    async def main() -> list[float]:
        found = []
        results = workers.map(slept, numbers(), buffersize=10)
        async for result in results:
            found.append(result)
            if len(found) == 3:
                break
        await results.aclose()  # type: ignore[attr-defined]
        return found

    began = time.monotonic()
    assert asyncio.run(main()) == [0.01] * 3
    assert read <= 13
    assert asyncio.run(workers.submit(abs, -1)) == 1
    assert time.monotonic() < began + 15


def test_a_coroutine_function_is_refused_with_what_to_do(workers: aio.AsyncSubmitter) -> None:
    with pytest.raises(TypeError, match=r"coroutine is a coroutine function.*asyncio\.run\(coroutine\(\.\.\.\)\)"):
        asyncio.run(workers.submit(coroutine))
    with pytest.raises(TypeError, match="coroutine function"):
        asyncio.run(listed(workers.map(coroutine, [1])))


def test_a_launched_program_needs_no_executor(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        import asyncio
        from fedfutures import aio

        async def main():
            print(await aio.submit(pow, 2, 5), [x async for x in aio.map(abs, [-1, 2])])

        if __name__ == "__main__":
            asyncio.run(main())
        """,
    )
    ended = launch("-n", "2", "prog.py", cwd=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "32 [1, 2]\n", "")
