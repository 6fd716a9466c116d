"""What the host process tells a Worker over its control pipe: that it is one too many, and how many there are.

The pipe is polled by whoever waits for something. A Worker whose Futures are short does not wait, so whenever it is
driven it compares how many frames were sent to it, which stands in a crash cell, with how many it has read.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import RemoteProtocolError
from ..host.crash_cells import TOLD
from ..supervision.attempts import CLOSED_EXIT_CODE
from ..wire.control import ControlFrame, FederationSize, WithdrawWorker
from ..wire.framing import FrameReader
from .calls import Calls
from .driver import Driver
from .submissions import Submissions

READ_BYTES = 4096


class Orders:
    """Those of one Worker. `end` ends its process, with this code: when the pipe is closed the run has ended."""

    __slots__ = ("_calls", "_cells", "_control", "_driver", "_end", "_lock", "_reader", "_submissions", "heard")

    def __init__(
        self, driver: Driver, calls: Calls, submissions: Submissions, cells: Any, control: int,
        end: Callable[[int], NoReturn],
    ) -> None:  # fmt: skip
        self._driver, self._calls, self._submissions = driver, calls, submissions
        self._cells, self._control, self._end = cells, control, end
        self._reader = FrameReader()
        self._lock = threading.Lock()
        self.heard = 0  # how many frames were read
        os.set_blocking(control, False)
        driver.watch(control, self.read)

    def look(self) -> None:
        """Read what was sent, if there is something."""
        if self._cells[TOLD] != self.heard:
            self.read()

    def read(self) -> None:
        """Read what has come and do it, unless another thread is reading."""
        if self._lock.acquire(blocking=False):
            try:
                for frame in self._receive():
                    self.heard += 1
                    self._obey(frame)
            finally:
                self._lock.release()

    def _receive(self) -> list[ControlFrame]:
        try:
            data = os.read(self._control, READ_BYTES)
            if not data:
                self._end(0)
            return self._reader.feed(data)
        except BlockingIOError:
            return []
        except (OSError, RemoteProtocolError):  # a Future has closed it, and may have opened something else
            self._end(CLOSED_EXIT_CODE)

    def _obey(self, frame: ControlFrame) -> None:
        if isinstance(frame, WithdrawWorker):
            self._calls.withdraw(stays=frame.stays)
        elif isinstance(frame, FederationSize):
            self._submissions.resize(frame.workers)
        self._driver.wake()
