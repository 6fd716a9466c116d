"""How a thread of the program waits for a Future: it drives the node, unless another thread does."""

from __future__ import annotations

import _thread
import select
import time
from typing import Any

from ..program import postponing, safe_points
from .driver import Driver
from .future import Future, add_bell, remove_bell
from .lane_sockets import LaneSockets
from .local_queue import LocalQueue

LONG_SECONDS = 0.005
"""After a wait as long as this the helper thread looks at once whether it is needed."""


class DrivenWait:
    """The waits at an Origin, in any of its threads."""

    __slots__ = ("_driver", "_lanes", "_own")

    def __init__(self, driver: Driver, own: LocalQueue, lanes: LaneSockets) -> None:
        self._driver, self._own, self._lanes = driver, own, lanes

    def wait(self, future: Future[Any], timeout: float | None) -> None:
        """Return when the Future is done or the time is over; drive the node meanwhile if no other thread does."""
        if not postponing.pending.is_installed:  # this is the first call in the main thread, or none
            postponing.install()
        deadline = None if timeout is None else time.monotonic() + timeout
        driver = self._driver
        if not driver.begin_driving():
            if driver.is_driving:  # the handler of a signal, called in the middle of a wait
                self._drive_until(future, deadline, driver.make_poller())
            else:
                self._sleep_until(future, timeout)
            return
        began = time.monotonic()
        try:
            self._drive_until(future, deadline, None)
        except BaseException as error:
            raise postponing.shortened(error)  # noqa: B904  # the same error
        finally:
            driver.end_driving()
            if time.monotonic() - began > LONG_SECONDS:
                driver.open_gate()

    def _drive_until(self, future: Future[Any], deadline: float | None, poller: select.poll | None) -> None:
        driver = self._driver
        lane = 0 if self._own else self._lanes.awaited()
        if not lane:
            driver.service()
        elif self._lanes.look(lane):
            driver.call_back()
        while not future.done() and (deadline is None or time.monotonic() < deadline):
            began = time.monotonic()
            driver.poll(deadline, poller)
            if lane and future.done():  # the other sockets were not used
                self._lanes.slept(time.monotonic() - began)
                driver.call_back()
                break
            driver.take_in()
            if not future.done() or self._own:
                driver.service()

    def _sleep_until(self, future: Future[Any], timeout: float | None) -> None:
        """Sleep while another thread drives. A Condition would not do: what interrupts one may keep its lock."""
        bell = Bell()
        with self._driver.lock:
            if future.done():
                return
            add_bell(future, bell)
        try:
            safe_points.ring(bell.lock, timeout)
        finally:
            with self._driver.lock:
                remove_bell(future, bell)


class Bell:
    """A waiter in the manner of the standard library's: rings once, when the Future is done."""

    __slots__ = ("lock",)

    sees = False  # an error: that is for whoever asks for the outcome then

    def __init__(self) -> None:
        self.lock = _thread.allocate_lock()
        self.lock.acquire()

    def add_result(self, future: Future[Any]) -> None:
        """The Future is done, in whatever way."""
        self.lock.release()

    add_exception = add_cancelled = add_result
