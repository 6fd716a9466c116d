"""What user code in a Worker asks for: Futures of its own, and to wait for them.

Waiting for an own Future that nobody has started is a plain call: the waiting Future runs it right there, down to
:data:`INLINE_DEPTH` calls, then on another runner. A foreign thread that waits does the same in its own thread, so it
never waits for a loop that waits for it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any

from ..federation.terms import FREE
from .call_terms import CallTerms
from .calls import CALLERS, Calls
from .context import Context
from .driver import DRIVEN, PUMP_DUE, Driver
from .future import Future, add_greenlet, claim, put_call, put_conditions, put_priority, put_tries
from .future_fields import call_of
from .local_calls import LocalCalls
from .locks import Locks
from .plain import ATOMS
from .pressure import LocalPressure
from .process_state import alarm_at, is_shallow
from .retries import Retries, Tries
from .runners import Pump, Runners
from .slices import LocalSubmitter
from .submissions import Submissions
from .surroundings import Surroundings
from .threads import OtherThreads
from .waiters import GreenEvent, HelpfulEvent, Waiter

INLINE_DEPTH = 12
IN_PLACE_SECONDS = 1.0
_exception: Callable[[], BaseException | None] = getattr(sys, "exception", None) or (lambda: sys.exc_info()[1])


class Nesting:
    """Submits and waits on behalf of the Futures that run in a Worker."""

    __slots__ = (
        "_append", "_calls", "_driver", "_given", "_local_calls", "_lock", "_locks", "_numbers", "_others", "_plain",
        "_pump", "_runners", "_state", "_submissions", "_surroundings", "_thread", "_times", "is_main_thread", "name",
        "pressure", "wake_greenlets",
    )  # fmt: skip

    def __init__(
        self, driver: Driver, submissions: Submissions, local_calls: LocalCalls, surroundings: Surroundings,
        calls: Calls, runners: Runners, locks: Locks, others: OtherThreads, pump: Pump,
    ) -> None:  # fmt: skip
        self._driver, self._lock, self._times, self.name = driver, driver.lock, driver.times, driver.name
        self._submissions, self._numbers, self._given = submissions, submissions.numbers, submissions.futures
        self._append, self.pressure = submissions.own.common.append, LocalPressure(submissions.own)
        self._local_calls, self._calls, self._pump = local_calls, calls, pump
        self._surroundings, self._state = surroundings, surroundings.state
        self._runners, self._locks, self._others = runners, locks, others
        self._thread, self.is_main_thread, self.wake_greenlets = runners.thread, runners.is_main_thread, runners.wake
        self._plain: Any = None  # the function that was submitted last and that has captured nothing

    def submit(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        terms: CallTerms | None = None,
    ) -> Future[Any]:  # fmt: skip
        """Submit one call; it stays here until somebody asks for it.

        It has the root of the Future that runs, sees what that sees of the program, and has its priority unless another
        is given.
        """
        if function is not self._plain:
            taken = self._local_calls.function(function)
            if taken is function:
                self._plain = function  # it needs no copy the next time either
            function = taken
        for arg in args:
            if type(arg) not in ATOMS:
                args, kwargs = self._local_calls.arguments(function, args, kwargs)
                break
        else:
            if kwargs:
                args, kwargs = self._local_calls.arguments(function, args, kwargs)
        is_main = get_ident() == self._thread
        surroundings = self._surroundings
        context = surroundings.context if is_main else self._others.context or surroundings.context
        if context is None:
            context = surroundings.make_context(keep=is_main)
        if terms is not None and terms.priority is not None:
            context = context._replace(priority=terms.priority)
        future: Future[Any] = Future(self._submissions, next(self._numbers), (function, args, kwargs, context))
        if (terms is not None or context.flags) and self._put_terms(future, terms, context):
            return future
        if context.priority:
            self._driver.machine.workload.expect_priorities()
            put_priority(future, context.priority)
            self._submissions.own.put(future, context.priority)
        else:
            self._append(future)
        if not is_main:
            self._driver.wake()
            return future
        times = self._times
        times[DRIVEN] = now = monotonic()
        if now >= times[PUMP_DUE]:
            self._pump()
            if self.pressure.is_high():
                self._run_some()
        return future

    def _put_terms(self, future: Future[Any], terms: CallTerms | None, context: Context) -> bool:
        """Give a new Future what is special about it; return whether it was given to another Worker for that."""
        if terms is not None and terms.retries is not None:
            self._repeat(future, terms.retries)
        conditions = FREE if terms is None else terms.conditions
        if context.flags:
            conditions = conditions.plus(context.flags)
        if conditions is not FREE:
            put_conditions(future, conditions)
        if not future.alone:
            return False
        put_priority(future, context.priority)
        self._driver.machine.workload.expect_alone()
        self._submissions.give_alone(future, context.priority)
        return True

    def _repeat(self, future: Future[Any], retries: Retries) -> None:
        """Have a Future tried again if it raises: with its call as it is now, whatever a try changes in that."""
        function, args, kwargs, context = call_of(future)
        local = self._local_calls

        def made_anew() -> Any:
            return (local.function(function), *local.arguments(function, args, kwargs), context)

        put_tries(future, Tries(retries, monotonic(), made_anew, context))
        put_call(future, made_anew())

    def _run_some(self) -> None:
        """Run own Futures, the newest first, until they hold less; not while a lock is held that these may want."""
        pressure = self.pressure
        while not self._locks.held and pressure.is_high() and pressure.may_run(self._driver):
            future = pressure.newest()
            if future is None:
                return
            self.wait(future, None)

    def submitter(self, function: Callable[..., Any], terms: CallTerms | None = None) -> LocalSubmitter:
        """Return what submits many calls of one function."""
        function = self._local_calls.of_map(function)
        return LocalSubmitter(lambda args: self.submit(function, args, {}, terms))

    # -- waiting -----------------------------------------------------------------------------------------------------

    def waits_in_place(self) -> bool:
        """Whether the main thread has been waiting for a second in a way that is not ours: for a thread or a loop."""
        frame = sys._current_frames().get(self._thread)
        is_waiting = frame is not None and os.path.basename(frame.f_code.co_filename) in (
            "threading.py",
            "selectors.py",
        )
        return is_waiting and monotonic() - self._times[DRIVEN] > IN_PLACE_SECONDS

    def wait(self, future: Future[Any], timeout: float | None) -> None:
        """Wait for a Future from user code, by running it, or by letting others run meanwhile."""
        if get_ident() != self._thread:
            self._others.wait(future, timeout)
            return
        if (
            timeout is None
            and self._surroundings.depth < INLINE_DEPTH
            # What runs inside of the Future that waits is to find nothing of that: no state, lock, error, or depth.
            and self._state.calm
            and not self._locks.held
            and _exception() is None
            and (sys._getframe(3).f_code in CALLERS or is_shallow())  # mostly the first is so, and quicker to tell
            and (call := claim(future, self._given)) is not None
        ):
            self._surroundings.run_inside(call[3], self._calls.run_call, future, call)
            if future.tries is None:
                return
        deadline = None if timeout is None else time.monotonic() + timeout
        while not future.done() and (deadline is None or time.monotonic() < deadline):
            waiter = Waiter()
            with self._lock:
                if not add_greenlet(future, waiter):
                    return
            self.switch_out(  # returns early when a timer of the Future's is due
                waiter, deadline, future if timeout is None else None
            )

    def switch_out(self, waiter: Waiter, deadline: float | None, what: Any = None) -> None:
        """Let other greenlets run until this one is woken or its time is over; `what` is what it waits for."""
        runners, surroundings, locks = self._runners, self._surroundings, self._locks
        runners.check(waiter)
        if deadline is not None:
            runners.wake_at(deadline, waiter)
        suspended = surroundings.suspend()
        if suspended.values is not None and (due := alarm_at(suspended.values)) is not None:
            runners.wake_at(due, waiter)
        is_locked_in = locks.suspend(waiter.greenlet, what, alone=suspended.context.once)
        runners.switch_out(waiter)
        locks.resume(waiter.greenlet, is_locked_in)
        surroundings.resume(suspended)

    def adapt(self, waiter: Any, future: Future[Any]) -> None:
        """Let the standard library's ``wait`` and ``as_completed`` switch greenlets instead of blocking the thread."""
        if not isinstance(getattr(waiter, "event", None), (GreenEvent, HelpfulEvent, type(None))):
            waiter.event = GreenEvent(self) if self.is_main_thread() else HelpfulEvent(self._others.help_until)
        if isinstance(getattr(waiter, "event", None), GreenEvent):
            waiter.event.futures.append(future)
