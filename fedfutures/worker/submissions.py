"""The Futures that a node has submitted: queued here, given to the Broker, settled.

They are the home of these Futures: what a Future asks when somebody waits for it or cancels it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..errors import FederationLost
from ..federation.terms import FREE
from ..node import events as rules
from ..node.pace import BATCH_FUTURES_AT_MOST
from ..wire.facts import NOBODY, Fact, Facts
from ..wire.failures import Where, read_failure
from ..wire.functions import Definition
from ..wire.manifest import HAS_SEGMENTS
from ..wire.messages import CANCELLED, ERROR, VALUE, WITH_OUTPUT
from ..wire.names import host_of_node
from ..wire.payload import Payloads
from ..wire.printed import Printed
from . import journal
from .alone_queue import AloneQueue
from .cancelling import Cancelling
from .driver import Driver
from .future import Future, mark_pending, mark_running, put_call, put_printed, settle, settle_cancelled
from .future_fields import SliceCut, call_of, number_of, priority_of
from .local_queue import LATE, LocalQueue
from .losses import loss_of
from .retrier import NOWHERE, Retrier
from .sealed import SealedFutures, broken_seal, named
from .with_output import opened

BATCH_BYTES_AT_MOST = 4 << 20


class Packing(Protocol):
    """How the two kinds of nodes make their Futures travel (:class:`.origin.OriginPacking`, :class:`.LocalCalls`)."""

    def pack(self, future: Future[Any]) -> tuple[Definition, bytes, str]: ...
    def unpack(self, future: Future[Any], priority: int) -> None: ...
    def tell(self, snapshot: Any) -> None: ...  # before the first Futures that see it
    def urgent(self) -> int: ...  # how many Futures of a priority above 0 may be given beyond Demand
    def why_waiting(self) -> str: ...


class Submissions:
    """The own Futures of a node, and where they are."""

    __slots__ = (
        "__weakref__", "_driver", "_packing", "_sealed", "adapt", "alone", "ask", "callbacks", "cancelling", "futures",
        "late", "lock", "lost", "machine", "name", "numbers", "own", "payloads", "ran_here", "retrier", "size", "wait",
        "wake_greenlets",
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
        self.ran_here = Fact(self.name, host_of_node(self.name), 1, None) if driver.machine.role == "worker" else None
        self.size = size  # of the Federation: how many Workers it has
        self.futures: dict[int, Future[Any]] = {}  # given to the Broker
        self.own, self._sealed = LocalQueue(), SealedFutures()  # own: neither given nor started
        self.alone = AloneQueue()  # the same, of a Worker those that have another one to themselves
        self.numbers = journal.numbers(self.name)
        self.lost: FederationLost | None = None
        self.retrier = Retrier(driver, self.numbers, self._queue_again)
        self.cancelling = Cancelling(driver, self.futures, driver.callbacks, self.retrier.drop, self.offer_alone)
        self.late: Any = None  # keeps back what would not be done before the walltime is over (:mod:`.late_futures`)
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

    def heed(self, late: Any) -> None:
        """From now on give nothing that would be late."""
        self.late = late

    def draw_numbers_by(self, numbers: Iterator[int]) -> None:
        """From now on take the numbers of Futures from there."""
        self.numbers = numbers

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """Return what takes the machine's actions about own Futures."""
        return {
            rules.Resolve: self.on_resolve, rules.Started: self._on_started, rules.Reclaim: self._on_reclaim,
            rules.Denied: self._on_denied,
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
            if most <= 0 or priority == LATE:
                return
            offer = self._cut(priority, level, min(most, BATCH_FUTURES_AT_MOST))
            if offer.ids:
                self._driver.step(offer)

    def offer_alone(self) -> None:
        """Give those that have a Worker to themselves, whatever the Demand. The lock is held."""
        while self.alone and (most := self.machine.urgent()) > 0:
            offer = self._cut(*self.alone.highest(), min(most, BATCH_FUTURES_AT_MOST))
            if offer.ids:
                self._driver.step(offer)

    def give_alone(self, future: Future[Any], priority: int) -> None:
        """Give a new Future that has a Worker to itself to the Broker, as soon as it can take it."""
        self.alone.put(future, priority)
        self._driver.send_now(self.offer_alone)

    def _cut(self, priority: int, level: deque[Future[Any]], most: int) -> rules.Offer:
        """Take Futures that share function and root from the old end of a level, ready to be sent."""
        digest, root, size, conditions = b"", "", 0, FREE
        ids: list[int] = []
        payloads: list[bytes] = []
        futures, stamp, seal = self.futures, None, self.payloads.seal
        while level and len(ids) < most and size < BATCH_BYTES_AT_MOST:
            try:
                future = level.popleft()
            except IndexError:
                break
            call, number = future._call, future._number
            if call is None or number in futures:  # cancelled, or started here; or here twice: tried again
                continue
            if len(call) != 3 and (call := self._packed(future)) is None:
                continue
            definition, payload, of_root = call
            if ids and (definition.digest != digest or of_root != root or future.conditions != conditions):
                self._packing.unpack(future, priority)  # it may run here before it is given
                self._put_back(future, priority)  # not into `level`, which may have been removed when it was empty
                break
            if not ids and self.late is not None and self.late.takes(future, definition.digest):
                continue
            if definition.snapshot is not None:
                self._packing.tell(definition.snapshot)
            if not ids:
                digest, root, conditions = definition.digest, of_root, future.conditions
                self.machine.own.define(definition.digest, definition.name, definition.body)
                if seal is not None:
                    stamp = seal.stamp(digest, self.name)
            ids.append(number)
            payloads.append(payload if stamp is None else self._sealed.give(number, stamp.seal(number, payload)))
            size += len(payload)
            futures[number] = future
        conditions = self.retrier.other_hosts.conditions_of(digest, conditions)
        return rules.Offer(digest, ids, payloads, len(self.own), priority, root, conditions)

    def _put_back(self, future: Future[Any], priority: int) -> None:
        is_urgent = number_of(future) in self.cancelling.ending or (future.alone and self.machine.role == "worker")
        (self.alone if is_urgent else self.own).put_back(future, priority)

    def _packed(self, future: Future[Any]) -> Any:
        """Return the call of a Future of a Worker, packed; None if it has started, or cannot travel: then it fails."""
        if future.running() or future.done():
            return None
        try:
            call = self._packing.pack(future)
        except Exception as error:
            self._settle(future, error)
            return None
        put_call(future, call)
        return call

    def _on_reclaim(self, action: rules.Reclaim) -> None:
        """Nobody has these Futures any more: they are the first to be given again."""
        self._sealed.forget(action.ids)
        for number in reversed(action.ids):
            future = self.futures.pop(number, None)
            if future is not None and not future.done():
                priority = mark_pending(future)
                self._packing.unpack(future, priority)
                self._put_back(future, priority)
        self._driver.wake()

    def _queue_again(self, future: Future[Any]) -> None:
        """The time for the next try of a Future has come."""
        if len(call_of(future)) == 3:
            self._packing.unpack(future, priority_of(future))
            if (context := getattr(future.tries, "context", None)) is not None:  # the threads of its parent may run it
                put_call(future, (*call_of(future)[:3], context))
        self._put_back(future, priority_of(future))

    # -- settling ----------------------------------------------------------------------------------------------------

    def on_resolve(self, action: rules.Resolve) -> None:
        """Outcomes of given Futures have come. The lock is held."""
        self.note_recalled(action)
        if self.payloads.seal is not None:
            action = self.opened(action)
        odd, load = dict(action.odd) if action.odd else None, self.payloads.load
        facts = Facts((action.ids, action.facts)) if action.facts else NOBODY
        interrupt: KeyboardInterrupt | None = None
        for number, outcome in zip(action.ids, action.outcomes):
            future = self.futures.pop(number, None)
            if future is None:  # an interrupt has come in between, or it was recalled
                continue
            call = future._call
            kind = odd.get(number, VALUE) if odd else VALUE
            if kind == VALUE and call is not None and call[1][:1] in HAS_SEGMENTS:
                self.payloads.release(call[1])
            try:
                if kind == VALUE:  # not by a method: that would be a call for each Future
                    has_callbacks = settle(future, load(outcome, take=True), None, facts)
                else:
                    has_callbacks = self._settle_as(future, kind, outcome, facts)
            except KeyboardInterrupt as error:  # meant for the program, not for the Future whose turn it is
                interrupt = error
                has_callbacks = self._settle_as(future, kind, outcome, facts)
            except BaseException as error:  # the value cannot be loaded: that is what this Future has to say
                has_callbacks = settle(future, None, named(error, call, number), facts)
            if has_callbacks:
                self.callbacks.append(future)
        self._driver.wake_other()
        if interrupt is not None:
            raise interrupt

    def opened(self, action: rules.Resolve) -> rules.Resolve:
        """Return the outcomes without their seals; Futures fail whose outcomes have wrong ones. The lock is held."""
        if (seal := self.payloads.seal) is None:
            return action
        opened, broken = self._sealed.opened(seal.outcomes, action)
        for number, outcome in broken:
            self.payloads.discard(outcome)
            if (future := self.futures.pop(number, None)) is not None:
                call = call_of(future)
                self._release(future)
                self._settle(future, broken_seal(call, number))
        return opened

    def _settle_as(self, future: Future[Any], kind: int, outcome: bytes, facts: Facts) -> bool:
        if kind == VALUE:
            return settle(future, self.payloads.load(outcome, take=True), None, facts)
        if kind == CANCELLED:
            self._release(future)
            return settle_cancelled(future)
        if kind == WITH_OUTPUT:
            return self._settle_printed(future, *opened(outcome, self.payloads), facts)
        if kind == ERROR:
            return self._settle_failed(future, facts, *read_failure(outcome, self.payloads))
        return self._settle_failed(future, facts, loss_of(future, kind, outcome))

    def _settle_printed(
        self, future: Future[Any], value: Any, failure: BaseException | None, printed: Printed, facts: Facts
    ) -> bool:  # fmt: skip
        put_printed(future, printed)
        if failure is not None:
            return self._settle_failed(future, facts, failure)
        self._release(future)
        return settle(future, value, None, facts)

    def _settle_failed(self, future: Future[Any], facts: Facts, error: BaseException, where: Where = NOWHERE) -> bool:
        """A given Future has failed: settle it unless it is tried again."""
        if (raised := self.retrier.failed(future, error, call_of(future), where)) is None:
            return False
        self._release(future)
        return settle(future, None, raised, facts)

    def _release(self, future: Future[Any]) -> None:
        """Nobody needs the arguments of a given Future any more."""
        if (call := call_of(future)) is not None:
            self.payloads.release(call[1])

    def settle_loaded(
        self, number: int, kind: int, outcome: bytes, value: Any, error: BaseException | None, facts: Facts,
        printed: Printed | None = None, where: Where = NOWHERE,
    ) -> None:  # fmt: skip
        """An outcome has come that was loaded without the lock: `value`, or `error` for one that failed."""
        with self.lock:
            future = self.futures.pop(number, None)
            if future is None:  # the node was lost meanwhile, or it was recalled
                return
            if printed is not None:
                put_printed(future, printed)
            if kind == ERROR and error is not None:
                has_callbacks = self._settle_failed(future, facts, error, where)
            elif kind in (VALUE, ERROR):
                self._release(future)
                has_callbacks = settle(future, value, error, facts)
            else:
                has_callbacks = self._settle_as(future, kind, outcome, facts)
            if has_callbacks:
                self.callbacks.append(future)

    def _settle(self, future: Future[Any], error: BaseException) -> None:
        if settle(future, None, error, NOBODY):
            self.callbacks.append(future)

    def _on_started(self, action: rules.Started) -> None:
        for number in action.ids:
            future = self.futures.get(number)
            if future is not None and not future.done():
                mark_running(future)
                if action.kept and future.on_cut is not None:
                    self.callbacks.append(SliceCut(future, action.kept))
                    self._driver.wake_other()

    # -- taking back -------------------------------------------------------------------------------------------------

    def cancel(self, future: Future[Any]) -> bool:
        """Cancel a Future that has not started."""
        return self.cancelling.cancel(future)

    def cancel_all(self, futures: list[Future[Any]], *, running: bool = False) -> int:
        """Cancel those that have not started, or with `running` those that are not done; return how many those are."""
        return self.cancelling.end_all(futures) if running else self.cancelling.cancel_all(futures)

    def end(self, future: Future[Any]) -> bool:
        """Cancel a Future that has not ended."""
        self.cancelling.end_all([future])
        return future.cancelled()

    def cancel_open(self) -> None:
        """Cancel all that has not started; what was given is done when the Broker has answered."""
        self.retrier.stop()
        self.cancelling.cancel_open([*self.own, *self.alone, *self.retrier])

    @journal.before("arrive", lambda self, action: _told(self, action))
    def note_recalled(self, action: rules.Resolve) -> None:
        """Put those back that were cancelled because they were recalled: they have no outcome yet."""
        if back := self.cancelling.come_back(action):
            self._on_reclaim(rules.Reclaim(back))

    # -- life --------------------------------------------------------------------------------------------------------

    def resize(self, size: int) -> None:
        """The Federation has so many Workers from now on."""
        self.size = size

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
            for future in [*self.futures.values(), *self.own, *self.alone, *self.retrier]:
                self._settle(future, error)
            self.retrier.clear()
            self.futures.clear()
            self.own.clear()
            self.alone.clear()
            self._sealed.clear()
        self._driver.service()
        self._driver.wake()

    # -- for people --------------------------------------------------------------------------------------------------

    def explain(self, future: Future[Any]) -> tuple[str, bool]:
        """Say where an own Future is that is not done, as far as this node knows, and whether others know more."""
        with self.lock:
            number = number_of(future)
            if waits := self.retrier.explain(future):
                return waits, False
            if number in self.futures:
                place = self.machine.lanes.explain(number) or self.machine.own.explain(number, self.name)
                return place + self.retrier.other_hosts.explain(future), True
            if call_of(future) is None:
                return "it runs here, or waits for Futures that it has submitted", False
            if self.late is not None and self.late.has(future):
                return "it waits in the queue of this node: it would not be done before the walltime is over", False
            queue = self.alone if future.alone else self.own
            before = list(itertools.takewhile(lambda other: other is not future, queue))
        count = sum(call_of(other) is not None for other in before)
        place = f"it waits in the queue of this node, priority {priority_of(future)}, with {count} before it"
        return f"{place}; {self._packing.why_waiting()}", False

    def statistics(self) -> dict[str, Any]:
        """Counts of what is here."""
        with self.lock:
            return {**self.machine.statistics(), "own": len(self.own), **self.retrier.statistics()}


def _told(submissions: Submissions, action: rules.Resolve) -> list[tuple[object, ...]]:
    """Return the fields of the journal's lines about outcomes that have come."""
    segments = submissions.payloads.segments
    told = journal.of_outcomes(action.ids, action.outcomes, action.odd, segments)
    return [(submissions.name, *one) for one in told]


def _adapt_nothing(waiter: Any, future: Future[Any]) -> None:
    """The waiters of the standard library are right for threads."""


def _wake_nobody(greenlets: list[Any]) -> None:
    """Only Workers have greenlets that wait."""
