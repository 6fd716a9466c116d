"""Times for people."""

from __future__ import annotations

import pytest

from fedfutures import times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (0.0004, "400 µs"), (0.0123, "12 ms"), (0.9, "900 ms"), (1.0, "1 s"), (9.96, "10 s"), (599, "599 s"),
     (600, "10.0 min"), (7199, "120.0 min"), (7200, "2.0 h")],
)  # fmt: skip
def test_a_time_has_two_or_three_figures_and_a_unit(seconds: float, text: str) -> None:
    assert times.shown(seconds) == text
