"""Futures for the tests of priorities, groups and questions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import fedfutures
from fedfutures import futures


def nap(seconds: float) -> float:
    """Sleep; when it was over (one clock for all processes)."""
    time.sleep(seconds)
    return time.monotonic()


def when() -> float:
    return time.monotonic()


def nap_for(item: int, seconds: float = 0.002) -> float:
    return nap(seconds)


def with_priority(name: str, priority: int = 0) -> tuple[str, int]:
    return name, priority


def anything(**more: Any) -> dict[str, Any]:
    return more


def hold(path: str) -> str:
    """Run until a file is there."""
    Path(path + ".runs").touch()
    deadline = time.monotonic() + 30
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    return fedfutures.worker.name


def nested_whens(count: int) -> list[float]:
    """When the Futures ran that this one has submitted."""
    return [future.result() for future in [futures.submit(nap, 0.005) for _ in range(count)]]


def fail(text: str) -> None:
    raise ValueError(text)


def group_inside(count: int) -> tuple[int, int, bool]:
    """A group in a Future: how many are done, what they sum up to, and whether the name is that group's."""
    with futures.group("inner") as group:
        handles = [group.submit(pow, number, 2) for number in range(count)]
    return group.statistics().done, sum(handle.result() for handle in handles), futures.group("inner") is group


def groups_all_the_way(depth: int) -> int:
    """Each level waits for a group of the same name, which must not be that of the level above."""
    with futures.group("same") as group:
        below = group.submit(groups_all_the_way, depth - 1) if depth else None
    return 1 + (below.result() if below is not None else 0)


def raising_group(path: str) -> int:
    """An exception leaves a group in one Future: the group of that name in another goes on."""
    try:
        with futures.group("same") as group:
            group.submit(nap, 0.01)
            raise KeyError(path)
    except KeyError:
        return group.statistics().cancelled


def quiet_group(seconds: float) -> int:
    with futures.group("same") as group:
        for _ in range(5):
            group.submit(nap, seconds / 5)
    return group.statistics().done


def explained_inside() -> list[str]:
    """What a Future is told of one it has submitted: before, and after."""
    future = futures.submit(pow, 2, 5)
    before = fedfutures.explain(future)
    future.result()
    return [before, fedfutures.explain(future)]


def statistics_inside() -> list[str]:
    return sorted(fedfutures.statistics())
