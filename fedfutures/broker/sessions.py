"""The links to neighbours: sessions begin, fall silent, come back, are renewed or forgotten.

:mod:`..federation.session` has the rules of both ends; what the other end was lent is given to it again as the next
attempt when a session begins anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..federation.channel import Channel
from ..federation.link import Link
from ..federation.session import Dice, welcome_to
from ..wire.messages import PROTOCOL, Hello, Refused, Stranger, Welcome
from ..wire.names import host_of
from .delivery import Delivery
from .outbox import Outbox
from .peers import Peer, Peers

ENDED_REMEMBERED = 1024


class Sessions:
    """The sessions of one Broker, and its links to neighbours."""

    def __init__(
        self, name: str, incarnation: int, dice: Dice, peers: Peers, delivery: Delivery, outbox: Outbox
    ) -> None:  # fmt: skip
        self._name, self._incarnation, self._dice = name, incarnation, dice
        self._peers, self._delivery, self._outbox = peers, delivery, outbox
        self.dials: dict[str, Link] = {}
        self._last = incarnation  # the last session number given out
        self._ended: deque[str] = deque(maxlen=ENDED_REMEMBERED)
        self.violations = 0  # messages that their senders should not have sent

    def note_violation(self) -> None:
        """Count a message that its sender should not have sent."""
        self.violations += 1

    def refuse(self, name: str, hello: Hello) -> None:
        """Refuse a node of another version."""
        reason = f"Broker {self._name} speaks protocol {PROTOCOL}, {hello.name} speaks {hello.protocol}"
        self._outbox.send_unnumbered(name, Refused(PROTOCOL, reason))

    def on_end(self, name: str) -> None:
        """A Worker has ended; a Hello of it may still be under way."""
        self._ended.append(name)

    def living(self, names: list[str]) -> set[str]:
        """Return those Workers that have not ended."""
        return set(names).difference(self._ended)

    def has_ended(self, name: str) -> bool:
        """Whether this Worker has ended."""
        return name in self._ended

    def begin(self, name: str, hello: Hello) -> Peer:
        """Begin a session with a Worker or an Origin."""
        session = self._next_session()
        return Peer(name, hello.role, hello.incarnation, session, Channel(session))

    def _next_session(self) -> int:
        self._last += 1
        return self._last

    def send_welcome(self, peer: Peer, hello: Hello) -> None:
        """Welcome a peer."""
        welcome = welcome_to(hello, self._name, self._incarnation, peer.session)
        self._outbox.send_unnumbered(peer.name, welcome)

    def on_foreign(self, peer: Peer, now: float) -> None:
        """The peer names a session that is not known here: a new one is to begin."""
        self.violations += 1
        if peer.link is not None and peer.link.dials:
            self.on_stranger(peer.name, now)
        else:
            self._outbox.send_unnumbered(peer.name, Stranger())

    def on_unknown(self, name: str) -> None:
        """Something came from a peer that is not known: it has ended, or this Broker is another than it thinks."""
        self.violations += 1
        if name not in self._ended:
            self._outbox.send_unnumbered(name, Stranger())

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        found = self._delivery.deadline()
        links = list(self.dials.values())
        links += [peer.link for peer in self._peers.neighbours if peer.link and not peer.link.dials]
        for link in links:
            due = link.deadline()
            if due is not None and (found is None or due < found):
                found = due
        return found

    def dial(self, name: str, now: float) -> None:
        """Begin to link to a neighbour that this end dials."""
        if name not in self.dials:
            self.dials[name] = Link(self._name, True, self._dice, now)
            self.send_due(name, self.dials[name], now)

    def tick(self, now: float) -> Iterator[Peer]:
        """Send heartbeats, introductions and collected results; yield who falls silent, or is to be forgotten."""
        for name, dialled in self.dials.items():
            due = dialled.deadline()
            if due is not None and now >= due:
                self.send_due(name, dialled, now)
        for peer in list(self._peers.neighbours):
            link = peer.link
            assert link is not None
            self._delivery.flush_if_due(peer, now)
            due = link.deadline()
            if due is None or now < due:
                continue
            if not link.dials:
                self.send_due(peer.name, link, now)
            if link.falls_silent(now):
                yield peer
            elif link.is_forgotten(now):
                link.forget(now)
                yield peer

    def send_due(self, name: str, link: Link, now: float) -> None:
        """Send what is due on a link."""
        peer = self._peers.get(name)
        session, last = (0, 0) if peer is None else (peer.session, peer.channel.last)
        for message in link.due(session, last, now):
            self._outbox.send_unnumbered(name, message)

    def on_stranger(self, name: str, now: float) -> None:
        """A neighbour that this end dials does not know it."""
        if name in self.dials:
            self.dials[name].introduce(now)

    def on_hello(self, name: str, hello: Hello, now: float) -> Peer | None:
        """A neighbour that dials says ``Hello``; return it anew where a session is to begin."""
        peer = self._peers.get(name)
        if peer is not None and peer.incarnation == hello.incarnation:
            self.send_welcome(peer, hello)
            return None
        new = self._new_neighbour(
            name, hello.incarnation, self._next_session(), Link(self._name, False, self._dice, now)
        )
        self.send_welcome(new, hello)
        return new

    def on_welcome(self, name: str, welcome: Welcome) -> Peer | None:
        """A neighbour that this end dials answers; return it anew where a session is to begin."""
        link = self.dials.get(name)
        if link is None or not link.introduction.is_answered_by(welcome):
            return None
        peer = self._peers.get(name)
        if peer is not None and peer.session == welcome.session:
            return peer
        return self._new_neighbour(name, welcome.incarnation, welcome.session, link)

    def _new_neighbour(self, name: str, incarnation: int, session: int, link: Link) -> Peer:
        far = host_of(name) != host_of(self._name)
        return Peer(name, "broker", incarnation, session, Channel(session), link, far)
