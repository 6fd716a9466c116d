"""CPU tensors of torch beside arrays of numpy, 40 MB of either; skipped where torch is not installed."""

from __future__ import annotations

import importlib.util
from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Missing, Outcomes, Row, metric

ROUNDS = 20
PEER = "our numpy"


def measure(way: str, kind: str, count: int) -> Metrics:
    """One of the measurements that need torch, imported only in the process that measures."""
    from benchmarks import tensors

    work = tensors.measure_in if way == "in" else tensors.measure_out
    return work(kind, faces.fedfutures_executor, count)


def _skipped(outcomes: Outcomes) -> list[float]:
    raise Missing("skipped: torch is not installed")


def figure(quick: bool) -> Figure:
    """In and out."""
    labels = {way: f"a tensor of 40 MB, {way}" for way in ("in", "out")}
    if importlib.util.find_spec("torch") is None:
        return Figure("tensors", {}, [Row(label, "ms", _skipped) for label in labels.values()])
    count = ROUNDS // 2 if quick else ROUNDS
    contestants = {
        f"{kind} {way}": Contestant(partial(measure, way, kind, count)) for way in labels for kind in ("torch", "numpy")
    }
    rows = [
        Row(
            label, "ms", metric(f"torch {way}", "milliseconds"), metric(f"numpy {way}", "milliseconds"), PEER,
            Bar("≤", 1.5, "peer"),
        )
        for way, label in labels.items()
    ]  # fmt: skip
    return Figure("tensors", contestants, rows)
