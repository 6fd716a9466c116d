"""A launched program whose Futures read a large array that is a global."""

import pickle
import statistics
import sys
import time

import numpy as np

import fedfutures
from benchmarks import faces, isolation
from fedfutures import futures

SUBMITS = 50
BIG = np.ones(int(sys.argv[1]) // 8)


def read(place):
    """Read one number."""
    return float(BIG[place])


def submits():
    """The median time of a submit, in milliseconds."""
    seconds = []
    for place in range(SUBMITS):
        start = time.perf_counter()
        future = futures.submit(read, place)
        seconds.append(time.perf_counter() - start)
        future.result()
    return statistics.median(seconds) * 1000


if __name__ == "__main__":
    with faces.launched(2) as face:
        faces.warm_up(face, 2)
    pickled = []
    for _ in range(3):
        start = time.perf_counter()
        size = len(pickle.dumps(BIG, 5))
        pickled.append(time.perf_counter() - start)
    start = time.perf_counter()
    future = futures.submit(read, 0)
    first = time.perf_counter() - start
    assert future.result() == 1.0
    later = submits()
    BIG[0] = 2.0
    fedfutures.changed(BIG)
    assert futures.submit(read, 0).result() == 2.0
    isolation.report({"pickled": statistics.median(pickled), "first": first, "later": later, "relied": submits()})
