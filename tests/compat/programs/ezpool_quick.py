from ezpool import BaseWorker, Pool


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class FibWorker(BaseWorker):
    def run(self, n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)


if __name__ == "__main__":
    with Pool() as p:
        results = p.pmap(fun=fib, tasks=range(12), ncpu=2)
    workers = ("PYRO:worker@localhost:21000", "PYRO:worker@localhost:21001")
    with Pool() as p:
        distributed = p.dmap(fun=FibWorker, tasks=range(12), workers=workers)
    print(results == distributed, results)
