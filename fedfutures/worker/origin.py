"""The Origin: the node of the program itself. It submits and collects, and runs nothing.

``submit`` pickles at once, appends, and returns; whoever drives next sends. It sends itself when Workers may be idle,
and every so often while many are submitted, so that a program that only submits keeps the Federation fed.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

from ..federation.terms import FREE
from ..node import events as rules
from ..program import postponing
from ..program.process import ProcessChanges
from ..program.snapshots import join
from ..wire.functions import Definition
from ..wire.manifest import MANIFEST, segments_of
from ..wire.names import origin_name
from ..wire.payload import Payloads
from . import journal
from .call_terms import CallTerms
from .definer import Definer
from .driven_wait import DrivenWait
from .driver import Driver
from .files import CONSTANT
from .future import Future, put_conditions, put_priority, put_tries
from .node import Node
from .packer import Packer, Submitter, plain_payload
from .pressure import SMALL_BYTES, Pressure
from .providing import Provider
from .retries import Tries
from .sights import show_stack
from .submissions import Submissions

SEND_EVERY_FUTURES = 128
URGENT_EVERY_SECONDS = 0.001


class OriginPacking:
    """The calls of an Origin are packed when they are submitted; they are never run here."""

    def __init__(self, provider: Provider, driver: Driver) -> None:
        self.tell = provider.tell
        self._machine = driver.machine
        self.urgent = self._machine.urgent

    def pack(self, future: Future[Any]) -> tuple[Definition, bytes, str]:
        """No call waits here that was not packed."""
        raise NotImplementedError

    def unpack(self, future: Future[Any], priority: int) -> None:
        """It can only be given again."""

    def why_waiting(self) -> str:
        """Why a Future is still here, for people."""
        if not self._machine.linked:
            return "the link to the Broker is not open"
        return "the Broker has not asked for it: its Workers have enough to run"


class OriginDuties:
    """What an Origin does whenever it is driven: it gives what the Broker can take."""

    def __init__(self, driver: Driver, submissions: Submissions) -> None:
        self._offer, self._tick = submissions.offer, driver.tick

    def send_due(self) -> None:
        """Give own Futures, and do what time asks for."""
        self._offer()
        self._tick()

    def helper_deadline(self) -> float | None:
        """An Origin waits for nothing but messages."""
        return None

    def helper_listens(self) -> bool:
        """Whatever comes for an Origin is an outcome."""
        return True


class Origin(Node):
    """The submitting end of a Federation, usable from any thread of the program."""

    def __init__(
        self, owner: Any, facts: dict[str, Any], payloads: Payloads, size: int, process: ProcessChanges
    ) -> None:  # fmt: skip
        name = origin_name(f"{os.getpid()}-{os.urandom(3).hex()}", facts["name"])
        super().__init__(owner, facts, name, "origin", payloads, size)
        driver, submissions = self.driver, self.submissions
        self.definer = Definer(payloads, self.functions, process)
        self._packer = Packer(payloads, self.definer)
        self._urgent_at = 0.0
        self.pressure = Pressure(driver, submissions)
        show_stack(self.sights)
        provider = Provider(driver, payloads, self.definer)
        wait = DrivenWait(driver, self.own, self.lanes).wait
        submissions.attend(OriginPacking(provider, driver), wait, self.questions.ask)
        driver.attend(OriginDuties(driver, submissions), self.handlers() | {rules.Asked: provider.answer})

    def start(self) -> None:
        """Introduce the node to its Broker, and have it driven from now on."""
        postponing.begin(self.driver)
        self.lanes.listen()
        super().start()

    @journal.before("close", lambda self: [(self.name,)])
    def close(self) -> None:
        """Close the sockets."""
        super().close()
        postponing.end(self.driver)

    def begin_anew(self) -> None:
        """All other processes of this host have ended; those that take their place will be given all Futures again.

        What they have left in shared memory is removed, but for what they have shared. For any thread.
        """
        segments = self.payloads.segments
        assert segments is not None
        self.driver.begin_anew(lambda: segments.remove_others(self._segments_of_constants()))

    def _segments_of_constants(self) -> set[str]:
        return {name for body in self.constants.values() for name in segments_of(body)}

    def share(self, name: str, value: Any) -> None:
        """Make `value` known to every node under `name`; a file, by a link where the processes of its host find it."""
        if name.startswith(CONSTANT) and self.payloads.segments is not None:
            self.payloads.segments.link(value[0], value[2])
        super().share(name, value)

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        terms: CallTerms | None = None,
    ) -> Future[Any]:  # fmt: skip
        """Submit one call; its priority is 0 unless another is given."""
        definition = self._packer.define(function)
        payload = None if kwargs else plain_payload(args)
        if payload is None:
            definition, payload = self._packer.pack(definition, function, args, kwargs)
            if len(payload) > SMALL_BYTES or payload[:1] == MANIFEST:
                self.pressure.admit(payload)
        elif len(payload) > SMALL_BYTES:
            self.pressure.admit(payload)
        return self._submit_packed(definition, payload, terms)

    def version_of(self, function: Callable[..., Any]) -> tuple[bytes, bytes]:
        """Return what tells a function, with all that its calls see, from what it is after any change."""
        definition = self._packer.define(function)
        return definition.digest, b"" if definition.snapshot is None else definition.snapshot.digest

    def submitter(self, function: Callable[..., Any], terms: CallTerms | None = None) -> Submitter:
        """Return what submits many calls of one function; they travel together, at the next :meth:`send`."""
        submit = functools.partial(self._submit_packed, terms=terms, waits=True)
        return Submitter(self._packer, function, submit)

    def _submit_packed(
        self, definition: Definition, payload: bytes, terms: CallTerms | None = None, *, waits: bool = False
    ) -> Future[Any]:
        submissions = self.submissions
        if submissions.lost is not None:
            raise submissions.lost
        if definition.snapshot is not None:
            payload = join(definition.snapshot.digest, payload)
        number = next(submissions.numbers)
        future: Future[Any] = Future(submissions, number, (definition, payload, ""), definition.name)
        own = self.own.common
        is_urgent = False
        if terms is None:
            own.append(future)
        else:
            if terms.conditions is not FREE:
                put_conditions(future, terms.conditions)
            if terms.retries is not None:
                put_tries(future, Tries(terms.retries, time.monotonic()))
            is_urgent = self._put_ranked(future, terms.priority or 0)
        if waits:
            return future
        if number >= self.pressure.number and len(payload) <= 2 * SMALL_BYTES:  # others were admitted
            self.pressure.look(number)
        if is_urgent or self.machine.own.count < submissions.size:
            self.send()
        elif len(own or self.own) % SEND_EVERY_FUTURES == 0:
            self.service()
        elif not self.driver.woken:
            self.driver.wake()
        return future

    def send(self) -> None:
        """Send what the Broker can take now."""
        self.driver.send_now(self.submissions.offer)

    def _put_ranked(self, future: Future[Any], priority: int) -> bool:
        """Queue a Future of some priority; return whether it is to be sent at once.

        That is once in a while: each of many urgent ones would else be a message of its own.
        """
        put_priority(future, priority)
        self.own.put(future, priority)
        now = time.monotonic()
        if priority <= 0 or now < self._urgent_at:
            return False
        self._urgent_at = now + URGENT_EVERY_SECONDS
        return True
