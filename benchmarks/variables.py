"""Measurements of the figure variables, apart from it since a Worker imports them."""

from __future__ import annotations

import time

from benchmarks import faces
from benchmarks.model import Metrics

WORKERS = 2


class Model:
    """An object of many small ones."""

    def __init__(self, rows: int) -> None:
        self.rows = [(number, str(number), number / 2) for number in range(rows)]

    def score(self, row: int) -> float:
        """Look one up."""
        return self.rows[row][2]


def measure_method(opener: faces.Opener, rows: int) -> Metrics:
    """Seconds of a map of a method, with Workers that are up."""
    model = Model(rows)
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        start = time.perf_counter()
        assert list(face.map(model.score, [2, 4])) == [1.0, 2.0]
        return {"seconds": time.perf_counter() - start}
