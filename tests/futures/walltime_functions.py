"""What Futures do in tests of the walltime."""

from __future__ import annotations

import os
import time


def note(place: str, name: object, seconds: float) -> object:
    """Note the start and the end of a call in files, which takes so long."""
    for what in ("begun", "done"):
        with open(os.path.join(place, f"{what}-{name}"), "x", encoding="utf-8"):
            pass
        if what == "begun":
            time.sleep(seconds)
    return name


def count(place: str, name: int, seconds: float) -> int:
    """Note in a file that a call has begun; it takes so long."""
    with open(os.path.join(place, f"count-{name}"), "a", encoding="utf-8") as file:
        file.write("x")
    time.sleep(seconds)
    return name


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def family(children: int, seconds: float) -> int:
    from fedfutures import futures

    return len(list(futures.map(nap, [seconds] * children)))
