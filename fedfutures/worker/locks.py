"""The locks of a Worker know who holds them, so that no Future waits for one that cannot be released (decision 0032).

The Futures of a Worker that wait are suspended in one thread, which a plain lock would block. So ``threading.Lock()``
and ``RLock()`` make locks of this module, and semaphores and the locks of ``multiprocessing`` behave like them:

- A Future that finds a lock taken, in a Worker where others are suspended, is suspended as well until it is released.
- A Worker in which a suspended Future holds a lock, or waits for one, starts no Futures of others.
- A Future that wants the lock of one that waits for it gets :class:`~.errors.Deadlock`; an RLock lets it in. Who waits
  for whom is read off the stacks of the suspended Futures (:mod:`.stacks`).
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import greenlet

from ..errors import Deadlock
from ..program import fresh
from .future import Future
from .interrupts import is_of_futures
from .stacks import name_of_innermost, run_by
from .waiters import Suspends, Waiter

is_of_futures(__name__)

LOOK_SECONDS = 0.25
"""So often a Future that waits for a lock looks whether its holder waits for it."""
CIRCLE, REACHED = 1, 2
FOR_THREADS_SECONDS = 0.1
"""A lock that a thread holds, not a suspended Future, is waited for in place for so long."""


class KnownLock:
    """What both kinds have in common."""

    __slots__ = ("__weakref__", "_lock")
    locks: Locks  # of the Worker

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        raise NotImplementedError

    def release(self) -> None:
        raise NotImplementedError

    def locked(self) -> bool:
        """Return whether it is taken."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self.locks.held.pop(self, None)
        self._lock = _thread.allocate_lock()


class Lock(KnownLock):
    """A ``threading.Lock`` that knows who holds it."""

    __slots__ = ()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as ``threading.Lock`` says."""
        if self._lock.acquire(False):
            self.locks.held[self] = greenlet.getcurrent()
            return True
        return self.locks.wait_for(self, self._lock.acquire, blocking, timeout)

    def release(self) -> None:
        """Release the lock; any thread may."""
        self.locks.held.pop(self, None)
        self._lock.release()
        self.locks.released(self)

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} Lock at {id(self):#x}>"

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")


class RLock(KnownLock):
    """A ``threading.RLock`` that belongs to a Future, not to the thread in which many Futures run."""

    __slots__ = ("_count", "_outer", "_owner")

    def __init__(self) -> None:
        super().__init__()
        self._owner: Any = None
        self._count = 0
        self._outer: list[tuple[Any, int]] = []  # who had it when one that they wait for was let in

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock once more, as ``threading.RLock`` says."""
        if self._owner is greenlet.getcurrent():
            self._count += 1
            return True
        return self._take(False) or self.locks.wait_for(self, self._take, blocking, timeout)

    def _take(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self._lock.acquire(blocking, timeout):
            return False
        self._become(greenlet.getcurrent())
        return True

    def _become(self, owner: Any, count: int = 1) -> None:
        self._owner, self._count = owner, count
        self.locks.held[self] = owner

    def let_in(self) -> None:
        """Let a Future in for which the holder waits."""
        self._outer.append((self._owner, self._count))
        self._become(greenlet.getcurrent())

    def release(self) -> None:
        """Release the lock once; only its owner may."""
        if self._owner is not greenlet.getcurrent():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._leave()

    def _leave(self) -> None:
        if self._outer:
            self._become(*self._outer.pop())
            return
        self._owner = None
        self.locks.held.pop(self, None)
        self._lock.release()
        self.locks.released(self)

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} RLock count={self._count} at {id(self):#x}>"

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.RLock' object")

    # What threading.Condition asks for.

    def _is_owned(self) -> bool:
        return self._owner is greenlet.getcurrent()

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> int:
        count, self._count = self._count, 0
        self._leave()
        return count

    def _acquire_restore(self, count: int) -> None:
        self.acquire()
        self._count = count

    def _at_fork_reinit(self) -> None:
        super()._at_fork_reinit()
        self._owner, self._count, self._outer = None, 0, []


class Locks:
    """The locks of a Worker that are held, and the Futures that are suspended, be it for a lock or for a Future.

    `locked_in` counts suspended Futures that hold a lock or wait for one: while there are any, nothing of others is
    started.
    """

    def __init__(self) -> None:
        self.held: dict[Any, Any] = {}  # lock -> the greenlet that has taken it; of a semaphore, a list of them
        self.locked_in = 0
        self.waits: dict[Any, Any] = {}  # who is suspended -> the Future, Futures or lock waited for, if it is known
        self.threads: dict[Any, Future] = {}  # threads that wait -> the Future that they wait for
        self._suspends: Any = None
        self._wanted: dict[Any, list[Waiter]] = {}
        self._is_fork = False

    def suspend(self, who: Any, what: Any, *, alone: bool = False) -> bool:
        """A Future is suspended: `who` waits for `what`, `alone` in its Worker. Returns what :meth:`resume` is told."""
        self.waits[who] = what
        if self._wanted and isinstance(what, Future):  # what it waits for may be somebody who waits for its lock
            self._suspends.wake_greenlets([waiter for waiters in self._wanted.values() for waiter in waiters])
        is_known = bool(self.held) and ((type(what) is not list and what in self.held) or self.holds(who))
        is_locked_in = alone or is_known
        self.locked_in += is_locked_in
        return is_locked_in

    def resume(self, who: Any, was_locked_in: bool) -> None:
        """It goes on."""
        self.locked_in -= was_locked_in
        del self.waits[who]

    def holds(self, who: Any) -> bool:
        """Whether a greenlet holds a lock."""
        return any(who in self._holders(lock) for lock in list(self.held))

    def _holders(self, lock: Any) -> list[Any]:
        """Return who holds a lock: nobody, one, or several of a semaphore."""
        holder = self.held.get(lock)
        return [] if holder is None else holder if type(holder) is list else [holder]

    def attend(self, suspends: Suspends) -> None:
        """Learn who suspends Futures."""
        self._suspends = suspends

    def install(self) -> None:
        """From now on ``threading`` makes locks that know their holder."""
        KnownLock.locks = self
        fresh.stands_for(Lock, type(_thread.allocate_lock()))
        fresh.stands_for(RLock, type(_thread.RLock()))
        threading.Lock, threading.RLock = Lock, RLock  # type: ignore[assignment]
        self._watch_semaphores()
        os.register_at_fork(after_in_child=self._forked)
        if "multiprocessing.synchronize" in sys.modules:
            self.imported("multiprocessing.synchronize")

    def begin(self) -> None:
        """This process was forked from a template, and is a Worker."""
        self._is_fork = False

    def _forked(self) -> None:
        """In a process that a Future has forked nobody is suspended: it has no Worker."""
        self._is_fork = True
        self.waits.clear()
        self.locked_in = 0

    def _watch_semaphores(self) -> None:
        kind: Any = threading.Semaphore
        take = kind.acquire

        def acquire(semaphore: Any, blocking: bool = True, timeout: float | None = None) -> bool:
            """Take one of the semaphore's count, as ``threading.Semaphore`` says."""
            if not blocking and timeout is not None:
                raise ValueError("can't specify timeout for non-blocking acquire")
            if take(semaphore, False):
                self._hold(semaphore)
                return True

            def try_for(blocking: bool, timeout: float = -1) -> bool:
                return bool(take(semaphore, blocking, None if timeout < 0 or not blocking else timeout))

            return self.wait_for(semaphore, try_for, blocking, -1 if timeout is None else timeout)

        kind.acquire = kind.__enter__ = acquire
        for owner in (kind, threading.BoundedSemaphore):
            self._watch_release(owner)

    def _hold(self, semaphore: Any) -> None:
        self.held.setdefault(semaphore, []).append(greenlet.getcurrent())

    def _let_go(self, semaphore: Any, count: int) -> None:
        """Forget `count` holders: the one who releases if it is among them."""
        holders, me = self._holders(semaphore), greenlet.getcurrent()
        for _ in range(min(count, len(holders))):
            holders.remove(me if me in holders else holders[0])
        if not holders:
            self.held.pop(semaphore, None)

    def _watch_release(self, kind: Any) -> None:
        give = kind.release

        def release(semaphore: Any, n: int = 1) -> None:
            """Give back `n` of the semaphore's count."""
            self._let_go(semaphore, n)
            give(semaphore, n)
            self.released(semaphore)

        kind.release = release

    def imported(self, name: str) -> None:
        """A module was imported: it may be the one that makes locks for several processes."""
        if name != "multiprocessing.synchronize":
            return
        kind: Any = sys.modules[name].SemLock
        make_methods = kind._make_methods

        def make_watched_methods(lock: Any) -> None:
            make_methods(lock)
            take, give, reference = lock.acquire, lock.release, weakref.ref(lock)  # its name is freed with the last one

            def try_for(blocking: bool, timeout: float = -1) -> bool:
                # One for reentering would let any Future of this thread in.
                if self.held.get(reference()) in self.waits:
                    return False
                return bool(take(blocking, None if timeout < 0 else timeout))

            def acquire(block: bool = True, timeout: float | None = None) -> bool:
                lock = reference()
                if try_for(False):
                    self.held[lock] = greenlet.getcurrent()
                    return True
                return block and self.wait_for(lock, try_for, block, -1 if timeout is None else max(0.0, timeout))

            def release() -> None:
                lock: Any = reference()
                give()
                if not lock._semlock._is_mine():
                    self.held.pop(lock, None)
                self.released(lock)

            lock.acquire, lock.release = acquire, release

        kind._make_methods = make_watched_methods
        kind.__enter__ = lambda lock: lock.acquire()
        kind.__exit__ = lambda lock, *error: lock.release()

    # -- waiting -----------------------------------------------------------------------------------------------------

    def wait_for(self, lock: Any, take: Callable[..., bool], blocking: bool, timeout: float) -> bool:
        """Take a lock that is taken: wait for it in place, or suspended if a suspended Future may hold it.

        Raises Deadlock if its holder waits for this Future; not where a time-out ends the wait anyway.
        """
        if not blocking:
            if timeout >= 0:
                raise ValueError("can't specify a timeout for a non-blocking call")
            return False
        deadline = None if timeout < 0 else time.monotonic() + timeout
        while True:
            in_place = self._seconds_in_place(lock)
            if deadline is not None:
                left = max(0.0, deadline - time.monotonic())
                in_place = left if in_place < 0 else min(in_place, left)
            if take(True, in_place) if in_place else take(False):
                if isinstance(lock, threading.Semaphore):
                    self._hold(lock)
                elif lock not in self.held:
                    self.held[lock] = greenlet.getcurrent()
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            if deadline is None and self._is_let_in(lock):
                return True
            if self.waits and self._is_main():
                self._suspend(lock, deadline)

    def _is_main(self) -> bool:
        return not self._is_fork and self._suspends is not None and self._suspends.is_main_thread()

    def _seconds_in_place(self, lock: Any) -> float:
        """How long a lock is waited for without looking who holds it; -1 for ever."""
        holders = self._holders(lock)
        if greenlet.getcurrent() in holders or self._is_fork:
            return -1
        if not self._is_main():
            return LOOK_SECONDS
        if not self.waits:
            return LOOK_SECONDS if holders else -1
        return 0.0 if any(holder in self.waits for holder in holders) else FOR_THREADS_SECONDS

    def _suspend(self, lock: Any, deadline: float | None) -> None:
        waiter = Waiter()
        self._wanted.setdefault(lock, []).append(waiter)
        look = time.monotonic() + LOOK_SECONDS
        try:
            self._suspends.switch_out(waiter, look if deadline is None else min(look, deadline), lock)
        finally:
            others = self._wanted.get(lock, [])
            if waiter in others:
                others.remove(waiter)
            if not others:
                self._wanted.pop(lock, None)

    def released(self, lock: Any) -> None:
        """Somebody has released a lock: who waits for it may try again."""
        if self._wanted and lock in self._wanted:
            self._suspends.wake_greenlets(self._wanted.pop(lock, []))

    # -- who waits for whom ------------------------------------------------------------------------------------------

    def _is_let_in(self, lock: Any) -> bool:
        """Whether an RLock lets this Future in; raises Deadlock if all who hold another lock wait for it."""
        holders, me = self._holders(lock), greenlet.getcurrent()
        if not holders or me in holders:
            return False
        if not all(self._depends(holder, me, set()) == REACHED or self._is_held_up(holder) for holder in holders):
            return False
        if isinstance(lock, RLock):
            lock.let_in()
            return True
        raise Deadlock(name_of_innermost(me), name_of_innermost(holders[0]), self._suspends.name)

    def _is_held_up(self, holder: Any) -> bool:
        """Whether a thread asks, and the main thread, where the holder runs, waits in place: for that thread, then."""
        if self._is_main() or holder.parent is None or not self._suspends.waits_in_place():
            return False
        what = self.waits.get(holder)
        return holder not in self.waits or (isinstance(what, Future) and what.done())

    def _depends(self, waiting: Any, other: Any, seen: set[Any]) -> int:
        """Whether somebody who waits cannot go on before another does: :data:`REACHED`; 0 if it can go on.

        :data:`CIRCLE` if on this way there are only some that wait for each other.
        """
        what = self.waits.get(waiting) or self.threads.get(waiting)
        if what is None:
            return 0
        if waiting in seen:
            return CIRCLE
        what, seen = getattr(what, "awaits", None) or what, seen | {waiting}
        if not isinstance(what, (Future, list, set)):
            return self._most(self._holders(what), other, seen)
        open_ones = [future for future in ([what] if isinstance(what, Future) else list(what)) if not future.done()]
        found = [self._needs(future, other, seen) for future in open_ones]
        return max(found, default=0) if all(found) else 0

    def _needs(self, future: Any, other: Any, seen: set[Any]) -> int:
        """The same of a Future: it is run by somebody who is the other, or depends on it."""
        return self._most([who for who in (other, *self.waits) if future in run_by(who)], other, seen)

    def _most(self, runners: list[Any], other: Any, seen: set[Any]) -> int:
        return max((REACHED if who is other else self._depends(who, other, seen) for who in runners), default=0)
