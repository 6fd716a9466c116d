"""A thread that waits drives the node if no other does, until the Future is done or the time is over."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fedfutures.program import postponing
from fedfutures.worker.driven_wait import LONG_SECONDS, Bell, DrivenWait
from fedfutures.worker.future import Future


class Driver:
    """Notes what it is told to do; `heard` is what happens when the sockets are polled."""

    def __init__(self, *, free: bool = True) -> None:
        self.lock = threading.RLock()
        self.free, self.is_driving = free, False
        self.noted: list[str] = []
        self.heard: Any = lambda: None

    def begin_driving(self) -> bool:
        return self.free

    def make_poller(self) -> str:
        return "another poller"

    def poll(self, deadline: float | None, poller: Any) -> None:
        self.noted.append("poll" if poller is None else poller)
        self.heard()

    def __getattr__(self, name: str) -> Any:
        return lambda: self.noted.append(name)


class NoLanes:
    """No Worker is lent."""

    def awaited(self) -> int:
        return 0


@pytest.fixture(autouse=True)
def _handlers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postponing, "install", lambda: None)


@pytest.fixture
def future() -> Future[Any]:
    return Future()


def test_who_drives_services_before_and_stops_when_the_future_is_done(future: Future[Any]) -> None:
    driver = Driver()
    driver.heard = lambda: future.set_result(1)
    DrivenWait(driver, [], NoLanes()).wait(future, None)  # type: ignore[arg-type]
    assert driver.noted[:4] == ["service", "poll", "take_in", "end_driving"]


def test_own_futures_are_offered_although_this_one_is_done(future: Future[Any]) -> None:
    driver = Driver()
    driver.heard = lambda: future.set_result(1)
    DrivenWait(driver, [future], NoLanes()).wait(future, None)  # type: ignore[arg-type]
    assert driver.noted[:5] == ["service", "poll", "take_in", "service", "end_driving"]


def test_a_long_wait_has_the_helper_thread_look(future: Future[Any]) -> None:
    driver = Driver()
    driver.heard = lambda: time.sleep(2 * LONG_SECONDS)
    DrivenWait(driver, [], NoLanes()).wait(future, LONG_SECONDS)  # type: ignore[arg-type]
    assert driver.noted == ["service", "poll", "take_in", "service", "end_driving", "open_gate"]


def test_driving_ends_also_when_a_handler_raises(future: Future[Any]) -> None:
    driver = Driver()

    def interrupt() -> None:
        raise KeyboardInterrupt

    driver.heard = interrupt
    with pytest.raises(KeyboardInterrupt):
        DrivenWait(driver, [], NoLanes()).wait(future, None)  # type: ignore[arg-type]
    assert "end_driving" in driver.noted


def test_a_handler_in_the_middle_of_a_wait_drives_with_a_poller_of_its_own(future: Future[Any]) -> None:
    driver = Driver(free=False)
    driver.is_driving = True
    driver.heard = lambda: future.set_result(1)
    DrivenWait(driver, [], NoLanes()).wait(future, None)  # type: ignore[arg-type]
    assert driver.noted == ["service", "another poller", "take_in"]


def test_while_another_thread_drives_this_one_sleeps_until_the_future_is_done(future: Future[Any]) -> None:
    driver = Driver(free=False)
    threading.Timer(0.01, future.set_result, [1]).start()
    DrivenWait(driver, [], NoLanes()).wait(future, 10)  # type: ignore[arg-type]
    assert future.done()
    assert driver.noted == []
    DrivenWait(driver, [], NoLanes()).wait(future, None)  # type: ignore[arg-type]


def test_a_sleep_is_over_when_its_time_is(future: Future[Any]) -> None:
    DrivenWait(Driver(free=False), [], NoLanes()).wait(future, 0.001)  # type: ignore[arg-type]
    assert not future.done()
    future.set_result(1)  # rings no bell that is gone


def test_a_bell_rings_whatever_becomes_of_the_future(future: Future[Any]) -> None:
    for tell in ("add_result", "add_exception", "add_cancelled"):
        bell = Bell()
        assert not bell.lock.acquire(blocking=False)
        getattr(bell, tell)(future)
        assert bell.lock.acquire(blocking=False)
    assert not Bell.sees
