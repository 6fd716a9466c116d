"""What each peer has room for, holds and offers, and what one look at all of them shows."""

from __future__ import annotations

from collections.abc import Iterable

from ..lazy_dataclass import dataclass
from .ledger import Account
from .peers import Peer

Counts = tuple[int, int, int, int, int]
"""What one Worker counts: (has work, movable Futures, room, is idle with room, that room)."""


@dataclass(slots=True, eq=False)
class PeerLoad:
    """What one peer has room for, holds, offers, and has been told. Only :class:`Load` changes it."""

    peer: Peer
    account: Account
    order: int  # of Workers: as they came
    workers: int  # Workers at or behind it
    idle: int = 0  # Workers at or behind it that have nothing to run
    spent: bool = True  # its Demand is used up until it speaks again
    asked: int = 0  # the Demand last sent to it, less what came since
    told_idle: int = 0  # the idle Workers last told to it, less what came since
    told_workers: int = 0
    told_at: float = float("-inf")
    backlog: int = 0  # Futures that it still kept when it gave last
    spare: int = 0  # what a neighbour's State says
    state: tuple[int, int] = (0, 0)  # (boot, number) of that State
    published: tuple[int, int] = (0, 0)  # (spare, size) in the last State to it
    published_at: float = float("-inf")
    room: int = 0  # how many Futures it can still use: none while it is silent
    counted: Counts = (0, 0, 0, 0, 0)  # of a Worker: what the survey has counted for it

    @property
    def movable(self) -> int:
        """Futures at or behind a neighbour that could be moved."""
        return max(0, self.account.pending - self.workers) + self.spare

    def count(self, soon: int) -> Counts:
        """Return what a Worker counts."""
        pending, room = self.account.pending, self.room
        if self.idle:
            return 0, 0, room, int(room > 0), room
        if pending:
            return 1, max(0, pending + self.backlog - soon), room, 0, 0
        return 0, 0, room, 0, 0


class Survey:
    """What one look at the peers shows."""

    __slots__ = (
        "idle", "idle_room", "movable", "others", "others_idle", "others_spare", "others_workers", "own_movable",
        "room", "workers", "working",
    )  # fmt: skip

    def __init__(self) -> None:
        self.workers = 0  # own ones
        self.working = 0  # own Workers that have work
        self.own_movable = 0  # Futures at own Workers that could go elsewhere
        self.movable = 0  # Futures here that could, those at neighbours aside
        self.room = 0  # of own Workers
        self.idle = 0  # own Workers that have nothing to run, and room
        self.idle_room = 0  # of such Workers
        self.others = 0  # room of neighbours
        self.others_idle = 0
        self.others_workers = 0
        self.others_spare = 0

    def count(self, load: PeerLoad, counted: Counts) -> None:
        """Let a Worker count this much from now on."""
        before = load.counted
        if counted != before:
            self.working += counted[0] - before[0]
            self.own_movable += counted[1] - before[1]
            self.room += counted[2] - before[2]
            self.idle += counted[3] - before[3]
            self.idle_room += counted[4] - before[4]
            load.counted = counted

    def look_at_others(self, origins: Iterable[PeerLoad], neighbours: Iterable[PeerLoad], queued: int) -> None:
        """Take in what Origins and neighbours have, besides `queued` Futures that could go elsewhere."""
        self.movable = self.own_movable + max(0, queued)
        for load in origins:
            self.movable += load.backlog
        self.others = self.others_idle = self.others_workers = self.others_spare = 0
        for load in neighbours:
            if not load.peer.silent:
                self.others += load.room
                self.others_idle += load.idle
                self.others_workers += load.workers
                self.others_spare += load.movable

    # What a neighbour is told: all that lies on this side of its link.

    def idle_beyond(self, load: PeerLoad) -> int:
        """Workers that have nothing to run."""
        return self.idle + self.others_idle - load.idle

    def workers_beyond(self, load: PeerLoad) -> int:
        """Workers."""
        return self.workers + self.others_workers - load.workers

    def spare_beyond(self, load: PeerLoad) -> int:
        """Futures that could be moved."""
        return self.movable + self.others_spare - load.movable
