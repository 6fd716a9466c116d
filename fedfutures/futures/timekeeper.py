"""Watches the walltime of a Federation: a thread of the Origin, which runs only where there is one.

Brokers and Workers are told nothing. The Origin alone knows the end; it gives nothing that would be late and takes back
what has not started (:mod:`..worker.late_futures`). What Brokers hold is little, so that is soon done, and a Broker
that is started again has nothing to learn.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import WalltimeReached
from ..host.walltime import Walltime
from ..worker.late_futures import LateFutures
from . import ends


class Timekeeper:
    """Looks at what is late, and calls `reached` with an error when nothing will be done any more."""

    def __init__(self, origin: Any, walltime: Walltime, reached: Callable[[WalltimeReached], object]) -> None:
        self._origin, self._walltime, self._reached = origin, walltime, reached
        self._late = LateFutures(origin.driver, origin.submissions, walltime.deadline)
        self._stopped = threading.Event()
        threading.Thread(target=self._keep, name="fedfutures-walltime", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _keep(self) -> None:
        while not self._late.look(now := time.monotonic()):
            if self._stopped.wait(self._late.pause(now)):
                return
        if not self._stopped.is_set() and self._origin.lost is None:
            self._reached(self._error())

    def _error(self) -> WalltimeReached:
        """Return the error, with what is done and what is not."""
        origin, walltime = self._origin, self._walltime
        done = [_counted(self._late.done, "Future")]
        left = ""
        with contextlib.suppress(Exception):  # it is being closed
            left = ends.what_is_open(origin)
            for feeder in ends.open_maps(origin):
                if (count := feeder.counter()) is not None:
                    done.append(f"{_counted(count(), 'item')} of map({feeder.name})")
        if len(done) > 1 and not self._late.done:
            del done[0]
        early = max(0.0, walltime.deadline - time.monotonic())
        return WalltimeReached(walltime.seconds, walltime.margin, walltime.source, " and ".join(done), left, early)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
