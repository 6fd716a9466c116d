"""Giving out: which Futures go to whom, how many at a time.

Own Workers come first, the idle ones before the others; what is left goes to neighbours that have Demand. How many is
arithmetic on measured durations (:mod:`..federation.schedule`). A neighbour whose Workers are idle is given back what
it lent itself, in its turn; what came back over a link goes on only to who is idle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..federation import schedule
from ..wire import messages
from .ledger import Lot, Peer

if TYPE_CHECKING:
    from .machine import BrokerMachine

MOST_CROSSINGS = 2
"""How often a Future may be lent over one link: once for a queue there, and once more to a Worker that is idle."""


class Dispatch:
    """The giving side of one Broker."""

    def __init__(self, broker: BrokerMachine) -> None:
        self._broker = broker
        self._outbox = broker.outbox

    def give_out(self, now: float) -> None:
        """Cut pieces from the queue for Workers with room, idle ones first."""
        queue = self._broker.queue
        roomy = deque(sorted([peer for peer in self._broker.workers if peer.room], key=lambda peer: not peer.idle))
        if not roomy:
            return
        backlog, total = self._backlog(), self._reach()
        while roomy and len(queue):
            lot, peer = queue.head(), roomy.popleft()
            if self._lacks_function(lot, now):
                roomy.appendleft(peer)
                continue
            mean = self._broker.durations.of(lot.function)
            waits = 0 if peer.idle else max(0, peer.pending - 1)
            count, spent = schedule.portion(mean, peer.room, backlog, total, waits)
            if not count:
                continue
            if lot.together and count > lot.together:
                count = lot.together
            if lot.crashes:
                count, spent = 1, True
            count = min(count, len(lot.ids))
            backlog -= count
            self.give(peer, self._cut(lot, count), spent=spent, now=now)
            if peer.room > 0:
                roomy.append(peer)

    def _lacks_function(self, lot: Lot, now: float) -> bool:
        """Whether the definition is not here; then the lot is put aside until it has come."""
        if lot.function in self._broker.functions.definitions:
            return False
        self._broker.queue.remove(lot)
        self._broker.functions.defer(lot, now)
        return True

    def _backlog(self) -> int:
        """What waits here, and what the submitters of it still keep."""
        queue, peers = self._broker.queue, self._broker.peers
        return len(queue) + sum(peers[giver].backlog for giver in queue.givers)

    def _reach(self) -> int:
        """How many Workers there are, here and behind neighbours, as of the last survey."""
        return self._broker.takers + self._broker.exchange.others_workers

    def give_to_neighbours(self, now: float) -> None:
        """Give neighbours their share of what own Workers have left."""
        queue = self._broker.queue
        backlog, total = self._backlog(), self._reach()
        order = sorted(
            self._broker.neighbours,  # who lent what waits here comes last: it is to be run on this side if it can be
            key=lambda peer: (peer.name in queue.givers, -peer.idle, peer.pending - peer.workers),
        )
        for peer in order:
            fits = self._fitting(peer)
            while len(queue) and peer.room:
                back = self._returnable(peer)
                lot = queue.head_for(peer.name, back, fits)
                if lot is None:
                    break
                if lot.giver[0] == peer.name:
                    self._give_back(peer, lot, back, now)
                elif not self._lacks_function(lot, now):
                    count = self._share_of(peer, lot, backlog, total)
                    if not count:
                        break
                    self.give(peer, self._cut(lot, count, peer.name), spent=False, now=now)

    def _fitting(self, peer: Peer) -> Callable[[Lot], bool]:
        """Return what says whether a lot may be given to a neighbour.

        What came back from somebody goes only to who is idle, and not over and over by the same link, as long as it
        can run here.
        """
        name, stranded = peer.name, not self._broker.takers
        return lambda lot: not lot.barred or (peer.idle > 0 and (stranded or lot.barred.count(name) < MOST_CROSSINGS))

    def _returnable(self, peer: Peer) -> int:
        """How many Futures to give back to a neighbour: as its idle Workers need, less what starts soon here."""
        assert peer.link is not None
        broker = self._broker
        if not broker.takers and broker.exchange.others_workers <= peer.workers:
            return peer.room  # nobody else could run them
        if not peer.idle:
            return 0
        soon = schedule.soon(broker.durations.last, broker.takers, peer.link.round_trip)
        return max(0, min(peer.idle, len(broker.queue) - soon))

    def _share_of(self, peer: Peer, lot: Lot, backlog: int, total: int) -> int:
        assert peer.link is not None
        seconds = schedule.HORIZON_SECONDS + 2.5 * peer.link.round_trip
        mean = self._broker.durations.of(lot.function)
        count = schedule.share(mean, peer.pending, backlog, peer.workers, total, seconds)
        left = backlog - schedule.soon(mean, self._broker.takers, peer.link.round_trip / 2)
        return max(0, min(max(count, peer.idle), peer.room, left, 1 if lot.crashes else len(lot.ids)))

    def _give_back(self, peer: Peer, lot: Lot, count: int, now: float) -> None:
        """Return Futures to the neighbour that lent them: its Workers are idle."""
        broker = self._broker
        back = self._cut(lot, count, peer.name)
        source = back.giver
        intake = broker.intakes[source]
        peer.idle = max(0, peer.idle - len(back.ids))
        intake.left -= len(back.ids)
        if not intake.left:
            del broker.intakes[source]
            broker.segment_cache.on_resolved(source)
        self._outbox.send(peer, messages.Return(source[1], back.ids, back.attempt, back.crashes), now)

    def _cut(self, lot: Lot, count: int, to: str = "") -> Lot:
        """Take up to `count` Futures of a lot of the queue; its root is charged with their time."""
        mean = self._broker.durations.of(lot.function) or self._broker.durations.last or schedule.HORIZON_SECONDS
        return self._broker.queue.take(lot, min(count, len(lot.ids)), mean, to)

    def give(self, peer: Peer, lot: Lot, *, spent: bool, now: float) -> None:
        if lot.function not in peer.knows:
            self._broker.functions.send_function(peer, lot.function, now)
        batch = peer.give(lot, self._backlog(), spent)
        self._broker.intakes[lot.giver].outs.add((peer.name, batch.piece))
        self._outbox.send(peer, batch, now)
