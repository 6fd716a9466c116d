"""What surrounds the Future that runs: on whose behalf, what it sees of the program, the state of its process.

The main thread of a Worker runs many Futures inside each other and beside each other. Here is what it has to change
when it goes from one to another: before a Future, behind it, and where one waits and goes on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import greenlet

from ..federation.terms import FREE
from ..host.crash_cells import (
    ALONE_NUMBER,
    ALONE_PIECE,
    BEGUN_BYTES,
    LOOK_AT,
    MAY_USE,
    NESTED,
    NUMBER,
    ONCE_NUMBER,
    ONCE_PIECE,
    OVER_AT,
    PIECE,
    WAITS_NUMBER,
    WAITS_PIECE,
)
from ..host.memory_use import LOOK_SECONDS, used_by
from ..node.workload import HeldPiece, Workload
from ..program.namespaces import Namespaces
from ..program.snapshots import split
from . import journal
from .context import NOWHERE, Context, Ending
from .isolation import Isolation
from .process_parts import Values
from .turns import Turns

LATE_HANDLERS = 10
_LOOK_NS = int(LOOK_SECONDS * 1e9)


class Suspended(NamedTuple):
    """What surrounded a Future that waits."""

    context: Context
    depth: int
    column: list[Any] | None
    values: Values | None
    nested: int


class Surroundings:
    """Of the main thread. `context` is that of the Future that runs, None as long as nobody needed one."""

    __slots__ = (
        "_is_main", "_turns", "cells", "context", "depth", "isolation", "namespaces", "pieces", "scopes", "seen",
        "shows_waits", "state",
    )  # fmt: skip

    def __init__(
        self, cells: Any, workload: Workload, isolation: Isolation, namespaces: Namespaces, turns: Turns,
        is_main: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.cells, self.pieces = cells, workload.pieces
        self.isolation, self.state, self.namespaces = isolation, isolation.state, namespaces
        self._turns, self._is_main = turns, is_main
        self.context: Context | None = None
        self.seen = b""  # the snapshot of the Future that runs; b"" for one that reaches nothing of the program
        self.depth = 0  # how many Futures run inside each other
        self.shows_waits = False  # the host process wants to know which Future waits
        self.scopes: dict[Any, dict[str, Any]] = {}  # what Futures that are under way have named

    def see_by(self, namespaces: Namespaces) -> None:
        """From now on these bring the program's modules to what a Future sees."""
        self.namespaces = namespaces

    # -- one Future after another ------------------------------------------------------------------------------------

    @journal.before("start", lambda self, piece, number, limit=0: _told(self.pieces[piece], number))
    def begin(self, piece: int, number: int, limit: int = 0) -> None:
        """A fetched Future is about to run. The host process can see which one.

        limit: of one that has this Worker to itself, how many milliseconds it may take; 0: it shares it with others.
        """
        cells = self.cells
        cells[NUMBER], cells[PIECE] = number, piece
        if limit:
            self._begin_alone(piece, number, limit)
        self.context = None
        if not self.state.calm:
            self.settle()

    def _begin_alone(self, piece: int, number: int, limit: int) -> None:
        """Let the host process see when its time is over, what it may use, and wake it if it looks too late."""
        cells, over_at = self.cells, time.monotonic_ns() + limit * 1_000_000
        memory, look_by = self.pieces[piece].terms.conditions.memory, over_at
        if memory:
            cells[BEGUN_BYTES], look_by = used_by(os.getpid()), min(over_at, time.monotonic_ns() + _LOOK_NS)
        cells[MAY_USE], cells[ALONE_PIECE], cells[ALONE_NUMBER] = memory, piece, number
        if self.pieces[piece].terms.is_once:
            cells[ONCE_PIECE], cells[ONCE_NUMBER] = piece, number
        cells[OVER_AT] = over_at
        if not 0 < cells[LOOK_AT] <= look_by:
            with contextlib.suppress(PermissionError):  # user code is somebody else now; the host looks each second
                os.kill(os.getppid(), signal.SIGCHLD)  # which has it look at its Workers, and does nothing else to it

    def rest(self, waits: int = 0) -> None:
        """No Future runs; so many wait."""
        self.cells[PIECE], self.context = 0, None
        if self.shows_waits and not waits:
            self.cells[WAITS_PIECE] = 0

    def show_waits(self) -> None:
        """From now on, let the host process see which Future waits."""
        self.shows_waits = True

    def settle(self) -> None:
        """Before and after a Future: wait for those that run in other threads, and bring the process to its base."""
        failures = 0
        while True:
            try:
                self._turns.let_by()
                self.state.restore()
                if not self._turns.wanted:
                    return
            except BaseException:  # of a handler that the Future has left
                failures += 1
                if failures > LATE_HANDLERS:
                    raise

    def see(self, payload: bytes, origin: str) -> bytes:
        """Bring the program's modules to the snapshot in front of a payload; return the payload without it."""
        digest, payload = split(payload)
        self.seen = digest
        if digest != self.namespaces.current:
            self.namespaces.switch(digest, origin)
        return payload

    def see_nothing(self) -> None:
        """What runs next reaches nothing of the program."""
        self.seen = b""

    def enter(self, context: Context) -> None:
        """From now on the main thread runs something on this behalf; the host process can see it."""
        self.context = context
        self.cells[PIECE], self.cells[NUMBER] = context.piece, context.number
        self.seen = context.snapshot
        if context.snapshot and context.snapshot != self.namespaces.current:
            self.namespaces.switch(context.snapshot, context.root)

    def make_context(self, *, keep: bool = True) -> Context:
        """Make the context of the fetched Future that runs in the main thread; that one keeps it."""
        piece = self.pieces.get(self.cells[PIECE])
        if piece is None:
            return NOWHERE
        terms, conditions = piece.terms, piece.terms.conditions
        flags = conditions.of_children if conditions is not FREE and conditions.is_apart else 0
        once = bool(flags) and conditions.is_once
        context = Context(piece.number, self.cells[NUMBER], terms.root, terms.priority, self.seen, flags, once)
        if keep:
            self.context = context
        return context

    def running(self) -> tuple[int, int]:
        """Return which Future runs, or for which one an own Future runs: piece and number."""
        return int(self.cells[PIECE]), int(self.cells[NUMBER])

    # -- one inside another ------------------------------------------------------------------------------------------

    def run_inside(self, context: Context, run: Callable[[Any, Any], object], future: Any, call: Any) -> None:
        """Run an own Future in the place of the one that waits for it."""
        outer = self.context or self.make_context()
        if context is not outer:
            self.enter(context)
        cells, nested = self.cells, 0
        if not self.depth:  # further inside it is known
            nested, cells[NESTED] = cells[NESTED], 1
        self.depth += 1
        try:
            run(future, call)
        finally:
            self.depth -= 1
            if not self.depth:
                cells[NESTED] = nested
        if not self.state.calm:
            self.settle()
        if self.context is not outer:
            self.enter(outer)

    def suspend(self) -> Suspended:
        """The Future that runs is about to wait: undo what it has changed, and return what :meth:`resume` needs."""
        context = self.context or self.make_context()
        depth, self.depth = self.depth, 0
        nested, self.cells[NESTED] = self.cells[NESTED], 0
        if self.shows_waits:
            self.cells[WAITS_PIECE], self.cells[WAITS_NUMBER] = context.piece, context.number
        state = self.state
        if not state.calm:
            self._turns.let_by()
        column = state.swap_column(None)
        values = state.suspend() if state.dirty else None
        if context.snapshot:
            self.namespaces.suspend(context.snapshot)
        return Suspended(context, depth, column, values, nested)

    def resume(self, suspended: Suspended) -> None:
        """It goes on."""
        context, self.depth, column, values, self.cells[NESTED] = suspended
        if not self.state.calm:
            self._turns.let_by()
        if context.snapshot:
            self.namespaces.resume(context.snapshot, context.root)
        self.enter(context)
        self.state.swap_column(column)
        if values is not None:
            self.state.resume(values)

    # -- what Futures have named -------------------------------------------------------------------------------------

    def scope(self) -> dict[str, Any]:
        """What the Future that runs has named; forgotten when it ends."""
        return self.scopes.setdefault(self._scope_key(), {})

    def end_scope(self) -> None:
        """The Future that runs has ended."""
        self._end_scope(self._scope_key())

    def end_fetched(self) -> None:
        """A fetched Future has ended, in time, and with it what the threads that it has made have named."""
        self.cells[OVER_AT] = 0
        self._end_scope(self._scope_key())
        self._end_scope(self.running())

    def _end_scope(self, key: Any) -> None:
        for ending in list(self.scopes.get(key, {}).values()):
            if isinstance(ending, Ending):
                ending.end()
        self.scopes.pop(key, None)

    def _scope_key(self) -> Any:
        """Which of the Futures under way is asking: those of one greenlet or thread run inside each other.

        Threads that a Future has made, and that run no Future: what they name is of the root that now runs.
        """
        if self._is_main():
            return greenlet.getcurrent(), self.depth
        depth = self._turns.here.depth
        return (greenlet.getcurrent(), depth) if depth else self.running()


def _told(piece: HeldPiece, number: int) -> list[tuple[object, ...]]:
    """Return the fields of the journal's line about a Future that is about to run."""
    return [(piece.terms.submitter, number, piece.terms.attempt)]
