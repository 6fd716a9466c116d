"""What a Worker has besides what runs Futures, until it is put together of parts as the Origin is."""

from __future__ import annotations

import itertools
import logging
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures._base import CANCELLED_AND_NOTIFIED, PENDING, RUNNING
from typing import Any

from ..errors import FederationLost, InitializerFailed, MalformedMessage, PoisonedFuture, RemoteProtocolError
from ..federation.events import Arrived, Send, Tick
from ..program import safe_points
from ..sockets.sockets import MainDealer, MetaSubscriber
from ..wire import codec, messages
from ..wire.failures import load_failure
from ..wire.functions import FunctionCache
from ..wire.manifest import HAS_SEGMENTS
from ..wire.payload import Payloads
from ..wire.written import Written
from . import events as rules
from .future import Future, SliceCut
from .local_queue import LocalQueue
from .lost_calls import call_of
from .machine import WorkerMachine
from .pace import BATCH_FUTURES_AT_MOST, HELPER_AFTER_SECONDS
from .questions import SHARE_OF_TIMEOUT

logger = logging.getLogger("fedfutures")

HELPER_LOOKS_SECONDS = 0.1
CANCEL_WAITS_SECONDS = 1.0
BATCH_BYTES_AT_MOST = 4 << 20


class WorkerNode:
    """One end of a Main socket: submits Futures, takes their results in. Base of Origin and Worker.

    An Origin has no more than 30 attributes: those of an object that has more are slower to read (CPython 3.11 on).
    """

    runs_at_once = False  # in the call that submits

    def __init__(self, owner: Any, facts: dict[str, Any], name: str, role: str, payloads: Payloads) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.payloads = payloads
        self.functions = FunctionCache(payloads)
        self.machine = WorkerMachine(name, role, int.from_bytes(os.urandom(6), "big"), os.getpid())
        self.main = MainDealer(owner, facts["main"], name)
        self.meta = MetaSubscriber(owner, facts["meta"]) if role == "worker" else None
        self.futures: dict[int, Future] = {}  # own, given to the Broker
        self.own = LocalQueue()  # own, neither given nor started
        self.numbers = itertools.count(1)
        self.constants: dict[str, Any] = {}
        self.size = 0
        self.outbox: list[bytes] = []
        self.lost: FederationLost | None = None
        self.closed = False
        self.driven_at = time.monotonic()
        self._driver = threading.Lock()
        self._driving = 0  # the thread that holds it
        self._callbacks: deque[Any] = deque()  # Futures whose callbacks are due
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._woken = False
        self._gate = threading.Event()
        self._poller, self._helper_poller = self._make_poller(), self._make_poller()
        self._actions: dict[type, Callable[[Any], None]] = {
            rules.Resolve: self._resolve,
            rules.Started: self._started,
            rules.Shared: self._shared,
            rules.Linked: self._linked,
            rules.Denied: self._denied,
            rules.Reclaim: self._reclaim,
            rules.Told: self._told,
        }
        self._questions: dict[int, tuple[list[tuple[str, bytes]], Future[Any]]] = {}
        self._asked = 0
        self.callbacks, self.submissions, self.call_soon = self._callbacks, self, self._call_soon
        self._helper = threading.Thread(target=self._help, name="fedfutures-helper", daemon=True)

    def _make_poller(self) -> select.poll:
        poller = select.poll()
        for descriptor in (self.main.fd, self._wake_read, *([self.meta.fd] if self.meta is not None else [])):
            poller.register(descriptor, select.POLLIN)
        return poller

    # -- driving -----------------------------------------------------------------------------------------------------

    def service(self) -> None:
        """Take in what has arrived, send what can be sent, run what callbacks are due. Does not wait."""
        self.drain()
        if self._callbacks:
            self.call_back()

    def drain(self) -> None:
        """The same without the callbacks."""
        with self.lock:
            if self._woken:
                self._woken = False
                try:
                    os.read(self._wake_read, 4096)
                except BlockingIOError:
                    pass
            while not self.closed:
                arrived = self._receive()
                self._send_due()
                if not self.flush() and not arrived:
                    break

    def call_back(self) -> None:
        """Run the callbacks of Futures that were resolved; the lock is not held."""
        while self._callbacks:
            try:
                future = self._callbacks.popleft()
            except IndexError:
                break
            try:
                future._invoke_callbacks()
            except BaseException:  # an interrupt, meant for the program; the other callbacks are not to wait for it
                if self._callbacks:
                    self.wake()
                    self._gate.set()
                raise

    def take_in(self) -> None:
        """Only take in what has arrived: the shortest way from a message to who waits for it."""
        with self.lock:
            if not self.closed:
                self._receive()
                self.flush()
        if self._callbacks:
            self.call_back()

    def _receive(self) -> int:
        """Step the machine with all that has arrived; return how many messages that was."""
        count = 0
        if self.meta is not None:
            frame = self.meta.receive()
            if frame is not None:
                self._arrived(frame, count)
        while (frame := self.main.receive()) is not None:
            count += 1
            self._arrived(frame, count)
        return count

    def _arrived(self, frame: bytes, count: int) -> None:
        try:
            for sequence, acknowledged, message in codec.decode_all(frame):
                self.step(Arrived("", sequence, acknowledged, message))
        except (MalformedMessage, RemoteProtocolError) as error:
            logger.warning("%s: dropped a message: %s", self.name, error)

    def _send_due(self) -> None:
        """Give what the Broker can take, and do what time asks for."""
        self.offer()
        if self._is_due():
            self.step(Tick())

    def step(self, event: rules.Event) -> None:
        """Give the machine an event and do what it says. The lock is held."""
        for action in self.machine.step(event, time.monotonic()):
            if type(action) is Send:
                self.outbox.append(codec.encode(action.message, action.sequence, action.acknowledged))
            else:
                self._actions[type(action)](action)

    def flush(self) -> int:
        """Send what the machine has said, if possible in one frame; return how many messages. The lock is held."""
        count = len(self.outbox)
        if count:
            for frame in self.outbox if count == 1 else codec.joined(self.outbox):
                self.main.send(frame)
            self.outbox.clear()
        return count

    def poll(self, poller: select.poll, deadline: float | None) -> list[tuple[int, int]]:
        """Wait until something arrives, or time comes for something; return what is ready."""
        due = self.machine.next_deadline()
        if due is not None and due < math.inf and (deadline is None or due < deadline):
            deadline = due
        return safe_points.poll(
            poller, None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000 + 0.5
        )

    def wake(self) -> None:
        """Make whoever waits in :meth:`poll` look again."""
        if not self._woken:
            try:
                os.write(self._wake_write, b"!")
            except OSError:
                pass  # full, which wakes as well; or closed
            self._woken = True  # only now: whoever sees it can read the byte

    def _help(self) -> None:
        """Drive while nobody else does (the helper thread)."""
        while not self.closed:
            quiet = time.monotonic() - self.driven_at
            if self._driver.locked() or quiet < HELPER_AFTER_SECONDS:
                self._gate.wait(HELPER_LOOKS_SECONDS if quiet > HELPER_LOOKS_SECONDS else HELPER_AFTER_SECONDS)
                self._gate.clear()
                continue
            deadline = self.help_deadline()
            arrived = self.poll(self.helper_poller(), deadline)
            due = deadline is not None and time.monotonic() >= deadline
            if (arrived or due or self._is_due()) and not self._driver.locked() and not self.closed:
                try:
                    self.service()
                except Exception:
                    logger.exception("%s: the helper thread failed", self.name)

    def _is_due(self) -> bool:
        deadline = self.machine.next_deadline()
        return deadline is not None and time.monotonic() >= deadline

    def helper_poller(self) -> select.poll:
        """What the helper thread listens to."""
        return self._helper_poller

    def help_deadline(self) -> float | None:
        """When the helper thread is to look again although nothing has arrived."""
        return None

    def start(self) -> None:
        """Introduce the node to its Broker and start the helper thread."""
        self._helper.start()
        self.service()

    # -- Futures of this node ----------------------------------------------------------------------------------------

    def send(self) -> None:
        """Send what was submitted without being sent, as far as the Broker can take it. A Worker's Futures stay."""

    def offer(self) -> None:
        """Give own Futures to the Broker, as far as it can take them: of the highest priority the oldest first.

        Those of a priority above 0 do not wait for Demand. The lock is held.
        """
        own = self.own
        while own:
            most = self.machine.wanted()
            priority, level = own.highest()
            if priority > 0:
                most += self._urgent()
            if most <= 0:
                return
            offer = self._cut(priority, level, min(most, BATCH_FUTURES_AT_MOST))
            if offer.ids:
                offer.backlog = len(own)
                self.step(offer)

    def _cut(self, priority: int, level: deque[Future], most: int) -> rules.Offer:
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
            definition, payload, of_root = call if len(call) == 3 else self._pack_call(future)
            if definition is None:
                continue
            if ids and (definition.digest != digest or of_root != root):
                self.own.put_back(future, priority)  # not into `level`, which may have been removed when it was empty
                break
            if definition.snapshot is not None:
                self._actions[type(definition.snapshot)](definition.snapshot)
            if not ids:
                digest, root = definition.digest, of_root
                self.machine.define(definition.digest, definition.name, definition.body)
                if seal is not None:
                    stamp = seal.stamp(digest, self.name)
            ids.append(future._number)
            payloads.append(payload if stamp is None else stamp.seal(future._number, payload))
            size += len(payload)
            futures[future._number] = future
        return rules.Offer(digest, ids, payloads, 0, priority, root)

    def _urgent(self) -> int:
        """How many Futures of a priority above 0 may be given beyond Demand."""
        return self.machine.urgent()

    def _pack_call(self, future: Future) -> tuple[Any, bytes, str]:
        raise NotImplementedError

    def _reclaim(self, action: rules.Reclaim) -> None:
        """Nobody has these Futures any more: they are the first to be given again."""
        for number in reversed(action.ids):
            future = self.futures.pop(number, None)
            if future is not None and not future.done():
                future._state = PENDING
                self._take_back(future)
                self.own.put_back(future, future._priority)
        self.wake()

    def _take_back(self, future: Future) -> None:
        """Make a Future that was given ready to wait in the own queue again."""

    def rejoin(self) -> None:
        """The Broker was started again: introduce the node anew. For any thread."""
        with self.lock:
            if self.closed:
                return
            self.step(rules.Rejoin())
            self.flush()
        self.wake()

    def _resolve(self, action: rules.Resolve) -> None:
        odd = dict(action.odd) if action.odd else None
        interrupt: KeyboardInterrupt | None = None
        for number, outcome in zip(action.ids, action.outcomes):
            future = self.futures.pop(number, None)
            if future is None:  # an interrupt has come in between
                continue
            call = future._call
            if call is not None and call[1][:1] in HAS_SEGMENTS:
                self.payloads.release(call[1])
            kind = odd.get(number, messages.VALUE) if odd else messages.VALUE
            try:
                has_callbacks = self._settle_with(future, kind, outcome)
            except KeyboardInterrupt as error:  # meant for the program, not for the Future whose turn it is
                interrupt = error
                has_callbacks = self._settle_with(future, kind, outcome)
            except BaseException as error:  # the value cannot be loaded: that is what this Future has to say
                has_callbacks = future._settle(None, error)
            if has_callbacks:
                self._callbacks.append(future)
        self._wake_driver()
        if interrupt is not None:
            raise interrupt

    def _settle_with(self, future: Future, kind: int, outcome: bytes) -> bool:
        if kind != messages.VALUE:
            return self._settle_odd(future, kind, outcome)
        return future._settle(self.payloads.load(outcome, take=True), None)

    def _wake_driver(self) -> None:
        """What the driver waits for may have been taken in by this thread."""
        if self._driver.locked() and self._driving != threading.get_ident():
            self.wake()

    def _settle_odd(self, future: Future, kind: int, outcome: bytes) -> bool:
        if kind == messages.ERROR:
            return future._settle(None, load_failure(outcome, self.payloads))
        if kind == messages.CANCELLED:
            return future._settle_cancelled()
        report = codec.unpack_plain(outcome)
        if kind == messages.POISONED:
            host, worker, status, attempts, dump = report
            call = call_of(*future._call[:2]) if future._call else ""
            error = PoisonedFuture(self._name_of(future), host, worker, status, attempts, dump, call)
            return future._settle(None, error)
        reason, initializer_raised = report if type(report) is list else (report, False)
        kind_of_loss = InitializerFailed if initializer_raised else FederationLost
        return future._settle(None, kind_of_loss(str(reason)))

    def _name_of(self, future: Future) -> str:
        return str(future._call[0].name) if future._call else "a function"

    def _started(self, action: rules.Started) -> None:
        for number in action.ids:
            future = self.futures.get(number)
            if future is not None and not future.done():
                future._state = RUNNING
                if action.kept and future.on_cut is not None:
                    self._callbacks.append(SliceCut(future, action.kept))
                    self._wake_driver()

    def cancel(self, future: Future) -> bool:
        """Cancel a Future: at once if it is still here, else by fetching it back."""
        if future._state == RUNNING:
            return False
        if not future.done():
            self.cancel_all([future])
        return future._state == CANCELLED_AND_NOTIFIED

    def cancel_all(self, futures: list[Future]) -> int:
        """Cancel those that have not started, all with one question to the Broker; return how many those are."""
        given: list[Future] = []
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
                        self._callbacks.append(future)
            if given:
                self.step(rules.CancelGiven([future._number for future in given]))
        self._wait_for_verdicts(given)
        self.service()
        return count + sum(future._state == CANCELLED_AND_NOTIFIED for future in given)

    def _wait_for_verdicts(self, given: list[Future]) -> None:
        """Wait until each of these is done or known to be running, for a bounded time."""
        deadline = time.monotonic() + CANCEL_WAITS_SECONDS
        for future in given:
            while not future.done() and future._state != RUNNING and time.monotonic() < deadline:
                self.service()
                if not future.done():
                    safe_points.sleep(0.0005)

    # -- for people --------------------------------------------------------------------------------------------------

    def explain(self, future: Future) -> tuple[str, bool]:
        """Say where an own Future is that is not done, as far as this node knows, and whether others know more."""
        with self.lock:
            if future._number in self.futures:
                return self.machine.explain(future._number), True
            if future._call is None:
                return "it runs here, or waits for Futures that it has submitted", False
            before = list(itertools.takewhile(lambda other: other is not future, self.own))
        count = sum(other._call is not None for other in before)
        place = f"it waits in the queue of this node, priority {future._priority}, with {count} before it"
        return f"{place}; {self._why_waiting()}", False

    def _why_waiting(self) -> str:
        if not self.machine.linked:
            return "the link to the Broker is not open"
        return "the Broker has not asked for it: its Workers have enough to run"

    def statistics(self) -> dict[str, Any]:
        """Counts of what is here."""
        with self.lock:
            return {**self.machine.statistics(), "own": len(self.own)}

    # -- questions ---------------------------------------------------------------------------------------------------

    def ask(self, subject: str, submitter: str, number: int, timeout: float) -> tuple[list[tuple[str, bytes]], bool]:
        """Ask all machines that it concerns; return their answers, and whether the last came within `timeout` seconds.

        An answer is (name, report); the report is msgpack, empty where a machine did not answer in time.
        """
        answers: list[tuple[str, bytes]] = []
        complete: Future[Any] = Future(self)
        with self.lock:
            if self.closed or self.lost is not None:
                return [], False
            self._asked += 1
            inquiry = self._asked
            self._questions[inquiry] = answers, complete
            self.step(rules.Ask(inquiry, subject, submitter, number, timeout * SHARE_OF_TIMEOUT))
        try:
            self.service()
            self.wait(complete, timeout)
        finally:
            with self.lock:
                del self._questions[inquiry]
        return answers, complete.done()

    def _told(self, action: rules.Told) -> None:
        if action.number in self._questions:
            answers, complete = self._questions[action.number]
            if action.name:
                answers.append((action.name, action.report))
            if action.last:
                complete._settle(None, None)
                self._wake_driver()

    def _call_soon(self, due: Any) -> bool:
        if not self.closed:
            self._callbacks.append(due)
            self.wake()
        return not self.closed

    # -- constants and life ------------------------------------------------------------------------------------------

    def _shared(self, action: rules.Shared) -> None:
        self.constants[action.name] = action.body

    def share(self, name: str, value: Any) -> None:
        """Make `value` known to every node under `name`."""
        body = self.payloads.dump(value, Written())  # its segments stay: others will load it at any time
        if self.payloads.seal is not None:
            body = self.payloads.seal.stamp_of_constant(name).seal(0, body)
        with self.lock:
            self.constants[name] = body
            self.step(rules.Share(name, body))
        self.service()

    def _linked(self, action: rules.Linked) -> None:
        self.size = action.size

    def _denied(self, action: rules.Denied) -> None:
        self.lose(FederationLost(action.reason))

    def lose(self, error: FederationLost) -> None:
        """Nothing will come any more: resolve all that is open with `error`."""
        with self.lock:
            if self.lost is not None:
                return
            self.lost = error
            for future in [*self.futures.values(), *self.own]:
                if future._settle(None, error):
                    self._callbacks.append(future)
            self.futures.clear()
            self.own.clear()
        self.service()
        self.wake()

    def adapt(self, waiter: Any, future: Future) -> None:
        """Make a waiter of the standard library wait the way this node waits; the default is right for threads."""

    def wake_greenlets(self, greenlets: list[Any]) -> None:
        """Only Workers have greenlets that wait."""

    def wait(self, future: Future, timeout: float | None) -> None:
        """Return when the Future is done or the time is over; drive meanwhile, if nobody else does."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the sockets; the helper thread ends."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
        self.wake()
        self._gate.set()
        if threading.current_thread() is not self._helper and self._helper.ident is not None:
            self._helper.join(1.0)
        with self.lock:
            self.main.close()
            if self.meta is not None:
                self.meta.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._woken = True
