"""Futures that are not to run on some hosts, as long as there are others: who is better for them than this host."""

from __future__ import annotations

from ..wire.names import host_of
from .load import Load, PeerLoad
from .lots import Lot


class Avoidance:
    """What the Broker of a host knows of other hosts that could run its Futures."""

    def __init__(self, broker: str, load: Load) -> None:
        self._host, self._load = host_of(broker), load

    def is_better_elsewhere(self, lot: Lot) -> bool:
        """Whether a lot is not to run on this host, and there is a neighbour that could run it or pass it on."""
        return self._host in lot.terms.conditions.avoid and bool(self.others(lot))

    def others(self, lot: Lot) -> list[PeerLoad]:
        """Return the neighbours with Workers that are better for a lot than this host, idle ones first.

        These are on hosts that it does not avoid. Without any, others may lead to such hosts; but it does not go back
        to who gave it.
        """
        giver, barred, avoid = lot.intake.giver, lot.terms.barred, lot.terms.conditions.avoid
        there = [
            load
            for name, load in self._load.neighbours.items()
            if load.workers > 0 and not load.peer.silent and name != giver and name not in barred
        ]
        good = [load for load in there if host_of(load.peer.name) not in avoid]
        return sorted(good or there, key=lambda load: (-load.idle, load.account.pending - load.workers))

    def may_go(self, lot: Lot, neighbour: str) -> bool:
        """Whether a lot may go to a neighbour, or back to it, though its host may be one that the lot avoids."""
        avoid = lot.terms.conditions.avoid
        if not avoid or host_of(neighbour) not in avoid:
            return True
        if self._load.takers and self._host not in avoid:
            return False
        better = self.others(lot)
        return not better or any(load.peer.name == neighbour for load in better)
