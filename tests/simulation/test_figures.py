"""Figure runs: small ones, whose figures are known beforehand."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from fedfutures.simulation.scenario import FigureRun, FigureSettings, parents_of
from fedfutures.simulation.trace import Trace


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


def test_a_trace_has_a_track_for_each_worker_and_a_slice_for_each_future(tmp_path: Path) -> None:
    run = FigureRun(FigureSettings(brokers=2, workers=2, futures=20))
    run.system.trace = Trace()
    run.run()
    run.system.trace.write(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert len(slices) == 20
    assert names <= {"b0.1", "b0.2", "b1.1", "b1.2"}
    for track in {event["tid"] for event in slices}:  # a Worker runs one at a time
        ours = sorted((event["ts"], event["ts"] + event["dur"]) for event in slices if event["tid"] == track)
        assert all(end <= begin + 0.01 for (_, end), (begin, _) in itertools.pairwise(ours))
