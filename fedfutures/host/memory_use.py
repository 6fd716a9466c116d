"""How much memory processes use: from /proc (Linux; elsewhere nothing is known, and nothing is limited).

What counts is anonymous memory, in RAM or swapped out: what a program allocates. Files that it has mapped and shared
memory do not count. Pages that a process shares with one that it has forked count once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

LOOK_SECONDS = 0.1
"""So often the host process looks at what uses memory and has a limit."""
FAMILY_AT_MOST = 10_000
_KIB = 1024


def used_by(pid: int, bound: int | None = None, adopted: Iterable[int] = ()) -> int:
    """Return the bytes of anonymous memory of a process and its descendants, 0 if it is gone.

    Pages that several of them share count for each; only where that would be more than `bound` (None: always), each
    one's share is read, which takes longer. `adopted`: descendants that are children of another process now.
    """
    family = [pid, *adopted]
    for one in family:  # which grows meanwhile
        family += _children(one) if len(family) < FAMILY_AT_MOST else ()
    total = sum(_sum_in(f"/proc/{one}/status", _OWN) or 0 for one in family)
    if len(family) == 1 or (bound is not None and total <= bound):
        return total
    return sum(_share_of(one) for one in family)


_OWN, _SHARES = (b"RssAnon:", b"VmSwap:"), (b"Pss_Anon:", b"SwapPss:")


def _share_of(pid: int) -> int:
    """Return its share of the pages that it has in common with others; older kernels, and others' processes: all."""
    share = _sum_in(f"/proc/{pid}/smaps_rollup", _SHARES)
    return share or _sum_in(f"/proc/{pid}/status", _OWN) or 0


def _sum_in(path: str, names: tuple[bytes, ...]) -> int | None:
    """Return the sum of these figures in a file of the kernel's, in bytes; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return sum(int(line.split()[1]) * _KIB for line in file if line.startswith(names))
    except (OSError, ValueError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    """Return the pids of the children of a process, those of all its threads."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except (OSError, ValueError):  # it has just ended, or the kernel does not tell
        pass
    return found
