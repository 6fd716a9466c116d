import operator

import scoop
from scoop import futures, shared


def square(x):
    return x * x


def of_constant(x):
    return shared.getConst("function")(x) + shared.getConst("number", timeout=5)


def nested(n):
    return sum(futures.map(square, range(n)))


if __name__ == "__main__":
    print(list(futures.map(square, range(5))), sorted(futures.map_as_completed(square, range(5))))
    print(futures.mapReduce(square, operator.add, range(5)), futures.mapScan(square, operator.add, range(5)))
    shared.setConst(function=square, number=1)
    print(futures.submit(of_constant, 3).result(), shared.getConst("unknown", timeout=0))
    given = [futures.submit(nested, i) for i in range(4)]
    done, not_done = futures.wait(given, timeout=-1)
    print(len(done), len(not_done), sorted(one.result() for one in futures.as_completed(given)))
    print(scoop.IS_ORIGIN, scoop.IS_RUNNING, scoop.SIZE, scoop.worker[0], scoop.MAIN_MODULE.endswith(".py"))
