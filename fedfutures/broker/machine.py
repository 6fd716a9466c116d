"""The Broker's rules.

Theory of operation. Peers (Workers, Origins and neighbouring Brokers) announce Demand and give Batches. A Batch
becomes a :class:`Lot` in the queue; :meth:`BrokerMachine._dispatch` cuts pieces from it for Workers with room, idle
ones first, and then for neighbours. A piece stays in the ledger of the peer that holds it until its results have passed
on to the lot's source, so when a peer is lost, exactly what it held is given out again. How load is shared beyond that
(:mod:`.exchange`), how links to neighbours live and die (:mod:`.neighbourhood`), what becomes of Futures when a Broker
is started again (:mod:`.orphans`) and questions that go around (:mod:`.inquiries`) have modules of their own.

A Future that was *running* when its Worker died (the host process knows from the Worker's black box) has its crash
count raised and travels alone from then on; at the third it resolves as poisoned. The innocent ones that the same
Worker held, or had suspended, just run again.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import LocalProtocolError, RemoteProtocolError
from ..federation import schedule
from ..federation.channel import Channel
from ..federation.events import Arrived, Tick
from ..host.brokers import host_of
from ..program.snapshots import asked_for
from ..wire import messages
from ..wire.manifest import OF_USER, is_segment, segments_of
from ..wire.messages import CANCELLED, LOST, MAX_CHUNK_BYTES, PROTOCOL
from ..wire.modules import is_module
from . import audit, files
from .deferrals import Deferrals, Deferred
from .dispatch import Dispatch
from .downloads import Downloads, Failed
from .events import Action, Dial, Event, Expect, GaveUp, LossReason, PeerLost
from .exchange import Exchange
from .fetches import Fetches
from .functions import Functions
from .inquiries import Inquiries
from .ledger import SHARD, Intake, Lot, Peer, Piece, Source, only
from .losses import Losses
from .neighbourhood import Neighbourhood
from .orphans import Orphans
from .outbox import Outbox
from .queue import WorkQueue
from .roles import ALLOWED, may_say
from .segment_cache import SPACE_BYTES, SegmentCache

if TYPE_CHECKING:
    from random import Random

EXPECT_SECONDS = 1.0
ANNOUNCE_SECONDS = 0.05
ATTEMPTS_AT_MOST = 16
"""A Future whose result could not be had so often is lost."""


def nothing_here(segment: str) -> int:
    """The size of a segment on a host that has none."""
    return -1


def _is_reachable(peers: dict[str, Peer], name: str) -> bool:
    return name in peers and not peers[name].silent


class BrokerMachine:
    """One Broker. ``step(event, now)`` returns the actions; see the module's text."""

    def __init__(
        self, name: str, boot: int, size: int, pack: Callable[[Any], bytes], random: Random,
        size_of: Callable[[str], int] = nothing_here, space: int = SPACE_BYTES,
    ) -> None:  # fmt: skip
        self.name, self.boot, self.size = name, boot, size
        self.outbox = Outbox()
        self.pack = pack  # how reports become bytes
        self.peers: dict[str, Peer] = {}
        self.workers: list[Peer] = []  # the same peers, by role
        self.locked_in = 0  # Workers of these that start nothing of others now
        self.origins: list[Peer] = []
        self.neighbours: list[Peer] = []
        self.queue = WorkQueue()
        self.intakes: dict[Source, Intake] = {}
        self.durations = schedule.Durations()
        self.functions = Functions(self.outbox, self.peers)
        self._size_of = size_of
        self.downloads: Downloads[Deferred] = Downloads(self.outbox, functools.partial(_is_reachable, self.peers))
        self.segment_cache = SegmentCache(self.outbox, space)
        self.deferrals = Deferrals(self.outbox, self.downloads, self.segment_cache, size_of)
        self._fetches = Fetches(self.outbox, self.peers, size_of)
        self.dispatch = Dispatch(self)
        self.losses = Losses(self)
        self.exchange = Exchange(self)
        self._neighbourhood = Neighbourhood(self, random)
        self.orphans = Orphans(self)
        self.inquiries = Inquiries(self)
        self._sessions = boot  # the last session number given out
        self.gave_up: LossReason | None = None
        self._expected: set[str] = set()  # Workers that have yet to introduce themselves
        self._expect_until = self._announce_at = float("inf")
        self._ended: deque[str] = deque(maxlen=1024)  # Workers that have; a Hello of theirs may still be under way
        self.crashes = self.resolved = self.violations = 0

    def step(self, event: Event, now: float) -> list[Action]:
        """Take an event in and return what is to be done.

        What concerns all (asking for more, hunger) is done at a Tick, so that an arrival is passed on without delay:
        the shell gives a Tick after each round of arrivals.
        """
        kind = type(event)
        if kind is Arrived:
            self._arrived(event, now)  # type: ignore[arg-type]
        elif kind is Tick:
            self._tick(now)
        elif kind in _EVENTS:
            _EVENTS[kind](self, event, now)
        else:
            raise LocalProtocolError(f"a Broker has no rule for {event!r}")
        if len(self.queue) and not self._expected:
            if self.gave_up is not None and self.losses.is_hopeless():
                self.losses.fail_queued(self.gave_up, now)
            else:
                self.dispatch.give_out(now)
                if kind is Tick and self.neighbours:
                    self.dispatch.give_to_neighbours(now)
        if kind is Tick:
            self.exchange.balance(now)
        return self.outbox.take()

    def next_deadline(self) -> float | None:
        """When the next Tick is due."""
        times = [self.outbox.due, self.exchange.due, self.segment_cache.due]
        times += [self.downloads.deadline(), self._fetches.deadline()]
        if self.neighbours or self._neighbourhood.dials:
            times.append(self._neighbourhood.deadline())
        if len(self.orphans):
            times.append(self.orphans.deadline())
        if self.inquiries.open:
            times.append(self.inquiries.deadline())
        if self._expected:
            times.append(min(self._expect_until, self._announce_at))
        return min([due for due in times if due is not None], default=None)

    def _tick(self, now: float) -> None:
        self.outbox.repeat(self.peers.values(), now)
        if self.neighbours or self._neighbourhood.dials:
            self._neighbourhood.tick(now)
        self.downloads.tick(now)
        self._fetches.tick(now)
        constants = self.functions.constants.values()
        self.segment_cache.tick(now, self.intakes, (constant.body for constant in constants))
        if len(self.orphans):
            self.orphans.expire(now)
        if self.inquiries.open:
            self.inquiries.expire(now)
        if self._expected:
            if now >= self._expect_until:
                self._expected.clear()
            elif now >= self._announce_at:
                self.exchange.announce()
                self._announce_at = now + ANNOUNCE_SECONDS

    def _expect(self, event: Expect, now: float) -> None:
        self._expected = set(event.workers) - set(self._ended)
        self._expect_until, self._announce_at = now + EXPECT_SECONDS, now

    def _give_up(self, event: GaveUp, now: float) -> None:
        self.gave_up = event.reason

    # -- arrivals ----------------------------------------------------------------------------------------------------

    def _arrived(self, event: Arrived, now: float) -> None:
        message, kind = event.message, type(event.message)
        if kind in _ASIDE:
            _ASIDE[kind](self, event.peer, message, now)
            return
        peer = self.peers.get(event.peer)
        if peer is None:
            self.violations += 1  # a late word of a peer that is gone, or one that does not know that we are new
            if event.peer not in self._ended:
                self.outbox.send_unnumbered(event.peer, messages.Stranger())
            return
        if peer.link is not None:
            self._neighbourhood.heard(peer, now)
        if peer.channel.is_foreign(event.sequence, event.acknowledged):
            self._be_strangers(peer, now)
            return
        fresh = peer.channel.accept(event.sequence, event.acknowledged, now)
        self.outbox.note_deadline(peer)
        if not fresh:
            return
        if kind is messages.Demand:
            peer.channel.demand(message.count)  # type: ignore[union-attr]
        if not may_say(peer.role, kind):
            self.violations += 1
            return
        try:
            _HANDLERS[kind](self, peer, message, now)
        except RemoteProtocolError:
            self.violations += 1

    def _be_strangers(self, peer: Peer, now: float) -> None:
        """The peer speaks of another session than we do; find to a common one."""
        self.violations += 1
        if peer.link is not None and peer.link.dials:
            self._neighbourhood.stranger(peer.name, now)
        else:
            self.outbox.send_unnumbered(peer.name, messages.Stranger())

    def _on_hello(self, name: str, hello: messages.Hello, now: float) -> None:
        if hello.protocol != PROTOCOL:
            reason = f"Broker {self.name} speaks protocol {PROTOCOL}, {hello.name} speaks {hello.protocol}"
            self.outbox.send_unnumbered(name, messages.Refused(PROTOCOL, reason))
            return
        peer = self.peers.get(name)
        if hello.role not in ALLOWED or (peer is not None and peer.role != hello.role):
            self.violations += 1
            return
        if hello.role == "broker":
            self._neighbourhood.greeted(name, hello, now)
            return
        if name in self._ended:
            return
        if peer is not None and peer.boot != hello.boot:
            self.losses.remove(peer, now)
            peer = None
        known = peer is not None
        if peer is None:
            session = self.next_session()
            peer = Peer(name, hello.role, hello.boot, hello.pid, session, Channel(session))
            peer.workers = 1 if hello.role == "worker" else 0
        self.outbox.send_unnumbered(name, self.welcome(peer, hello))
        if not known:
            self.add(peer, now)

    def _on_refused(self, name: str, refused: messages.Refused, now: float) -> None:
        self.violations += 1  # of another version: its end says why

    def _on_ping(self, name: str, ping: messages.Ping, now: float) -> None:
        peer = self.peers.get(name)
        if peer is None or peer.link is None:
            self.outbox.send_unnumbered(name, messages.Stranger())
            return
        if peer.channel.is_foreign(ping.last, 0):
            self._be_strangers(peer, now)
            return
        self.outbox.send_unnumbered(name, messages.Pong(ping.token))
        peer.channel.heard_last(ping.last, now)
        self.outbox.note_deadline(peer)
        self._neighbourhood.heard(peer, now)

    def _on_pong(self, name: str, pong: messages.Pong, now: float) -> None:
        peer = self.peers.get(name)
        if peer is not None and peer.link is not None:
            peer.link.pong(pong.token, now)
            self._neighbourhood.heard(peer, now)

    def _brought(self, event: files.Brought, now: float) -> None:
        peer = self.peers.get(event.peer)
        if peer is not None and peer.link is not None:
            self._neighbourhood.heard(peer, now)
            self._fail(self.downloads.on_chunk(event, now), now)
            self.downloads.pump(event.peer, now)

    def _on_stored(self, event: files.Stored, now: float) -> None:
        for deferred in self.deferrals.on_stored(event.name):
            self._proceed(deferred, now)

    def _on_unwritable(self, event: files.Unwritable, now: float) -> None:
        self._fail(self.downloads.on_unwritable(event, host_of(self.name), now), now)

    def _proceed(self, deferred: Deferred, now: float) -> None:
        """All segments of what came are here."""
        self.deferrals.strike_out(deferred)
        _READY[type(deferred.what)](self, deferred, now)

    def _fail(self, failed: Failed[Deferred] | None, now: float) -> None:
        """A segment cannot be had."""
        if failed is not None:
            outcome = self.pack(f"segment {failed.segment}, which it needs, {failed.why}")
            for deferred in failed.keys:
                _FAILED[type(deferred.what)](self, deferred, failed, outcome, now)

    def _fail_lot(self, deferred: Deferred, failed: Failed[Deferred], outcome: bytes, now: float) -> None:
        lot = deferred.what
        assert type(lot) is Lot
        ids = [i for i, payload in zip(lot.ids, lot.payloads) if failed.segment in segments_of(payload)]
        if ids:
            self.withdraw(lot, set(ids))
            self.resolve(lot.giver, ids, [outcome] * len(ids), [(i, LOST) for i in ids], now)
        if lot.ids and not self.downloads.is_waiting(deferred):
            self._proceed(deferred, now)

    def _fail_results(self, deferred: Deferred, failed: Failed[Deferred], outcome: bytes, now: float) -> None:
        """Outcomes cannot be had: their Futures run as the next attempt, unless that would be of no use."""
        self.deferrals.strike_out(deferred)
        peer, results = self.peers[deferred.peer], deferred.what
        assert type(results) is messages.Results
        if failed.gone and results.attempt < ATTEMPTS_AT_MOST:
            self.losses.run_again(peer, results, now)
            return
        lost = [(i, LOST) for i in results.ids]
        self.settle_results(
            peer, messages.Results(results.piece, results.attempt, results.ids, [outcome] * len(lost), lost), now
        )

    def _settle_deferred(self, deferred: Deferred, now: float) -> None:
        peer, results = self.peers[deferred.peer], deferred.what
        assert type(results) is messages.Results
        if not self._awaited(peer, results):
            self.outbox.act(files.Remove(deferred.segments))
        self.settle_results(peer, results, now)
        self.outbox.send(peer, messages.Drop(deferred.segments), now)

    def _awaited(self, peer: Peer, results: messages.Results) -> set[int]:
        """Return which Futures of a piece have no outcome yet."""
        held = {i for key, ids in peer.keys(results.piece, results.ids) for i in ids if i in peer.held[key].pending}
        held.update(*(lent for _, lent in peer.doubtful.get(results.piece, ())))
        if results.piece in peer.orphans:
            held |= peer.orphans[results.piece].ids
        return held

    def _on_get(self, name: str, get: messages.Get, now: float) -> None:
        peer = self.peers.get(name)
        if peer is None or peer.link is None or not is_segment(get.name) or get.count > MAX_CHUNK_BYTES:
            self.violations += 1
        else:
            self.outbox.act(files.Read(name, get.name, get.offset, get.count))

    def _on_drop(self, peer: Peer, drop: messages.Drop, now: float) -> None:
        """A neighbour has downloaded the segments of a result."""
        if peer.far:
            names = [name for name in drop.names if is_segment(name) and not name.startswith(OF_USER)]
            self.outbox.act(files.Remove(names))

    def _on_fetch(self, peer: Peer, fetch: messages.Fetch, now: float) -> None:
        self._fetches.on_fetch(peer, fetch.name, self._parent(), now)

    def _on_fetched(self, peer: Peer, fetched: messages.Fetched, now: float) -> None:
        if self._fetches.on_fetched(peer, fetched, now):
            self.deferrals.defer_fetch(peer.name, fetched.name, now)

    def _on_state(self, name: str, state: messages.State, now: float) -> None:
        peer = self.peers.get(name)
        if peer is not None and (peer.state[0] != state.boot or state.number > peer.state[1]):
            peer.state = (state.boot, state.number)
            peer.spare = state.spare

    def hears(self, name: str) -> bool:
        """Whether a neighbour is there: a session is open, and it is not silent."""
        peer = self.peers.get(name)
        return peer is not None and not peer.silent

    def next_session(self) -> int:
        """Return a number for a session that begins."""
        self._sessions += 1
        return self._sessions

    def welcome(self, peer: Peer, hello: messages.Hello) -> messages.Welcome:
        """Return what a peer is welcomed with."""
        return messages.Welcome(PROTOCOL, self.name, self.boot, self.size, peer.session, hello.boot + hello.round)

    def add(self, peer: Peer, now: float) -> None:
        """Take a new peer in."""
        self.peers[peer.name] = peer
        self.of_role(peer).append(peer)
        self.functions.on_join(peer, peer is self.towards_origin(), now)
        self.resume_downloads(peer, now)

    def resume_downloads(self, peer: Peer, now: float) -> None:
        """In a session that begins, ask for the segments that are missing."""
        self.downloads.on_session(peer.name, now)
        if peer.link is not None and not peer.link.dials:
            self._fetches.on_parent(peer, self.downloads, now)

    def forget_downloads(self, peer: Peer, now: float) -> None:
        """A peer is gone: what waits for its segments does not go on."""
        self.deferrals.on_peer_gone(peer.name)
        if peer.link is not None and not peer.link.dials:
            self._fetches.on_parent_gone(self.downloads, now)
        self.downloads.on_peer_gone(peer.name, now)
        self._fetches.on_peer_gone(peer.name)

    @property
    def takers(self) -> int:
        """How many own Workers start Futures of others."""
        return len(self.workers) - self.locked_in

    def of_role(self, peer: Peer) -> list[Peer]:
        return {"worker": self.workers, "origin": self.origins, "broker": self.neighbours}[peer.role]

    def _on_ack(self, peer: Peer, ack: messages.Ack, now: float) -> None:
        if ack.missing:
            peer.channel.hasten(now)
            self.outbox.note_deadline(peer)

    def _on_demand(self, peer: Peer, demand: messages.Demand, now: float) -> None:
        workers = demand.workers
        if peer.role == "worker":
            workers = min(1, workers)
            self.locked_in += peer.workers - workers
        peer.idle, peer.workers, peer.spent = demand.idle, workers, False
        self._expected.discard(peer.name)

    def _on_function(self, peer: Peer, function: messages.Function, now: float) -> None:
        for lot in self.functions.on_function(peer, function, now):
            self.enqueue(lot)

    def _on_want(self, peer: Peer, want: messages.Want, now: float) -> None:
        if self.functions.on_want(peer, want.digest, now):
            for other in self._sources_of(peer, want.digest):
                self.outbox.send(other, want, now)

    def _sources_of(self, peer: Peer, digest: bytes) -> list[Peer]:
        """Return whom to ask for what a peer wants: where its Futures came from, or for modules who is towards their
        Origin."""
        if not is_module(digest):
            sources = {piece.source[0] for piece in peer.held.values() if piece.function == digest and piece.source}
            return [self.peers[name] for name in sorted(sources)]
        origin = asked_for(digest)[2]
        if origin in self.peers:
            return [self.peers[origin]]
        for piece in peer.held.values() if origin else ():
            source = self.peers.get(piece.source[0]) if piece.root == origin and piece.source else None
            if source is not None and source.link is not None and source is not peer:
                return [source]
        towards = self.towards_origin()
        return [] if towards is None else [towards]

    def towards_origin(self) -> Peer | None:
        """Return an Origin, or else the neighbour that dials this Broker, which is nearer to one."""
        return self.origins[0] if self.origins else self._parent()

    def _parent(self) -> Peer | None:
        return next((peer for peer in self.neighbours if peer.link is not None and not peer.link.dials), None)

    def _on_constant(self, peer: Peer, constant: messages.Constant, now: float) -> None:
        if not (peer.far and self.deferrals.defer_constant(peer.name, constant, now)):
            self.functions.on_constant(peer, constant, now)

    def _on_batch(self, peer: Peer, batch: messages.Batch, now: float) -> None:
        source = (peer.name, batch.piece)
        if source in self.intakes:
            raise RemoteProtocolError("a piece number was used twice")
        self.intakes[source] = Intake(len(batch.ids), batch.submitter, batch.function, batch.attempt, batch.crashes)
        peer.asked -= len(batch.ids)
        peer.told_idle = max(0, peer.told_idle - len(batch.ids))
        peer.backlog = batch.backlog
        if peer.link is not None:
            peer.idle = 0  # it serves its idle Workers, and whom it knows to be idle, before it gives us anything
        lot = Lot(
            source, batch.submitter, batch.function, batch.attempt, batch.crashes, batch.root or batch.submitter,
            batch.priority, (), batch.ids, batch.payloads,
        )  # fmt: skip
        if len(self.orphans):
            lot = self.orphans.claim(lot, now)
        if peer.far:
            lot = self.deferrals.defer_futures(peer.name, lot, now)
        self.admit(lot, now)

    def admit(self, lot: Lot, now: float) -> None:
        """Take in a lot whose segments are here."""
        if lot.function in self.functions.definitions or not lot.ids:
            self.enqueue(lot)
        else:
            self.functions.defer(lot, now)

    def _on_results(self, peer: Peer, results: messages.Results, now: float) -> None:
        if peer.far:
            came = results
            results = self.deferrals.defer_results(peer, came, lambda: self._awaited(peer, came), now)
        self.settle_results(peer, results, now)

    def settle_results(self, peer: Peer, results: messages.Results, now: float) -> None:
        """Take in results whose segments are here."""
        piece = peer.held.get(results.piece)
        if piece is None or peer.shards or peer.orphans or peer.doubtful:
            self._on_rare_results(peer, results, now)
            return
        self.durations.learn(piece.function, results.seconds, results.count)
        self._settle(peer, results.piece, piece, results, now)

    def _on_rare_results(self, peer: Peer, results: messages.Results, now: float) -> None:
        """Results of a piece that was taken back or given by a Broker that stood here before, or of a mixed one."""
        for key, ids in peer.keys(results.piece, results.ids):
            self._settle(peer, key, peer.held[key], only(results, set(ids)), now)
        self.orphans.results(peer, results)
        for source, lent in peer.doubtful.get(results.piece, ()):
            real = lent.intersection(results.ids).difference(i for i, kind in results.odd if kind == CANCELLED)
            if real:
                self.losses.settle_late(source, only(results, real), now)
        self.losses.clear_doubt(peer, results.piece, results.ids)

    def _settle(self, peer: Peer, key: int, piece: Piece, results: messages.Results, now: float) -> None:
        """Take in outcomes of a piece that the peer holds, and pass on what is news."""
        if results.odd:
            results = self._sort_out_returned(peer, piece, results, now)
        fresh, _ = peer.take(piece, results.ids)
        if len(fresh) != len(results.ids):
            results = only(results, set(fresh))
        self.close(peer, key, piece)
        if piece.source is not None and results.ids:
            self.resolve(
                piece.source, results.ids, results.outcomes, results.odd, now, results.seconds, results.count
            )  # fmt: skip

    def _sort_out_returned(
        self, peer: Peer, piece: Piece, results: messages.Results, now: float
    ) -> messages.Results:  # fmt: skip
        """Futures that come back as cancelled, when their submitter did not ask for that, are to be run elsewhere."""
        odd = {i for i, kind in results.odd if kind == CANCELLED and i in piece.pending and i not in piece.unwanted}
        if not odd:
            return results
        lot = self.losses.taken(peer, piece, sorted(odd), now)
        if lot is not None:
            self.put_back(lot)
        return only(results, set(results.ids) - odd)

    def resolve(
        self, source: Source, ids: list[int], outcomes: list[bytes], odd: Any, now: float,
        seconds: float = 0.0, count: int = 0,
    ) -> None:  # fmt: skip
        """Pass outcomes on to whom they belong, and strike them from the intake."""
        intake = self.intakes[source]
        intake.left -= len(ids)
        self.resolved += len(ids)
        peer = self.peers[source[0]]
        if not intake.left:
            del self.intakes[source]
            self.segment_cache.on_resolved(source)
            peer.finished.append((source[1], intake))
        results = messages.Results(source[1], intake.attempt, ids, outcomes, odd, seconds, count)
        if peer.link is None:
            self.outbox.send(peer, results, now)
        else:
            self._neighbourhood.collect(peer, results, now)

    def close(self, peer: Peer, key: int, piece: Piece) -> None:
        """Strike a piece out once nothing of it is pending."""
        if piece.pending:
            return
        del peer.held[key]
        number = key % SHARD
        if number in peer.shards and not any(k in peer.held for k in (number, *peer.shards[number])):
            del peer.shards[number]
        if peer.role == "worker" and not peer.held:
            peer.idle = 1  # not said: it would be one message more; a Worker may be idle with Futures that wait, too
        if piece.source is not None and piece.source in self.intakes:
            self.intakes[piece.source].outs.discard((peer.name, key))

    def _on_return(self, peer: Peer, back: messages.Return, now: float) -> None:
        peer.told_idle = max(0, peer.told_idle - len(back.ids))
        for key, ids in peer.keys(back.piece, back.ids):
            piece = peer.held[key]
            lot = self.losses.taken(peer, piece, ids, now)
            self.close(peer, key, piece)
            if peer.link is None:
                peer.spent = True  # it will ask again when it can use more
            elif lot is not None:
                lot.barred += (peer.name,)
                lot.attempt, lot.crashes = max(lot.attempt, back.attempt), max(lot.crashes, back.crashes)
            if lot is not None:
                self.put_back(lot)
        self.orphans.forget(peer, back.piece, back.ids)
        if peer.doubtful:
            self.losses.clear_doubt(peer, back.piece, back.ids)

    def put_back(self, lot: Lot) -> None:
        """Futures are here again: they are given out first, and spread."""
        lot.together = -(-len(lot.ids) // max(1, len(self.workers)))
        self.enqueue(lot, first=True)

    def resolve_cancelled(self, source: Source, ids: list[int], now: float) -> None:
        self.resolve(source, ids, [b""] * len(ids), [(number, CANCELLED) for number in ids], now)

    def _on_cancel(self, peer: Peer, cancel: messages.Cancel, now: float) -> None:
        source = (peer.name, cancel.piece)
        intake = self.intakes.get(source)
        if intake is None:
            return
        wanted = set(cancel.ids)
        for lot in self.lots():
            if lot.source == source and not wanted.isdisjoint(lot.ids):
                self.resolve_cancelled(source, self.withdraw(lot, wanted).ids, now)
        for holder, key in sorted(intake.outs):
            piece = self.peers[holder].held[key]
            ids = [i for i in cancel.ids if i in piece.pending]
            piece.unwanted.update(ids)
            if ids:
                self.outbox.send(self.peers[holder], messages.Cancel(key % SHARD, ids), now)

    def _on_running(self, peer: Peer, running: messages.Running, now: float) -> None:
        for key, ids in peer.keys(running.piece, running.ids):
            source = peer.held[key].source
            if source is not None:
                self.outbox.send(self.peers[source[0]], messages.Running(source[1], ids, running.kept), now)

    # -- losses ------------------------------------------------------------------------------------------------------

    def _lost(self, event: PeerLost, now: float) -> None:
        self._ended.append(event.peer)
        self._expected.discard(event.peer)
        peer = self.peers.get(event.peer)
        if peer is None:
            return
        if event.blame and event.running is not None:
            self.losses.blame(peer, event, now)
        self.losses.remove(peer, now)

    # -- what waits --------------------------------------------------------------------------------------------------

    def enqueue(self, lot: Lot, *, first: bool = False) -> None:
        if lot.ids:
            self.queue.add(lot, first=first)

    def lots(self) -> list[Lot]:
        """Return all that waits here."""
        return [*self.queue, *itertools.chain(*self.functions.waiting.values()), *self.deferrals.lots()]

    def withdraw(self, lot: Lot, ids: set[int]) -> Lot:
        """Take these Futures out of a lot that waits here, wherever that is."""
        if self.queue.contains(lot):
            return self.queue.withdraw(lot, ids)
        return self.deferrals.withdraw(lot, ids) or self.functions.withdraw(lot, ids)

    # -- for people and tests ----------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts of what is here."""
        return audit.statistics(self)

    def explain(self, submitter: str, number: int) -> str:
        """Say where a Future is and why it is not running."""
        return audit.explain(self, submitter, number)

    def check(self) -> None:
        """Assert the invariants: every Future in one place, counts equal sums, books agree."""
        audit.check(self)


_EVENTS: dict[type, Callable[[BrokerMachine, Any, float], None]] = {
    PeerLost: BrokerMachine._lost,
    GaveUp: BrokerMachine._give_up,
    Dial: lambda broker, event, now: broker._neighbourhood.dial(event.peer, now),
    Expect: BrokerMachine._expect,
    files.Brought: BrokerMachine._brought,
    files.Stored: BrokerMachine._on_stored,
    files.Unwritable: BrokerMachine._on_unwritable,
}

_ASIDE: dict[type, Callable[[BrokerMachine, str, Any, float], None]] = {
    messages.Hello: BrokerMachine._on_hello,
    messages.Welcome: lambda broker, name, welcome, now: broker._neighbourhood.welcomed(name, welcome, now),
    messages.Refused: BrokerMachine._on_refused,
    messages.Stranger: lambda broker, name, _, now: broker._neighbourhood.stranger(name, now),
    messages.Ping: BrokerMachine._on_ping,
    messages.Pong: BrokerMachine._on_pong,
    messages.State: BrokerMachine._on_state,
    messages.Get: BrokerMachine._on_get,
    messages.Chunk: lambda broker, name, chunk, now: broker._brought(files.Brought(name, chunk), now),
}
"""What belongs to no session."""

_HANDLERS: dict[type, Callable[[BrokerMachine, Peer, Any, float], None]] = {
    messages.Ack: BrokerMachine._on_ack,
    messages.Demand: BrokerMachine._on_demand,
    messages.Function: BrokerMachine._on_function,
    messages.Want: BrokerMachine._on_want,
    messages.Batch: BrokerMachine._on_batch,
    messages.Holding: lambda broker, peer, it, now: broker.orphans.enter(peer, it, now),
    messages.Results: BrokerMachine._on_results,
    messages.Return: BrokerMachine._on_return,
    messages.Cancel: BrokerMachine._on_cancel,
    messages.Running: BrokerMachine._on_running,
    messages.Constant: BrokerMachine._on_constant,
    messages.Inquire: lambda broker, peer, it, now: broker.inquiries.ask(peer, it, now),
    messages.Answer: lambda broker, peer, it, now: broker.inquiries.answered(peer, it, now),
    messages.Bye: lambda broker, peer, _, now: broker.losses.remove(peer, now),
    messages.Drop: BrokerMachine._on_drop,
    messages.Fetch: BrokerMachine._on_fetch,
    messages.Fetched: BrokerMachine._on_fetched,
}

_READY: dict[type, Callable[[BrokerMachine, Deferred, float], None]] = {
    Lot: lambda broker, deferred, now: broker.admit(deferred.what, now),  # type: ignore[arg-type]
    messages.Results: BrokerMachine._settle_deferred,
    messages.Constant: lambda broker, it, now: broker.functions.on_constant(broker.peers[it.peer], it.what, now),  # type: ignore[arg-type]
    messages.Fetch: lambda broker, it, now: broker._fetches.answer(it.what.name, now),  # type: ignore[union-attr]
}
"""What to do when the segments of something are here."""

_FAILED: dict[type, Callable[[BrokerMachine, Deferred, Failed[Deferred], bytes, float], None]] = {
    Lot: BrokerMachine._fail_lot,
    messages.Results: BrokerMachine._fail_results,
    messages.Constant: lambda broker, deferred, failed, outcome, now: broker.deferrals.strike_out(deferred),
    messages.Fetch: lambda broker, it, failed, outcome, now: broker._fetches.answer(it.what.name, now),  # type: ignore[union-attr]
}
"""What to do when a segment of something cannot be had."""
