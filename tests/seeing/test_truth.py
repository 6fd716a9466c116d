"""What is shown is true: on three hosts, what calls have written down themselves is what all views say.

The page's figures are taken where its server has them; what a browser draws of them is in tests/browser.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hosts.ground import Ground
from launching import eventually, launch
from perfetto import Read

from fedfutures.seeing.runs import chosen, runs
from fedfutures_launcher.page.feed import PageFeed

pytestmark = pytest.mark.host

SECONDS = 30.0
PROGRAM = """
import os, sys, time
from fedfutures import futures, worker

OUTSIDE = sys.argv[1]

def nap(number):
    begin = time.time()
    time.sleep(0.02 + number % 5 / 100)
    with open(os.path.join(OUTSIDE, worker.name), "a") as file:  # each Worker has a file of its own
        file.write(f"{number} {time.time() - begin}\\n")
    return number

if __name__ == "__main__":
    while not os.path.exists(OUTSIDE + ".begin"):
        time.sleep(0.01)
    several = [futures.submit(nap, number) for number in range(240)]
    futures.wait(several)
    sys.stdout.write("done\\n")
    sys.stdout.flush()
    while not os.path.exists(OUTSIDE + ".go"):
        time.sleep(0.01)
"""


def test_log_trace_and_status_agree_with_what_calls_write_down_themselves(rootless, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    ground = Ground(rootless, ["h1", "h2", "h3"], str(tmp_path), "paramiko")
    files = [str(tmp_path / name) for name in ("run.log", "run.json", "stats.json")]
    words = [f"--{option}={file}" for option, file in zip(("log", "trace", "stats"), files)]
    running = ground.start("-n", "6", *words, ground.write("prog.py", PROGRAM), str(outside))
    try:
        assert running.stdout is not None
        assert eventually(lambda: bool(chosen(runs(), str(running.pid))), SECONDS)
        page = PageFeed(chosen(runs(), str(running.pid))[0].path)
        page.start()
        assert eventually(lambda: page.state.news_seconds is not None, SECONDS)
        outside.with_suffix(".begin").touch()
        assert running.stdout.readline() == "done\n"
        assert eventually(lambda: page.state.shown_run()["sums"]["futures"] == 240, SECONDS)
        shown = page.state.shown_run()
        status = launch("status", str(running.pid)).out
    finally:
        outside.with_suffix(".go").touch()
        ended = ground.finish(running)
    assert ended.code == 0, ended.err

    counts: dict[str, int] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    for file in outside.iterdir():
        for line in file.read_text().splitlines():
            counts[file.name] += 1
            seconds[file.name] += float(line.split()[1])
    assert sum(counts.values()) == 240
    assert {name.partition(".")[0] for name in counts} == {"h1", "h2", "h3"}

    log = [json.loads(line) for line in Path(files[0]).read_text().splitlines()]
    of_log = [line for line in log if line["event"] == "future"]
    assert Counter(line["worker"] for line in of_log) == counts
    rows = Read(Path(files[1])).workers()
    assert {worker: len(found) for worker, found in rows.items()} == counts
    stats = json.loads(Path(files[2]).read_text())
    assert {worker: found["futures"] for worker, found in stats["workers"].items()} == counts
    of_page = {worker: sum(span.count for span in row) for worker, row in page.state.spans.rows.items()}
    assert of_page == counts
    assert [(one["name"], one["futures"], one["failed"]) for one in shown["functions"]] == [("nap", 240, 0)]
    workers = {one["host"]: one["Workers"] for one in shown["hosts"] if one["Workers"] != "0"}
    assert workers == {"h1": "2", "h2": "2", "h3": "2"}, "and the machine that has none"
    for worker, took in seconds.items():
        traced = sum(one.end - one.begin for one in rows[worker]) / 1e6
        drawn = sum(span.busy for span in page.state.spans.rows[worker])
        for said in (traced, drawn, stats["workers"][worker]["seconds"]):
            assert took <= said + 0.001
            assert said <= took + 0.02 * counts[worker] + 0.2, "loading and sending what they are given counts, too"
    assert re.search(r"^  240 Futures done; 0 given", status, re.M), status
    assert all(re.search(rf"^  {host} +2 +0 ", status, re.M) for host in ("h1", "h2", "h3")), status
    moved = sum(line["futures"] for line in log if line["event"] == "moved")
    away = sum(count for worker, count in counts.items() if not worker.startswith("h1."))
    assert moved == 0 or moved >= away / 2, "they were asked for at intervals; the last ones may be missing"
