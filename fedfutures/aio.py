"""Futures for asyncio: ``await`` a call, and ``async for`` over a map.

::

    from fedfutures import Executor, aio

    async def main():
        with Executor(4) as executor:
            workers = aio.over(executor)
            print(await workers.submit(pow, 2, 5))
            async for result in workers.map(abs, range(-3, 3)):
                print(result)

In a program that ``python -m fedfutures`` runs, ``aio.submit`` and ``aio.map`` do the same without an Executor. A task
that is cancelled cancels its calls, also those that run.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from . import futures
from .worker.future import Future

__all__ = ["AsyncSubmitter", "map", "over", "submit"]

P = ParamSpec("P")
T = TypeVar("T")

WINDOW = 1000
"""So many calls of a map are under way at once, unless it says another number."""


class AsyncSubmitter:
    """Submits calls for asyncio, by what has ``submit``: an Executor, a group, or the module ``futures``."""

    def __init__(self, caller: Any) -> None:
        self._caller = caller

    async def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``fn(*args, **kwargs)``, called in a Worker. If the task is cancelled, the call ends there.

        Raises what `fn` raises, and ``TypeError`` for a coroutine function, which has no event loop in a Worker.
        """
        future: Future[T] = self._caller.submit(_plain(fn), *args, **kwargs)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel(running=True)
            raise

    async def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], buffersize: int = WINDOW, unordered: bool = False,
        return_exceptions: bool = False,
    ) -> AsyncIterator[T]:  # fmt: skip
        """Yield ``fn(*items)`` over one or several iterables, in order, or as they are done.

        Each item is a call of its own, so items should take a millisecond or more. At most `buffersize` calls are under
        way; the input is read as they are made. If the loop is left early, all of them are cancelled.
        """
        loop, came = asyncio.get_running_loop(), asyncio.Queue[Any]()
        rows = zip(*iterables)
        waiting: dict[Any, None] = {}

        def tell(future: Any) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(came.put_nowait, future)

        def fill() -> None:
            for row in itertools.islice(rows, buffersize - len(waiting)):
                future = self._caller.submit(_plain(fn), *row)
                waiting[future] = None
                if unordered:
                    future.add_done_callback(tell)

        try:
            fill()
            while waiting:
                future = await came.get() if unordered else next(iter(waiting))
                error: Exception | None = None
                try:
                    result = await asyncio.wrap_future(future)
                except Exception as raised:
                    error = raised
                del waiting[future]
                if error is None:
                    yield result
                elif return_exceptions:
                    yield error  # type: ignore[misc]  # wanted
                else:
                    raise error
                fill()
        finally:
            for future in waiting:
                future.cancel(running=True)


def _plain(fn: Callable[..., Any]) -> Callable[..., Any]:
    if asyncio.iscoroutinefunction(fn):
        name = getattr(fn, "__qualname__", repr(fn))
        raise TypeError(
            f"{name} is a coroutine function, and a Worker has no event loop; submit a function that calls "
            f"asyncio.run({name}(...))"
        )
    return fn


def over(caller: Any) -> AsyncSubmitter:
    """Return what submits to an Executor, or to a group, from a coroutine."""
    return AsyncSubmitter(caller)


_of_run = AsyncSubmitter(futures)
submit, map = _of_run.submit, _of_run.map
