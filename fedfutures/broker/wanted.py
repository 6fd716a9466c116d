"""How many Workers of its host a Broker could use now; it says so to its host process, in runs that have joined others.

There the number of Workers follows from it (:mod:`..supervision.allotment`), and there may be none at all. So such a
Broker asks Origins for as many Futures as the host has slots even then, counts as one Worker to neighbours, and asks
busy Workers for an own Future now and then: what comes says how much more there is.
"""

from __future__ import annotations

from .events import WantWorkers
from .ledger import ELSEWHERE, Ledger
from .load import Load
from .outbox import Outbox
from .recovery import Recovery

SAID_AGAIN_SECONDS = 0.2
"""How often at most a number above 0 follows another; so long, too, it is smaller before that is said."""
PROBE_SECONDS = 0.25
"""How often at most Workers are asked for an own Future."""


class WantedWorkers:
    """What one Broker says to its host process of the Workers that it could use, `slots` at most; None: nothing.

    A host without slots has none, and its Broker asks Origins for a Future all the same: else no neighbour would hear
    that there is something to run.
    """

    def __init__(self, slots: int | None, load: Load, ledger: Ledger, outbox: Outbox) -> None:
        self.slots, self._load, self._ledger, self._outbox = slots, load, ledger, outbox
        self.said, self.said_more = -1, 0
        self.due: float | None = None  # when to look even if nothing happens
        self._said_at = self._probed_at = float("-inf")
        self._highest = 0  # while it is smaller than what was said
        self._lower_at: float | None = None  # when that is to be said
        if slots is not None:
            load.stay_open(slots, probe=0)

    def look(self, now: float, recovery: Recovery) -> None:
        """Say what is news; nothing while others have yet to say what they hold, and 0 if no Worker will be started."""
        if recovery.expected or self.slots is None:
            return
        gave_up = recovery.gave_up is not None
        could_run = 0 if gave_up else self._could_run()
        count = min(self.slots, could_run)
        self._say(count, _about(could_run - count), now)
        is_probe = not gave_up and 0 < count == self._load.survey.working < self.slots
        if is_probe and not self._load.probe and now < self._probed_at + PROBE_SECONDS:
            is_probe = False
            self._wake_at(self._probed_at + PROBE_SECONDS)
        elif is_probe:
            self._probed_at = now
        if self._load.stay_open(None if gave_up else self.slots, probe=int(is_probe)):
            self._wake_at(now)

    def _could_run(self) -> int:
        """Return how many Workers could have something to run; what idle ones are there for is no reason for others."""
        load, survey = self._load, self._load.survey
        waiting = 0
        if not survey.idle:
            waiting = self._ledger.queue.count + survey.own_movable + survey.others_spare
            waiting += sum(origin.backlog for origin in load.origins.values())
            parked = self._ledger.parked.items()
            waiting += sum(len(lot.ids) for key, lots in parked if key != ELSEWHERE for lot in lots)
        return survey.working + waiting

    def _say(self, count: int, more: int, now: float) -> None:
        """Say it if it is more, or has been less for a while; a first Future does not wait for its Worker."""
        self.due = None
        if count >= self.said:
            self._lower_at, self._highest = None, 0
            when = self._said_at + SAID_AGAIN_SECONDS if self.said > 0 or self.said_more else now
        else:
            if self._lower_at is None:
                self._lower_at = now + SAID_AGAIN_SECONDS
            self._highest = count = max(self._highest, count)
            when = self._lower_at
        if (count, more) == (self.said, self.said_more) and self._lower_at is None:
            return
        if now < when:
            self._wake_at(when)
        else:
            self.said, self.said_more, self._said_at, self._highest, self._lower_at = count, more, now, 0, None
            self._outbox.act(WantWorkers(count, more))

    def _wake_at(self, when: float) -> None:
        if self.due is None or when < self.due:
            self.due = when


def _about(count: int) -> int:
    """Return the largest power of two that is no more than this, so that it is not news all the time; or 0.

    >>> _about(0), _about(1), _about(6)
    (0, 1, 4)
    """
    return 1 << count.bit_length() - 1 if count else 0
