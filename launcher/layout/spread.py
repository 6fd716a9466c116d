"""How many Workers each host has. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def spread(workers: int, counts: Sequence[int | None]) -> list[int]:
    """Return how many of `workers` each host has: as equal as their counts allow, more on the first hosts.

    A count of None is no limit. When all hosts are full, they are filled again: twice as many Workers as the counts
    allow are twice the count on each host.

    >>> spread(16, [None, None, None, None])
    [4, 4, 4, 4]
    >>> spread(11, [2, 8, 8]), spread(13, [1, 2, 3])
    ([2, 5, 4], [3, 4, 6])
    """
    limited = [count for count in counts if count is not None]
    rounds, left = 0, workers
    if len(limited) == len(counts):
        if not sum(limited) and workers:
            raise ValueError(f"there is no room for {workers} Workers on hosts with {limited}")
        rounds, left = divmod(workers, max(1, sum(limited)))
    shares = [0] * len(counts)
    while left:
        room = [host for host, count in enumerate(counts) if count is None or shares[host] < count]
        each = min([left // len(room), *(count - shares[host] for host in room if (count := counts[host]) is not None)])
        for host in room[: left if not each else None]:
            shares[host] += max(1, each)
            left -= max(1, each)
    return [share + rounds * (count or 0) for share, count in zip(shares, counts)]
