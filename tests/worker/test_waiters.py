"""Waiters: woken once; events that stand in for those of the standard library suspend, or help, until they are set."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import greenlet

from fedfutures.worker.waiters import GreenEvent, HelpfulEvent, Waiter


class Suspends:
    """Notes who is switched out, until when and for what; what else happens meanwhile is the test's."""

    name = "w"

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.meanwhile = meanwhile
        self.out: list[tuple[Waiter, float | None, Any]] = []
        self.woken: list[Waiter] = []

    def is_main_thread(self) -> bool:
        return True

    def waits_in_place(self) -> bool:
        return False

    def switch_out(self, waiter: Waiter, deadline: float | None, what: Any = None) -> None:
        self.out.append((waiter, deadline, what))
        self.meanwhile()

    def wake_greenlets(self, greenlets: list[Any]) -> None:
        self.woken += greenlets


def test_only_the_first_wakes_a_waiter() -> None:
    waiter = Waiter()
    assert waiter.greenlet is greenlet.getcurrent()
    assert [waiter.wake(), waiter.wake()] == [True, False]
    assert waiter.woken


def test_a_green_event_suspends_its_greenlet_until_it_is_set() -> None:
    suspends = Suspends()
    event = GreenEvent(suspends)
    event.futures = ["a"]
    rounds = iter([lambda: None, event.set])  # woken once for nothing
    suspends.meanwhile = lambda: next(rounds)()
    assert event.wait()
    assert [(deadline, what) for _, deadline, what in suspends.out] == [(None, ["a"])] * 2
    assert suspends.woken == [suspends.out[-1][0]]


def test_a_green_event_that_is_set_suspends_nobody_until_it_is_cleared() -> None:
    suspends = Suspends()
    event = GreenEvent(suspends)
    event.set()
    assert event.wait()
    assert not suspends.out
    assert not suspends.woken
    event.clear()
    assert not event.is_set()
    assert not event.wait(0.0)


def test_a_wait_with_a_timeout_names_no_futures_for_which_others_could_be_run() -> None:
    suspends = Suspends(lambda: time.sleep(0.01))
    event = GreenEvent(suspends)
    event.futures = ["a"]
    before = time.monotonic()
    assert not event.wait(0.005)
    [(_, deadline, what)] = suspends.out
    assert deadline is not None
    assert deadline >= before + 0.005
    assert what is None


def test_a_helpful_event_is_waited_for_by_helping() -> None:
    helped = []

    def help_until(done: Callable[[], bool], sleep: Callable[[float], object], timeout: float | None) -> None:
        helped.append((done(), timeout))
        sleep(0.0)
        event.set()

    event = HelpfulEvent(help_until)
    assert event.wait(3.0)
    assert helped == [(False, 3.0)]
