"""What waits on a Worker: greenlets, and the standard library's waiters made to wait the way that a Worker does."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

import greenlet


class Waiter:
    """A greenlet that waits, until woken or until its time is over."""

    __slots__ = ("greenlet", "woken")

    def __init__(self) -> None:
        self.greenlet = greenlet.getcurrent()
        self.woken = False

    def wake(self) -> bool:
        """Let it go on; False if somebody has done so before."""
        was_asleep, self.woken = not self.woken, True
        return was_asleep


class Suspends(Protocol):
    """A Worker, for what waits in its main thread: it suspends a Future and wakes it."""

    name: str

    def is_main_thread(self) -> bool: ...
    def waits_in_place(self) -> bool: ...
    def switch_out(self, waiter: Waiter, deadline: float | None, what: Any = None) -> None: ...
    def wake_greenlets(self, greenlets: list[Any]) -> None: ...


class NodeWaiters(list[Any]):
    """The standard library's waiters for one Future; each is made to wait the way its node waits."""

    def __init__(self, adapt: Callable[[Any, Any], None], future: Any) -> None:
        self._adapt, self._future = adapt, weakref.ref(future)

    def append(self, waiter: Any) -> None:
        future = self._future()
        if future is not None:
            self._adapt(waiter, future)
        super().append(waiter)


class GreenEvent:
    """Stands in for the ``threading.Event`` of a standard library waiter, for a greenlet of the main thread."""

    def __init__(self, suspends: Suspends) -> None:
        self._suspends = suspends
        self._set = False
        self._waiter: Waiter | None = None
        self.futures: list[Any] = []  # that are waited for

    def set(self) -> None:
        self._set = True
        if self._waiter is not None:
            self._suspends.wake_greenlets([self._waiter])

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._set and (deadline is None or time.monotonic() < deadline):
            self._waiter = Waiter()
            self._suspends.switch_out(self._waiter, deadline, self.futures if timeout is None else None)
            self._waiter = None
        return self._set


class HelpfulEvent(threading.Event):
    """The same for a foreign thread: while it waits, it runs own Futures of the Worker that nobody else may get to."""

    def __init__(self, help_until: Callable[..., None]) -> None:
        super().__init__()
        self._help_until = help_until

    def wait(self, timeout: float | None = None) -> bool:
        self._help_until(self.is_set, super().wait, timeout)
        return self.is_set()
