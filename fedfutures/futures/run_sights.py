"""What an Origin says when somebody asks what goes on: where its program is, what is open, what was computed so far."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ..host.handle import Heard
from ..wire.control import CancelFuture, WatchRun
from ..wire.messages import STATUS
from ..worker.sights import place_of_main
from . import ends
from .counting import Counting

if TYPE_CHECKING:
    from .run_stream import RunStream

MAPS_AT_MOST = 50
RETRIES = "retries"
"""A subject for this process alone: how often Futures were started again, by function."""


class RunSights:
    """Of the `federation` that `origin` has joined."""

    def __init__(self, federation: Any, origin: Any, counting: Counting) -> None:
        self._federation, self._origin, self._counting = federation, origin, counting
        self._stream: RunStream | None = None
        self._began = time.monotonic()
        origin.sights.show(STATUS, lambda asker: self.status())
        origin.sights.show(RETRIES, lambda asker: counting.retries())
        federation.listeners.append(self._on_heard)

    def _on_heard(self, frame: Heard) -> None:
        """Do what somebody wants who has come to the run's socket: cancel a Future, or be told what happens."""
        if isinstance(frame, CancelFuture):
            _cancel_running(self._origin, frame.number)
        elif isinstance(frame, WatchRun) and not self._federation.is_closed:
            if self._stream is None:
                from .run_stream import RunStream  # most runs are watched by nobody

                self._stream = RunStream(self._federation, self._began)
            with contextlib.suppress(RuntimeError):  # no thread can start any more: the interpreter ends
                self._stream.open()

    def status(self) -> dict[str, Any]:
        """Return the report. The lock of the node is held."""
        origin = self._origin
        return {
            "role": "origin", "name": origin.name, "program": sys.argv[0] if sys.argv else "", "pid": os.getpid(),
            "seconds": time.monotonic() - self._began, "where": place_of_main(),
            "given": len(origin.futures), "queued": len(origin.own),
            "maps": [_of_map(feeder) for feeder in ends.open_maps(origin)[:MAPS_AT_MOST]],
            "sums": self._counting.report(origin.size),
        }  # fmt: skip


def _cancel_running(origin: Any, number: int) -> None:
    """Cancel a Future because somebody asks for that from outside; in a thread of its own, for it is waited for."""
    if (future := origin.futures.get(number)) is None:
        return
    with contextlib.suppress(RuntimeError):  # no thread can start any more: the interpreter ends
        threading.Thread(target=future.cancel, kwargs={"running": True}, name="fedfutures-cancel", daemon=True).start()


def _of_map(feeder: Any) -> dict[str, Any]:
    count = feeder.counter()
    return {"name": feeder.name, "done": 0 if count is None else count(), "total": feeder.input.length}
