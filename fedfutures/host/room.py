"""How many Workers a machine has room for, by memory and by processors."""

from __future__ import annotations

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


def available_memory() -> int:
    """Return how many bytes new processes can have: the free memory, within the limit of the control group."""
    kibibytes = number_behind("MemAvailable:", "/proc/meminfo")
    bounds = [memory() if kibibytes is None else kibibytes << 10]
    for limit_file, used_file in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        if pair := pair_in(limit_file, used_file):
            bounds.append(max(1, pair[0] - pair[1]))
    return min(bounds)


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
