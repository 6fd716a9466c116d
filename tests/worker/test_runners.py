"""Greenlets of a Worker: the last that was woken goes on first, timers wake in their order, the hub never waits."""

from __future__ import annotations

import contextvars
import threading
import time
from concurrent.futures import CancelledError
from types import SimpleNamespace
from typing import Any

import greenlet
import pytest

from fedfutures.node.pace import PUMP_EVERY_SECONDS
from fedfutures.worker.driver import DRIVEN, PUMP_DUE
from fedfutures.worker.runners import Pump, Runners
from fedfutures.worker.waiters import Waiter


def test_the_hub_is_not_made_to_wait() -> None:
    runners = Runners(lambda: None)
    with pytest.raises(CancelledError):
        runners.check(Waiter())
    greenlet.greenlet(lambda: runners.check(Waiter())).switch()


def test_who_is_woken_twice_goes_on_once() -> None:
    runners = Runners(lambda: None)
    waiter, other = Waiter(), Waiter()
    runners.wake([waiter, other])
    runners.wake([waiter])
    assert list(runners.ready) == [waiter, other]


def test_another_thread_that_wakes_wakes_the_driver_too() -> None:
    woken: list[int] = []
    runners = Runners(lambda: woken.append(threading.get_ident()))
    runners.wake([Waiter()])
    assert woken == []
    thread = threading.Thread(target=lambda: runners.wake([Waiter()]))
    thread.start()
    thread.join()
    assert len(woken) == 1
    assert runners.is_main_thread()


def test_timers_wake_those_whose_time_has_come_the_earliest_first() -> None:
    runners = Runners(lambda: None)
    assert runners.next_timer() is None
    now = time.monotonic()
    early, late, same, far = (Waiter() for _ in range(4))
    for due, waiter in ((now - 1, late), (now - 2, early), (now - 1, same), (now + 1000, far)):
        runners.wake_at(due, waiter)
    assert runners.next_timer() == now - 2
    runners.wake_timers()
    assert list(runners.ready) == [early, late, same]
    assert runners.next_timer() == now + 1000


def test_the_last_that_is_woken_goes_on_first_before_anything_new_and_idle_runners_are_used_again() -> None:
    runners = Runners(lambda: None)
    noted: list[str] = []
    todo = ["0", "1", "2", "3", "4"]
    waiting: list[Waiter] = []

    def run_one(name: str) -> None:
        noted.append(f"begin {name}")
        if name in "013":
            waiting.append(waiter := Waiter())
            runners.switch_out(waiter)
        else:
            runners.wake(waiting)
        noted.append(f"end {name}")

    def loop() -> None:
        while True:
            if runners.ready:
                runners.resume_ready()
            elif todo:
                run_one(todo.pop(0))
            else:
                runners.stop()

    contexts: list[contextvars.Context] = []

    def context() -> contextvars.Context:
        contexts.append(contextvars.Context())
        return contexts[-1]

    runners.run(loop, context)
    assert " ".join(noted) == ("begin 0 begin 1 begin 2 end 2 end 1 end 0 begin 3 begin 4 end 4 end 3")
    assert runners.switches == 3
    assert len(contexts) == 3


def test_the_next_time_is_set_first_then_the_node_is_serviced_and_timers_wake() -> None:
    times = [0.0] * (max(DRIVEN, PUMP_DUE) + 1)
    noted: list[Any] = []
    driver: Any = SimpleNamespace(times=times, service=lambda: noted.append(("service", list(times))))
    runners: Any = SimpleNamespace(wake_timers=lambda: noted.append("timers"))
    before = time.monotonic()
    Pump(driver, runners)()
    (what, seen), last = noted
    assert (what, last) == ("service", "timers")
    assert before <= seen[DRIVEN] <= time.monotonic()
    assert seen[PUMP_DUE] == seen[DRIVEN] + PUMP_EVERY_SECONDS
