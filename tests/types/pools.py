"""A Pool and its results, and coroutines, are typed as ``multiprocessing.Pool`` and ``asyncio`` are."""

from __future__ import annotations

from typing_extensions import assert_type

from fedfutures import Executor, Pool, aio


def length(text: str) -> int:
    return len(text)


with Pool(2) as pool:
    assert_type(pool.apply(length, ("a",)), int)
    assert_type(pool.map(length, ["a"]), list[int])
    assert_type(pool.starmap(length, [("a",)]), list[int])
    assert_type(pool.apply_async(length, ("a",)).get(), int)
    assert_type(pool.map_async(length, ["a"]).get(1.0), list[int])
    assert_type(next(pool.imap(length, ["a"])), int)
    for each in pool.imap_unordered(length, ["a"]):
        assert_type(each, int)
    assert_type(pool.size, int)


async def main() -> None:
    assert_type(await aio.submit(length, "a"), int)
    workers = aio.over(Executor(2))
    assert_type(await workers.submit(length, "a"), int)
    async for each in workers.map(length, ["a"], unordered=True):
        assert_type(each, int)
    await workers.submit(length, 4)  # type: ignore[arg-type]


pool.map(length, [4])  # type: ignore[arg-type]
