"""Links: perfect ones are, and faulty ones do what links do."""

from __future__ import annotations

from random import Random

import pytest

from fedfutures.simulation.clock import Clock
from fedfutures.simulation.network import FaultyLink, LinkFaults, SimLink

from .listening import Listener, numbered


def faulty(conditions: LinkFaults, seed: int = 1) -> tuple[Clock, FaultyLink, Listener]:
    clock = Clock()
    subscriber = Listener(clock)
    return clock, FaultyLink(clock, "a", subscriber, 0.01, conditions, Random(seed)), subscriber


def send(clock: Clock, link: SimLink, count: int = 200) -> None:
    for number in range(count):
        clock.at(clock.now + 0.001 * number, link.send, numbered(number))
    clock.run()


def test_a_perfect_link_delivers_in_order_after_its_latency() -> None:
    clock = Clock()
    subscriber = Listener(clock)
    send(clock, SimLink(clock, "a", subscriber, 0.5))
    assert subscriber.numbers == list(range(200))
    assert subscriber.frames[0][0] == 0.5


def test_good_conditions_are_perfect() -> None:
    clock, link, subscriber = faulty(LinkFaults())
    send(clock, link)
    assert subscriber.numbers == list(range(200))


@pytest.mark.parametrize("drop", [0.05, 0.5])
def test_drop(drop: float) -> None:
    clock, link, subscriber = faulty(LinkFaults(drop=drop))
    send(clock, link)
    assert subscriber.numbers == sorted(subscriber.numbers)
    assert abs(200 * drop - link.lost) < 25
    assert len(subscriber.numbers) == 200 - link.lost


def test_duplicate() -> None:
    clock, link, subscriber = faulty(LinkFaults(duplicate=0.5))
    send(clock, link)
    assert set(subscriber.numbers) == set(range(200))
    assert 60 < len(subscriber.numbers) - 200 < 140


def test_late_frames_hold_up_those_behind_as_in_a_connection() -> None:
    clock, link, subscriber = faulty(LinkFaults(late=0.1, delay=0.1))
    send(clock, link)
    assert subscriber.numbers == list(range(200))
    assert subscriber.frames[-1][0] > 0.209


def test_reorder() -> None:
    clock, link, subscriber = faulty(LinkFaults(reorder=0.3))
    send(clock, link)
    assert sorted(subscriber.numbers) == list(range(200)) != subscriber.numbers


@pytest.mark.parametrize(("cut", "arrives"), [("lose", []), ("keep", [0, 1, 2])])
def test_a_cut_loses_or_keeps_what_is_sent_meanwhile(cut: str, arrives: list[int]) -> None:
    clock, link, subscriber = faulty(LinkFaults())
    link.cut_off(keeps=cut == "keep")
    send(clock, link, 3)
    assert not subscriber.frames
    link.heal()
    clock.run()
    assert subscriber.numbers == arrives


def test_a_clog_lets_nothing_through_and_then_all() -> None:
    clock, link, subscriber = faulty(LinkFaults())
    link.clog(5.0)
    send(clock, link, 3)
    assert [time for time, _ in subscriber.frames] == [5.0] * 3
    assert subscriber.numbers == [0, 1, 2]


def test_what_is_published_may_be_lost_and_is_not_kept() -> None:
    clock, link, subscriber = faulty(LinkFaults(drop_published=1.0))
    link.publish(numbered(0))
    link.conditions.clear()
    link.cut_off(keeps=True)
    link.publish(numbered(1))
    clock.run()
    link.heal()
    link.publish(numbered(2))
    clock.run()
    assert subscriber.published == [numbered(2)]


def test_frames_of_long_ago_come_again() -> None:
    clock, link, subscriber = faulty(LinkFaults(replay=0.2))
    send(clock, link)
    assert len(subscriber.numbers) > 220
