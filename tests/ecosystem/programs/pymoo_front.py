"""pymoo: problems whose evaluations are Futures, one for each solution."""

import numpy as np
import ways
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.core.problem import ElementwiseProblem
from pymoo.optimize import minimize
from pymoo.parallelization.starmap import StarmapParallelization


class Beam(ElementwiseProblem):
    """Two aims and one bound, and loads that each solution is held against."""

    def __init__(self, loads, **more):
        super().__init__(n_var=3, n_obj=2, n_ieq_constr=1, xl=np.full(3, 0.1), xu=np.full(3, 2.0), **more)
        self.loads = loads

    def _evaluate(self, x, out, *args, **kwargs):
        weight = float(np.prod(x))
        bend = float(np.max(self.loads) / (x[0] * x[1] ** 2 + 0.1) + np.mean(self.loads) * x[2])
        out["F"] = [weight, bend]
        out["G"] = [0.05 - weight]


class Hill(ElementwiseProblem):
    def __init__(self, **more):
        super().__init__(n_var=2, n_obj=1, xl=-2.0, xu=2.0, **more)

    def _evaluate(self, x, out, *args, **kwargs):
        out["F"] = float(np.sum(x**2) + np.sin(5 * x[0]))


if __name__ == "__main__":
    with ways.pool() as pool:
        each = StarmapParallelization(pool.starmap)
        for count in (10, 200_000):  # the loads of the second one take 1.6 MB
            problem = Beam(np.linspace(1, 3, count), elementwise_runner=each)
            found = minimize(problem, NSGA2(pop_size=20), ("n_gen", 8), seed=1)
            print(count, ways.digest(found.X, found.F, found.G), len(found.F))
        found = minimize(Hill(elementwise_runner=each), DE(pop_size=12), ("n_gen", 10), seed=2)
        print(found.X.tolist(), found.F.tolist())
