"""The Future: a ``concurrent.futures.Future`` that is small, and whose waiting drives the node it belongs to.

The standard class makes a Condition (with a lock and a deque: 1.2 KB) for each Future. Here all Futures of a node
share the node's lock, the Condition is made when a thread really has to sleep, and the lists when something is put
into them. Everything that the standard library's ``wait``, ``as_completed`` and ``asyncio.wrap_future`` touch is there.

Source: PEP 3148; CPython's ``concurrent/futures/_base.py`` for the names that those functions rely on.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from ..program import safe_points
from ..program.postponing import deliver, is_by_signal, pending
from ..wire.functions import name_of
from . import current, unasked

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

    def wait(self, future: Future, timeout: float | None) -> None: ...
    def cancel(self, future: Future) -> bool: ...
    def adapt(self, waiter: Any, future: Future) -> None: ...
    def wake_greenlets(self, greenlets: list[Any]) -> None: ...


class _Waiters(list[Any]):
    """The standard library's waiters for one Future; each is made to wait the way its node waits."""

    def __init__(self, home: Home, future: Future) -> None:
        self._home, self._future = home, weakref.ref(future)

    def append(self, waiter: Any) -> None:
        future = self._future()
        if future is not None:
            self._home.adapt(waiter, future)
        super().append(waiter)


class Future(concurrent.futures.Future[T]):
    """The result of a call that runs, ran or will run somewhere in the Federation (PEP 3148).

    Made by :func:`fedfutures.futures.submit` and ``Executor.submit``, never by hand.

    >>> from fedfutures import Executor
    >>> with Executor(mode="serial") as executor:
    ...     executor.submit(pow, 2, 10).result()
    1024
    """

    __slots__ = (
        "_call", "_cond", "_exception", "_home", "_name", "_number", "_result", "_state", "_users", "_waiting",
    )  # fmt: skip

    _priority = 0  # of the class: few Futures have another, and only those pay for it
    _name: str  # of the function, where the node knows it
    awaits: Any = None  # of one that stands for others, any of which will do: these
    on_cut: Callable[[Future, int], object] | None = None  # of a slice of a map: told how many items it keeps

    def __init__(self, home: Home | None = None, number: int = 0, call: Any = None) -> None:
        self._home = home
        self._number = number
        self._call = call  # what a node needs to run it or send it; None once it has started or has been resolved
        self._state = PENDING
        self._exception: BaseException | None = None
        self._result: Any = None
        self._cond: threading.Condition | None = None
        self._users: list[Any] | None = None  # done callbacks
        self._waiting: list[Any] | None = None  # the standard library's waiters, and greenlets

    def __repr__(self) -> str:
        """Return what the Future is: ``<Future price(...) pending>``."""
        return f"<Future {self._shown_call()}{self._shown_state()}>"

    def _shown_call(self) -> str:
        name = getattr(self, "_name", "")
        call = self._call
        if not name and call is not None and len(call) == 4:  # of a Worker, which gives no names
            name = name_of(call[0])
        return f"{name}(\N{HORIZONTAL ELLIPSIS}) " if name else ""

    def _shown_state(self) -> str:
        if self._state != FINISHED:
            return "cancelled" if self._state in _DONE else self._state.lower()
        if self._exception is not None:
            return f"raised {type(self._exception).__name__}"
        return f"returned {type(self._result).__name__}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle a Future: pass future.result(), or submit inside a Future")

    # -- what the standard library's functions touch -----------------------------------------------------------------

    @property
    def _lock(self) -> Any:
        return _orphan_lock if self._home is None else self._home.lock

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        if self._exception is not None:  # the standard library's functions look at a Future that has failed
            unasked.seen(self, self._home)
        if self._cond is None:
            with self._lock:
                if self._cond is None:
                    self._cond = threading.Condition(self._lock)
        return self._cond

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        if self._waiting is None:
            self._waiting = [] if self._home is None else _Waiters(self._home, self)
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

    def cancel(self) -> bool:
        """Try to cancel; return False when the Future is running or done already.

        A Future that was sent but has not started is fetched back, which takes one round trip.
        """
        if self._home is None:
            return super().cancel()
        return self._home.cancel(self)

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
            with self._condition:
                self._condition.wait_for(self.done, timeout)
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

    def _add_greenlet(self, waiter: Any) -> bool:
        """Have a greenlet woken when the Future is done; False if it is. The node's lock is held."""
        if self._state in _DONE:
            return False
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(waiter)
        return True

    # -- resolving (the node's lock is held) -------------------------------------------------------------------------

    def _settle(self, value: Any, error: BaseException | None) -> bool:
        """Take the outcome; return whether there are callbacks to invoke once the lock is released."""
        if self._state in _DONE:
            return False
        if error is not None:
            unasked.keep_future(self, error)
        self._result, self._exception, self._call = value, error, None
        self._state = FINISHED
        if self._waiting is not None or self._cond is not None:
            self._notify("add_result" if error is None else "add_exception")
        return self._users is not None

    def _settle_cancelled(self) -> bool:
        """Become cancelled; return whether there are callbacks to invoke once the lock is released."""
        if self._state in _DONE:
            return False
        self._call = None
        self._state = CANCELLED_AND_NOTIFIED
        self._notify("add_cancelled")
        return self._users is not None

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


class SliceCut(NamedTuple):
    """What is due among the callbacks of a node: a slice was cut, and keeps so many items."""

    future: Future
    kept: int

    def _invoke_callbacks(self) -> None:
        if self.future.on_cut is not None:
            self.future.on_cut(self.future, self.kept)


def _is_for_the_program() -> bool:
    """Whether Ctrl-C that comes here is meant for the program: in its main thread."""
    return current.is_origin and threading.current_thread() is threading.main_thread()


# -- for the modules above: a Future shows users none of this --------------------------------------------------------


def home_of(future: Any) -> Any:
    """Return the node of a Future; None for one that ran in the process itself, and of other executors."""
    return getattr(future, "_home", None)


def number_of(future: Future) -> int:
    """Return the number that a Future has at its node."""
    return future._number


def priority_of(future: Future) -> int:
    """Return the priority that a Future was submitted with, or has from the Future that submitted it."""
    return future._priority


def call_of(future: Any) -> Any:
    """Return what a node needs to run or send a Future that waits; None once it has started, and of other executors."""
    return getattr(future, "_call", None)


def failure_of(future: concurrent.futures.Future[Any]) -> BaseException | None:
    """Return the exception of a Future that has failed; asking does not count as having seen it."""
    return future._exception


def value_of(future: concurrent.futures.Future[Any]) -> Any:
    """Return the value of a Future that has finished; None for others."""
    return future._result


def is_finished(future: Future) -> bool:
    """Whether a Future has a value or an exception: it was not cancelled."""
    return future._state == FINISHED


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


def settle(future: Future, value: Any = None, error: BaseException | None = None) -> None:
    """Resolve a Future that no callback waits for. The lock of its node is held."""
    future._settle(value, error)


def resolved(home: Any, value: Any, error: BaseException | None, name: str = "", number: int = 0) -> Future:
    """Return a Future that is done. The lock of its node is held."""
    future = Future(home, number)
    future._name = name
    future._settle(value, error)
    return future
