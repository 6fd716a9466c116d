"""How far something is, in words: by what one takes, where that was measured, else by the rate so far."""

from __future__ import annotations

import pytest

from fedfutures.futures.counted import Counted, last_line, line


@pytest.mark.parametrize(
    ("counted", "total", "workers", "text"),
    [
        (Counted(0), 10, 0, "0 of 10 done (0 %), 0.0/s, not known how long"),
        (Counted(0, mean=2.0), 10, 4, "0 of 10 done (0 %), 0.0/s, 5 s left"),
        (Counted(5, mean=2.0), 10, 0, "5 of 10 done (50 %), 1.0/s, 5 s left"),
        (Counted(0), 0, 2, "0 of 0 done (0 %), 0.0/s, not known how long"),
        (Counted(7, 2, 3), None, 2, "7 done, 1.4/s, 2 failed, 3 run again"),
    ],
)
def test_a_line(counted: Counted, total: int | None, workers: int, text: str) -> None:
    assert line(counted, total, 5.0, workers) == text


def test_the_last_line() -> None:
    assert last_line(Counted(10, 1), 10, 5.0) == "10 of 10 done (100 %) in 5 s, 2.0/s, 1 failed"
    assert last_line(Counted(0), None, 0.0) == "0 done in 0 s, 0.0/s"
