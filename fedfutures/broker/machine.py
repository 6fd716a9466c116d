"""The Broker's rules.

Theory of operation. Peers (Workers and Origins) announce Demand and give Batches. A Batch becomes a :class:`Lot` in
the queue; :meth:`BrokerMachine._dispatch` cuts pieces from the lots at the head for Workers with room, idle ones
first. A piece stays in the ledger of the peer that holds it until its results have passed on to the lot's source, so
when a Worker is lost, exactly what it held is given out again. What Workers can use beyond the queue is asked of the
Origins by Demand; what nobody offered within a moment is published as hunger on the Meta socket, and Workers that hold
Futures they have not started give them up.

A Future that was *running* when its Worker died (the host process knows from the Worker's black box) has its crash
count raised and travels alone from then on; at the third it resolves as poisoned. The innocent ones that the same
Worker held, or had suspended, just run again.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import LocalProtocolError, RemoteProtocolError
from ..federation import schedule
from ..federation.events import Arrived, Send, Tick
from ..wire import messages
from ..wire.messages import CANCELLED, LOST, POISONED, PROTOCOL
from .ledger import Intake, Lot, Peer, Piece, Source

CRASH_LIMIT = 3
HUNGER_AFTER_SECONDS = 0.001
HUNGER_REPEAT_SECONDS = 0.05
FUNCTIONS_KEPT = 4096
FUNCTION_BYTES_KEPT = 256 << 20


@dataclass(slots=True)
class PeerLost:
    """Event: the host process says that a Worker has ended; `running` is what its black box named, if anything."""

    peer: str
    status: str  # how it ended, for people
    blame: bool  # whether what was running is to be counted as crashed
    running: tuple[int, int] | None  # (piece, id)
    dump: str
    host: str


@dataclass(slots=True)
class GaveUp:
    """Event: the host process will not start Workers again; queued Futures fail with this reason."""

    reason: str


@dataclass(slots=True)
class Publish:
    """Action: publish a state on the Meta socket."""

    state: messages.State


Action = Send | Publish
Event = Arrived | PeerLost | GaveUp | Tick


class BrokerMachine:
    """One Broker. ``step(event, now)`` returns the actions; see the module's text."""

    def __init__(self, name: str, boot: int, size: int, pack: Callable[[Any], bytes]) -> None:
        self.name, self.boot, self.size = name, boot, size
        self._pack = pack  # how loss reports become bytes
        self.peers: dict[str, Peer] = {}
        self.workers: list[Peer] = []  # the same peers, by role
        self.origins: list[Peer] = []
        self.queue: deque[Lot] = deque()
        self.waiting: dict[bytes, list[Lot]] = {}  # for a function's definition
        self.intakes: dict[Source, Intake] = {}
        self.functions: dict[bytes, messages.Function] = {}
        self.constants: dict[str, messages.Constant] = {}
        self.durations = schedule.Durations()
        self._queued = self._queued_bytes = self._function_bytes = 0
        self._due: float | None = None  # the earliest deadline of any channel
        self._hungry_at: float | None = None  # when to publish hunger
        self._state = messages.State(0, 0, 0, size)
        self._gave_up: str | None = None
        self._ended: deque[str] = deque(maxlen=1024)  # Workers that have; a Hello of theirs may still be under way
        self._crashes = self._resolved = self._violations = 0
        self._actions: list[Action] = []
        self._handlers: dict[type, Callable[[Peer, Any, float], None]] = {
            messages.Demand: self._on_demand,
            messages.Function: self._on_function,
            messages.Want: self._on_want,
            messages.Batch: self._on_batch,
            messages.Results: self._on_results,
            messages.Return: self._on_return,
            messages.Cancel: self._on_cancel,
            messages.Running: self._on_running,
            messages.Constant: self._on_constant,
            messages.Bye: self._on_bye,
            messages.Ack: lambda peer, message, now: None,
        }

    def step(self, event: Event, now: float) -> list[Action]:
        """Take an event in and return what is to be done.

        What concerns all (asking for more, hunger) is done at a Tick, so that an arrival is passed on without delay:
        the shell gives a Tick after each round of arrivals.
        """
        if type(event) is Arrived:
            self._arrived(event, now)
        elif type(event) is PeerLost:
            self._lost(event, now)
        elif type(event) is GaveUp:
            self._gave_up = event.reason
        elif type(event) is Tick:
            self._tick(now)
        else:
            raise LocalProtocolError(f"a Broker has no rule for {event!r}")
        if self.queue:
            if self.workers or self._gave_up is None:
                self._dispatch(now)
            else:
                self._fail_queued(self._gave_up, now)
        if type(event) is Tick:
            room, idle_room, working = self._survey()
            self._ask(room, now)
            self._consider_hunger(idle_room if working and not self.queue else 0, now)
        actions, self._actions = self._actions, []
        return actions

    def next_deadline(self) -> float | None:
        """When the next Tick is due."""
        if self._due is None or self._hungry_at is None:
            return self._hungry_at if self._due is None else self._due
        return min(self._due, self._hungry_at)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, peer: Peer, message: messages.Message, now: float) -> None:
        sequence, acknowledged = peer.channel.number(message, now)
        self._actions.append(Send(peer.name, message, sequence, acknowledged))
        self._note_deadline(peer)

    def _note_deadline(self, peer: Peer) -> None:
        due = peer.channel.deadline()
        if due is not None and (self._due is None or due < self._due):
            self._due = due

    def _tick(self, now: float) -> None:
        if self._due is not None and now >= self._due:
            self._due = None
            for peer in self.peers.values():
                for sequence, message in peer.channel.repeat(now):
                    self._actions.append(Send(peer.name, message, sequence, peer.channel.acknowledged))
                if peer.channel.ack_is_due(now):
                    self._send(peer, messages.Ack(), now)
                self._note_deadline(peer)

    # -- arrivals ----------------------------------------------------------------------------------------------------

    def _arrived(self, event: Arrived, now: float) -> None:
        message = event.message
        if type(message) is messages.Hello:
            self._on_hello(event.peer, message, now)
            return
        peer = self.peers.get(event.peer)
        if peer is None:
            self._violations += 1  # a late word of a peer that is gone
            return
        if not peer.channel.accept(event.sequence, event.acknowledged, now):
            self._note_deadline(peer)
            return
        self._note_deadline(peer)
        if type(message) is messages.Demand:
            peer.channel.demand(message.count)
        try:
            handler = self._handlers.get(type(message))
            if handler is None:
                raise RemoteProtocolError(f"{type(message).__name__} is not for Brokers")
            handler(peer, message, now)
        except RemoteProtocolError:
            self._violations += 1

    def _on_hello(self, name: str, hello: messages.Hello, now: float) -> None:
        if hello.protocol != PROTOCOL:
            reason = f"Broker {self.name} speaks protocol {PROTOCOL}, {hello.name} speaks {hello.protocol}"
            self._actions.append(Send(name, messages.Refused(PROTOCOL, reason), 0, 0))
            return
        if name in self._ended:
            return
        peer = self.peers.get(name)
        if peer is not None and peer.boot != hello.boot:
            self._remove(peer, now)
            peer = None
        if peer is None:
            peer = self.peers[name] = Peer(name, hello.role, hello.boot, hello.pid)
            (self.workers if hello.role == "worker" else self.origins).append(peer)
        self._send(peer, messages.Welcome(PROTOCOL, self.name, self.boot, self.size), now)
        if not peer.channel.unacknowledged:
            for constant in self.constants.values():
                self._send(peer, constant, now)

    def _on_demand(self, peer: Peer, demand: messages.Demand, now: float) -> None:
        peer.idle, peer.spent = demand.idle, False

    def _on_function(self, peer: Peer, function: messages.Function, now: float) -> None:
        peer.knows.add(function.digest)
        if function.digest not in self.functions:
            self.functions[function.digest] = function
            self._function_bytes += len(function.body)
            while len(self.functions) > FUNCTIONS_KEPT or (
                self._function_bytes > FUNCTION_BYTES_KEPT and len(self.functions) > 1
            ):
                oldest = self.functions.pop(next(iter(self.functions)))
                self._function_bytes -= len(oldest.body)
        for lot in self.waiting.pop(function.digest, ()):
            self._enqueue(lot)

    def _on_want(self, peer: Peer, want: messages.Want, now: float) -> None:
        peer.knows.discard(want.digest)
        function = self.functions.get(want.digest)
        if function is not None:
            peer.knows.add(want.digest)
            self._send(peer, function, now)
            return
        for piece in peer.held.values():  # forgotten here: ask where its Futures came from
            if piece.function == want.digest and piece.source is not None:
                ids = list(piece.pending)
                self._release(peer, piece, ids)
                self.waiting.setdefault(want.digest, []).append(piece.lot(*piece.take(ids)))
                self._request(want.digest, piece.source[0], now)
        peer.held = {number: piece for number, piece in peer.held.items() if piece.pending}

    def _request(self, digest: bytes, source: str, now: float) -> None:
        self._send(self.peers[source], messages.Want(digest), now)

    def _on_batch(self, peer: Peer, batch: messages.Batch, now: float) -> None:
        source = (peer.name, batch.piece)
        if source in self.intakes:
            raise RemoteProtocolError("a piece number was used twice")
        self.intakes[source] = Intake(len(batch.ids), batch.backlog)
        peer.asked -= len(batch.ids)
        lot = Lot(source, batch.submitter, batch.function, batch.attempt, batch.crashes, batch.ids, batch.payloads)
        if batch.function in self.functions:
            self._enqueue(lot)
        else:
            if batch.function not in self.waiting:
                self._request(batch.function, peer.name, now)
            self.waiting.setdefault(batch.function, []).append(lot)

    def _on_results(self, peer: Peer, results: messages.Results, now: float) -> None:
        piece = peer.held.get(results.piece)
        if piece is None or piece.attempt != results.attempt:
            return  # taken back or resolved before: the first result won
        self.durations.learn(piece.function, results.seconds, results.count)
        ids, outcomes, odd = results.ids, results.outcomes, results.odd
        fresh, _ = piece.take(ids)
        if len(fresh) != len(ids):
            wanted = set(fresh)
            kept = [(number, outcome) for number, outcome in zip(ids, outcomes) if number in wanted]
            ids, outcomes = [number for number, _ in kept], [outcome for _, outcome in kept]
            odd = [pair for pair in odd if pair[0] in wanted]
        self._close_if_done(peer, results.piece, piece)
        if piece.source is not None and ids:
            self._resolve(piece.source, piece.attempt, ids, outcomes, odd, now, results.seconds, results.count)

    def _resolve(
        self, source: Source, attempt: int, ids: list[int], outcomes: list[bytes], odd: Any, now: float,
        seconds: float = 0.0, count: int = 0,
    ) -> None:  # fmt: skip
        """Pass outcomes on to whom they belong, and strike them from the intake."""
        intake = self.intakes[source]
        intake.left -= len(ids)
        self._resolved += len(ids)
        if not intake.left:
            del self.intakes[source]
        self._send(self.peers[source[0]], messages.Results(source[1], attempt, ids, outcomes, odd, seconds, count), now)

    def _close_if_done(self, peer: Peer, number: int, piece: Piece) -> None:
        if not piece.pending:
            del peer.held[number]
            peer.idle = not peer.held
            if piece.source is not None and piece.source in self.intakes:
                self.intakes[piece.source].outs.discard((peer.name, number))

    def _on_return(self, peer: Peer, back: messages.Return, now: float) -> None:
        piece = peer.held.get(back.piece)
        if piece is None:
            return
        peer.spent = True  # it will ask again when it can use more
        self._take_back(piece, back.ids, now)
        self._close_if_done(peer, back.piece, piece)

    def _take_back(self, piece: Piece, wanted: list[int], now: float, *, lost: bool = False) -> None:
        """Futures of a piece are here again: to be given out first, or cancelled if that was asked for meanwhile."""
        ids, payloads = piece.take(wanted)
        if not ids or piece.source is None:
            return
        unwanted = [number for number in ids if number in piece.unwanted]
        if unwanted:
            kept = [(number, payload) for number, payload in zip(ids, payloads) if number not in piece.unwanted]
            ids, payloads = [number for number, _ in kept], [payload for _, payload in kept]
            self._resolve_cancelled(piece.source, piece.attempt, unwanted, now)
        lot = piece.lot(ids, payloads, lost=lost)
        lot.together = -(-len(ids) // max(1, len(self.workers)))
        self._enqueue(lot, first=True)

    def _resolve_cancelled(self, source: Source, attempt: int, ids: list[int], now: float) -> None:
        self._resolve(source, attempt, ids, [b""] * len(ids), [(number, CANCELLED) for number in ids], now)

    def _on_cancel(self, peer: Peer, cancel: messages.Cancel, now: float) -> None:
        source = (peer.name, cancel.piece)
        intake = self.intakes.get(source)
        if intake is None:
            return
        wanted = set(cancel.ids)
        for lot in itertools.chain(self.queue, *self.waiting.values()):
            if lot.source == source and not wanted.isdisjoint(lot.ids):
                self._cancel_queued(lot, wanted, now)
        self.queue = deque(lot for lot in self.queue if lot.ids)
        self.waiting = {digest: [lot for lot in lots if lot.ids] for digest, lots in self.waiting.items()}
        for holder, number in sorted(intake.outs):
            piece = self.peers[holder].held[number]
            ids = [i for i in cancel.ids if i in piece.pending]
            piece.unwanted.update(ids)
            if ids:
                self._send(self.peers[holder], messages.Cancel(number, ids), now)

    def _cancel_queued(self, lot: Lot, wanted: set[int], now: float) -> None:
        kept = [(i, payload) for i, payload in zip(lot.ids, lot.payloads) if i not in wanted]
        gone = [i for i in lot.ids if i in wanted]
        if any(lot is queued for queued in self.queue):
            self._count(lot, -1)
            lot.ids, lot.payloads = [i for i, _ in kept], [payload for _, payload in kept]
            self._count(lot, +1)
        else:
            lot.ids, lot.payloads = [i for i, _ in kept], [payload for _, payload in kept]
        self._resolve_cancelled(lot.source, lot.attempt, gone, now)

    def _on_running(self, peer: Peer, running: messages.Running, now: float) -> None:
        piece = peer.held.get(running.piece)
        if piece is not None and piece.source is not None:
            self._send(self.peers[piece.source[0]], messages.Running(piece.source[1], running.ids), now)

    def _on_constant(self, peer: Peer, constant: messages.Constant, now: float) -> None:
        known = self.constants.get(constant.name)
        late = known is not None and known.version >= constant.version
        if known is not None and late:
            constant = messages.Constant(constant.name, known.version + 1, constant.body)
        self.constants[constant.name] = constant
        for other in self.peers.values():
            if late or other is not peer:  # its sender may have taken the other's value for the newer one
                self._send(other, constant, now)

    def _on_bye(self, peer: Peer, bye: messages.Bye, now: float) -> None:
        self._remove(peer, now)

    # -- losses ------------------------------------------------------------------------------------------------------

    def _lost(self, event: PeerLost, now: float) -> None:
        self._ended.append(event.peer)
        peer = self.peers.get(event.peer)
        if peer is None:
            return
        if event.blame and event.running is not None:
            self._blame(peer, event, now)
        self._remove(peer, now)

    def _blame(self, peer: Peer, event: PeerLost, now: float) -> None:
        """Count a crash against the Future that was running; at the limit it is poisoned."""
        assert event.running is not None
        number, culprit = event.running
        piece = peer.held.get(number)
        if piece is None or culprit not in piece.pending:
            return
        self._crashes += 1
        lot = piece.lot(*piece.take([culprit]), lost=True, crashed=True) if piece.source is not None else None
        self._close_if_done(peer, number, piece)
        if lot is None:
            return
        if lot.crashes >= CRASH_LIMIT:
            report = (event.host, event.peer, event.status, lot.crashes, event.dump)
            self._fail(lot, POISONED, report, now)
        else:
            self._enqueue(lot, first=True)

    def _remove(self, peer: Peer, now: float) -> None:
        """Forget a peer: what it held runs again, what it submitted is dropped."""
        del self.peers[peer.name]
        (self.workers if peer.role == "worker" else self.origins).remove(peer)
        for number, piece in sorted(peer.held.items(), reverse=True):
            if piece.source is not None:
                if piece.source in self.intakes:
                    self.intakes[piece.source].outs.discard((peer.name, number))
                if piece.source[0] != peer.name:
                    self._take_back(piece, list(piece.pending), now, lost=True)
        self._drop_submissions(peer.name, now)

    def _drop_submissions(self, name: str, now: float) -> None:
        for lot in self.queue:
            if lot.source[0] == name:
                self._count(lot, -1)
        self.queue = deque(lot for lot in self.queue if lot.source[0] != name)
        for digest, lots in list(self.waiting.items()):
            self.waiting[digest] = [lot for lot in lots if lot.source[0] != name]
        for source in [source for source in self.intakes if source[0] == name]:
            for holder, number in sorted(self.intakes.pop(source).outs):
                piece = self.peers[holder].held[number]
                piece.source = None
                self._send(self.peers[holder], messages.Cancel(number, list(piece.pending)), now)

    def _fail_queued(self, reason: str, now: float) -> None:
        """No Worker is left, and none will come."""
        while self.queue:
            lot = self.queue.popleft()
            self._count(lot, -1)
            self._fail(lot, LOST, reason, now)

    def _fail(self, lot: Lot, kind: int, report: Any, now: float) -> None:
        outcome = self._pack(report)
        self._resolve(lot.source, lot.attempt, lot.ids, [outcome] * len(lot.ids), [(i, kind) for i in lot.ids], now)

    # -- giving out --------------------------------------------------------------------------------------------------

    def _enqueue(self, lot: Lot, *, first: bool = False) -> None:
        if not lot.ids:
            return
        self._count(lot, +1)
        if first:
            self.queue.appendleft(lot)
        else:
            self.queue.append(lot)

    def _count(self, lot: Lot, sign: int) -> None:
        self._queued += sign * len(lot.ids)
        self._queued_bytes += sign * sum(map(len, lot.payloads))

    def _dispatch(self, now: float) -> None:
        """Cut pieces from the head of the queue for Workers with room, idle ones first."""
        roomy = deque(sorted((peer for peer in self.workers if peer.room), key=lambda peer: not peer.idle))
        backlog = sum(intake.backlog for intake in self._queued_intakes())
        while self.queue and roomy:
            lot, peer = self.queue[0], roomy.popleft()
            if lot.function not in self.functions:
                self.queue.popleft()
                self._count(lot, -1)
                self._request(lot.function, lot.source[0], now)
                self.waiting.setdefault(lot.function, []).append(lot)
                roomy.appendleft(peer)
                continue
            mean = self.durations.of(lot.function)
            waits = 0 if peer.idle else peer.pending - 1
            count, spent = schedule.portion(mean, peer.room, self._queued + backlog, len(self.workers), max(0, waits))
            if not count:
                continue
            if lot.together and count > lot.together:
                count = lot.together
            if lot.crashes:
                count, spent = 1, True
            self._give(peer, lot, min(count, len(lot.ids)), spent, now)
            if peer.room > 0:
                roomy.append(peer)

    def _queued_intakes(self) -> list[Intake]:
        newest = {lot.source[0]: self.intakes[lot.source] for lot in self.queue}
        return list(newest.values())

    def _give(self, peer: Peer, lot: Lot, count: int, spent: bool, now: float) -> None:
        self._count(lot, -1)
        if count < len(lot.ids):
            given = lot.cut(count)
            self._count(lot, +1)
        else:
            given = self.queue.popleft()
        if given.function not in peer.knows:
            peer.knows.add(given.function)
            self._send(peer, self.functions[given.function], now)
        batch = peer.give(given, self._queued, spent)
        self.intakes[given.source].outs.add((peer.name, batch.piece))
        self._send(peer, batch, now)

    def _release(self, peer: Peer, piece: Piece, ids: list[int]) -> None:
        for number, held in peer.held.items():
            if held is piece and piece.source in self.intakes:
                self.intakes[piece.source].outs.discard((peer.name, number))

    def _survey(self) -> tuple[int, int, bool]:
        """One pass over the Workers: room of all, room of the idle ones, and whether any has work."""
        room = idle_room = 0
        working = False
        for peer in self.workers:
            if peer.held and not peer.idle:
                working = True
            if not peer.spent and (free := peer.channel.room) > 0:
                room += free
                if peer.idle:
                    idle_room += free
        return room, idle_room, working

    def _ask(self, room: int, now: float) -> None:
        """Tell the Origins how much more the Workers and the queue can take."""
        cushion = schedule.cushion(self.durations.last, len(self.workers))
        wanted = room + cushion - self._queued
        if self._queued_bytes > schedule.QUEUE_BYTES_AT_MOST or not self.workers:
            wanted = 0 if self._gave_up is None else schedule.MOST_IN_A_PIECE  # to be told that nobody will run them
        elif 2 * self._queued > cushion > wanted > 0:
            return  # a larger Batch a little later
        wanted = max(0, wanted)
        for peer in self.origins:
            if wanted > 2 * max(0, peer.asked) or wanted < peer.asked // 4:
                peer.asked = wanted
                self._send(peer, messages.Demand(wanted, False), now)

    def _consider_hunger(self, hunger: int, now: float) -> None:
        """Publish hunger once idle Workers have waited a moment while others have work; repeat it while it lasts."""
        if not hunger:
            self._hungry_at = None
            if self._state.hunger:
                self._publish(0)
        elif self._hungry_at is None:
            self._hungry_at = now + HUNGER_AFTER_SECONDS
        elif now >= self._hungry_at:
            self._publish(hunger)
            self._hungry_at = now + HUNGER_REPEAT_SECONDS

    def _publish(self, hunger: int) -> None:
        self._state = messages.State(self._state.number + 1, hunger, self._queued, self.size)
        self._actions.append(Publish(self._state))

    # -- for people and tests ----------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return {
            "peers": len(self.peers),
            "workers": len(self.workers),
            "queued": self._queued,
            "held": sum(len(piece.pending) for peer in self.peers.values() for piece in peer.held.values()),
            "functions": len(self.functions),
            "resolved": self._resolved,
            "crashes": self._crashes,
            "violations": self._violations,
        }

    def explain(self, submitter: str, number: int) -> str:
        """Say where a Future is and why it is not running."""
        for lot in self.queue:
            if lot.submitter == submitter and number in lot.ids:
                room = sum(peer.room for peer in self.workers)
                return f"queued at Broker {self.name}, {self._queued} in all; Workers have room for {room}"
        for digest, lots in self.waiting.items():
            if any(lot.submitter == submitter and number in lot.ids for lot in lots):
                return f"waits at Broker {self.name} for the definition of function {digest.hex()[:8]}"
        for peer in self.peers.values():
            for piece in peer.held.values():
                if piece.submitter == submitter and number in piece.pending:
                    return f"with {peer.name}, attempt {piece.attempt}, {piece.crashes} crashes"
        return f"not known to Broker {self.name}"

    def check(self) -> None:
        """Assert the invariants: every Future in one place, counts equal sums, books agree."""
        left: dict[Source, int] = {}
        outs: dict[Source, set[Source]] = {}
        for lot in itertools.chain(self.queue, *self.waiting.values()):
            left[lot.source] = left.get(lot.source, 0) + len(lot.ids)
            _require(len(lot.ids) == len(lot.payloads) > 0, "a lot is empty or uneven")
        for peer in self.peers.values():
            peer.channel.check()
            for number, piece in peer.held.items():
                _require(bool(piece.pending), f"{peer.name} holds an empty piece")
                if piece.source is not None:
                    left[piece.source] = left.get(piece.source, 0) + len(piece.pending)
                    outs.setdefault(piece.source, set()).add((peer.name, number))
        _require(left == {source: intake.left for source, intake in self.intakes.items()}, "intakes do not add up")
        for source, intake in self.intakes.items():
            _require(intake.outs == outs.get(source, set()), "an intake does not know its pieces")
            _require(source[0] in self.peers, "an intake of a peer that is gone")
        _require(self._queued == sum(len(lot.ids) for lot in self.queue), "the queue's count is off")
        _require(
            self._queued_bytes == sum(len(p) for lot in self.queue for p in lot.payloads), "the queue's bytes are off"
        )


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise LocalProtocolError(what)
