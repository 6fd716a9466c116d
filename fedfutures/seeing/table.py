"""The rows of ``fedfutures top``: what runs where, sorted and filtered, and rates between two pictures. Pure."""

from __future__ import annotations

import os
from typing import NamedTuple

from .. import sizes, times
from .picture import RunPicture, SeenWorker

ROWS_AT_MOST = 500
"""So many rows are shown; of a run with more Workers the first ones in the order that is chosen."""
COLUMNS = ("worker", "state", "for", "call", "place", "queued", "memory", "cpu")
ORDERS = ("time", "worker", "function", "memory", "cpu")
"""By what rows may be sorted: for how long it runs, the name of the Worker, the function, memory, processor time."""


class WorkerRow(NamedTuple):
    """A Worker, and what it runs."""

    worker: str
    state: str
    seconds: float | None
    call: str
    function: str
    place: str
    queued: int
    memory: int
    cpu: float | None  # processors that it uses now; None: not known yet
    submitter: str = ""
    future: int = 0

    def cells(self) -> tuple[str, ...]:
        """Return what is shown, by the columns."""
        return (
            self.worker, self.state, "" if self.seconds is None else times.shown(self.seconds), self.call, self.place,
            str(self.queued or ""), sizes.shown(self.memory) if self.memory else "",
            "" if self.cpu is None else f"{100 * self.cpu:.0f} %",
        )  # fmt: skip


class View(NamedTuple):
    """What of a run is shown."""

    order: str = ORDERS[0]
    wanted: str = ""  # only rows that have this somewhere


def head(picture: RunPicture) -> str:
    """Return a run in one line.

    >>> head(RunPicture("prog.py", 71, 125.0))
    'prog.py (pid 71), for 125 s: no Workers yet'
    """
    program = os.path.basename(picture.program) or "a program"
    begin = f"{program} (pid {picture.pid})" if picture.pid else program
    begin += "" if picture.seconds is None else f", for {times.shown(picture.seconds)}"
    workers, hosts = len(picture.workers), len(picture.hosts)
    if not workers:
        return f"{begin}: no Workers yet"
    where = f" on {hosts} hosts" if hosts > 1 else ""
    return f"{begin}: {workers:,} Worker{'s' * (workers != 1)}{where}, {picture.busy:,} busy"


def rows(
    picture: RunPicture, before: RunPicture | None, seconds: float, view: View, most: int = ROWS_AT_MOST
) -> list[WorkerRow]:  # fmt: skip
    """Return the rows of a picture, `most` of them; `before` is the one taken so many seconds before it."""
    found = [_row(picture, worker, before, seconds) for worker in picture.workers.values()]
    if view.wanted:
        wanted = view.wanted.lower()
        found = [row for row in found if any(wanted in cell.lower() for cell in row.cells())]
    return sorted(found, key=_KEYS[view.order])[:most]


_KEYS = {
    "time": lambda row: (row.seconds is None, -(row.seconds or 0.0), row.worker),
    "worker": lambda row: (row.worker.rpartition(".")[0], len(row.worker), row.worker),
    "function": lambda row: (row.function == "", row.function, -(row.seconds or 0.0)),
    "memory": lambda row: (-row.memory, row.worker),
    "cpu": lambda row: (-(row.cpu or 0.0), row.worker),
}


def _row(picture: RunPicture, worker: SeenWorker, before: RunPicture | None, seconds: float) -> WorkerRow:
    call = worker.calls[0] if worker.calls else None
    inner = worker.calls[-1] if worker.calls else None
    state = worker.doing or ("running" if call else "idle")
    if state == "running" and not worker.answers:
        state = "stuck?"
    old = None if before is None else before.workers.get(worker.name)
    cpu = None
    if old is not None and old.pid == worker.pid and seconds > 0.0 and worker.pid:
        cpu = max(0.0, worker.cpu - old.cpu) / seconds
    text = "" if call is None else f"{call.function} × {call.slice}: {call.text}" if call.slice > 1 else call.text
    place = "" if inner is None or inner.place is None else f"{os.path.basename(inner.place[0])}:{inner.place[1]}"
    return WorkerRow(
        worker.name, state, call.seconds if call else None, text, call.function if call else "", place, worker.queued,
        worker.memory, cpu, call.submitter if call else "", call.future if call else 0,
    )  # fmt: skip


def summary(picture: RunPicture, before: RunPicture | None, seconds: float) -> str:
    """Return how much is done, at which rate, and what waits, in a line.

    >>> summary(RunPicture(origin={"sums": {"futures": 30}, "given": 4, "queued": 2}), None, 0.0)
    '30 Futures done; 4 given, 2 wait in the program'
    """
    origin = picture.origin
    if origin is None:
        return "the program does not answer" if picture.workers else "no Workers yet"
    done, sums = _done(picture), origin.get("sums") or {}
    rate = (
        ""
        if before is None or before.origin is None or seconds <= 0.0
        else f", {max(0, done - _done(before)) / seconds:,.0f}/s"
    )
    bad = "".join(f", {sums[key]:,} {word}" for key, word in _BAD.items() if sums.get(key))
    waits = origin.get("queued", 0)
    waiting = f", {waits:,} wait{'s' * (waits == 1)} in the program" if waits else ""
    queued = sum(int(report.get("queued", 0)) for report in picture.brokers.values())
    at_brokers = f", {queued:,} of them at Brokers" if queued else ""
    return f"{done:,} Futures done{rate}{bad}; {origin.get('given', 0):,} given{at_brokers}{waiting}"


_BAD = {"failed": "failed", "lost": "lost", "cancelled": "cancelled", "retries": "run again"}


def _done(picture: RunPicture) -> int:
    sums = (picture.origin or {}).get("sums") or {}
    return int(sums.get("futures", 0))


def host_rows(picture: RunPicture) -> list[tuple[str, ...]]:
    """Return a row for each host: name, Workers, busy ones, memory of Workers, free memory, load, processors."""
    found: list[tuple[str, ...]] = []
    for host in sorted(picture.hosts.values(), key=lambda one: one.name):
        workers = [worker for worker in picture.workers.values() if worker.host == host.name]
        busy, used = sum(worker.is_busy for worker in workers), sum(worker.memory for worker in workers)
        if not host.answers:
            found.append((host.name, str(len(workers)), str(busy), "?", "?", "?", "?"))
            continue
        free = f"{sizes.shown(host.available)} of {sizes.shown(host.memory)}" if host.memory else "?"
        found.append(
            (host.name, str(len(workers)), str(busy), sizes.shown(used), free, f"{host.load:.1f}", str(host.processors))
        )
    return found


HOST_COLUMNS = ("host", "Workers", "busy", "memory of Workers", "free memory", "load", "processors")


def link_rows(picture: RunPicture) -> list[tuple[str, ...]]:
    """Return a row for each link: both Brokers, the round trip, and how many Futures and bytes went each way."""
    found: list[tuple[str, ...]] = []
    for name, report in sorted(picture.brokers.items()):
        for neighbour, link in sorted((report.get("links") or {}).items()):
            back = ((picture.brokers.get(neighbour) or {}).get("links") or {}).get(name)
            if back is not None and neighbour < name:
                continue  # it has stood from the other end
            there = "silent" if link["silent"] else times.shown(float(link["round_trip"]))
            moved = f"{int(link['given']):,}", "?" if back is None else f"{int(back['given']):,}"
            sent = sizes.shown(int(link["sent"])), "?" if back is None else sizes.shown(int(back["sent"]))
            found.append((name, neighbour, there, *moved, f"{int(link['there']):,}", *sent))
    return found


LINK_COLUMNS = (
    "Broker",
    "neighbour",
    "round trip",
    "Futures there",
    "and back",
    "there now",
    "sent there",
    "sent back",
)


def in_columns(head: tuple[str, ...], found: list[tuple[str, ...]]) -> list[str]:
    """Return rows as lines of text, below their head.

    >>> in_columns(("a", "b"), [("12", "x")])
    ['a   b', '12  x']
    """
    everything = [head, *found]
    widths = [max(map(len, column)) for column in zip(*everything)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in everything]


def page(picture: RunPicture, before: RunPicture | None, seconds: float, view: View) -> list[str]:
    """Return all of it as lines of text, where there is no terminal to draw in."""
    workers = [row.cells() for row in rows(picture, before, seconds, view)]
    return [
        head(picture), summary(picture, before, seconds), "", *in_columns(HOST_COLUMNS, host_rows(picture)), "",
        *in_columns(COLUMNS, workers),
    ]  # fmt: skip
