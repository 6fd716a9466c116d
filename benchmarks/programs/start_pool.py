"""The same as start.py with a forked Pool, for comparison."""

import multiprocessing


def answer() -> int:
    """What there is to compute."""
    return 42


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.apply(answer) == 42
