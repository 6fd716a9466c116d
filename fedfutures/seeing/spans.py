"""What each Worker ran and when, in as little memory as a screen has use for. Pure.

A *span* is a stretch of time on a Worker's row: one Future, or several short ones that follow each other. There is a
bound on their number; beyond it neighbours become one, the older the more willingly, so what has just happened can be
looked at closely, and an hour ago roughly. However many Futures there were, none is missing from the counts.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter

from ..lazy_dataclass import dataclass
from ..wire.facts import blocks, names_of
from ..wire.messages import CANCELLED, NO_FAILURES, VALUE

SPANS_AT_MOST = 200_000
ROWS_AT_MOST = 5_000
FUNCTIONS_AT_MOST = 500
"""So many functions have a name of their own; those that come later share one."""
OTHERS = "other functions"
SHORT_SECONDS = 0.005
"""Futures of one message that have taken no longer together are one span at once."""
OVERLAP_SECONDS = 0.5
"""So late, at most, is an outcome that was held back, or that the program has taken in late."""
ABOUT_AT_MOST = 20_000
"""Of so many Futures it is remembered that their times may become known better."""
COARSE_AT_FIRST, COARSE_AT_MOST = 1 / 8192, 0.5
"""As a share of a span's age: spans that are shorter together may become one."""
FAILED, CANCELED, AGAIN = 1, 2, 4
"""Marks: one has failed or was lost; one was cancelled; one was started again, for its Worker had ended."""


class WorkerTimes:
    """When Workers ran what they ran, as far as that follows from when outcomes came and how long each took."""

    def __init__(self) -> None:
        self._free: dict[str, float] = {}  # when the last Future of a Worker has ended

    def place(self, worker: str, seconds: list[float], at: float) -> list[tuple[float, float]]:
        """Return begin and end of Futures that a Worker has run one after the other, whose outcomes came at this time.

        They end then, and begin behind what the Worker ran before; where that leaves too little room, they move. Where
        it leaves far too little, the Worker has run the others while one of these waited, and they overlap.

        >>> times = WorkerTimes()
        >>> times.place("h.1", [1.0, 2.0], 5.0), times.place("h.1", [1.0], 5.5)
        ([(2.0, 3.0), (3.0, 5.0)], [(5.0, 6.0)])
        """
        free, begin = self._free.get(worker, 0.0), at - sum(seconds)
        if free - begin <= OVERLAP_SECONDS:
            begin = max(free, begin)
        ends = list(itertools.accumulate(seconds, initial=max(0.0, begin)))
        self._free[worker] = max(free, ends[-1])
        return list(itertools.pairwise(ends))

    def has_ended(self, worker: str, end: float) -> None:
        """It is known that something ran there until then."""
        self._free[worker] = max(end, self._free.get(worker, 0.0))

    def forget(self, worker: str) -> None:
        """It is gone."""
        self._free.pop(worker, None)


@dataclass(slots=True)
class RowSpan:
    """A stretch of time on a Worker's row."""

    begin: float  # seconds since the run began
    end: float
    busy: float  # seconds of it that Futures took
    function: int  # the place of its name; of several the first, or one that took longer than all before it
    count: int  # Futures
    marks: int
    number: int  # of the Future, or of one that has a mark

    def take(self, other: RowSpan) -> None:
        """Become one with the next one."""
        if other.busy > self.busy:
            self.function = other.function
        if other.marks and not self.marks:
            self.number = other.number
        self.end = other.end
        self.busy += other.busy
        self.count += other.count
        self.marks |= other.marks

    def copy(self) -> RowSpan:
        """Return another one like this."""
        return RowSpan(self.begin, self.end, self.busy, self.function, self.count, self.marks, self.number)


_END = attrgetter("end")
_YOUNG_SECONDS = 1e-3


class FunctionNames:
    """The names of functions, by the places that spans say: a few hundred of their own, and one for all others."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._places: dict[str, int] = {}

    def place_of(self, name: str) -> int:
        """Return the place of a name; a new one gets one."""
        place = self._places.get(name)
        if place is None:
            if len(self.names) >= FUNCTIONS_AT_MOST:
                name = OTHERS
                if name in self._places:
                    return self._places[name]
            place = self._places[name] = len(self.names)
            self.names.append(name)
        return place


class RunSpans:
    """The rows of a run, by the Workers' names. `most`: a bound on their spans."""

    def __init__(self, most: int = SPANS_AT_MOST, functions: FunctionNames | None = None) -> None:
        self.functions = functions or FunctionNames()
        self.rows: dict[str, list[RowSpan]] = {}
        self.size = 0  # spans
        self._times = WorkerTimes()
        self._longest: dict[str, float] = {}  # of the spans of each row: the seconds from its begin to its end
        self._about: dict[tuple[str, int], RowSpan] = {}  # Futures whose times are known roughly, the oldest first
        self._most, self._coarse = most, COARSE_AT_FIRST

    def take(self, at: float, function: str, ids: list[int], odd: list[tuple[int, int]], facts: bytes) -> None:
        """Outcomes of a message have come, at so many seconds since the run began."""
        kinds, place, first = dict(odd), self.functions.place_of(function), 0
        for name, attempts, all_seconds in blocks(facts, len(ids)):
            numbers = ids[first : first + len(all_seconds)]
            first += len(all_seconds)
            if name:
                worker, _ = names_of(name)
                marks = (
                    [_mark(kinds.get(number, VALUE), attempts) for number in numbers] if kinds or attempts > 1 else ()
                )
                self._add(worker, place, numbers, [max(0.0, one) for one in all_seconds], marks, at)
        if self.size > self._most:
            self._thin(at)

    def _add(
        self, worker: str, function: int, numbers: list[int], seconds: list[float], marks: Iterable[int], at: float
    ) -> None:  # fmt: skip
        row = self._row_of(worker)
        places = self._times.place(worker, seconds, at)
        found = [
            RowSpan(begin, end, end - begin, function, 1, mark, number)
            for (begin, end), number, mark in zip(places, numbers, marks or itertools.repeat(0))
        ]
        if len(found) > 1 and found[-1].end - found[0].begin <= SHORT_SECONDS:
            for span in found[1:]:
                found[0].take(span)
            del found[1:]
        else:
            self._about.update(((worker, span.number), span) for span in found)
            while len(self._about) > ABOUT_AT_MOST:
                del self._about[next(iter(self._about))]
        for span in found:
            self._append(worker, row, span)

    def add(self, worker: str, function: str, begin: float, end: float, number: int, *, failed: bool) -> None:
        """A call has ended, whose times are known."""
        row = self._row_of(worker)
        place, mark = self.functions.place_of(function), FAILED if failed else 0
        span = RowSpan(begin, end, end - begin, place, 1, mark, number)
        if row and row[-1].function == place and row[-1].end <= begin and end - row[-1].begin <= SHORT_SECONDS:
            row[-1].take(span)
        else:
            self._append(worker, row, span)
        if self.size > self._most:
            self._thin(end)

    def correct(self, worker: str, number: int, begin: float, end: float) -> None:
        """It has become known when a Future ran; nothing happens if it is no span of its own."""
        span = self._about.pop((worker, number), None)
        self._times.has_ended(worker, end)
        if span is None or span.count > 1:
            return
        row = self.rows.get(worker, [])
        place = bisect_left(row, span.end, key=_END)
        while place < len(row) and row[place] is not span:
            place += 1
        if place == len(row):
            return
        del row[place]
        self.size -= 1
        span.begin, span.end = begin, min(end, span.end)
        self._append(worker, row, span)  # later ones may end before it now

    def _append(self, worker: str, row: list[RowSpan], span: RowSpan) -> None:
        if not row or row[-1].end <= span.end:
            row.append(span)
        else:
            row.insert(bisect_left(row, span.end, key=_END), span)
        self.size += 1
        length = span.end - span.begin
        if length > self._longest.get(worker, 0.0):
            self._longest[worker] = length

    def _row_of(self, worker: str) -> list[RowSpan]:
        if (found := self.rows.get(worker)) is not None:
            return found
        if len(self.rows) >= ROWS_AT_MOST:
            oldest = min(self.rows, key=lambda name: self.rows[name][-1].end if self.rows[name] else 0.0)
            self.size -= len(self.rows.pop(oldest))
            self._times.forget(oldest)
            self._longest.pop(oldest, None)
        row = self.rows[worker] = []
        return row

    def _thin(self, now: float) -> None:
        """Have neighbours become one until there are half as many spans as there may be."""
        self._join(now, self._coarse)
        while self.size > self._most // 2 and self._coarse < COARSE_AT_MOST:
            self._coarse *= 2
            self._join(now, self._coarse)
        if self.size > self._most:  # nothing is old enough yet
            self._join(now, math.inf)

    def _join(self, now: float, coarse: float) -> None:
        self._about.clear()
        self.rows = {worker: _joined(row, now, coarse) for worker, row in self.rows.items()}
        self.size = sum(map(len, self.rows.values()))

    def between(self, worker: str, begin: float, end: float, least: float) -> list[RowSpan]:
        """Return the spans of a Worker that are seen between two times; those within `least` seconds are one."""
        row, longest = self.rows.get(worker, []), self._longest.get(worker, 0.0)
        found: list[RowSpan] = []
        for span in itertools.islice(row, bisect_left(row, begin, key=_END), None):
            if span.begin > end:
                if span.end - longest > end:
                    break
                continue  # one that ends later may have begun before
            if found and span.begin - found[-1].begin >= 0.0 and span.end - found[-1].begin < least:
                found[-1].take(span)
            else:
                found.append(span.copy())
        return found


def _joined(row: list[RowSpan], now: float, coarse: float) -> list[RowSpan]:
    found: list[RowSpan] = []
    for span in row:
        last = found[-1] if found else span
        age = max(_YOUNG_SECONDS, now - last.begin)
        if span is not last and last.begin <= span.begin and span.end - last.begin < coarse * age:
            last.take(span)
        else:
            found.append(span)
    return found


def _mark(kind: int, attempts: int) -> int:
    again = AGAIN if attempts > 1 else 0
    if kind == CANCELLED:
        return again | CANCELED
    return again if kind in NO_FAILURES else again | FAILED
