"""How many Workers a machine has room for, by memory and by processors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ..sizes import shown
from .settings import Settings
from .system import memory, number_behind, pair_in

WORKER_BYTES = 8 << 20  # the memory of a Worker that has imported nothing: PSS of an idle one on CPython 3.11
WORKERS_PER_PROCESSOR = 4  # the user hardly means more


def refusal(workers: int, available: int, host: str) -> str | None:
    """Return why so many Workers do not fit, None if they do. `available`: bytes, 0 when they are not known.

    >>> refusal(100_000, 16 << 30, "tower")
    '100,000 Workers on tower need at least 781.2 GiB (8 MiB each), and 16.0 GiB are there; at most 2,048 fit'
    >>> refusal(4, 16 << 30, "tower")
    """
    if not available or workers * WORKER_BYTES <= available:
        return None
    return (
        f"{workers:,} Workers on {host} need at least {_gib(workers * WORKER_BYTES)} ({WORKER_BYTES >> 20} MiB each), "
        f"and {_gib(available)} are there; at most {max(1, available // WORKER_BYTES):,} fit"
    )


def warning(workers: int, processors: int, host: str) -> str | None:
    """Return a warning for Workers that outnumber the processors by far, else None.

    >>> warning(100, 2, "tower")
    'tower has 2 processors for 100 Workers: more than 4 for each only make a run slower; -n 2 is usual'
    >>> warning(8, 2, "tower")
    """
    if workers <= WORKERS_PER_PROCESSOR * processors:
        return None
    noun = "processors" if processors > 1 else "processor"
    return (
        f"{host} has {processors} {noun} for {workers:,} Workers: more than {WORKERS_PER_PROCESSOR} for each only make "
        f"a run slower; -n {processors} is usual"
    )


def limit_warning(bound: int, workers: int, available: int, host: str) -> str | None:
    """Return a warning where Workers may each use more than the host has for them, else None.

    bound: how many bytes each may use; 0: any number. available: bytes for all, 0 when they are not known.

    >>> limit_warning(4 << 30, 8, 16 << 30, "tower")
    '8 Workers on tower may use 4.0 GiB each (--memory-per-worker), and 16.0 GiB are there: 2.0 GiB for each'
    >>> limit_warning(2 << 30, 8, 16 << 30, "tower")
    """
    if not available or workers * bound <= available:
        return None
    noun = "Workers" if workers > 1 else "Worker"
    return (
        f"{workers:,} {noun} on {host} may use {shown(bound)} each (--memory-per-worker), and {shown(available)} are "
        f"there: {shown(available // workers)} for each"
    )


def warnings_of(settings: Settings, facts: Mapping[str, Any]) -> list[str]:
    """Return both warnings for a host of which its "processors" and its "memory" are known, or not."""
    many = warning(settings.workers, int(facts.get("processors") or 1), settings.host)
    memory = int(facts.get("memory") or 0)
    much = limit_warning(settings.memory_per_worker, settings.workers, memory, settings.host)
    return [text for text in (many, much) if text]


def warn_of_limit(settings: Settings) -> None:
    """Warn the program, which starts Workers here itself, if they may use more than there is."""
    text = limit_warning(settings.memory_per_worker, settings.workers, available_memory(), settings.host)
    if text:
        warnings.warn(text.replace("--memory-per-worker", "memory_per_worker="), stacklevel=6)


_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Where the limit of the control group stands, and what it uses."""


def total_memory() -> int:
    """Return how many bytes of memory there are: those of the machine, within the limit of the control group.

    >>> total_memory() >= available_memory() // 2
    True
    """
    limits = [pair[0] for files in _GROUPS if (pair := pair_in(*files))]
    return min([memory(), *(limit for limit in limits if limit)])


def available_memory() -> int:
    """Return how many bytes new processes can have: the free memory, within the limit of the control group."""
    kibibytes = number_behind("MemAvailable:", "/proc/meminfo")
    bounds = [memory() if kibibytes is None else kibibytes << 10]
    for files in _GROUPS:
        if pair := pair_in(*files):
            bounds.append(max(1, pair[0] - pair[1]))
    return min(bounds)


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
