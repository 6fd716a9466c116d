"""nevergrad: optimizers that ask for several points at once, and hand them to an executor."""

import warnings

import nevergrad as ng
import ways

warnings.simplefilter("ignore")  # of nevergrad, on budgets, and on time that it measures


def sphere(x):
    return float(((x - 0.5) ** 2).sum())


def mixed(rate, kind, size=1):
    return (rate - 0.2) ** 2 + (kind == "slow") + abs(size - 3)


def of_candidate(value):
    return mixed(*value[0], **value[1])


if __name__ == "__main__":
    with ways.executor() as executor:
        used = None if ways.WAY == "serial" else executor
        for name in ("DE", "OnePlusOne", "TwoPointsDE"):
            optimizer = ng.optimizers.registry[name](parametrization=3, budget=120, num_workers=4)
            optimizer.parametrization.random_state.seed(7)
            found = optimizer.minimize(sphere, executor=used, batch_mode=True)
            print(name, sphere(found.value) < 0.5, optimizer.num_tell)
        choices = ng.p.Instrumentation(
            ng.p.Log(lower=0.01, upper=1.0), kind=ng.p.Choice(["slow", "fast"]), size=ng.p.Scalar(lower=1, upper=9)
        )
        optimizer = ng.optimizers.DE(parametrization=choices, budget=200, num_workers=8)
        optimizer.parametrization.random_state.seed(7)
        for _ in range(25):  # with results in their order, each run is the same
            asked = [optimizer.ask() for _ in range(8)]
            for candidate, loss in zip(asked, executor.map(of_candidate, [each.value for each in asked])):
                optimizer.tell(candidate, loss)
        found = optimizer.provide_recommendation()
        print(found.kwargs["kind"], found.args[0], found.kwargs["size"])
