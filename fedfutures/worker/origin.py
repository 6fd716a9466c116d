"""The Origin: the node of the program itself. It submits and collects, and runs nothing.

``submit`` pickles at once (what is sent is what was passed, and an argument that cannot travel is an error at the
call), appends, and returns; whoever drives next sends. It sends itself when Workers may be idle, and every so often
while many are submitted, so that a program that only submits keeps the Federation fed without its helper thread.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import pickle
import select
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import NoRoom
from ..program import postponing, safe_points
from ..program.process import ProcessChanges
from ..program.reach import Reach
from ..program.snapshots import join
from ..program.variables import Snapshot
from ..wire import culprits
from ..wire.functions import Definition
from ..wire.manifest import segments_of
from ..wire.payload import Payloads
from ..wire.segments import SHARED_FROM_BYTES
from ..wire.written import Written
from . import events as rules
from .definer import Definer
from .files import CONSTANT
from .future import Future
from .inheriting import advice
from .node import Node
from .plain import ATOMS
from .providing import Provider

SEND_EVERY_FUTURES = 128
REMEMBERED_BYTES = 64 << 20
"""How much of the large buffers of a map is kept at most, in case that they come again."""
URGENT_EVERY_SECONDS = 0.001


class Origin(Node):
    """The submitting end of a Federation, usable from any thread of the program."""

    def __init__(
        self, owner: Any, facts: dict[str, Any], payloads: Payloads, size: int, process: ProcessChanges
    ) -> None:  # fmt: skip
        super().__init__(owner, facts, f"origin-{os.getpid()}-{os.urandom(3).hex()}", "origin", payloads)
        self.size = size
        self._urgent_at = 0.0
        self.definer = Definer(payloads, self.functions, process)
        provider = Provider(self, self.definer)
        self._actions[rules.Asked] = provider.answer
        self._actions[Snapshot] = provider.tell

    def start(self) -> None:
        postponing.begin(self)
        super().start()

    def close(self) -> None:
        super().close()
        postponing.end(self)

    def share(self, name: str, value: Any) -> None:
        if name.startswith(CONSTANT) and self.payloads.segments is not None:
            self.payloads.segments.link(value[0], value[2])
        super().share(name, value)

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], priority: int | None = None
    ) -> Future:
        """Submit one call; its priority is 0 unless another is given."""
        definition = self.define(function)
        payload = None if kwargs else _plain_payload(args)
        if payload is None:
            payload, reached = self.pack(function, args, kwargs)
            if reached:
                definition = self.definer.with_arguments(definition, reached)
        return self.submit_defined(definition, payload, priority)

    def define(self, function: Any) -> Definition:
        """Return the function's definition; raise PicklingError when it cannot travel."""
        try:
            return self.definer.define(function)
        except NoRoom:
            raise
        except Exception as error:
            if not callable(function) or postponing.is_by_signal(error):
                raise
            raise pickle.PicklingError(culprits.of_function(function, error, advice(error))) from None

    def pack(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], written: Written | None = None
    ) -> tuple[bytes, Reach]:  # fmt: skip
        """Return the payload of the arguments for `function`, and what they reach; raise PicklingError."""
        reached = Reach()
        try:
            return self.payloads.dump((args, kwargs), written, reached=reached), reached
        except NoRoom:
            raise
        except Exception as error:
            if postponing.is_by_signal(error):
                raise
            raise pickle.PicklingError(culprits.of_arguments(function, args, kwargs, error, advice(error))) from None

    def submit_defined(
        self, definition: Definition, payload: bytes, priority: int | None = None, *, waits: bool = False
    ) -> Future:
        """Submit a call that is ready to travel; one that `waits` travels with others, at the next :meth:`send`."""
        if self.lost is not None:
            raise self.lost
        if definition.snapshot is not None:
            payload = join(definition.snapshot.digest, payload)
        future = Future(self, next(self.numbers), (definition, payload, ""))
        future._name = definition.name
        own = self.own.common
        is_urgent = False
        if priority:
            is_urgent = self._put_ranked(future, priority)
        else:
            own.append(future)
        if waits:
            return future
        if is_urgent or self.machine.given_count < self.size:
            self.send()
        elif len(own or self.own) % SEND_EVERY_FUTURES == 0:
            self.service()
        elif not self._woken:
            self.wake()
        return future

    def send(self) -> None:
        """Send what the Broker can take now."""
        with self.lock:
            self.offer()
            self.flush()
            self._receive()  # sending may have eaten the sign of an arrival
        if self._callbacks:
            self.call_back()

    def _put_ranked(self, future: Future, priority: int) -> bool:
        """Queue a Future of another priority than 0; return whether it is to be sent at once.

        That is once in a while: each of many urgent ones would else be a message of its own.
        """
        future._priority = priority
        self.own.put(future, priority)
        now = time.monotonic()
        if priority < 0 or now < self._urgent_at:
            return False
        self._urgent_at = now + URGENT_EVERY_SECONDS
        return True

    def submitter(self, function: Callable[..., Any], priority: int | None = None) -> Submitter:
        """Return what submits many calls of one function."""
        return Submitter(self, function, priority)

    def wait(self, future: Future, timeout: float | None) -> None:
        """Wait for a Future, driving the node if no other thread does."""
        if not postponing.pending.is_installed:  # this is the first call in the main thread, or none
            postponing.install()
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._driver.acquire(blocking=False):
            if self._driving == threading.get_ident():  # the handler of a signal, called in the middle of a wait
                self._drive_until(future, deadline, self._make_poller())
            else:
                self._sleep_until(future, timeout)
            return
        self._driving = threading.get_ident()
        began = time.monotonic()
        try:
            self._drive_until(future, deadline, self._poller)
        except BaseException as error:
            raise postponing.shortened(error)  # noqa: B904  # the same error
        finally:
            now = self.driven_at = time.monotonic()
            self._driving = 0
            self._driver.release()
            if now - began > 0.005:
                self._gate.set()

    def _drive_until(self, future: Future, deadline: float | None, poller: select.poll) -> None:
        self.service()
        while not future.done() and (deadline is None or time.monotonic() < deadline):
            self.poll(poller, deadline)
            self.take_in()
            if not future.done() or self.own:
                self.service()

    def _sleep_until(self, future: Future, timeout: float | None) -> None:
        """Sleep while another thread drives. A Condition would not do: what interrupts one may keep its lock."""
        bell = Bell()
        with self.lock:
            if future.done():
                return
            future._waiters.append(bell)
        try:
            safe_points.ring(bell.lock, timeout)
        finally:
            with self.lock, contextlib.suppress(ValueError):
                future._waiters.remove(bell)


class Bell:
    """A waiter in the manner of the standard library's: rings once, when the Future is done."""

    __slots__ = ("lock",)

    sees = False  # an error: that is for whoever asks for the outcome then

    def __init__(self) -> None:
        self.lock = _thread.allocate_lock()
        self.lock.acquire()

    def add_result(self, future: Future) -> None:
        """The Future is done, in whatever way."""
        self.lock.release()

    add_exception = add_cancelled = add_result


class Submitter:
    """Submits calls of one function: defined once, large buffers that come again unchanged written once."""

    def __init__(self, origin: Origin, function: Any, priority: int | None) -> None:
        self._origin, self._function, self._priority = origin, function, priority
        self._definition = origin.define(function)
        self.digest = self._definition.digest
        self._written = Written()
        self._packing = threading.Lock()
        self._closed = False
        self._is_steady: Callable[[], bool] | None = None

    def attend(self, is_steady: Callable[[], bool]) -> None:
        """Ask before each call whether buffers that come again are as they were."""
        self._is_steady = is_steady

    def __call__(self, args: tuple[Any, ...]) -> tuple[Future, int]:
        """Submit a call; return its Future and how many bytes it takes on the way."""
        with self._packing:
            found = self._submit(args)
        self._let_go()
        return found

    def _submit(self, args: tuple[Any, ...]) -> tuple[Future, int]:
        written = self._written
        written.new_bytes = 0
        written.is_steady = self._is_steady is not None and self._is_steady()
        payload, reached = self._origin.pack(self._function, args, {}, written)
        definition = self._definition
        if reached:
            definition = self._origin.definer.with_arguments(definition, reached)
        size = len(payload) + written.new_bytes
        if written.bytes > REMEMBERED_BYTES:  # what was used so long ago that it hardly comes again is let go
            written.shrink(REMEMBERED_BYTES, set(segments_of(payload)), self._release)
        return self._origin.submit_defined(definition, payload, self._priority, waits=True), size

    def _release(self, names: list[str]) -> None:
        segments = self._origin.payloads.segments
        if segments is not None:
            segments.release(names, reuse=True)

    def close(self) -> None:
        """No more calls, after one that may be under way in another thread: what was kept for them is let go."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        while self._closed and self._written and self._packing.acquire(blocking=False):
            try:
                self._release(self._written.clear())
            finally:
                self._packing.release()


def _plain_payload(args: tuple[Any, ...]) -> bytes | None:
    """Return the payload of arguments that reach nothing and are not large; None for others."""
    for arg in args:
        if type(arg) not in ATOMS:
            return None
    payload = pickle.dumps((args, {}), 5)
    return payload if len(payload) < SHARED_FROM_BYTES else None
