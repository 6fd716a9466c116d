"""Futures that tell their values before anybody can have them."""

from __future__ import annotations

import asyncio
from typing import Any

from fedfutures import Future
from fedfutures.worker.future import resolved, settle, settle_cancelled
from fedfutures.worker.watched import watch


def test_the_value_is_told_before_the_future_is_done() -> None:
    future: Future[Any] = Future()
    seen: list[Any] = []
    watch(future, lambda value: seen.append((list(value), future.done())))
    future.add_done_callback(lambda done: done.result().clear())
    assert (future.done(), seen) == (False, [])
    settle(future, [1, 2])
    assert seen == [([1, 2], False)]
    assert (future.done(), future.result(), repr(future)) == (True, [1, 2], "<Future returned list>")


def test_failures_and_cancelled_futures_tell_nothing() -> None:
    seen: list[Any] = []
    failed: Future[Any] = Future()
    cancelled: Future[Any] = Future()
    for future in (failed, cancelled):
        watch(future, seen.append)
    settle(failed, None, ValueError("x"))
    settle_cancelled(cancelled)
    watch(failed, seen.append)  # it is done by now
    assert (str(failed.exception()), cancelled.cancelled(), seen) == ("x", True, [])


def test_a_future_that_is_done_tells_at_once() -> None:
    seen: list[Any] = []
    watch(resolved(None, 5, None), seen.append)
    assert seen == [5]


def test_a_watched_future_is_awaited_as_any_other() -> None:
    async def main() -> Any:
        future: Future[Any] = Future()
        watch(future, seen.append)
        asyncio.get_running_loop().call_soon(future.set_result, 7)
        return await asyncio.wrap_future(future)

    seen: list[Any] = []
    assert asyncio.run(main()) == 7
    assert seen == [7]
