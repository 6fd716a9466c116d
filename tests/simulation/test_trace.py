"""Timelines of runs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from fedfutures.simulation.scenario import FigureRun, FigureSettings
from fedfutures.simulation.trace import Trace


def test_a_trace_has_a_track_for_each_worker_and_a_slice_for_each_future(tmp_path: Path) -> None:
    trace = Trace()
    FigureRun(FigureSettings(brokers=2, workers=2, futures=20), trace).run()
    trace.write(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert len(slices) == 20
    assert names <= {"b0.1", "b0.2", "b1.1", "b1.2"}
    for track in {event["tid"] for event in slices}:  # a Worker runs one at a time
        ours = sorted((event["ts"], event["ts"] + event["dur"]) for event in slices if event["tid"] == track)
        assert all(end <= begin + 0.01 for (_, end), (begin, _) in itertools.pairwise(ours))
