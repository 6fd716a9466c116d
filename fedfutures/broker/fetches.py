"""Segments that nodes ask for by name (``Fetch``): a Broker that lacks one asks the neighbour that dials it.

That one is nearer to the Origin. A segment on another host is downloaded from there; on one host, Brokers share files.
"""

from __future__ import annotations

from collections.abc import Callable

from ..wire.messages import Fetch, Fetched
from ..wire.names import is_segment
from .deferrals import Deferred
from .downloads import Downloads
from .outbox import Outbox
from .peers import Peer, Peers

PARENT_SECONDS = 2.0
"""How long a Broker that nobody dials waits for that before it says that a segment is not to be had."""


class Fetches:
    """The open questions for segments of one Broker; `size_of` says how large a segment is here, -1 if it is not."""

    def __init__(
        self, outbox: Outbox, peers: Peers, downloads: Downloads[Deferred], size_of: Callable[[str], int]
    ) -> None:  # fmt: skip
        self._outbox, self._peers, self._downloads, self._size_of = outbox, peers, downloads, size_of
        self._askers: dict[str, set[str]] = {}  # peers, by segment
        self._no_parent_until: dict[str, float] = {}  # segments for which no neighbour could be asked

    def on_fetch(self, peer: Peer, fetch: Fetch, now: float) -> None:
        """A peer needs a segment on this host."""
        segment = fetch.name
        size = self._size_of(segment) if is_segment(segment) else -1
        if size >= 0 or not is_segment(segment):
            self._outbox.send(peer, Fetched(segment, size), now)
            return
        if segment in self._askers:
            self._askers[segment].add(peer.name)
            return
        self._askers[segment] = {peer.name}
        parent = self._peers.parent()
        if parent is not None:
            self._outbox.send(parent, fetch, now)
        else:
            self._no_parent_until[segment] = now + PARENT_SECONDS

    def on_fetched(self, peer: Peer, fetched: Fetched, now: float) -> None:
        """The neighbour towards the Origin has a segment, which is downloaded from there, or not."""
        segment = fetched.name
        if segment not in self._askers or segment in self._downloads:
            return
        if peer.far and fetched.size >= 0 and self._size_of(segment) < 0:
            deferred = Deferred(peer.name, Fetch(segment), [], is_local=True)
            self._downloads.wait(deferred, peer.name, [segment], now)
        else:
            self.answer(segment, now)

    def answer(self, segment: str, now: float) -> None:
        """Tell all who asked for a segment whether it is here."""
        self._no_parent_until.pop(segment, None)
        size = self._size_of(segment)
        for asker in sorted(self._askers.pop(segment, ())):
            if asker in self._peers:
                self._outbox.send(self._peers[asker], Fetched(segment, size), now)

    def on_session(self, peer: Peer, now: float) -> None:
        """A session has begun: if it is with the neighbour that dials, ask that for all that is not here.

        What is on its way is asked for, too: if the neighbour was started again, it does not know that we may have it.
        """
        if peer.is_parent:
            self._no_parent_until.clear()
            for segment in sorted(self._askers):
                self._outbox.send(peer, Fetch(segment), now)

    def on_peer_gone(self, peer: Peer, now: float) -> None:
        """A peer needs nothing any more; the neighbour that dials may come again."""
        for segment, askers in self._askers.items():
            askers.discard(peer.name)
            if peer.is_parent and segment not in self._downloads:
                self._no_parent_until[segment] = now + PARENT_SECONDS

    def deadline(self) -> float | None:
        """When :meth:`tick` has something to do."""
        return min(self._no_parent_until.values(), default=None)

    def tick(self, now: float) -> None:
        """Tell that segments are not to be had when no neighbour has dialled for long."""
        for segment, until in list(self._no_parent_until.items()):
            if now >= until:
                self.answer(segment, now)
