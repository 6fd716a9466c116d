"""Back-pressure: how much memory pending Futures hold where they were submitted, and who waits until it is less.

At an Origin, ``submit`` waits above a bound. It knows the size of each payload above :data:`SMALL_BYTES` when it is
submitted, and counts all other Futures as if each were that large. Only where that reaches the bound are the open
Futures looked at, and their bytes counted; so a program far below the bound pays a comparison for each submit.

A thread that Futures may depend on does not wait: one that runs a callback of a Future, the handler of a signal, or an
event loop. In a Worker, who submits runs own Futures instead.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from types import FrameType
from typing import Any

from ..host.room import total_memory
from ..host.system import processors
from ..program import postponing, safe_points
from ..program.snapshots import MARK, split
from ..wire.manifest import MANIFEST, segments_of
from .driver import Driver
from .future import Future
from .future_fields import call_of, number_of
from .local_queue import LocalQueue
from .submissions import Submissions

logger = logging.getLogger("fedfutures")
PART = 4
"""Pending Futures may hold one part in so many of the memory, unless the user says another bound."""
SMALL_BYTES = 1024
FUTURE_BYTES = 1024
"""What a pending Future takes besides its payload."""
MOST_OF_SMALL = SMALL_BYTES + FUTURE_BYTES
"""What one with a small payload takes at most."""
FIRST_BYTES = 64 << 20
"""Below this nobody asks how much memory there is."""
SLACK_PART = 20
"""Between two counts, Futures may have come that hold one part in so many of the bound."""
PAUSE_SECONDS = 0.05
SAID_AFTER_SECONDS = 10.0
SAMPLE = 16
REMEDY = "raise the bound (--pending-bytes, Executor(pending_bytes=)), or submit less at a time, as map does"


class Pressure:
    """What the pending Futures of an Origin hold."""

    __slots__ = ("_bound", "_driver", "_held", "_mark", "_newest", "_submissions", "_warned", "number")

    def __init__(self, driver: Driver, submissions: Submissions) -> None:
        self._driver, self._submissions = driver, submissions
        self._bound: int | None = None
        self._held = 0  # at the last count, and what was added since
        self._mark = FIRST_BYTES  # they are counted again when they may hold so much
        self.number = FIRST_BYTES // MOST_OF_SMALL  # ... or from the Future of this number on
        self._newest = 0  # the number of the newest one at the last count
        self._warned = False

    @property
    def bound(self) -> int:
        """How many bytes pending Futures may hold."""
        if self._bound is None:
            self._bound = total_memory() // PART
        return self._bound

    def set_bound(self, count: int) -> None:
        """Let pending Futures hold so many bytes."""
        self._bound = count
        self._mark = min(count, FIRST_BYTES)
        self.number = self._mark // MOST_OF_SMALL

    def admit(self, payload: bytes) -> None:
        """Wait until a large payload, which is about to be submitted, finds room."""
        size = self._size(payload)
        self._held += size
        self.number -= size // MOST_OF_SMALL
        if self._held > self._mark:
            try:
                self._make_room(size)
            except BaseException:  # an interrupt, or nothing will come any more
                self._submissions.payloads.release(payload)
                raise

    def look(self, number: int) -> None:
        """Many small Futures were submitted, the last with this number: wait until they find room."""
        self._make_room(0, besides=1)
        self.number = max(self.number, number + 1)

    def count(self) -> int:
        """Return how many bytes the open Futures hold."""
        submissions = self._submissions
        with submissions.lock:
            futures = [*submissions.futures.values(), *submissions.own]
        if futures:
            self._newest = number_of(futures[-1])
        total, names = 0, set[str]()
        for future in futures:
            if (call := call_of(future)) is not None:
                payload = call[1]
                total += len(payload) + FUTURE_BYTES
                if _has_segments(payload):
                    names.update(segments_of(payload))
        return total + self._bytes_in(names)

    def _size(self, payload: bytes) -> int:
        found = segments_of(payload) if _has_segments(payload) else ()
        return len(payload) + FUTURE_BYTES + self._bytes_in(set(found))

    def _bytes_in(self, names: set[str]) -> int:
        segments = self._submissions.payloads.segments
        return sum(map(segments.size, names)) if segments is not None else 0

    def _make_room(self, size: int, *, besides: int = 0) -> None:
        """Wait until there is room for so many bytes, and note from where on to count again.

        besides: how many of the open Futures are those for which there is to be room.
        """
        bound = self.bound
        if (held := self.count() + size) > bound:
            held = self._wait(size, besides)
        self._held, self._mark = held, max(bound, held + bound // SLACK_PART)
        self.number = self._newest + (self._mark - held) // MOST_OF_SMALL

    def _wait(self, size: int, besides: int) -> int:
        """Wait until there is room, as far as this thread may; return what is held then."""
        postponing.install()  # unless it was: an interrupt may end the wait
        submissions, began, is_said = self._submissions, time.monotonic(), False
        while (held := self.count() + size) > self.bound and (count := self._open()) > besides:
            if why := why_not_to_wait(self._driver):
                self._warn(why, held)
                break
            self._wait_for_some(count)
            if submissions.lost is not None:
                raise submissions.lost
            if not is_said and time.monotonic() > began + SAID_AFTER_SECONDS:
                is_said = True
                logger.warning("submit waits, since %s; %s", self._in_words(held), REMEDY)
        return held

    def _open(self) -> int:
        return len(self._submissions.futures) + len(self._submissions.own)

    def _wait_for_some(self, count: int) -> None:
        """Wait until a few of the open Futures, which are so many, are done.

        This thread takes outcomes in, but runs no callbacks: it may hold a lock that one of them wants.
        """
        driver, submissions, enough = self._driver, self._submissions, count - max(1, count // 32)
        poller = driver.make_poller()
        driver.drain()
        while self._open() > enough and submissions.lost is None:
            driver.poll(time.monotonic() + PAUSE_SECONDS, poller)
            driver.drain()
            if driver.callbacks:  # for the helper thread
                driver.open_gate()
                driver.wake()

    def _in_words(self, held: int) -> str:
        return f"pending Futures hold {held:,} bytes, and may hold {self.bound:,}"

    def _warn(self, why: str, held: int) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("submit does not wait, since %s, although %s; %s", why, self._in_words(held), REMEDY)


class LocalPressure:
    """What the own Futures of a Worker hold that nobody has taken: an estimate, from the newest ones."""

    __slots__ = ("_bound", "_own", "_warned")

    def __init__(self, own: LocalQueue) -> None:
        self._own = own
        self._bound: int | None = None
        self._warned = False

    def is_high(self) -> bool:
        """Whether they hold more than the share of this Worker. For the main thread."""
        self.newest()
        common = self._own.common
        sample: list[Any] = []
        with contextlib.suppress(IndexError):  # another thread takes some at the same time
            sample += [call_of(common[-place]) for place in range(1, min(SAMPLE, len(common)) + 1)]
        if not sample:
            return False
        held = len(common) * (FUTURE_BYTES + sum(map(_bytes_of, sample)) // len(sample))
        if held <= FIRST_BYTES and self._bound is None:
            return False
        if self._bound is None:
            self._bound = total_memory() // PART // processors()
        return held > self._bound

    def set_bound(self, count: int) -> None:
        """Let them hold so many bytes."""
        self._bound = count

    def newest(self) -> Future[Any] | None:
        """Return the newest one that was not started; those behind it are taken out. For the main thread."""
        common = self._own.common
        with contextlib.suppress(IndexError):
            while True:
                future = common.pop()
                if call_of(future) is not None:
                    common.append(future)
                    return future
        return None

    def may_run(self, driver: Driver) -> bool:
        """Whether own Futures may run in the midst of this submit; if not, that is said once."""
        why = why_not_to_wait(driver)
        if why and not self._warned:
            self._warned = True
            logger.warning("submit runs none of the many Futures that a Future has submitted, since %s", why)
        return not why


def why_not_to_wait(driver: Driver) -> str:
    """Return why this thread does not wait in ``submit``, for a sentence; "" if it does."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:
        return "an event loop runs in this thread"
    if postponing.is_handling():
        return "the handler of a signal has called it"
    if driver.is_driving or _is_in_callback(sys._getframe(1)):
        return "a callback of a Future has called it"
    return ""


def _is_in_callback(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not safe_points.call.__code__:
        frame = frame.f_back
    return frame is not None


def _has_segments(payload: bytes) -> bool:
    first = payload[:1]
    return first == MANIFEST or (first == MARK and split(payload)[1][:1] == MANIFEST)


def _bytes_of(call: Any) -> int:
    """Return what the arguments of a call take, without what they contain."""
    if call is None or len(call) != 4:  # it has started, or is packed
        return len(call[1]) if call else 0
    try:
        return sum(map(sys.getsizeof, call[1])) + sum(map(sys.getsizeof, call[2].values()))
    except Exception:
        return 0
