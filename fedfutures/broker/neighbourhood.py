"""The links to neighbours: sessions begin, fall silent, come back, are renewed or forgotten.

A session is what both ends keep of a link. It outlives any number of broken connections, since its Channel repeats
what was lost. It ends when one end has lost its state; then both begin another, and compare what they hold: who holds
Futures for the other says so (``Holding``), results that may have been lost are sent again, and what the other was
lent is given to it again as the next attempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..federation.channel import Channel
from ..federation.link import Link
from ..federation.sessions import introduction
from ..host.brokers import host_of
from ..wire import messages
from . import audit
from .ledger import Peer

if TYPE_CHECKING:
    from random import Random

    from .machine import BrokerMachine


COLLECT_SECONDS = 0.004
"""Results for a neighbour go out at once when none did for so long, else together: so a Broker that stands before
thousands of Workers has as many messages to take in as time allows, not as there are Futures."""


class Neighbourhood:
    """The neighbours of one Broker."""

    def __init__(self, broker: BrokerMachine, random: Random) -> None:
        self._broker = broker
        self._outbox = broker.outbox
        self._random = random
        self.dials: dict[str, Link] = {}

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        times = [due for link in self._links() if (due := link.deadline()) is not None]
        times += [peer.flush_at for peer in self._broker.neighbours if peer.collected]
        return min(times, default=None)

    def _links(self) -> list[Link]:
        links = list(self.dials.values())
        return links + [peer.link for peer in self._broker.neighbours if peer.link and not peer.link.dials]

    def dial(self, name: str, now: float) -> None:
        """Begin to link to a neighbour that this end dials."""
        if name not in self.dials:
            self.dials[name] = Link(self._broker.name, True, self._random, now)
            self._say_what_is_due(name, self.dials[name], now)

    def tick(self, now: float) -> None:
        """Send beats, introduce, notice silence, forget."""
        for name, dialled in list(self.dials.items()):
            self._say_what_is_due(name, dialled, now)
        for peer in list(self._broker.neighbours):
            assert peer.link is not None
            link = peer.link
            if peer.collected and now >= peer.flush_at:
                self.flush(peer, now)
            if not link.dials:
                self._say_what_is_due(peer.name, link, now)
            if link.falls_silent(now):
                self._broker.losses.take_back_from_silent(peer, now)
            elif link.is_forgotten(now):
                link.forget(now)
                self._broker.losses.remove(peer, now)

    def collect(self, peer: Peer, results: messages.Results, now: float) -> None:
        """Send results to a neighbour, now or with others."""
        assert peer.link is not None
        if not peer.collected:
            wait = max(COLLECT_SECONDS, peer.link.round_trip / 16)
            if now >= peer.flush_at + wait:
                peer.flush_at = now
                self._outbox.send(peer, results, now)
                return
            peer.flush_at += wait
        known = peer.collected.get(results.piece)
        if known is None:
            peer.collected[results.piece] = results
        else:
            known.ids.extend(results.ids)
            known.outcomes.extend(results.outcomes)
            known.odd.extend(results.odd)
            known.seconds += results.seconds
            known.count += results.count

    def flush(self, peer: Peer, now: float) -> None:
        """Send what was collected for a neighbour."""
        collected, peer.collected = peer.collected, {}
        peer.flush_at = now
        for results in collected.values():
            self._outbox.send(peer, results, now)

    def _say_what_is_due(self, name: str, link: Link, now: float) -> None:
        peer = self._broker.peers.get(name)
        session, last = (0, 0) if peer is None else (peer.session, peer.channel.last)
        for message in link.due(session, last, now):
            self._outbox.send_unnumbered(name, message)

    def stranger(self, name: str, now: float) -> None:
        """A neighbour that this end dials does not know it."""
        if name in self.dials:
            self.dials[name].introduce(now)

    def heard(self, peer: Peer, now: float) -> None:
        """Something came from a neighbour; if it was silent, it is asked to drop what others do meanwhile."""
        assert peer.link is not None
        if peer.link.heard(now):
            peer.spent = False
            for number, parts in sorted(peer.doubtful.items()):
                ids = sorted(i for _, some in parts for i in some)
                self._outbox.send(peer, messages.Cancel(number, ids), now)

    def greeted(self, name: str, hello: messages.Hello, now: float) -> None:
        """A neighbour that dials says ``Hello``; a new session begins where that is due."""
        broker = self._broker
        peer = broker.peers.get(name)
        if peer is not None and peer.boot == hello.boot:
            self._outbox.send_unnumbered(name, broker.welcome(peer, hello))
            self.heard(peer, now)
            return
        link = Link(broker.name, False, self._random, now)
        new = self._new_peer(name, hello.boot, broker.next_session(), link)
        self._outbox.send_unnumbered(name, broker.welcome(new, hello))
        self._begin(new, peer, now)

    def welcomed(self, name: str, welcome: messages.Welcome, now: float) -> None:
        """A neighbour that this end dials answers."""
        link = self.dials.get(name)
        if link is None or not link.expects(welcome.greeter):
            return
        peer = self._broker.peers.get(name)
        if peer is not None and peer.session == welcome.session:
            self.heard(peer, now)
            link.welcomed(now)
            return
        self._begin(self._new_peer(name, welcome.boot, welcome.session, link), peer, now)

    def _new_peer(self, name: str, boot: int, session: int, link: Link) -> Peer:
        far = host_of(name) != host_of(self._broker.name)
        return Peer(name, "broker", boot, 0, session, Channel(session), link, workers=0, far=far)

    def _begin(self, peer: Peer, old: Peer | None, now: float) -> None:
        """Begin a session, and bring over what the one before has left."""
        assert peer.link is not None
        peer.link.welcomed(now)
        broker = self._broker
        if old is None:
            broker.add(peer, now)
            return
        self.flush(old, now)
        peer.pieces = old.pieces
        lent = broker.losses.replace(old, peer, now)
        held = {
            number: (intake, audit.ids_of(broker, (name, number)))
            for (name, number), intake in broker.intakes.items()
            if name == peer.name
        }
        for message in introduction(held, old.finished, old.channel):
            self._outbox.send(peer, message, now)
        for lot in lent:
            broker.losses.give_again(peer, lot, now)
        broker.deferrals.on_new_session(peer.name)
        broker.resume_downloads(peer, now)
        broker.functions.on_new_session(peer, peer is broker.towards_origin(), now)
        self._say_what_is_due(peer.name, peer.link, now)
