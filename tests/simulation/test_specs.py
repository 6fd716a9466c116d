"""What simulated Futures are."""

from __future__ import annotations

from random import Random

import pytest

from fedfutures.simulation.specs import LOCKS, durations, payload_of, read, value_of
from fedfutures.wire.manifest import HAS_SEGMENTS


def test_a_payload_says_what_its_future_does() -> None:
    spec = read(payload_of(7, 0.25, width=2, depth=3, kind=LOCKS))
    assert (spec.tag, spec.seconds, spec.width, spec.depth, spec.kind) == (7, 0.25, 2, 3, LOCKS)


def test_each_payload_has_a_value_of_its_own() -> None:
    assert len({value_of(payload_of(tag, 0.25)) for tag in range(2000)}) == 2000


@pytest.mark.parametrize("distribution", ["constant", "uniform", "exponential"])
def test_durations_have_the_mean_that_was_asked_for(distribution: str) -> None:
    draw = durations(distribution, 0.5, Random(1))
    drawn = [draw() for _ in range(4000)]
    assert sum(drawn) / 4000 == pytest.approx(0.5, rel=0.05)
    assert (len(set(drawn)) == 1) == (distribution == "constant")


def test_no_other_distribution() -> None:
    with pytest.raises(ValueError, match="normal"):
        durations("normal", 1.0, Random(1))


def test_no_value_is_taken_for_a_manifest() -> None:
    """A Broker would look for its segments, where a seal behind it makes it whole."""
    assert {value_of(payload_of(tag, 0.1))[:1] for tag in range(2000)}.isdisjoint(HAS_SEGMENTS)
