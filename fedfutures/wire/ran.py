"""What a Worker says of the calls that it has made, when it is asked what has "ran". Pure.

Names and submitters travel once in each answer, and times as seconds before it. A Broker passes it on unread.

>>> call = RanCall(9.0, 9.5, "price", "origin-7", "origin-7", 3, 1, 0, 0)
>>> answer = packed(10.0, [0, 0], [call])
>>> answer["calls"]
[[-1.0, 0.5, 0, 0, 3, 1, 0, 0]]
>>> calls_in(answer, 110.0) == [call._replace(began=109.0, ended=109.5)]
True
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

FAILED, NESTED = 1, 2
"""Flags of a call: it has raised; its own Worker had submitted it, in a Future that ran there."""


class RanCall(NamedTuple):
    """A call that has ended."""

    began: float  # by a monotonic clock, seconds
    ended: float
    name: str  # of the function
    submitter: str  # of the Future; of a nested call, that of the Future at the bottom
    root: str  # the Origin that all of this goes back to
    number: int  # of the Future at its submitter; of a nested call, that of the Future at the bottom
    attempt: int
    flags: int
    items: int  # of a slice of a map; 0: it is none

    @property
    def is_nested(self) -> bool:
        """Whether its own Worker had submitted it."""
        return bool(self.flags & NESTED)

    @property
    def has_failed(self) -> bool:
        """Whether it has raised."""
        return bool(self.flags & FAILED)


def packed(now: float, missing: list[int], calls: Iterable[RanCall]) -> dict[str, Any]:
    """Return the answer: `now` is what the clock shows.

    missing: how many Futures of others, and how many nested calls, were not noted so far.
    """
    names: dict[str, int] = {}
    stems: dict[tuple[str, str], int] = {}
    rows = [
        [
            began - now, ended - began, names.setdefault(name, len(names)),
            stems.setdefault((submitter, root), len(stems)), number, attempt, flags, items,
        ]
        for began, ended, name, submitter, root, number, attempt, flags, items in calls
    ]  # fmt: skip
    return {
        "role": "worker", "now": now, "missing": missing.copy(), "names": list(names), "stems": list(map(list, stems)),
        "calls": rows,
    }  # fmt: skip


def calls_in(answer: dict[str, Any], now: float) -> list[RanCall]:
    """Return the calls of an answer, by a clock that shows `now` when the Worker's shows the time in the answer.

    Raises KeyError, TypeError, ValueError, IndexError or OverflowError for what is no such answer.
    """
    names = [str(name) for name in answer["names"]]
    stems = [(str(submitter), str(root)) for submitter, root in answer["stems"]]
    found = []
    for began, seconds, name, stem, number, attempt, flags, items in answer["calls"]:
        submitter, root = stems[stem]
        begin = now + float(began)
        end = begin + max(0.0, float(seconds))
        found.append(
            RanCall(begin, end, names[name], submitter, root, int(number), int(attempt), int(flags), int(items))
        )
    return found
