"""The rules of a node at the end of a link: a Worker, or the Origin, which is one that never has Demand.

Theory of operation. The node introduces itself until it is welcome. What it is given (*held* pieces) it runs, returns
or, asked to cancel, hands back; what it *gave* stays in its ledger until the results come. How many Futures it asks
for follows from their measured duration (:mod:`..federation.schedule` has the arithmetic); how many of its
own it gives up follows from the Broker's Demand (the Origin) or from the unmet demand that it publishes (a Worker).

A Broker that was started again says so (it answers ``Stranger``, or publishes a State of another incarnation). Then a
new session begins: the node says what it holds (``Holding``), sends results again that may have been lost, and offers
what it gave once more.

The machine knows Futures by number only; functions and payloads pass through it unopened. The shell runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import LocalProtocolError, RemoteProtocolError
from ..federation.channel import Channel
from ..federation.events import Arrived, Send, Tick
from ..federation.schedule import Durations
from ..federation.session import HEARTBEAT_SECONDS, Introduction, reconciliation, remember
from ..federation.terms import Terms
from ..wire import messages
from ..wire.codec import pack_plain
from ..wire.modules import is_module
from . import events as rules
from .asking import Asking
from .own_pieces import OwnPieces
from .requests import Requests
from .workload import Workload, refusal_of

HELLO_AGAIN_SECONDS = 0.25
IDLE_HEARTBEAT_SECONDS = 5.0
"""A node that waits for nothing says ``Ack`` this often, to learn whether its Broker was started again."""
URGENT_AT_MOST = 1024


class WorkerMachine:
    """One node. ``step(event, now)`` returns the actions; see the module's text."""

    __slots__ = (
        "_actions", "_bodies", "_broker_incarnation", "_constants", "_finished", "_heartbeat_at", "_introduction",
        "_leaving", "_pack", "_requests", "_session", "_sessions", "_unmet_number", "asking", "channel",
        "durations", "given", "held", "linked", "name", "own", "role", "unmet", "workload",
    )  # fmt: skip

    def __init__(
        self, name: str, role: str, incarnation: int, pid: int, pack: Callable[[Any], bytes] = pack_plain
    ) -> None:
        self.name, self.role = name, role
        self._pack = pack
        self._introduction = Introduction(
            role, name, incarnation, pid, 0.0, pause=HELLO_AGAIN_SECONDS, longest=HELLO_AGAIN_SECONDS
        )
        self._session = self._broker_incarnation = 0
        self._sessions = 0  # how many there were
        self._heartbeat_at = float("inf")
        self.channel = Channel()
        self.linked = False
        self.durations = Durations()
        self.workload = Workload(name)
        self.held = self.workload.pieces
        self._finished: list[tuple[int, Terms]] = []  # the last that were done
        self.own = OwnPieces()  # own Futures at the Broker
        self.given = self.own.pieces
        self._bodies: dict[bytes, messages.Function] = {}  # definitions that came
        self._requests = Requests()
        self.unmet = 0  # Futures that idle Workers elsewhere could run now
        self._unmet_number = 0
        self._constants: dict[str, tuple[int, bytes]] = {}  # name -> (version, body)
        self.asking = Asking()
        self._leaving = False
        self._actions: list[rules.Action] = []

    def step(self, event: rules.Event, now: float) -> list[rules.Action]:
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
            self._rejoin(rules.Rejoin(), now)
            return
        if not self.channel.accept(event.sequence, event.acknowledged, now):
            return
        self._heartbeat_later(now)
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
            return self._introduction.due_at
        due = self.channel.deadline()
        return self._heartbeat_at if due is None or self._heartbeat_at < due else due

    def wanted(self) -> int:
        """How many own Futures the Broker can take now."""
        return 0 if not self.linked else max(0, self.channel.room) if self.role == "origin" else self.unmet

    def urgent(self) -> int:
        """How many own Futures of a priority above 0 may be given whatever the Demand."""
        return max(0, URGENT_AT_MOST - self.own.count) if self.linked else 0

    def _send(self, message: messages.Message, now: float) -> None:
        """Send a message; what belongs to a session waits for one."""
        sequence, acknowledged = self.channel.number(message, now)
        if self.linked or not sequence:
            self._actions.append(Send("", message, sequence, acknowledged))

    # -- the link ----------------------------------------------------------------------------------------------------

    def _tick(self, event: Tick, now: float) -> None:
        if not self.linked:
            if (hello := self._introduction.hello(self._session, now)) is not None:
                self._send(hello, now)
            return
        for sequence, message in self.channel.repeat(now):
            self._actions.append(Send("", message, sequence, self.channel.acknowledged))
        if self.channel.ack_is_due(now):
            self._send(messages.Ack(self.channel.missing), now)
        if now >= self._heartbeat_at:
            self._heartbeat_later(now)
            self._send(messages.Ack(), now)

    def _heartbeat_later(self, now: float) -> None:
        self._heartbeat_at = now + (HEARTBEAT_SECONDS if self.own.count else IDLE_HEARTBEAT_SECONDS)

    def _rejoin(self, event: rules.Rejoin, now: float) -> None:
        """Introduce this node again; the Broker's answer says whether it knows the session."""
        if self.linked and not self._leaving:
            self.linked = False
            self._introduction.begin(now)
            self._tick(Tick(), now)

    def _on_broker_ended(self, event: rules.BrokerEnded, now: float) -> None:
        """Forget the session: of its messages none counts any more, for what they name went with the Broker."""
        self._session = 0
        self._introduction.restart(now)
        self._rejoin(rules.Rejoin(), now)

    def _on_stranger(self, stranger: messages.Stranger, now: float) -> None:
        if self._leaving:  # the Broker has let go
            self.channel = Channel(self._session)
            self._heartbeat_at = float("inf")
        self._rejoin(rules.Rejoin(), now)

    def _on_welcome(self, welcome: messages.Welcome, now: float) -> None:
        if not self._introduction.is_answered_by(welcome):
            return  # an answer to an earlier question
        self.linked = True
        self._introduction.end()
        if welcome.session != self._session:
            old, self.channel = self.channel, Channel(welcome.session)
            self._session, self._broker_incarnation = welcome.session, welcome.incarnation
            self._sessions += 1
            self._actions.append(rules.Linked())
            if self._sessions > 1:
                self._begin_again(old, now)
            else:
                for _, message in old.unacknowledged:
                    self._send(message, now)
        else:
            self.channel.hasten(now)
        self._heartbeat_at = now + HEARTBEAT_SECONDS
        self._announce(now)

    def _begin_again(self, old: Channel, now: float) -> None:
        """A new session: say what is held, send again what may be lost, take back what was given."""
        held = {number: (piece.terms, sorted(piece.pending)) for number, piece in self.held.items()}
        for message in reconciliation(held, self._finished, old):
            self._send(message, now)
        for name, (version, body) in self._constants.items():
            self._send(messages.Constant(name, version, body), now)
        back = self.own.take_back()
        if back:
            self._actions.append(rules.Reclaim(back))
        self.unmet = self._unmet_number = 0
        for function in self.workload.missing():
            self._send(messages.Want(function), now)
        for request in self._requests.ask_again():
            self._send(request, now)
        if self.role == "worker":
            self._send(self.asking.begin_again(), now)
        if self._leaving:
            self._send(messages.Bye("it was leaving"), now)

    def _on_refused(self, refused: messages.Refused, now: float) -> None:
        self._introduction.end()
        self._actions.append(rules.Denied(refused.reason))

    def _leave(self, event: rules.Leave, now: float) -> None:
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
            self._actions.append(rules.Run(piece.number, function.body))

    def _on_batch(self, batch: messages.Batch, now: float) -> None:
        self.asking.came(len(batch.ids), spent=batch.spent)
        if (refusal := refusal_of(batch, self.name, self._pack)) is not None:
            self._send(refusal, now)
            return
        piece = self.workload.hold(batch)
        function = self._bodies.get(batch.function)
        if function is not None:
            piece.name = function.name
            self._actions.append(rules.Run(batch.piece, function.body))
        else:
            self.workload.lack(piece)
            self._send(messages.Want(batch.function), now)

    def forget(self, digest: bytes) -> None:
        """The shell has dropped a function from its cache; ask for it when it is needed again."""
        self._bodies.pop(digest, None)

    def _finish(self, done: rules.Finished, now: float) -> None:
        piece = self.workload.settle(done.piece, done.ids)
        terms = piece.terms
        if not piece.pending:
            remember(self._finished, done.piece, terms)
        self.durations.learn(terms.function, done.seconds, done.count)
        self._send(done.as_results(terms.attempt), now)

    def _give_back(self, back: rules.GiveBack, now: float) -> None:
        self.workload.settle(back.piece, back.ids)
        self.unmet = max(0, self.unmet - len(back.ids))
        self.asking.gave_back()
        self._send(messages.Return(back.piece, back.ids), now)

    def _on_cancel(self, cancel: messages.Cancel, now: float) -> None:
        """What has not started is handed back with the next results; what has is said to be running."""
        if cancel.piece in self.held and (running := self.workload.unstart(cancel.piece, cancel.ids)):
            self._send(messages.Running(cancel.piece, running), now)

    def _report(self, report: rules.ReportRunning, now: float) -> None:
        if report.piece in self.held:
            self._send(messages.Running(report.piece, report.ids, report.kept), now)

    def _take_load(self, load: rules.NodeLoad, now: float) -> None:
        self.asking.take_load(load)
        if self.linked:
            self._announce(now)

    def _announce(self, now: float) -> None:
        """Say the Demand where it is news."""
        if self.role == "worker" and not self._leaving:
            demand = self.asking.news(self.durations.last, holds=bool(self.held))
            if demand is not None:
                self._send(demand, now)

    # -- own Futures -------------------------------------------------------------------------------------------------

    def _offer(self, offer: rules.Offer, now: float) -> None:
        if (definition := self.own.unsent_definition(offer.digest)) is not None:
            self._send(definition, now)
        if not self.own.count:
            self._heartbeat_at = min(self._heartbeat_at, now + HEARTBEAT_SECONDS)
        self.unmet = max(0, self.unmet - len(offer.ids))
        for piece, attempt, ids, payloads in self.own.give_offer(offer, self._sessions):
            self._send(
                messages.Batch(
                    piece, self.name, offer.digest, attempt, 0, offer.backlog, False, ids, payloads,
                    offer.root or self.name, offer.priority, *offer.conditions.on_wire(),
                ),
                now,
            )  # fmt: skip

    def _on_ack(self, ack: messages.Ack, now: float) -> None:
        if ack.missing:
            self.channel.hasten(now)

    def _on_want(self, want: messages.Want, now: float) -> None:
        if (definition := self.own.definition(want.digest)) is not None:
            self._send(definition, now)
        elif self.role == "origin" and is_module(want.digest):
            self._actions.append(rules.Asked(want.digest))

    def _provide(self, provide: rules.Provide, now: float) -> None:
        self._send(messages.Function(provide.key, provide.name, provide.body), now)

    def _request(self, event: rules.Require | rules.FetchFile, now: float) -> None:
        for message in self._requests.ask(event):
            self._send(message, now)

    def _on_fetched(self, fetched: messages.Fetched, now: float) -> None:
        self._actions.extend(self._requests.fetched(fetched))

    def _on_results(self, results: messages.Results, now: float) -> None:
        taken = self.own.take(results)
        if taken is not None:
            digest, ids, outcomes, facts = taken
            self.durations.learn(digest, results.seconds, results.count)
            self._actions.append(rules.Resolve(ids, outcomes, results.odd, facts))

    def _cancel_given(self, event: rules.CancelGiven, now: float) -> None:
        for piece, ids in self.own.by_piece(event.ids).items():
            self._send(messages.Cancel(piece, ids, event.running), now)

    def _on_running(self, running: messages.Running, now: float) -> None:
        if (known := self.own.open_ones(running.piece, running.ids)) is not None:
            self._actions.append(rules.Started(known, running.kept))

    # -- what is shared ----------------------------------------------------------------------------------------------

    def _share(self, share: rules.Share, now: float) -> None:
        version = min(self._constants.get(share.name, (0, b""))[0] + 1, messages.MAX_COUNT)
        self._constants[share.name] = version, share.body
        self._send(messages.Constant(share.name, version, share.body), now)

    def _on_constant(self, constant: messages.Constant, now: float) -> None:
        if (constant.version, constant.body) > self._constants.get(constant.name, (0, b"")):
            self._constants[constant.name] = constant.version, constant.body
            self._actions.append(rules.Shared(constant.name, constant.body))

    def _on_state(self, state: messages.State, now: float) -> None:
        if self.linked and state.incarnation != self._broker_incarnation:
            self._rejoin(rules.Rejoin(), now)
        elif state.number > self._unmet_number:
            self._unmet_number, self.unmet = state.number, state.unmet

    # -- questions ---------------------------------------------------------------------------------------------------

    def _ask(self, ask: rules.Ask, now: float) -> None:
        self._send(self._requests.inquire(ask), now)

    def _on_inquire(self, question: messages.Inquire, now: float) -> None:
        if question.subject == "generators" and self.role == "worker":
            self._actions.append(rules.Look(question.number))
        else:
            self._looked(rules.Looked(question.number, self._report_of(question)), now)

    def _report_of(self, question: messages.Inquire) -> Any:
        """Return the statistics; for "explain" which attempt of a Future is here, a text where it is not known."""
        if question.subject == "generators":  # an Origin, which draws nothing for Futures
            return {}
        if question.subject != "explain":
            return self.statistics()
        attempt = self.workload.attempt_of(question.submitter, question.future)
        return f"not known to {self.name}" if attempt is None else attempt

    def _looked(self, looked: rules.Looked, now: float) -> None:
        self._send(messages.Answer(looked.number, self.name, self._pack(looked.report), True), now)

    def _on_answer(self, answer: messages.Answer, now: float) -> None:
        self._requests.answered(answer)
        self._actions.append(rules.Told(answer.number, answer.name, answer.report, answer.last))

    # -- for people and tests ----------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "held": sum(len(held.pending) for held in self.held.values()),
            "given": self.own.count,
            "own": self.asking.load.own + self.own.retrying,
            "busy": int(self.asking.load.busy),
            "functions": len(self._bodies),
            "unacknowledged": len(self.channel.unacknowledged),
        }

    def check(self) -> None:
        """Assert the invariants: counts equal sums, no empty pieces."""
        self.channel.check()
        self.own.check()
        self.workload.check()


Handler = Callable[[WorkerMachine, Any, float], None]

_EVENTS: dict[type, Handler] = {
    rules.Offer: WorkerMachine._offer, rules.Finished: WorkerMachine._finish, rules.GiveBack: WorkerMachine._give_back,
    rules.NodeLoad: WorkerMachine._take_load, rules.CancelGiven: WorkerMachine._cancel_given,
    rules.Share: WorkerMachine._share, rules.ReportRunning: WorkerMachine._report, rules.Leave: WorkerMachine._leave,
    rules.Rejoin: WorkerMachine._rejoin, rules.BrokerEnded: WorkerMachine._on_broker_ended,
    rules.Ask: WorkerMachine._ask, rules.Require: WorkerMachine._request,
    rules.Provide: WorkerMachine._provide, rules.FetchFile: WorkerMachine._request, rules.Looked: WorkerMachine._looked,
    Tick: WorkerMachine._tick,
}  # fmt: skip

_ASIDE: dict[type, Handler] = {
    messages.Welcome: WorkerMachine._on_welcome, messages.Refused: WorkerMachine._on_refused,
    messages.Stranger: WorkerMachine._on_stranger, messages.State: WorkerMachine._on_state,
}  # fmt: skip
"""What belongs to no session."""

_HANDLERS: dict[type, Handler] = {
    messages.Ack: WorkerMachine._on_ack, messages.Function: WorkerMachine._on_function,
    messages.Want: WorkerMachine._on_want, messages.Batch: WorkerMachine._on_batch,
    messages.Results: WorkerMachine._on_results, messages.Cancel: WorkerMachine._on_cancel,
    messages.Running: WorkerMachine._on_running, messages.Constant: WorkerMachine._on_constant,
    messages.Fetched: WorkerMachine._on_fetched, messages.Inquire: WorkerMachine._on_inquire,
    messages.Answer: WorkerMachine._on_answer,
}  # fmt: skip
