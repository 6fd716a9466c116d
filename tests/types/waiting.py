"""``wait`` and ``as_completed`` give the Futures that they are given, of whatever executor."""

from __future__ import annotations

import concurrent.futures

from typing_extensions import assert_type

from fedfutures import Future, futures


def length(text: str) -> int:
    return len(text)


mine = [futures.submit(length, "a")]
done, not_done = futures.wait(mine, timeout=1.0, return_when=futures.FIRST_COMPLETED)
for future in done | not_done:
    assert_type(future.result(), int)
for completed in futures.as_completed(mine):
    assert_type(completed, Future[int])
for other in futures.as_completed([concurrent.futures.Future[str]()]):
    assert_type(other, concurrent.futures.Future[str])


def told(future: Future[int]) -> None:
    assert_type(future.result(), int)


mine[0].add_done_callback(told)
assert_type(mine[0].cancel(), bool)

futures.wait([length])  # type: ignore[arg-type]
