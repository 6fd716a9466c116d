"""Which tests go together: each lane has one portion with a Worker at a time, and keeps to a file while it has tests.

So a fixture of a module is made once in most runs: the Worker that has done a portion is the one that is free for the
next of the same lane. A lane without tests takes the next files; at the end it takes half of what another lane has.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

PORTION_SECONDS = 0.5
"""A portion is to take so long, by what tests took so far: results come back often, and messages cost little."""
FIRST_PORTION = 8
PORTION_AT_MOST = 256
SHARES = 4
"""A lane takes so many times at least before all tests are handed out."""


class Lanes:
    """Hands out the tests of a suite, by their places in the order in which they were collected.

    files:
        Of each test, where it stands.

    >>> lanes = Lanes(["a"] * 10 + ["b"] * 6, 2)
    >>> lanes.take(0), lanes.take(1), lanes.take(0)
    (range(0, 4), range(10, 13), range(4, 6))
    """

    def __init__(self, files: Sequence[str], count: int) -> None:
        ends = itertools.accumulate(len(list(group)) for _, group in itertools.groupby(files))
        self._ends = list(ends)  # of files
        self._count = len(files)
        self._left = [range(0)] * count  # of each lane
        self._loose: deque[range] = deque()  # portions of no lane
        self._next = 0  # the first test that no lane has
        self._portion = FIRST_PORTION

    def __len__(self) -> int:
        return len(self._left)

    def take(self, lane: int) -> range:
        """Return the next portion of a lane, which has none with a Worker; an empty one if there is nothing left."""
        if self._loose:
            return self._loose.popleft()
        if not self._left[lane]:
            self._left[lane] = self._more() or self._half_of_another()
        left = self._left[lane]
        all_left = sum(map(len, self._left)) + self._count - self._next
        size = max(1, min(self._portion, all_left // (2 * len(self._left))))
        portion, self._left[lane] = left[:size], left[size:]
        return portion

    def give_back(self, lane: int, portion: range) -> None:
        """These tests of a lane's last portion have not run."""
        left = self._left[lane]
        if not portion:
            return
        if not left or left.start == portion.stop:
            self._left[lane] = range(portion.start, left.stop if left else portion.stop)
        else:
            self._loose.append(portion)

    def give_back_alone(self, portion: range) -> None:
        """It is not known which of these tests have run: each is to come again in a portion of its own."""
        self._loose.extend(range(place, place + 1) for place in portion)

    def note(self, tests: int, seconds: float) -> None:
        """So many tests took so long."""
        if tests:
            fitting = int(PORTION_SECONDS * tests / max(seconds, 1e-6))
            self._portion = max(1, min(fitting, 2 * self._portion, PORTION_AT_MOST))

    def _more(self) -> range:
        """Return whole files that no lane has."""
        first, last = self._next, self._count
        wanted = min(first + max(1, (last - first) // (SHARES * len(self._left))), first + self._portion, last)
        if first < last:
            self._next = self._ends[bisect_left(self._ends, wanted)]
        return range(first, self._next)

    def _half_of_another(self) -> range:
        """Return the second half of what the lane with the most tests has, from the begin of a file if there is one."""
        lane = max(range(len(self._left)), key=lambda lane: len(self._left[lane]))
        left = self._left[lane]
        middle = left.start + len(left) // 2
        inside = self._ends[bisect_right(self._ends, left.start) : bisect_left(self._ends, left.stop)]
        cut = min(inside, key=lambda end: abs(end - middle), default=middle)
        self._left[lane] = range(left.start, cut)
        return range(cut, left.stop)
