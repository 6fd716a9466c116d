"""Figure runs: small ones, whose figures are known beforehand."""

from __future__ import annotations

import pytest

from fedfutures.simulation.scenario import FigureRun, FigureSettings, parents_of
from fedfutures.simulation.world import Costs


@pytest.mark.parametrize("seconds", [0.01, 1.0])
def test_all_workers_are_kept_busy(seconds: float) -> None:
    figures = FigureRun(FigureSettings(brokers=4, workers=4, futures=16 * 25, seconds=seconds)).run()
    assert figures.executions == figures.futures == 400
    assert figures.ideal == pytest.approx(25 * seconds)
    assert figures.ratio < 1.1
    assert figures.utilisation > 0.9
    assert figures.messages_per_future < 15


@pytest.mark.parametrize("distribution", ["uniform", "exponential"])
def test_durations_that_differ(distribution: str) -> None:
    figures = FigureRun(FigureSettings(brokers=3, workers=4, futures=600, distribution=distribution, sites=True)).run()
    assert figures.executions == 600
    assert figures.ratio < 1.4


def test_the_same_seed_gives_the_same_figures() -> None:
    def run(seed: int) -> object:
        return FigureRun(FigureSettings(brokers=3, workers=3, futures=200, distribution="exponential", seed=seed)).run()

    assert run(5) == run(5) != run(6)


@pytest.mark.parametrize(
    ("brokers", "fan_out", "sites"), [(1, 32, False), (40, 32, False), (100, 4, True), (9, 3, True)]
)
def test_the_tree_has_one_parent_for_each_and_few_children(brokers: int, fan_out: int, sites: bool) -> None:
    links = parents_of(brokers, fan_out, sites)
    assert [child for _, child, _ in links] == list(range(1, brokers))
    assert all(parent < child for parent, child, _ in links)
    for parent in range(brokers):
        for kind in (False, True):
            assert sum((other, far) == (parent, kind) for other, _, far in links) <= fan_out


@pytest.mark.parametrize("brokers", [1, 4])
def test_workers_that_share_two_processors(brokers: int) -> None:
    """They are all occupied, and no more is computed than two processors can; what Brokers do delays them."""
    settings = FigureSettings(brokers=brokers, workers=4, seconds=0.1, futures=160)
    for broker_cost in (0.0, 0.001):
        settings.costs = Costs(broker_cost, 0.0, 2)
        figures = FigureRun(settings).run()
        assert figures.ideal == pytest.approx(8.0)
        assert figures.utilisation > 0.9
        extra = 1.0 + broker_cost * figures.messages / 2 / 8.0
        assert figures.ratio == pytest.approx(extra, abs=0.05)
