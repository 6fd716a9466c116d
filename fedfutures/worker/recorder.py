"""What a Worker has run, written down while somebody wants to know: for a trace, or a page.

As long as nobody asks, nothing is written down, and no call pays for it. From the first question on ("ran") each call
is noted when it ends, nested ones as well, and each who asks is told what has ended since it asked last. A minute after
its last question it is forgotten. There is a bound on what waits: of many short calls the later ones are only counted.

Times are those of this machine's monotonic clock, and the answer says what that shows, so who asks can tell them by its
own (:mod:`..seeing.ran`).
"""

from __future__ import annotations

import contextvars
import math
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from ..host.crash_cells import NUMBER, PIECE
from ..wire.messages import RAN
from ..wire.names import is_origin
from ..wire.ran import FAILED, NESTED, RanCall, packed
from .calls import RUN_CALL
from .interrupts import is_of_futures
from .isolation import Isolation
from .sights import Sights
from .slices import OfItems
from .stacks import name_of_called
from .surroundings import Surroundings
from .threads import OtherThreads

is_of_futures(__name__)

CALLS_AT_FIRST, CALLS_AT_MOST = 2_500, 5_000
"""So many calls wait for a question; from the first number on only long ones are kept, from the second none."""
LONG_SECONDS = 0.001
FORGOTTEN_SECONDS, DOUBTED_SECONDS = 60.0, 5.0
_FIRST = ""
"""Stands for the Origin, which has not asked yet, but will."""


class RecorderList:
    """What is noted for one asker."""

    def __init__(self, asker: str, now: float) -> None:
        self.asker, self.asked = asker, now
        self._doubted: float | None = None  # since when it is thought that nobody asks any more
        self.missing = [0, 0]  # so many Futures of others, and nested calls, were not noted
        self._calls: list[RanCall] = []

    def note(self, call: RanCall) -> None:
        """A call has ended (the thread that has made it)."""
        count = len(self._calls)
        if count < CALLS_AT_FIRST or (count < CALLS_AT_MOST and call.ended - call.began >= LONG_SECONDS):
            self._calls.append(call)
        else:
            self.missing[call.is_nested] += 1

    def is_over(self, now: float) -> bool:
        """Whether nobody asks any more. A Worker that could not answer for long is given time to be asked again."""
        if now < self.asked + FORGOTTEN_SECONDS:
            self._doubted = None
        elif self._doubted is None:
            self._doubted = now
        return self._doubted is not None and now >= self._doubted + DOUBTED_SECONDS

    def taken(self) -> list[RanCall]:
        """Return what has ended since this was called last (any thread, one at a time)."""
        calls = self._calls.copy()
        del self._calls[: len(calls)]
        return calls


class RecordedContext:
    """Stands for the context in which a call is made, and has the call noted."""

    __slots__ = ("_context", "_note")

    def __init__(self, note: Callable[..., None], context: contextvars.Context) -> None:
        self._note, self._context = note, context

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make the call."""
        began, flags = monotonic(), FAILED
        try:
            value = self._context.run(function, *args, **kwargs)
            flags = 0
            return value
        finally:
            if sys._getframe(1).f_code is RUN_CALL:
                flags |= NESTED
            self._note(began, function, args, flags)


class Recorder:
    """Notes the calls of one Worker."""

    def __init__(
        self, sights: Sights, surroundings: Surroundings, isolation: Isolation, others: OtherThreads
    ) -> None:  # fmt: skip
        self._surroundings, self._isolation, self._others = surroundings, isolation, others
        self._lists: tuple[RecorderList, ...] = ()
        self._look_at = math.inf
        self._changing = threading.Lock()  # who is told; notes are taken without it
        sights.show(RAN, self.report)

    def report(self, asker: str) -> dict[str, Any]:
        """Return what has ended since this asker asked last; it is noted from the first time on.

        An asker without a name stands for the first Origin that comes.
        """
        now = monotonic()
        names = (asker, _FIRST) if is_origin(asker) else (asker,)
        with self._changing:
            found = next((one for one in self._lists if one.asker in names), None) or self._begin(now)
            found.asker, found.asked = asker, now
        return packed(now, found.missing, found.taken())

    def _begin(self, now: float) -> RecorderList:
        found = RecorderList(_FIRST, now)
        self._lists = (*self._lists, found)
        self._look_at = min(self._look_at, now + DOUBTED_SECONDS)
        self._isolation.record_by(lambda context: RecordedContext(self._note, context))
        return found

    def _note(self, began: float, function: Any, args: tuple[Any, ...], flags: int) -> None:
        """A call has ended: one of a Future of others, or one that was made in such a Future, maybe by its thread."""
        ended, cells, items = monotonic(), self._surroundings.cells, 0
        at = int(cells[PIECE]), int(cells[NUMBER])
        if flags & NESTED and (context := self._others.context) is not None:
            at = context.piece, context.number
        piece, number = self._surroundings.pieces.get(at[0]), at[1]
        submitter, root, attempt, name = "", "", 1, ""
        if piece is not None:
            terms = piece.terms
            submitter, root, attempt, name = terms.submitter, terms.root, terms.crashes + 1, piece.name
        if flags & NESTED:
            name = name_of_called(function)
        elif isinstance(function, OfItems) and args:
            items = len(args[0])
        call = RanCall(began, ended, name, submitter, root, number, attempt, flags, items)
        for each in self._lists:
            each.note(call)
        if ended >= self._look_at:
            self._forget(ended)

    def _forget(self, now: float) -> None:
        """Forget who has not asked for long."""
        with self._changing:
            self._lists = tuple(one for one in self._lists if not one.is_over(now))
            self._look_at = now + DOUBTED_SECONDS if self._lists else math.inf
            if not self._lists:
                self._isolation.record_by(None)
