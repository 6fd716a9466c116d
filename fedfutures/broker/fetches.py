"""Segments that nodes ask for by name (``Fetch``).

A Broker that lacks such a segment asks the neighbour that dials it, which is nearer to the Origin. A segment on that
neighbour's host is downloaded from there; on one host, both Brokers share the files.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from ..wire import messages
from ..wire.names import is_segment
from .outbox import Outbox
from .peers import Peer

PARENT_SECONDS = 2.0
"""How long a Broker that nobody dials waits for that before it says that a segment is not to be had."""


class Fetches:
    """The open questions for segments of one Broker; `size_of` says how large a segment is here, -1 if it is not."""

    def __init__(self, outbox: Outbox, peers: Mapping[str, Peer], size_of: Callable[[str], int]) -> None:
        self._outbox, self._peers, self._size_of = outbox, peers, size_of
        self._askers: dict[str, set[str]] = {}  # peers, by segment
        self._no_parent_until: dict[str, float] = {}  # segments for which no neighbour could be asked

    def on_fetch(self, peer: Peer, segment: str, parent: Peer | None, now: float) -> None:
        """A peer needs a segment on this host."""
        size = self._size_of(segment) if is_segment(segment) else -1
        if size >= 0 or not is_segment(segment):
            self._outbox.send(peer, messages.Fetched(segment, size), now)
            return
        if segment in self._askers:
            self._askers[segment].add(peer.name)
            return
        self._askers[segment] = {peer.name}
        if parent is not None:
            self._outbox.send(parent, messages.Fetch(segment), now)
        else:
            self._no_parent_until[segment] = now + PARENT_SECONDS

    def on_fetched(self, peer: Peer, fetched: messages.Fetched, now: float) -> bool:
        """The neighbour towards the Origin has a segment, or not; return whether to download it from there."""
        segment = fetched.name
        if segment not in self._askers:
            return False
        if peer.far and fetched.size >= 0 and self._size_of(segment) < 0:
            return True
        self.answer(segment, now)
        return False

    def answer(self, segment: str, now: float) -> None:
        """Tell all who asked for a segment whether it is here."""
        self._no_parent_until.pop(segment, None)
        size = self._size_of(segment)
        for asker in sorted(self._askers.pop(segment, ())):
            if asker in self._peers:
                self._outbox.send(self._peers[asker], messages.Fetched(segment, size), now)

    def on_parent(self, parent: Peer, downloading: Container[str], now: float) -> None:
        """A session with the neighbour that dials has begun: ask it for what is not on its way."""
        self._no_parent_until.clear()
        for segment in sorted(self._askers):
            if segment not in downloading:
                self._outbox.send(parent, messages.Fetch(segment), now)

    def on_parent_gone(self, downloading: Container[str], now: float) -> None:
        """The neighbour that dials is gone, and may come again."""
        for segment in self._askers:
            if segment not in downloading:
                self._no_parent_until[segment] = now + PARENT_SECONDS

    def on_peer_gone(self, name: str) -> None:
        """A peer needs nothing any more."""
        for askers in self._askers.values():
            askers.discard(name)

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        return min(self._no_parent_until.values(), default=None)

    def tick(self, now: float) -> None:
        """Tell that segments are not to be had when no neighbour has dialled for long."""
        for segment, until in list(self._no_parent_until.items()):
            if now >= until:
                self.answer(segment, now)
