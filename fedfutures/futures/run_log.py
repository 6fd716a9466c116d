"""``--log FILE``: what has happened in a run, one JSON object a line, as it happens.

Written are the beginning and the end of the run, Futures that have an outcome, Workers, Brokers and host processes that
have ended too early, with the cause, and how many Futures Brokers have given each other. Times are seconds since 1970
by the clock of the program's machine. Each line is written at once, so the file is whole up to a crash; a disk that is
full ends the log, and not the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import Any

from ..host.handle import Heard, HostEnded, HostGone
from ..node import events as rules
from ..seeing.picture import RunPicture, picture_of
from ..seeing.runs import unpacked
from ..wire.control import BrokerGivenUp, BrokerRestarted, Notice, NoWorkersLeft, RunPlanned, WorkerEnded
from ..wire.facts import blocks, names_of
from ..wire.messages import KINDS, STATUS, VALUE, WITH_OUTPUT

LOOK_SECONDS = 2.0
"""How often Brokers are asked what they have given each other."""
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
        self._file: Any = open(path, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
        self._say("begin", program=program, pid=os.getpid(), hosts=federation.hosts)
        federation.counting.watch(self.on_outcomes)
        federation.listeners.append(self.on_heard)
        federation.at_close(self._end)
        self._moved: dict[tuple[str, str], int] = {}
        self._over = threading.Event()
        if len(federation.hosts) > 1:
            threading.Thread(target=self._look, name="fedfutures-log", daemon=True).start()

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

    def _look(self) -> None:
        """Note every now and then what Brokers have given each other since; in a thread of its own."""
        origin = self._federation.origin
        while not self._over.wait(LOOK_SECONDS):
            answers, _ = origin.submissions.ask(STATUS, "", 0, LOOK_SECONDS / 2)
            self._note_moves(picture_of((name, unpacked(report)) for name, report in answers))

    def _note_moves(self, picture: RunPicture) -> None:
        for broker, report in picture.brokers.items():
            for neighbour, link in (report.get("links") or {}).items():
                given, before = int(link["given"]), self._moved.get((broker, neighbour), 0)
                if given > before:
                    cause = "idle Workers there" if link["idle"] else "room there"
                    self._say("moved", broker=broker, to=neighbour, futures=given - before, cause=cause)
                self._moved[broker, neighbour] = given

    def _end(self) -> None:
        self._over.set()
        report = self._federation.counting.report(self._federation.size)
        totals = ("futures", "failed", "lost", "cancelled", "retries", "seconds", "busy")
        self._say("end", **{name: report[name] for name in totals})
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _say(self, event: str, **fields: Any) -> None:
        file = self._file
        if file is None:
            return
        line = json.dumps({"time": round(time.time(), 6), "event": event, **fields}, ensure_ascii=False)
        try:
            file.write(line + "\n")
        except (OSError, ValueError) as error:
            if self._file is not None:  # else another thread has closed it, or has said this
                self._file = None
                why = error.strerror if isinstance(error, OSError) else error
                print(f"fedfutures: the log ends, for it cannot be written: {why}", file=sys.stderr)
