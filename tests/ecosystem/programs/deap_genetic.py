"""DEAP: a genetic algorithm, whose classes are made while the program runs."""

import random

import ways
from deap import algorithms, base, creator, tools

BITS = 60
SECRET = [bit * bit % 7 % 2 for bit in range(BITS)]


def agreeing(individual):
    """Return how many bits are those of the secret."""
    return (sum(bit == right for bit, right in zip(individual, SECRET)),)


def evolve(pool):
    creator.create("Agreement", base.Fitness, weights=(1.0,))
    creator.create("Guess", list, fitness=creator.Agreement, parents=0)
    toolbox = base.Toolbox()
    toolbox.register("bit", random.randint, 0, 1)
    toolbox.register("guess", tools.initRepeat, creator.Guess, toolbox.bit, BITS)
    toolbox.register("population", tools.initRepeat, list, toolbox.guess)
    toolbox.register("evaluate", agreeing)
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", tools.mutFlipBit, indpb=0.03)
    toolbox.register("select", tools.selTournament, tournsize=3)
    toolbox.register("map", pool.map)

    random.seed(11)
    best = tools.HallOfFame(1)
    counts = tools.Statistics(lambda guess: guess.fitness.values[0])
    counts.register("best", max)
    counts.register("sum", sum)
    last, log = algorithms.eaSimple(
        toolbox.population(n=40), toolbox, cxpb=0.6, mutpb=0.3, ngen=12, stats=counts, halloffame=best, verbose=False
    )
    print(log)
    print(best[0], best[0].fitness)
    # Whole individuals as results: their class, fitness and attributes come back.
    for guess in pool.map(toolbox.clone, last[:3]):
        print(type(guess).__name__, guess.fitness, guess.parents, guess)


if __name__ == "__main__":
    with ways.pool() as pool:
        evolve(pool)
