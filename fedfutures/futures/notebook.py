"""Interrupted cells of a notebook: what they have submitted ends, so that the next cell finds its Workers free.

In IPython a cell that ``KeyboardInterrupt`` has ended is over: nobody waits any more for the Futures that it has
submitted from the main thread, and those that are not done are cancelled, also where they run. Futures of earlier cells
go on, as do those that other threads submit. A cell that catches the interrupt may wait again.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from ..worker import current
from ..worker.future import Future
from ..worker.future_fields import number_of
from . import ends

_shells: weakref.WeakSet[Any] = weakref.WeakSet()
"""Those whose cells are watched."""
_maps: weakref.WeakSet[Any] = weakref.WeakSet()
"""What feeds the maps that the cell has begun."""


def shell_here() -> Any:
    """Return the shell of IPython in this process; None if there is none."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if get_ipython is None else get_ipython()


def is_here() -> bool:
    """Whether this process runs the cells of a notebook, and no terminal."""
    return getattr(shell_here(), "kernel", None) is not None


class CellNumbers:
    """The numbers of a node's Futures; those that the main thread has drawn in this cell are remembered, as ranges."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._main = threading.main_thread().ident
        self._drawn: list[list[int]] = []

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        number = next(self._numbers)
        if threading.get_ident() == self._main:
            drawn = self._drawn
            if drawn and drawn[-1][1] == number - 1:
                drawn[-1][1] = number
            else:
                drawn.append([number, number])
        return number

    def begin(self) -> None:
        """A cell begins."""
        self._drawn = []

    def of_cell(self, futures: Iterable[Future]) -> list[Future]:
        """Return those of these Futures that the cell has submitted and that are not done."""
        found = [future for future in futures if not future.done()]
        return [future for future in found if any(a <= number_of(future) <= z for a, z in self._drawn)]


def attend(origin: Any) -> None:
    """Watch the cells of IPython, if this process has such; the one that runs has begun to use this node."""
    shell = shell_here()
    if shell is None:
        return
    origin.submissions.draw_numbers_by(CellNumbers(origin.submissions.numbers))
    ends.listen(_note_map)
    if shell not in _shells:
        _shells.add(shell)
        shell.events.register("pre_run_cell", _on_begin)
        shell.events.register("post_run_cell", _on_end)


def _note_map(feeder: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        _maps.add(feeder)


def _watched() -> list[tuple[Any, CellNumbers]]:
    found = [(origin, origin.submissions.numbers) for origin in current.origins]
    return [(origin, numbers) for origin, numbers in found if isinstance(numbers, CellNumbers)]


def _on_begin(*_: Any) -> None:
    """IPython is about to run a cell."""
    _maps.clear()
    for _, numbers in _watched():
        numbers.begin()


def _on_end(result: Any) -> None:
    """IPython has run a cell."""
    if isinstance(getattr(result, "error_in_exec", None), KeyboardInterrupt):
        count = sum(_end(origin, numbers) for origin, numbers in _watched() if origin.lost is None)
        if count:
            text = f"{count} Future{'s were' if count > 1 else ' was'} cancelled that it had submitted, also what ran"
            print(f"fedfutures: the cell was interrupted: {text}", file=sys.stderr)


def _end(origin: Any, numbers: CellNumbers) -> int:
    """Cancel what the cell has submitted at this node; return how many Futures that were."""
    submissions = origin.submissions
    with submissions.lock:
        mine = numbers.of_cell([*submissions.futures.values(), *submissions.own])
    for feeder in ends.open_maps(origin):
        if feeder in _maps:
            feeder.cancel(running=True)
    origin.cancel_all(mine, running=True)
    return sum(future.cancelled() for future in mine)
