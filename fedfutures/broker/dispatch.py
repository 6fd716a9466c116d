"""Giving out: which Futures go to whom, how many at a time (:mod:`..federation.schedule`).

Own Workers come first, the idle ones before the others; what is left goes to neighbours that have Demand. A neighbour
whose Workers are idle is given back what it lent itself; what came back over a link goes on only to who is idle.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from ..federation import schedule
from ..federation.schedule import Durations
from ..supervision.stand_ins import STAND_INS_AT_MOST
from ..wire.messages import ALONE, ANY, NONE, SHARING, Batch, Return
from .avoidance import Avoidance
from .events import AskStandIn
from .functions import Functions
from .ledger import ELSEWHERE, Ledger
from .load import Load, PeerLoad
from .lots import Lot
from .outbox import Outbox
from .segment_cache import SegmentCache
from .stand_ins import StandInRequests

SET_ASIDE = ("alone",)
"""Futures that have a Worker to themselves are parked under this key while others wait in own Workers."""
SPECIAL = frozenset({SET_ASIDE, ELSEWHERE})
"""Under these keys wait Futures that not every Worker may run."""
MOST_CROSSINGS = 2
"""How often a Future may be lent over one link: once for a queue there, and once more to a Worker that is idle."""


class Dispatch:
    """The giving side of one Broker."""

    def __init__(
        self, broker: str, ledger: Ledger, load: Load, durations: Durations, functions: Functions, cache: SegmentCache,
        outbox: Outbox,
    ) -> None:  # fmt: skip
        self._avoidance = Avoidance(broker, load)
        self._ledger, self._queue, self._load, self._durations = ledger, ledger.queue, load, durations
        self._functions, self._cache, self._outbox = functions, cache, outbox
        self.stand_ins = StandInRequests()

    def give_out(self, now: float) -> None:
        """Cut pieces from the queue for Workers with room, idle ones first."""
        queue, roomy = self._queue, deque(load for load in self._load.roomy() if load.starts < ALONE)
        if not roomy:
            return
        backlog, total = self._load.backlog(), self._load.reach()
        while roomy and queue.count:
            lot, load = queue.head(), roomy.popleft()
            if self._lacks_function(lot, now):
                roomy.appendleft(load)
                continue
            count, spent = self._portion(load, lot, backlog, total)
            if not count:
                continue
            backlog -= count
            self.give(load, lot, count, spent=spent, now=now)
            if load.room:
                roomy.append(load)

    def _portion(self, load: PeerLoad, lot: Lot, backlog: int, total: int) -> tuple[int, bool]:
        """Return how many Futures of a lot a Worker is given, and whether that uses its Demand up."""
        mean = self._durations.of(lot.terms.function)
        waits = 0 if load.idle else max(0, load.account.pending - 1)
        seconds = schedule.HORIZON_SECONDS
        if not self._load.neighbours:  # they would ask for what waits at Workers, which is more then
            seconds = schedule.horizon(mean, backlog, total, self._queue.count)
        count, spent = schedule.portion(mean, load.room, backlog, total, waits, seconds)
        if lot.together and count > lot.together:
            count = lot.together
        if count and lot.terms.crashes:
            count, spent = 1, True
        elif count and lot.terms.is_once:  # what waits behind one would be in doubt with it
            count, spent = int(not any(piece.terms.is_once for piece in load.account.held.values())), True
        return min(count, len(lot.ids)), spent

    def give_limited(self, now: float, *, hopeless: bool) -> list[Lot]:
        """Give out Futures that not every Worker may run; return those that nobody will run."""
        if self._queue.avoiding or ELSEWHERE in self._ledger.parked:
            self._give_elsewhere(now)
        return self.give_alone(now, hopeless=hopeless)

    def _give_elsewhere(self, now: float) -> None:
        """Give neighbours what is not to run on this host; what nobody else could run goes back into the queue."""
        ledger, avoidance = self._ledger, self._avoidance
        for lot in [lot for lot in self._queue if lot.terms.conditions.avoid] if self._queue.avoiding else ():
            if avoidance.is_better_elsewhere(lot):
                ledger.park(lot, ELSEWHERE)
        for lot in list(ledger.parked.get(ELSEWHERE, ())):
            others = avoidance.others(lot)
            if not others:
                self.place(lot, now)
            elif any(load.room for load in others) and not self._lacks_function(lot, now):
                for load in others:
                    if lot.ids and load.room:
                        self.give(load, lot, min(load.room, len(lot.ids)), spent=False, now=now, to=load.peer.name)

    def give_alone(self, now: float, *, hopeless: bool) -> list[Lot]:
        """Give out Futures that have a Worker to themselves while others wait in own Workers: where none waits.

        They are set aside, for they may not hold up what every Worker can run. If there is no Worker for them, the host
        process is asked for stand-ins. Return those that nobody will run, as Futures wait in all of these, too.
        """
        ledger, queue, load = self._ledger, self._queue, self._load
        starts = Counter(worker.starts for worker in load.workers.values())
        waiting = 0 if hopeless else starts[SHARING] + starts[NONE]
        for lot in [lot for lot in queue if lot.terms.is_alone] if waiting and queue.alone else ():
            ledger.park(lot, SET_ASIDE)
        aside = sorted(ledger.parked.get(SET_ASIDE, ()), key=lambda lot: -lot.terms.priority)
        if not waiting:
            for lot in aside:
                ledger.unpark(lot)
            return []
        roomy = deque(taker for taker in load.roomy() if taker.starts in (ANY, ALONE))
        total = max(1, load.reach())
        for lot in aside:
            if queue.count and lot.terms.priority < queue.head().terms.priority:  # which others are to run before
                roomy = deque(taker for taker in roomy if taker.starts == ALONE)
            while roomy and lot.ids and not self._lacks_function(lot, now):
                taker = roomy.popleft()
                count, spent = self._portion(taker, lot, len(lot.ids), total)
                if count:
                    self.give(taker, lot, count, spent=spent, now=now)
                    if taker.room:
                        roomy.append(taker)
        left = ledger.parked.get(SET_ASIDE, [])
        if starts[NONE] >= STAND_INS_AT_MOST:
            return list(left)
        futures = sum(len(lot.ids) for lot in left)
        for _ in range(self.stand_ins.wanted(waiting, starts[ALONE], starts[NONE], futures, now)):
            self._outbox.act(AskStandIn())
        return []

    def _lacks_function(self, lot: Lot, now: float) -> bool:
        """Whether the definition is not here; then the lot is put aside until it has come."""
        if lot.terms.function in self._functions.definitions:
            return False
        self._functions.defer(lot, now)
        return True

    def place(self, lot: Lot, now: float) -> None:
        """Let a parked lot that has all else that it needs go into the queue, or wait for its function."""
        if not self._lacks_function(lot, now):
            self._ledger.unpark(lot)

    def give_again(self, load: PeerLoad, lot: Lot, now: float, keep: Callable[[Lot, float], object]) -> None:
        """Give a neighbour what it was lent before, whatever its Demand: it, or its Workers, may still hold it.

        Where the function is not here, `keep` takes those that may have begun and start once at most: when it comes,
        what waits for it goes into the queue, and so to anybody.
        """
        if lot.terms.may_have_begun and lot.terms.function not in self._functions.definitions:
            keep(lot, now)
        elif not self._lacks_function(lot, now):
            self.give(load, lot, len(lot.ids), spent=False, now=now)

    def give_to_neighbours(self, now: float) -> None:
        """Give neighbours their share of what own Workers have left."""
        queue = self._queue
        backlog, total = self._load.backlog(), self._load.reach()
        order = sorted(
            self._load.neighbours.values(),  # who lent what waits comes last: that is to be run on this side if it can
            key=lambda load: (load.peer.name in queue.givers, -load.idle, load.account.pending - load.workers),
        )
        for load in order:
            name, fits = load.peer.name, self._fitting(load)
            while queue.count and load.room:
                back = self._returnable(load, now)
                lot = queue.head_for(name, back, fits)
                if lot is None:
                    break
                if lot.intake.giver == name:
                    self._give_back(load, lot, back, now)
                elif not self._lacks_function(lot, now):
                    count = self._share_of(load, lot, backlog, total, now)
                    if not count:
                        break
                    self.give(load, lot, count, spent=False, now=now, to=name)

    def _fitting(self, load: PeerLoad) -> Callable[[Lot], bool]:
        """Return what says whether a lot may be given to a neighbour.

        What came back from somebody goes only to who is idle, and not over and over by the same link, as long as it
        can run here.
        """
        name, stranded, may_go = load.peer.name, not self._load.takers, self._avoidance.may_go
        return lambda lot: (
            may_go(lot, name)
            and (
                lot.intake.giver == name
                or not lot.terms.barred
                or (load.idle > 0 and (stranded or lot.terms.barred.count(name) < MOST_CROSSINGS))
            )
        )

    def _returnable(self, load: PeerLoad, now: float) -> int:
        """How many Futures to give back to a neighbour: as its idle Workers need, less what starts soon here."""
        assert load.peer.link is not None
        if not self._load.takers and self._load.others_workers <= load.workers:
            return load.room  # nobody else could run them
        if not load.idle:
            return 0
        soon = self._load.start_soon(self._durations.last, load.peer.link.round_trip, now)
        return max(0, min(load.idle, self._queue.count - soon))

    def _share_of(self, load: PeerLoad, lot: Lot, backlog: int, total: int, now: float) -> int:
        assert load.peer.link is not None
        round_trip = load.peer.link.round_trip
        seconds = schedule.HORIZON_SECONDS + 2.5 * round_trip
        mean = self._durations.of(lot.terms.function)
        count = schedule.share(mean, load.account.pending, backlog, load.workers, total, seconds)
        left = backlog - self._load.start_soon(mean, round_trip / 2, now)
        return max(0, min(max(count, load.idle), load.room, left, 1 if lot.terms.crashes else len(lot.ids)))

    def _give_back(self, load: PeerLoad, lot: Lot, count: int, now: float) -> None:
        """Return Futures to the neighbour that lent them: its Workers are idle."""
        intake, terms = lot.intake, lot.terms
        ids = self._ledger.give_back(lot, min(count, len(lot.ids)), self._seconds(lot))
        self._load.note_given_back(load, len(ids))
        if not intake.left:
            self._cache.on_resolved(intake.source)
        back = Return(intake.number, ids, terms.attempt, terms.crashes, terms.conditions.flags)
        self._outbox.send(load.peer, back, now)

    def _seconds(self, lot: Lot) -> float:
        """What a Future of a lot takes: its root is charged with that."""
        durations = self._durations
        return durations.of(lot.terms.function) or durations.last or schedule.HORIZON_SECONDS

    def give(self, load: PeerLoad, lot: Lot, count: int, *, spent: bool, now: float, to: str = "") -> None:
        """Give a peer the first Futures of a lot, and before that the definition if it does not know it."""
        terms = lot.terms
        number, ids, payloads = self._ledger.give(lot, count, load.peer.name, self._seconds(lot), to)
        if terms.function not in load.peer.knows:
            self._functions.send_function(load.peer, terms.function, now)
        batch = Batch(
            number, terms.submitter, terms.function, terms.attempt, terms.crashes, self._load.backlog(), spent, ids,
            payloads, terms.root, terms.priority, *terms.conditions.on_wire(),
        )  # fmt: skip
        self._outbox.send(load.peer, batch, now)
        self._load.note_given(load, len(ids), spent=spent)
