"""The Feeder of a ``map``: reads the input, cuts slices, submits them as far as the bounds allow.

An item alone is one Future while nothing is known. Once the duration of an item is known, short items travel in
slices of about :data:`SLICE_SECONDS`, long ones stay alone, so that no long item hides others behind it. At most
:data:`ITEMS_IN_FLIGHT` items (or `buffersize`) and about :data:`BYTES_IN_FLIGHT` are on their way or wait to be
consumed; the rest of the input has not been read.

The calls are made whether or not anybody reads the results (PEP 3148). An input that any thread may read is read on as
results come, by the thread that takes them in. Other inputs are read at ``next()``, and at the end by
:meth:`Feeder.press_on`. Results wait for the reader as long as there is one: when the iterator is let go before the
first ``next()``, they are thrown away as they come. Let go later, it cancels the rest, as in the standard library.

In a Future nothing is read in between: what it leaves unread is read, and run, when it ends (:mod:`.ends`).

Two locks: `_filling` is held by who reads and submits, and never waited for by a callback, which leaves its wish
behind instead; `_books` is held for a few lines, and nothing is called meanwhile.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from concurrent.futures._base import FINISHED
from typing import Any, NamedTuple, cast

from ..errors import FederationLost, PoisonedFuture
from ..program import safe_points
from ..program.postponing import is_by_signal
from ..wire.failures import load_failure
from ..wire.functions import Wrapper, name_of
from ..worker import unasked
from ..worker.future import Future
from . import ends
from .inputs import AHEAD_BYTES, Input
from .priority import checked

SLICE_SECONDS = 0.002
SLICE_ITEMS_AT_MOST = 8192
GROWTH = 16
ITEMS_IN_FLIGHT = 1 << 16
BYTES_IN_FLIGHT = 64 << 20
SMOOTHING = 0.5
BUSY_SECONDS = 0.05

Columns = tuple[list[Any], ...]
_NOTHING: Any = ((), (), 0.0)


class Part(NamedTuple):
    """What a slice consists of, and how many bytes it takes."""

    columns: Columns
    size: int


class Feeder:
    """Feeds the Federation with the items of one map.

    watch: told of each slice when it was submitted, by who reads results in the order in which they come.
    join: told of each slice too, for a group.
    """

    def __init__(
        self, node: Any, wrapper: Wrapper, iterables: tuple[Iterable[Any], ...],
        chunksize: int | None = None, buffersize: int | None = None, priority: int | None = None,
        join: Callable[[Future], object] | None = None, watch: Callable[[Future], object] | None = None,
    ) -> None:  # fmt: skip
        self.node = node
        self.name = name_of(wrapper)
        self.input = Input(iterables)
        self.slices: Any = deque() if watch is None else set()  # those whose results somebody may still read
        self.failure: BaseException | None = None  # to be raised after all results
        self.refused = False  # whether that is because a slice could not be submitted
        self.is_read = False  # whether next() was called
        self.is_told = False  # whether it was said that the end takes long
        self._submitter = node.submitter(wrapper, None if priority is None else checked(priority))
        self._join, self._watch = join, watch
        self._fixed = chunksize
        self._bound = buffersize or ITEMS_IN_FLIGHT
        self._most = max(1, min(SLICE_ITEMS_AT_MOST, self._bound // 8))
        self._slices_at_least = 2 * max(1, node.size) + 2
        self._mean: float | None = None
        self._largest = 1
        self._in_flight = self._bytes = 0
        self._parts: dict[Future, Part] = {}  # those that count: on their way, or not yet consumed
        self._away: set[Future] = set()  # on their way
        self._being_split: set[Future] = set()
        self._filling, self._books = threading.Lock(), threading.RLock()
        self._again = self._stopped = self._dropped = self._pressing = False
        self._calls_back = not ends.is_worker(node)
        self._register = ends.register(self)

    @property
    def _in_order(self) -> bool:
        return type(self.slices) is deque

    # -- reading and submitting --------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Submit what the bounds allow; a thread that is at it already goes on for this one."""
        self._again = True
        while self._again and self._filling.acquire(blocking=False):
            try:
                self._again = False
                self._fill()
            finally:
                self._filling.release()

    def _fill(self) -> None:
        while self._may_submit(size := self._size()):
            try:
                columns = self.input.cut(size)
                if columns is None:
                    break
                try:
                    future = self._submit(columns)
                except Exception as error:  # an item cannot travel, or nobody is left to run it
                    if is_by_signal(error):
                        raise
                    self.refused = True
                    self.input.forget()
                    self._end(error, f"map({self.name})")
                    break
                with self._books:
                    if not self._dropped:
                        self.slices.append(future) if self._in_order else self.slices.add(future)
                self._follow(future)
            except BaseException:  # an interrupt: these items may be lost, and a map must not end short without a word
                self.refused = True
                self.input.forget()
                self.failure = RuntimeError(f"map({self.name}) was interrupted; what was left was not submitted")
                raise
        if self.input.is_read:
            failure, self.input.error = self.input.error, None
            if failure is not None:
                self._end(failure, f"the input of map({self.name})")
            self._close_if_done()

    def _end(self, failure: Exception, what: str) -> None:
        """The map ends with this; if nobody comes to see it, it is said at the end."""
        self.failure = failure
        if not isinstance(failure, FederationLost):
            unasked.keep(self, self.node, what, failure)

    def _submit(self, columns: Columns) -> Future:
        future: Future
        future, size = self._submitter(columns)
        if self._join is not None:
            self._join(future)
        with self._books:
            self._parts[future] = Part(columns, size)
            self._away.add(future)
            self._in_flight += len(columns[0])
            self._bytes += size
        return future

    def _follow(self, future: Future) -> None:
        """A slice that was submitted stands among those to be read: hear of its end."""
        future.add_done_callback(self._arrived)
        if self._watch is not None:
            self._watch(future)
        if self._stopped:
            self.node.cancel_all([future])

    def _may_submit(self, size: int) -> bool:
        """Whether there is room for a slice: for all of it, or slices would never grow in a full window."""
        if self._stopped or self._in_flight + size > self._bound:
            return False
        if self.node.runs_at_once:  # nothing is gained by more
            return not self._parts
        if len(self._parts) < self._slices_at_least:
            return True
        return self._mean is not None and self._bytes < BYTES_IN_FLIGHT

    def _size(self) -> int:
        """How many items the next slice has."""
        if self._fixed is not None:
            return min(self._fixed, self._bound)
        if self._mean is None or self._mean >= SLICE_SECONDS / 2:
            return 1
        size = min(int(SLICE_SECONDS / max(self._mean, 1e-9)), self._most, GROWTH * self._largest)
        if self.input.left is not None:
            size = min(size, -(-self.input.left // (4 * max(1, self.node.size))))
        self._largest = max(1, size, self._largest)
        return max(1, size)

    # -- results -----------------------------------------------------------------------------------------------------

    def _arrived(self, future: Future) -> None:
        """Learn from a slice as it comes, not when its turn to be consumed has come."""
        with self._books:
            self._away.discard(future)
            part = self._parts.get(future)
        if future._state == FINISHED and part is not None:
            if future._exception is not None:
                ends.has_failed(self)
            else:
                _, failures, seconds = cast(Any, future._result)
                mean = seconds / len(part.columns[0])
                self._mean = mean if self._mean is None else self._mean + SMOOTHING * (mean - self._mean)
                if failures:
                    ends.has_failed(self)
        if self._stopped or not self._calls_back:
            return
        if self.is_poisoned(future):
            self.split(future)
        elif self._dropped or self._pressing:
            self._settle(future)
        if not self.input.is_read and (self.input.by_any_thread or (self._pressing and self.input.is_at_hand)):
            self.fill()
        self._close_if_done()

    def _settle(self, future: Future) -> None:
        """A slice has come that nobody reads now: its place is free."""
        if self.consumed(future) is not None and self._dropped:
            self._note(future)

    def _note(self, future: Future) -> None:
        """Keep in mind what failed in a slice whose results nobody reads, once, and throw them away."""
        if future._state != FINISHED:
            return
        error, result = future._exception, cast(Any, future._result)
        future._exception, future._result = None, _NOTHING
        failures = [error] if error is not None else [outcome for _, outcome in result[1]]
        for outcome in failures:
            error = outcome if isinstance(outcome, BaseException) else load_failure(outcome, self.node.payloads)
            unasked.note(self.node, self.name, error)

    def note_unread(self) -> None:
        """Keep in mind what has failed and cannot be read any more."""
        self._dropped = True
        with self._books:
            unread = list(self.slices)
            self.slices.clear()
        for future in unread:
            self._note(future)

    def consumed(self, future: Future) -> Part | None:
        """A slice's results have been taken over: its place is free. Return the slice, None if it was free already."""
        with self._books:
            part = self._parts.pop(future, None)
            if part is not None:
                self._in_flight -= len(part.columns[0])
                self._bytes -= part.size
        return part

    def is_poisoned(self, future: Future) -> bool:
        """Whether a slice has taken its Workers with it: only the culprit among its items is to fail."""
        part = self._parts.get(future)
        return part is not None and isinstance(future._exception, PoisonedFuture) and len(part.columns[0]) > 1

    def split(self, future: Future) -> None:
        """A poisoned slice goes on as single items, in its place."""
        with self._books:
            part = self.consumed(future)
            if part is None:  # another thread was faster
                return
            self._being_split.add(future)
        singles: list[Future] = []
        try:
            for place in range(len(part.columns[0])):
                singles.append(self._submit(tuple([column[place]] for column in part.columns)))
        except Exception as error:
            if is_by_signal(error):
                raise
            self._end(error, f"map({self.name})")
        with self._books:
            if future in self.slices:
                self._replace(future, singles)
            self._being_split.discard(future)
        for single in singles:
            self._follow(single)

    def _replace(self, future: Future, singles: list[Future]) -> None:
        if not self._in_order:
            self.slices.discard(future)
            self.slices.update(singles)
            return
        at = self.slices.index(future)
        del self.slices[at]
        for place, single in enumerate(singles, at):
            self.slices.insert(place, single)

    def goes_on(self, future: Future) -> bool:
        """Whether a slice that has come went on as several."""
        if self.is_poisoned(future):
            self.split(future)
        while future in self._being_split:  # by another thread
            safe_points.sleep(0.001)
        if self._in_order:
            return not self.slices or self.slices[0] is not future
        return future not in self.slices

    def take(self, future: Future) -> None:
        """A slice is read now."""
        with self._books:
            self.slices.popleft() if self._in_order else self.slices.discard(future)
        self.consumed(future)

    # -- for who reads the results -----------------------------------------------------------------------------------

    def more(self) -> bool:
        """Whether results are to come; after the last, raise what has ended the input, if something has."""
        while not self.slices:
            if self.input.is_read or self._stopped:
                failure, self.failure = self.failure, None
                if failure is None:
                    return False
                unasked.seen(self, self.node)
                raise failure
            safe_points.check()
            if self._filling.acquire(timeout=BUSY_SECONDS):  # another thread was about to submit the next slice
                self._filling.release()
                self.fill()
        return True

    def drop(self) -> None:
        """Nobody will read the results: the iterator was let go before the first was asked for. For any moment."""
        self._dropped = True
        if getattr(self.node, "lost", None) is not None:  # also in a process that the program has forked
            return
        if self._calls_back and hasattr(self.node, "_callbacks") and not self.node.closed:
            self.node._callbacks.append(self)
            self.node.wake()
        elif self._is_done():
            self.note_unread()

    def _invoke_callbacks(self) -> None:
        """What :meth:`drop` has asked for, among the callbacks of the node."""
        self._watch = None
        self._settle_arrived()
        self.note_unread()
        if self.input.is_at_hand:
            self.fill()
        self._close_if_done()

    def _settle_arrived(self) -> None:
        with self._books:
            arrived = [future for future in self._parts if future not in self._away]
        for future in arrived:
            if self.is_poisoned(future):
                self.split(future)
            else:
                self._settle(future)

    # -- the end -----------------------------------------------------------------------------------------------------

    def leave_off(self) -> None:
        """Whoever reads has had enough, or all: cancel the rest."""
        try:
            self.stop()
        finally:
            with self._books:
                self.slices.clear()

    def stop(self) -> None:
        """Cancel the rest."""
        self._stopped = True
        if self.failure is not None:
            unasked.seen(self, self.node)
        with self._books:
            unread = [future for future in self._parts if future in self._away]
        try:
            if unread:
                self.node.cancel_all(unread)
        finally:
            self._leave()

    def cancel(self) -> None:
        """Cancel the rest; who reads on is told so."""
        if not self.input.is_read:
            self.failure = CancelledError()
        self.stop()

    def press_on(self, most_bytes: float = AHEAD_BYTES) -> bool:
        """In a thread of the program that ends: read the rest of the input, so that all calls are made.

        Return False while another thread is reading. An input that does not end is given up, see
        :data:`.ends.ITEMS_AT_MOST`.
        """
        if self._is_done():
            self._leave()  # an interrupt may have ended it
            return True
        self._pressing = True
        if self._calls_back:
            self._settle_arrived()
        if not self.input.by_any_thread and not self.input.over:
            if not self._filling.acquire(timeout=BUSY_SECONDS):
                return False
            try:
                ends.read_rest(self, most_bytes)
            finally:
                self._filling.release()
        self.fill()
        self._close_if_done()
        return True

    def give_up(self) -> int:
        """The input has no end: forget what was read ahead, cancel what has not started; return how many are run."""
        count = self.input.count - self.input.ahead
        self.input.forget()
        with self._books:
            away = {future: len(self._parts[future].columns[0]) for future in self._away if future in self._parts}
        self.node.cancel_all(list(away))
        with self._books:
            if self._in_order:
                self.slices = deque(itertools.takewhile(lambda future: not future.cancelled(), self.slices))
            else:
                self.slices = {future for future in self.slices if not future.cancelled()}
        return count - sum(size for future, size in away.items() if future.cancelled())

    def complete(self) -> None:
        """The same, and wait for the calls."""
        busy_until = time.monotonic() + ends.BUSY_SECONDS
        while not self._is_done():
            if not self.press_on():
                if time.monotonic() > busy_until:
                    raise TimeoutError("another thread has not come to an end with reading its input")
                continue
            busy_until = time.monotonic() + ends.BUSY_SECONDS
            with self._books:
                away = next(iter(self._away), None)
            if away is not None:
                self.node.wait(away, None)
                with self._books:
                    self._away.discard(away)
            self._settle_arrived()

    def open_futures(self) -> list[Future]:
        """Return the slices that are on their way."""
        with self._books:
            return list(self._away)

    def _is_done(self) -> bool:
        """Whether all calls have been made."""
        return self._stopped or (self.input.is_read and not self._away)

    def _close_if_done(self) -> None:
        if self._is_done():
            self._leave()

    def _leave(self) -> None:
        """Let go of what was kept for later items."""
        self._register.discard(self)
        close = getattr(self._submitter, "close", None)
        if close is not None:
            close()


class Reader:
    """Stands for who reads the results: the iterator holds it, and has let it go when nobody can read any more."""

    __slots__ = ("feeder", "owner")

    def __init__(self, feeder: Feeder, owner: Any) -> None:
        self.feeder = feeder
        self.owner = owner  # an Executor, which lives as long as its maps are read

    def begin(self) -> Feeder:
        """The first result is asked for."""
        self.feeder.is_read = True
        return self.feeder

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not self.feeder.is_read and not is_finalizing():
            self.feeder.drop()
