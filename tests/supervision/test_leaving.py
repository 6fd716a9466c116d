"""What a host process makes of SIGTERM and SIGHUP."""

from __future__ import annotations

import pytest

from fedfutures.supervision.leaving import LAST_SECONDS, LATE_SECONDS, WORD_SECONDS, Drain, Leaving


def test_people_are_told_once_and_only_after_the_program_could_have_ended() -> None:
    leaving = Leaving("the host process")
    assert leaving.next_deadline() is None
    assert leaving.tick(0.0) == ""
    leaving.on_signal("SIGHUP", 1.0)
    leaving.on_signal("SIGTERM", 1.05)
    due = leaving.next_deadline()
    assert due == pytest.approx(1.0 + WORD_SECONDS)
    assert leaving.tick(due - 0.01) == ""
    text = leaving.tick(due)
    assert text.startswith("the host process got SIGTERM and goes on")
    assert leaving.next_deadline() is None
    assert leaving.tick(due + 1) == ""


def test_a_host_leaves_a_little_after_its_last_worker() -> None:
    drain = Drain(30.0)
    assert not drain.begins()
    assert not drain.is_over(0.0, 0, is_lost=True)
    assert drain.next_deadline() is None
    drain.on_signal("SIGTERM", 1.0)
    drain.on_signal("SIGHUP", 2.0)
    assert drain.name == "SIGTERM"
    assert drain.begins()
    assert not drain.begins()
    assert drain.next_deadline() == 31.0 + LATE_SECONDS
    assert not drain.is_over(5.0, 1, is_lost=False)
    assert not drain.is_over(6.0, 0, is_lost=False)
    assert drain.next_deadline() == 6.0 + LAST_SECONDS
    assert not drain.is_over(6.0 + LAST_SECONDS - 0.1, 0, is_lost=False)
    assert drain.is_over(6.0 + LAST_SECONDS, 0, is_lost=False)


def test_a_host_waits_for_its_workers_no_longer_than_their_grace() -> None:
    drain = Drain(30.0)
    drain.on_signal("SIGTERM", 1.0)
    assert not drain.is_over(30.9 + LATE_SECONDS, 2, is_lost=False)
    assert drain.is_over(31.0 + LATE_SECONDS, 2, is_lost=False)


def test_a_host_that_leaves_and_that_nobody_hears_ends_at_once() -> None:
    drain = Drain(30.0)
    drain.on_signal("SIGTERM", 1.0)
    assert drain.is_over(1.1, 2, is_lost=True)
