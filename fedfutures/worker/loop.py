"""The loop of a Worker's main thread: which Future runs next, and what is done when there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ..node import events as rules
from ..node.pace import HURRY_SECONDS
from ..node.workload import HeldPiece
from ..wire.names import is_stand_in
from .calls import Calls
from .driver import PUMP_DUE, Driver
from .duties import WorkerDuties
from .future import Future, claim
from .lane_sockets import LaneSockets
from .locks import Locks
from .runners import Pump, Runners
from .submissions import Submissions
from .surroundings import Surroundings

STAND_IN_SECONDS = 2.0
"""A stand-in that has had nothing to do for so long leaves."""


class Loop:
    """What each runner does until the Worker stops."""

    __slots__ = (
        "_calls", "_driver", "_duties", "_is_stand_in", "_lanes", "_leave_at", "_locks", "_own", "_pump",
        "_run_fetched", "_runners", "_submissions", "_surroundings", "_tasks_seen", "_workload",
    )  # fmt: skip

    def __init__(
        self, driver: Driver, submissions: Submissions, surroundings: Surroundings, calls: Calls, runners: Runners,
        locks: Locks, duties: WorkerDuties, pump: Pump, lanes: LaneSockets,
    ) -> None:  # fmt: skip
        self._lanes = lanes
        self._driver, self._workload = driver, driver.machine.workload
        self._submissions, self._own = submissions, submissions.own
        self._surroundings, self._calls, self._runners, self._locks = surroundings, calls, runners, locks
        self._duties, self._pump = duties, pump
        self._run_fetched: Callable[[HeldPiece], object] = calls.run_fetched
        self._is_stand_in, self._tasks_seen = is_stand_in(driver.name), -1
        self._leave_at = math.inf  # of a stand-in

    def profile(self, runcall: Callable[..., object]) -> None:
        """Run the Futures of others by way of a profiler."""
        run = self._run_fetched
        self._run_fetched = lambda piece: runcall(run, piece)

    def run(self) -> None:
        """Run Futures until told to stop."""
        isolation = self._surroundings.isolation
        self._runners.run(self.work, lambda: isolation.fresh())

    def work(self) -> None:
        """Run one Future after another (a runner): own ones before those of others, and what can go on before both."""
        workload, runners, locks, times = self._workload, self._runners, self._locks, self._driver.times
        run_own, pump = self._calls.run_own, self._pump
        while not runners.stopping:
            if runners.ready:
                runners.resume_ready()
            elif workload.has_priorities and not locks.locked_in and workload.goes_before(self._own_priority()):
                self._run_first(workload.queue[0])
            elif (claimed := self._next_own()) is not None:
                run_own(*claimed)
                claimed = None  # its result is let go now, not when the next one comes
                if time.monotonic() >= times[PUMP_DUE]:
                    pump()
            elif workload.queue and not locks.locked_in:
                self._run_first(workload.queue[0])
            else:
                self.rest()

    def _run_first(self, piece: HeldPiece) -> None:
        """Run Futures of the first piece; those that may end their Worker go back where others wait."""
        if piece.limit_alone and piece.todo and self._runners.suspended:
            self._pump()
        else:
            self._run_fetched(piece)

    def _own_priority(self) -> float:
        """The priority of the own Future that would run next."""
        priority, level = self._own.highest()
        return priority if level else -math.inf

    def _next_own(self) -> tuple[Future[Any], Any] | None:
        own, given = self._own, self._submissions.futures
        while True:
            level = own.highest()[1] if own.levels else own.common
            try:
                future = level.pop()
            except IndexError:  # empty, or a helper or foreign thread was faster
                if not own.levels:
                    return None
            else:
                if (call := claim(future, given)) is not None:
                    return future, call

    def rest(self) -> None:
        """Nothing to run: send what has finished, and wait for something to arrive."""
        driver, runners, locks = self._driver, self._runners, self._locks
        self._surroundings.rest(runners.suspended)
        with driver.lock:  # first of all, for somebody may be waiting for it
            self._duties.send_results()
            driver.flush()
        is_lent = driver.machine.lease.is_open and not (runners.ready or self._own or runners.suspended)
        if is_lent and self._await_lane():
            return
        self._pump()
        if runners.ready or self._own or (self._workload.queue and not locks.locked_in) or runners.stopping:
            return
        if locks.locked_in or (self._is_stand_in and runners.suspended) or self._calls.leaving:  # others may be, too
            self._submissions.cancelling.recall()
        if self._calls.has_enough and not locks.waits and self._leave():
            return
        if self._submissions.lost is not None:  # the Broker does not hear this Worker any more: another one is started
            runners.stop()
            return
        if self._is_stand_in and self._has_stood_in():
            return
        if driver.begin_driving():
            try:
                driver.poll(self._next_timer())
            finally:
                driver.end_driving()
            driver.take_in()
            if (driver.machine.durations.last or 0.0) > HURRY_SECONDS or self._calls.leaving:
                self._pump()  # ask for what is to run next while this one runs, or give back what has come

    def _await_lane(self) -> bool:
        """Wait for the next call of who was lent this Worker, until it is time to look at all else."""
        driver, due = self._driver, self._driver.times[PUMP_DUE]
        began = time.monotonic()
        if began >= due:
            return False
        if self._lanes.look(driver.machine.lease.number):
            return True
        if driver.begin_driving():
            try:
                driver.poll(due)
            finally:
                driver.end_driving()
        self._lanes.slept(time.monotonic() - began)
        return bool(self._workload.queue)

    def _next_timer(self) -> float | None:
        timer = self._runners.next_timer()
        if not self._is_stand_in:
            return timer
        return self._leave_at if timer is None else min(timer, self._leave_at)

    def _has_stood_in(self) -> bool:
        """Whether this stand-in has had nothing to do for so long that it has left."""
        now = time.monotonic()
        if self._calls.tasks != self._tasks_seen or self._runners.suspended:
            self._tasks_seen, self._leave_at = self._calls.tasks, now + STAND_IN_SECONDS
        return now >= self._leave_at and self._leave()

    def _leave(self) -> bool:
        """Take leave of the Broker, unless Futures wait here in the middle."""
        with self._driver.lock:
            submissions = self._submissions
            if self._workload.has_started() or submissions.futures or submissions.alone or submissions.retrier:
                return False
            self._driver.step(rules.Leave("it runs no more Futures"))
            self._driver.flush()
        self._runners.stop()
        return True
