"""``--trace FILE``: a reader of the published format finds each Future on its Worker's row, flows, counters, losses."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from launching import Running, eventually, launch, write
from perfetto import Read

from fedfutures.futures.trace_slices import Tracks

pytestmark = pytest.mark.host

PROGRAM = """
    import os, signal, sys, time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    def fail(number):
        raise ValueError(number)

    def die_once(path):
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return 7

    if __name__ == "__main__":
        assert futures.submit(nap, 0.1).result() == 0.1
        several = [futures.submit(nap, 0.05) for _ in range(20)]
        failed = futures.submit(fail, 1)
        futures.wait([*several, failed])
        failed.exception()
        assert futures.submit(die_once, "died").result() == 7
        assert len(list(futures.map(nap, [0.01] * 30))) == 30
        if len(sys.argv) > 1:
            futures.submit(nap, 600.0).result()
"""


@pytest.mark.parametrize("name", ["run.json", "run.json.gz"])
def test_what_ran_where_and_when(name: str, tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--trace", name, "--log", "run.log", "prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    read = Read(tmp_path / name)
    assert read.processes[1] == "prog.py"
    workers = read.workers()
    slices = [one for found in workers.values() for one in found]
    log = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    of_log = [line for line in log if line["event"] == "future"]
    assert Counter(one.name for one in slices) == Counter(line["function"] for line in of_log)
    for worker, found in workers.items():
        logged = sum(line["seconds"] for line in of_log if line["worker"] == worker)
        assert sum(one.args["seconds"] for one in found) == pytest.approx(logged, abs=0.001)
        assert sum(one.end - one.begin for one in found) / 1e6 == pytest.approx(logged, rel=0.1, abs=0.02)
        assert {one.depth for one in found} == {0}
    assert max(one.end for one in slices) <= dict(read.instants)["end"] + 1_000.0
    naps = [one for one in slices if one.name == "nap"]
    assert min(one.end - one.begin for one in naps) >= 0.0099e6
    [failed] = [one for one in slices if one.name == "fail"]
    assert failed.args["outcome"] == "error"
    [again] = [one for one in slices if one.name == "die_once"]
    assert again.args["attempt"] == 2
    assert any("SIGKILL" in text for text, _ in read.instants)
    assert len(read.flows) == len(of_log)
    for number, names in read.flows.items():
        assert names[0] == f"submit {names[1]}", number
        assert names[2] == f"result of {names[1]}", number
    assert read.counters["done/Futures"][-1][1] == len(of_log)
    assert read.counters["given/Futures"][-1][1] == 0


NESTING = """
    import time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)
        return seconds

    def inner(number):
        return futures.submit(nap, 0.01).result()

    def outer(number):
        return sum(future.result() for future in [futures.submit(inner, n) for n in range(4)])

    if __name__ == "__main__":
        futures.wait([futures.submit(outer, number) for number in range(5)])
        assert len(list(futures.map(nap, [0.002] * 60, chunksize=20))) == 60
"""


def test_nested_calls_are_below_those_that_have_submitted_them(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", NESTING)
    assert launch("-n", "2", "--trace", "run.json", "prog.py", cwd=tmp_path).code == 0
    read = Read(tmp_path / "run.json")
    slices = [one for found in read.workers().values() for one in found]
    count = Counter(one.name for one in slices)
    assert count == {"outer": 5, "inner": 20, "nap": 20 + 3}
    within = [one for one in slices if "within" in one.args]
    assert {one.depth for one in within} <= {1, 2}
    assert Counter(one.name for one in within)["nap"] >= 10, "most run in the place of who waits for them"
    assert all("submitter" in one.args for one in slices if one.name == "inner" and "within" not in one.args)
    numbers = {one.args["number"] for one in slices if one.name == "outer"}
    for one in within:
        assert one.args["number"] in numbers or one.args["attempt"] == 1
    [*maps] = sorted((one.args["item"], one.args["items"]) for one in slices if "items" in one.args)
    assert maps == [(0, 20), (20, 20), (40, 20)]
    [end] = [event for event in read.events if event["name"] == "end"]
    assert end["args"]["nested_missing"] == 0
    report = launch("report", "run.json", cwd=tmp_path)
    assert report.out.startswith("prog.py: 8 Futures on 2 Workers"), report.out


CALLING_BACK = """
    import threading, time
    from fedfutures import futures

    def nap(seconds):
        time.sleep(seconds)

    if __name__ == "__main__":
        threads, until = set(), time.monotonic() + 2.0
        while time.monotonic() < until:
            several = [futures.submit(nap, 0.001) for _ in range(100)]
            for future in several:
                future.add_done_callback(lambda done: threads.add(threading.current_thread().name))
            time.sleep(0.05)
        print(sorted(threads - {"MainThread"}))
"""


def test_no_callback_of_the_program_runs_in_the_thread_that_writes(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", CALLING_BACK)
    often = """
        from fedfutures.futures import tracing

        tracing.EVERY_SECONDS, tracing.ASK_SECONDS = 0.005, 0.01
        """
    write(tmp_path / "sitecustomize.py", often)
    ended = launch("-n", "2", "--trace", "run.json", "prog.py", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 0, ended.err
    assert "fedfutures-trace" not in ended.out


@pytest.mark.skipif("PERFETTO_SHELL" not in os.environ, reason="no processor of Perfetto's (PERFETTO_SHELL)")
def test_perfettos_own_processor_counts_the_same(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    assert launch("-n", "2", "--trace", "run.json", "prog.py", cwd=tmp_path).code == 0
    query = write(tmp_path / "query.sql", "select count(*) from slice where name = 'nap';")
    command = [os.environ["PERFETTO_SHELL"], "-q", str(query), str(tmp_path / "run.json")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    slices = [one for rows in Read(tmp_path / "run.json").workers().values() for one in rows]
    assert found.stdout.split()[-1] == str(sum(one.name == "nap" for one in slices))


def test_the_file_of_a_run_that_was_killed_is_read(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    running = Running(["-n", "2", "--trace", "run.json", "prog.py", "wait"], cwd=tmp_path)
    file = tmp_path / "run.json"
    assert eventually(lambda: file.exists() and file.read_text().count('"nap"') > 30, 30.0)
    running.kill()
    running.process.communicate(timeout=30.0)
    assert sum(map(len, Read(file).workers().values())) > 20
    report = launch("report", "run.json", cwd=tmp_path)
    assert report.code == 0
    assert report.out.startswith("prog.py: ")


def test_a_file_has_a_bound(tmp_path: Path) -> None:
    write(
        tmp_path / "prog.py",
        """
        from fedfutures import futures

        if __name__ == "__main__":
            futures.wait([futures.submit(abs, number) for number in range(3900)])
        """,
    )
    write(
        tmp_path / "sitecustomize.py",
        """
        from fedfutures.futures import trace_slices

        trace_slices.SLICES_AT_FIRST, trace_slices.FLOWS_AT_FIRST = 500, 50
        """,
    )
    ended = launch("-n", "2", "--trace", "run.json", "prog.py", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 0, ended.err
    read = Read(tmp_path / "run.json")
    slices = sum(map(len, read.workers().values()))
    assert 1000 < slices < 1300
    assert len(read.flows) < 300
    [end] = [event for event in read.events if event["name"] == "end"]
    assert end["args"]["sampling"] == 8
    assert end["args"]["futures"] == 3900
    assert launch("report", "run.json", cwd=tmp_path).out.startswith("prog.py: 3,900 Futures on 2 Workers")


def test_a_disk_that_is_full_ends_the_trace_and_not_the_run(tmp_path: Path) -> None:
    write(tmp_path / "prog.py", PROGRAM)
    ended = launch("-n", "2", "--trace", "/dev/full", "prog.py", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "cannot be written: No space left on device" in ended.err


def test_slices_of_a_worker_come_one_after_the_other() -> None:
    written: list[dict[str, Any]] = []
    tracks = Tracks(written.append)
    assert tracks.of("h.1", "h") == tracks.of("h.1", "h") == (2, 1)
    assert tracks.of("h.2", "h") == (2, 2)
    assert tracks.of("k.1", "k") == (3, 3)
    assert tracks.of("h.1", "h", 1) == (2, 4)
    assert [event["args"]["name"] for event in written] == ["h", "h.1", "h.2", "k", "k.1", "h.1 (2)"]
