"""``--progress``: how many Futures of the run are done, while the program waits for them one by one.

Maps, ``wait`` and ``as_completed`` show their own progress. A program that submits and then asks each Future for its
result calls none of these; so what is open is watched, too, and shown as long as nothing else is. It begins with the
first Future that is open, and ends when none is.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from ..node import events as rules
from . import progress
from .counted import Counted
from .tally import count_failed


class RunProgressWatch:
    """Of the program of this `federation`."""

    def __init__(self, federation: Any) -> None:
        self._federation, self._origin = federation, federation.origin
        self._done = self._failed = 0
        self._before = (0, 0)  # how many these were when what is shown began
        self._shown: progress.LogLines | None = None
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._look, name="fedfutures-run-progress", daemon=True)
        federation.counting.watch(self._on_outcomes)
        federation.at_close(self._end)
        self._watcher.start()

    def _on_outcomes(self, action: rules.Resolve, function: str) -> None:
        """Futures have outcomes. The lock of the node is held."""
        self._failed += count_failed(action.odd)
        self._done += len(action.ids)

    def _look(self) -> None:
        while not self._over.wait(progress.BAR_EVERY_SECONDS):
            with contextlib.suppress(Exception):  # standard error may be closed
                self._show()

    def _show(self) -> None:
        shown, left = self._shown, len(self._origin.own) + len(self._origin.futures)
        if progress.is_shown():
            self._shown = None
            if shown is not None:
                shown.drop()
        elif not left:
            self._finish()
        elif shown is None:
            self._before = self._done, self._failed
            self._shown = progress.display(left, late=True)
        elif shown.is_due():
            counted = self._counted()
            shown.resize(counted.done + left, self._federation.size)
            shown.show(counted)

    def _counted(self) -> Counted:
        done, failed = self._before
        return Counted(self._done - done, self._failed - failed)

    def _finish(self) -> None:
        """All is done."""
        shown, self._shown = self._shown, None
        if shown is not None:
            counted = self._counted()
            shown.resize(counted.done, self._federation.size)
            shown.end(counted)

    def _end(self) -> None:
        self._over.set()
        self._watcher.join(progress.JOIN_SECONDS)
        if not self._watcher.is_alive():
            self._finish()
