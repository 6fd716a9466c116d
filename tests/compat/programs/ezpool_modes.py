import argparse

from ezpool import BaseWorker, Pool


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class FibWorker(BaseWorker):
    def run(self, n):
        return fib(n)


def get_args_parser():
    """Add an interface to control the program from a command window"""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", "-t", nargs="*", type=int, default=None)
    parser.add_argument("--mode", "-m", type=str, default="serial")
    parser.add_argument("--ncpu", "-n", type=int, default=1)
    parser.add_argument("--workers", "-w", nargs="*", type=str, default=None)
    return parser


if __name__ == "__main__":
    args = get_args_parser().parse_args()
    fun = FibWorker if args.mode == "distributed" else fib
    with Pool(mode=args.mode) as p:
        print(p.map(fun=fun, tasks=args.tasks, ncpu=args.ncpu, workers=args.workers))
