"""``--log FILE``: what has happened in a run, one JSON object a line, as it happens.

Written are the beginning and the end of the run, Futures that have an outcome, and Workers, Brokers and host processes
that have ended too early, with the cause. Times are seconds since 1970 by the clock of the program's machine. Each line
is written at once, so the file is whole up to a crash; a disk that is full ends the log, and not the run.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from ..host.handle import Heard, HostEnded, HostGone
from ..node import events as rules
from ..wire.control import BrokerGivenUp, BrokerRestarted, Notice, NoWorkersLeft, RunPlanned, WorkerEnded
from ..wire.facts import blocks, names_of
from ..wire.messages import KINDS, VALUE, WITH_OUTPUT

_FIELDS: dict[type, tuple[str, tuple[str, ...]]] = {
    WorkerEnded: ("worker ended", ("worker", "host", "status")),
    BrokerRestarted: ("broker restarted", ("broker", "status")),
    BrokerGivenUp: ("broker given up", ("reason",)),
    NoWorkersLeft: ("no workers left", ("reason",)),
    RunPlanned: ("hosts", ("hosts",)),
    Notice: ("notice", ("text",)),
    HostEnded: ("host process ended", ("status",)),
    HostGone: ("host process gone", ("why", "what")),
}
"""What is heard of processes: its name in the log, and which of its fields are written."""


class RunLog:
    """The log of one run, of this program; `federation` has it."""

    def __init__(self, federation: Any, path: str, program: str) -> None:
        self._federation = federation
        self._file: Any = open(path, "w", encoding="utf-8", errors="surrogateescape", buffering=1)  # noqa: SIM115
        self._say("begin", program=program, pid=os.getpid(), hosts=federation.hosts)
        federation.counting.watch(self.on_outcomes)
        federation.listeners.append(self.on_heard)
        federation.at_close(self._end)

    def on_outcomes(self, action: rules.Resolve, function: str) -> None:
        """Futures of one function have outcomes. The lock of the node is held."""
        kinds, numbers = dict(action.odd), iter(action.ids)
        unknown = [(b"", 0, (-1.0,) * len(action.ids))]
        for name, attempts, all_seconds in blocks(action.facts, len(action.ids)) or unknown:
            worker, host = names_of(name)
            for seconds, number in zip(all_seconds, numbers):
                kind = kinds.get(number, VALUE)
                self._say(
                    "future", function=function, future=number, outcome=KINDS[VALUE if kind == WITH_OUTPUT else kind],
                    worker=worker or None, host=host or None, attempts=attempts or None,
                    seconds=round(seconds, 6) if seconds >= 0.0 else None,
                )  # fmt: skip

    def on_heard(self, frame: Heard) -> None:
        """A process says something, or has ended."""
        if (found := _FIELDS.get(type(frame))) is not None:
            event, fields = found
            self._say(event, **{name: getattr(frame, name) for name in fields})

    def _end(self) -> None:
        report = self._federation.counting.report(self._federation.size)
        totals = ("futures", "failed", "lost", "cancelled", "retries", "seconds", "busy")
        self._say("end", **{name: report[name] for name in totals})
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _say(self, event: str, **fields: Any) -> None:
        if self._file is None:
            return
        line = json.dumps({"time": round(time.time(), 6), "event": event, **fields}, ensure_ascii=False)
        try:
            self._file.write(line + "\n")
        except OSError as error:
            self._file = None
            print(f"fedfutures: the log ends, for it cannot be written: {error.strerror}", file=sys.stderr)
