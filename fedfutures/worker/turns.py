"""Who may run a Future outside of the main thread: one thread at a time, and what that thread runs."""

from __future__ import annotations

import _thread
import threading
import time
from typing import Any

from ..host.crash_cells import PIECE
from .context import Context
from .process_parts import Values
from .process_state import ProcessState

LET_BY_SECONDS = 0.0005


class Here(threading.local):
    """What the thread that asks runs: on whose behalf, how deep in each other, and what it has taken back for that."""

    def __init__(self) -> None:
        self.context: Context | None = None
        self.depth = 0
        self.mains: Values = {}

    def begin(self, context: Context, mains: Values) -> Context | None:
        """This thread runs a Future on a behalf; return the behalf of the one around it.

        `mains` is what was taken back before it, which is the main thread's unless there is one around it.
        """
        outer, self.context = self.context, context
        if not self.depth:
            self.mains = mains
        self.depth += 1
        return outer

    def end(self, outer: Context | None) -> None:
        """The Future has ended that was begun inside of one on this behalf."""
        self.depth -= 1
        self.context = outer

    def go_on(self, mains: Values) -> None:
        """This thread goes on with its Future; `mains` is what was taken back for that."""
        self.mains = mains


class Turns:
    """The turn of the threads that are not the main one."""

    __slots__ = ("_cells", "_lock", "_state", "here", "wanted")

    def __init__(self, cells: Any, state: ProcessState) -> None:
        self._cells, self._state = cells, state
        self._lock = _thread.allocate_lock()  # the plain one: it is no Future's
        self.here = Here()
        self.wanted: set[int] = set()  # threads that run a Future, or want to go on with one

    def take(self, *, blocking: bool) -> bool:
        """Take the turn; ask to be let by only then: the main thread first says what it runs, and looks who asks."""
        if not blocking and not self._lock.acquire(blocking=False):
            return False
        self.wanted.add(threading.get_ident())
        self._state.disturb()
        if blocking:
            self._lock.acquire()
        return True

    def give_back(self) -> None:
        """Let another thread have the turn, which goes on to want it."""
        self._lock.release()

    def end(self) -> None:
        """This thread runs no Future any more."""
        self.wanted.discard(threading.get_ident())
        self._lock.release()

    def pass_by(self) -> None:
        """Wait until the turn is free once."""
        with self._lock:
            pass
        time.sleep(LET_BY_SECONDS)

    def let_by(self) -> None:
        """The main thread is between Futures, or its Future is about to wait: wait until nobody else wants to run."""
        cells = self._cells
        piece, cells[PIECE] = cells[PIECE], 0
        while self.wanted:
            self.pass_by()
        cells[PIECE] = piece
