"""joblib: ``Parallel`` by the backend of fedfutures, nested, as generators, with large arrays."""

from __future__ import annotations

import numpy
from joblib import Parallel, delayed, parallel_config
from ways import WAY, digest

import fedfutures.joblib


def square(x):
    return x * x


def total(array, factor):
    return float(array.sum() * factor)


def nested(count):
    return sum(Parallel(n_jobs=2)(delayed(square)(number) for number in range(count)))


def fails(x):
    if x == 7:
        raise ValueError(f"no {x}")
    return x


if __name__ == "__main__":
    with parallel_config(backend="sequential" if WAY == "serial" else "fedfutures", n_jobs=2):
        print(Parallel()(delayed(square)(number) for number in range(12)))
        print(sum(Parallel(batch_size=20)(delayed(square)(number) for number in range(1000))))
        print(Parallel()(delayed(nested)(count) for count in range(6)))
        print(list(Parallel(return_as="generator")(delayed(square)(number) for number in range(5))))
        if WAY == "serial":
            print([0, 1, 4, 9, 16])
        else:
            print(sorted(Parallel(return_as="generator_unordered")(delayed(square)(number) for number in range(5))))
        try:
            Parallel()(delayed(fails)(number) for number in range(30))
        except ValueError as error:
            print(error)
        large = numpy.arange(1_000_000, dtype=float)
        print(Parallel()(delayed(total)(large, factor=number) for number in range(6)))
        large[:] = 1
        print(Parallel()(delayed(total)(large, factor=number) for number in range(6)), digest(large))
    fedfutures.joblib.shutdown()
