"""Workers are spread as equally as the hosts' own counts allow."""

from __future__ import annotations

import pytest
from effort import scaled
from hypothesis import given, settings, strategies as st

from fedfutures_launcher.layout.spread import spread


def naive(workers: int, counts: list[int | None]) -> list[int]:
    """One by one to the host that has least and still has room; when all are full, all over again."""
    shares, round_ = [0] * len(counts), [0] * len(counts)
    for _ in range(workers):
        if all(count is not None and have == count for have, count in zip(round_, counts)):
            round_ = [0] * len(counts)
        open_ = [at for at, count in enumerate(counts) if count is None or round_[at] < count]
        least = min(open_, key=lambda at: (round_[at], at))
        round_[least] += 1
        shares[least] += 1
    return shares


@settings(max_examples=scaled(40), deadline=None)
@given(st.integers(0, 200), st.lists(st.none() | st.integers(0, 20), min_size=1, max_size=10))
def test_workers_are_spread_evenly(workers: int, counts: list[int | None]) -> None:
    if workers and all(count == 0 for count in counts):
        with pytest.raises(ValueError, match="there is no room"):
            spread(workers, counts)
        return
    shares = spread(workers, counts)
    assert sum(shares) == workers
    assert shares == naive(workers, counts)


def test_sixteen_on_four() -> None:
    assert spread(16, [None] * 4) == spread(16, [8] * 4) == [4, 4, 4, 4]
    assert spread(3, [8] * 4) == [1, 1, 1, 0]
