"""``--trace FILE[.gz]``: what ran where and when, for Perfetto (https://ui.perfetto.dev) and ``fedfutures report``.

The format is the Trace Event Format of Chrome, which Perfetto reads: a process for each host with a thread for each
Worker, one for the program, slices, flows, counters and instants. Where slices are drawn, and how it is known when they
began, is told in :mod:`.trace_slices`.

Each event is a line, and the closing bracket may be missing, so the file of a run that was killed can be read, too. A
thread writes; who takes outcomes in only puts them aside. After :data:`.trace_slices.SLICES_AT_FIRST` slices every
second one is written, then every fourth and so on, so a file has a bound that grows with the logarithm of what ran;
``sampling`` in the file says so.

Source: "Trace Event Format" (Google), https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sys
import threading
import time
from collections import deque
from typing import IO, Any

from ..host.handle import Heard, HostEnded
from ..node import events as rules
from ..seeing.runs import unpacked
from ..wire.control import BrokerRestarted, WorkerEnded
from ..wire.manifest import HAS_SEGMENTS, segments_of
from ..wire.messages import RAN
from ..worker.future_fields import call_of
from .trace_slices import PROGRAM, TracedMessage, TraceSlices, event

EVERY_SECONDS = 0.25
END_SECONDS = 10.0
"""So long the end waits for the last lines to be written."""
ASK_SECONDS = 1.0
"""How often Workers are asked what they have run, and how long the answers may take."""


class RunTrace:
    """The trace of one run, of this program; `federation` has it. Raises OSError where the file cannot be written."""

    def __init__(self, federation: Any, path: str, program: str) -> None:
        self._federation, self._origin = federation, federation.origin
        self._file: IO[str] | None = _opened(path)
        self._began = time.monotonic()
        self._aside: deque[TracedMessage] = deque()
        self._instants: deque[tuple[float, str, str, str]] = deque()
        self._lines: list[str] = []
        self._submitted: dict[int, float] = {}  # when, by number, of those that have no outcome yet
        self._slices = TraceSlices(self._origin.name, self._lines, self._put, self._began)
        self._sent: dict[str, tuple[dict[str, int], float]] = {}  # bytes over each link of a Broker, and when
        self._over = threading.Event()
        self._begin(program)
        submissions = self._origin.submissions
        submissions.draw_numbers_by(map(self._note_submit, submissions.numbers))  # no generator: threads ask at once
        federation.counting.watch(self._on_outcomes)
        federation.listeners.append(self._on_heard)
        federation.at_close(self._end)
        self._writer = threading.Thread(target=self._write_on, name="fedfutures-trace", daemon=True)
        self._writer.start()

    def _begin(self, program: str) -> None:
        self._lines.append("[\n")
        for name, thread in ((os.path.basename(program) or "program", 0), ("submits", 1), ("takes in", 2)):
            what = "thread_name" if thread else "process_name"
            self._put({"ph": "M", "name": what, "pid": PROGRAM, "tid": thread, "args": {"name": name}})
        self._put(event("i", "begin", 0.0, PROGRAM, 0) | {"s": "g", "args": {"workers": self._origin.size}})

    def _note_submit(self, number: int) -> int:
        """A Future of this number is being submitted."""
        if self._file is not None:
            self._submitted[number] = self._now()
        return number

    # -- for those who take something in -----------------------------------------------------------------------------

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _on_outcomes(self, action: rules.Resolve, function: str) -> None:
        if self._file is None:
            return
        futures, none = self._origin.futures, (b"", b"")
        sizes, items = [], {}
        for number, outcome in zip(action.ids, action.outcomes):
            call, future = none, futures.get(number)
            if future is not None:
                call = call_of(future) or none
                if future.map_items is not None:
                    items[number] = future.map_items
            sizes.append((
                len(call[1]) if call[1][:1] not in HAS_SEGMENTS else self._size_of(call[1]),
                len(outcome) if outcome[:1] not in HAS_SEGMENTS else self._size_of(outcome),
            ))  # fmt: skip
        self._aside.append(
            TracedMessage(self._now(), function, list(action.ids), list(action.odd), action.facts, sizes, items)
        )

    def _size_of(self, payload: bytes) -> int:
        """Return how many bytes a pickled value has, with what is in segments."""
        segments = self._origin.payloads.segments
        return len(payload) + sum(int(segments.size(name)) for name in segments_of(payload))

    def _on_heard(self, frame: Heard) -> None:
        if isinstance(frame, WorkerEnded):
            self._instants.append((self._now(), f"Worker ended: {frame.status}", frame.worker, frame.host))
        elif isinstance(frame, BrokerRestarted):
            self._instants.append((self._now(), f"Broker {frame.broker} ended: {frame.status}", "", ""))
        elif isinstance(frame, HostEnded):
            self._instants.append((self._now(), f"host process ended: {frame.status}", "", ""))

    # -- the thread that writes --------------------------------------------------------------------------------------

    def _write_on(self) -> None:
        asked = self._began
        while not self._over.wait(EVERY_SECONDS):
            if time.monotonic() - asked >= ASK_SECONDS:
                with contextlib.suppress(Exception):  # what is written does not depend on it
                    self._ask()
                asked = time.monotonic()
            self._write()

    def _ask(self) -> None:
        """Ask Workers what they have run since they were asked last."""
        asked, submissions = time.monotonic(), self._origin.submissions
        came: dict[str, float] = {}
        answers, _ = submissions.ask(
            RAN, self._origin.name, 0, ASK_SECONDS, lambda name: came.setdefault(name, time.monotonic())
        )
        reports = [(name, came[name], unpacked(report)) for name, report in answers]
        self._slices.take_ran(asked, reports)
        for name, at, report in reports:
            if isinstance(report, dict) and report.get("role") == "broker":
                self._write_sent(name, at - self._began, report["sent"])

    def _write_sent(self, broker: str, at: float, sent: dict[str, int]) -> None:
        """Write how many bytes a second a Broker has sent over its links to other hosts, since it was asked last."""
        before, then = self._sent.get(broker, ({}, 0.0))
        self._sent[broker] = sent, at
        for neighbour, count in sent.items():
            rate = max(0, count - before.get(neighbour, 0)) / max(at - then, 1e-3)
            name = f"{broker} to {neighbour}"
            self._put({**event("C", name, at, PROGRAM, 0), "args": {"bytes per second": round(rate)}})

    def _write(self, *, at_end: bool = False) -> None:
        if self._file is None:
            return
        try:
            while self._aside:
                message = self._aside.popleft()
                self._slices.take(message, [self._submitted.pop(number, None) for number in message.ids])
            self._slices.settle(self._now(), at_end=at_end)
            while self._instants:
                at, text, worker, host = self._instants.popleft()
                row = self._slices.tracks.of(worker, host) if worker else (PROGRAM, 0)
                self._put(event("i", text, at, *row) | {"s": "t" if worker else "g"})
            self._write_counters()
            text = "".join(self._lines)
            self._lines.clear()
            self._file.write(text)
        except (OSError, ValueError) as error:
            self._file = None
            for kept in (self._submitted, self._lines, self._aside, self._instants):
                kept.clear()
            why = error.strerror if isinstance(error, OSError) else error
            print(f"fedfutures: the trace ends, for it cannot be written: {why}", file=sys.stderr)

    def _write_counters(self) -> None:
        origin = self._origin
        values = {
            "waits in the program": len(origin.own), "given": len(origin.futures), "done": self._slices.done,
            "wanted by the Broker": max(0, origin.machine.wanted()),
        }  # fmt: skip
        for name, value in values.items():
            self._put({**event("C", name, self._now(), PROGRAM, 0), "args": {"Futures": value}})

    def _put(self, event: dict[str, Any]) -> None:
        self._lines.append(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + ",\n")

    def _end(self) -> None:
        over = self._now()
        self._over.set()
        self._writer.join(END_SECONDS)
        if not self._writer.is_alive():  # else the file system takes nothing now
            self._ask()
            self._write(at_end=True)
        file = self._file
        if file is None or self._writer.is_alive():
            return
        report = self._federation.counting.report(self._federation.size)
        sums = {name: report[name] for name in ("futures", "failed", "lost", "cancelled", "retries", "busy")}
        more = {"sampling": self._slices.stride, "nested_missing": self._slices.missing_nested}
        end = event("i", "end", over, PROGRAM, 0) | {"s": "g", "args": {**sums, **more}}
        with contextlib.suppress(OSError, ValueError):
            file.write(json.dumps(end) + "\n]\n")
            file.close()
        self._file = None


def _opened(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return gzip.open(path, "wt", encoding="utf-8", errors="backslashreplace", compresslevel=3)
    return open(path, "w", encoding="utf-8", errors="backslashreplace")
