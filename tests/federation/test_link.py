"""The way to a neighbour: who introduces itself when, what silence is, how far it is."""

from __future__ import annotations

import random

import pytest

from fedfutures.federation.link import (
    FORGET_AFTER_SECONDS,
    HELLO_AGAIN_SECONDS,
    HELLO_AT_MOST_SECONDS,
    SILENT_AFTER_SECONDS,
    Link,
)
from fedfutures.federation.session import HEARTBEAT_SECONDS
from fedfutures.wire.messages import PROTOCOL, Hello, Ping


def link(*, dials: bool = True, seed: int = 1) -> Link:
    return Link("me", dials, random.Random(seed), 0.0)


@pytest.fixture
def linked() -> Link:
    """A link that has been open since 0.0, with its first heartbeat sent."""
    made = link()
    made.welcomed(0.0)
    assert made.due(9, 0, 0.0) == [Ping(1)]
    return made


def test_the_end_that_dials_says_hello_until_it_is_welcome() -> None:
    end = link()
    hello = Hello(PROTOCOL, "broker", "me", end.introduction.incarnation, 0, 0)
    now, gaps = 0.0, []
    assert end.due(0, 0, now) == [hello]
    for _ in range(8):
        due = end.deadline()
        assert due is not None
        assert end.due(0, 0, due - 1e-6) == []
        assert end.due(0, 0, due) == [hello]
        gaps.append(due - now)
        now = due
    assert gaps[0] <= 2.5 * HELLO_AGAIN_SECONDS
    assert all(0.75 * HELLO_AT_MOST_SECONDS <= gap <= 1.25 * HELLO_AT_MOST_SECONDS for gap in gaps[4:])
    end.welcomed(now)
    assert end.linked
    assert end.due(9, 0, now) == [Ping(1)]


def test_two_that_dial_one_neighbour_do_not_do_so_in_step() -> None:
    first, second = link(seed=1), link(seed=2)
    for end in (first, second):
        end.due(0, 0, 0.0)
    assert first.deadline() != second.deadline()
    assert first.introduction.incarnation != second.introduction.incarnation


def test_the_end_that_is_dialled_waits() -> None:
    end = link(dials=False)
    assert end.due(0, 0, 5.0) == []
    assert end.deadline() is None
    end.introduce(5.0)
    assert end.due(0, 0, 5.0) == []


def test_hello_names_the_session() -> None:
    end = link()
    (hello,) = end.due(77, 0, 0.0)
    assert isinstance(hello, Hello)
    assert hello.session == 77


def test_a_heartbeat_every_second(linked: Link) -> None:
    assert linked.deadline() == HEARTBEAT_SECONDS
    assert linked.due(9, 0, HEARTBEAT_SECONDS / 2) == []
    assert linked.due(9, 0, HEARTBEAT_SECONDS) == [Ping(2)]
    assert linked.deadline() == 2 * HEARTBEAT_SECONDS


def test_silence_after_three_heartbeats(linked: Link) -> None:
    linked.due(9, 0, 2.9)
    assert not linked.falls_silent(SILENT_AFTER_SECONDS - 0.1)
    assert linked.deadline() == SILENT_AFTER_SECONDS
    assert linked.falls_silent(SILENT_AFTER_SECONDS)
    assert linked.silent
    assert not linked.falls_silent(SILENT_AFTER_SECONDS + 1)
    assert [type(message) for message in linked.due(9, 0, SILENT_AFTER_SECONDS)] == [Hello]
    assert linked.heard(5.0)
    assert not linked.silent
    assert not linked.heard(5.0)
    assert [type(message) for message in linked.due(9, 0, 9.0)] == [Ping]  # it says Hello no more


def test_what_was_never_linked_does_not_fall_silent() -> None:
    assert not link().falls_silent(99.0)
    assert not link().is_forgotten(99.0)


def test_after_a_minute_of_silence_a_link_begins_from_nothing(linked: Link) -> None:
    incarnation = linked.introduction.incarnation
    linked.falls_silent(SILENT_AFTER_SECONDS)
    assert not linked.is_forgotten(FORGET_AFTER_SECONDS - 0.1)
    assert linked.is_forgotten(FORGET_AFTER_SECONDS)
    linked.forget(FORGET_AFTER_SECONDS)
    assert (linked.linked, linked.silent, linked.round_trip) == (False, False, 0.0)
    assert linked.introduction.incarnation != incarnation
    (hello,) = linked.due(0, 0, FORGET_AFTER_SECONDS + HELLO_AT_MOST_SECONDS)
    assert isinstance(hello, Hello)
    assert hello.incarnation == linked.introduction.incarnation


def test_to_introduce_twice_is_to_introduce_once(linked: Link) -> None:
    linked.introduce(0.5)
    assert len(linked.due(9, 0, 0.5)) == 1
    linked.introduce(0.5)
    assert linked.due(9, 0, 0.5) == []


def test_the_round_trip_is_learnt_quickly_when_short_and_slowly_when_long(linked: Link) -> None:
    linked.pong(1, 0.1)
    assert linked.round_trip == pytest.approx(0.1)
    linked.due(9, 0, 1.0)
    linked.pong(2, 1.02)
    assert linked.round_trip == pytest.approx(0.06)
    linked.due(9, 0, 2.0)
    linked.pong(3, 2.86)
    assert linked.round_trip == pytest.approx(0.16)


def test_an_unknown_or_old_pong_teaches_nothing(linked: Link) -> None:
    linked.pong(99, 0.5)
    for heartbeat in range(1, 12):
        linked.due(9, 0, heartbeat * HEARTBEAT_SECONDS)
    linked.pong(1, 12.0)
    assert linked.round_trip == 0.0
