"""A subclass of Executor that has a ``submit`` of its own sees every call there.

Options cannot be passed through it, since its keywords are those of the function: they wait, in the thread that calls,
for the ``submit`` of Executor that it calls in turn.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, TimeoutError as FutureTimeout
from typing import Any

from ..program import safe_points
from ..program.postponing import is_by_signal, uninterrupted
from ..worker import seeding
from ..worker.call_terms import CallTerms
from ..worker.streams import Stream
from .mapping import MapOptions, check
from .options import seeded
from .progress import delivered, length_of
from .waiting import wait

Submit = Callable[..., Any]
"""The ``submit`` of the subclass."""


class _Waiting(threading.local):
    options: tuple[CallTerms | None, bytes | None] = (None, None)  # terms and a stream, packed


class Override:
    """What is to be told the ``submit`` of Executor, past that of the subclass."""

    def __init__(self) -> None:
        self._waiting = _Waiting()

    def submit(self, submit: Submit, fn: Any, args: Any, kwargs: dict[str, Any], terms: CallTerms | None) -> Any:
        """Make a call by way of the subclass; it is not to see what we put around the function."""
        stream: bytes | None = None
        if isinstance(fn, seeding.Seeded):
            fn, (*args, stream) = fn.function(), args
        self._waiting.options = terms, stream
        try:
            return safe_points.apply(submit, fn, *args, **kwargs)
        finally:
            self._waiting.options = None, None

    def told(self, fn: Any, args: Any, terms: CallTerms | None) -> tuple[Any, Any, CallTerms | None]:
        """Return what the ``submit`` of Executor is to call instead, with what waits for it in this thread."""
        waiting, stream = self._waiting.options
        self._waiting.options = None, None
        if stream is not None:
            fn, args = seeded(Stream.unpacked(stream), fn, tuple(args))
        return fn, args, waiting if terms is None else terms

    def map(
        self, submit: Submit, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions
    ) -> Iterator[Any]:
        """Submit each item as a call, all at once or as far as ``buffersize`` allows; return the results."""
        check(fn, options)
        stream = seeding.stream_for_call(options.seed)
        deadline = None if options.timeout is None else time.monotonic() + options.timeout

        def made(number: int, row: tuple[Any, ...]) -> Any:
            function, args = (fn, row) if stream is None else seeded(stream.child(number), fn, row)
            future = self.submit(submit, function, args, {}, options.terms())
            if options.join is not None:
                options.join(future)
            return future

        rows = safe_points.each(safe_points.apply(zip, *iterables))
        calls = itertools.starmap(made, enumerate(rows))
        futures = deque(itertools.islice(calls, options.buffersize))
        results = _results(futures, calls, deadline, options)
        return delivered(results, length_of(iterables)) if options.progress else results


def _results(futures: deque[Any], calls: Iterator[Any], deadline: float | None, options: MapOptions) -> Iterator[Any]:
    try:
        while futures:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            future = _first_done(futures, left) if options.unordered else futures[0]
            try:
                result = future.result(left)
            except Exception as error:
                if not options.return_exceptions or not future.done() or is_by_signal(error):
                    raise
                result = error
            futures.remove(future)
            futures.extend(itertools.islice(calls, 1))
            del future
            yield result
    finally:
        _cancel(futures)


@uninterrupted
def _cancel(futures: Iterable[Any]) -> None:
    for future in futures:
        future.cancel()


def _first_done(futures: deque[Any], left: float | None) -> Any:
    done = wait(futures, left, FIRST_COMPLETED).done
    if not done:
        raise FutureTimeout
    return next(future for future in futures if future in done)
