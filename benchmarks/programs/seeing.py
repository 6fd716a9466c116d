"""The program that the figure `seeing` looks at: Futures of 1 ms; it prints the seconds that they took.

Before that it waits for so many seconds.
"""

import sys
import time

from fedfutures import futures


def spin(seconds: float) -> None:
    """Compute for so long."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


if __name__ == "__main__":
    futures.wait([futures.submit(spin, 0.001) for _ in range(200)])
    time.sleep(float(sys.argv[2]))
    began = time.perf_counter()
    for future in [futures.submit(spin, 0.001) for _ in range(int(sys.argv[1]))]:
        future.result()
    print(time.perf_counter() - began)
