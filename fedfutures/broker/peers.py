"""The peers of the Broker: Workers, Origins and neighbouring Brokers, each with the session that is open with it."""

from __future__ import annotations

from ..federation.channel import Channel
from ..federation.link import Link
from ..lazy_dataclass import dataclass, field


@dataclass(slots=True, eq=False)
class Peer:
    """A node on a link of this Broker, and the session with it."""

    name: str
    role: str
    boot: int
    session: int
    channel: Channel
    link: Link | None = None  # of neighbours
    far: bool = False  # it is a neighbour on another host, which has segments of its own
    knows: set[bytes] = field(default_factory=set)  # functions sent to it
    wants: set[bytes] = field(default_factory=set)  # functions it has asked for that are not here

    @property
    def silent(self) -> bool:
        """Whether it is a neighbour of which nothing is heard."""
        return self.link is not None and self.link.silent


class Peers(dict[str, Peer]):
    """The peers by their names; those of one role in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[Peer] = []
        self.origins: list[Peer] = []
        self.neighbours: list[Peer] = []

    def enter(self, peer: Peer) -> None:
        """A peer is new, or begins a new session in the place of its last one."""
        old, same_role = self.get(peer.name), self._of_role(peer.role)
        self[peer.name] = peer
        if old is None:
            same_role.append(peer)
        else:
            same_role[same_role.index(old)] = peer

    def leave(self, peer: Peer) -> None:
        """A peer is gone."""
        del self[peer.name]
        self._of_role(peer.role).remove(peer)

    def _of_role(self, role: str) -> list[Peer]:
        return {"worker": self.workers, "origin": self.origins, "broker": self.neighbours}[role]

    def hears(self, name: str) -> bool:
        """Whether a neighbour is there: a session is open, and it is not silent."""
        peer = self.get(name)
        return peer is not None and not peer.silent

    def parent(self) -> Peer | None:
        """Return the neighbour that dials this Broker."""
        return next((peer for peer in self.neighbours if peer.link is not None and not peer.link.dials), None)

    def towards_origin(self) -> Peer | None:
        """Return an Origin, or else the neighbour that dials this Broker, which is nearer to one."""
        return self.origins[0] if self.origins else self.parent()
