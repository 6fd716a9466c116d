"""The rules of a node at the end of a link: a Worker, or the Origin, which is one that never has Demand.

Theory of operation. The node introduces itself until it is welcome. What it is given (*held* pieces) it runs, returns
or, asked to cancel, hands back; what it *gave* stays in its ledger until the results come. How many Futures it asks
for follows from their measured duration (:mod:`..federation.schedule` has the arithmetic); how many of its
own it gives up follows from the Broker's Demand (the Origin) or from the hunger that the Broker publishes (a Worker).

A Broker that was started again says so (it answers ``Stranger``, or publishes a State of another boot). Then a new
session begins: the node says what it holds (``Holding``), sends results again that may have been lost, and offers
what it gave once more.

The machine knows Futures by number only. Functions and payloads pass through it unopened; what executes them, and
the Future objects that people hold, belong to the shell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..errors import LocalProtocolError, RemoteProtocolError
from ..federation.channel import Channel
from ..federation.events import Arrived, Send, Tick
from ..federation.schedule import HORIZON_SECONDS, Durations, futures_in
from ..federation.sessions import RESULTS_REMEMBERED, introduction
from ..lazy_dataclass import replaced
from ..wire import messages
from ..wire.codec import pack_plain
from ..wire.messages import PROTOCOL
from ..wire.modules import is_module
from .answers import report_of
from .events import (
    Action,
    Ask,
    Asked,
    CancelGiven,
    Denied,
    Event,
    Fetch,
    Finished,
    GiveBack,
    Leave,
    Linked,
    Load,
    Look,
    Looked,
    Offer,
    Provide,
    Reclaim,
    Rejoin,
    Report,
    Require,
    Resolve,
    Run,
    Share,
    Shared,
    Started,
    Told,
)
from .requests import Requests
from .workload import PieceTerms, Workload

HELLO_AGAIN_SECONDS = 0.25
BEAT_SECONDS = 1.0
"""A node that waits for the Broker says ``Ack`` this often: a Broker that does not know it answers."""
IDLE_BEAT_SECONDS = 5.0
URGENT_AT_MOST = 1024
LONG_SECONDS = 0.1
"""A function that takes this long is not asked for ahead: the round trip is nothing beside it."""


class WorkerMachine:
    """One node. ``step(event, now)`` returns the actions; see the module's text."""

    __slots__ = (
        "_actions",
        "_asked",
        "_beat_at",
        "_bodies",
        "_broker_boot",
        "_constants",
        "_definitions",
        "_finished",
        "_hello",
        "_hello_at",
        "_hunger",
        "_hunger_number",
        "_leaving",
        "_load",
        "_locked_in",
        "_pack",
        "_pieces",
        "_questions",
        "_requests",
        "_said_idle",
        "_sent",
        "_session",
        "_sessions",
        "_where",
        "channel",
        "durations",
        "given",
        "given_count",
        "held",
        "linked",
        "name",
        "role",
        "workload",
    )  # fmt: skip

    def __init__(self, name: str, role: str, boot: int, pid: int, pack: Callable[[Any], bytes] = pack_plain) -> None:
        self.name, self.role = name, role
        self._pack = pack
        self._hello = messages.Hello(PROTOCOL, role, name, boot, pid)
        self._hello_at: float | None = 0.0
        self._session = self._broker_boot = 0
        self._sessions = 0  # how many there were
        self._beat_at = float("inf")
        self.channel = Channel()
        self.linked = False
        self.durations = Durations()
        self.workload = Workload()
        self.held = self.workload.pieces
        self._finished: deque[tuple[int, PieceTerms]] = deque(maxlen=RESULTS_REMEMBERED)  # the last that were done
        self.given: dict[int, tuple[bytes, set[int]]] = {}  # own pieces at the Broker: (function, pending ids)
        self._where: dict[int, int] = {}  # own id -> the piece it went in
        self._pieces = 0
        self.given_count = 0  # how many own Futures are at the Broker
        self._definitions: dict[bytes, messages.Function] = {}  # own functions that given Futures may still need
        self._sent: set[bytes] = set()  # functions the Broker was sent
        self._bodies: dict[bytes, messages.Function] = {}  # definitions that came
        self._requests = Requests()
        self._hunger = 0
        self._hunger_number = 0
        self._constants: dict[str, tuple[int, bytes]] = {}  # name -> (version, body)
        self._load = _NO_LOAD
        self._asked = 0  # the Demand said last, less what came since
        self._said_idle = False
        self._locked_in = False  # whether the Broker was told that nothing of others is started here
        self._leaving = False
        self._questions: dict[int, messages.Inquire] = {}  # not answered yet
        self._actions: list[Action] = []

    def step(self, event: Event, now: float) -> list[Action]:
        """Take an event in and return what is to be done."""
        if type(event) is Arrived:
            self._arrived(event, now)
        else:
            handler = _EVENTS.get(type(event))
            if handler is None:
                raise LocalProtocolError(f"a Worker has no rule for {event!r}")
            handler(self, event, now)
        actions, self._actions = self._actions, []
        return actions

    def _arrived(self, event: Arrived, now: float) -> None:
        message, kind = event.message, type(event.message)
        if kind in _ASIDE:
            _ASIDE[kind](self, message, now)
            return
        if not self._session:
            return  # for an earlier process of this name
        if self.channel.is_foreign(event.sequence, event.acknowledged):
            self._rejoin(Rejoin(), now)
            return
        if not self.channel.accept(event.sequence, event.acknowledged, now):
            return
        self._beat_later(now)
        if kind is messages.Demand:
            self.channel.demand(message.count)  # type: ignore[union-attr]
            return
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise RemoteProtocolError(f"{kind.__name__} is not for Workers")
        handler(self, message, now)

    def next_deadline(self) -> float | None:
        """When the next Tick is due."""
        if not self.linked:
            return self._hello_at
        due = self.channel.deadline()
        return self._beat_at if due is None or self._beat_at < due else due

    def wanted(self) -> int:
        """How many own Futures the Broker can take now."""
        if not self.linked:
            return 0
        return max(0, self.channel.room) if self.role == "origin" else self._hunger

    def urgent(self) -> int:
        """How many own Futures of a priority above 0 may be given whatever the Demand."""
        return max(0, URGENT_AT_MOST - self.given_count) if self.linked else 0

    @property
    def hunger(self) -> int:
        """Futures that idle Workers elsewhere could run now."""
        return self._hunger

    @property
    def has_given(self) -> bool:
        """Whether it has ever given a Future away."""
        return self._pieces > 0

    def _send(self, message: messages.Message, now: float) -> None:
        """Send a message; what belongs to a session waits for one."""
        sequence, acknowledged = self.channel.number(message, now)
        if self.linked or not sequence:
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
            self._send(messages.Ack(self.channel.missing), now)
        if now >= self._beat_at:
            self._beat_later(now)
            self._send(messages.Ack(), now)

    def _beat_later(self, now: float) -> None:
        self._beat_at = now + (BEAT_SECONDS if self.given_count else IDLE_BEAT_SECONDS)

    def _rejoin(self, event: Rejoin, now: float) -> None:
        """Introduce this node again; the Broker's answer says whether it knows the session."""
        if self.linked and not self._leaving:
            self.linked = False
            self._hello_at = now
            self._hello = replaced(self._hello, round=self._hello.round + 1)
            self._tick(Tick(), now)

    def _on_stranger(self, stranger: messages.Stranger, now: float) -> None:
        if self._leaving:  # the Broker has let go
            self.channel = Channel(self._session)
            self._beat_at = float("inf")
        self._rejoin(Rejoin(), now)

    def _on_welcome(self, welcome: messages.Welcome, now: float) -> None:
        if self.linked or welcome.greeter != self._hello.boot + self._hello.round:
            return  # an answer to an earlier question
        self.linked = True
        self._hello = replaced(self._hello, session=welcome.session)
        if welcome.session != self._session:
            old, self.channel = self.channel, Channel(welcome.session)
            self._session, self._broker_boot = welcome.session, welcome.boot
            self._sessions += 1
            self._actions.append(Linked(welcome.size))
            if self._sessions > 1:
                self._begin_again(old, now)
            else:
                for message in old.unacknowledged_messages():
                    self._send(message, now)
        else:
            self.channel.hasten(now)
        self._beat_at = now + BEAT_SECONDS
        self._announce(now)

    def _begin_again(self, old: Channel, now: float) -> None:
        """A new session: say what is held, send again what may be lost, take back what was given."""
        held = {number: (piece.terms, sorted(piece.pending)) for number, piece in self.held.items()}
        for message in introduction(held, self._finished, old):
            self._send(message, now)
        for name, (version, body) in self._constants.items():
            self._send(messages.Constant(name, version, body), now)
        if self._where:
            self._actions.append(Reclaim(sorted(self._where)))
        self.given.clear()
        self._where.clear()
        self._sent.clear()
        self.given_count = self._hunger = self._hunger_number = self._asked = 0
        for function in self.workload.missing():
            self._send(messages.Want(function), now)
        for request in self._requests.ask_again():
            self._send(request, now)
        for question in self._questions.values():
            self._send(question, now)
        if self.role == "worker":
            self._said_idle = self._locked_in = False
            self._send(messages.Demand(0, 0), now)  # says that this was all
        if self._leaving:
            self._send(messages.Bye("it was leaving"), now)

    def _on_refused(self, refused: messages.Refused, now: float) -> None:
        self._hello_at = None
        self._actions.append(Denied(refused.reason))

    def _leave(self, event: Leave, now: float) -> None:
        self._leaving = True
        self._send(messages.Bye(event.reason), now)

    # -- work for this node ------------------------------------------------------------------------------------------

    def _on_function(self, function: messages.Function, now: float) -> None:
        if is_module(function.digest):
            self._actions.extend(self._requests.provided(function))
            return
        self._bodies[function.digest] = function
        for piece in self.workload.waiting_for(function.digest):
            piece.name = function.name
            self._actions.append(Run(piece.number, function.body))

    def _on_batch(self, batch: messages.Batch, now: float) -> None:
        piece = self.workload.hold(batch)
        self._asked = 0 if batch.spent else max(0, self._asked - len(batch.ids))
        self._said_idle = False
        function = self._bodies.get(batch.function)
        if function is not None:
            piece.name = function.name
            self._actions.append(Run(batch.piece, function.body))
        else:
            self._send(messages.Want(batch.function), now)

    def forget(self, digest: bytes) -> None:
        """The shell has dropped a function from its cache; ask for it when it is needed again."""
        self._bodies.pop(digest, None)

    def _finish(self, done: Finished, now: float) -> None:
        piece = self.workload.settle(done.piece, done.ids)
        terms, seconds, count = piece.terms, done.seconds, done.count
        if not piece.pending:
            self._finished.append((done.piece, terms))
        self.durations.learn(terms.function, seconds, count)
        self._send(messages.Results(done.piece, terms.attempt, done.ids, done.outcomes, done.odd, seconds, count), now)

    def _give_back(self, back: GiveBack, now: float) -> None:
        self.workload.settle(back.piece, back.ids)
        self._hunger = max(0, self._hunger - len(back.ids))
        self._asked = 0
        self._send(messages.Return(back.piece, back.ids), now)

    def _on_cancel(self, cancel: messages.Cancel, now: float) -> None:
        """What has not started is handed back with the next results; what has is said to be running."""
        if cancel.piece in self.held and (running := self.workload.unstart(cancel.piece, cancel.ids)):
            self._send(messages.Running(cancel.piece, running), now)

    def _report(self, report: Report, now: float) -> None:
        if report.piece in self.held:
            self._send(messages.Running(report.piece, report.ids, report.kept), now)

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
        idle = not (here or load.busy or load.locked_in)
        one_by_one = load.one_by_one or mean is None or mean >= LONG_SECONDS
        target = (0 if load.busy else 1) if one_by_one else futures_in(HORIZON_SECONDS, mean)
        wanted = 0 if load.locked_in else max(0, target - here)
        news = idle and not self._said_idle and bool(self.held)
        asks = bool(wanted) and (news or (2 * self._asked < wanted and 2 * wanted > target))
        if asks or load.locked_in != self._locked_in:
            self._asked, self._said_idle, self._locked_in = wanted, idle, load.locked_in
            self._send(messages.Demand(wanted, int(idle), int(not load.locked_in)), now)

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
        if not self.given_count:
            self._beat_at = min(self._beat_at, now + BEAT_SECONDS)
        self.given_count += len(offer.ids)
        self._hunger = max(0, self._hunger - len(offer.ids))
        self._send(
            messages.Batch(
                self._pieces, self.name, offer.digest, max(1, self._sessions), 0, offer.backlog, False, offer.ids,
                offer.payloads, offer.root or self.name, offer.priority,
            ),
            now,
        )  # fmt: skip

    def _on_ack(self, ack: messages.Ack, now: float) -> None:
        if ack.missing:
            self.channel.hasten(now)

    def _on_want(self, want: messages.Want, now: float) -> None:
        definition = self._definitions.get(want.digest)
        if definition is not None:
            self._send(definition, now)
        elif self.role == "origin" and is_module(want.digest):
            self._actions.append(Asked(want.digest))

    def _provide(self, provide: Provide, now: float) -> None:
        self._send(messages.Function(provide.key, provide.name, provide.body), now)

    def _request(self, event: Require | Fetch, now: float) -> None:
        for message in self._requests.ask(event):
            self._send(message, now)

    def _on_fetched(self, fetched: messages.Fetched, now: float) -> None:
        self._actions.extend(self._requests.fetched(fetched))

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
        self.given_count -= len(ids)
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
            known = [number for number in running.ids if number in entry[1]]
            self._actions.append(Started(known, running.kept))

    # -- what is shared ----------------------------------------------------------------------------------------------

    def _share(self, share: Share, now: float) -> None:
        version = self._constants.get(share.name, (0, b""))[0] + 1
        self._constants[share.name] = version, share.body
        self._send(messages.Constant(share.name, version, share.body), now)

    def _on_constant(self, constant: messages.Constant, now: float) -> None:
        if (constant.version, constant.body) > self._constants.get(constant.name, (0, b"")):
            self._constants[constant.name] = constant.version, constant.body
            self._actions.append(Shared(constant.name, constant.body))

    def _on_state(self, state: messages.State, now: float) -> None:
        if self.linked and state.boot != self._broker_boot:
            self._rejoin(Rejoin(), now)
        elif state.number > self._hunger_number:
            self._hunger_number, self._hunger = state.number, state.hunger

    # -- questions ---------------------------------------------------------------------------------------------------

    def _ask(self, ask: Ask, now: float) -> None:
        question = messages.Inquire(ask.number, ask.subject, ask.seconds, ask.submitter, ask.future)
        self._questions[ask.number] = question
        self._send(question, now)

    def _on_inquire(self, question: messages.Inquire, now: float) -> None:
        if question.subject == "generators" and self.role == "worker":
            self._actions.append(Look(question.number))
        else:
            self._looked(Looked(question.number, report_of(self, question)), now)

    def _looked(self, looked: Looked, now: float) -> None:
        self._send(messages.Answer(looked.number, self.name, self._pack(looked.report), True), now)

    def _on_answer(self, answer: messages.Answer, now: float) -> None:
        if answer.last:
            self._questions.pop(answer.number, None)
        self._actions.append(Told(answer.number, answer.name, answer.report, answer.last))

    # -- for people and tests ----------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "held": sum(len(held.pending) for held in self.held.values()),
            "given": self.given_count,
            "own": self._load.own,
            "busy": int(self._load.busy),
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
        if self.given_count != sum(len(pending) for _, pending in self.given.values()):
            raise LocalProtocolError("the count of given Futures is off")
        if len(self._where) != self.given_count:
            raise LocalProtocolError("a given Future is in no piece, or in two")
        if any(not ids for _, ids in self.given.values()):
            raise LocalProtocolError("an empty piece was kept")
        self.workload.check()


_NO_LOAD = Load(0, 0, False)

_EVENTS: dict[type, Callable[[WorkerMachine, Any, float], None]] = {
    Offer: WorkerMachine._offer,
    Finished: WorkerMachine._finish,
    GiveBack: WorkerMachine._give_back,
    Load: WorkerMachine._take_load,
    CancelGiven: WorkerMachine._cancel_given,
    Share: WorkerMachine._share,
    Report: WorkerMachine._report,
    Leave: WorkerMachine._leave,
    Rejoin: WorkerMachine._rejoin,
    Ask: WorkerMachine._ask,
    Require: WorkerMachine._request,
    Provide: WorkerMachine._provide,
    Fetch: WorkerMachine._request,
    Looked: WorkerMachine._looked,
    Tick: WorkerMachine._tick,
}

_ASIDE: dict[type, Callable[[WorkerMachine, Any, float], None]] = {
    messages.Welcome: WorkerMachine._on_welcome,
    messages.Refused: WorkerMachine._on_refused,
    messages.Stranger: WorkerMachine._on_stranger,
    messages.State: WorkerMachine._on_state,
}
"""What belongs to no session."""

_HANDLERS: dict[type, Callable[[WorkerMachine, Any, float], None]] = {
    messages.Ack: WorkerMachine._on_ack,
    messages.Function: WorkerMachine._on_function,
    messages.Want: WorkerMachine._on_want,
    messages.Batch: WorkerMachine._on_batch,
    messages.Results: WorkerMachine._on_results,
    messages.Cancel: WorkerMachine._on_cancel,
    messages.Running: WorkerMachine._on_running,
    messages.Constant: WorkerMachine._on_constant,
    messages.Fetched: WorkerMachine._on_fetched,
    messages.Inquire: WorkerMachine._on_inquire,
    messages.Answer: WorkerMachine._on_answer,
}
