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
import pickle
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures._base import FINISHED
from typing import Any, NamedTuple, cast

from ..errors import ArgumentLoadError, FederationLost, FutureError
from ..program import safe_points
from ..program.postponing import is_by_signal, uninterrupted
from ..wire.failures import load_failure
from ..wire.functions import Wrapper, name_of
from ..worker import unasked
from ..worker.future import Future
from ..worker.pace import CUT_SECONDS
from ..worker.seeding import SeededItems
from ..worker.slices import Slice
from ..worker.streams import Stream
from . import ends
from .inputs import AHEAD_BYTES, Input, Numbered
from .priority import checked
from .slicing import Slicing, durations_of

ITEMS_IN_FLIGHT = 1 << 16
BYTES_IN_FLIGHT = 64 << 20
TOGETHER_BYTES = 32 << 10
"""Slices of an input at hand travel together until they have so many bytes: those of a short map are one message."""
SLICES_AT_FIRST = 32
"""So many slices for each Worker are sent before the first of a map has come, where its function is known."""
BUSY_SECONDS = 0.05

Columns = tuple[list[Any], ...]
_NOTHING: Any = ((), (), 0.0)


class Part(NamedTuple):
    """What a slice consists of, how many bytes it takes, and which item of the map is its first."""

    columns: Columns
    size: int
    first: int
    is_cut: bool = False  # so what is run, and fails, may be more than these items


class Feeder:
    """Feeds the Federation with the items of one map.

    watch: told of each slice when it was submitted, by who reads results in the order in which they come.
    join: told of each slice too, for a group.
    stream: where the items' streams of random numbers come from.
    """

    def __init__(
        self, node: Any, wrapper: Wrapper, iterables: tuple[Iterable[Any], ...],
        chunksize: int | None = None, buffersize: int | None = None, priority: int | None = None,
        join: Callable[[Future], object] | None = None, watch: Callable[[Future], object] | None = None,
        stream: Stream | None = None,
    ) -> None:  # fmt: skip
        self.node = node
        self.name = name_of(wrapper)
        self.input = Input(iterables) if stream is None else Numbered(iterables)
        self._last: tuple[Any, ...] = () if stream is None else (stream.packed(),)  # what comes behind the columns
        self.slices: Any = deque() if watch is None else set()  # those whose results somebody may still read
        self.failure: BaseException | None = None  # to be raised after all results
        self.refused = False  # whether that is because a slice could not be submitted
        self.is_read = False  # whether next() was called
        self.is_told = False  # whether it was said that the end takes long
        self._keeps_failures = isinstance(wrapper, Slice)  # so that no error of a whole slice is that of an item
        self._may_be_cut = isinstance(wrapper, Slice) and not wrapper.is_whole
        wrapper = wrapper if stream is None else SeededItems(wrapper)
        self._submitter = node.submitter(wrapper, None if priority is None else checked(priority))
        attend = getattr(self._submitter, "attend", None)
        if attend is not None:
            attend(lambda: self.input.is_steady)
        self._join, self._watch = join, watch
        self._bound = buffersize or ITEMS_IN_FLIGHT
        function = getattr(self._submitter, "digest", b"")
        self._slicing = Slicing(
            durations_of(node, function), function, self.input.left, node.size, self._bound // 8,
            None if chunksize is None else min(chunksize, self._bound),
        )  # fmt: skip
        self._slices_at_least = 2 * max(1, node.size) + 2
        self._slices_at_first = SLICES_AT_FIRST * max(1, node.size)
        self._has_learnt = False  # whether a slice of this map has come
        self._in_flight = self._bytes = self._unsent = 0
        self._parts: dict[Future, Part] = {}  # those that count: on their way, or not yet consumed
        self._places: dict[Future, tuple[int, int]] = {}  # of those to be read: the first item, and how many
        self._submitted = self._done = 0  # items; the latter when the rest was cancelled
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
        try:
            self._submit_all()
        finally:
            self._send()
        if self.input.is_read:
            failure, self.input.error = self.input.error, None
            if failure is not None:
                self._end(failure, f"the input of map({self.name})")
            self._close_if_done()

    def _submit_all(self) -> None:
        while self._may_submit(size := self._slicing.next(self.input.left)):
            try:
                columns = self.input.cut(size, exactly=self._slicing.is_fixed)
                if columns is None:
                    break
                try:
                    futures = self._submit_items(columns, self._submitted)
                except Exception as error:  # nobody is left to run it
                    if is_by_signal(error):
                        raise
                    self.refused = True
                    self.input.forget()
                    self._end(error, f"map({self.name})")
                    break
                self._submitted += len(columns[0])
                with self._books:
                    if not self._dropped:
                        self.slices.extend(futures) if self._in_order else self.slices.update(futures)
                for future in futures:
                    self._follow(future)
                if (
                    self._unsent >= TOGETHER_BYTES or not self.input.by_any_thread
                ):  # the next item may be long in coming
                    self._send()
            except BaseException:  # an interrupt: these items may be lost, and a map must not end short without a word
                self.refused = True
                self.input.forget()
                self._was_interrupted()
                raise

    def _end(self, failure: Exception, what: str) -> None:
        """The map ends with this; if nobody comes to see it, it is said at the end."""
        self.failure = failure
        if not isinstance(failure, FederationLost):
            unasked.keep(self, self.node.submissions, what, failure)

    def _was_interrupted(self) -> None:
        self.failure = RuntimeError(f"map({self.name}) was interrupted; what was left was not submitted")

    def _submit_items(self, columns: Columns, first: int) -> list[Future]:
        """Submit a slice; where an item cannot travel, that one fails, and the others go as smaller slices."""
        try:
            future, size = self._submitter((*columns, *self._last) if self._last else columns)
            return [self._keep(future, size, columns, first)]
        except pickle.PicklingError as error:
            half, count = len(columns[0]) // 2, len(columns[0])
            if count == 1:
                return [self._keep(refused(self, error), 0, columns, first)]
        left, right = (tuple(column[part] for column in columns) for part in (slice(half), slice(half, count)))
        return [*self._submit_items(left, first), *self._submit_items(right, first + half)]

    def _keep(self, future: Future, size: int, columns: Columns, first: int) -> Future:
        if self._join is not None:
            self._join(future)
        with self._books:
            self._parts[future] = Part(columns, size, first)
            if not self._dropped:
                self._places[future] = first, len(columns[0])
            self._away.add(future)
            self._in_flight += len(columns[0])
            self._bytes += size
        self._unsent += size
        return future

    def _send(self) -> None:
        """Send the slices that were submitted: those of a short map in one message. Callbacks may run in it."""
        if self._unsent:
            self._unsent = 0
            self.node.send()

    def _follow(self, future: Future) -> None:
        """A slice that was submitted stands among those to be read: hear of its end."""
        if self._may_be_cut:
            future.on_cut = self._was_cut
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
        if not self._has_learnt:  # what is remembered says how large slices are, not that the program wants more read
            may_run_ahead = self._slicing.is_known and self.input.by_any_thread
            return may_run_ahead and len(self._parts) < self._slices_at_first and self._bytes < BYTES_IN_FLIGHT
        return self._bytes < BYTES_IN_FLIGHT

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
                self._learn(future, part)
        if self._stopped or not self._calls_back:
            return
        if self.is_divisible(future):
            self.split(future)
        elif self._dropped or self._pressing:
            self._settle(future)
        if not self.input.is_read and (self.input.by_any_thread or (self._pressing and self.input.is_at_hand)):
            self.fill()
        self._close_if_done()

    def _learn(self, future: Future, part: Part) -> None:
        if future._result is _NOTHING:  # another thread has noted it
            return
        values, failures, seconds = cast(Any, future._result)
        self._has_learnt = True
        is_short = self._may_be_cut and len(values) < len(part.columns[0])
        self._slicing.learn(seconds, len(values) if is_short else len(part.columns[0]))
        if failures:
            ends.has_failed(self)
        if is_short and self._calls_back:
            self.outcome(future)
        elif is_short:  # not done: who reads it, or the end of the Future, submits the rest
            with self._books:
                self._away.add(future)

    def _settle(self, future: Future) -> None:
        """A slice has come that nobody reads now: its place is free."""
        if self.consumed(future) is not None and self._dropped:
            self._note(future)

    def _note(self, future: Future) -> None:
        """Keep in mind what failed in a slice whose results nobody reads, once, and throw them away."""
        if future._state != FINISHED or future._result is _NOTHING:
            return
        if future._exception is None:
            self.outcome(future)  # what it has not kept is submitted again, before nobody can tell how much that is
        error, result = future._exception, cast(Any, future._result)
        future._exception, future._result = None, _NOTHING
        failures = [error] if error is not None else [outcome for _, outcome in result[1]]
        for outcome in failures:
            error = outcome if isinstance(outcome, BaseException) else load_failure(outcome, self.node.payloads)
            unasked.note(self.node.submissions, self.name, error)

    def note_unread(self) -> None:
        """Keep in mind what has failed and cannot be read any more."""
        self._dropped = True
        with self._books:
            unread = list(self.slices)
            self.slices.clear()
            self._places.clear()
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

    def is_divisible(self, future: Future) -> bool:
        """Whether a slice has failed as a whole, for what may be the fault of one item: only that one is to fail.

        It may have taken its Workers with it, or cannot be loaded, or its values cannot.
        """
        error, part = future._exception, self._parts.get(future)
        if error is None or part is None or isinstance(error, FederationLost):
            return False
        if len(part.columns[0]) == 1 and not part.is_cut:
            return False
        if isinstance(error, ArgumentLoadError) and error.of_function:
            return False
        return isinstance(error, FutureError) or self._keeps_failures

    def split(self, future: Future) -> None:
        """A slice that has failed as a whole goes on as single items, in its place."""
        with self._books:
            part = self.consumed(future)
            if part is None:  # another thread was faster
                return
            self._being_split.add(future)
        columns = part.columns
        singles = (tuple([column[place]] for column in columns) for place in range(len(columns[0])))
        self._go_on(future, singles, part.first, instead=True)

    def _was_cut(self, future: Future, kept: int) -> None:
        """A slice is said to keep so many items, since the one that runs takes long; see :mod:`..worker.slices`."""
        if self._calls_back and not future.done():
            self._slicing.learn(CUT_SECONDS, kept)
            self._shorten(future, kept)

    def outcome(self, future: Future) -> tuple[list[Any], list[tuple[int, Any]]]:
        """Return values and failures of a slice that has come, of the items that it has kept; submit the others."""
        values, failures, _ = cast(Any, future._result)
        if not self._may_be_cut or future._result is _NOTHING:
            return values, failures
        self._shorten(future, len(values))
        while future in self._being_split:  # by another thread
            safe_points.sleep(0.001)
        with self._books:
            self._away.discard(future)
            part = self._parts.get(future)
        kept = len(values) if part is None else len(part.columns[0])
        if kept < len(values):  # it was cut, and then run again as a whole, since its Worker was lost
            values, failures = values[:kept], [failure for failure in failures if failure[0] < kept]
            future._result = values, failures, 0.0
        return values, failures

    def _shorten(self, future: Future, kept: int) -> None:
        """A slice keeps so many items: the others go on as slices behind it."""
        with self._books:
            part = self._parts.get(future)
            if part is None or kept >= len(part.columns[0]) or self._stopped:
                return
            rest = tuple(column[kept:] for column in part.columns)
            kept_columns = tuple(column[:kept] for column in part.columns)
            self._parts[future] = Part(kept_columns, part.size, part.first, is_cut=True)
            if future in self._places:
                self._places[future] = part.first, kept
            self._in_flight -= len(rest[0])
            self._being_split.add(future)
        self._go_on(future, self._sliced(rest), part.first + kept, instead=False)

    def _sliced(self, columns: Columns) -> Iterator[Columns]:
        at = 0
        while left := len(columns[0]) - at:
            size = self._slicing.next(left)
            yield tuple(column[at : at + size] for column in columns)
            at += min(size, left)

    def _go_on(self, future: Future, parts: Iterable[Columns], first: int, *, instead: bool) -> None:
        """Submit these parts of a slice, the items from number `first` on, to be read instead of it or behind it."""
        futures: list[Future] = []
        try:
            for columns in parts:
                futures += self._submit_items(columns, first)
                first += len(columns[0])
        except BaseException as error:
            if not isinstance(error, Exception) or is_by_signal(error):
                self._was_interrupted()
                raise
            self._end(error, f"map({self.name})")
        finally:
            with self._books:
                if instead:
                    self._places.pop(future, None)
                if future in self.slices:
                    self._place(future, futures, instead)
                self._being_split.discard(future)
        self._send()  # not before: the result of this slice may have come, and who takes it waits until it is divided
        for each in futures:
            self._follow(each)

    def _place(self, future: Future, others: list[Future], instead: bool) -> None:
        if not self._in_order:
            self.slices.update(others)
            if instead:
                self.slices.discard(future)
            return
        at = self.slices.index(future)
        if instead:
            del self.slices[at]
        for place, other in enumerate(others, at if instead else at + 1):
            self.slices.insert(place, other)

    def goes_on(self, future: Future) -> bool:
        """Whether a slice that has come went on as several."""
        if self.is_divisible(future):
            self.split(future)
        while future in self._being_split:  # by another thread
            safe_points.sleep(0.001)
        if self._in_order:
            return not self.slices or self.slices[0] is not future
        return future not in self.slices

    def take(self, future: Future) -> tuple[int, int]:
        """A slice is read now; return which item of the map is its first, and how many it has."""
        with self._books:
            self.slices.popleft() if self._in_order else self.slices.discard(future)
            place = self._places.pop(future, (0, 1))
        self.consumed(future)
        return place

    # -- for who reads the results -----------------------------------------------------------------------------------

    def more(self) -> bool:
        """Whether results are to come; after the last, raise what has ended the input, if something has."""
        while not self.slices:
            if self.input.is_read or self._stopped:
                failure, self.failure = self.failure, None
                if failure is None:
                    return False
                unasked.seen(self, self.node.submissions)
                raise failure
            safe_points.check()
            if self._begin_filling():  # another thread was about to submit the next slice
                self._filling.release()
                self.fill()
        return True

    def _begin_filling(self) -> bool:
        """Wait for a thread that reads and submits; return False if it has not come to an end."""
        until = time.monotonic() + BUSY_SECONDS
        while not self._filling.acquire(blocking=False):
            if time.monotonic() > until:
                return False
            safe_points.sleep(0.001)
        return True

    def drop(self) -> None:
        """Nobody will read the results: the iterator was let go before the first was asked for. For any moment."""
        self._dropped = True
        if getattr(self.node, "lost", None) is not None:  # also in a process that the program has forked
            return
        if not (self._calls_back and self.node.call_soon(self)) and self._is_done():
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
            if self.is_divisible(future):
                self.split(future)
                continue
            if future._state == FINISHED and future._exception is None:
                self.outcome(future)
            self._settle(future)

    # -- the end -----------------------------------------------------------------------------------------------------

    @uninterrupted
    def leave_off(self) -> None:
        """Whoever reads has had enough, or all: cancel the rest."""
        try:
            self.stop()
        finally:
            with self._books:
                self.slices.clear()
                self._places.clear()

    def stop(self) -> None:
        """Cancel the rest."""
        if not self._stopped:
            self._done = self._count_done()
        self._stopped = True
        if self.failure is not None:
            unasked.seen(self, self.node.submissions)
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
            if not self._begin_filling():
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

    def counter(self) -> Callable[[], int] | None:
        """Return what says from any thread how many items are done; None in a Future, and where calls run here."""
        return None if self.node.runs_at_once or not self._calls_back else self._count_done

    def _count_done(self) -> int:
        if self._stopped:  # what was cancelled since then is not done
            return self._done
        with self._books:
            away = sum(len(self._parts[future].columns[0]) for future in self._away if future in self._parts)
        return self.input.count - self.input.ahead - away

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


def refused(feeder: Feeder, error: Exception) -> Future:
    """Return the Future of an item that cannot travel: it has failed."""
    future = Future(feeder.node, 0, (feeder,))
    with feeder.node.lock:
        future._settle(None, error)
    return future


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
