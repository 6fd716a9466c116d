"""The tests of a suite on their way to Workers, and the order in which they are reported."""

from __future__ import annotations

import concurrent.futures
import pickle
from typing import Any

import pytest

from .. import shared
from ..errors import FutureLost
from ..futures.executor import Executor
from ..program.postponing import calls_program
from .lanes import Lanes
from .reports import Said, has_failed, is_late, opened, warning_of
from .suite import NOW, SOON, Exit, Portion, PortionResults, Suite, stop_of
from .suite_nodes import Numbers, SuiteNode
from .suite_process import END_SECONDS, INTERRUPT_SECONDS, end_suite, run_portion

calls_program(__name__)  # a Ctrl-C ends the wait for tests

ENDING_ROUNDS = 5
"""So often each Worker is asked to end its process, until all have."""


class SuiteRun:
    """The tests of a suite on their way: each lane has a portion of them with a Worker."""

    def __init__(self, session: pytest.Session, executor: Executor, suite: Suite, numbers: Numbers) -> None:
        self._session, self._executor, self._suite, self._numbers = session, executor, suite, numbers
        self._once = executor.options(idempotent=False)  # whatever a test has done, it is not done again unseen
        self._config: Any = session.config
        self._tests = [item.nodeid for item in session.items]
        self._lanes = Lanes([item.location[0] for item in session.items], suite.workers)
        self._lent: dict[concurrent.futures.Future[PortionResults], tuple[int, range]] = {}
        self._results: dict[int, Said | str | Exit] = {}  # by place, that are not reported yet
        self._reported = 0
        self._last = len(self._tests)  # no test from there on will be reported

    def report_all(self) -> None:
        """Run all tests, and report them. Raises what ends the session."""
        stop = SOON
        try:
            self._give_all()
            while self._lent:
                done, _ = concurrent.futures.wait(self._lent, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    self._take(future, *self._lent.pop(future))
                self._give_all()
                self._report()
            assert self._reported >= self._last, f"{self._last - self._reported} tests have not been run"
        except KeyboardInterrupt as error:
            if not isinstance(error, self._session.Interrupted):
                stop = NOW
            raise
        finally:
            self._end(stop)

    # -- portions ----------------------------------------------------------------------------------------------------

    def _give_all(self) -> None:
        """Give a portion to each lane that has none with a Worker."""
        busy = {lane for lane, _ in self._lent.values()}
        for lane in set(range(len(self._lanes))) - busy:
            places = self._lanes.take(lane)
            if places and places.start < self._last:
                self._give(lane, places)

    def _give(self, lane: int, places: range) -> None:
        after = self._tests[places.stop] if places.stop < len(self._tests) else ""
        tests = self._tests[places.start : places.stop]
        portion = Portion(tests, after, self._config.option.maxfail == 1)
        future = self._once.submit(run_portion, self._suite, self._numbers.all(), portion)
        self._lent[future] = lane, places

    def _take(self, future: concurrent.futures.Future[PortionResults], lane: int, places: range) -> None:
        """Note what became of a portion."""
        try:
            found = future.result()
        except FutureLost as error:
            if len(places) > 1:
                self._lanes.give_back_alone(places)
            else:
                self._results[places.start] = f"the Worker was lost in this test: {error}"
            return
        if found.needs_number:
            self._numbers.give(found.worker)
            self._give(lane, places)
            return
        if found.last is not None:
            self._hear_last(found, is_cut_off=True)
        elif found.trouble:
            raise self._session.Interrupted(f"Worker {found.worker}: {found.trouble}")
        count = len(found.results)
        for place, sent in zip(places, found.results):
            result = self._results[place] = opened(sent, found.worker)
            if isinstance(result, Exit) or (self._config.option.maxfail == 1 and has_failed(result)):
                self._last = min(self._last, place + 1)
        self._lanes.note(count, found.seconds)
        self._lanes.give_back(lane, places[count:])

    # -- reports -----------------------------------------------------------------------------------------------------

    def _report(self) -> None:
        """Report the tests that have run, as far as all before them have. Raises what ends the session."""
        session = self._session
        while self._reported in self._results:
            result, item = self._results.pop(self._reported), session.items[self._reported]
            self._reported += 1
            if isinstance(result, Exit):
                if result.is_interrupt:
                    raise KeyboardInterrupt(result.reason)
                pytest.exit(result.reason, result.code)
            if isinstance(result, list):  # errors of fixtures that have ended late
                self._replay([one for one in result if is_late(one, item)], session.config.hook)
                result = [one for one in result if not is_late(one, item)]
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            if isinstance(result, str):
                report = pytest.TestReport(item.nodeid, item.location, {}, "failed", result, "call")
                item.ihook.pytest_runtest_logreport(report=report)
            else:
                self._replay(result, item.ihook)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    def _replay(self, said: Said, hook: Any) -> None:
        for kind, data in said:
            if kind == "report":
                report = self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
                hook.pytest_runtest_logreport(report=report)
            elif kind == "stop":
                self._session.shouldstop = data
            else:
                self._config.hook.pytest_warning_recorded.call_historic(kwargs=warning_of(*data))

    # -- the end -----------------------------------------------------------------------------------------------------

    def _end(self, stop: str) -> None:
        """Have the processes of the Workers end their sessions, and report what comes then."""
        if self._lent:
            shared.set(**{stop_of(self._suite.run): stop})
            for future in self._lent:
                future.cancel()
            concurrent.futures.wait(self._lent, END_SECONDS if stop == SOON else INTERRUPT_SECONDS)
        left, rounds = set(self._numbers.all()), ENDING_ROUNDS
        while left and rounds:
            rounds -= 1
            calls = [self._executor.submit(end_suite, self._suite) for _ in left]
            for future in concurrent.futures.wait(calls, END_SECONDS).done:
                if future.exception() is None:
                    left.discard(future.result().worker)
                    self._hear_last(future.result(), is_cut_off=self._reported < len(self._tests))

    def _hear_last(self, found: PortionResults, *, is_cut_off: bool) -> None:
        if found.trouble and (reporter := self._config.pluginmanager.getplugin("terminalreporter")) is not None:
            reporter.write_line(f"fedfutures: Worker {found.worker}: {found.trouble}", yellow=True)
        if found.last is not None:
            said, output = pickle.loads(found.last)
            if not is_cut_off:  # as in one process
                self._replay(said, self._config.hook)
            if hasattr(self._config.hook, "pytest_testnodedown"):
                name = f"gw{self._numbers.all()[found.worker]}"
                self._config.hook.pytest_testnodedown(node=SuiteNode(self._config, name, output), error=None)
