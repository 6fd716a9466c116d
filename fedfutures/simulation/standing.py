"""A host of a standing Federation: its slots belong to several programs, one of which is simulated.

The host server has the real :class:`..supervision.allotment.Allotment`. The Broker says how many Workers its run could
use; what another program wants is drawn, until things heal.
"""

from __future__ import annotations

from random import Random

from ..supervision.allotment import Allotment
from .system import System

OURS, OTHER = "ours", "other"
OTHERS_CHANGE_SECONDS = 0.4
"""Mean time between two numbers of Workers that the other program wants."""
LOOK_SECONDS = 0.05
"""So often the host process says how many Workers live."""


class SimHostServer:
    """The host server of one Broker's host, with so many slots; until `until` another program wants some of them."""

    def __init__(self, system: System, broker: str, slots: int, until: float) -> None:
        self._system, self._clock, self._broker, self._slots, self._until = system, system.clock, broker, slots, until
        self._dice = Random(f"{system.world.seed} {broker} other")
        self._allotment = Allotment(slots)
        self._wanted = self._others_wanted = self._others = 0
        for run in (OURS, OTHER):
            self._allotment.join(run, self._clock.now)
        system.brokers[broker].serve_others(slots, self._want)
        self._clock.at(self._clock.now, self._look)
        self._clock.at(self._clock.now, self._change_others)

    def _want(self, count: int) -> None:
        self._wanted = count
        self._decide()

    def _change_others(self, _: object) -> None:
        """The other program wants another number; Workers of its own end at once."""
        going = self._clock.now < self._until
        self._others_wanted = self._dice.randint(0, self._slots) if going else 0
        if going:
            wait = self._dice.expovariate(1 / OTHERS_CHANGE_SECONDS)
            self._clock.at(min(self._until, self._clock.now + wait), self._change_others)
        self._decide()

    def _look(self, _: object) -> None:
        self._decide()
        self._clock.at(self._clock.now + LOOK_SECONDS, self._look)

    def _decide(self) -> None:
        system, now = self._system, self._clock.now
        if self._broker in system.dead or self._broker in system.down:
            return
        self._allotment.report(OURS, self._wanted, system.count_workers(self._broker), now)
        self._allotment.report(OTHER, self._others_wanted, self._others, now)
        news = self._allotment.tick(now)
        self._allotment.check()
        self._others = news.get(OTHER, self._others)
        if OURS in news:
            system.resize(self._broker, news[OURS])
