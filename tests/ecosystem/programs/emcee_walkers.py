"""emcee: an ensemble of walkers, by ``pool=``; also with data in ``args=`` and with blobs."""

import emcee
import numpy as np
import ways

WALKERS, DIMENSIONS, STEPS = 16, 3, 20
TRUTH = np.array([1.5, -0.7, 0.3])


def log_probability(parameters, places, measured, inverse_variance):
    """Return how likely a parabola is, for measured points."""
    if not np.all(np.abs(parameters) < 10):
        return -np.inf
    model = parameters[0] + parameters[1] * places + parameters[2] * places**2
    return -0.5 * float(np.sum((measured - model) ** 2 * inverse_variance))


def with_blobs(parameters, weights):
    """Return also two more values for each step, which the sampler stores."""
    value = -0.5 * float(np.sum(weights * parameters**2))
    return value, float(parameters.sum()), float(parameters.max())


def data(count):
    dice = np.random.default_rng(17)
    places = np.linspace(-2, 2, count)
    noise = dice.normal(scale=0.2, size=count)
    return places, TRUTH[0] + TRUTH[1] * places + TRUTH[2] * places**2 + noise, np.full(count, 25.0)


def sample(pool, function, args, **more):
    start = np.random.default_rng(2).normal(scale=0.1, size=(WALKERS, DIMENSIONS))
    np.random.seed(8)  # a new sampler takes its dice from here
    sampler = emcee.EnsembleSampler(WALKERS, DIMENSIONS, function, pool=pool, args=args, **more)
    sampler.run_mcmc(start, STEPS)
    return sampler


if __name__ == "__main__":
    with ways.pool() as pool:
        for count in (50, 100_000):  # the data of the second one takes 2.4 MB
            sampler = sample(pool, log_probability, data(count))
            chain = sampler.get_chain()
            print(count, ways.digest(chain, sampler.get_log_prob()), sampler.acceptance_fraction.tolist())
            print(chain[-1].mean(axis=0).tolist())
        kinds = [("total", float), ("largest", float)]
        sampler = sample(pool, with_blobs, [np.arange(1.0, 4.0)], blobs_dtype=kinds, moves=emcee.moves.DEMove())
        blobs = sampler.get_blobs()
        print(ways.digest(sampler.get_chain(), blobs["total"], blobs["largest"]))
