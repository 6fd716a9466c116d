"""DEAP: genetic programming, trees of operators that each Worker compiles."""

import functools
import math
import operator
import random

import ways
from deap import algorithms, base, creator, gp, tools


def protected_division(left, right):
    return left / right if abs(right) > 1e-9 else 1.0


primitives = gp.PrimitiveSet("MAIN", 1)
primitives.addPrimitive(operator.add, 2)
primitives.addPrimitive(operator.sub, 2)
primitives.addPrimitive(operator.mul, 2)
primitives.addPrimitive(protected_division, 2)
primitives.addPrimitive(math.cos, 1)
primitives.addEphemeralConstant("number", functools.partial(random.randint, -2, 2))
primitives.renameArguments(ARG0="x")

creator.create("Error", base.Fitness, weights=(-1.0,))
creator.create("Tree", gp.PrimitiveTree, fitness=creator.Error)

toolbox = base.Toolbox()
toolbox.register("expression", gp.genHalfAndHalf, pset=primitives, min_=1, max_=3)
toolbox.register("individual", tools.initIterate, creator.Tree, toolbox.expression)
toolbox.register("population", tools.initRepeat, list, toolbox.individual)
toolbox.register("compile", gp.compile, pset=primitives)


def squared_error(tree, points):
    function = toolbox.compile(expr=tree)
    return (math.fsum((function(x) - (x**3 - 2 * x + math.cos(x))) ** 2 for x in points) / len(points),)


toolbox.register("evaluate", squared_error, points=[number / 10 for number in range(-10, 11)])
toolbox.register("select", tools.selTournament, tournsize=3)
toolbox.register("mate", gp.cxOnePoint)
toolbox.register("new_branch", gp.genFull, min_=0, max_=2)
toolbox.register("mutate", gp.mutUniform, expr=toolbox.new_branch, pset=primitives)
for change in ("mate", "mutate"):
    toolbox.decorate(change, gp.staticLimit(key=operator.attrgetter("height"), max_value=8))

if __name__ == "__main__":
    with ways.pool() as pool:
        toolbox.register("map", pool.map)
        random.seed(5)
        best = tools.HallOfFame(2)
        population, log = algorithms.eaSimple(
            toolbox.population(n=60), toolbox, 0.6, 0.2, 8, halloffame=best, verbose=False
        )
        print(log)
        for tree in best:
            print(tree, tree.fitness, tree.height)
        print(list(pool.map(str, population[:5])))
