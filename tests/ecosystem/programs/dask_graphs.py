"""Dask: graphs of tasks, whose tasks are Futures: by ``scheduler=`` and by ``pool=``."""

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import ways


@dask.delayed
def load(number):
    return np.random.default_rng(number).normal(size=5_000)


@dask.delayed
def clean(values, limit):
    values[np.abs(values) > limit] = 0.0
    return values


@dask.delayed
def combine(*parts):
    return float(np.sum([part.sum() for part in parts])), len(parts)


def words(line):
    return line.split()


def results():
    """Compute graphs of three kinds."""
    cleaned = [clean(load(number), 1.5) for number in range(12)]
    total, (first, second) = dask.compute(combine(*cleaned), cleaned[:2])
    print(total, ways.digest(first, second))

    grid = da.from_array(np.arange(400_000.0).reshape(500, 800) % 97, chunks=(100, 400))
    changed = ((grid.T + 1) * 2 - grid.mean(axis=0)[:, None]).sum(axis=1)
    print(ways.digest(*dask.compute(changed, grid[::7, 3], (grid > 50).any(axis=0))))
    large = da.ones((1_000, 1_000), chunks=(500, 500)) * da.arange(1_000, chunks=500)
    print(ways.digest(large.compute()))

    lines = [f"a b{number % 3} c{number % 5}" for number in range(60)]
    counted = db.from_sequence(lines, npartitions=6).map(words).flatten().frequencies()
    print(sorted(counted.compute()))


if __name__ == "__main__":
    with ways.executor() as executor:
        with dask.config.set(scheduler="synchronous" if ways.WAY == "serial" else executor):
            results()
        for named in ("threads", "processes"):
            scheduler = "synchronous" if ways.WAY == "serial" else named
            with dask.config.set(scheduler=scheduler, pool=executor):
                results()
