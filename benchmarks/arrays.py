"""The work of the figure arrays: a module of its own, since only it needs numpy."""

from __future__ import annotations

import time
from itertools import repeat

import numpy

from benchmarks import faces
from benchmarks.model import Metrics

WORKERS = 2
NUMBERS = 1_000_000
ARRAY_MB = 8 * NUMBERS / 1e6
NUMBERS_PER_PAGE = 512
SHARED_NUMBERS = 32_000_000
SHARED_FUTURES = 32

_ready: dict[str, numpy.ndarray] = {}


def touch(array: numpy.ndarray) -> float:
    """Read every page."""
    return float(array[::NUMBERS_PER_PAGE].sum())


def produce(index: int) -> numpy.ndarray:
    """An array that is there already, since making it is not what we measure, with new contents."""
    if "array" not in _ready:
        _ready["array"] = numpy.zeros(NUMBERS)
    array = _ready["array"]
    array[0] = index
    return array


def touch_share(array: numpy.ndarray, index: int) -> float:
    """Read every page of one of the equal shares of `array`."""
    share = SHARED_NUMBERS // SHARED_FUTURES
    return touch(array[index * share : (index + 1) * share])


def measure_in(opener: faces.Opener, count: int) -> Metrics:
    """MB/s of arrays that go as arguments."""
    arrays = [numpy.full(NUMBERS, float(index)) for index in range(count)]
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        seconds, results = faces.submit_all(face, touch, [(array,) for array in arrays])
    assert results == [touch(array) for array in arrays], "wrong results"
    return {"rate": count * ARRAY_MB / seconds}


def measure_out(opener: faces.Opener, count: int) -> Metrics:
    """MB/s of arrays that come as results."""
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        start = time.perf_counter()
        handles = [face.submit(produce, index) for index in reversed(range(count))]
        sums = [touch(face.result(handles.pop())) for _ in range(count)]
        seconds = time.perf_counter() - start
    assert sums == [float(index) for index in range(count)], "wrong results"
    return {"rate": count * ARRAY_MB / seconds}


def measure_writable(opener: faces.Opener, count: int) -> Metrics:
    """Seconds to give an array in shared memory to Futures, after it was filled for the second time."""
    from fedfutures import shared

    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        array = shared.array(SHARED_NUMBERS)
        for value in (1.0, 2.0):
            array[:] = value
            rows = [(array, index) for index in range(count)]
            seconds, results = faces.submit_all(face, touch_share, rows)
            assert results == [touch_share(array, index) for index in range(count)], "wrong results"
    return {"seconds": seconds}


def measure_shared(opener: faces.Opener, count: int, *, by_map: bool) -> Metrics:
    """Seconds to give one array to 32 Futures, from those for `count` of them."""
    array = numpy.ones(SHARED_NUMBERS)
    if not by_map:  # memory that nobody can ever write to: such an array is written once by submit, too
        array = numpy.frombuffer(array.tobytes(), array.dtype)
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        start = time.perf_counter()
        if by_map:
            results = list(face.map(touch_share, repeat(array, count), range(count)))
        else:
            results = faces.submit_all(face, touch_share, [(array, index) for index in range(count)])[1]
        seconds = time.perf_counter() - start
    assert results == [touch_share(array, index) for index in range(count)], "wrong results"
    return {"seconds": seconds * SHARED_FUTURES / count}
