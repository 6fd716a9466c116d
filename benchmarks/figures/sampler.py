"""emcee, a Markov chain sampler, with the pool of each: 32 walkers, of which half are moved by each small map.

It takes emcee and numpy, which are extras; without them the figure says so and has no rows.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

from benchmarks import faces
from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

WORKERS = 2
WALKERS, DIMENSIONS, STEPS = 32, 3, 100
LARGE_ITEMS = 300_000
"""Of 8 bytes: what the density is given in ``args=``."""
NEEDED = ("emcee", "numpy")


def density(point: Any) -> float:
    """Return the logarithm of a density that costs next to nothing."""
    return -0.5 * float(point @ point)


def density_with_data(point: Any, data: Any) -> float:
    """The same, with data at hand."""
    return -0.5 * float(point @ point) + 0.0 * float(data[17])


def measure(opener: faces.Opener, steps: int) -> Metrics:
    """Milliseconds for a step, without data and with them."""
    emcee, np = (importlib.import_module(name) for name in NEEDED)
    data = np.ones(LARGE_ITEMS)
    found = {}
    with opener(WORKERS) as face:
        faces.warm_up(face, WORKERS)
        pool = SimpleNamespace(map=face.map)
        for name, function, args in (("plain", density, ()), ("with data", density_with_data, (data,))):
            sampler = emcee.EnsembleSampler(WALKERS, DIMENSIONS, function, pool=pool, args=args)
            state = sampler.run_mcmc(np.random.default_rng(7).normal(size=(WALKERS, DIMENSIONS)), 5)
            start = time.perf_counter()
            sampler.run_mcmc(state, steps)
            found[name] = (time.perf_counter() - start) / steps * 1000
    return found


def figure(quick: bool) -> Figure:
    """Executor against Pool."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"  sampler: skipped, since {' and '.join(missing)} cannot be imported", file=sys.stderr)
        return Figure("sampler", {}, [])
    steps = STEPS // (4 if quick else 1)
    contestants = {
        "Executor": Contestant(partial(measure, faces.fedfutures_executor, steps)),
        "Pool": Contestant(partial(measure, faces.pool, steps)),
    }
    rows = [
        Row(
            f"emcee, {label}",
            "ms a step",
            metric("Executor", name),
            metric("Pool", name),
            "Pool",
            Bar("≤", limit, "peer"),
        )
        for name, label, limit in (
            ("plain", f"{WALKERS} walkers", 1.1),
            ("with data", f"the same with {8 * LARGE_ITEMS / 1e6:g} MB in args=", 0.7),
        )
    ]
    return Figure("sampler", contestants, rows)
