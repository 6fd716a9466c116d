"""SciPy: every solver that takes ``workers=`` as a function like ``map``."""

import numpy as np
import ways
from scipy import integrate, optimize, stats


class Valley:
    """A function with a place of its own: a callable object, not a function of a module."""

    def __init__(self, place):
        self.place = np.asarray(place, dtype=float)

    def __call__(self, x):
        away = np.asarray(x) - self.place
        return float(np.sum(away**2) + 3 * np.sum(1 - np.cos(4 * away)))


def banana(x, *more):
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2) + sum(more))


def waves(x):
    return np.array([np.cos(3 * x), np.exp(-x * x), 1 / (1 + 25 * x * x)])


def below(x):
    return np.sum(x) - 1.5


def differences(sample, other):
    return float(np.mean(sample) - np.mean(other))


if __name__ == "__main__":
    BOUNDS = [(-3, 3)] * 3
    with ways.pool() as pool:
        evolved = optimize.differential_evolution(
            banana, BOUNDS, args=(0.5,), seed=1, maxiter=15, popsize=8, updating="deferred", workers=pool.map,
            polish=False,
        )  # fmt: skip
        print("differential_evolution", evolved.x.tolist(), evolved.fun, evolved.nfev)

        bounded = optimize.differential_evolution(
            Valley([0.5, -1, 1]), BOUNDS, seed=4, maxiter=10, popsize=6, updating="deferred", workers=pool.map,
            constraints=optimize.NonlinearConstraint(below, -np.inf, 0.0), polish=False, init="sobol",
        )  # fmt: skip
        print("with a constraint", bounded.x.tolist(), bounded.fun)

        grid = optimize.brute(banana, [slice(-1, 2, 0.25)] * 2, full_output=True, finish=None, workers=pool.map)
        print("brute", grid[0].tolist(), grid[1], ways.digest(grid[2], grid[3]))

        print("quad_vec", *integrate.quad_vec(waves, -4, 4, epsabs=1e-9, workers=pool.map)[:2])

        found = optimize.shgo(Valley([1, 1]), BOUNDS[:2], n=32, sampling_method="sobol", workers=pool.map)
        print("shgo", found.x.tolist(), found.fun, found.nfev)

        for method in ("BFGS", "L-BFGS-B", "SLSQP"):
            options = {"workers": pool.map, "maxiter": 12}
            lowest = optimize.minimize(banana, [-1.0, 1.2, 0.7], method=method, options=options)
            print(method, lowest.x.tolist(), lowest.fun, lowest.nfev)

        fitted = optimize.least_squares(Valley([0.2, 0.3]), [1.0, 1.0], workers=pool.map, max_nfev=10)
        print("least_squares", fitted.x.tolist(), fitted.cost)

        samples = [np.random.default_rng(seed).exponential(size=40) for seed in range(6)]
        firsts, seconds = samples[::2], samples[1::2]
        means = list(pool.map(differences, firsts, seconds))
        print("samples", means, list(pool.map(stats.skew, samples)))
        print("Kolmogorov", [float(test.pvalue) for test in pool.map(stats.ks_2samp, firsts, seconds)])
