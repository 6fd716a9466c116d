"""What it costs a run of 1 ms Futures that somebody looks: trace, log, ``top`` and the page.

The peer of each row is the same run that nobody looks at. The run with a page begins to compute when that is there, and
somebody asks it every second for all that a browser draws.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

from benchmarks.model import Bar, Contestant, Figure, Metrics, Row, metric

WORKERS = 2
FUTURES = 8000
PROGRAM = Path(__file__).parents[1] / "programs" / "seeing.py"
TRACE_MOST, ASKED_MOST, PAGE_MOST = 1.03, 1.02, 1.02
PROCESSES_START_SECONDS = 3.0


def measure(way: str, futures: int) -> Metrics:
    """The seconds of a run, by its own clock."""
    with tempfile.TemporaryDirectory() as directory:
        options = [f"--{way}={directory}/file"] if way in ("trace", "log") else []
        options += ["--page"] if way == "page" else []
        wait = str(PROCESSES_START_SECONDS if way == "page" else 0.0)
        command = [
            sys.executable,
            "-m",
            "fedfutures",
            "-q",
            "-n",
            str(WORKERS),
            *options,
            str(PROGRAM),
            str(futures),
            wait,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            over = threading.Event()
            asker = threading.Thread(target=_LOOKS.get(way, lambda process, over: None), args=(process, over))
            asker.start()
            assert process.stdout is not None
            out = process.stdout.read()
            over.set()
            asker.join()
    return {"seconds": float(out)}


def _look_at_page(process: subprocess.Popen[str], over: threading.Event) -> None:
    """Ask the page's server as a browser does."""
    assert process.stderr is not None
    found = re.search(r"http://(\S+?)(/\S+)", process.stderr.readline())
    assert found is not None
    connection = http.client.HTTPConnection(found[1], timeout=10.0)

    def get(path: str, **headers: str) -> str:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().read().decode()

    facts = re.search(r'id="facts">(\{.*?\})<', get(found[2]))
    assert facts is not None
    token = f"Bearer {json.loads(facts[1])['token']}"
    while not over.wait(1.0):
        try:
            seconds = json.loads(get("/api/run", Authorization=token))["seconds"]
            get(f"/api/spans?begin={max(0.0, seconds - 30.0)}&end={seconds}&columns=1000&rows=40", Authorization=token)
        except (OSError, http.client.HTTPException):
            return


def _ask(process: subprocess.Popen[str], over: threading.Event) -> None:
    """Ask as ``fedfutures top`` does."""
    from fedfutures.errors import StartFailed
    from fedfutures.seeing.runs import chosen, runs, seen

    path = ""
    while not over.wait(1.0):
        try:
            if not path:
                found = chosen(runs(), str(process.pid))
                path = found[0].path if found else ""
            else:
                seen(path)
        except StartFailed:
            return


_LOOKS = {"asked": _ask, "page": _look_at_page}


def figure(quick: bool) -> Figure:
    """The same program each time."""
    ways = ("nobody looks", "trace", "log", "asked", "page")
    contestants = {way: Contestant(partial(measure, way, FUTURES)) for way in ways}
    labels = (("trace", "with --trace", TRACE_MOST), ("log", "with --log", TRACE_MOST),
              ("asked", "asked every second", ASKED_MOST),
              ("page", "page looked at", PAGE_MOST))  # fmt: skip
    rows = [
        Row(
            f"{FUTURES:,} Futures of 1 ms, {label}", "s", metric(way, "seconds"),
            metric("nobody looks", "seconds"), "nobody looks", Bar("≤", most, "peer"),
        )
        for way, label, most in labels
    ]  # fmt: skip
    return Figure("seeing", contestants, rows)
