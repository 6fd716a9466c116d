"""The work of the figure tensors: a module of its own, since only it needs torch."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy
import torch

from benchmarks import faces
from benchmarks.model import Metrics

WORKERS = 2
NUMBERS = 5_000_000
NUMBERS_PER_PAGE = 512

_ready: dict[str, Any] = {}


def made(kind: str) -> Any:
    """An array or tensor of 40 MB that is there already, since making it is not what we measure."""
    if kind not in _ready:
        zeros = numpy.zeros(NUMBERS)
        _ready[kind] = zeros if kind == "numpy" else torch.from_numpy(zeros)
    return _ready[kind]


def touch(value: Any) -> float:
    """Read every page."""
    return float(value[::NUMBERS_PER_PAGE].sum())


def produce(kind: str, index: int) -> Any:
    """One with new contents."""
    value = made(kind)
    value[0] = index
    return value


def measure_in(kind: str, opener: faces.Opener, count: int) -> Metrics:
    """Milliseconds from the submit of a call with such an argument to its result."""
    taken = []
    with opener(WORKERS) as face:
        faces.submit_all(face, touch, [(produce(kind, 0),)] * 2 * WORKERS)
        for index in range(count):
            value = produce(kind, index)
            begun = time.perf_counter()
            result = face.result(face.submit(touch, value))
            taken.append(time.perf_counter() - begun)
            assert result == index, "wrong result"
    return {"milliseconds": 1000 * statistics.median(taken)}


def measure_out(kind: str, opener: faces.Opener, count: int) -> Metrics:
    """Milliseconds from the submit of a call to its result of 40 MB, read."""
    taken = []
    with opener(WORKERS) as face:
        faces.submit_all(face, produce, [(kind, 0)] * 2 * WORKERS)
        for index in range(count):
            begun = time.perf_counter()
            total = touch(face.result(face.submit(produce, kind, index)))
            taken.append(time.perf_counter() - begun)
            assert total == index, "wrong result"
    return {"milliseconds": 1000 * statistics.median(taken)}
