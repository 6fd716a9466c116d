"""The peers of the Broker: Workers, Origins and neighbouring Brokers, each with the session that is open with it."""

from __future__ import annotations

from ..federation.channel import Channel
from ..federation.link import Link
from ..lazy_dataclass import dataclass, field
from .given import GivenSegments


@dataclass(slots=True, eq=False)
class Peer:
    """A node on a link of this Broker, and the session with it."""

    name: str
    role: str
    incarnation: int
    session: int
    channel: Channel
    link: Link | None = None  # of neighbours
    far: bool = False  # it is a neighbour on another host, which has segments of its own
    knows: set[bytes] = field(default_factory=set)  # functions sent to it
    wants: set[bytes] = field(default_factory=set)  # functions it has asked for that are not here
    stopped: bool = False  # it is a Worker that a signal has stopped
    given: GivenSegments = field(default_factory=GivenSegments)  # segments that it was told of, if it is far

    def inherit(self, old: Peer) -> None:
        """Take over what outlives the session `old`."""
        self.given = old.given

    @property
    def silent(self) -> bool:
        """Whether it is a neighbour of which nothing is heard, or a Worker that is stopped."""
        return self.stopped if self.link is None else self.link.silent

    @property
    def is_parent(self) -> bool:
        """Whether it is a neighbour that dials this Broker."""
        return self.link is not None and not self.link.dials


class Peers(dict[str, Peer]):
    """The peers by their names; those of one role in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[Peer] = []
        self.origins: list[Peer] = []
        self.neighbours: list[Peer] = []
        self._by_role = {"worker": self.workers, "origin": self.origins, "broker": self.neighbours}

    def enter(self, peer: Peer) -> None:
        """A peer is new, or begins a new session in the place of its last one."""
        old, same_role = self.get(peer.name), self._by_role[peer.role]
        self[peer.name] = peer
        if old is None:
            same_role.append(peer)
        else:
            peer.inherit(old)
            same_role[same_role.index(old)] = peer

    def leave(self, peer: Peer) -> None:
        """A peer is gone."""
        del self[peer.name]
        self._by_role[peer.role].remove(peer)

    def stop(self, name: str) -> bool:
        """A signal has stopped a Worker; return whether it is here, and that is news."""
        peer = self.get(name)
        if peer is None or peer.role != "worker" or peer.stopped:
            return False
        peer.stopped = True
        return True

    def go_on(self, name: str) -> bool:
        """A Worker goes on; return whether it is here, and was stopped."""
        peer = self.get(name)
        if peer is None or not peer.stopped:
            return False
        peer.stopped = False
        return True

    def hears(self, name: str) -> bool:
        """Whether a neighbour is there: a session is open, and it is not silent."""
        peer = self.get(name)
        return peer is not None and not peer.silent

    def parent(self) -> Peer | None:
        """Return the neighbour that dials this Broker."""
        return next((peer for peer in self.neighbours if peer.is_parent), None)

    def towards_origin(self) -> Peer | None:
        """Return an Origin, or else the neighbour that dials this Broker, which is nearer to one."""
        return self.origins[0] if self.origins else self.parent()
