"""The Broker: which of its parts an event goes to, and in which order they are asked.

Peers (Workers, Origins, other Brokers) announce Demand and give Batches. A Batch becomes a Lot of the :mod:`.ledger`;
:mod:`.dispatch` gives pieces of it to peers. A piece stays in the account of the peer that holds it until its results
have been passed on by :mod:`.delivery`, so when a peer is lost, exactly what it held is given out again
(:mod:`.recovery`). No part knows this class: each has those below it, and writes into the :class:`.Outbox`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import LocalProtocolError, RemoteProtocolError
from ..federation import schedule
from ..federation.events import Arrived, Tick
from ..federation.session import Dice
from ..federation.terms import terms_of
from ..wire import messages
from ..wire.messages import PROTOCOL
from . import events, files
from .adoption import Adoption
from .claims import Claims
from .deferrals import Deferrals, Deferred
from .delivery import Delivery
from .dispatch import SPECIAL, Dispatch
from .downloads import Downloads
from .events import LEFT, Action, Event, Expect, PeerLost, PeerStopped
from .fetches import Fetches
from .functions import Functions
from .leases import Leases
from .ledger import Ledger
from .load import Load
from .outbox import Outbox
from .peers import Peer, Peers
from .queries import Counts, Queries
from .recovery import Recovery
from .results import Settlement
from .roles import ALLOWED, may_say
from .segment_cache import SPACE_BYTES, SegmentCache
from .sessions import Sessions
from .transfers import Transfers
from .wanted import WantedWorkers

ARRIVED = ("arrived",)  # what has come is parked under this key until it is known whether it has to wait
LENT = ("lent",)
"""What a neighbour was lent in its last session is parked under this key until it is given to it again."""


class BrokerMachine:
    """One Broker. ``step(event, now)`` returns the actions; see the module's text."""

    def __init__(
        self, name: str, incarnation: int, pack: Callable[[Any], bytes], random: Dice,
        size_of: Callable[[str], int] = lambda segment: -1, space: int = SPACE_BYTES, segments: Counts = dict,
        slots: int | None = None, sent: Counts = dict,
    ) -> None:  # fmt: skip
        self.name, self.durations = name, schedule.Durations()
        self.outbox, self.peers, self.ledger = Outbox(), Peers(), Ledger()
        self.load = Load(incarnation, self.ledger, self.durations, self.outbox)
        self.functions = Functions(self.outbox, self.peers, self.ledger)
        self.downloads: Downloads[Deferred] = Downloads(self.outbox, self.peers.hears)
        cache = self.segment_cache = SegmentCache(self.outbox, space)
        self.deferrals = Deferrals(self.ledger, self.outbox, self.downloads, self.segment_cache, size_of)
        self.fetches = Fetches(self.outbox, self.peers, self.downloads, size_of)
        self.delivery = Delivery(self.peers, self.outbox, cache, pack, self.ledger.is_owed)
        self.dispatch = Dispatch(name, self.ledger, self.load, self.durations, self.functions, cache, self.outbox)
        self.claims, self.wanted = Claims(), WantedWorkers(slots, self.load, self.ledger, self.outbox)
        self.recovery = Recovery(self.peers, self.ledger, self.delivery, cache, self.claims, self.outbox)
        self.adoption = Adoption(self.peers, self.ledger, self.delivery, self.claims, self.outbox)
        outcomes = self.delivery, self.recovery, self.adoption, self.outbox
        self.settlement = Settlement(self.peers, self.ledger, self.durations, *outcomes)
        come = self.outbox, self.ledger, self.downloads, self.deferrals, self.fetches, self.settlement, self.dispatch
        self.transfers = Transfers(name, self.peers, *come, self.functions, self.delivery, self.claims, pack)
        self.sessions = Sessions(name, incarnation, random, self.peers, self.delivery, self.outbox)
        self.leases = Leases(incarnation, self.peers, self.ledger, self.load, self.outbox, pack)
        asked = self.functions, self.downloads, self.deferrals, self.recovery, self.sessions, self.durations
        self.queries = Queries(name, self.peers, self.ledger, self.load, *asked, self.outbox, pack, segments, sent)
        self.statistics, self.explain = self.queries.statistics, self.queries.explain

    def step(self, event: Event, now: float) -> list[Action]:
        """Take an event in and return what is to be done.

        What concerns all (asking for more, unmet demand) is done at a Tick, so that an arrival is passed on at once:
        the shell gives a Tick after each round of arrivals.
        """
        kind = type(event)
        if kind is Arrived:
            self._on_arrived(event, now)  # type: ignore[arg-type]
        elif kind is Tick:
            self._on_tick(now)
        elif kind in _EVENTS:
            _EVENTS[kind](self, event, now)
        else:
            raise LocalProtocolError(f"a Broker has no rule for {event!r}")
        load, recovery = self.load, self.recovery
        if self.ledger.changed:
            load.note_held()
        if self.ledger.vacated:
            self.deferrals.forget_vacated()
        hopeless = recovery.gave_up is not None and load.is_deserted()
        if (self.ledger.queue.limited or SPECIAL & self.ledger.parked.keys()) and not recovery.expected:
            recovery.fail_parked(self.dispatch.give_limited(now, hopeless=hopeless), now)
        if self.ledger.queue.count and not recovery.expected:
            if hopeless:
                recovery.fail_queued(now)
            else:
                self.dispatch.give_out(now)
                if kind is Tick and load.neighbours:
                    self.dispatch.give_to_neighbours(now)
        if (self.leases.open or self.leases.candidate) and not recovery.expected:
            self.leases.look(now, is_wanted=bool(self.ledger.queue.count or SPECIAL & self.ledger.parked.keys()))
        if kind is Tick:
            load.balance(now, hopeless=hopeless)
            if self.wanted.slots is not None:
                self.wanted.look(now, recovery)
        return self.outbox.take()

    def next_deadline(self) -> float | None:
        """When the next Tick is due."""
        times = [self.outbox.due, self.load.due, self.segment_cache.due, self.dispatch.stand_ins.deadline()]
        times += [self.downloads.deadline(), self.fetches.deadline(), self.wanted.due]
        times += [self.recovery.endings.due, self.recovery.once.due]
        if self.peers.neighbours or self.sessions.dials:
            times.append(self.sessions.deadline())
        if self.adoption.orphans or self.queries.open or self.recovery.expected:
            times += [self.adoption.deadline(), self.queries.deadline(), self.recovery.deadline()]
        return min([due for due in times if due is not None], default=None)

    def _on_tick(self, now: float) -> None:
        if self.outbox.due is not None and now >= self.outbox.due:
            self.outbox.repeat(self.peers.values(), now)
        if self.peers.neighbours or self.sessions.dials:
            for peer in self.sessions.tick(now):
                if peer.silent:
                    self._on_silence(peer, now)
                else:
                    self._remove(peer, now)
        self.downloads.tick(now)
        self.fetches.tick(now)
        if self.segment_cache.due is not None and now >= self.segment_cache.due:
            bodies = (constant.body for constant in self.functions.constants.values())
            self.segment_cache.tick(now, self.ledger.is_open, bodies)
        if self.adoption.orphans:
            self.adoption.expire(now)
        self.queries.expire(now)
        self.dispatch.stand_ins.expire(now)
        if self.recovery.endings.due or self.recovery.once.due:
            self.recovery.expire(now)
        if self.recovery.expected and self.recovery.is_to_announce(now):
            self.load.announce()

    # -- arrivals, and those of no session ---------------------------------------------------------------------------

    def _on_arrived(self, event: Arrived, now: float) -> None:
        try:
            kind = type(event.message)
            if kind in _UNNUMBERED:
                _UNNUMBERED[kind](self, event.peer, event.message, now)
            elif (peer := self._sender(event, now)) is not None:
                if not may_say(peer.role, kind):
                    raise RemoteProtocolError(f"{peer.name} may not say {kind.__name__}")
                HANDLERS[kind](self, peer, event.message, now)
        except RemoteProtocolError:
            self.sessions.note_violation()

    def _sender(self, event: Arrived, now: float) -> Peer | None:
        """Return who sent a message that is new, and of the session that is open with it."""
        peer = self.peers.get(event.peer)
        if peer is None:
            self.sessions.on_unknown(event.peer)
            return None
        if peer.link is not None:
            self._on_heard(peer, now)
        if peer.channel.is_foreign(event.sequence, event.acknowledged):
            self.sessions.on_foreign(peer, now)
            return None
        is_new = peer.channel.accept(event.sequence, event.acknowledged, now)
        self.outbox.note_deadline(peer)
        return peer if is_new else None

    def _on_heard(self, peer: Peer, now: float) -> None:
        """Something came from a neighbour; if it was silent, it is asked to drop what others do meanwhile."""
        assert peer.link is not None
        if peer.link.heard(now):
            self.load.on_end_of_silence(peer.name)
            self.recovery.recall_doubtful(peer, now)

    def _on_hello(self, name: str, hello: messages.Hello, now: float) -> None:
        if hello.protocol != PROTOCOL:
            self.sessions.refuse(name, hello)
            return
        peer = self.peers.get(name)
        if hello.role not in ALLOWED or (peer is not None and peer.role != hello.role):
            self.sessions.note_violation()
        elif hello.role == "broker":
            new = self.sessions.on_hello(name, hello, now)
            if new is not None:
                self._begin(new, now)
            elif peer is not None:
                self._on_heard(peer, now)
        elif not self.sessions.has_ended(name):
            if peer is not None and peer.incarnation != hello.incarnation:
                self._remove(peer, now)
                peer = None
            new = self.sessions.begin(name, hello) if peer is None else peer
            self.sessions.send_welcome(new, hello)
            if peer is None:
                self._add(new, now)

    def _on_welcome(self, name: str, welcome: messages.Welcome, now: float) -> None:
        if (peer := self.sessions.on_welcome(name, welcome)) is not None and peer is self.peers.get(name):
            assert peer.link is not None
            self._on_heard(peer, now)
            peer.link.welcomed(now)
            self.load.note_link()
        elif peer is not None:
            self._begin(peer, now)

    def _on_ping(self, name: str, ping: messages.Ping, now: float) -> None:
        peer = self.peers.get(name)
        if peer is None or peer.link is None:
            self.outbox.send_unnumbered(name, messages.Stranger())
        elif peer.channel.is_foreign(ping.last, 0):
            self.sessions.on_foreign(peer, now)
        else:
            self.outbox.send_unnumbered(name, messages.Pong(ping.token))
            peer.channel.heard_last(ping.last, now)
            self.outbox.note_deadline(peer)
            self._on_heard(peer, now)

    def _on_pong(self, name: str, pong: messages.Pong, now: float) -> None:
        if (peer := self.peers.get(name)) is not None and peer.link is not None:
            peer.link.pong(pong.token, now)
            self.load.note_link()
            self._on_heard(peer, now)

    def _on_brought(self, event: files.Brought, now: float) -> None:
        if (peer := self.peers.get(event.peer)) is not None and peer.link is not None:
            self._on_heard(peer, now)
            self.transfers.on_chunk(event, now)

    # -- peers come and go -------------------------------------------------------------------------------------------

    def _add(self, peer: Peer, now: float) -> None:
        """Take a new peer in."""
        self.peers.enter(peer)
        self.claims.on_first_session(peer.name)
        self.ledger.open(peer.name)
        self.load.join(peer)
        self.functions.on_join(peer, now)
        self.transfers.on_session(peer, now)

    def _begin(self, peer: Peer, now: float) -> None:
        """Begin a session with a neighbour, and bring over what the one before has left."""
        link, old = peer.link, self.peers.get(peer.name)
        assert link is not None
        link.welcomed(now)
        if old is None:
            self._add(peer, now)
            return
        self.delivery.flush(old, now)
        self.delivery.forget(old.name)
        self.peers.enter(peer)
        self.claims.on_new_session(peer.name, self.ledger.accounts[peer.name].held.values())
        self.recovery.take_back_all(peer.name, len(self.peers.workers), now, LENT)
        self.recovery.forget_doubt(peer.name)
        self.adoption.on_peer_lost(peer.name)
        self.queries.on_peer_lost(peer.name, now)
        self.load.join(peer)
        self.adoption.say_what_is_held(peer, old.channel, now)
        for lot in self.ledger.parked.get(LENT, [])[::-1]:
            self.dispatch.give_again(self.load.peers[peer.name], lot, now, self.recovery.once.wait)
        self.deferrals.on_new_session(peer.name)
        self.transfers.on_session(peer, now)
        self.functions.on_new_session(peer, now)
        self.sessions.send_due(peer.name, link, now)

    def _on_silence(self, peer: Peer, now: float) -> None:
        """Nothing is heard of a neighbour: what it holds is given out again."""
        self.recovery.on_silence(peer.name, len(self.peers.workers), now)
        self.adoption.on_peer_lost(peer.name)
        self.load.on_silence(peer.name)
        self.queries.on_peer_lost(peer.name, now)

    def _on_lost(self, event: PeerLost, now: float) -> None:
        self.sessions.on_end(event.peer)
        self.recovery.on_end(event.peer)
        if (peer := self.peers.get(event.peer)) is not None:
            self.recovery.blame(event, len(self.peers.workers), now)
            self._remove(peer, now, event)

    def _on_stopped(self, event: PeerStopped, now: float) -> None:
        if self.peers.stop(event.peer):
            self.load.on_stopped(event.peer)
            self.leases.on_stopped(event, now)
            self.recovery.set_aside(event.peer, event.running, len(self.peers.workers), now)

    def _on_continued(self, event: events.PeerContinued, now: float) -> None:
        if self.peers.go_on(event.peer):
            self.load.on_continued(event.peer)
            self.recovery.recall_doubtful(self.peers[event.peer], now)

    def _remove(self, peer: Peer, now: float, how: PeerLost | None = None) -> None:
        """Forget a peer: what it held runs again, what it submitted is dropped."""
        name = peer.name
        self.peers.leave(peer)
        self.leases.on_peer_gone(peer, how, now)
        self.claims.on_peer_gone(name, returns=peer.link is not None)
        self.recovery.take_back_all(name, len(self.peers.workers), now, how=how)
        self.adoption.on_peer_lost(name)
        self.recovery.drop_submissions(name, now)
        self.load.leave(name)
        self.delivery.forget(name)
        self.deferrals.forget_vacated()
        self.transfers.on_peer_gone(peer, now)
        self.queries.on_peer_lost(name, now)

    # -- messages of a session ---------------------------------------------------------------------------------------

    def _on_demand(self, peer: Peer, demand: messages.Demand, now: float) -> None:
        self.load.on_demand(peer.name, demand)
        self.recovery.expected.pop(peer.name, None)

    def _on_constant(self, peer: Peer, constant: messages.Constant, now: float) -> None:
        if not (peer.far and self.deferrals.defer_constant(peer.name, constant, now)):
            self.functions.on_constant(peer, constant, now)

    def _on_batch(self, peer: Peer, batch: messages.Batch, now: float) -> None:
        terms = terms_of(batch)
        if peer.role == "origin":
            self.leases.on_batch(peer.name, batch, now)
        simple = not (peer.far or self.adoption.orphans or terms.may_have_begun)
        if simple and batch.function in self.functions.definitions:
            self.ledger.admit(peer.name, batch.piece, terms, batch.ids, batch.payloads)
            self.load.on_batch(peer.name, batch)
            return
        lot = self.ledger.admit(peer.name, batch.piece, terms, batch.ids, batch.payloads, ARRIVED)
        self.load.on_batch(peer.name, batch)
        if self.adoption.orphans:
            self.adoption.claim(lot, now)
        if terms.may_have_begun and lot.ids:
            self.recovery.once.wait(lot, now)
        elif peer.far and lot.ids:
            self.deferrals.defer_futures(peer.name, lot, now)
        if lot.ids and lot.key is ARRIVED:
            self.dispatch.place(lot, now)

    def _on_holding(self, peer: Peer, holding: messages.Holding, now: float) -> None:
        self.load.on_holding(peer.name)
        self.adoption.on_holding(peer, holding, now)

    def _on_results(self, peer: Peer, results: messages.Results, now: float) -> None:
        if peer.far:
            came = results
            results = self.deferrals.defer_results(peer, came, lambda: self.settlement.awaited(peer.name, came), now)
        self.settlement.on_results(peer.name, results, now)

    def _on_return(self, peer: Peer, back: messages.Return, now: float) -> None:
        self.load.on_return(peer.name, len(back.ids), held=self.settlement.on_return(peer, back, now))

    # -- for people and tests ----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert that the books of all parts agree."""
        for peer in self.peers.values():
            peer.channel.check()
        for books in (self.ledger.accounts, self.load.peers):
            if books.keys() != self.peers.keys():
                raise LocalProtocolError("a peer has no account, or no load")
        for part in (self.ledger, self.load, self.adoption, self.downloads, self.deferrals, self.segment_cache):
            part.check()
        for other in (self.recovery.endings, self.leases):
            other.check()


_EVENTS: dict[type, Callable[[BrokerMachine, Any, float], None]] = {
    PeerLost: BrokerMachine._on_lost,
    PeerStopped: BrokerMachine._on_stopped,
    events.PeerContinued: BrokerMachine._on_continued,
    events.GaveUp: lambda broker, event, now: broker.recovery.give_up(event.reason),
    events.Dial: lambda broker, event, now: broker.sessions.dial(event.peer, now),
    Expect: lambda broker, it, now: broker.recovery.expect(broker.sessions.living(it.workers), it.neighbours, now),
    events.HostAsks: lambda broker, event, now: broker.queries.on_host_asks(event, now),
    events.HostReported: lambda broker, event, now: broker.queries.on_host_reported(event, now),
    files.Brought: BrokerMachine._on_brought,
    files.Stored: lambda broker, event, now: broker.transfers.on_stored(event, now),
    files.Unwritable: lambda broker, event, now: broker.transfers.on_unwritable(event, now),
}

_UNNUMBERED: dict[type, Callable[[BrokerMachine, str, Any, float], None]] = {
    messages.Hello: BrokerMachine._on_hello,
    messages.Welcome: BrokerMachine._on_welcome,
    messages.Refused: lambda broker, *_: broker.sessions.note_violation(),  # of another version: its end says why
    messages.Stranger: lambda broker, name, _, now: broker.sessions.on_stranger(name, now),
    messages.Ping: BrokerMachine._on_ping,
    messages.Pong: BrokerMachine._on_pong,
    messages.State: lambda broker, name, state, now: broker.load.on_state(name, state),
    messages.Get: lambda broker, name, get, now: broker.transfers.on_get(broker.peers.get(name), get, now),
    messages.Chunk: lambda broker, name, chunk, now: broker._on_brought(files.Brought(name, chunk), now),
}
"""What belongs to no session."""

HANDLERS: dict[type, Callable[[BrokerMachine, Peer, Any, float], None]] = {
    messages.Ack: lambda broker, peer, ack, now: broker.outbox.on_ack(peer, ack, now),
    messages.Demand: BrokerMachine._on_demand,
    messages.Function: lambda broker, peer, it, now: broker.functions.on_function(peer, it, now),
    messages.Want: lambda broker, peer, it, now: broker.functions.on_want(peer, it.digest, now),
    messages.Batch: BrokerMachine._on_batch,
    messages.Holding: BrokerMachine._on_holding,
    messages.Results: BrokerMachine._on_results,
    messages.Return: BrokerMachine._on_return,
    messages.Cancel: lambda broker, peer, it, now: (
        broker.leases if it.piece >= messages.LANE_PIECES else broker.recovery
    ).cancel(peer.name, it, now),
    messages.LeaseEnded: lambda broker, peer, it, now: broker.leases.on_ended(peer.name, it),
    messages.Running: lambda broker, peer, it, now: broker.settlement.on_running(peer.name, it, now),
    messages.Constant: BrokerMachine._on_constant,
    messages.Inquire: lambda broker, peer, it, now: broker.queries.on_inquire(peer, it, now),
    messages.Answer: lambda broker, peer, it, now: broker.queries.on_answer(peer, it, now),
    messages.Bye: lambda broker, peer, _, now: broker._remove(peer, now, LEFT),
    messages.Drop: lambda broker, peer, it, now: broker.transfers.on_drop(peer, it),
    messages.Fetch: lambda broker, peer, it, now: broker.fetches.on_fetch(peer, it, now),
    messages.Fetched: lambda broker, peer, it, now: broker.fetches.on_fetched(peer, it, now),
}
