"""adaptive: a runner that submits a point whenever a result has come."""

import logging

import adaptive
import ways
from adaptive.runner import simple

logging.getLogger("adaptive").setLevel(logging.ERROR)
PEAK = 0.3


def peak(x):
    return x + 0.01 / ((x - PEAK) ** 2 + 0.0001)


def bump(point):
    x, y = point
    return x * x - y


def cube(x):
    return x**3


def run(learner, executor, **goal):
    """Have a learner reach a goal."""
    if ways.WAY == "serial":
        simple(learner, **goal)
    else:
        adaptive.BlockingRunner(learner, executor=executor, ntasks=4, shutdown_executor=False, **goal)


if __name__ == "__main__":
    with ways.executor() as executor:
        sequence = adaptive.SequenceLearner(cube, range(200))
        run(sequence, executor, goal=lambda learner: learner.done())
        print(sum(sequence.result()), sequence.result()[:5])

        line = adaptive.Learner1D(peak, bounds=(-1, 1))
        run(line, executor, loss_goal=0.02)
        near = [value for point, value in line.data.items() if abs(point - PEAK) < 0.01]
        print(line.loss() < 0.02, len(near) > 5, max(near) > 99)

        plane = adaptive.Learner2D(bump, bounds=[(-1, 1), (-1, 1)])
        run(plane, executor, npoints_goal=60)
        print(all(bump(point) == value for point, value in plane.data.items()), len(plane.data) >= 60)
