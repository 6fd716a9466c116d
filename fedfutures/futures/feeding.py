"""The Feeder of a ``map``: reads the input, cuts slices, submits them as far as the bounds allow.

An item goes alone until the duration of an item is known (:mod:`.slicing`). At most :data:`ITEMS_IN_FLIGHT` items (or
`buffersize`) and about :data:`BYTES_IN_FLIGHT` are on their way or wait to be read; the rest of the input is not read.

The calls are made whether or not anybody reads the results (PEP 3148). An input that any thread may read is read on as
results come, by the thread that takes them in. Other inputs are read at ``next()``, and at the end by
:func:`.ends.press_on`. Results wait for the reader as long as there is one. A program that lets the iterator go before
the first ``next()`` never reads them: they are thrown away as they come. One that lets it go later cancels the rest, as
in the standard library. In a Future nothing is read in between: what it leaves unread is read, and run, at its end.

The thread that reads and submits holds the lock `_filling`. A callback never waits for it, but leaves a wish behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from typing import Any

from ..errors import FederationLost
from ..node.pace import CUT_SECONDS
from ..program import safe_points
from ..program.postponing import is_by_signal, uninterrupted
from ..wire.failures import load_failure
from ..wire.functions import Wrapper, name_of
from ..worker import unasked
from ..worker.call_terms import CallTerms
from ..worker.future import Future, attend_cuts, put_value
from ..worker.future_fields import failure_of, is_finished, value_of
from ..worker.seeding import SeededItems
from ..worker.slices import Columns, Slice
from ..worker.streams import Stream
from . import ends
from .inputs import Input, input_of
from .node import AnyNode
from .sending import SliceSender
from .slicing import Slicing, durations_of
from .window import Part, Window, sliced

ITEMS_IN_FLIGHT = 1 << 16
BYTES_IN_FLIGHT = 64 << 20
TOGETHER_BYTES = 32 << 10
"""Slices of an input at hand travel together until they have so many bytes: those of a short map are one message."""
SLICES_AT_FIRST = 32
"""So many slices for each Worker are sent before the first of a map has come, where its function is known."""
BUSY_SECONDS = 0.05

_NOTHING: Any = ((), (), 0.0)


class Feeder:
    """Feeds the Federation with the items of one map.

    watch, join: told of each slice when it was submitted; for who reads results as they come, and for a group.
    stream: where the items' streams of random numbers come from.
    """

    def __init__(
        self, node: AnyNode, wrapper: Wrapper, iterables: tuple[Iterable[Any], ...] | Input,
        chunksize: int | None = None, buffersize: int | None = None, terms: CallTerms | None = None,
        join: Callable[[Future], object] | None = None, watch: Callable[[Future], object] | None = None,
        stream: Stream | None = None,
    ) -> None:  # fmt: skip
        self.node = node
        self.name = name_of(wrapper)
        self.input = given = input_of(iterables, numbered=stream is not None)
        self.window = Window(in_order=watch is None, keeps_failures=isinstance(wrapper, Slice))
        self.failure: BaseException | None = None  # to be raised after all results
        self.is_refused = False  # whether that is because a slice could not be submitted
        self.is_read = False  # whether next() was called
        self._may_be_cut = isinstance(wrapper, Slice) and not wrapper.is_whole
        self._sender = SliceSender(
            node, wrapper if stream is None else SeededItems(wrapper), terms,
            self.window, () if stream is None else (stream.packed(),), join, lambda: given.is_steady, given.keep,
        )  # fmt: skip
        self._watch, self._bound = watch, buffersize or ITEMS_IN_FLIGHT
        function = self._sender.digest
        self.slicing = Slicing(
            durations_of(node, function), function, given.left, node.size, self._bound // 8,
            None if chunksize is None else min(chunksize, self._bound),
        )  # fmt: skip
        self.failed = 0  # items, whose slices were taken in
        self._submitted = self._done = 0  # items; the latter when the rest was cancelled
        self._filling = threading.Lock()
        self._again = self._stopped = self._hurries = self._has_learnt = False  # the last: whether a slice has come
        self._calls_back = not ends.is_worker(node)
        self._register = ends.register(self)

    # -- reading and submitting --------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Submit what the bounds allow; a thread that is submitting already does it for this one."""
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
            self._sender.send()
        if self.input.is_read:
            if (failure := self.input.take_error()) is not None:
                self.fail(failure, f"the input of map({self.name})")
            self.close_if_done()

    def _submit_all(self) -> None:
        while self._may_submit(size := self.slicing.next(self.input.left)):
            try:
                columns = self.input.cut(size, exactly=self.slicing.is_fixed)
                if columns is None:
                    break
                try:
                    futures = self._sender.submit(columns, self._submitted)
                except Exception as error:  # no Worker is left to run it
                    if is_by_signal(error):
                        raise
                    self._submits_no_more()
                    self.fail(error, f"map({self.name})")
                    break
                self._submitted += len(columns[0])
                self.window.add_unread(futures)
                for future in futures:
                    self._follow(future)
                # The next item of an input that any thread may read comes at once: slices of a short one go together.
                if self._sender.unsent >= TOGETHER_BYTES or not self.input.by_any_thread:
                    self._sender.send()
            except BaseException:  # an interrupt: these items may be lost, and a map must not end short without a word
                self._submits_no_more()
                self._was_interrupted()
                raise

    def _submits_no_more(self) -> None:
        self.is_refused = True
        self.input.forget()

    def fail(self, failure: Exception, what: str) -> None:
        """End the map with an error; the end of the program says it unless somebody sees it."""
        self.failure = failure
        if not isinstance(failure, FederationLost):
            unasked.keep(self, self.node.submissions, what, failure)

    def _was_interrupted(self) -> None:
        self.failure = RuntimeError(f"map({self.name}) was interrupted; what was left was not submitted")

    def _follow(self, future: Future) -> None:
        """Have the Feeder and the reader told when a slice, which is now among those to be read, is done."""
        if self._may_be_cut:
            attend_cuts(future, self._was_cut)
        future.add_done_callback(self._arrived)
        if self._watch is not None:
            self._watch(future)
        if self._stopped:
            self.node.cancel_all([future])

    def _may_submit(self, size: int) -> bool:
        """Whether the window has room for the whole slice: smaller ones would never grow in a full window."""
        window, workers = self.window, max(1, self.node.size)
        if self._stopped or window.items + size > self._bound:
            return False
        if self.node.runs_at_once:  # nothing is gained by more
            return not len(window)
        if len(window) < 2 * workers + 2:
            return True
        # What is remembered says how large slices are, not that the program wants more of its input read.
        may_run_ahead = self.slicing.is_known and self.input.by_any_thread and len(window) < SLICES_AT_FIRST * workers
        return (self._has_learnt or may_run_ahead) and window.bytes < BYTES_IN_FLIGHT

    # -- results -----------------------------------------------------------------------------------------------------

    def _arrived(self, future: Future) -> None:
        """Learn from a slice when it is done, not when it is read."""
        part = self.window.arrived(future)
        if is_finished(future) and part is not None:
            if failure_of(future) is not None:
                ends.has_failed(self)
            else:
                self._learn(future, part)
        if self._stopped or not self._calls_back:
            return
        if self.window.is_divisible(future):
            self._split(future)
        elif self.window.is_dropped or self._hurries:
            self._settle(future)
        if not self.input.is_read and (self.input.by_any_thread or (self._hurries and self.input.is_at_hand)):
            self.fill()
        self.close_if_done()

    def _learn(self, future: Future, part: Part) -> None:
        if (outcome := value_of(future)) is _NOTHING:  # another thread has noted it
            return
        values, failures, seconds = outcome
        self._has_learnt = True
        self.failed += len(failures)
        is_short = self._may_be_cut and len(values) < part.items
        self.slicing.learn(seconds, len(values) if is_short else part.items)
        if failures:
            ends.has_failed(self)
        if is_short:  # in a Future, who reads it, or the end of the Future, submits the rest
            self.outcome(future) if self._calls_back else self.window.left_again(future)

    def _settle(self, future: Future) -> None:
        """Free the place of a slice that is done and that nobody reads now."""
        if self.window.consume(future) is not None and self.window.is_dropped:
            self._note(future)

    def _note(self, future: Future) -> None:
        """Count the failures of a slice whose results nobody reads, once, and throw the results away."""
        if not is_finished(future) or value_of(future) is _NOTHING:
            return
        if failure_of(future) is None:
            self.outcome(future)  # what it has not kept is submitted again, before nobody can tell how much that is
        error, result = failure_of(future), value_of(future)
        put_value(future, _NOTHING)
        failures = [error] if error is not None else [outcome for _, outcome in result[1]]
        for outcome in failures:
            error = outcome if isinstance(outcome, BaseException) else load_failure(outcome, self.node.payloads)
            unasked.note(self.node.submissions, self.name, error)

    def note_unread(self) -> None:
        """Count the failures that nobody can read any more."""
        self.window.drop()
        for future in self.window.forget_unread():
            self._note(future)

    # -- slices that go on as several --------------------------------------------------------------------------------

    def _split(self, future: Future) -> None:
        """Submit the items of a slice that has failed as a whole one by one, in its place."""
        part = self.window.begin_split(future)
        if part is not None:
            self._go_on(future, part.singles(), part.first, instead=True)

    def _was_cut(self, future: Future, kept: int) -> None:
        """Shorten a slice that its Worker has cut, since the item that runs takes long; see :mod:`..worker.slices`."""
        if self._calls_back and not future.done():
            self.slicing.learn(CUT_SECONDS, kept)
            self._shorten(future, kept)

    def outcome(self, future: Future) -> tuple[list[Any], list[tuple[int, Any]]]:
        """Return values and failures of the items that a slice which is done has kept; submit the others."""
        outcome = value_of(future)
        values, failures, _ = outcome
        if not self._may_be_cut or outcome is _NOTHING:
            return values, failures
        self._shorten(future, len(values))
        kept = self.window.kept(future, len(values))
        if kept < len(values):  # it was cut, and then run again as a whole, since its Worker was lost
            values, failures = values[:kept], [failure for failure in failures if failure[0] < kept]
            put_value(future, (values, failures, 0.0))
        return values, failures

    def _shorten(self, future: Future, kept: int) -> None:
        """Leave the first `kept` items to a slice, and submit the others as slices behind it."""
        part = self.window.shorten(future, kept)
        if part is not None:
            self._go_on(future, sliced(part.between(kept, None), self.slicing), part.first + kept, instead=False)

    def _go_on(self, future: Future, parts: Iterable[Columns], first: int, *, instead: bool) -> None:
        """Submit these parts of a slice, the items from number `first` on, to be read instead of it or behind it."""
        futures: list[Future] = []
        try:
            for columns in parts:
                futures += self._sender.submit(columns, first)
                first += len(columns[0])
        except BaseException as error:
            if not isinstance(error, Exception) or is_by_signal(error):
                self._was_interrupted()
                raise
            self.fail(error, f"map({self.name})")
        finally:
            self.window.end_split(future, futures, instead=instead)
        self._sender.send()  # not before: a callback may run in it that takes this slice, and waits until it is divided
        for each in futures:
            self._follow(each)

    def goes_on(self, future: Future) -> bool:
        """Whether a slice that is done was replaced by several."""
        if self.window.is_divisible(future):
            self._split(future)
        self.window.wait_until_divided(future)
        return not self.window.is_next(future)

    # -- for who reads the results -----------------------------------------------------------------------------------

    def begin_reading(self) -> None:
        """Note that the first result is asked for: from now on, who lets the results go wants no more of them."""
        self.is_read = True

    def more(self) -> bool:
        """Whether there are more results; after the last, raise the error that has ended the input, if one has."""
        while not self.window.unread:
            if self.input.is_read or self._stopped:
                failure, self.failure = self.failure, None
                if failure is None:
                    return False
                unasked.seen(self, self.node.submissions)
                raise failure
            safe_points.check()
            if self.begin_filling():  # another thread was about to submit the next slice
                self.end_filling()
                self.fill()
        return True

    def begin_filling(self) -> bool:
        """Wait for the thread that reads and submits, and take its place; return False if that takes too long."""
        until = time.monotonic() + BUSY_SECONDS
        while not self._filling.acquire(blocking=False):
            if time.monotonic() > until:
                return False
            safe_points.sleep(0.001)
        return True

    def end_filling(self) -> None:
        """Let another thread read and submit."""
        self._filling.release()

    def drop(self) -> None:
        """Throw results away: the iterator was let go before the first was asked for. May be called at any moment."""
        self.window.drop()
        if getattr(self.node, "lost", None) is not None:  # also in a process that the program has forked
            return
        if not (self._calls_back and self.node.call_soon(self)) and self.is_done():
            self.note_unread()

    def _invoke_callbacks(self) -> None:
        # Asked for by drop().
        self._watch = None
        self._settle_arrived()
        self.note_unread()
        if self.input.is_at_hand:
            self.fill()
        self.close_if_done()

    def _settle_arrived(self) -> None:
        for future in self.window.here():
            if self.window.is_divisible(future):
                self._split(future)
                continue
            if is_finished(future) and failure_of(future) is None:
                self.outcome(future)
            self._settle(future)

    # -- the end -----------------------------------------------------------------------------------------------------

    @uninterrupted
    def leave_off(self, *, running: bool = False) -> None:
        """Cancel the rest: the reader has had enough, or all; `running`: also what runs."""
        try:
            self.stop(running=running)
        finally:
            self.window.forget_unread()

    def stop(self, *, running: bool = False) -> int:
        """Cancel the rest; `running`: also what runs. Return how many slices were cancelled."""
        self._done = self._count_done()
        self._stopped = True
        self._sender.cancel_further()
        if self.failure is not None:
            unasked.seen(self, self.node.submissions)
        try:
            unread = list(self.window.sizes_away())
            return self.node.cancel_all(unread, running=running) if unread else 0
        finally:
            self._leave()

    def cancel(self, *, running: bool = False) -> int:
        """Cancel the rest; who reads on is told so. Return how many slices were cancelled."""
        if not self.input.is_read:
            self.failure = CancelledError()
        return self.stop(running=running)

    def hurry(self) -> None:
        """Make all calls now: from now on a slice frees its place when it is done, read or not."""
        self._hurries = True
        if self._calls_back:
            self._settle_arrived()

    def give_up(self, why: str) -> str:
        """Read no more of an input that has no end, and cancel what has not started; return what the map ends with."""
        count = self.input.count - self.input.ahead
        self.input.forget()
        away = self.window.sizes_away()
        self.node.cancel_all(list(away))
        self.window.forget_cancelled()
        made = count - sum(size for future, size in away.items() if future.cancelled())
        reason = f"{why}: the calls for {made:,} of them are made, the others are left out"
        self.failure = RuntimeError(reason)
        return reason

    def wait_for_one(self) -> None:
        """Wait for a slice that is under way, and take it in."""
        if away := self.window.one_away():
            self.node.wait(away, None)
            self.window.arrived(away)
        self._settle_arrived()

    def counter(self) -> Callable[[], int] | None:
        """Return a function that counts the items done, for any thread; None in a Future, and where calls run here."""
        return None if self.node.runs_at_once or not self._calls_back else self._count_done

    def _count_done(self) -> int:
        if self._stopped:  # what was cancelled since then is not done
            return self._done
        return self.input.count - self.input.ahead - sum(self.window.sizes_away().values())

    def is_done(self) -> bool:
        """Whether all calls have been made."""
        return self._stopped or (self.input.is_read and self.window.is_all_here)

    def close_if_done(self) -> None:
        """Let go of what was kept for later items, if there are none."""
        if self.is_done():
            self._leave()

    def _leave(self) -> None:
        self._register.discard(self)
        self._sender.close()
