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

from collections.abc import Callable, Iterable
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
from .definitions import Definitions
from .inquiries import Inquiries
from .lanes import OwnLanes
from .lease import WorkerLease
from .own_pieces import OwnPieces
from .requests import Requests
from .shared_constants import SharedConstants
from .workload import Workload, refusal_of

HELLO_AGAIN_SECONDS = 0.25
IDLE_HEARTBEAT_SECONDS = 5.0
"""A node that waits for nothing says ``Ack`` this often, to learn whether its Broker was started again."""
URGENT_AT_MOST = 1024


class WorkerMachine:
    """One node. ``step(event, now)`` returns the actions; see the module's text."""

    __slots__ = (
        "_actions", "_broker_incarnation", "_constants", "_definitions", "_finished", "_heartbeat_at", "_inquiries",
        "_introduction", "_leaving", "_pack", "_requests", "_session", "_sessions", "_unmet_number", "asking",
        "channel", "durations", "given", "held", "lanes", "lease", "linked", "name", "own", "role", "unmet", "workload",
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
        self.workload, self.asking = Workload(name), Asking()
        self.held = self.workload.pieces
        self._finished: list[tuple[int, Terms]] = []  # the last that were done
        self.own = OwnPieces()  # own Futures at the Broker
        self.given = self.own.pieces
        self.lanes = OwnLanes(self.own)
        self._definitions = Definitions(self.workload)  # that came
        self.lease = WorkerLease(name, self.workload, self._definitions, self.asking)
        self._requests, self._inquiries = Requests(), Inquiries(name, role, self.workload, pack)
        self.unmet = 0  # Futures that idle Workers elsewhere could run now
        self._unmet_number = 0
        self._constants = SharedConstants()
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
        due = self._heartbeat_at if due is None or self._heartbeat_at < due else due
        lanes_due = self.lanes.due if self.role == "origin" else self.lease.due
        return due if lanes_due is None or due < lanes_due else lanes_due

    def wanted(self) -> int:
        """How many own Futures the Broker can take now, or a lane."""
        if not self.linked:
            return 0
        return max(self.lanes.is_free, self.channel.room) if self.role == "origin" else self.unmet

    def urgent(self) -> int:
        """How many own Futures of a priority above 0 may be given whatever the Demand."""
        return max(0, URGENT_AT_MOST - self.own.count) if self.linked else 0

    def _send(self, message: messages.Message, now: float) -> None:
        """Send a message; what belongs to a session waits for one."""
        sequence, acknowledged = self.channel.number(message, now)
        if self.linked or not sequence:
            self._actions.append(Send("", message, sequence, acknowledged))

    def _say(self, said: Iterable[messages.Message | rules.Action], now: float) -> None:
        """Send what are messages to the Broker, and do the rest."""
        for one in said:
            if type(one) in _MESSAGES:
                self._send(one, now)  # type: ignore[arg-type]
            else:
                self._actions.append(one)  # type: ignore[arg-type]

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
        self._say(self.lanes.tick(now) or self.lease.tick(now), now)

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
        self._actions.extend(self.lanes.abandon())
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
        held = {n: (it.terms, sorted(it.pending)) for n, it in self.held.items() if n < messages.LANE_PIECES}
        for message in reconciliation(held, self._finished, old):
            self._send(message, now)
        for constant in self._constants.again():
            self._send(constant, now)
        back = self.own.take_back()
        if back:
            self._actions.append(rules.Reclaim(back))
        self.unmet = self._unmet_number = 0
        for function in self.workload.missing():
            self._send(messages.Want(function), now)
        for request in self._requests.ask_again():
            self._send(request, now)
        if self.role == "worker":
            self._say(self.lease.end(), now)
            self._send(self.asking.begin_again(), now)
        if self._leaving:
            self._send(messages.Bye("it was leaving"), now)

    def _on_refused(self, refused: messages.Refused, now: float) -> None:
        self._introduction.end()
        self._actions.append(rules.Denied(refused.reason))

    def _leave(self, event: rules.Leave, now: float) -> None:
        self._leaving = True
        self._say(self.lease.leave(), now)
        self._send(messages.Bye(event.reason), now)

    # -- work for this node ------------------------------------------------------------------------------------------

    def _on_function(self, function: messages.Function, now: float) -> None:
        if is_module(function.digest):
            self._actions.extend(self._requests.provided(function))
            return
        self._actions.extend(self._definitions.come(function))

    def _on_batch(self, batch: messages.Batch, now: float) -> None:
        if batch.piece >= messages.LANE_PIECES:
            raise RemoteProtocolError("this number is for pieces that come over lanes")
        self.asking.came(len(batch.ids), spent=batch.spent)
        if (refusal := refusal_of(batch, self.name, self._pack)) is not None:
            self._send(refusal, now)
            return
        self._say([self._definitions.hold(batch)], now)

    def forget(self, digest: bytes) -> None:
        """The shell has dropped a function from its cache; ask for it when it is needed again."""
        self._definitions.forget(digest)

    def _finish(self, done: rules.Finished, now: float) -> None:
        piece = self.workload.settle(done.piece, done.ids)
        terms = piece.terms
        self.durations.learn(terms.function, done.seconds, done.count)
        if done.piece >= messages.LANE_PIECES:
            self._say(self.lease.finish(done, terms.attempt, now, is_over=not piece.pending), now)
            return
        if not piece.pending:
            remember(self._finished, done.piece, terms)
        self._send(done.as_results(terms.attempt), now)

    def _give_back(self, back: rules.GiveBack, now: float) -> None:
        if back.piece >= messages.LANE_PIECES:
            self._say(self.lease.give_back(back.piece, back.ids), now)
            return
        self.workload.settle(back.piece, back.ids)
        self.unmet = max(0, self.unmet - len(back.ids))
        self.asking.gave_back()
        self._send(messages.Return(back.piece, back.ids), now)

    def _on_cancel(self, cancel: messages.Cancel, now: float) -> None:
        """What has not started is handed back with the next results; what has is said to be running."""
        if cancel.piece in self.held and (running := self.workload.unstart(cancel.piece, cancel.ids)):
            self._send(messages.Running(cancel.piece, running), now)

    def _report(self, report: rules.ReportRunning, now: float) -> None:
        if report.piece >= messages.LANE_PIECES:
            self._say(self.lease.report(report), now)
        elif report.piece in self.held:
            self._send(messages.Running(report.piece, report.ids, report.kept), now)

    def _take_load(self, load: rules.NodeLoad, now: float) -> None:
        self.asking.take_load(load)
        if self.lease.is_open:
            self._say(self.lease.take_load(load), now)
        if self.linked:
            self._announce(now)

    def _announce(self, now: float) -> None:
        """Say the Demand where it is news; a Worker that is lent has none."""
        if self.role == "worker" and not self._leaving and not self.lease.is_open:
            demand = self.asking.news(self.durations.last, holds=bool(self.held))
            if demand is not None:
                self._send(demand, now)

    # -- own Futures -------------------------------------------------------------------------------------------------

    def _offer(self, offer: rules.Offer, now: float) -> None:
        if self.lanes.takes(offer):
            self._actions.append(self.lanes.put(offer, self.name, max(1, self._sessions)))
            return
        if (definition := self.own.unsent_definition(offer.digest)) is not None:
            self._send(definition, now)
        if not self.own.count:
            self._heartbeat_at = min(self._heartbeat_at, now + HEARTBEAT_SECONDS)
        self.unmet = max(0, self.unmet - len(offer.ids))
        for given in self.own.give_offer(offer, self._sessions):
            conditions = offer.conditions.plus(given.flags) if given.flags else offer.conditions
            self._send(
                messages.Batch(
                    given.number, self.name, offer.digest, given.attempt, given.crashes, offer.backlog, False,
                    given.ids, given.payloads, offer.root or self.name, offer.priority, *conditions.on_wire(),
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

    def _on_results(self, results: messages.Results, now: float) -> None:
        taken = self.own.take(results)
        if taken is not None:
            digest, ids, outcomes, facts = taken
            self.durations.learn(digest, results.seconds, results.count)
            self._actions.append(rules.Resolve(ids, outcomes, results.odd, facts))

    def _cancel_given(self, event: rules.CancelGiven, now: float) -> None:
        for piece, ids in self.own.by_piece(event.ids).items():
            self._send(messages.Cancel(piece, ids, event.running), now)
        self._say(self.lanes.cancel(event.ids, now, running=event.running), now)

    def _on_running(self, running: messages.Running, now: float) -> None:
        if (known := self.own.open_ones(running.piece, running.ids)) is not None:
            self._actions.append(rules.Started(known, running.kept))

    def _on_state(self, state: messages.State, now: float) -> None:
        if self.linked and state.incarnation != self._broker_incarnation:
            self._rejoin(rules.Rejoin(), now)
        elif state.number > self._unmet_number:
            self._unmet_number, self.unmet = state.number, state.unmet

    # -- for people and tests ----------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "held": sum(len(held.pending) for held in self.held.values()),
            "given": self.own.count + len(self.lanes.futures()),
            "own": self.asking.load.own + self.own.retrying,
            "busy": int(self.asking.load.busy),
            "functions": len(self._definitions),
            "unacknowledged": len(self.channel.unacknowledged),
        }

    def check(self) -> None:
        """Assert the invariants: counts equal sums, no empty pieces."""
        self.channel.check()
        self.own.check(len(self.lanes.futures()))
        for part in (self.workload, self.lanes, self.lease):
            part.check()


Handler = Callable[[WorkerMachine, Any, float], None]

_MESSAGES = frozenset(messages.CODES.values())

_EVENTS: dict[type, Handler] = {
    rules.Offer: WorkerMachine._offer, rules.Finished: WorkerMachine._finish, rules.GiveBack: WorkerMachine._give_back,
    rules.NodeLoad: WorkerMachine._take_load, rules.CancelGiven: WorkerMachine._cancel_given,
    rules.Share: lambda node, share, now: node._say([*node.lanes.retire(), node._constants.share(share)], now),
    rules.ReportRunning: WorkerMachine._report, rules.Leave: WorkerMachine._leave,
    rules.Rejoin: WorkerMachine._rejoin, rules.BrokerEnded: WorkerMachine._on_broker_ended,
    rules.Ask: lambda node, ask, now: node._send(node._requests.inquire(ask), now),
    rules.Require: lambda node, event, now: node._say(node._requests.ask(event), now),
    rules.FetchFile: lambda node, event, now: node._say(node._requests.ask(event), now),
    rules.Provide: lambda node, it, now: node._send(messages.Function(it.key, it.name, it.body), now),
    rules.Looked: lambda node, looked, now: node._say([node._inquiries.looked(looked)], now),
    rules.LaneArrived: lambda node, event, now: node._say(
        node.lease.arrived(event) if node.role == "worker" else node.lanes.arrived(event), now
    ),
    rules.LaneClosed: lambda node, event, now: node._say(
        node.lease.closed(event.number) or node.lanes.closed(event.number, now), now
    ),
    rules.LaneOpened: lambda node, event, now: node._actions.extend(node.lanes.opened(event.number, event.worker)),
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
    messages.Running: WorkerMachine._on_running,
    messages.Inquire: lambda node, question, now: node._say([node._inquiries.answer(question, node.statistics)], now),
    messages.Constant: lambda node, constant, now: node._actions.extend(node._constants.take(constant)),
    messages.Fetched: lambda node, fetched, now: node._actions.extend(node._requests.fetched(fetched)),
    messages.Answer: lambda node, answer, now: node._actions.append(node._requests.answered(answer)),
    messages.Lend: lambda node, lend, now: node._say(node.lease.begin(lend, now, is_leaving=node._leaving), now),
    messages.TakeBack: lambda node, message, now: node._say(node.lease.end(message.number), now),
    messages.LeaseEnded: lambda node, ended, now: node._actions.extend(node.lanes.hear(ended)),
}  # fmt: skip
