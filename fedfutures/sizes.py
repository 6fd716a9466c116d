"""Sizes of memory, as people write and read them: "2G", "1.5 GiB", 500_000_000. Pure."""

from __future__ import annotations

import re
from typing import Any

MOST = 1 << 60
LEAST_OF_A_WORKER = 64 << 20
"""A Worker alone uses 20 MiB (CPython 3.11)."""
_UNITS = {"": 1, **{f"{letter}{tail}": 1024**power for power, letter in enumerate("kmgt", 1) for tail in ("", "ib")}}
_UNITS |= {"b": 1, **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)
_FORMS = "a number of bytes, or a text such as '500M', '2G' or '1.5 GiB'"


def size_of(value: Any, name: str) -> int:
    """Return a size in bytes; raise TypeError or ValueError for what is none. `name`: of the option that has it.

    As for ulimit, Docker and Slurm, G and GiB are 1024 ** 3 bytes; GB is 1000 ** 3.

    >>> size_of("2G", "memory"), size_of("1.5 KiB", "memory"), size_of("3kB", "memory"), size_of(7, "memory")
    (2147483648, 1536, 3000, 7)
    >>> size_of("2 gigs", "memory")
    Traceback (most recent call last):
    ValueError: memory must be a number of bytes, or a text such as '500M', '2G' or '1.5 GiB', not '2 gigs'
    """
    if isinstance(value, bool) or not (isinstance(value, str) or hasattr(value, "__index__")):
        raise TypeError(f"{name} must be {_FORMS}, not {value!r}")
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        if found is None or found[2].lower() not in _UNITS:
            raise ValueError(f"{name} must be {_FORMS}, not {value!r}")
        count = round(float(found[1]) * _UNITS[found[2].lower()])
    else:
        count = value.__index__()
    if not 0 < count < MOST:
        raise ValueError(f"{name} must be above 0 bytes and below an exabyte, not {value!r}")
    return int(count)


def size_of_worker(value: Any) -> int:
    """Return how many bytes each Worker may use, 0 for None; raise TypeError or ValueError for what is no such size.

    >>> size_of_worker("2G"), size_of_worker(None)
    (2147483648, 0)
    >>> size_of_worker("20M")
    Traceback (most recent call last):
    ValueError: memory_per_worker must be at least 64.0 MiB, for a Worker alone uses a third of that, not '20M'
    """
    if value is None:
        return 0
    count = size_of(value, "memory_per_worker")
    if count < LEAST_OF_A_WORKER:
        least = shown(LEAST_OF_A_WORKER)
        raise ValueError(
            f"memory_per_worker must be at least {least}, for a Worker alone uses a third of that, not {value!r}"
        )
    return count


def shown(count: int) -> str:
    """Return a number of bytes for people.

    >>> shown(100), shown(100 << 20), shown(1536 << 20), shown(1 << 50)
    ('100 bytes', '100.0 MiB', '1.5 GiB', '1024.0 TiB')
    """
    if count < 1024:
        return f"{count} bytes"
    power = min(4, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {'KMGT'[power - 1]}iB"
