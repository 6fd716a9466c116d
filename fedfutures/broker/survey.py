"""What one look at the load of all peers shows: sums, and what of them lies beyond one neighbour."""

from __future__ import annotations

from ..lazy_dataclass import dataclass

Counts = tuple[int, int, int, int, int]
"""What one Worker counts: (has work, movable Futures, room, is idle with room, that room)."""


@dataclass(slots=True, eq=False)
class Survey:
    """What one look at the peers shows."""

    workers: int = 0  # own ones
    working: int = 0  # own Workers that have work
    own_movable: int = 0  # Futures at own Workers that could go elsewhere
    movable: int = 0  # Futures here that could, those at neighbours aside
    room: int = 0  # of own Workers
    idle: int = 0  # own Workers that have nothing to run, and room
    idle_room: int = 0  # of such Workers
    others: int = 0  # room of neighbours
    others_idle: int = 0
    others_workers: int = 0
    others_spare: int = 0

    def count(self, before: Counts, counted: Counts) -> None:
        """Let a Worker that has counted `before` count this much from now on."""
        self.working += counted[0] - before[0]
        self.own_movable += counted[1] - before[1]
        self.room += counted[2] - before[2]
        self.idle += counted[3] - before[3]
        self.idle_room += counted[4] - before[4]

    def begin_others(self, movable: int) -> None:
        """Forget the neighbours; here, and at Origins and own Workers, are so many movable Futures."""
        self.movable = movable
        self.others = self.others_idle = self.others_workers = self.others_spare = 0

    def add_other(self, room: int, idle: int, workers: int, movable: int) -> None:
        """Take in what a neighbour has."""
        self.others += room
        self.others_idle += idle
        self.others_workers += workers
        self.others_spare += movable

    # What a neighbour is told: all that lies on this side of its link, so without what it has itself.

    def idle_beyond(self, idle: int) -> int:
        """Workers that have nothing to run."""
        return self.idle + self.others_idle - idle

    def workers_beyond(self, workers: int) -> int:
        """Workers."""
        return self.workers + self.others_workers - workers

    def spare_beyond(self, movable: int) -> int:
        """Futures that could be moved."""
        return self.movable + self.others_spare - movable
