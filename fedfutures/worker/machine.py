"""The rules of a node at the end of a link: a Worker, or the Origin, which is one that never has Demand.

Theory of operation. The node introduces itself until it is welcome. What it is given (*held* pieces) it runs, returns
or, asked to cancel, hands back; what it *gave* stays in its ledger until the results come. How many Futures it asks
for follows from their measured duration (:mod:`..federation.schedule` has the arithmetic); how many of its
own it gives up follows from the Broker's Demand (the Origin) or from the hunger that the Broker publishes (a Worker).

The machine knows Futures by number only. Functions and payloads pass through it unopened; what executes them, and
the Future objects that people hold, belong to the shell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import LocalProtocolError, RemoteProtocolError
from ..federation.channel import Channel
from ..federation.events import Arrived, Send, Tick
from ..federation.schedule import HORIZON_SECONDS, Durations, futures_in
from ..wire import messages
from ..wire.messages import PROTOCOL

HELLO_AGAIN_SECONDS = 0.25
LONG_SECONDS = 0.1
"""A function that takes this long is not asked for ahead: the round trip is nothing beside it."""


@dataclass(slots=True)
class Offer:
    """Event: give these own Futures to the Broker."""

    digest: bytes
    ids: list[int]
    payloads: list[bytes]
    backlog: int


@dataclass(slots=True)
class Finished:
    """Event: outcomes of held Futures of one piece; `seconds` were measured on `count` of them."""

    piece: int
    ids: list[int]
    outcomes: list[bytes]
    odd: list[tuple[int, int]]
    seconds: float
    count: int


@dataclass(slots=True)
class GiveBack:
    """Event: these held Futures were not started and go back."""

    piece: int
    ids: list[int]


@dataclass(slots=True)
class Load:
    """Event: what the node has now; the machine says its Demand if that is news."""

    unstarted: int  # held, not started
    own: int  # submitted here, neither started nor given
    busy: bool  # something is being run right now
    one_by_one: bool = False  # nothing is to wait behind what runs: it takes longer than expected, or is the last


@dataclass(slots=True)
class CancelGiven:
    """Event: ask for these own Futures, given before, back for good."""

    ids: list[int]


@dataclass(slots=True)
class Share:
    """Event: share a constant with every node."""

    name: str
    body: bytes


@dataclass(slots=True)
class Report:
    """Event: these held Futures have been running for a while."""

    piece: int
    ids: list[int]


@dataclass(slots=True)
class Leave:
    """Event: the node leaves on purpose."""

    reason: str


@dataclass(slots=True)
class Run:
    """Action: these Futures are to be executed."""

    batch: messages.Batch
    body: bytes  # the function's definition


@dataclass(slots=True)
class Resolve:
    """Action: own Futures have outcomes; `odd` lists (id, kind) of those that are not plain values."""

    ids: list[int]
    outcomes: list[bytes]
    odd: list[tuple[int, int]]


@dataclass(slots=True)
class Unstart:
    """Action: the submitter asks for these held Futures; hand back, as cancelled, those that have not started."""

    piece: int
    ids: list[int]


@dataclass(slots=True)
class Started:
    """Action: own Futures are known to be running."""

    ids: list[int]


@dataclass(slots=True)
class Shared:
    """Action: a shared constant has this value now."""

    name: str
    body: bytes


@dataclass(slots=True)
class Linked:
    """Action: the link is open; `size` Workers are in the Federation."""

    size: int


@dataclass(slots=True)
class Denied:
    """Action: the Broker refuses this node."""

    reason: str


Event = Arrived | Offer | Finished | GiveBack | Load | CancelGiven | Share | Report | Leave | Tick
Action = Send | Run | Resolve | Unstart | Started | Shared | Linked | Denied


@dataclass(slots=True)
class Held:
    """A piece given to this node."""

    attempt: int
    function: bytes
    pending: set[int]


class WorkerMachine:
    """One node. ``step(event, now)`` returns the actions; see the module's text."""

    def __init__(self, name: str, role: str, boot: int, pid: int) -> None:
        self.name, self.role = name, role
        self._hello = messages.Hello(PROTOCOL, role, name, boot, pid)
        self._hello_at: float | None = 0.0
        self.channel = Channel()
        self.linked = False
        self.durations = Durations()
        self.held: dict[int, Held] = {}
        self.given: dict[int, tuple[bytes, set[int]]] = {}  # own pieces at the Broker: (function, pending ids)
        self._where: dict[int, int] = {}  # own id -> the piece it went in
        self._pieces = 0
        self._given_count = 0
        self._definitions: dict[bytes, messages.Function] = {}  # own functions that given Futures may still need
        self._sent: set[bytes] = set()  # functions the Broker was sent
        self._bodies: dict[bytes, bytes] = {}  # definitions that came
        self._wait: dict[bytes, list[messages.Batch]] = {}  # Batches that came before their function
        self._hunger = 0
        self._hunger_number = 0
        self._constants: dict[str, int] = {}
        self._load = Load(0, 0, False)
        self._asked = 0  # the Demand said last, less what came since
        self._said_idle = False
        self._leaving = False
        self._actions: list[Action] = []
        self._handlers: dict[type, Callable[[Any, float], None]] = {
            Offer: self._offer,
            Finished: self._finished,
            GiveBack: self._give_back,
            Load: self._take_load,
            CancelGiven: self._cancel_given,
            Share: self._share,
            Report: self._report,
            Leave: self._leave,
            Tick: self._tick,
            messages.Welcome: self._on_welcome,
            messages.Refused: self._on_refused,
            messages.Ack: lambda message, now: None,
            messages.Demand: lambda message, now: None,  # taken in with the header
            messages.Function: self._on_function,
            messages.Want: self._on_want,
            messages.Batch: self._on_batch,
            messages.Results: self._on_results,
            messages.Cancel: self._on_cancel,
            messages.Running: self._on_running,
            messages.Constant: self._on_constant,
            messages.State: self._on_state,
        }

    def step(self, event: Event, now: float) -> list[Action]:
        """Take an event in and return what is to be done."""
        if type(event) is Arrived:
            self._arrived(event, now)
        else:
            handler = self._handlers.get(type(event))
            if handler is None:
                raise LocalProtocolError(f"a Worker has no rule for {event!r}")
            handler(event, now)
        actions, self._actions = self._actions, []
        return actions

    def _arrived(self, event: Arrived, now: float) -> None:
        message = event.message
        if not self.linked and type(message) not in (messages.Welcome, messages.Refused):
            return  # meant for an earlier process of this name: its numbers say nothing here
        if not self.channel.accept(event.sequence, event.acknowledged, now):
            return
        if type(message) is messages.Demand:
            self.channel.demand(message.count)
            return
        handler = self._handlers.get(type(message))
        if handler is None:
            raise RemoteProtocolError(f"{type(message).__name__} is not for Workers")
        handler(message, now)

    def next_deadline(self) -> float | None:
        """When the next Tick is due."""
        if not self.linked:
            return self._hello_at
        return self.channel.deadline()

    def wanted(self) -> int:
        """How many own Futures the Broker can take now."""
        if not self.linked:
            return 0
        return max(0, self.channel.room) if self.role == "origin" else self._hunger

    @property
    def hunger(self) -> int:
        """Futures that idle Workers elsewhere could run now."""
        return self._hunger

    @property
    def given_count(self) -> int:
        """How many own Futures are at the Broker."""
        return self._given_count

    def _send(self, message: messages.Message, now: float) -> None:
        sequence, acknowledged = self.channel.number(message, now)
        self._actions.append(Send("", message, sequence, acknowledged))

    # -- the link ----------------------------------------------------------------------------------------------------

    def _tick(self, event: Tick, now: float) -> None:
        if not self.linked:
            if self._hello_at is not None and now >= self._hello_at:
                self._send(self._hello, now)
                self._hello_at = now + HELLO_AGAIN_SECONDS
            return
        for sequence, message in self.channel.repeat(now):
            self._actions.append(Send("", message, sequence, self.channel.acknowledged))
        if self.channel.ack_is_due(now):
            self._send(messages.Ack(), now)

    def _on_welcome(self, welcome: messages.Welcome, now: float) -> None:
        if not self.linked:
            self.linked = True
            self._actions.append(Linked(welcome.size))
            self._announce(now)

    def _on_refused(self, refused: messages.Refused, now: float) -> None:
        self._hello_at = None
        self._actions.append(Denied(refused.reason))

    def _leave(self, event: Leave, now: float) -> None:
        self._leaving = True
        self._send(messages.Bye(event.reason), now)

    # -- work for this node ------------------------------------------------------------------------------------------

    def _on_function(self, function: messages.Function, now: float) -> None:
        self._bodies[function.digest] = function.body
        for batch in self._wait.pop(function.digest, ()):
            self._actions.append(Run(batch, function.body))

    def _on_batch(self, batch: messages.Batch, now: float) -> None:
        self.held[batch.piece] = Held(batch.attempt, batch.function, set(batch.ids))
        self._asked = 0 if batch.spent else max(0, self._asked - len(batch.ids))
        self._said_idle = False
        body = self._bodies.get(batch.function)
        if body is not None:
            self._actions.append(Run(batch, body))
        else:
            self._wait.setdefault(batch.function, []).append(batch)
            self._send(messages.Want(batch.function), now)

    def forget(self, digest: bytes) -> None:
        """The shell has dropped a function from its cache; ask for it when it is needed again."""
        self._bodies.pop(digest, None)

    def _finished(self, done: Finished, now: float) -> None:
        held = self.held[done.piece]
        held.pending.difference_update(done.ids)
        if not held.pending:
            del self.held[done.piece]
        self.durations.learn(held.function, done.seconds, done.count)
        self._send(
            messages.Results(done.piece, held.attempt, done.ids, done.outcomes, done.odd, done.seconds, done.count), now
        )

    def _give_back(self, back: GiveBack, now: float) -> None:
        held = self.held[back.piece]
        held.pending.difference_update(back.ids)
        if not held.pending:
            del self.held[back.piece]
        self._hunger = max(0, self._hunger - len(back.ids))
        self._asked = 0
        self._send(messages.Return(back.piece, back.ids), now)

    def _on_cancel(self, cancel: messages.Cancel, now: float) -> None:
        if cancel.piece in self.held:
            self._actions.append(Unstart(cancel.piece, cancel.ids))

    def _report(self, report: Report, now: float) -> None:
        if report.piece in self.held:
            self._send(messages.Running(report.piece, report.ids), now)

    def _take_load(self, load: Load, now: float) -> None:
        self._load = load
        if self.linked:
            self._announce(now)

    def _announce(self, now: float) -> None:
        """Say the Demand where it is news: half of what is wanted was not asked for yet, or nothing is left to run.

        The Broker takes what it gives off the Demand by itself, and sees a node as idle that holds nothing; so while
        little is given, nothing has to be said.
        """
        if self.role != "worker" or self._leaving:
            return
        load, mean = self._load, self.durations.last
        here = load.unstarted + load.own
        idle = not here and not load.busy
        one_by_one = load.one_by_one or mean is None or mean >= LONG_SECONDS
        target = (0 if load.busy else 1) if one_by_one else futures_in(HORIZON_SECONDS, mean)
        wanted = target - here
        if wanted <= 0:
            return
        news = idle and not self._said_idle and bool(self.held)
        if news or (2 * self._asked < wanted and 2 * wanted >= target):
            self._asked, self._said_idle = wanted, idle
            self._send(messages.Demand(wanted, idle), now)

    # -- own Futures -------------------------------------------------------------------------------------------------

    def define(self, digest: bytes, name: str, body: bytes) -> None:
        """Keep the definition of an own function, to be sent with the first Batch that needs it."""
        if digest not in self._definitions:
            self._definitions[digest] = messages.Function(digest, name, body)

    def _offer(self, offer: Offer, now: float) -> None:
        if offer.digest not in self._sent:
            self._sent.add(offer.digest)
            self._send(self._definitions[offer.digest], now)
        self._pieces += 1
        self.given[self._pieces] = (offer.digest, set(offer.ids))
        self._where.update(dict.fromkeys(offer.ids, self._pieces))
        self._given_count += len(offer.ids)
        self._hunger = max(0, self._hunger - len(offer.ids))
        self._send(
            messages.Batch(
                self._pieces, self.name, offer.digest, 1, 0, offer.backlog, False, offer.ids, offer.payloads
            ),
            now,
        )

    def _on_want(self, want: messages.Want, now: float) -> None:
        definition = self._definitions.get(want.digest)
        if definition is not None:
            self._send(definition, now)

    def _on_results(self, results: messages.Results, now: float) -> None:
        entry = self.given.get(results.piece)
        if entry is None:
            return
        digest, pending = entry
        ids, outcomes = results.ids, results.outcomes
        if not pending.issuperset(ids):
            kept = [(number, outcome) for number, outcome in zip(ids, outcomes) if number in pending]
            ids, outcomes = [number for number, _ in kept], [outcome for _, outcome in kept]
        pending.difference_update(ids)
        for number in ids:
            del self._where[number]
        self._given_count -= len(ids)
        if not pending:
            del self.given[results.piece]
        self.durations.learn(digest, results.seconds, results.count)
        self._actions.append(Resolve(ids, outcomes, results.odd))

    def _cancel_given(self, event: CancelGiven, now: float) -> None:
        pieces: dict[int, list[int]] = {}
        for number in event.ids:
            if number in self._where:
                pieces.setdefault(self._where[number], []).append(number)
        for piece, ids in pieces.items():
            self._send(messages.Cancel(piece, ids), now)

    def _on_running(self, running: messages.Running, now: float) -> None:
        entry = self.given.get(running.piece)
        if entry is not None:
            self._actions.append(Started([number for number in running.ids if number in entry[1]]))

    # -- what is shared ----------------------------------------------------------------------------------------------

    def _share(self, share: Share, now: float) -> None:
        version = self._constants[share.name] = self._constants.get(share.name, 0) + 1
        self._send(messages.Constant(share.name, version, share.body), now)

    def _on_constant(self, constant: messages.Constant, now: float) -> None:
        if constant.version > self._constants.get(constant.name, 0):
            self._constants[constant.name] = constant.version
            self._actions.append(Shared(constant.name, constant.body))

    def _on_state(self, state: messages.State, now: float) -> None:
        if state.number > self._hunger_number:
            self._hunger_number, self._hunger = state.number, state.hunger

    # -- for people and tests ----------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "held": sum(len(held.pending) for held in self.held.values()),
            "given": self._given_count,
            "functions": len(self._bodies),
            "unacknowledged": self.channel.unacknowledged,
        }

    def explain(self, number: int) -> str:
        """Say where an own Future is."""
        piece = self._where.get(number)
        if piece is None:
            return f"not given away by {self.name}: it waits here for Demand, runs, or is done"
        return f"given to the Broker by {self.name} in piece {piece}"

    def check(self) -> None:
        """Assert the invariants: counts equal sums, no empty pieces."""
        self.channel.check()
        if self._given_count != sum(len(pending) for _, pending in self.given.values()):
            raise LocalProtocolError("the count of given Futures is off")
        if len(self._where) != self._given_count:
            raise LocalProtocolError("a given Future is in no piece, or in two")
        if any(not held.pending for held in self.held.values()) or any(not ids for _, ids in self.given.values()):
            raise LocalProtocolError("an empty piece was kept")
