"""``--trace FILE[.gz]``: what ran where and when, for Perfetto (https://ui.perfetto.dev) and ``fedfutures report``.

The format is the Trace Event Format of Chrome, which Perfetto reads: a process for each host with a thread for each
Worker, one for the program, slices, flows, counters and instants. Workers write nothing down for it: their names and
the seconds of each Future come with its outcome, so a slice ends when that has arrived, or before the next one of its
Worker begins. Results of short Futures travel together; those of one Worker are at most some 75 ms late. Durations are
those that were measured on the Workers.

Each event is a line, and the closing bracket may be missing, so the file of a run that was killed can be read, too. A
thread writes; who takes outcomes in only puts them aside. After :data:`SLICES_AT_FIRST` slices every second one is
written, then every fourth and so on, so a file has a bound that grows with the logarithm of what ran; ``sampling`` in
the file says so.

Source: "Trace Event Format" (Google), https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Any, NamedTuple

from ..host.handle import Heard, HostEnded
from ..node import events as rules
from ..seeing.spans import WorkerTimes
from ..wire.control import BrokerRestarted, WorkerEnded
from ..wire.facts import blocks, names_of
from ..wire.manifest import HAS_SEGMENTS, segments_of
from ..wire.messages import KINDS, VALUE, WITH_OUTPUT
from ..worker.future_fields import call_of

EVERY_SECONDS = 0.25
END_SECONDS = 10.0
"""So long the end waits for the last lines to be written."""
SLICES_AT_FIRST = 250_000
FLOWS_AT_FIRST = 2_000
PROGRAM = 1
"""The process number of the program in the file; hosts follow."""
_MICRO = 1e6
_TAKEN_IN, _ROOM = "\0taken in", 2e-6
"""The row of outcomes, and how far apart they are at least: a slice has some room."""


class TracedMessage(NamedTuple):
    """Outcomes of one message, as they were put aside."""

    at: float
    function: str
    ids: list[int]
    odd: list[tuple[int, int]]
    facts: bytes
    sizes: list[tuple[int, int]]  # bytes of the arguments, and of the outcome


class Tracks:
    """The rows of the file: the numbers of hosts and Workers."""

    def __init__(self, write: Callable[[dict[str, Any]], object]) -> None:
        self._write = write
        self._hosts: dict[str, int] = {}
        self._workers: dict[str, tuple[int, int]] = {}

    def of(self, worker: str, host: str) -> tuple[int, int]:
        """Return the numbers of a Worker's row; a new one is named."""
        found = self._workers.get(worker)
        if found is None:
            process = self._hosts.get(host)
            if process is None:
                process = self._hosts[host] = PROGRAM + 1 + len(self._hosts)
                self._name("process_name", process, 0, host or "no host")
            found = self._workers[worker] = process, len(self._workers) + 1
            self._name("thread_name", *found, worker)
        return found

    def _name(self, what: str, process: int, thread: int, name: str) -> None:
        self._write({"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}})


class RunTrace:
    """The trace of one run, of this program; `federation` has it. Raises OSError where the file cannot be written."""

    def __init__(self, federation: Any, path: str, program: str) -> None:
        self._federation, self._origin = federation, federation.origin
        self._file: IO[str] | None = _opened(path)
        self._began = time.perf_counter()
        self._aside: deque[TracedMessage] = deque()
        self._instants: deque[tuple[float, str, str, str]] = deque()
        self._lines: list[str] = []
        self._submitted: dict[int, float] = {}  # when, by number, of those that have no outcome yet
        self._count = self._flows = self._done = 0
        self._stride = self._flow_stride = 1
        self._tracks, self._times = Tracks(self._put), WorkerTimes()
        self._over = threading.Event()
        self._names = functools.lru_cache(1000)(functools.partial(json.dumps, ensure_ascii=False))
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
        self._put(self._event("i", "begin", 0.0, PROGRAM, 0) | {"s": "g", "args": {"workers": self._origin.size}})

    def _note_submit(self, number: int) -> int:
        """A Future of this number is being submitted."""
        if self._file is not None:
            self._submitted[number] = time.perf_counter() - self._began
        return number

    # -- for those who take something in -----------------------------------------------------------------------------

    def _now(self) -> float:
        return time.perf_counter() - self._began

    def _on_outcomes(self, action: rules.Resolve, function: str) -> None:
        if self._file is None:
            return
        futures, none = self._origin.futures, (b"", b"")
        calls = [none if (future := futures.get(number)) is None else call_of(future) or none for number in action.ids]
        sizes = [
            (len(call[1]) if call[1][:1] not in HAS_SEGMENTS else self._size_of(call[1]),
             len(outcome) if outcome[:1] not in HAS_SEGMENTS else self._size_of(outcome))
            for call, outcome in zip(calls, action.outcomes)
        ]  # fmt: skip
        self._aside.append(
            TracedMessage(self._now(), function, list(action.ids), list(action.odd), action.facts, sizes)
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
        while not self._over.wait(EVERY_SECONDS):
            self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            while self._aside:
                self._write_message(self._aside.popleft())
            while self._instants:
                at, text, worker, host = self._instants.popleft()
                row = self._tracks.of(worker, host) if worker else (PROGRAM, 0)
                self._put(self._event("i", text, at, *row) | {"s": "t" if worker else "g"})
            self._write_counters()
            lines, self._lines = self._lines, []
            self._file.write("".join(lines))
        except (OSError, ValueError) as error:
            self._file = None
            for kept in (self._submitted, self._lines, self._aside, self._instants):
                kept.clear()
            why = error.strerror if isinstance(error, OSError) else error
            print(f"fedfutures: the trace ends, for it cannot be written: {why}", file=sys.stderr)

    def _write_message(self, message: TracedMessage) -> None:
        """Write the slices of a message. Texts are put together by hand: there may be a million."""
        kinds = dict(message.odd)
        submitted = [self._submitted.pop(number, None) for number in message.ids]
        futures = iter(zip(message.ids, submitted, message.sizes))
        function, lines = self._names(message.function), self._lines
        self._done += len(message.ids)
        for name, attempts, all_seconds in blocks(message.facts, len(message.ids)):
            worker, host = names_of(name)
            spans = self._times.place(worker, [max(0.0, one) for one in all_seconds], message.at)
            row = self._tracks.of(worker, host) if name else (PROGRAM, 0)
            for (begin, end), (number, when, (arguments, result)) in zip(spans, futures):
                self._count += 1
                if self._count >= SLICES_AT_FIRST * self._stride:
                    self._stride *= 2
                if not name or self._count % self._stride:
                    continue
                kind, waited = kinds.get(number, VALUE), -1.0 if when is None else begin - when
                outcome = "" if kind in (VALUE, WITH_OUTPUT) else f',"outcome":"{KINDS[kind]}"'
                lines.append(
                    f'{{"ph":"X","name":{function},"ts":{begin * _MICRO:.1f},"dur":{(end - begin) * _MICRO:.1f},'
                    f'"pid":{row[0]},"tid":{row[1]},"args":{{"number":{number},"attempt":{attempts},'
                    f'"waited":{waited:.6f},"bytes":{arguments},"result_bytes":{result}{outcome}}}}},\n'
                )
                if waited >= 0.0 and not self._count % self._flow_stride:
                    self._write_flow(message.function, number, row, (begin - waited, begin, max(message.at, end)))

    def _write_flow(
        self, function: str, number: int, row: tuple[int, int], times: tuple[float, float, float]
    ) -> None:  # fmt: skip
        """Write the arrows of a Future: from its submit to where it begins to where its outcome is taken in."""
        self._flows += 1
        if self._flows >= FLOWS_AT_FIRST:
            self._flows, self._flow_stride = 0, 4 * self._flow_stride
        submitted, begin, taken = times
        [(taken, _)] = self._times.place(_TAKEN_IN, [_ROOM], taken + _ROOM)
        for phase, moment, (process, thread), name in (
            ("s", submitted, (PROGRAM, 1), f"submit {function}"), ("t", begin, row, ""),
            ("f", taken, (PROGRAM, 2), f"result of {function}"),
        ):  # fmt: skip
            if name:  # a flow binds to a slice
                self._put({**self._event("X", name, moment, process, thread), "dur": 1, "args": {"number": number}})
            flow = {**self._event(phase, "Future", moment, process, thread), "id": number, "cat": "future"}
            self._put(flow | ({"bp": "e"} if phase == "f" else {}))

    def _write_counters(self) -> None:
        origin = self._origin
        values = {
            "waits in the program": len(origin.own), "given": len(origin.futures), "done": self._done,
            "wanted by the Broker": max(0, origin.machine.wanted()),
        }  # fmt: skip
        for name, value in values.items():
            self._put({**self._event("C", name, self._now(), PROGRAM, 0), "args": {"Futures": value}})

    def _event(self, phase: str, name: str, at: float, process: int, thread: int) -> dict[str, Any]:
        return {"ph": phase, "name": name, "ts": _micro(at), "pid": process, "tid": thread}

    def _put(self, event: dict[str, Any]) -> None:
        self._lines.append(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + ",\n")

    def _end(self) -> None:
        over = self._now()
        self._over.set()
        self._writer.join(END_SECONDS)
        if not self._writer.is_alive():  # else the file system takes nothing now
            self._write()
        file = self._file
        if file is None or self._writer.is_alive():
            return
        report = self._federation.counting.report(self._federation.size)
        sums = {name: report[name] for name in ("futures", "failed", "lost", "cancelled", "retries", "busy")}
        end = self._event("i", "end", over, PROGRAM, 0) | {"s": "g", "args": {**sums, "sampling": self._stride}}
        with contextlib.suppress(OSError, ValueError):
            file.write(json.dumps(end) + "\n]\n")
            file.close()
        self._file = None


def _micro(seconds: float) -> float:
    return round(seconds * _MICRO, 1)


def _opened(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return gzip.open(path, "wt", encoding="utf-8", errors="backslashreplace", compresslevel=3)
    return open(path, "w", encoding="utf-8", errors="backslashreplace")
