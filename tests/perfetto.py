"""A reader of traces, written from the published Trace Event Format; it knows nothing of how ours are written.

Source: "Trace Event Format" (Google): the array form, whose closing bracket is optional; phases M, X, s, t, f, C, i.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple


class Slice(NamedTuple):
    """A complete event."""

    name: str
    begin: float
    end: float
    args: dict[str, Any]
    depth: int


class Read:
    """What a file says. Raises AssertionError where it is not as the format has it."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        is_whole = text.rstrip().endswith("]")
        self.events = events = parsed(text)
        self.processes: dict[int, str] = {}
        self.threads: dict[tuple[int, int], str] = {}
        self.counters: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.instants: list[tuple[str, float]] = []
        rows: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
        flows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for event in events:
            assert {"ph", "name", "pid", "tid"} <= event.keys(), event
            row = event["pid"], event["tid"]
            if event["ph"] == "M":
                (self.processes if event["name"] == "process_name" else self.threads)[
                    row[0] if event["name"] == "process_name" else row  # type: ignore[index]
                ] = event["args"]["name"]
                continue
            assert event["ts"] >= 0, event
            if event["ph"] == "X":
                assert event["dur"] >= 0, event
                rows[row].append(event)
            elif event["ph"] in "stf":
                flows[event["cat"], event["id"]].append(event)
            elif event["ph"] == "C":
                for series, value in event["args"].items():
                    assert isinstance(value, (int, float)), event
                    self.counters[f"{event['name']}/{series}"].append((event["ts"], value))
            else:
                assert event["ph"] == "i", event
                assert event["s"] in "gpt", event
                self.instants.append((event["name"], event["ts"]))
        self.rows = {row: nested(found) for row, found in rows.items()}
        whole = {number: found for number, found in flows.items() if is_whole or len(found) == 3}
        self.flows = {number: self._bound(sorted(found, key=_time_of)) for number, found in whole.items()}
        for found in self.counters.values():
            assert found == sorted(found, key=lambda one: one[0])

    def _bound(self, flow: list[dict[str, Any]]) -> list[str]:
        """Return the names of the slices that the steps of a flow are bound to."""
        assert [event["ph"] for event in flow] == ["s", "t", "f"], flow
        assert flow[-1].get("bp") == "e", "to the slice around it, not the next one"
        names: list[str] = []
        for event in flow:
            around = [
                one
                for one in self.rows[event["pid"], event["tid"]]
                if one.begin - 0.2 <= event["ts"] <= one.end + 0.2  # the file has tenths of microseconds
            ]
            assert around, f"no slice is around {event}"
            names.append(around[-1].name)
        return names

    def workers(self) -> dict[str, list[Slice]]:
        """Return the slices of each row that is no row of the program."""
        return {self.threads[row]: found for row, found in self.rows.items() if row[0] != 1}


def _time_of(event: dict[str, Any]) -> tuple[float, int]:
    return event["ts"], "stf".index(event["ph"])


def parsed(text: str) -> list[dict[str, Any]]:
    """Return the events of an array whose end may be missing."""
    try:
        found: list[dict[str, Any]] = json.loads(text)
    except ValueError:
        found = json.loads(text.rpartition(",\n")[0] + "]")
    return found


def nested(events: list[dict[str, Any]]) -> list[Slice]:
    """Return the slices of a row with their depths; each ends before the one around it does."""
    found: list[Slice] = []
    around: list[float] = []
    for event in sorted(events, key=lambda one: (one["ts"], -one["dur"])):
        begin, end = event["ts"], event["ts"] + event["dur"]
        while around and around[-1] <= begin + 0.2:
            around.pop()
        assert not around or end <= around[-1] + 0.2, f"{event} sticks out of the slice around it"
        found.append(Slice(event["name"], begin, end, event.get("args", {}), len(around)))
        around.append(end)
    return found
