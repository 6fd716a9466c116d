"""What writing to shared memory costs: to new pages and to pages that exist. Why segments are used again.

Run it by itself: ``python benchmarks/programs/pages.py``.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

SIZE = 8_000_000
REPETITIONS = 40


def rate(write: Callable[[], None]) -> float:
    """Median MB/s of writing SIZE bytes."""
    seconds = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        write()
        seconds.append(time.perf_counter() - began)
    return SIZE / statistics.median(seconds) / 1e6


def main() -> None:
    """Print both rates."""
    data, path = os.urandom(SIZE), f"/dev/shm/pages-{os.getpid()}"

    def write_new() -> None:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        os.write(descriptor, data)
        os.close(descriptor)
        os.unlink(path)

    def write_again() -> None:
        descriptor = os.open(path, os.O_WRONLY)
        os.write(descriptor, data)
        os.close(descriptor)

    print(f"new pages          {rate(write_new):8.0f} MB/s")
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    write_again()
    try:
        print(f"pages that exist   {rate(write_again):8.0f} MB/s")
    finally:
        os.unlink(path)


if __name__ == "__main__":
    main()
