"""The Driver of a node: its sockets, its machine, and which thread uses them (decision 0002).

Whoever holds the lock may use the sockets, and drains them before it lets go, so that nothing waits unseen behind an
edge-triggered descriptor (:mod:`..sockets.sockets`). The thread that waits for a result drives the node itself. The
helper thread takes its place when nobody has driven for :data:`HELPER_AFTER_SECONDS`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from .. import failpoints
from ..errors import MalformedMessage, RemoteProtocolError
from ..federation.events import Arrived, Send, Tick
from ..node import events as rules
from ..node.machine import WorkerMachine
from ..node.pace import HELPER_AFTER_SECONDS, HELPER_LOOKS_SECONDS
from ..program import safe_points
from ..sockets.sockets import MainDealer, MetaSubscriber
from ..wire import codec

logger = logging.getLogger("fedfutures")
DRIVEN, PUMP_DUE = 0, 1
"""What the cells of :attr:`Driver.times` are."""


class Due(Protocol):
    """What is called when it is due: a Future whose callbacks are to be run, outside of the lock."""

    def _invoke_callbacks(self) -> None: ...


class Duties(Protocol):
    """What a node does whenever it is driven, and what its helper thread waits for besides State."""

    def send_due(self) -> None: ...
    def helper_deadline(self) -> float | None: ...
    def helper_listens(self) -> bool: ...


class Driver:
    """Steps the machine of a node with what arrives, and sends what it says; its actions go to `handlers`.

    `times` has when a thread has driven last (in a Worker: when its main thread got on last), and when the main thread
    of a Worker drives next. They are cells, as those of the host process are: each Future writes them.
    """

    __slots__ = (
        "_busy", "_driving", "_duties", "_gate", "_handlers", "_helper", "_helper_poller", "_meta_poller",
        "_on_alarm", "_outbox", "_poller", "_wake_read", "_wake_write", "_watched", "alarm_at", "callbacks", "closed",
        "lock", "machine", "main", "meta", "name", "times", "woken",
    )  # fmt: skip

    def __init__(self, owner: Any, facts: dict[str, Any], machine: WorkerMachine) -> None:
        self.machine, self.name = machine, machine.name
        self.lock = threading.RLock()
        self.main = MainDealer(owner, facts["main"], machine.name)
        self.meta = MetaSubscriber(owner, facts["meta"]) if machine.role == "worker" else None
        self.callbacks: deque[Due] = deque()
        self.closed = False
        self.times = [time.monotonic(), 0.0]
        self.woken = False
        self.alarm_at = math.inf  # when what has set an alarm is called
        self._on_alarm: Callable[[], object] = lambda: None
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._outbox: list[bytes] = []
        self._handlers: dict[type, Callable[[Any], None]] = {rules.Linked: lambda action: None}
        self._duties: Any = None
        self._watched: dict[int, Callable[[], Any]] = {}
        self._busy = threading.Lock()  # of the thread that drives
        self._driving = 0  # which one that is
        self._gate = threading.Event()
        self._poller, self._helper_poller, self._meta_poller = (self.make_poller() for _ in range(3))
        self._meta_poller.unregister(self.main.fd)
        self._helper = threading.Thread(target=self._help, name="fedfutures-helper", daemon=True)

    # -- putting a node together -------------------------------------------------------------------------------------

    def attend(self, duties: Duties, handlers: dict[type, Callable[[Any], None]]) -> None:
        """Learn what is to be done whenever the node is driven, and who takes which actions of the machine."""
        self._duties = duties
        self._handlers.update(handlers)

    def handle(self, action: type, handler: Callable[[Any], None]) -> None:
        """From now on this function takes actions of this type."""
        self._handlers[action] = handler

    def on_alarm(self, call: Callable[[], object]) -> None:
        """Have this called, with the lock held, by whoever drives at the time of the alarm, or after it."""
        self._on_alarm = call

    def set_alarm(self, time: float) -> None:
        """Set the alarm to a time of the monotonic clock, instead of the last one; infinity: to none."""
        if time != self.alarm_at:
            self.alarm_at = time
            self.wake()

    def watch(self, pipe: int, on_readable: Callable[[], Any]) -> None:
        """Listen to a pipe as well: whoever finds that something has come, or that it was closed, calls this."""
        self._watched[pipe] = on_readable
        for poller in (self._poller, self._helper_poller, self._meta_poller):
            poller.register(pipe, select.POLLIN)

    def unwatch(self, pipe: int) -> None:
        """Do not listen to it any more; it is about to be closed."""
        del self._watched[pipe]
        for poller in (self._poller, self._helper_poller, self._meta_poller):
            poller.unregister(pipe)

    def make_poller(self) -> select.poll:
        """Return a poller for what can arrive."""
        poller = select.poll()
        for descriptor in (self.main.fd, self._wake_read, *([self.meta.fd] if self.meta is not None else [])):
            poller.register(descriptor, select.POLLIN)
        return poller

    def start(self) -> None:
        """Introduce the node to its Broker and start the helper thread."""
        self._helper.start()
        self.service()

    # -- driving -----------------------------------------------------------------------------------------------------

    def service(self) -> None:
        """Take in what has arrived, send what can be sent, run what callbacks are due. Does not wait."""
        self.drain()
        if self.callbacks:
            self.call_back()

    @failpoints.delayed("node.drain")
    def drain(self) -> None:
        """The same without the callbacks."""
        send_due = self._duties.send_due
        with self.lock:
            if self.woken and not self.closed:
                self.woken = False
                try:
                    os.read(self._wake_read, 4096)
                except BlockingIOError:
                    pass
            # Until a round has neither received nor sent: sending may eat the sign of an arrival.
            while not self.closed:
                arrived = self._receive()
                if self.alarm_at < math.inf and time.monotonic() >= self.alarm_at:
                    self._on_alarm()
                send_due()
                if not self.flush() and not arrived:
                    break
            if self.alarm_at < math.inf:  # whoever waits may have missed that it was set
                self.wake_other()

    def call_back(self) -> None:
        """Run the callbacks of Futures that were resolved; the lock is not held."""
        while self.callbacks:
            try:
                due = self.callbacks.popleft()
            except IndexError:
                break
            try:
                due._invoke_callbacks()
            except BaseException:  # an interrupt, meant for the program; the other callbacks are not to wait for it
                if self.callbacks:
                    self.wake()
                    self._gate.set()
                raise

    def call_soon(self, due: Due) -> bool:
        """Have something called by whoever drives next; False if the node is closed."""
        if self.closed:
            return False
        self.callbacks.append(due)
        self.wake()
        return True

    def take_in(self) -> None:
        """Only take in what has arrived: the shortest way from a message to who waits for it."""
        with self.lock:
            if not self.closed:
                self._receive()
                self.flush()
        if self.callbacks:
            self.call_back()

    def send_now(self, send: Callable[[], object]) -> None:
        """Call what steps the machine, and send at once what it says."""
        with self.lock:
            send()
            if self.flush():
                self._receive()  # sending may have eaten the sign of an arrival
        if self.callbacks:
            self.call_back()

    def _receive(self) -> int:
        """Step the machine with all that has arrived; return how many messages that was."""
        count = 0
        if self.meta is not None:
            frame = self.meta.receive()
            if frame is not None:
                self._on_frame(frame)
        receive = self.main.receive
        while (frame := receive()) is not None:
            count += 1
            self._on_frame(frame)
        return count

    def _on_frame(self, frame: bytes) -> None:
        try:
            for sequence, acknowledged, message in codec.decode_all(frame):
                self.step(Arrived("", sequence, acknowledged, message))
        except (MalformedMessage, RemoteProtocolError) as error:
            logger.warning("%s: dropped a message: %s", self.name, error)

    def tick(self) -> None:
        """Tell the machine the time if it asked for that. The lock is held."""
        if self._machine_is_due():
            self.step(Tick())

    def step(self, event: rules.Event) -> None:
        """Give the machine an event and do what it says. The lock is held."""
        for action in self.machine.step(event, time.monotonic()):
            if type(action) is Send:
                self._outbox.append(codec.encode(action.message, action.sequence, action.acknowledged))
            else:
                self._handlers[type(action)](action)

    @failpoints.delayed("node.flush")
    def flush(self) -> int:
        """Send what the machine has said, if possible in one frame; return how many messages. The lock is held."""
        count = len(self._outbox)
        if count:
            for frame in self._outbox if count == 1 else codec.joined(self._outbox):
                self.main.send(frame)
            self._outbox.clear()
        return count

    def rejoin(self) -> None:
        """The Broker was started again: introduce the node anew. For any thread."""
        with self.lock:
            if self.closed:
                return
            self.step(rules.Rejoin())
            self.flush()
        self.wake()

    def begin_anew(self, clean_up: Callable[[], object]) -> None:
        """The Broker has ended with all its Workers: take in what it has said, then forget it. For any thread.

        `clean_up` is called when nothing of what they made can come any more.
        """
        with self.lock:
            if self.closed:
                return
            self.drain()
            self.step(rules.BrokerEnded())
            clean_up()
            self.flush()
        self.wake()

    # -- who drives --------------------------------------------------------------------------------------------------

    def begin_driving(self) -> bool:
        """Become the thread that drives; False if there is one."""
        if not self._busy.acquire(blocking=False):
            return False
        self._driving = threading.get_ident()
        return True

    def end_driving(self, *, got_on: bool = True) -> None:
        """Let another thread drive; `got_on`: what this one does is no long silence."""
        if got_on:
            self.times[DRIVEN] = time.monotonic()
        self._driving = 0
        self._busy.release()

    @property
    def is_driving(self) -> bool:
        """Whether this thread drives: a handler of a signal may ask, in the middle of a wait."""
        return self._driving == threading.get_ident()

    def open_gate(self) -> None:
        """Have the helper thread look now whether anybody drives."""
        self._gate.set()

    def poll(self, deadline: float | None, poller: select.poll | None = None) -> bool:
        """Wait until something arrives, or time comes for something; return whether something has arrived.

        `poller`: one of its own, for a thread that does not drive.
        """
        with self.lock:  # another thread may be in the middle of a step
            due = self.machine.next_deadline()
            if due is None or self.alarm_at < due:
                due = self.alarm_at
        if due < math.inf and (deadline is None or due < deadline):
            deadline = due
        milliseconds = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000 + 0.5
        ready = safe_points.poll(poller or self._poller, milliseconds)
        for descriptor, _ in ready:
            if (on_readable := self._watched.get(descriptor)) is not None:
                on_readable()
        return bool(ready)

    @failpoints.delayed("node.wake")
    def wake(self) -> None:
        """Make whoever waits in :meth:`poll` look again."""
        if not self.woken:
            try:
                os.write(self._wake_write, b"!")
            except OSError:
                pass  # full, which wakes as well; or closed
            self.woken = True  # only now: whoever sees it can read the byte

    def wake_other(self) -> None:
        """What the thread that drives waits for may have been taken in by this one."""
        if self._busy.locked() and self._driving != threading.get_ident():
            self.wake()

    def _help(self) -> None:
        """Drive while nobody else does (the helper thread). Others depend on it, so no exception ends it."""
        while not self.closed:
            try:
                self._help_once()
            except BaseException:
                with contextlib.suppress(BaseException):  # a handler of the program may raise as well
                    logger.exception("%s: the helper thread failed, and goes on", self.name)
                time.sleep(HELPER_LOOKS_SECONDS)

    @failpoints.delayed("node.help")
    def _help_once(self) -> None:
        quiet = time.monotonic() - self.times[DRIVEN]
        if self._busy.locked() or quiet < HELPER_AFTER_SECONDS:
            self._gate.wait(HELPER_LOOKS_SECONDS if quiet > HELPER_LOOKS_SECONDS else HELPER_AFTER_SECONDS)
            self._gate.clear()
            return
        with self.lock:
            if self.closed:
                return
            deadline = self._duties.helper_deadline()
            poller = self._helper_poller if self._duties.helper_listens() else self._meta_poller
        arrived = self.poll(deadline, poller)
        due = deadline is not None and time.monotonic() >= deadline
        if (arrived or due or self._is_due()) and not self._busy.locked() and not self.closed:
            self.service()

    def _is_due(self) -> bool:
        with self.lock:
            return self._machine_is_due() or time.monotonic() >= self.alarm_at

    def _machine_is_due(self) -> bool:
        deadline = self.machine.next_deadline()
        return deadline is not None and time.monotonic() >= deadline

    def abandon(self) -> None:
        """This process is a fork of the node's: its sockets and threads stayed behind."""
        self.closed = self.woken = True

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
            self.woken = True
