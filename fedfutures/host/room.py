"""How many Workers a machine has room for: by its memory, and by its processors."""

from __future__ import annotations

from .system import memory, number_behind, words_in

WORKER_BYTES = 8 << 20
"""What a Worker takes that has imported nothing; measured as PSS of an idle one, on CPython 3.11."""
WORKERS_PER_PROCESSOR = 4
"""More than that are hardly meant."""


def refusal(workers: int, available: int, host: str) -> str | None:
    """Return why so many Workers cannot be had; None: they can. `available` is in bytes, 0 when it is not known.

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
    """Return what to say of Workers that outnumber the processors by far; None: nothing.

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


def available_memory() -> int:
    """Return how many bytes new processes of this machine can have: what is free, and what the control group allows."""
    kibibytes = number_behind("MemAvailable:", "/proc/meminfo")
    bounds = [memory() if kibibytes is None else kibibytes << 10]
    for limit_file, used_file in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        numbers = [*words_in(limit_file), *words_in(used_file)]
        if len(numbers) == 2 and all(map(str.isdigit, numbers)):  # "max": no limit
            bounds.append(max(1, int(numbers[0]) - int(numbers[1])))
    return min(bounds)


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
