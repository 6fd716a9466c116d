"""A picture of the Mandelbrot set, one Future for each line of points: what ``make demo`` runs.

    python -m fedfutures docs/examples/mandelbrot.py             # a Worker for each processor
    python -m fedfutures docs/examples/mandelbrot.py --serial    # and once more without Workers, to compare
    python docs/examples/mandelbrot.py                           # plain python: the same, serially

The lines in the middle take many times as long as those at the top, so Workers that are done early take over what is
left. The points are computed by additions and multiplications alone, so the picture is the same on every machine and
every Python: its digest is compared with the one below, and the exit code says whether they are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections import Counter
from dataclasses import dataclass
from time import perf_counter

import fedfutures
from fedfutures import futures

COLUMNS, ROWS = 76, 30  # characters
LEFT, RIGHT, TOP, BOTTOM = -2.15, 0.75, 1.15, -1.15
STEPS = 1000  # a point that stays near for so many steps belongs to the set
SHADES = " .,:;-=+*#"
COLOURS = (17, 18, 19, 20, 26, 32, 38, 44, 116, 16)

DIGESTS = {1: "bf3f2492b2f3be79", 2: "a2599d0d6b27eb9e", 4: "05f132345f0374a0", 8: "aea2bab6b98f53a0"}  # by detail


@dataclass(frozen=True)
class Line:
    """A line of points: how many steps each has stayed near, who has computed it, and for how long."""

    steps: tuple[int, ...]
    worker: str
    seconds: float


def line(detail: int, number: int) -> Line:
    """Compute one line; this is what runs on Workers."""
    began = perf_counter()
    height, width = ROWS * detail, COLUMNS * detail
    y0 = TOP + (BOTTOM - TOP) * (number + 0.5) / height
    steps = tuple(steps_near(LEFT + (RIGHT - LEFT) * (column + 0.5) / width, y0) for column in range(width))
    return Line(steps, fedfutures.worker.name, perf_counter() - began)


def steps_near(x0: float, y0: float) -> int:
    """Return for how many steps z*z + c stays within a circle of radius 2, from z = 0."""
    x = y = 0.0
    for step in range(STEPS):
        xx, yy = x * x, y * y
        if xx + yy > 4.0:
            return step
        x, y = xx - yy + x0, 2.0 * x * y + y0
    return STEPS


def digest_of(lines: list[Line]) -> str:
    """Return what is the same for two equal pictures."""
    text = "\n".join(",".join(map(str, one.steps)) for one in lines)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def picture(lines: list[Line], detail: int, colour: bool) -> str:
    """Return the picture for a terminal: a character stands for the mean of its points."""
    rows = []
    for row in range(ROWS):
        block = [one.steps for one in lines[row * detail : (row + 1) * detail]]
        cells = [sum(sum(steps[at : at + detail]) for steps in block) for at in range(0, COLUMNS * detail, detail)]
        levels = [level_of(total / detail**2) for total in cells]
        text = (f"\x1b[48;5;{COLOURS[at]}m " for at in levels) if colour else (SHADES[at] for at in levels)
        rows.append("".join(text) + "\x1b[0m" * colour)
    return "\n".join(rows)


def level_of(steps: float) -> int:
    """Return the shade for a number of steps: each takes twice as many as the one before."""
    return min(len(SHADES) - 1, max(0, int(steps).bit_length() - 1))


def report(lines: list[Line], seconds: float) -> str:
    """Return who has computed how much."""
    shares = Counter(one.worker for one in lines)
    count = fedfutures.SIZE or 1  # without a Federation the program itself has done it
    busy = sum(one.seconds for one in lines) / (seconds * count)
    workers = f"{count} Worker{'s' * (count != 1)}"
    who = ", ".join(f"{worker} {done}" for worker, done in sorted(shares.items())[:8])
    return (
        f"{len(lines)} Futures in {seconds:.1f} s on {workers}, busy {min(busy, 1.0):.0%} of the time\n"
        f"lines of each: {who}{', ...' * (len(shares) > 8)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="The Mandelbrot set, one Future for each line of points.")
    parser.add_argument(
        "--detail", type=int, choices=sorted(DIGESTS), default=max(DIGESTS), help="points per character"
    )
    parser.add_argument("--serial", action="store_true", help="compute it once more without Workers, and compare")
    options = parser.parse_args()
    numbers = range(ROWS * options.detail)
    points = COLUMNS * ROWS * options.detail**2
    print(f"The Mandelbrot set, {points:,} points: {len(numbers)} lines, each of them a Future.", flush=True)

    began = perf_counter()
    lines = list(futures.map(line, [options.detail] * len(numbers), numbers, progress=True))
    seconds = perf_counter() - began
    print(picture(lines, options.detail, sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    print(report(lines, seconds))

    digest = digest_of(lines)
    if digest != DIGESTS[options.detail]:
        print(f"WRONG: the digest of the picture is {digest}, and should be {DIGESTS[options.detail]}")
        return 1
    print(f"The picture is right: its digest is {digest}, as on every machine.")
    if options.serial:
        began = perf_counter()
        serial = [line(options.detail, number) for number in numbers]
        serial_s = perf_counter() - began
        if digest_of(serial) != digest:
            print("WRONG: without Workers the picture is another one")
            return 1
        print(f"Without Workers: {serial_s:.1f} s, {serial_s / seconds:.1f} times as long, and the same picture.")
    return 0


if __name__ == "__main__":  # Workers import this file, too
    sys.exit(main())
