"""For how long a lane is looked at: a moment, while nobody else could use the processor."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fedfutures.worker import spinning
from fedfutures.worker.spinning import SHORT_SECONDS, SPIN_SECONDS, THROTTLED_SECONDS, Spinning


class Machine:
    """What the kernel says."""

    running, processors = 2, 2
    throttled: int | None = 0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(spinning, "running", lambda: made.running)
    monkeypatch.setattr(spinning, "processors", lambda: made.processors)
    monkeypatch.setattr(spinning, "number_behind", lambda *_: made.throttled)
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread()])
    return made


def test_a_lane_is_looked_at_for_a_moment(machine: Machine) -> None:
    assert Spinning().seconds(0.0) == SPIN_SECONDS


def test_not_where_others_want_the_processors(machine: Machine) -> None:
    spins = Spinning()
    machine.running = 3
    assert spins.seconds(0.0) == 0.0
    machine.running = 2
    assert spins.seconds(0.01) == 0.0, "that is looked at once in a while"
    assert spins.seconds(1.0) == SPIN_SECONDS


def test_not_with_other_threads(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    other = threading.Thread(name="of the program")
    helper = threading.Thread(name="fedfutures-helper")
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread(), helper])
    assert Spinning().seconds(0.0) == SPIN_SECONDS
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread(), helper, other])
    assert Spinning().seconds(0.0) == 0.0


def test_not_after_the_control_group_was_throttled(machine: Machine) -> None:
    spins = Spinning()
    assert spins.seconds(0.0) == SPIN_SECONDS
    machine.throttled = 1
    assert spins.seconds(1.0) == 0.0
    assert spins.seconds(2.0) == 0.0
    assert spins.seconds(1.1 + THROTTLED_SECONDS) == SPIN_SECONDS


def test_not_for_what_takes_long(machine: Machine) -> None:
    spins = Spinning()
    spins.came(2 * SHORT_SECONDS)
    assert spins.seconds(0.0) == 0.0
    spins.came(SHORT_SECONDS / 2)
    assert spins.seconds(0.0) == SPIN_SECONDS


def test_it_can_be_switched_off(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDFUTURES_SPIN", "0")
    assert Spinning().seconds(0.0) == 0.0


@pytest.mark.parametrize(("words", "count"), [([], 1), (["0.1", "0.1", "0.1", "3/400", "9"], 3), (["a"] * 5, 1)])
def test_how_many_threads_run_is_what_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, words: list[Any], count: int
) -> None:
    monkeypatch.setattr(spinning, "words_in", lambda path: words)
    assert spinning.running() == count
