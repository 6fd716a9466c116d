"""Links: perfect ones are, and faulty ones do what links do."""

from __future__ import annotations

from random import Random

import pytest

from fedfutures.simulation.clock import Clock
from fedfutures.simulation.network import Conditions, FaultyLink, SimLink

from .listening import Ear


def faulty(conditions: Conditions, seed: int = 1) -> tuple[Clock, FaultyLink, Ear]:
    clock = Clock()
    ear = Ear(clock)
    return clock, FaultyLink(clock, "a", ear, 0.01, conditions, Random(seed)), ear


def send(clock: Clock, link: SimLink, count: int = 200) -> None:
    for number in range(count):
        clock.at(clock.now + 0.001 * number, link.send, bytes([number]))
    clock.run()


def test_a_perfect_link_delivers_in_order_after_its_latency() -> None:
    clock = Clock()
    ear = Ear(clock)
    send(clock, SimLink(clock, "a", ear, 0.5))
    assert ear.numbers == list(range(200))
    assert ear.frames[0][0] == 0.5


def test_good_conditions_are_perfect() -> None:
    clock, link, ear = faulty(Conditions())
    send(clock, link)
    assert ear.numbers == list(range(200))


@pytest.mark.parametrize("drop", [0.05, 0.5])
def test_drop(drop: float) -> None:
    clock, link, ear = faulty(Conditions(drop=drop))
    send(clock, link)
    assert ear.numbers == sorted(ear.numbers)
    assert abs(200 * drop - link.lost) < 25
    assert len(ear.numbers) == 200 - link.lost


def test_duplicate() -> None:
    clock, link, ear = faulty(Conditions(duplicate=0.5))
    send(clock, link)
    assert set(ear.numbers) == set(range(200))
    assert 60 < len(ear.numbers) - 200 < 140


def test_late_frames_hold_up_those_behind_as_in_a_connection() -> None:
    clock, link, ear = faulty(Conditions(late=0.1, delay=0.1))
    send(clock, link)
    assert ear.numbers == list(range(200))
    assert ear.frames[-1][0] > 0.209


def test_reorder() -> None:
    clock, link, ear = faulty(Conditions(reorder=0.3))
    send(clock, link)
    assert sorted(ear.numbers) == list(range(200)) != ear.numbers


@pytest.mark.parametrize(("cut", "arrives"), [("lose", []), ("keep", [0, 1, 2])])
def test_a_cut_loses_or_keeps_what_is_sent_meanwhile(cut: str, arrives: list[int]) -> None:
    clock, link, ear = faulty(Conditions())
    link.cut_off(keeps=cut == "keep")
    send(clock, link, 3)
    assert not ear.frames
    link.heal()
    clock.run()
    assert ear.numbers == arrives


def test_a_clog_lets_nothing_through_and_then_all() -> None:
    clock, link, ear = faulty(Conditions())
    link.clog(5.0)
    send(clock, link, 3)
    assert [time for time, _ in ear.frames] == [5.0] * 3
    assert ear.numbers == [0, 1, 2]


def test_what_is_published_may_be_lost_and_is_not_kept() -> None:
    clock, link, ear = faulty(Conditions(drop_published=1.0))
    link.publish(b"x")
    link.conditions.clear()
    link.cut_off(keeps=True)
    link.publish(b"y")
    clock.run()
    link.heal()
    link.publish(b"z")
    clock.run()
    assert ear.published == [b"z"]


def test_frames_of_long_ago_come_again() -> None:
    clock, link, ear = faulty(Conditions(replay=0.2))
    send(clock, link)
    assert len(ear.numbers) > 220
