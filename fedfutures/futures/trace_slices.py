"""The slices of a trace: where each Future is drawn, and when.

With its outcome comes on which Worker a Future has run, and for how long; when exactly, and which nested calls it has
made, the Worker says a little later (:mod:`..worker.recorder`). So what has an outcome waits for that. Where nothing is
said, as by a Worker that has died, a slice ends when its outcome has come, or before the next one of its Worker begins.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ..seeing.ran import RanAnswer, RanAnswers
from ..seeing.rows import WorkerRows, nest
from ..seeing.spans import WorkerTimes
from ..wire.facts import blocks, names_of
from ..wire.messages import KINDS, VALUE, WITH_OUTPUT
from ..wire.names import host_of_node
from ..wire.ran import RanCall

SLICES_AT_FIRST = 250_000
FLOWS_AT_FIRST = 2_000
LATE_SECONDS = 3.0
"""So long an outcome waits for what its Worker says."""
FORGOTTEN_SECONDS = 20.0
CALLS_AT_MOST = 200_000
"""So many calls are kept whose Future has no outcome yet."""
PROGRAM = 1
"""The process number of the program in the file; hosts follow."""
_MICRO, _TENTHS = 1e6, 1e7
_ROOM = 2e-6
"""So far apart are outcomes in their row, at least: each is a slice of a microsecond."""
Put = Callable[[dict[str, Any]], object]
"""Writes an event."""
FutureKey = tuple[str, str, int, int]
"""A Future at its Worker: that, its submitter, its number there, and the attempt."""


class TracedMessage(NamedTuple):
    """Outcomes of one message, as they were put aside."""

    at: float  # seconds since the run began
    function: str
    ids: list[int]
    odd: list[tuple[int, int]]
    facts: bytes
    sizes: list[tuple[int, int]]  # bytes of the arguments, and of the outcome
    items: dict[int, tuple[int, int]]  # of slices of maps: the first item, and how many they are


class TracedFuture(NamedTuple):
    """A Future that has an outcome and is not drawn yet."""

    at: float
    function: str
    seconds: float
    submitted: float  # -1.0: not known
    said: str  # of its outcome, and more, as text of the file
    has_flow: bool


def event(phase: str, name: str, at: float, process: int, thread: int) -> dict[str, Any]:
    """Return an event at a time in seconds."""
    return {"ph": phase, "name": name, "ts": round(at * _MICRO, 1), "pid": process, "tid": thread}


class Tracks:
    """The rows of the file: the numbers of hosts and Workers."""

    def __init__(self, write: Put) -> None:
        self._write = write
        self._hosts: dict[str, int] = {}
        self._workers: dict[tuple[str, int], tuple[int, int]] = {}

    def of(self, worker: str, host: str, row: int = 0) -> tuple[int, int]:
        """Return the numbers of a Worker's row; a new one is named."""
        found = self._workers.get((worker, row))
        if found is None:
            process = self._hosts.get(host)
            if process is None:
                process = self._hosts[host] = PROGRAM + 1 + len(self._hosts)
                self._name("process_name", process, 0, {"name": host or "no host"})
            found = self._workers[worker, row] = process, len(self._workers) + 1
            self._name("thread_name", *found, {"name": f"{worker} ({row + 1})" if row else worker, "worker": worker})
        return found

    def _name(self, what: str, process: int, thread: int, args: dict[str, str]) -> None:
        self._write({"ph": "M", "name": what, "pid": process, "tid": thread, "args": args})


class TraceSlices:
    """Writes the slices of a run. Texts are put together by hand: there may be a million.

    origin: the name of its node. lines: where texts are put. put: writes an event. began: when, by the monotonic clock.
    """

    def __init__(self, origin: str, lines: list[str], put: Put, began: float) -> None:
        self._origin, self._lines, self._put, self._began = origin, lines, put, began
        self.tracks = Tracks(put)
        self.done = 0  # Futures that have an outcome
        self.stride = 1  # every so-many-th is drawn
        self._count = self._flows = 0
        self._flow_stride = 1
        self._slots: set[int] = set()  # where outcomes stand in their row
        self._times = WorkerTimes()
        self._rows: dict[str, tuple[str, WorkerRows]] = {}  # with the names of their hosts
        self._late: dict[FutureKey, TracedFuture] = {}
        self._ran: dict[FutureKey, RanCall] = {}  # that have no outcome yet
        self._nested: dict[FutureKey, list[RanCall]] = {}
        self._kept = 0  # of those
        self._answers = RanAnswers()
        self._dropped = 0  # calls
        self._names = functools.lru_cache(1000)(functools.partial(json.dumps, ensure_ascii=False))

    @property
    def missing_nested(self) -> int:
        """How many calls are not in the file that should be, beside those that were left out by the sampling."""
        return self._dropped + sum(self._answers.missing_nested.values())

    # -- what comes --------------------------------------------------------------------------------------------------

    def take(self, message: TracedMessage, submitted: list[float | None]) -> None:
        """Outcomes have come of Futures that were submitted then."""
        kinds = dict(message.odd)
        futures = iter(zip(message.ids, submitted, message.sizes))
        self.done += len(message.ids)
        for name, attempt, all_seconds in blocks(message.facts, len(message.ids)):
            worker, _ = names_of(name)
            for seconds, (number, when, (arguments, result)) in zip(all_seconds, futures):
                key = worker, self._origin, number, attempt
                if not self._counts() or not name:
                    self._ran.pop(key, None)
                    self._let_go(key)
                    continue
                kind = kinds.get(number, VALUE)
                outcome = "" if kind in (VALUE, WITH_OUTPUT) else f',"outcome":"{KINDS[kind]}"'
                if (items := message.items.get(number)) is not None:
                    outcome += f',"item":{items[0]},"items":{items[1]}'
                said = f'"bytes":{arguments},"result_bytes":{result},"seconds":{max(0.0, seconds):.6f}{outcome}'
                has_flow = when is not None and self._counts_flow()
                future = TracedFuture(
                    message.at, message.function, max(0.0, seconds), -1.0 if when is None else when, said, has_flow
                )
                if (call := self._ran.pop(key, None)) is None:
                    self._late[key] = future
                else:
                    self._draw_ran(key, future, call)

    def take_ran(self, asked: float, answers: list[tuple[str, float, Any]]) -> None:
        """Take in what Workers have said that were asked then: who, when, and what."""
        for answer in self._answers.take(asked, self._began, answers):
            self._take_ran(answer, asked - self._began)

    def _counts(self) -> bool:
        """Count a slice; return whether it is drawn."""
        self._count += 1
        if self._count >= SLICES_AT_FIRST * self.stride:
            self.stride *= 2
        return not self._count % self.stride

    def _counts_flow(self) -> bool:
        """Return whether the Future that was counted last has arrows; counted now, for it may be drawn much later."""
        if self._count % self._flow_stride:
            return False
        self._flows += 1
        if self._flows >= FLOWS_AT_FIRST:
            self._flows, self._flow_stride = 0, 4 * self._flow_stride
        return True

    def _take_ran(self, answer: RanAnswer, asked: float) -> None:
        own: list[tuple[FutureKey, RanCall]] = []
        for call in answer.calls:
            if call.root != self._origin:  # of another program of a standing Federation
                continue
            key = answer.worker, call.submitter, call.number, call.attempt
            if call.is_nested:
                self._keep(key, call)
            elif call.submitter != self._origin:
                self._take_other(key, call)
            else:
                own.append((key, call))
        if not answer.is_whole:  # they are drawn by what comes with outcomes, but for those that have nested calls
            own = [(key, call) for key, call in own if key in self._nested]
            self._draw_about(answer.worker, asked, {key for key, _ in own})
        for key, call in own:
            if (future := self._late.pop(key, None)) is not None:
                self._draw_ran(key, future, call)
            else:
                self._ran[key] = call

    def _keep(self, key: FutureKey, call: RanCall) -> None:
        """Keep a nested call until it is known when its Future ran; where there are too many, the oldest go."""
        self._nested.setdefault(key, []).append(call)
        self._kept += 1
        while self._kept > CALLS_AT_MOST:
            self._dropped += len(self._let_go(next(iter(self._nested))))

    def _take_other(self, key: FutureKey, call: RanCall) -> None:
        """A Future has run that another Worker has submitted."""
        if self._counts():
            row = self._draw_nested(key[0], call, f'"submitter":{self._names(call.submitter)},')
            self._draw_inside(key, call, row)
        else:
            self._let_go(key)

    def _draw_about(self, worker: str, until: float, known: Collection[FutureKey] = ()) -> None:
        """Draw the Futures whose outcomes have come by then about when they ran: one behind the other.

        Not those of which that is known.
        """
        late = self._late.items()
        found = [key for key, future in late if key[0] == worker and future.at <= until and key not in known]
        for at, keys in itertools.groupby(found, lambda key: self._late[key].at):
            futures = [(key, self._late.pop(key)) for key in list(keys)]
            spans = self._times.place(worker, [future.seconds for _, future in futures], at)
            for (key, future), span in zip(futures, spans):
                self._draw(key, future, *span)

    def settle(self, now: float, *, at_end: bool = False) -> None:
        """Draw what has waited too long for its Worker; at the end, all. Forget what no outcome has come for."""
        due = now if at_end else now - LATE_SECONDS
        for worker in {key[0] for key, future in self._late.items() if future.at <= due}:
            self._draw_about(worker, due)
        for key, call in list(self._ran.items()):
            if call.ended + FORGOTTEN_SECONDS > now and len(self._ran) < CALLS_AT_MOST and not at_end:
                break
            del self._ran[key]
            self._let_go(key)
        if at_end:
            for key in list(self._nested):
                self._draw_inside(key, None, None)

    def _let_go(self, key: FutureKey) -> list[RanCall]:
        calls = self._nested.pop(key, [])
        self._kept -= len(calls)
        return calls

    # -- what is written ---------------------------------------------------------------------------------------------

    def _row(self, worker: str, begin: float, end: float) -> tuple[int, int] | None:
        """Return on which row of its Worker something is drawn that overlaps nothing there; None: there is none."""
        found = self._rows.get(worker)
        if found is None:
            found = self._rows[worker] = host_of_node(worker), WorkerRows()
        host, rows = found
        place = rows.place(begin, end)
        return None if place is None else self.tracks.of(worker, host, place)

    def _draw_ran(self, key: FutureKey, future: TracedFuture, call: RanCall) -> None:
        """Draw a Future of the program whose Worker has said when it ran."""
        begin, end = max(0.0, call.began), max(0.0, call.ended)
        self._times.has_ended(key[0], end)
        self._draw(key, future, begin, end, call)

    def _draw(
        self, key: FutureKey, future: TracedFuture, begin: float, end: float, call: RanCall | None = None
    ) -> None:  # fmt: skip
        """Draw a Future of the program, and what is nested in it; `call`: its own, where that is known."""
        worker, _, number, attempt = key
        row = self._row(worker, begin, end)
        if row is None:
            self._dropped += 1 + len(self._let_go(key))
            return
        waited = -1.0 if future.submitted < 0.0 else max(0.0, begin - future.submitted)
        args = f'"number":{number},"attempt":{attempt},"waited":{waited:.6f},{future.said}'
        self._put_slice(future.function, begin, end, row, args)
        if future.has_flow:
            self._draw_flow(number, future, begin, max(future.at, end), row)
        if key in self._nested:
            self._draw_inside(key, call, row)

    def _draw_inside(self, key: FutureKey, around: RanCall | None, row: tuple[int, int] | None) -> None:
        """Draw the calls that are nested in a Future, below it; those that stick out have rows of their own."""
        calls = self._let_go(key)
        inside, out = ([], calls) if around is None or row is None else nest(calls, around.began, around.ended)
        said = f'"within":{key[2]},'
        for found, place in ((inside, row), (out, None)):
            for call in found:
                if self._counts():
                    self._draw_nested(key[0], call, said, place)

    def _draw_nested(
        self, worker: str, call: RanCall, said: str, row: tuple[int, int] | None = None
    ) -> tuple[int, int] | None:  # fmt: skip
        begin, end = max(0.0, call.began), max(0.0, call.ended)
        if row is None and (row := self._row(worker, begin, end)) is None:
            self._dropped += 1
            return None
        outcome = ',"outcome":"error"' if call.has_failed else ""
        args = f'{said}"number":{call.number},"attempt":{call.attempt}{outcome}'
        self._put_slice(call.name, begin, end, row, args, ',"cat":"nested"')
        return row

    def _put_slice(
        self, name: str, begin: float, end: float, row: tuple[int, int], args: str, more: str = ""
    ) -> None:  # fmt: skip
        """Write a slice."""
        first, last = round(begin * _TENTHS), round(end * _TENTHS)  # rounded so, what touches does not overlap
        self._lines.append(
            f'{{"ph":"X","name":{self._names(name)},"ts":{first / 10},"dur":{(last - first) / 10},'
            f'"pid":{row[0]},"tid":{row[1]}{more},"args":{{{args}}}}},\n'
        )

    def _draw_flow(
        self, number: int, future: TracedFuture, begin: float, taken: float, row: tuple[int, int]
    ) -> None:  # fmt: skip
        """Write the arrows of a Future: from its submit to where it begins to where its outcome is taken in."""
        slot = round(taken / _ROOM)
        while slot in self._slots:
            slot += 1
        self._slots.add(slot)
        taken = slot * _ROOM
        first = min(future.submitted, begin)
        for at, row_of, name in ((first, 1, f"submit {future.function}"), (taken, 2, f"result of {future.function}")):
            self._lines.append(  # a flow binds to a slice
                f'{{"ph":"X","name":{self._names(name)},"ts":{at * _MICRO:.1f},"pid":{PROGRAM},"tid":{row_of},"dur":1,'
                f'"args":{{"number":{number}}}}},\n'
            )
        for phase, at, (process, thread) in (
            ("s", first, (PROGRAM, 1)), ("t", begin, row), ("f", taken, (PROGRAM, 2)),
        ):  # fmt: skip
            more = ',"bp":"e"' if phase == "f" else ""
            self._lines.append(
                f'{{"ph":"{phase}","name":"Future","ts":{at * _MICRO:.1f},"pid":{process},"tid":{thread},"id":{number},'
                f'"cat":"future"{more}}},\n'
            )
