"""Schedules of faults: none breaks a law, and each is decided by its seed."""

from __future__ import annotations

import pytest
from effort import scaled

from fedfutures.simulation.command_line import run_seed
from fedfutures.simulation.transcript import Transcript


@pytest.mark.fault("D8", "D11", "A16")
@pytest.mark.parametrize("first", range(0, 10 * scaled(12), 10))
def test_no_law_is_broken(first: int) -> None:
    for seed in range(first, first + 10):
        verdict = run_seed(seed)
        assert verdict.broken is None, verdict.broken
        assert verdict.futures > 0


def test_the_same_seed_tells_the_same_story() -> None:
    def tell(seed: int) -> list[str]:
        transcript = Transcript()
        run_seed(seed, transcript)
        return transcript.lines

    assert tell(3) == tell(3) != tell(4)
    assert len(tell(3)) > 100
