"""When to try again, and when to give up: by what ended the attempts before."""

from __future__ import annotations

import signal

import pytest

from fedfutures.supervision.attempts import (
    CLOSED_EXIT_CODE,
    FIRST_DELAY_SECONDS,
    GIVE_UP_SECONDS,
    LONGEST_DELAY_SECONDS,
    Attempts,
    is_from_outside,
    status_of,
)


def test_delays_double_up_to_the_longest_and_begin_again() -> None:
    attempts = Attempts()
    assert [attempts.next_delay() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    attempts.settled()
    assert attempts.next_delay() == FIRST_DELAY_SECONDS < LONGEST_DELAY_SECONDS


def test_own_ends_and_those_by_others_are_counted_apart() -> None:
    attempts = Attempts()
    for code in (1, -9, -11, -15, 0):
        attempts.failed(code, 1.0)
    assert (attempts.own, attempts.killed) == (3, 2)
    attempts.settled()
    assert (attempts.own, attempts.killed) == (0, 0)


def test_only_kills_are_given_up_by_time() -> None:
    attempts = Attempts()
    attempts.failed(1, 0.0)
    assert not attempts.is_hopeless(1e9)
    attempts.failed(-9, 10.0)
    attempts.failed(-9, 50.0)
    assert not attempts.is_hopeless(10.0 + GIVE_UP_SECONDS - 0.1)
    assert attempts.is_hopeless(10.0 + GIVE_UP_SECONDS)
    attempts.settled()
    assert not attempts.is_hopeless(1e9)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT])
def test_a_fault_is_the_own_doing_of_a_process(number: int) -> None:
    assert not is_from_outside(-number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGRTMIN + 3])
def test_other_signals_come_from_outside(number: int) -> None:
    assert is_from_outside(-number)


def test_a_signal_without_a_name_has_a_number() -> None:
    assert status_of(-(signal.SIGRTMIN + 3)) == f"signal {signal.SIGRTMIN + 3}"


def test_a_lack_is_news_once_and_hopeless_after_a_while() -> None:
    attempts = Attempts()
    assert attempts.lacked(0.0)
    assert [attempts.lacked(float(now)) for now in range(5, 30, 5)] == [False] * 5
    assert not attempts.is_hopeless(29.9)
    assert not attempts.lacked(30.0)
    assert attempts.is_hopeless(30.0)
    assert attempts.lacked(45.0)  # meanwhile there was enough
    assert not attempts.is_hopeless(45.0)


def test_a_lack_of_long_ago_does_not_make_a_killed_child_hopeless() -> None:
    attempts = Attempts()
    attempts.lacked(0.0)
    attempts.failed(-9, 100.0)
    assert not attempts.is_hopeless(100.0)


def test_a_worker_whose_descriptors_are_closed_is_not_said_to_have_ended_well() -> None:
    assert status_of(CLOSED_EXIT_CODE) == "closed descriptors, those of the Worker among them"
