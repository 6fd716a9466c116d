"""Groups: Futures under a common name, to be waited for, cancelled and counted together.

A group counts all of its Futures, but keeps only those that are open. One that is done is let go, with its result, as
soon as nobody else holds it: the group of a program that runs for days holds what is under way, and some numbers.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED
from concurrent.futures._base import DoneAndNotDoneFutures
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..program import safe_points
from ..program.callables import not_callable
from ..worker.call_terms import CallTerms
from ..worker.future import Future
from ..worker.future_fields import digest_of, failure_of, home_of
from ..worker.unasked import bystanders, seen_by_waiting
from .caller import Caller, Face, P, T
from .counted import Counted
from .mapping import MapOptions
from .options import CallOptions
from .priority import checked
from .progress import watching
from .waiting import wait_unseeing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .caller import CallKeywords
    from .feeding import Feeder

_naming = threading.RLock()


@dataclass(frozen=True)
class GroupStatistics:
    """The number of Futures of a group in each state; each Future is in exactly one state."""

    name: str
    pending: int
    """Not known to be running."""
    running: int
    done: int
    """Have returned a value."""
    failed: int
    """Have raised an exception."""
    cancelled: int
    seconds: float
    """Work in those that are done, by the measured mean duration of their functions; 0.0 for what was not measured."""


class Group(Caller):
    """Futures under a common name; made by :func:`fedfutures.futures.group` and ``Executor.group``.

    Iteration yields its Futures in the order in which they joined: the open ones, and those done ones to which the
    program still has a reference; so keep Futures whose results you want. A ``with`` block waits at its end. If an
    exception leaves the block, the Futures that have not started are cancelled first; after ``KeyboardInterrupt`` and
    its like the block does not wait.

    >>> from fedfutures import futures
    >>> with futures.group("powers") as powers:
    ...     cube = powers.submit(pow, 2, 3)
    >>> cube.result(), powers.statistics().done
    (8, 1)
    """

    def __init__(self, name: str, face: Face) -> None:
        self.name = name
        self.priority: int | None = None
        self._face = face
        self._lock = threading.RLock()
        self._members: weakref.WeakKeyDictionary[Any, None] = weakref.WeakKeyDictionary()
        self._maps: weakref.WeakSet[Feeder] = weakref.WeakSet()
        self._open: dict[Any, bytes | None] = {}  # Futures that are not done, with their functions' digests
        self._counts: Counter[str] = Counter()  # of the others
        self._seconds = 0.0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit ``fn(*args, **kwargs)`` with the priority of the group; all keywords are the function's own."""
        if not callable(fn):
            raise not_callable("submit", fn)
        return self._call(fn, args, kwargs, None)

    def _call(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], terms: CallTerms | None
    ) -> Future:
        began = time.perf_counter()
        if self.priority is not None:
            terms = (terms or CallTerms()).ranked(self.priority)
        future = self._face.submit(fn, args, kwargs, terms)
        if home_of(future) is None:  # it has run right here
            self._seconds += time.perf_counter() - began
        self.add(future)
        safe_points.check()
        return future

    def _map(self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
        """The Futures of the group are the slices of the map, once they are under way."""
        priority = self.priority if options.priority is None else options.priority
        return self._face.map(
            fn, iterables, options._replace(priority=priority, join=self.add, opened=(*options.opened, self._maps.add))
        )

    def options(self, **options: Unpack[CallKeywords]) -> CallOptions:
        """Return an object that submits to this group with options; see :class:`fedfutures.futures.CallOptions`."""
        return CallOptions(Face(self._call, self._map, self.options), **options)

    def add(self, future: concurrent.futures.Future[Any]) -> None:
        """Add a Future that was submitted elsewhere, any ``concurrent.futures.Future``; a second time has no effect."""
        if not isinstance(future, concurrent.futures.Future):
            raise TypeError(f"a group takes Futures, not {type(future).__name__}")
        with self._lock:
            if future in self._members:
                return
            self._members[future] = None
            self._open[future] = digest_of(future)
        future.add_done_callback(self._arrived)

    def _arrived(self, future: Any) -> None:
        with self._lock:
            digest = self._open.pop(future)
            self._counts[_state_of(future)] += 1
            if digest is not None:
                self._seconds += home_of(future).machine.durations.of(digest) or 0.0

    def __iter__(self) -> Iterator[concurrent.futures.Future[Any]]:
        with self._lock:
            return iter(list(self._members))

    def __len__(self) -> int:
        """How many Futures iterating would give."""
        return len(self._members)

    def wait(
        self, timeout: float | None = None, return_when: str = ALL_COMPLETED, *, progress: bool = False
    ) -> DoneAndNotDoneFutures[Any]:
        """Wait for its Futures, also those that join meanwhile; return the named pair of sets ``(done, not_done)``.

        progress: show on standard error how many are done, as :func:`fedfutures.futures.map` does.
        The arguments are those of ``concurrent.futures.wait``. Futures that were done before and to which the
        program has no reference are in neither set.
        """
        with watching(progress, lambda: self._counted, self._count, self._workers):
            found = self._wait(timeout, return_when)
        seen_by_waiting(found.done)
        return found

    def _wait(self, timeout: float | None = None, return_when: str = ALL_COMPLETED) -> DoneAndNotDoneFutures[Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        done: set[Any] = set()
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            members = set(self)
            cancelled = {future for future in members if future.cancelled()}  # some are never told so
            if cancelled and return_when == FIRST_COMPLETED:
                left = 0.0
            found = wait_unseeing(members - cancelled, left, return_when)
            done |= found.done | cancelled
            with self._lock:
                some_are_open = any(not future.done() for future in self._open)
            if found.not_done or return_when != ALL_COMPLETED or not some_are_open:
                return DoneAndNotDoneFutures(done, found.not_done)

    def _counted(self) -> Counted:
        found = self.statistics()
        done = found.done + found.failed
        mean = found.seconds / done if done and found.seconds else None
        return Counted(done + found.cancelled, found.failed, mean=mean)

    def _count(self) -> int:
        with self._lock:
            return sum(self._counts.values()) + len(self._open)

    def _workers(self) -> int:
        with self._lock:
            return max((home.size for home in map(home_of, self._open) if home is not None), default=0)

    def cancel(self, *, running: bool = False) -> int:
        """Cancel the Futures that have not started; with ``running=True`` also those that run. Return their number.

        A ``map`` of the group ends with them: the rest of its input is not read, and who reads its results gets
        ``CancelledError`` where they end. How one that runs is ended: see :meth:`fedfutures.Future.cancel`.
        """
        count = sum(feeder.cancel(running=running) for feeder in list(self._maps))
        homes: dict[Any, list[Any]] = {}
        with self._lock:
            for future in self._open:
                if not future.done():
                    homes.setdefault(home_of(future), []).append(future)
        return count + sum(
            sum(future.cancel() for future in futures) if home is None else home.cancel_all(futures, running=running)
            for home, futures in homes.items()
        )

    def statistics(self) -> GroupStatistics:
        """Return the number of Futures in each state, and the time that they took."""
        with self._lock:
            counts = self._counts + Counter(map(_state_of, self._open))
            seconds = self._seconds
        return GroupStatistics(
            self.name, counts["pending"], counts["running"], counts["done"], counts["failed"], counts["cancelled"],
            seconds,
        )  # fmt: skip

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel()
        if kind is None or issubclass(kind, Exception):
            self._wait()

    def __repr__(self) -> str:
        return f"<Group {self.name!r}: {len(self._open)} open>"


def named(groups: dict[str, Group], name: str, priority: int | None, face: Face) -> Group:
    """Return the group of that name among `groups`, made if it is new; a priority holds for what is submitted next."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a group is a str, not {type(name).__name__}")
    number = None if priority is None else checked(priority)
    with _naming:
        group = groups.get(name)
        if group is None:
            group = groups[name] = Group(name, face)
    if number is not None:
        group.priority = number
    return group


def _state_of(future: Any) -> str:
    if not future.done():
        return "running" if future.running() else "pending"
    if future.cancelled():
        return "cancelled"
    return "done" if failure_of(future) is None else "failed"


bystanders.add(Group._arrived)
