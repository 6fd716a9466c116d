"""What a Worker says to its Broker whenever it is driven, and when its helper thread has to look."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time

from ..host.crash_cells import PIECE
from ..node.pace import CUT_SECONDS, LOOK_SECONDS
from . import slices
from .calls import Calls
from .driver import DRIVEN, Driver
from .locks import Locks
from .runners import Runners
from .submissions import Submissions
from .surroundings import Surroundings
from .threads import STILL_SECONDS, OtherThreads


class WorkerDuties:
    """Runs the rules of :class:`.workload.Workload` with what is true of this process now.

    Once its Calls have run as many Futures as they may, and while it is being prepared, it asks for none.
    """

    def __init__(
        self, driver: Driver, submissions: Submissions, surroundings: Surroundings, runners: Runners, locks: Locks,
        others: OtherThreads, calls: Calls,
    ) -> None:  # fmt: skip
        self._driver, self._machine, self._workload = driver, driver.machine, driver.machine.workload
        self._submissions, self._own = submissions, submissions.own
        self._surroundings, self._cells = surroundings, surroundings.cells
        self._runners, self._locks, self._others = runners, locks, others
        self._calls = calls
        self._takes_more = True

    def stop_taking(self) -> None:
        """No Futures are asked for."""
        self._takes_more = False

    def take_again(self) -> None:
        """Futures are asked for."""
        self._takes_more = True

    def send_due(self) -> None:
        """Send outcomes, unstarted Futures that others hunger for, own Futures, and Demand. The lock is held."""
        self.send_results()
        driver, machine, workload, own = self._driver, self._machine, self._workload, self._own
        # 0.0 when the main thread asks, which is between two Futures.
        stuck = 0.0 if threading.get_ident() == self._runners.thread else time.monotonic() - driver.times[DRIVEN]
        last, locked_in = machine.durations.last, self._locks.locked_in > 0
        if workload.queue:
            for back in workload.surplus(stuck, machine.hunger, last, locked_in=locked_in):
                driver.step(back)
        if own and (not locked_in or self._cells[PIECE]):  # else it takes the next one itself, as what it has recalled
            self._submissions.offer()
        driver.tick()
        if stuck:
            self._report_running(stuck)
        if stuck > STILL_SECONDS and own:
            self._others.relieve_main_thread()
        if self._takes_more and not self._calls.has_enough:
            busy = bool(self._cells[PIECE]) or bool(self._runners.ready)
            one_by_one = self._calls.most_tasks is not None
            driver.step(workload.load(stuck, len(own), busy, last, locked_in=locked_in, one_by_one=one_by_one))

    def send_results(self) -> None:
        """Send what has finished; what those Futures have printed goes out before. The lock is held."""
        found = self._workload.results()
        if found:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            for finished in found:
                self._driver.step(finished)

    def _report_running(self, stuck: float) -> None:
        """What has been running for long can no longer be cancelled; of a slice, others take what is not started."""
        running = self._surroundings.running()
        kept = slices.cut(running) if stuck > CUT_SECONDS else 0
        report = self._workload.report(stuck, running, kept)
        if report is not None:
            self._driver.step(report)

    def helper_listens(self) -> bool:
        """Listen to the Main socket only while own Futures are out; what is to run later can wait for the main thread.

        Waking for each Batch that arrives while a Future runs would cost as much as all the rest of its journey.
        """
        return bool(self._submissions.futures)

    def helper_deadline(self) -> float | None:
        """When what waits behind the Future that runs is to be given back, or that Future to be reported."""
        driven_at, running = self._driver.times[DRIVEN], self._surroundings.running()
        if self._own and not self._others.is_relieving:
            return driven_at + STILL_SECONDS
        look_at = self._workload.look_again_at(
            driven_at, self._machine.durations.last, running, can_be_cut=slices.can_be_cut(running)
        )
        if look_at < math.inf:
            return look_at
        return time.monotonic() + LOOK_SECONDS if running[0] else None
