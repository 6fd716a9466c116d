"""A run as a timeline for https://ui.perfetto.dev or ``chrome://tracing``: a track for each Worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .observer import Listener


class Trace(Listener):
    """Events of the Trace Event Format; times in microseconds. A process is a host, a thread of it a Worker."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._hosts: dict[str, int] = {}
        self._tracks: dict[str, tuple[int, int]] = {}

    def on_run(self, now: float, worker: str, submitter: str, number: int, began: float) -> None:
        host, track = self._tracks.get(worker) or self._add(worker)
        self.events.append(
            {
                "name": f"{submitter}/{number}", "cat": "future", "ph": "X", "pid": host, "tid": track,
                "ts": round(began * 1e6, 3), "dur": round((now - began) * 1e6, 3),
            }
        )  # fmt: skip

    def _add(self, worker: str) -> tuple[int, int]:
        name = worker.rpartition(".")[0]
        if name not in self._hosts:
            self._hosts[name] = len(self._hosts) + 1
            self._name("process_name", self._hosts[name], 0, name)
        place = self._tracks[worker] = self._hosts[name], len(self._tracks) + 1
        self._name("thread_name", *place, worker)
        return place

    def _name(self, kind: str, host: int, track: int, name: str) -> None:
        self.events.append({"name": kind, "ph": "M", "pid": host, "tid": track, "args": {"name": name}})

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_text(json.dumps({"traceEvents": self.events, "displayTimeUnit": "ms"}), encoding="utf-8")
