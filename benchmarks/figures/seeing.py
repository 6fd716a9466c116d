"""What it costs a run of 1 ms Futures that somebody looks: with a trace, a log, and asked every second as by ``top``.

The peer of each row is the same run that nobody looks at.
"""

from __future__ import annotations

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
TRACE_MOST, ASKED_MOST = 1.03, 1.02


def measure(way: str, futures: int) -> Metrics:
    """The seconds of a run, by its own clock."""
    with tempfile.TemporaryDirectory() as directory:
        options = [f"--{way}={directory}/file"] if way in ("trace", "log") else []
        command = [sys.executable, "-m", "fedfutures", "-n", str(WORKERS), *options, str(PROGRAM), str(futures)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            over = threading.Event()
            asker = threading.Thread(target=_ask, args=(process.pid, over))
            if way == "asked":
                asker.start()
            out, _ = process.communicate()
            over.set()
            if way == "asked":
                asker.join()
    return {"seconds": float(out)}


def _ask(pid: int, over: threading.Event) -> None:
    """Ask as ``fedfutures top`` does."""
    from fedfutures.errors import StartFailed
    from fedfutures.seeing.runs import chosen, runs, seen

    path = ""
    while not over.wait(1.0):
        try:
            if not path:
                found = chosen(runs(), str(pid))
                path = found[0].path if found else ""
            else:
                seen(path)
        except StartFailed:
            return


def figure(quick: bool) -> Figure:
    """The same program each time."""
    ways = ("nobody looks", "trace", "log", "asked")
    contestants = {way: Contestant(partial(measure, way, FUTURES)) for way in ways}
    labels = (("trace", "with --trace", TRACE_MOST), ("log", "with --log", TRACE_MOST),
              ("asked", "asked every second", ASKED_MOST))  # fmt: skip
    rows = [
        Row(
            f"{FUTURES:,} Futures of 1 ms, {label}", "s", metric(way, "seconds"),
            metric("nobody looks", "seconds"), "nobody looks", Bar("≤", most, "peer"),
        )
        for way, label, most in labels
    ]  # fmt: skip
    return Figure("seeing", contestants, rows)
