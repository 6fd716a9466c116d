"""How many Workers each run has on one host of a standing Federation: the rules of its host server. Pure.

A host has so many *slots*: that many Workers live there at once, over all runs. Each run says how many Workers it could
use (*wanted*) and how many it has, and is told how many it is to have (its *target*). The rules:

- **Runs that want more than there is share evenly** (max-min fair): nobody gets more than he wants, and who wants more
  than the others get has as much as each of these. What does not divide evenly goes round: each round it goes to the
  runs that have had the fewest seconds of it.
- **A slot goes to another run only when its Worker has ended.** So there are never more Workers than slots. Workers are
  not cut off, so a run that is slow to give one back is charged for these seconds, and others are served first later.
- **Workers move between runs once per round at most.** A round begins as soon as a run needs it, unless the last move
  is less than a second ago. What a run has and does not want is given to others at once, and so are free slots.
- **What nobody wants stays with the run that has it**, and a run that joins gets what is free, so that its first Future
  finds a Worker.
"""

from __future__ import annotations

from ..lazy_dataclass import dataclass

ROUND_SECONDS = 1.0
CHARGED_SECONDS_AT_MOST = 10.0
"""A run that was slow to give Workers back has to let the others have this much more than it, and no more."""
EVEN_SECONDS = 0.1
"""Who is this close has had as much as the others: no Worker moves for it."""
TURN_SECONDS = 0.9 * ROUND_SECONDS
"""So long a run has at least what it was given, as slots come in the middle of a round, too."""


@dataclass(slots=True, eq=False)
class _Share:
    """What one run has."""

    run: str
    order: int  # as they came
    wanted: int = 0
    target: int = 0
    held: int = 0  # Workers that may be alive: at least `target`, and those that are ending
    told: int = 0  # how many targets it was told
    is_new: bool = True  # it was told nothing
    charge: float | None = None  # seconds that it had beyond what divides evenly; None: it has wanted nothing yet
    seconds: float = 0.0  # Worker-seconds since it joined
    ticket: int = 0  # it wants more than it has: the earlier it began to, the smaller; 0: it has what it wants
    raised_at: float = float("-inf")


def level(slots: int, wanted: list[int]) -> int:
    """Return the largest number of Workers that every run can have which wants as many; `slots` if all are served."""
    left, counts = slots, sorted(wanted, reverse=True)
    while counts and counts[-1] * len(counts) <= left:
        left -= counts.pop()
    return left // len(counts) if counts else slots


class Allotment:
    """The slots of one host, and the runs that share them. After each event `tick` says whom to tell a new number."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._shares: dict[str, _Share] = {}
        self._joined = self._tickets = 0
        self._now: float | None = None  # up to when seconds are counted
        self._level = slots  # every run has as many if it wants them, and some have one more
        self._least = 0.0  # the smallest charge among runs that want more than the level; never goes down
        self._moved_at = self._looked_at = float("-inf")

    # -- what happens ------------------------------------------------------------------------------------------------

    def join(self, run: str, now: float) -> None:
        """A run comes to this host, maybe once more by another connection: what it was told may not have reached it."""
        self._count(now)
        if run not in self._shares:
            self._joined += 1
            self._shares[run] = _Share(run, self._joined)
        share = self._shares[run]
        share.told, share.is_new = 0, True

    def leave(self, run: str, now: float) -> None:
        """The processes of a run have ended here."""
        self._count(now)
        self._shares.pop(run, None)
        self._weigh()

    def report(self, run: str, wanted: int, workers: int, now: float, told: int | None = None) -> None:
        """A run could use `wanted` Workers, and `workers` of it live, those that are ending included.

        `told`: how many targets had reached it when it said so; None: all. It may have begun, since, to start Workers.
        """
        share = self._shares[run]
        self._count(now)
        share.wanted = max(0, wanted)
        if share.is_new:
            share.target = share.held = workers  # the host server is new, and not the run
        elif told is None or told == share.told:
            share.held = max(share.target, workers)
        else:
            share.held = max(share.held, workers)
        self._weigh()

    def resize(self, slots: int, now: float) -> None:
        """The host has so many slots from now on."""
        self._count(now)
        self.slots = slots
        self._moved_at = float("-inf")
        self._weigh()

    # -- what follows ------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> dict[str, int]:
        """Return how many Workers runs are to have whose number has changed, and those that have just joined."""
        self._count(now)
        shares = self._shares.values()
        before = {share.run: share.target for share in shares}
        self._note_waits()
        goals = self._goals(now)
        self._lower(goals, now)
        self._raise(goals, now)
        news = {share.run: share.target for share in shares if share.is_new or share.target != before[share.run]}
        for share in shares:
            share.told += share.run in news
            share.is_new = False
        self._note_waits()
        return news

    def _note_waits(self) -> None:
        for share in self._shares.values():
            if share.target >= min(share.wanted, self.slots):
                share.ticket = 0
            elif not share.ticket:
                self._tickets += 1
                share.ticket = self._tickets

    def next_deadline(self) -> float | None:
        """When the next tick is due if nothing happens."""
        if not any(share.ticket for share in self._shares.values()):
            return None
        return max(self._moved_at, self._looked_at) + ROUND_SECONDS

    @property
    def targets(self) -> dict[str, int]:
        """How many Workers each run is to have."""
        return {share.run: share.target for share in self._shares.values()}

    def seconds(self, run: str, now: float) -> float:
        """Return for how many seconds Workers of a run have lived here, all together."""
        self._count(now)
        return self._shares[run].seconds

    def check(self) -> None:
        """Assert what must be true after each tick."""
        shares = self._shares.values()
        assert sum(share.target for share in shares) <= self.slots, "more Workers were promised than there are slots"
        assert all(0 <= share.target <= share.held for share in shares), "a run has slots that are not counted"
        filled = sum(min(share.wanted, self._level) for share in shares)
        assert self._level == self.slots or filled <= self.slots < filled + len(self._extra()), "the level is off"
        charges = [share.charge for share in self._extra() if share.charge is not None]
        assert len(charges) == len(self._extra()), "a run that wants more than its even share has no charge"
        lowest, highest = self._least, self._least + CHARGED_SECONDS_AT_MOST
        assert all(lowest <= charge <= highest for charge in charges), "a charge is out of bounds"

    # -- seconds -----------------------------------------------------------------------------------------------------

    def _extra(self) -> list[_Share]:
        """Return who wants more than what divides evenly."""
        return [share for share in self._shares.values() if share.wanted > self._level]

    def _count(self, now: float) -> None:
        """Count the seconds since the last event."""
        passed = 0.0 if self._now is None else max(0.0, now - self._now)
        self._now = now
        if not passed:
            return
        for share in self._shares.values():
            share.seconds += share.held * passed
            beyond = max(0, min(share.target, share.wanted) - self._level)
            late = share.held - share.target
            if beyond or late:
                share.charge = (self._least if share.charge is None else share.charge) + (beyond + late) * passed
        self._weigh()

    def _weigh(self) -> None:
        """Find the level anew, and bring the charges of all that want more into bounds.

        One that has wanted less for a while has nothing in hand for that; one that is new comes behind the others.
        """
        self._level = level(self.slots, [share.wanted for share in self._shares.values()])
        extra, most = self._extra(), self._least + CHARGED_SECONDS_AT_MOST
        for share in extra:
            if share.charge is not None:
                share.charge = min(most, max(self._least, share.charge))
        known = [share.charge for share in extra if share.charge is not None]
        last = min(max(known, default=self._least), self._least + ROUND_SECONDS)
        for share in extra:
            if share.charge is None:
                share.charge = last
        self._least = max(self._least, min((share.charge or 0.0 for share in extra), default=0.0))

    # -- shares ------------------------------------------------------------------------------------------------------

    def _goals(self, now: float) -> dict[str, int]:
        """Return how many each run is to have of what it wants; what does not divide evenly, who has had the least."""
        goals = {share.run: min(share.wanted, self._level) for share in self._shares.values()}
        rest = self.slots - sum(goals.values())
        for share in sorted(self._extra(), key=lambda share: self._turn(share, now))[:rest]:
            goals[share.run] += 1
        return goals

    def _turn(self, share: _Share, now: float) -> tuple[float, float, int]:
        """Return what puts runs in order: who has had the least, then who has waited longest."""
        charge = share.charge or 0.0
        if share.target > self._level:
            if now < share.raised_at + TURN_SECONDS:
                charge = float("-inf")
            elif self._level:
                charge -= EVEN_SECONDS
        return charge, share.ticket or float("inf"), share.order

    def _lower(self, goals: dict[str, int], now: float) -> None:
        """Take from runs what others are to have."""
        shares = self._shares.values()
        excess = {share.run: share.target - goals[share.run] for share in shares if share.target > goals[share.run]}
        taken = sum(max(share.target, goals[share.run]) for share in shares) - self.slots
        targets = {run: self._shares[run].target for run in excess}
        for _ in range(taken):
            run = max(excess, key=lambda run: excess[run])
            excess[run] -= 1
            targets[run] -= 1
        is_over = sum(share.target for share in shares) > self.slots
        is_round = now >= self._moved_at + ROUND_SECONDS or is_over
        for run, target in targets.items():
            share = self._shares[run]
            unmoved = min(share.target, share.wanted)
            if target < unmoved and is_round:
                self._moved_at = now
            share.target = target if is_round else max(target, unmoved)
        if is_round:
            self._looked_at = now

    def _raise(self, goals: dict[str, int], now: float) -> None:
        """Give away slots that are free, one by one: to who wants some, then to who has just joined."""
        shares = self._shares.values()
        free = self.slots - sum(share.held for share in shares)
        promised = sum(share.target for share in shares)
        while promised < self.slots and free >= 0:
            short = [share for share in shares if share.target < goals[share.run]]
            short = short or [share for share in shares if share.is_new and free]
            if not short:
                return
            share = min(short, key=lambda share: (share.target, *self._turn(share, now)))
            promised += 1
            if share.target == share.held and not free:
                goals[share.run] -= 1  # a Worker of another run is ending for it
                continue
            share.target, share.raised_at = share.target + 1, now
            if share.target > share.held:
                share.held, free = share.target, free - 1
