"""For how many Futures a Worker asks, and when that is news to its Broker. Pure."""

from __future__ import annotations

from ..federation.schedule import HORIZON_SECONDS, futures_in
from ..wire.messages import ANY, NONE, SHARING, Demand
from .events import NodeLoad

LONG_SECONDS = 0.1
"""A function that takes this long is not asked for ahead: the round trip is nothing beside it."""


class Asking:
    """What was said last of the Demand of a Worker, and the load of which the next one is said."""

    __slots__ = ("_asked", "_locked_in", "_said_idle", "_starts", "load")

    def __init__(self) -> None:
        self.load = NodeLoad(0, 0, False)
        self._asked = 0  # the Demand said last, less what came since
        self._said_idle = False
        self._locked_in = False  # whether the Broker was told that nothing of others is started here
        self._starts = ANY  # which Futures it was told are

    def take_load(self, load: NodeLoad) -> None:
        """This is here now."""
        self.load = load

    def came(self, count: int, *, spent: bool) -> None:
        """Futures came; `spent`: with the last of what was asked for."""
        self._asked = 0 if spent else max(0, self._asked - count)
        self._said_idle = False

    def gave_back(self) -> None:
        """Futures went back unstarted: nothing is asked for."""
        self._asked = 0

    def begin_again(self) -> Demand:
        """A new session: nothing was said. Return what says that this is all that is held."""
        self._asked, self._said_idle, self._locked_in, self._starts = 0, False, False, ANY
        return Demand(0, 0)

    def news(self, mean: float | None, *, holds: bool) -> Demand | None:
        """Return the Demand if it is news: half of what is wanted was not asked for yet, or nothing is left to run.

        The Broker takes what it gives off the Demand by itself, and sees a node as idle that holds nothing; so while
        little is given, nothing has to be said. `mean`: how long Futures took lately, in seconds.
        """
        load = self.load
        here = load.unstarted + load.own
        idle = not (here or load.busy or load.locked_in)
        one_by_one = load.one_by_one or mean is None or mean >= LONG_SECONDS
        target = (0 if load.busy else 1) if one_by_one else futures_in(HORIZON_SECONDS, mean or 0.0)
        wanted = 0 if load.locked_in or load.starts == NONE else max(0, target - here)
        news = idle and not self._said_idle and holds
        asks = bool(wanted) and (news or (2 * self._asked < wanted and 2 * wanted > target))
        if not asks and load.locked_in == self._locked_in and load.starts == self._starts:
            return None
        self._asked, self._said_idle, self._locked_in, self._starts = wanted, idle, load.locked_in, load.starts
        takes_any = load.starts in (ANY, SHARING) and not load.locked_in
        return Demand(wanted, int(idle), int(takes_any), load.starts)
