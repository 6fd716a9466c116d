"""How much schedules have to do, and over which time."""

from __future__ import annotations

from random import Random

from fedfutures.simulation.nemesis import Swarm, draw_swarm
from fedfutures.simulation.network import LinkFaults
from fedfutures.simulation.scale import BURSTS, LONG, Scale, draw_scale


def test_some_schedules_are_bursts_and_some_are_long() -> None:
    drawn = [draw_scale(Random(seed), Swarm(LinkFaults(), cuts=1.0), 2.0) for seed in range(1000)]
    bursts, long = [it for it in drawn if it.futures], [it for it in drawn if it.heals_at > 2.0]
    assert 0.7 * BURSTS < len(bursts) / 1000 < 1.3 * BURSTS
    assert 0.7 * LONG < len(long) / 1000 < 1.3 * LONG
    assert all(it.cancelled and it.mean < 0.02 for it in bursts)
    assert all(it.mean > 0.3 and it.longest < it.heals_at + 10.0 for it in long)
    assert Scale(2.0) in drawn


def test_incidents_of_a_long_schedule_come_as_often_as_in_a_short_one() -> None:
    for seed in range(200):
        swarm = Swarm(LinkFaults(drop=0.1), cuts=1.0)
        scale = draw_scale(Random(seed), swarm, 2.0)
        if scale.heals_at > 2.0 and swarm.conditions.drop:
            assert swarm.cuts == 2.0 / scale.heals_at
            return
    raise AssertionError("none is long")


def test_where_there_are_no_faults_none_are_added() -> None:
    for seed in range(300):
        swarm = Swarm(LinkFaults())
        draw_scale(Random(seed), swarm, 2.0)
        assert str(swarm) == "no faults"


def test_thin_swarms_have_good_links_and_one_or_two_kinds_of_incidents() -> None:
    for seed in range(100):
        swarm = draw_swarm(Random(seed))
        swarm.thin_out(Random(seed), 2.0)
        assert swarm.conditions == LinkFaults(delay=swarm.conditions.delay)
        named = str(swarm).removesuffix(", long_cuts 1").split(", ")
        assert 1 <= len(named) <= 2
        assert all(name.endswith(" 2") for name in named)


def test_what_is_cancelled_was_submitted() -> None:
    scale = Scale(2.0, 0.01, 0.04, 80, 30, 0.2)
    cancels = scale.cancels(Random(1))
    assert len(cancels) == 30
    assert all(0.0 <= time <= 0.2 and 1 <= number <= 80 for time, number in cancels)
    assert not Scale(2.0).cancels(Random(1))
