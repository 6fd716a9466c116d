"""The Driver: what comes and goes at the sockets."""

from __future__ import annotations

import os
import threading
import time

import pytest

from fedfutures.wire import codec
from fedfutures.wire.messages import (
    Hello,
)

from .benches import Bench


def test_a_node_is_told_that_its_broker_was_started_again(origin: Bench) -> None:
    origin.node.driver.rejoin()
    frames = [message for frame in origin.main.sent for *_, message in codec.decode_all(frame)]
    assert [type(message) for message in frames] == [Hello]
    origin.node.close()
    origin.node.driver.rejoin()


def test_one_thread_drives_at_a_time(origin: Bench) -> None:
    driver = origin.node.driver
    assert driver.begin_driving()
    assert driver.is_driving
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.extend([driver.begin_driving(), driver.is_driving]))
    thread.start()
    thread.join()
    assert found == [False, False]
    driver.end_driving()
    assert not driver.is_driving
    assert driver.begin_driving()
    driver.end_driving()


def test_who_waits_is_woken_by_another_thread(origin: Bench) -> None:
    driver = origin.node.driver
    threading.Timer(0.05, driver.wake).start()
    give_up = time.monotonic() + 30
    while not driver.poll(give_up):  # time may come for something else before
        assert time.monotonic() < give_up
        driver.service()
    driver.service()
    while driver.poll(time.monotonic()):  # whoever wakes writes a byte first, and only then says that it may be read
        assert time.monotonic() < give_up
        driver.service()


def test_whoever_finds_the_host_process_gone_says_so(worker: Bench) -> None:
    control, other = os.pipe()
    gone: list[bool] = []
    worker.node.driver.watch(control, lambda: gone.append(True))
    assert not worker.node.driver.poll(time.monotonic())
    os.close(other)
    assert worker.node.driver.poll(time.monotonic())
    assert gone == [True]
    os.close(control)


def test_an_interrupt_in_a_callback_does_not_lose_the_others(origin: Bench) -> None:
    called: list[str] = []

    class Due:
        def __init__(self, name: str, error: BaseException | None = None) -> None:
            self.name, self.error = name, error

        def _invoke_callbacks(self) -> None:
            called.append(self.name)
            if self.error is not None:
                raise self.error

    driver = origin.node.driver
    driver.callbacks.extend([Due("first", KeyboardInterrupt()), Due("second")])
    with pytest.raises(KeyboardInterrupt):
        driver.call_back()
    driver.call_back()
    assert called == ["first", "second"]


def test_a_fork_of_a_node_leaves_its_sockets_alone(origin: Bench) -> None:
    driver = origin.node.driver
    driver.service()  # which takes in the signs of before
    origin.main.sent.clear()
    driver.abandon()
    driver.service()
    driver.wake()
    assert origin.main.sent == []
    assert not driver.poll(time.monotonic())  # no sign was written: the process that was forked would read it


class Failing:
    """Duties of which the first question raises; then they say when they were asked again."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException | None = error
        self.asked_again = threading.Event()

    def send_due(self) -> None: ...

    def helper_deadline(self) -> float | None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.asked_again.set()
        return time.monotonic() + 0.01

    def helper_listens(self) -> bool:
        return True


@pytest.mark.parametrize("error", [RuntimeError("deque mutated during iteration"), OverflowError(), SystemExit(1)])
def test_the_helper_thread_survives_whatever_is_raised(error: BaseException, origin: Bench) -> None:
    driver, duties = origin.node.driver, Failing(error)
    driver.attend(duties, {})
    driver.start()
    assert duties.asked_again.wait(10.0)


def test_the_machine_is_asked_for_its_deadline_only_between_two_steps(origin: Bench) -> None:
    """Another thread may be in the middle of a step: what it has half done is nobody's to see."""
    driver = origin.node.driver
    asked = threading.Event()
    thread = threading.Thread(target=lambda: (driver.poll(time.monotonic()), asked.set()))
    with driver.lock:
        thread.start()
        assert not asked.wait(0.1)
    assert asked.wait(10.0)
    thread.join()
