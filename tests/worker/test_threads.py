"""Own Futures in other threads than the main one: who may run one, when, and what of the process it finds."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import greenlet
import pytest

from fedfutures.host.crash_cells import NUMBER, PIECE
from fedfutures.worker.context import Context
from fedfutures.worker.driver import DRIVEN
from fedfutures.worker.future import Future, settle
from fedfutures.worker.future_fields import call_of
from fedfutures.worker.locks import Locks
from fedfutures.worker.threads import HELP_AGAIN_SECONDS, PATIENT_SECONDS, STILL_SECONDS, OtherThreads
from fedfutures.worker.turns import Turns

SECONDS = 30.0
CONTEXT = Context(7, 1, "origin", 0)


class State:
    """The state of a process: `changes` is what differs from the base, `said` what was done to it."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}
        self.said: list[str] = []

    @property
    def dirty(self) -> set[str]:
        return set(self.changes)

    def disturb(self) -> None:
        pass

    def suspend(self, *, of_main_thread: bool) -> dict[str, Any]:
        assert not of_main_thread
        taken, self.changes = self.changes, {}
        return taken

    def restore(self, *, of_main_thread: bool) -> None:
        assert not of_main_thread
        self.changes = {}

    def resume(self, values: dict[str, Any]) -> None:
        self.changes = dict(values)


class Bench:
    """Other threads of a Worker whose main thread runs what the cells say, and has got on when `still` says."""

    def __init__(self, size: int = 1) -> None:
        self.cells = [0] * 24
        self.state: Any = State()
        self.locks = Locks()
        self.times = [0.0, 0.0]
        self.own: list[Future] = []
        self.home: Any = SimpleNamespace(lock=threading.RLock())
        self.ran: list[Any] = []
        self.turns = Turns(self.cells, self.state)
        surroundings: Any = SimpleNamespace(
            cells=self.cells, state=self.state, namespaces=SimpleNamespace(current=b"now")
        )
        own = SimpleNamespace(youngest=lambda: self.own[::-1])
        submissions: Any = SimpleNamespace(size=size, own=own, futures={})
        self.others = OtherThreads(self.turns, surroundings, submissions, self.locks, self.times, self.run)
        self.still(0.0)

    def still(self, seconds: float) -> None:
        self.times[DRIVEN] = time.monotonic() - seconds

    def submit(self, function: Any = lambda: None, context: Context = CONTEXT) -> Future:
        future: Future = Future(self.home, len(self.own) + 1, (function, (), {}, context))
        self.own.append(future)
        return future

    @property
    def waiting(self) -> list[Future]:
        """Those that nobody has started."""
        return [future for future in self.own if call_of(future) is not None]

    def run(self, future: Future, call: Any, before_settling: Any) -> None:
        self.ran.append(future)
        value = call[0]()
        before_settling()
        with self.home.lock:
            settle(future, value)


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_thread_that_waits_runs_the_future_itself() -> None:
    bench = Bench()
    other, mine = bench.submit(), bench.submit(lambda: bench.others.context)
    bench.others.wait(mine, None)
    assert mine.result() == CONTEXT
    assert (bench.waiting, bench.others.context) == ([other], None)
    assert not bench.turns.wanted


def test_the_youngest_that_may_run_here_is_helped_with() -> None:
    bench = Bench()
    first = bench.submit()
    bench.submit(context=CONTEXT._replace(snapshot=b"another"))  # only the main thread changes what is seen
    second = bench.submit(context=CONTEXT._replace(snapshot=b"now"))
    bench.own += [Future(bench.home, 8, (None, b"", "")), Future(bench.home, 9, None)]  # given, and started
    assert bench.others.help_out()
    assert bench.others.help_out()
    assert bench.ran == [second, first]
    assert not bench.others.help_out()
    assert len(bench.waiting) == 2


@pytest.mark.parametrize(
    ("runs", "changed", "size", "seconds", "may"),
    [
        ((0, 0), "umask", 1, 0.0, True),  # nothing
        ((8, 1), "", 1, 99.0, False),  # another root
        ((7, 2), "", 1, 99.0, False),
        ((7, 1), "", 1, 0.0, False),
        ((7, 1), "", 1, 2 * HELP_AGAIN_SECONDS, True),
        ((7, 1), "handlers", 1, 2 * HELP_AGAIN_SECONDS, True),  # which stay: they are the main thread's
        ((7, 1), "umask", 1, 2 * HELP_AGAIN_SECONDS, False),
        ((7, 1), "umask", 1, STILL_SECONDS + 0.1, True),
        ((7, 1), "umask", 2, STILL_SECONDS + 0.1, False),  # another Worker may take it
        ((7, 1), "umask", 2, PATIENT_SECONDS + 0.1, True),
    ],
)
def test_when_it_may_run_beside_what_the_main_thread_runs(
    runs: tuple[int, int], changed: str, size: int, seconds: float, may: bool
) -> None:
    bench = Bench(size)
    bench.cells[PIECE], bench.cells[NUMBER] = runs
    bench.state.changes = {changed: 1} if changed else {}
    bench.submit()
    bench.still(seconds)
    assert bench.others.help_out() is may
    assert not bench.turns.wanted


def test_who_holds_a_lock_runs_nothing_that_may_wait_for_it() -> None:
    bench = Bench()
    bench.submit()
    bench.locks.held["lock"] = greenlet.getcurrent()
    assert not bench.others.help_out()
    bench.locks.held.clear()
    assert bench.others.help_out()


def test_it_begins_from_the_base_and_puts_back_what_was_changed_before_others_know() -> None:
    bench = Bench()
    bench.state.changes = {"umask": "of main"}

    def work() -> Any:
        before = dict(bench.state.changes)
        bench.state.changes = {"directory": "of the thread"}
        return before

    future = bench.submit(work)
    bench.others.wait(future, None)
    assert future.result() == {}
    assert bench.state.changes == {"umask": "of main"}


def test_one_inside_of_another_gives_back_to_the_outer_one() -> None:
    bench = Bench()
    bench.state.changes = {"umask": "of main"}
    inner = bench.submit(lambda: dict(bench.state.changes))

    def work() -> Any:
        bench.state.changes = {"umask": "of the outer"}
        bench.others.wait(inner, None)
        return dict(bench.state.changes)

    outer = bench.submit(work)
    bench.others.wait(outer, None)
    assert (inner.result(), outer.result()) == ({}, {"umask": "of the outer"})
    assert bench.state.changes == {"umask": "of main"}


def test_a_future_that_waits_gives_its_turn_away_and_takes_its_changes_along() -> None:
    bench = Bench()
    bench.state.changes = {"umask": "of main"}
    seen: list[Any] = []

    def work() -> Any:
        bench.state.changes = {"umask": "of the thread"}
        done: list[bool] = []

        def sleep(seconds: float) -> None:
            seen.append((dict(bench.state.changes), set(bench.turns.wanted)))
            done.append(True)

        bench.others.help_until(lambda: bool(done), sleep, None)
        return dict(bench.state.changes)

    future = bench.submit(work)
    bench.others.wait(future, None)
    assert seen == [({"umask": "of main"}, set())]
    assert future.result() == {"umask": "of the thread"}
    assert bench.state.changes == {"umask": "of main"}


def test_one_thread_at_a_time_runs_a_future() -> None:
    bench = Bench()
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    first, second = bench.submit(work), bench.submit()
    thread = in_thread(lambda: bench.others.wait(first, None))
    assert begun.wait(SECONDS)
    assert not bench.others.help_out()
    go_on.set()
    thread.join(SECONDS)
    assert bench.others.help_out()
    assert bench.ran == [first, second]


def test_who_waits_is_known_and_a_time_out_ends_the_wait() -> None:
    bench = Bench()
    future: Future = Future(bench.home)
    began = time.monotonic()
    bench.others.wait(future, 0.05)
    assert time.monotonic() - began >= 0.05
    thread = in_thread(lambda: bench.others.wait(future, None))
    until = time.monotonic() + SECONDS
    while not bench.locks.threads and time.monotonic() < until:
        time.sleep(0.001)
    assert list(bench.locks.threads.values()) == [future]
    with bench.home.lock:
        settle(future, 1)
    thread.join(SECONDS)
    assert not bench.locks.threads


def test_the_main_thread_is_relieved_as_long_as_it_stands_still() -> None:
    bench = Bench()
    bench.submit()
    bench.others.relieve()
    assert len(bench.waiting) == 1
    bench.submit(lambda: bench.still(0.0))  # the main thread gets on
    bench.still(STILL_SECONDS + 1)
    bench.others.relieve_main_thread()
    until = time.monotonic() + SECONDS
    while (bench.others.is_relieving or len(bench.waiting) == 2) and time.monotonic() < until:
        time.sleep(0.001)
    assert len(bench.waiting) == 1
