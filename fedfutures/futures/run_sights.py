"""What an Origin says when somebody asks what goes on: where its program is, what is open, what was computed so far."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from ..wire.messages import STATUS
from ..worker.sights import place_of_main
from . import ends
from .counting import Counting

MAPS_AT_MOST = 50
RETRIES = "retries"
"""A subject for this process alone: how often Futures were started again, by function."""


class RunSights:
    """Of the Federation that `origin` has joined."""

    def __init__(self, origin: Any, counting: Counting) -> None:
        self._origin, self._counting = origin, counting
        self._began = time.monotonic()
        origin.sights.show(STATUS, self.status)
        origin.sights.show(RETRIES, counting.retries)

    def status(self) -> dict[str, Any]:
        """Return the report. The lock of the node is held."""
        origin = self._origin
        return {
            "role": "origin", "program": sys.argv[0] if sys.argv else "", "pid": os.getpid(),
            "seconds": time.monotonic() - self._began, "where": place_of_main(),
            "given": len(origin.futures), "queued": len(origin.own),
            "maps": [_of_map(feeder) for feeder in ends.open_maps(origin)[:MAPS_AT_MOST]],
            "sums": self._counting.report(origin.size),
        }  # fmt: skip


def cancel_running(origin: Any, number: int) -> None:
    """Cancel a Future because somebody asks for that from outside; in a thread of its own, for it is waited for."""
    if (future := origin.futures.get(number)) is not None:
        threading.Thread(target=future.cancel, kwargs={"running": True}, name="fedfutures-cancel", daemon=True).start()


def _of_map(feeder: Any) -> dict[str, Any]:
    count = feeder.counter()
    return {"name": feeder.name, "done": 0 if count is None else count(), "total": feeder.input.length}
