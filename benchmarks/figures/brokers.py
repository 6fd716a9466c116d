"""What a second Broker costs: its Workers against as many behind one Broker, all submitted at one."""

from __future__ import annotations

from functools import partial

from benchmarks import faces
from benchmarks.lab import Lab, spell
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric
from benchmarks.workloads import noop

SLEEPS, SLEEP_SECONDS = 4_000, 0.005
NOOPS = 20_000
WARM_UP_FUTURES = 500


def measure_sleeps(workers: list[int], count: int) -> Metrics:
    """Sleeps per second."""
    with Lab(workers) as lab:
        site = lab.site(0)
        lab.meet(site)
        seconds, _ = faces.submit_all(lab.face(site), spell, [(SLEEP_SECONDS,)] * count)
    return {"rate": count / seconds, "efficiency": SLEEP_SECONDS * count / sum(workers) / seconds}


def measure_noops(workers: list[int], count: int, *, secure: bool = False) -> Metrics:
    """No-op Futures per second; `secure`: over links with TCP and CURVE."""
    with Lab(workers, secure=secure) as lab:
        site = lab.site(0)
        lab.meet(site)
        face = lab.face(site)
        faces.submit_all(face, noop, [()] * WARM_UP_FUTURES)
        seconds, _ = faces.submit_all(face, noop, [()] * count)
    return {"rate": count / seconds}


def figure(quick: bool) -> Figure:
    """Two hosts beside one."""
    sleeps = SLEEPS // 4 if quick else SLEEPS
    contestants = {
        "sleeps, two Brokers": Contestant(partial(measure_sleeps, [2, 2], sleeps)),
        "sleeps, one Broker": Contestant(partial(measure_sleeps, [4], sleeps)),
        "no-ops, two Brokers": Contestant(partial(measure_noops, [0, 2], NOOPS)),
        "no-ops, one Broker": Contestant(partial(measure_noops, [2], NOOPS)),
    }
    labels = {
        "sleeps": (f"{sleeps:,} sleeps of {SLEEP_SECONDS * 1000:g} ms, 2 × 2 Workers for 1 × 4", 0.97),
        "no-ops": (f"{NOOPS:,} no-op submits, Workers behind the second Broker", 0.7),
    }
    rows = [
        Row(
            label,
            "/s",
            metric(f"{load}, two Brokers", "rate"),
            metric(f"{load}, one Broker", "rate"),
            "one Broker",
            Bar("≥", bar, "peer"),
        )
        for load, (label, bar) in labels.items()
    ]
    return Figure("brokers", contestants, rows)
