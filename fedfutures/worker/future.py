"""The Future: a ``concurrent.futures.Future`` that is small, and whose waiting drives the node it belongs to.

The standard class makes a Condition (with a lock and a deque: 1.2 KB) for each Future. Here all Futures of a node
share the node's lock, the Condition is made when a thread really has to sleep, and the lists when something is put
into them. Everything that the standard library's ``wait``, ``as_completed`` and ``asyncio.wrap_future`` touch is there.

Source: PEP 3148; CPython's ``concurrent/futures/_base.py`` for the names that those functions rely on.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Container
from concurrent.futures import CancelledError
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from ..federation.terms import FREE, Conditions
from ..program import safe_points
from ..program.postponing import deliver, is_by_signal, pending
from ..wire.facts import NOBODY, Fact, Facts
from ..wire.functions import name_of
from ..wire.printed import Printed
from . import current, journal, unasked
from .known import KnownRun
from .waiters import NodeWaiters

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)  # so a bare ``Future`` in our own code is one of any value
else:
    T = Any

logger = logging.getLogger("fedfutures")
_DONE = frozenset({CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED})
_orphan_lock = threading.RLock()


class Home(Protocol):
    """What a Future needs of the node that it belongs to."""

    lock: Any
    name: str

    def wait(self, future: Future, timeout: float | None) -> None: ...
    def cancel(self, future: Future) -> bool: ...
    def end(self, future: Future) -> bool: ...
    def adapt(self, waiter: Any, future: Future) -> None: ...
    def wake_greenlets(self, greenlets: list[Any]) -> None: ...


class Future(KnownRun, concurrent.futures.Future[T]):
    """The result of a call that runs, ran or will run somewhere in the Federation (PEP 3148).

    Made by :func:`fedfutures.futures.submit` and ``Executor.submit``, never by hand.

    >>> from fedfutures import Executor
    >>> with Executor(mode="serial") as executor:
    ...     executor.submit(pow, 2, 10).result()
    1024
    """

    __slots__ = (
        "_call", "_cond", "_exception", "_facts", "_home", "_name", "_number", "_result", "_state",
        "_users", "_waiting",
    )  # fmt: skip

    _facts: Facts  # who has run it; not there as long as it is not done, and if its node has
    _priority = 0  # of the class: few Futures have another, and only those pay for it
    alone = False  # whether it has a Worker to itself, so it never runs in the one that submits it
    conditions = FREE  # what options() say of it
    printed: Printed | None = None  # by its call, if that is kept and known
    tries: Any = None  # of one that is tried again if it raises: its Tries
    awaits: Any = None  # of one that stands for others, any of which will do: these
    on_cut: Callable[[Future, int], object] | None = None  # of a slice of a map: told how many items it keeps

    def __init__(self, home: Home | None = None, number: int = 0, call: Any = None, name: str = "") -> None:
        self._home = home
        self._number = number
        self._call = call  # what a node needs to run it or send it; None once it has started or has been resolved
        self._name = name  # of the function, where the node knows it
        self._state = PENDING
        self._exception: BaseException | None = None
        self._result: Any = None
        self._cond: threading.Condition | None = None
        self._users: list[Any] | None = None  # done callbacks
        self._waiting: list[Any] | None = None  # the standard library's waiters, and greenlets

    def __repr__(self) -> str:
        """Return what the Future is: ``<Future price(...) pending>``."""
        name, call = self._name, self._call
        if not name and call is not None and len(call) == 4:  # of a Worker, which gives no names
            name = name_of(call[0])
        return f"<Future {name and name + '(…) '}{self._shown_state()}>"

    def _shown_state(self) -> str:
        if self._state != FINISHED:
            return "cancelled" if self._state in _DONE else self._state.lower()
        if self._exception is not None:
            return f"raised {type(self._exception).__name__}"
        return f"returned {type(self._result).__name__}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle a Future: pass future.result(), or submit inside a Future")

    def _fact(self) -> Fact | None:
        facts: Facts | None = getattr(self, "_facts", None)
        found: Fact | None = None
        if facts is not None:
            found = facts.of(self._number)
        elif self._state == FINISHED:
            found = getattr(self._home, "ran_here", None)
        if found is not None and self.tries is not None:
            found = found._replace(attempts=found.attempts + self.tries.count - 1)
        return found

    # -- what the standard library's functions touch -----------------------------------------------------------------

    @property
    def _lock(self) -> Any:
        return _orphan_lock if self._home is None else self._home.lock

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        if self._exception is not None:  # the standard library's functions look at a Future that has failed
            unasked.seen(self, self._home)
        with self._lock:
            if self._cond is None:
                self._cond = threading.Condition(self._lock)
        return self._cond

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        if self._home is not None and type(self._waiting) is not NodeWaiters:
            self._waiting, greenlets = NodeWaiters(self._home.adapt, self), self._waiting
            self._waiting.extend(greenlets or ())
        elif self._waiting is None:
            self._waiting = []
        return self._waiting

    @property
    def _done_callbacks(self) -> list[Any]:
        if self._users is None:
            self._users = []
        return self._users

    # -- PEP 3148 ----------------------------------------------------------------------------------------------------

    def done(self) -> bool:
        """Return whether the Future was cancelled or has finished."""
        return self._state in _DONE

    def running(self) -> bool:
        """Return whether the Future is known to be running (a Worker reports it after 100 ms)."""
        return self._state == RUNNING

    def cancelled(self) -> bool:
        """Return whether the Future was cancelled."""
        return self._state in (CANCELLED, CANCELLED_AND_NOTIFIED)

    def cancel(self, *, running: bool = False) -> bool:
        """Try to cancel; return False when the Future is running or done already.

        A Future that was sent but has not started is fetched back, which takes one round trip.
        running: True also ends one that runs, with its Worker; False comes back for one that was done before, that runs
        in the Worker that asks, or of whose end nothing is heard within five seconds. See :doc:`limits`.
        """
        if self._home is None:
            return super().cancel()
        return self._home.end(self) if running else self._home.cancel(self)

    def result(self, timeout: float | None = None) -> T:
        """Return the value; raise the exception that the call raised, ``CancelledError`` or ``TimeoutError``."""
        try:
            if self._state != FINISHED:
                if self._home is not None and self._state not in _DONE:
                    self._home.wait(self, timeout)  # here, for each call on the way to a nested Future counts
                if self._state != FINISHED:
                    self._await(timeout)
            if pending.due:
                deliver()
            if self._exception is not None:
                unasked.seen(self, self._home)
                __tracebackhide__ = True  # IPython and pytest do not show this frame
                raise self._exception
            return self._result  # type: ignore[no-any-return]
        finally:
            self = None  # type: ignore[assignment]  # break the cycle with the exception's traceback

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception that the call raised, or None; raise ``CancelledError`` or ``TimeoutError``."""
        if self._home is not None and self._state not in _DONE:
            self._home.wait(self, timeout)
        if self._state != FINISHED:
            self._await(timeout)
        if pending.due:
            deliver()
        if self._exception is not None:
            unasked.seen(self, self._home)
        return self._exception

    def _await(self, timeout: float | None) -> None:
        if self._home is None:
            sleep_until_done(self, timeout)
        if self._state in (CANCELLED, CANCELLED_AND_NOTIFIED):
            raise CancelledError
        if self._state != FINISHED:
            raise concurrent.futures.TimeoutError

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call ``fn(future)`` once the Future is done: at once if it is. Errors in it are logged."""
        with self._lock:
            if self._state not in _DONE:
                self._done_callbacks.append(fn)
                return
        if self._exception is not None and unasked.sees(fn):
            unasked.seen(self, self._home)
        self._call_back(fn)

    def _invoke_callbacks(self) -> None:
        users, self._users = self._users, None
        interrupt: BaseException | None = None
        for fn in users or ():
            try:
                self._call_back(fn)
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def _call_back(self, fn: Callable[[Any], object]) -> None:
        try:
            safe_points.call(fn, self)
        except BaseException as error:  # also sys.exit: a callback must not end whoever happens to resolve its Future
            if (isinstance(error, KeyboardInterrupt) or is_by_signal(error)) and _is_for_the_program():
                raise
            logger.exception("exception calling callback for %r", self)

    def _notify(self, how: str) -> None:
        if self._cond is not None:
            self._cond.notify_all()
        if self._waiting is not None:
            greenlets = []
            for waiter in self._waiting:
                if hasattr(waiter, how):
                    getattr(waiter, how)(self)
                else:
                    greenlets.append(waiter)
            if greenlets and self._home is not None:
                self._home.wake_greenlets(greenlets)


def _is_for_the_program() -> bool:
    """Whether Ctrl-C that comes here is meant for the program: in its main thread."""
    return current.is_origin and threading.current_thread() is threading.main_thread()


invoke_callbacks = Future._invoke_callbacks


def put_value(future: Future, value: Any) -> None:
    """Replace the outcome of a Future that has finished."""
    future._exception, future._result = None, value


def wait_for_any(signal: Future, others: Any) -> Future:
    """Make a Future stand for others, any of which will do."""
    signal.awaits = others
    return signal


def attend_cuts(future: Future, on_cut: Callable[[Future, int], object]) -> None:
    """Have a callback told, when the slice of a map is cut, how many items it keeps."""
    future.on_cut = on_cut


def sleep_until_done(future: Future, timeout: float | None) -> None:
    """Have this thread sleep until a Future is done, or the time, in seconds, is over."""
    with future._condition:
        future._condition.wait_for(future.done, timeout)


def _told(future: Future, *more: object) -> list[tuple[object, ...]]:
    """Return the fields of the journal's line about a Future: of one that is open, and that a node has submitted."""
    is_open = future._home is not None and future._number and future._state not in _DONE
    return [(future._home.name, future._number, *more)] if is_open else []  # type: ignore[union-attr]


# -- what the node of a Future does with it; its lock is held, by `claim` itself -------------------------------------


def put_call(future: Future, call: Any) -> None:
    """Replace what a node needs to run or send a Future."""
    future._call = call


def put_priority(future: Future, priority: int) -> None:
    """Give a new Future another priority than 0."""
    future._priority = priority


def put_conditions(future: Future, conditions: Conditions) -> None:
    """Give a Future that waits conditions; with some of them it will not run in the Worker that submits it."""
    future.conditions, future.alone = conditions, conditions.is_alone or bool(conditions.avoid)


@journal.after("run", lambda call, future, given: () if call is None else _told(future))
def claim(future: Future, given: Container[int]) -> Any:
    """Make a Future this thread's to run; return its call, or None when it was cancelled, `given`, or started.

    None, too, for one that has a Worker to itself.
    """
    lock = future._home.lock  # type: ignore[union-attr]
    lock.acquire()  # a third of what a with statement takes, on the way of each nested Future
    try:
        if (call := future._call) is None or future._number in given or future._state != PENDING or future.alone:
            return None
        future._state, future._call = RUNNING, None
        return call
    finally:
        lock.release()


@journal.before("state", lambda future: _told(future, RUNNING))
def mark_running(future: Future) -> None:
    """A Future runs, here or elsewhere."""
    future._state = RUNNING


@journal.before("state", lambda future: _told(future, PENDING))
def mark_pending(future: Future) -> int:
    """A Future has come back: it waits again. Return its priority."""
    future._state = PENDING
    return future._priority


def add_greenlet(future: Future, waiter: Any) -> bool:
    """Have a greenlet woken when a Future is done; False if it is."""
    if future._state in _DONE:
        return False
    if future._waiting is None:
        future._waiting = []
    list.append(future._waiting, waiter)
    return True


def add_bell(future: Future, bell: Any) -> None:
    """Have a waiter told when a Future is done, in the way of the standard library's."""
    future._waiters.append(bell)


def remove_bell(future: Future, bell: Any) -> None:
    """Do not tell a waiter any more."""
    with contextlib.suppress(ValueError):
        future._waiters.remove(bell)


@journal.before("resolve", lambda future, value=None, error=None, *_: _told(future, "error" if error else "value"))
def settle(
    future: Future, value: Any = None, error: BaseException | None = None, facts: Facts | None = None
) -> bool:  # fmt: skip
    """Give a Future its outcome; return whether there are callbacks to invoke once the lock is released.

    facts: who has run it; None: its node.
    """
    if future._state in _DONE:
        return False
    if facts is not None:
        future._facts = facts
    if error is not None:
        _keep_unseen(future, error)
    future._result, future._exception, future._call = value, error, None
    future._state = FINISHED
    if future._waiting is not None or future._cond is not None:
        future._notify("add_result" if error is None else "add_exception")
    return future._users is not None


def put_tries(future: Future, tries: Any) -> None:
    """Have a new Future tried again if it raises."""
    future.tries = tries


@journal.before("resolve", lambda future, number: _told(future, "error"))
def begin_again(future: Future, number: int) -> None:
    """A Future has raised and waits again: its next try has this number, and will be given a call."""
    future._number, future._call, future._state = number, None, PENDING


def put_printed(future: Future, printed: Printed) -> None:
    """A Future is about to resolve: keep what its call has printed."""
    future.printed = printed


@journal.before("resolve", lambda future: _told(future, "cancelled"))
def settle_cancelled(future: Future) -> bool:
    """Cancel a Future; return whether there are callbacks to invoke once the lock is released."""
    if future._state in _DONE:
        return False
    future._call = None
    future._state = CANCELLED_AND_NOTIFIED
    future._notify("add_cancelled")
    return future._users is not None


def resolved(
    home: Any, value: Any, error: BaseException | None, name: str = "", number: int = 0, facts: Facts = NOBODY
) -> Future:  # fmt: skip
    """Return a Future that is done."""
    future = Future(home, number, None, name)
    settle(future, value, error, facts)
    return future


def _keep_unseen(future: Future, error: BaseException) -> None:
    """Keep the error of a Future in mind until it is seen, unless a callback or a waiter will see it."""
    waiting, users = future._waiting or (), future._users or ()
    if any(getattr(waiter, "sees", True) for waiter in waiting) or any(map(unasked.sees, users)):
        return
    with contextlib.suppress(TypeError):  # a home that cannot be referred to weakly is no node
        unasked.keep(future, future._home, unasked.name_of_call(future._call, error), error)
