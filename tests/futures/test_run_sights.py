"""What the program says of its run when it is asked: where it is, what is open, maps, and what it has got back."""

from __future__ import annotations

import os
import time

from nodes import node_of

import fedfutures
from fedfutures import Executor


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_the_program_says_where_it_is_and_what_is_open() -> None:
    with Executor(1) as executor:
        node = node_of(executor)
        futures = [executor.submit(nap, 0.05) for _ in range(3)]
        results = executor.map(nap, [0.01] * 30, chunksize=3)
        report = node.sights.report("status")
        assert (report["role"], report["pid"]) == ("origin", os.getpid())
        assert report["where"]["inside"] == "test_the_program_says_where_it_is_and_what_is_open"
        assert report["given"] + report["queued"] >= 3
        [of_map] = report["maps"]
        assert (of_map["name"], of_map["total"]) == ("nap", 30)
        assert of_map["done"] < 30
        assert len(list(results)) == 30
        assert [future.result() for future in futures] == [0.05] * 3
        report = node.sights.report("status")
        assert (report["maps"], report["given"], report["queued"]) == ([], 0, 0)
        assert report["sums"]["functions"]["nap"]["futures"] == 3 + 10, "three, and ten slices"


def test_explain_says_what_takes_long_in_the_run_and_where_a_future_is() -> None:
    assert "no Federation" in fedfutures.explain() or "Worker" in fedfutures.explain()
    with Executor(1) as executor:
        future = executor.submit(nap, 60.0)
        while not future.running():
            time.sleep(0.01)
        said = fedfutures.explain()
        assert "nap(seconds=60.0) has run on " in said
        assert "The program itself is in test_run_sights.py:" in said
        of_future = fedfutures.explain(future).splitlines()
        assert future.cancel(running=True)
    [line] = [line for line in of_future if line.startswith("nap(seconds=60.0) has run on ")]
    assert "in test_run_sights.py:" in line
    stack = [line.strip() for line in of_future[of_future.index(line) + 1 :]]
    assert any(f'File "{__file__}"' in line and "in nap" in line for line in stack), of_future
