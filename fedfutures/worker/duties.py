"""What a Worker says to its Broker whenever it is driven, and when its helper thread has to look."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time

from ..host.crash_cells import PIECE
from ..node.events import Finished
from ..node.pace import CUT_SECONDS, LOOK_SECONDS
from ..node.workload import NO_MORE
from ..wire.messages import ALONE, ANY, NONE, SHARING
from ..wire.names import is_stand_in
from . import journal, slices
from .calls import Calls
from .driver import DRIVEN, Driver
from .locks import Locks
from .orders import Orders
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
        others: OtherThreads, calls: Calls, orders: Orders,
    ) -> None:  # fmt: skip
        self._driver, self._machine, self._workload = driver, driver.machine, driver.machine.workload
        self._submissions, self._own = submissions, submissions.own
        self._surroundings, self._cells = surroundings, surroundings.cells
        self._runners, self._locks, self._others = runners, locks, others
        self._calls, self._orders = calls, orders
        self._results = journal.after("result", lambda found: _told(found, submissions))(self._workload.results)
        self._takes_more, self._is_stand_in = True, is_stand_in(driver.name)
        self._reported_at = 0.0  # when it was last said what has finished

    def take_more(self, takes_more: bool) -> None:
        """From now on Futures are asked for, or are not."""
        self._takes_more = takes_more

    def send_due(self) -> None:
        """Send outcomes, unstarted Futures that others want, own Futures, and Demand. The lock is held."""
        self._orders.look()
        driver, machine, workload, own = self._driver, self._machine, self._workload, self._own
        now = time.monotonic()
        # 0.0 when the main thread asks, which is between two Futures.
        stuck = 0.0 if threading.get_ident() == self._runners.thread else now - driver.times[DRIVEN]
        last, locked_in = machine.durations.last, self._locks.locked_in > 0
        leaving = self._calls.leaving
        if stuck or leaving or workload.reports_now(now - self._reported_at, last):
            self.send_results()
        if workload.queue:
            for back in workload.surplus(stuck, machine.unmet, last, locked_in=locked_in or leaving):
                driver.step(back)
        starts = self._starts()
        if starts in (SHARING, NONE) and workload.queue:
            for back in workload.unfit():
                driver.step(back)
        if self._submissions.alone:
            self._submissions.offer_alone()
        if own and (not locked_in or self._cells[PIECE]):  # else it takes the next one itself, as what it has recalled
            self._submissions.offer()
        driver.tick()
        if stuck:
            self._report_running(stuck)
        if stuck > STILL_SECONDS and own:
            self._others.relieve_main_thread()
        if leaving:
            driver.step(NO_MORE)
        elif self._takes_more and not self._calls.has_enough:
            busy = bool(self._cells[PIECE]) or bool(self._runners.ready)
            one_by_one = self._calls.most_tasks is not None
            driver.step(
                workload.load(stuck, len(own), busy, last, locked_in=locked_in, one_by_one=one_by_one, starts=starts)
            )

    def _starts(self) -> int:
        """Which Futures this Worker starts: those that may end it not where others wait, who would end with them."""
        if not (self._is_stand_in or self._workload.has_alone):
            return ANY
        waits = self._runners.suspended > 0 or self._submissions.alone.is_open()
        if self._is_stand_in:
            return NONE if waits else ALONE
        return SHARING if waits else ANY

    def send_results(self) -> None:
        """Send what has finished; what those Futures have printed goes out before. The lock is held."""
        self._reported_at = time.monotonic()
        found = self._results()
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
        """Listen to the Main socket only while own Futures are out, or this Worker is leaving and returns what comes.

        Else what arrives can wait for the main thread: waking for each Batch while a Future runs would cost as much as
        all the rest of its journey.
        """
        return bool(self._submissions.futures) or self._calls.leaving

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


def _told(found: list[Finished], submissions: Submissions) -> list[tuple[object, ...]]:
    """Return the fields of the journal's lines about outcomes that are about to be sent."""
    pieces, segments = submissions.machine.workload.pieces, submissions.payloads.segments
    return [
        (pieces[done.piece].terms.submitter, number, pieces[done.piece].terms.attempt, *more)
        for done in found
        for number, *more in journal.of_outcomes(done.ids, done.outcomes, done.odd, segments)
    ]
