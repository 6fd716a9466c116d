"""Over which times a schedule stretches, and how much there is to do: short Futures, a burst of them, or long ones."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from .nemesis import Swarm
from .world import NEVER


class Scale(NamedTuple):
    """What a schedule has of what is rare; the default is what most have."""

    heals_at: float
    mean: float = 0.0  # seconds of a Future; 0.0: each program draws its own, of 1 to 300 ms
    longest: float = NEVER
    futures: int = 0  # of a program, all submitted at once; 0: it draws how many, and when
    cancelled: int = 0  # of these, at most
    cancels_within: float = 0.0

    def cancels(self, dice: Random) -> list[tuple[float, int]]:
        """Draw when a program cancels which of its Futures."""
        most = self.futures or 25
        return [(dice.uniform(0.0, self.cancels_within), dice.randint(1, most)) for _ in range(self.cancelled)]


def draw_scale(dice: Random, swarm: Swarm, heals_at: float) -> Scale:
    """Draw it, and change the swarm to it.

    Two swarms in five are thin. One schedule in eight is a burst of many short Futures. One in four has Futures of
    seconds, so that faults come, and end, while they run and wait.
    """
    has_faults = str(swarm) != "no faults"
    if dice.random() < 0.3 and has_faults:
        swarm.add("forgets", 1.0 / heals_at + dice.choice([0.0, 1.0]))
    if dice.random() < 0.02 and has_faults:
        swarm.add("gives_up", 1.0 / heals_at)
    kind = dice.random()
    if dice.random() < 0.4 and has_faults:
        swarm.thin_out(dice, dice.choice([1.5, 5.0]) / (0.3 if kind < BURSTS else heals_at))
    if kind < BURSTS:
        mean = dice.uniform(0.001, 0.015)
        return Scale(heals_at, mean, 4 * mean, 80, 30, 20 * mean)
    if kind > 1.0 - LONG:
        if dice.random() < 0.05 and has_faults:
            swarm.lengthen_cuts()
        until = 90.0 if swarm.long_cuts else dice.uniform(5.0, 20.0)
        swarm.stretch(until / heals_at)
        return Scale(until, 10 ** dice.uniform(-0.5, 0.4), 10.0, 0, dice.choice([0, 0, 8]), until)
    return Scale(heals_at)


BURSTS, LONG = 0.12, 0.25
"""How many of all schedules these are."""
