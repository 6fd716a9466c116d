"""Own Futures in other threads than the Worker's: in threads that a Future has made, and in the relief thread.

The main thread may be waiting for these threads (docs/isolation), so a thread that waits runs Futures itself. Still no
two Futures see each other's changes:

- Threads take turns: one Future at a time runs in a thread that is not the main one.
- It starts when the main thread runs no Future, or one of the same root Future: the one that the thread belongs to,
  which most likely waits for it. What that has changed in the process is taken back meanwhile, once it has stood still
  for :data:`STILL_SECONDS`.
- Between Futures, and before one of them waits, the main thread lets by who is in turn.
- A Future that waits gives its turn away, and takes its changes along.

Signal handlers and timers are the main thread's alone, and stay.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import greenlet

from ..host.crash_cells import NESTED, NUMBER, PIECE
from .context import Context
from .driver import DRIVEN
from .future import Future, claim, sleep_until_done
from .future_fields import call_of
from .locks import Locks
from .process_parts import PARTS
from .submissions import Submissions
from .surroundings import Surroundings
from .turns import LET_BY_SECONDS, Turns

STILL_SECONDS = 0.2
PATIENT_SECONDS = 2.0
"""Where the main thread's Future has changed something and there are other Workers, these have so long to take over."""
HELP_AGAIN_SECONDS = 0.02


class OtherThreads:
    """Runs own Futures of a Worker in threads that wait for them.

    `run` runs one, and calls what it is given before it settles the Future.
    """

    def __init__(
        self, turns: Turns, surroundings: Surroundings, submissions: Submissions, locks: Locks, times: list[float],
        run: Callable[[Future[Any], Any, Callable[[], object]], None],
    ) -> None:  # fmt: skip
        self._turns, self._here = turns, turns.here
        self._surroundings, self._cells, self._state = surroundings, surroundings.cells, surroundings.state
        self._submissions, self._locks, self._times, self._run_call = submissions, locks, times, run
        self._has_taken_back = False  # whether what the main thread's Future has changed is taken back
        self._relief = threading.Thread()  # never started: not alive

    @property
    def context(self) -> Context | None:
        """On whose behalf this thread runs an own Future; None while it runs none."""
        return self._here.context

    # -- waiting -----------------------------------------------------------------------------------------------------

    def wait(self, future: Future, timeout: float | None) -> None:
        """Wait for a Future, by running it or others if nobody else does."""
        if timeout is None and self._run_if_possible(future) and future.done():  # else it is tried again
            return
        me, waits = greenlet.getcurrent(), self._locks.threads
        if timeout is None:
            waits[me] = future

        try:
            self.help_until(future.done, functools.partial(sleep_until_done, future), timeout)
        finally:
            waits.pop(me, None)
            self._see_own_state()

    def _see_own_state(self) -> None:
        """Do not go on while another thread's Future has taken back what this one's has changed."""
        while self._has_taken_back and not self._here.depth:
            self._turns.pass_by()

    def help_until(self, done: Callable[[], bool], sleep: Callable[[float], object], timeout: float | None) -> None:
        """Run own Futures, or sleep a little, until `done` or the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not done() and (deadline is None or time.monotonic() < deadline):
            if not self.help_out():
                left = HELP_AGAIN_SECONDS if deadline is None else min(HELP_AGAIN_SECONDS, deadline - time.monotonic())
                with self._paused():
                    sleep(max(0.0, left))

    def help_out(self) -> bool:
        """Run one own Future, the youngest that may run here; return whether there was one."""
        return any(map(self._run_if_possible, self._submissions.own.youngest()))

    def relieve(self) -> None:
        """Run own Futures while the main thread stands still: it may wait for them in a way that is not ours.

        An asyncio loop that a Future runs is such a way: it blocks the thread, and hears of Futures by callback.
        """
        while self._stands_still() and self.help_out():
            pass

    def relieve_main_thread(self) -> None:
        """Have a thread :meth:`relieve` the main one, unless there is one."""
        if not self._relief.is_alive():
            self._relief = threading.Thread(target=self.relieve, name="fedfutures-relief", daemon=True)
            self._relief.start()

    @property
    def is_relieving(self) -> bool:
        """Whether there is such a thread."""
        return self._relief.is_alive()

    def _stands_still(self, seconds: float = STILL_SECONDS) -> bool:
        return time.monotonic() - self._times[DRIVEN] > seconds

    # -- running -----------------------------------------------------------------------------------------------------

    def _run_if_possible(self, future: Future) -> bool:
        call, locks = call_of(future), self._locks
        if call is None or len(call) == 3:  # started, or given to the Broker
            return False
        if locks.held and locks.holds(greenlet.getcurrent()):  # inside of this one it could not wait for it
            return False
        context: Context = call[3]
        if context.snapshot not in (b"", self._surroundings.namespaces.current):  # only the main thread changes that
            return False
        if not self._here.depth and not self._begin(context):
            return False
        try:
            if (call := claim(future, self._submissions.futures)) is None:
                return False
            nested, self._cells[NESTED] = self._cells[NESTED], 1
            try:
                self._run(future, call)
            finally:
                self._cells[NESTED] = nested
            return True
        finally:
            if not self._here.depth:
                self._turns.end()

    def _begin(self, context: Context) -> bool:
        """Take the turn if a Future on this behalf may run now."""
        if not self._turns.take(blocking=False):
            return False
        if self._may_run(context):
            return True
        self._turns.end()
        return False

    def _go_on(self, context: Context) -> None:
        """Take the turn as soon as a Future on this behalf may run."""
        self._turns.take(blocking=True)
        while not self._may_run(context):
            self._turns.give_back()
            time.sleep(LET_BY_SECONDS)
            self._turns.take(blocking=True)

    def _may_run(self, context: Context) -> bool:
        cells = self._cells
        if not cells[PIECE]:
            return True
        if (cells[PIECE], cells[NUMBER]) != (context.piece, context.number):
            return False
        if all(PARTS[name].of_main_thread for name in tuple(self._state.dirty)):
            return self._stands_still(HELP_AGAIN_SECONDS)
        return self._stands_still(STILL_SECONDS if self._submissions.size <= 1 else PATIENT_SECONDS)

    def _run(self, future: Future, call: Any) -> None:
        """Run a Future from the base state; put back what was changed before, and only then let others know."""
        here, state = self._here, self._state
        before = state.suspend(of_main_thread=False)
        outer = here.begin(call[3], before)
        self._has_taken_back = self._has_taken_back or bool(before)

        def put_back() -> None:
            here.end(outer)
            state.restore(of_main_thread=False)
            state.resume(before if here.depth else here.mains)
            self._has_taken_back = self._has_taken_back and here.depth > 0

        self._run_call(future, call, put_back)

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        """Let others have the turn while the Future that this thread runs, if it runs one, waits."""
        here, state = self._here, self._state
        if not here.depth:
            yield
            return
        assert here.context is not None
        mine = state.suspend(of_main_thread=False)
        state.resume(here.mains)
        self._has_taken_back = False
        self._turns.end()
        try:
            yield
        finally:
            self._go_on(here.context)
            here.go_on(state.suspend(of_main_thread=False))
            self._has_taken_back = bool(here.mains)
            state.resume(mine)
