"""Locks of a Worker know who holds them: a contended one suspends, an RLock lets in whom its holder waits for."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from typing import Any

import greenlet
import pytest

from fedfutures.worker.locks import KnownLock, Lock, Locks, RLock


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Locks]:
    made = Locks()
    monkeypatch.setattr(KnownLock, "locks", made, raising=False)
    yield made
    assert not made.held


def elsewhere(work: Any) -> Any:
    """Run something as another Future of this thread does; return what it returns."""
    return greenlet.greenlet(work).switch()


@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_lock_is_held_by_who_has_taken_it(locks: Locks, kind: Any) -> None:
    lock = kind()
    with lock:
        assert locks.held == {lock: greenlet.getcurrent()}
        assert locks.holds(greenlet.getcurrent())
        assert not elsewhere(lambda: locks.holds(greenlet.getcurrent()))
        assert repr(lock).startswith("<locked ")
    assert not lock.locked()


@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_taken_lock_is_not_had_by_who_will_not_wait(locks: Locks, kind: Any) -> None:
    lock = kind()
    with lock:
        assert elsewhere(lambda: lock.acquire(blocking=False)) is False
        with pytest.raises(ValueError, match="timeout"):
            elsewhere(lambda: lock.acquire(blocking=False, timeout=1))
        assert locks.held == {lock: greenlet.getcurrent()}


def test_an_rlock_belongs_to_a_future_and_counts(locks: Locks) -> None:
    lock = RLock()
    with lock, lock:
        with pytest.raises(RuntimeError):
            elsewhere(lock.release)
        lock.release()
        assert elsewhere(lambda: lock.acquire(blocking=False)) is False
        assert lock.acquire()
    assert elsewhere(lambda: lock.acquire(blocking=False)) is True
    assert greenlet.getcurrent() not in locks.held.values()
    locks.held.clear()


def test_who_was_let_into_an_rlock_hands_it_back_to_its_holder(locks: Locks) -> None:
    lock = RLock()
    me = greenlet.getcurrent()

    def let_in() -> None:
        lock.let_in()
        assert locks.held[lock] is greenlet.getcurrent()
        lock.release()

    with lock:
        elsewhere(let_in)
        assert locks.held[lock] is me
        assert lock.locked()
    assert not lock.locked()


@pytest.mark.usefixtures("locks")
@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_condition_takes_either_lock(kind: Any) -> None:
    condition = threading.Condition(kind())
    with condition:
        assert condition.wait(0.001) is False
        assert condition.wait_for(lambda: True)
    with pytest.raises(RuntimeError):
        condition.notify()


@pytest.mark.usefixtures("locks")
@pytest.mark.parametrize("kind", [Lock, RLock])
def test_locks_do_not_travel(kind: Any) -> None:
    with pytest.raises(TypeError, match="cannot pickle '_thread"):
        pickle.dumps(kind())


def test_a_suspended_future_that_holds_a_lock_keeps_others_from_being_started(locks: Locks) -> None:
    me, lock, other = greenlet.getcurrent(), Lock(), Lock()
    assert locks.suspend(me, "what") is False
    assert (locks.locked_in, locks.waits) == (0, {me: "what"})
    locks.resume(me, False)
    with lock:
        assert locks.suspend(me, "what") is True
        assert elsewhere(lambda: locks.suspend(greenlet.getcurrent(), other)) is False
        assert elsewhere(lambda: locks.suspend(greenlet.getcurrent(), lock)) is True  # it waits for one
        assert locks.locked_in == 2
        locks.resume(me, True)
        assert locks.locked_in == 1
        assert me not in locks.waits
