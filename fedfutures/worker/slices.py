"""What a Worker does with a slice of a ``map``: many items, one Future.

An item that raises fails alone: the others of its slice have their values. How items are kept apart from each other
is told in :mod:`.isolation`.

A slice that takes far longer than was expected is *cut*: another thread takes what has not been started
(:class:`OpenSlice`), so that those items do not wait behind the one that runs. Its submitter is told how many items the
slice keeps, and submits the others again.
"""

from __future__ import annotations

import functools
import itertools
import operator
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from ..program.postponing import calls_program
from ..wire.failures import dump_failure
from ..wire.functions import Wrapper
from .failing import is_of_one_host, where
from .interrupts import is_of_futures

calls_program(__name__)

is_of_futures(__name__)


Columns = tuple[list[Any], ...]
"""The arguments of a slice: for each parameter the list of its items."""
Failures = list[tuple[int, Any]]
"""The place of each item that raised, and what is said of that."""
COUNTED_SECONDS = 1.0
"""Far longer than a thread needs to count what it has taken."""
Outcomes = tuple[list[Any], Failures]
"""The values of items, None for those that raised."""
Fail = Callable[[BaseException, int], Any]
"""Says of an error, and the place of its item, what travels."""


class OpenSlice:
    """A slice that runs, and what of it has not been started.

    The thread that runs it and the one that cuts it take items from one list iterator. Each item is taken once, which
    needs no lock: the iterator's ``next`` is one step. `is_cut` is set before items are taken, so whoever runs the
    slice and finds nothing left knows why.
    """

    __slots__ = ("_came_late", "_items", "_kept", "count", "is_cut", "place")

    def __init__(self, place: tuple[int, int], count: int) -> None:
        self.place, self.count = place, count
        self.is_cut = False
        self._kept: int | None = None  # how many items the cut has left to the slice
        self._came_late = False  # whether it was cut before what was to run had begun
        self._items: Iterator[Any] = iter(())

    def begin(self, items: list[Any]) -> Iterator[Any]:
        """Return the iterator that these items are to be taken from: none, if the slice has been cut before."""
        self._items = given = iter(items)
        self._came_late = self.is_cut
        return iter([]) if self._came_late else given

    def taken(self) -> int:
        """How many items were begun, or taken by the cut. For any thread."""
        return self.count - operator.length_hint(self._items, 0)

    def cut(self) -> int:
        """Take what has not been started; return how many items are left to the slice. For any thread, once."""
        self.is_cut = True
        self._kept = self.count - len(list(self._items))
        return self._kept

    def is_over(self, done: int) -> bool:
        """Whether none of the items runs: all have been taken, maybe by the cut, and so many are done."""
        if self._came_late or not self.is_cut:
            return True
        until = time.monotonic() + COUNTED_SECONDS
        while self._kept is None and time.monotonic() < until:
            time.sleep(0.0001)  # the other thread has taken them, and counts
        return self._kept is not None and done >= self._kept


def is_used_up(items: Iterator[Any]) -> bool:
    """Whether a list's iterator has come to its end, and not only to an item that was not followed by another call."""
    return len(items.__reduce__()) < 3


def are_over(items: Iterator[Any], done: int, open_slice: OpenSlice | None) -> bool:
    """Whether none of the items runs: all have been taken, maybe by a cut, and so many are done."""
    return is_used_up(items) and (open_slice is None or open_slice.is_over(done))


def in_one_loop(
    function: Callable[..., Any], columns: Columns, fail: Fail,
    open_slice: OpenSlice | None = None,
) -> Outcomes:  # fmt: skip
    """Do what :meth:`.isolation.Isolation.run_items` does, without isolation.

    ``list.extend`` keeps what a ``map`` object gave before it raised, and the same object goes on with the next item.
    """
    items = iter(columns[0]) if open_slice is None else open_slice.begin(columns[0])
    calls = map(function, items, *columns[1:])
    values: list[Any] = []
    failures: Failures = []
    while True:
        try:
            values.extend(calls)
            if are_over(items, len(values), open_slice):
                break
            raise StopIteration  # the function did: map() took it for its own end
        except BaseException as error:
            add_failure(error, values, failures, fail, is_over=are_over(items, len(values), open_slice))
    return values, failures


def add_failure(error: BaseException, values: list[Any], failures: Failures, fail: Fail, *, is_over: bool) -> None:
    """The item behind the last value has raised; or, when all are over, an interrupt came late, and is the last one's.

    >>> values, failures = [1, 2], []
    >>> add_failure(KeyboardInterrupt(), values, failures, lambda error, place: "late", is_over=True)
    >>> values, failures
    ([1, None], [(1, 'late')])
    """
    if is_over and values:
        values.pop()
        if failures and failures[-1][0] == len(values):
            failures.pop()
    failures.append((len(values), fail(error, len(values))))
    values.append(None)


class OfItems(Wrapper):
    """Calls a function for each item; a Worker says how, so that no item sees what another has done."""

    run_items: Callable[..., Outcomes] = staticmethod(in_one_loop)

    hosts: ClassVar[int] = 1
    """How many hosts have Workers."""

    @classmethod
    def run_among(cls, hosts: int) -> None:
        """From now on Workers of so many hosts run items."""
        OfItems.hosts = hosts

    @classmethod
    def run_by(cls, run_items: Callable[..., Outcomes]) -> None:
        """From now on items are run by this."""
        cls.run_items = staticmethod(run_items)

    def values(self, columns: Columns) -> list[Any]:
        """Return the values; raises what an item has raised."""
        return self.run_items(self.function(), columns, _raise)[0]

    def arguments(self, args: Columns) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        if all(len(column) == 1 for column in args):
            return tuple(column[0] for column in args), {}
        return None, {}


def _raise(error: BaseException, place: int) -> None:
    raise error


def _nowhere() -> tuple[int, int]:
    return 0, 0


class Slice(OfItems):
    """Calls a function for each item of a slice: ``Slice(pow)([2, 3], [1, 2])`` has the values ``[2, 9]``."""

    running: ClassVar[OpenSlice | None] = None
    """The slice that was begun last and has not ended."""
    place: Callable[[], tuple[int, int]] = staticmethod(_nowhere)
    """Returns which Future runs, as piece and number; the Worker sets it."""
    is_whole = False
    """Whether it is never cut."""

    @classmethod
    def run_at(cls, place: Callable[[], tuple[int, int]]) -> None:
        """From now on this tells which Future runs."""
        cls.place = staticmethod(place)

    def keep_whole(self) -> None:
        """Never cut it."""
        self.is_whole = True

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        if self.is_whole or len(columns[0]) < 2:
            values, failures = self._run(columns)
        else:
            values, failures = self._run_open(columns)
        return values, failures, time.perf_counter() - began

    def _run_open(self, columns: Columns) -> Outcomes:
        before = Slice.running
        Slice.running = open_slice = OpenSlice(self.place(), len(columns[0]))
        try:
            return self._run(columns, open_slice)
        finally:
            Slice.running = before

    def _run(self, columns: Columns, open_slice: OpenSlice | None = None) -> Outcomes:
        function = self.function()
        stopped: list[tuple[BaseException, int]] = []

        def fail(error: BaseException, place: int) -> bytes:
            if self.hosts > 1 and is_of_one_host(error):  # it is to be tried on another one
                if open_slice is None or not place:
                    raise error
                open_slice.cut()
                stopped.append((error, place))
            row = tuple(column[place] for column in columns)
            return dump_failure(error, self.payloads, where(error, function, row), inside=True)

        values, failures = self.run_items(function, columns, fail, open_slice)
        return _up_to(*stopped[0], values, failures) if stopped else (values, failures)


def _up_to(error: BaseException, end: int, values: list[Any], failures: Failures) -> Outcomes:
    """Return the outcomes of the items before the one that has raised this error; the others are submitted again."""
    if not values:  # all were to be run once more, which they are elsewhere
        raise error
    return values[:end], [failure for failure in failures if failure[0] < end]


class Arguments:
    """The arguments of one call, with keywords: an item of ``futures.starmap``.

    >>> from fedfutures import futures
    >>> list(futures.starmap(int, [("7",), futures.Arguments("11", base=2)]))
    [7, 3]
    """

    __slots__ = ("args", "kwargs")

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arguments) and (self.args, self.kwargs) == (other.args, other.kwargs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"Arguments({', '.join(parts)})"


def can_be_cut(place: tuple[int, int]) -> bool:
    """Whether the Future that runs there is a slice that has not been cut."""
    running = Slice.running
    return running is not None and not running.is_cut and running.place == place


def cut(place: tuple[int, int]) -> int:
    """Cut the slice that runs there; return how many items it keeps, 0 where there was nothing to take from it."""
    running = Slice.running
    if running is None or running.is_cut or running.place != place:
        return 0
    kept = running.cut()
    return kept if kept < running.count else 0


class WholeSlice(Slice):
    """A slice of the size that the program wants."""

    is_whole = True


class OneItem(WholeSlice):
    """A slice of one item, which is tried again if that raises: so it raises what the item does."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        return self.values(columns), [], time.perf_counter() - began


class Star(Wrapper):
    """Calls a function with an item's contents, as ``itertools.starmap`` does, or with :class:`Arguments`."""

    def __call__(self, item: Any) -> Any:
        function = self.function()
        if type(item) is Arguments:
            return function(*item.args, **item.kwargs)
        if _had_keywords(item):
            warnings.warn(HAD_KEYWORDS.format(type(item).__name__), FutureWarning, stacklevel=2)
        return function(*tuple(item))  # what is no iterable is named as by itertools.starmap

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        [item] = args
        return (item.args, item.kwargs) if type(item) is Arguments else (tuple(item), {})


HAD_KEYWORDS = (
    "starmap() took keywords from an item like this {} in early versions; it passes what is in it as positional "
    "arguments now, as itertools.starmap does. For keywords write futures.Arguments(*args, **kwargs)"
)


def _had_keywords(item: Any) -> bool:
    """Whether an item was a dict of keywords, or a pair of arguments and keywords, before there was Arguments."""
    if isinstance(item, dict):
        return True
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        return False
    return isinstance(item[0], (tuple, list)) and isinstance(item[1], dict)


class LocalSubmitter:
    """Submits calls of one function where nothing is packed at the call: in a Future, and without a Federation."""

    digest = b""  # nothing is remembered of what its items take

    def __init__(self, submit: Callable[[tuple[Any, ...]], Any]) -> None:
        self._submit = submit

    def __call__(self, args: tuple[Any, ...]) -> tuple[Any, int]:
        """Submit a call; return its Future and how many bytes it takes on the way: none."""
        return self._submit(args), 0

    def attend(self, is_steady: Callable[[], bool]) -> None:
        """No buffers are kept that could come again."""

    def close(self) -> None:
        """Nothing is kept for later calls."""


class ReduceSlice(OfItems):
    """Maps a slice and reduces it to one value."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        value = functools.reduce(self.function(1), self.values(columns))
        return [value], [], time.perf_counter() - began


class ScanSlice(OfItems):
    """Maps a slice and returns its running reductions."""

    def __call__(self, *columns: list[Any]) -> tuple[Any, ...]:
        began = time.perf_counter()
        values = list(itertools.accumulate(self.values(columns), self.function(1)))
        return [values], [], time.perf_counter() - began


class Fold(Wrapper):
    """Reduces a list."""

    def __call__(self, values: list[Any]) -> Any:
        return functools.reduce(self.function(), values)


class Accumulate(Wrapper):
    """Running reductions of a list."""

    def __call__(self, values: list[Any]) -> Any:
        return list(itertools.accumulate(values, self.function()))


class Shift(Wrapper):
    """Puts what came before in front of each value: ``[function(before, value) ...]``."""

    def __call__(self, before: Any, values: list[Any]) -> Any:
        function = self.function()
        return [function(before, value) for value in values]
