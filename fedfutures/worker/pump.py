"""How the main thread of a Worker drives its node between two Futures."""

from __future__ import annotations

import time

from ..node.pace import PUMP_EVERY_SECONDS
from .driver import DRIVEN, PUMP_DUE, Driver
from .runners import Runners


class Pump:
    """Is called between two Futures, once :data:`.pace.PUMP_EVERY_SECONDS` have passed.

    Why not after each: a look at the sockets takes longer than a short Future. Why by this thread: it is awake, it has
    the GIL, and between two Futures no code of the user's is interrupted. The helper thread drives only while one
    Future takes long.
    """

    __slots__ = ("_driver", "_runners")

    def __init__(self, driver: Driver, runners: Runners) -> None:
        self._driver, self._runners = driver, runners

    def __call__(self) -> None:
        """Drain the sockets, send results, say what is here, run callbacks, and wake whose time has come.

        The next time is set first: a callback may submit, and must not come here again for that.
        """
        times = self._driver.times
        times[DRIVEN] = now = time.monotonic()
        times[PUMP_DUE] = now + PUMP_EVERY_SECONDS
        self._driver.service()
        self._runners.wake_timers()
