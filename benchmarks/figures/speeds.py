"""Hosts of different speeds: how near the makespan comes to the ideal, and how near one Broker comes for comparison."""

from __future__ import annotations

from functools import partial

from benchmarks import faces
from benchmarks.lab import Lab, spell
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

SLOWNESS = [1.0, 2.0, 4.0]
WORKERS = 4
"""Of each host."""
FUTURES, SECONDS = 2_000, 0.020
BAR = 1.05


def measure(slowness: list[float], workers: int, count: int) -> Metrics:
    """The time over that of Workers that never wait and all end together, at the speeds that they really had."""
    with Lab([workers] * len(slowness), slowness=slowness) as lab:
        site = lab.site(0)
        lab.meet(site)
        seconds, rows = faces.submit_all(lab.face(site), spell, [(SECONDS,)] * count)
    speed = 0.0  # Futures per second; a sleep takes longer than asked for on a busy machine
    for host in range(len(slowness)):
        slept = [end - begin for _, where, begin, end in rows if where == host]
        speed += workers * len(slept) / sum(slept)
    return {"makespan": seconds / (count / speed)}


def figure(quick: bool) -> Figure:
    """Three speeds behind three Brokers, beside one speed behind one."""
    count = FUTURES // 2 if quick else FUTURES
    contestants = {
        "three Brokers": Contestant(partial(measure, SLOWNESS, WORKERS, count)),
        "one Broker": Contestant(partial(measure, [1.0], WORKERS * len(SLOWNESS), count)),
    }
    ratio = " : ".join(f"{slow:g}" for slow in SLOWNESS)
    row = Row(
        f"{count:,} Futures, speeds {ratio} behind three Brokers, of ideal",
        "×",
        metric("three Brokers", "makespan"),
        metric("one Broker", "makespan"),
        "one speed, one Broker",
        Bar("≤", BAR),
    )
    return Figure("speeds", contestants, [row])
