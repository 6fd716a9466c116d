"""The Futures that a node has submitted: queued here, given to the Broker, settled.

They are the home of these Futures: what a Future asks when somebody waits for it or cancels it.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, PENDING, RUNNING
from typing import Any, Protocol

from ..errors import FederationLost, InitializerFailed, PoisonedFuture
from ..node import events as rules
from ..node.pace import BATCH_FUTURES_AT_MOST, CANCEL_WAITS_SECONDS
from ..node.workload import Recalls
from ..program import safe_points
from ..wire import codec
from ..wire.failures import load_failure
from ..wire.functions import Definition
from ..wire.manifest import HAS_SEGMENTS
from ..wire.messages import CANCELLED, ERROR, POISONED, VALUE
from ..wire.payload import Payloads
from .driver import Driver
from .future import Future, SliceCut
from .local_queue import LocalQueue
from .lost_calls import call_of

BATCH_BYTES_AT_MOST = 4 << 20


class Packing(Protocol):
    """How the two kinds of nodes make their Futures travel."""

    def pack(self, future: Future[Any]) -> tuple[Definition, bytes, str]:
        """Make a call ready to travel: its definition, payload and root. Raises why it cannot. The lock is held."""

    def unpack(self, future: Future[Any]) -> None:
        """The Future has come back: it may run here after all."""

    def tell(self, snapshot: Any) -> None:
        """Send a snapshot of the program before the first Futures that see it."""

    def urgent(self) -> int:
        """How many Futures of a priority above 0 may be given beyond Demand."""

    def why_waiting(self) -> str:
        """Why a Future is still in the queue of this node, for people."""


class Submissions:
    """The own Futures of a node, and where they are."""

    __slots__ = (
        "__weakref__", "_driver", "_packing", "_recalls", "adapt", "ask", "callbacks", "futures", "lock", "lost",
        "machine", "name", "numbers", "own", "payloads", "size", "wait", "wake_greenlets",
    )  # fmt: skip

    wait: Callable[[Future[Any], float | None], None]
    """Return when the Future is done or the time, in seconds, is over."""
    adapt: Callable[[Any, Future[Any]], None]
    """Make a waiter of the standard library wait the way this node waits."""
    wake_greenlets: Callable[[list[Any]], None]
    ask: Callable[..., tuple[list[tuple[str, bytes]], bool]]
    """Ask the Federation (:class:`.questions.Questions`)."""

    def __init__(self, driver: Driver, payloads: Payloads, size: int) -> None:
        self._driver, self.machine, self.payloads = driver, driver.machine, payloads
        self.lock, self.name, self.callbacks = driver.lock, driver.name, driver.callbacks
        self.size = size  # of the Federation: how many Workers it has
        self.futures: dict[int, Future[Any]] = {}  # given to the Broker
        self.own = LocalQueue()  # neither given nor started
        self.numbers = itertools.count(1)
        self.lost: FederationLost | None = None
        self._recalls = Recalls()
        self._packing: Any = None
        self.adapt, self.wake_greenlets = _adapt_nothing, _wake_nobody

    @property
    def submissions(self) -> Submissions:
        """The home of Futures that are waited for together is asked for by the same name, of a node or of these."""
        return self

    def attend(
        self, packing: Packing, wait: Callable[[Future[Any], float | None], None], ask: Callable[..., Any],
        adapt: Callable[[Any, Future[Any]], None] | None = None,
        wake_greenlets: Callable[[list[Any]], None] | None = None,
    ) -> None:  # fmt: skip
        """Learn how this node packs calls, and how its threads wait."""
        self._packing, self.wait, self.ask = packing, wait, ask
        self.adapt = adapt or _adapt_nothing
        self.wake_greenlets = wake_greenlets or _wake_nobody

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """Return what takes the machine's actions about own Futures."""
        return {
            rules.Resolve: self.on_resolve, rules.Started: self._on_started, rules.Reclaim: self._on_reclaim,
            rules.Linked: self._on_linked, rules.Denied: self._on_denied,
        }  # fmt: skip

    # -- giving ------------------------------------------------------------------------------------------------------

    def offer(self) -> None:
        """Give own Futures to the Broker, as far as it can take them: of the highest priority the oldest first.

        Those of a priority above 0 do not wait for Demand. The lock is held.
        """
        own = self.own
        while own:
            most = self.machine.wanted()
            priority, level = own.highest()
            if priority > 0:
                most += self._packing.urgent()
            if most <= 0:
                return
            offer = self._cut(priority, level, min(most, BATCH_FUTURES_AT_MOST))
            if offer.ids:
                self._driver.step(offer)

    def _cut(self, priority: int, level: deque[Future[Any]], most: int) -> rules.Offer:
        """Take Futures that share function and root from the old end of a level, ready to be sent."""
        digest, root, size = b"", "", 0
        ids: list[int] = []
        payloads: list[bytes] = []
        futures, stamp, seal = self.futures, None, self.payloads.seal
        while level and len(ids) < most and size < BATCH_BYTES_AT_MOST:
            try:
                future = level.popleft()
            except IndexError:
                break
            call = future._call
            if call is None:  # cancelled, or started here
                continue
            if len(call) != 3 and (call := self._packed(future)) is None:
                continue
            definition, payload, of_root = call
            if ids and (definition.digest != digest or of_root != root):
                self.own.put_back(future, priority)  # not into `level`, which may have been removed when it was empty
                break
            if definition.snapshot is not None:
                self._packing.tell(definition.snapshot)
            if not ids:
                digest, root = definition.digest, of_root
                self.machine.own.define(definition.digest, definition.name, definition.body)
                if seal is not None:
                    stamp = seal.stamp(digest, self.name)
            ids.append(future._number)
            payloads.append(payload if stamp is None else stamp.seal(future._number, payload))
            size += len(payload)
            futures[future._number] = future
        return rules.Offer(digest, ids, payloads, len(self.own), priority, root)

    def _packed(self, future: Future[Any]) -> Any:
        """Return the call of a Future of a Worker, packed; None if it has started, or cannot travel: then it fails."""
        if future._state != PENDING:
            return None
        try:
            call = future._call = self._packing.pack(future)
        except Exception as error:
            self._settle(future, error)
            return None
        return call

    def _on_reclaim(self, action: rules.Reclaim) -> None:
        """Nobody has these Futures any more: they are the first to be given again."""
        for number in reversed(action.ids):
            future = self.futures.pop(number, None)
            if future is not None and not future.done():
                future._state = PENDING
                self._packing.unpack(future)
                self.own.put_back(future, future._priority)
        self._driver.wake()

    def claim(self, future: Future[Any]) -> bool:
        """Make an own Future this thread's to run; False when it was cancelled, given, or started elsewhere."""
        lock = self.lock
        lock.acquire()  # a third of what a with statement takes, on the way of each nested Future
        try:
            if future._call is None or future._number in self.futures or future._state != PENDING:
                return False
            future._state = RUNNING
            return True
        finally:
            lock.release()

    # -- settling ----------------------------------------------------------------------------------------------------

    def on_resolve(self, action: rules.Resolve) -> None:
        """Outcomes of given Futures have come. The lock is held."""
        self.note_recalled(action)
        odd = dict(action.odd) if action.odd else None
        interrupt: KeyboardInterrupt | None = None
        for number, outcome in zip(action.ids, action.outcomes):
            future = self.futures.pop(number, None)
            if future is None:  # an interrupt has come in between, or it was recalled
                continue
            call = future._call
            if call is not None and call[1][:1] in HAS_SEGMENTS:
                self.payloads.release(call[1])
            kind = odd.get(number, VALUE) if odd else VALUE
            try:
                has_callbacks = self._settle_with(future, kind, outcome)
            except KeyboardInterrupt as error:  # meant for the program, not for the Future whose turn it is
                interrupt = error
                has_callbacks = self._settle_with(future, kind, outcome)
            except BaseException as error:  # the value cannot be loaded: that is what this Future has to say
                has_callbacks = future._settle(None, error)
            if has_callbacks:
                self.callbacks.append(future)
        self._driver.wake_other()
        if interrupt is not None:
            raise interrupt

    def _settle_with(self, future: Future[Any], kind: int, outcome: bytes) -> bool:
        if kind != VALUE:
            return self._settle_odd(future, kind, outcome)
        return future._settle(self.payloads.load(outcome, take=True), None)

    def _settle_odd(self, future: Future[Any], kind: int, outcome: bytes) -> bool:
        if kind == ERROR:
            return future._settle(None, load_failure(outcome, self.payloads))
        if kind == CANCELLED:
            return future._settle_cancelled()
        report = codec.unpack_plain(outcome)
        if kind == POISONED:
            host, worker, status, attempts, dump = report
            call = call_of(*future._call[:2]) if future._call else ""
            name = str(future._call[0].name) if future._call else "a function"
            return future._settle(None, PoisonedFuture(name, host, worker, status, attempts, dump, call))
        reason, initializer_raised = report if type(report) is list else (report, False)
        kind_of_loss = InitializerFailed if initializer_raised else FederationLost
        return future._settle(None, kind_of_loss(str(reason)))

    def settle_loaded(self, number: int, kind: int, outcome: bytes, value: Any, error: BaseException | None) -> None:
        """An outcome has come that was loaded without the lock: `value`, or `error` for one that failed."""
        with self.lock:
            future = self.futures.pop(number, None)
            if future is None:  # the node was lost meanwhile, or it was recalled
                return
            if future._call is not None:
                self.payloads.release(future._call[1])
            if kind in (VALUE, ERROR):
                has_callbacks = future._settle(value, error)
            else:
                has_callbacks = self._settle_odd(future, kind, outcome)
            if has_callbacks:
                self.callbacks.append(future)

    def _settle(self, future: Future[Any], error: BaseException) -> None:
        if future._settle(None, error):
            self.callbacks.append(future)

    def _on_started(self, action: rules.Started) -> None:
        for number in action.ids:
            future = self.futures.get(number)
            if future is not None and not future.done():
                future._state = RUNNING
                if action.kept and future.on_cut is not None:
                    self.callbacks.append(SliceCut(future, action.kept))
                    self._driver.wake_other()

    # -- taking back -------------------------------------------------------------------------------------------------

    def cancel(self, future: Future[Any]) -> bool:
        """Cancel a Future: at once if it is still here, else by fetching it back."""
        if future._state == RUNNING:
            return False
        if not future.done():
            self.cancel_all([future])
        return future._state == CANCELLED_AND_NOTIFIED

    def cancel_all(self, futures: list[Future[Any]]) -> int:
        """Cancel those that have not started, all with one question to the Broker; return how many those are."""
        given: list[Future[Any]] = []
        count = 0
        with self.lock:
            for future in futures:
                if future.done() or future._state == RUNNING:
                    continue
                if future._number in self.futures:
                    given.append(future)
                elif future._call is not None:  # else it is running here
                    count += 1
                    if future._settle_cancelled():
                        self.callbacks.append(future)
            if given:
                self._recalls.forget([future._number for future in given])  # they are cancelled for good
                self._driver.step(rules.CancelGiven([future._number for future in given]))
        self._wait_for_verdicts(given)
        self._driver.service()
        return count + sum(future._state == CANCELLED_AND_NOTIFIED for future in given)

    def cancel_open(self) -> None:
        """Cancel all that has not started; what was given is done when the Broker has answered."""
        for future in list(self.own):
            self.cancel(future)
        with self.lock:
            if self.futures:
                self._driver.step(rules.CancelGiven(list(self.futures)))
        self._driver.service()

    def _wait_for_verdicts(self, given: list[Future[Any]]) -> None:
        """Wait until each of these is done or known to be running, for a bounded time."""
        deadline = time.monotonic() + CANCEL_WAITS_SECONDS
        for future in given:
            while not future.done() and future._state != RUNNING and time.monotonic() < deadline:
                self._driver.service()
                if not future.done():
                    safe_points.sleep(0.0005)

    def recall(self) -> None:
        """Ask for the given Futures again, every so often: they are to run here."""
        with self.lock:
            wanted = self._recalls.due(self.futures, time.monotonic())
            if wanted:
                self._driver.step(rules.CancelGiven(wanted))
                self._driver.flush()

    def note_recalled(self, action: rules.Resolve) -> None:
        """Put those back that were cancelled because they were recalled: they have no outcome yet."""
        if self._recalls.asked and (back := self._recalls.come_back(action.ids, action.odd)):
            self._on_reclaim(rules.Reclaim(back))

    # -- life --------------------------------------------------------------------------------------------------------

    def _on_linked(self, action: rules.Linked) -> None:
        self.size = action.size

    def _on_denied(self, action: rules.Denied) -> None:
        self.lose(FederationLost(action.reason))

    def forbid(self, error: FederationLost, wait: Callable[..., Any] | None = None) -> None:
        """This process is a fork of the node's: it cannot submit, and resolves nothing. `wait` says so to who waits."""
        self.lost = error
        self.wait = wait or self.wait

    def lose(self, error: FederationLost) -> None:
        """Nothing will come any more: resolve all that is open with `error`."""
        with self.lock:
            if self.lost is not None:
                return
            self.lost = error
            for future in [*self.futures.values(), *self.own]:
                self._settle(future, error)
            self.futures.clear()
            self.own.clear()
        self._driver.service()
        self._driver.wake()

    # -- for people --------------------------------------------------------------------------------------------------

    def explain(self, future: Future[Any]) -> tuple[str, bool]:
        """Say where an own Future is that is not done, as far as this node knows, and whether others know more."""
        with self.lock:
            if future._number in self.futures:
                return self.machine.own.explain(future._number, self.name), True
            if future._call is None:
                return "it runs here, or waits for Futures that it has submitted", False
            before = list(itertools.takewhile(lambda other: other is not future, self.own))
        count = sum(other._call is not None for other in before)
        place = f"it waits in the queue of this node, priority {future._priority}, with {count} before it"
        return f"{place}; {self._packing.why_waiting()}", False

    def statistics(self) -> dict[str, Any]:
        """Counts of what is here."""
        with self.lock:
            return {**self.machine.statistics(), "own": len(self.own)}


def _adapt_nothing(waiter: Any, future: Future[Any]) -> None:
    """The waiters of the standard library are right for threads."""


def _wake_nobody(greenlets: list[Any]) -> None:
    """Only Workers have greenlets that wait."""
