"""DEAP: a swarm of particles, which Futures move and change in place."""

import math
import random

import ways
from deap import base, creator, tools

PARTICLES = 24
STEPS = 15


def height(particle):
    """Rastrigin's function; lower is better."""
    return (10 * len(particle) + math.fsum(x * x - 10 * math.cos(2 * math.pi * x) for x in particle),)


def step(particle, best, seed):
    """Return the particle after one step; what the caller holds is not changed by it."""
    dice = random.Random(seed)
    for place, (here, own, other) in enumerate(zip(particle, particle.best or particle, best)):
        pull = dice.uniform(0, 1.5) * (own - here) + dice.uniform(0, 1.5) * (other - here)
        particle.speed[place] = 0.6 * particle.speed[place] + pull
        particle[place] = here + particle.speed[place]
    particle.fitness.values = height(particle)
    return particle


if __name__ == "__main__":
    creator.create("Lowest", base.Fitness, weights=(-1.0,))
    creator.create("Particle", list, fitness=creator.Lowest, speed=list, best=None)
    random.seed(3)
    swarm = [creator.Particle(random.uniform(-5, 5) for _ in range(4)) for _ in range(PARTICLES)]
    for particle in swarm:
        particle.speed = [random.uniform(-1, 1) for _ in particle]
    with ways.pool() as pool:
        for particle, value in zip(swarm, pool.map(height, swarm)):
            particle.fitness.values = value
        best = creator.Particle(min(swarm, key=lambda particle: particle.fitness.values))
        best.fitness.values = height(best)
        log = tools.Logbook()
        for number in range(STEPS):
            seeds = [number * PARTICLES + place for place in range(PARTICLES)]
            given = [creator.Particle(particle) for particle in swarm]
            for copy, particle in zip(given, swarm):
                copy.speed, copy.best = list(particle.speed), particle.best
            moved = list(pool.map(step, given, [best] * PARTICLES, seeds))
            for before, after in zip(swarm, moved):
                lower = before.best is None or after.fitness > before.best.fitness
                after.best = creator.Particle(after) if lower else before.best
                if lower:
                    after.best.fitness.values = after.fitness.values
            swarm = moved
            leader = max(swarm, key=lambda particle: particle.fitness)
            if leader.fitness > best.fitness:
                best = creator.Particle(leader)
                best.fitness.values = leader.fitness.values
            log.record(step=number, best=best.fitness.values[0])
        print(log)
        print(best, [particle.speed for particle in swarm[:2]])
