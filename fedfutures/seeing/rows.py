"""Rows on which calls of one Worker are drawn: on each, one lies inside another, or beside it. Pure.

While a Future waits for others, its Worker runs further ones, so the times of two may overlap. Then the one that ends
later gets a row of its own, and the calls that are nested in it are drawn with it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from ..wire.ran import RanCall

REMEMBERED = 1024
"""Of so many slices of a row it is known where they lie; before the oldest of them nothing is put any more."""
_FORGOTTEN_AT_ONCE = 256
ROWS_AT_MOST = 100
"""So many Futures of a Worker may wait for others at one time, and each be drawn on a row of its own."""


class SliceRow:
    """The slices of one row, none of which overlaps another."""

    def __init__(self) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._from = -float("inf")  # what is before is forgotten

    def put(self, begin: float, end: float) -> bool:
        """Put a slice here, if there is room; return whether there was."""
        begins, ends = self._begins, self._ends
        place = len(ends) if not ends or ends[-1] <= begin else bisect_left(ends, begin)
        while place < len(ends) and ends[place] <= begin:
            place += 1
        if begin < self._from or (place < len(begins) and begins[place] < end):
            return False
        begins.insert(place, begin)
        ends.insert(place, end)
        if len(ends) > REMEMBERED:
            self._from = ends[_FORGOTTEN_AT_ONCE - 1]
            del begins[:_FORGOTTEN_AT_ONCE], ends[:_FORGOTTEN_AT_ONCE]
        return True


class WorkerRows:
    """The rows of one Worker.

    >>> rows = WorkerRows()
    >>> rows.place(1.0, 2.0), rows.place(3.0, 4.0), rows.place(0.5, 5.0), rows.place(6.0, 7.0)
    (0, 0, 1, 0)
    """

    def __init__(self) -> None:
        self._rows: list[SliceRow] = []

    def place(self, begin: float, end: float) -> int | None:
        """Return on which row a slice is drawn; None where all rows are taken that there may be."""
        for place, row in enumerate(self._rows):
            if row.put(begin, end):
                return place
        if len(self._rows) >= ROWS_AT_MOST:
            return None
        self._rows.append(SliceRow())
        self._rows[-1].put(begin, end)
        return len(self._rows) - 1


def nest(calls: Iterable[RanCall], begin: float, end: float) -> tuple[list[RanCall], list[RanCall]]:
    """Return the calls that lie inside each other, all between these times; and those that stick out.

    >>> a = RanCall(1.0, 4.0, "f", "o", "o", 1, 1, 2, 0)
    >>> b, c = a._replace(began=2.0, ended=3.0), a._replace(began=3.5, ended=4.5)
    >>> nest([b, a, c], 0.0, 5.0) == ([a, b], [c])
    True
    """
    inside: list[RanCall] = []
    out: list[RanCall] = []
    around = [end]
    for call in sorted(calls, key=lambda call: (call.began, -call.ended)):
        while len(around) > 1 and around[-1] <= call.began:
            around.pop()
        if call.began < begin or call.ended > around[-1]:
            out.append(call)
        else:
            inside.append(call)
            around.append(call.ended)
    return inside, out
