"""What the program's variables cost: a large array that a function reads, and an object whose method is mapped."""

from __future__ import annotations

from functools import partial

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

ARRAY_BYTES = 200_000_000
OBJECT_ROWS = 1_500_000
"""Of an object that is some 40 MB as a pickle."""
PEER = "ProcessPoolExecutor"


def measure_method(opener: faces.Opener, rows: int) -> Metrics:
    """Seconds of a map of a method of a large object over two items, one for each Worker."""
    from benchmarks import variables

    return variables.measure_method(opener, rows)


def figure(quick: bool) -> Figure:
    """A launched program for the array, both executors for the object."""
    size, rows = (ARRAY_BYTES // 8, OBJECT_ROWS // 8) if quick else (ARRAY_BYTES, OBJECT_ROWS)
    contestants = {
        "launched": Contestant(program="variables.py", arguments=(size,)),
        "Executor method": Contestant(partial(measure_method, faces.fedfutures_executor, rows)),
        f"{PEER} method": Contestant(partial(measure_method, faces.process_pool_executor, rows)),
    }
    array = f"global of {size // 1_000_000} MB"
    return Figure(
        "variables",
        contestants,
        [
            Row(
                f"first submit of a function that reads a {array}",
                "s",
                metric("launched", "first"),
                metric("launched", "pickled"),
                "its pickling",
                Bar("≤", 2, "peer"),
            ),
            Row(f"a later submit, {array}", "ms", metric("launched", "later"), bar=Bar("≤", 3)),
            Row(f"the same after changed(), {array}", "ms", metric("launched", "relied"), bar=Bar("≤", 0.2)),
            Row(
                "map of a method of an object of 40 MB",
                "s",
                metric("Executor method", "seconds"),
                metric(f"{PEER} method", "seconds"),
                PEER,
                Bar("≤", 1, "peer"),
            ),
        ],
    )
