"""Each Future, and each item of a ``map``, begins from the same base and leaves nothing behind.

The base has two halves: the state of the process (:mod:`.process_state`), and a context, which holds what decimal,
NumPy and others keep in context variables. Both are what the import of the program has left. A Future runs in a copy of
the context, wherever it runs; what it changes in the process is undone when it ends.

The items of a slice run in one loop of C, which has no room for a copy each. A change ends the loop: one of the process
is heard of when it is made, one of the context shows in the look that is had before the next item, which takes 40 ns
and is left out for functions that can change nothing (:mod:`.harmless`). A decimal context is changed in place, which
no look can show: where the program has set one, there is no such loop. What follows in the slice, and in all later
slices of that function, runs *one by one*: each item in a context of its own, and the process restored after each.

Arguments that items of a slice share came as one object. While they are unchanged they may be shared; after each item
they are compared with what they were. Once an item has changed one, each later item gets arguments of its own.
"""

from __future__ import annotations

import contextvars
import itertools
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..wire.functions import Wrapper
from ..wire.payload import Payloads
from .harmless import ATOMS, is_harmless
from .process_state import ProcessState

Columns = tuple[list[Any], ...]
"""The arguments of a slice: for each parameter the list of its items."""

DEPTH = 3
PARTS_LOOKED_AT = 64
"""How deep, and at how many parts of an item, is looked for what items share."""
_REMEMBERED_AT_MOST = 4096
_copy_context = contextvars.copy_context
_SHAREABLE: tuple[Any, ...] = (
    *ATOMS, type, range, frozenset, types.ModuleType, types.FunctionType, types.BuiltinFunctionType,
)  # fmt: skip


class Isolation:
    """The base of a Worker, and how items of a slice are run from it. `payloads` copies arguments."""

    def __init__(self, payloads: Payloads) -> None:
        self.state = ProcessState()
        self.base = contextvars.Context()
        self.fresh: Callable[[], contextvars.Context] = self.base.copy
        self._changeable: list[contextvars.ContextVar[Any]] = []  # whose values are changed in place
        self._payloads = payloads
        self._one_by_one: set[Any] = set()  # of functions whose items have changed something, their code
        self._own_arguments: set[Any] = set()  # of those that have changed an argument that items share

    # -- the base ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The program has been imported: what it has left is the base."""
        self._set_base(_copy_context())
        self.state.begin()

    def _set_base(self, context: contextvars.Context) -> None:
        self.base = context
        decimal = sys.modules.get("decimal")
        self._changeable = [
            variable for variable, value in context.items() if decimal is not None and type(value) is decimal.Context
        ]
        self.fresh = self._with_copies if self._changeable else context.copy

    def _with_copies(self) -> contextvars.Context:
        """Decimal contexts are changed in place, so each Future gets its own."""
        context = self.base.copy()
        for variable in self._changeable:
            context.run(variable.set, context[variable].copy())
        return context

    def keep_context(self, context: contextvars.Context) -> None:
        """What an import has set in its context holds for all Futures, and for the one that has made the import."""
        base = self.base.copy()
        for variable, value in context.items():
            if variable not in base or base[variable] is not value:
                base.run(variable.set, value)
                variable.set(value)
        self._set_base(base)

    def run_in_base(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function whose changes of the context all Futures are to see."""
        context = self.fresh()
        context.run(function, *arguments)
        self._set_base(context)

    # -- the items of a slice ----------------------------------------------------------------------------------------

    def run_items(
        self, function: Callable[..., Any], columns: Columns, fail: Callable[[BaseException], Any]
    ) -> tuple[list[Any], list[tuple[int, Any]]]:
        """Call a function for each item; return the values, and the place and what `fail` says of each that raised.

        The value at such a place is None. Raises what `fail` raises.
        """
        if _look_plain(columns) and is_harmless(_inner(function)):
            return in_one_loop(function, columns, fail)
        code = _code_of(function)
        shared = [] if all(set(map(type, column)) <= ATOMS for column in columns) else shared_objects(columns)
        if shared:
            return self._with_shared(function, code, columns, shared, fail)
        values: list[Any] = []
        failures: list[tuple[int, Any]] = []
        if code not in self._one_by_one and not self._changeable:
            self._in_watched_loop(function, code, columns, values, failures, fail)
        if len(values) < len(columns[0]):
            rows = itertools.islice(zip(*columns), len(values), None)
            self._run_one_by_one(function, rows, values, failures, fail)
        return values, failures

    def _in_watched_loop(
        self, function: Callable[..., Any], code: Any, columns: Columns, values: list[Any],
        failures: list[tuple[int, Any]], fail: Callable[[BaseException], Any],
    ) -> None:  # fmt: skip
        """Run items in one loop until one of them changes something, or all have been run."""
        state, count = self.state, len(columns[0])
        before, state.column = state.column, list(columns[0])
        column, context = state.column, _copy_context()
        is_unchanged = map(context.__eq__, itertools.starmap(_copy_context, itertools.repeat(())))
        calls = map(function, itertools.compress(column, is_unchanged), *columns[1:])
        try:
            while len(values) < count:
                try:
                    values.extend(calls)
                    if len(values) == count or not column or context != _copy_context():
                        break
                    raise StopIteration  # the function did: map() took it for its own end
                except BaseException as error:
                    failures.append((len(values), fail(error)))
                    values.append(None)
        finally:
            state.column = before
        if not column or context != _copy_context() or state.dirty:
            self._remember(self._one_by_one, code)
            if state.dirty:
                state.restore()

    def _run_one_by_one(
        self, function: Callable[..., Any], rows: Iterable[tuple[Any, ...]], values: list[Any],
        failures: list[tuple[int, Any]], fail: Callable[[BaseException], Any],
    ) -> None:  # fmt: skip
        state = self.state
        for row in rows:
            try:
                values.append(self.fresh().run(function, *row))
            except BaseException as error:
                failures.append((len(values), fail(error)))
                values.append(None)
            if state.dirty:
                state.restore()

    def _with_shared(
        self, function: Callable[..., Any], code: Any, columns: Columns, shared: list[Any],
        fail: Callable[[BaseException], Any],
    ) -> tuple[list[Any], list[tuple[int, Any]]]:  # fmt: skip
        """Run items one by one that share arguments, and see that none of them sees what another has changed."""
        values: list[Any] = []
        failures: list[tuple[int, Any]] = []
        try:
            at_first = self._payloads.dump(columns)
        except Exception:  # what came cannot be sent on, so there can be no copies
            self._run_one_by_one(function, zip(*columns), values, failures, fail)
            return values, failures
        if code not in self._own_arguments:
            rows = self._until_changed(code, zip(*columns), shared)
            self._run_one_by_one(function, rows, values, failures, fail)
        if len(values) < len(columns[0]):
            left = list(zip(*self._payloads.load(at_first)))[len(values) :]
            self._run_one_by_one(function, self._copied(left), values, failures, fail)
        return values, failures

    def _until_changed(
        self, code: Any, rows: Iterable[tuple[Any, ...]], shared: list[Any]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield rows as long as what they share is as it was."""
        at_first = self._payloads.dump(shared)
        for row in rows:
            yield row
            try:
                is_changed = self._payloads.dump(shared) != at_first
            except Exception:  # something was put in that cannot be pickled
                is_changed = True
            if is_changed:
                self._remember(self._own_arguments, code)
                return

    def _copied(self, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield copies of rows, all taken before the first is used."""
        for body in [self._payloads.dump(row) for row in rows]:
            yield self._payloads.load(body)

    def _remember(self, functions: set[Any], code: Any) -> None:
        if len(functions) >= _REMEMBERED_AT_MOST:
            functions.clear()
        functions.add(code)


def in_one_loop(
    function: Callable[..., Any], columns: Columns, fail: Callable[[BaseException], Any]
) -> tuple[list[Any], list[tuple[int, Any]]]:  # fmt: skip
    """Do what :meth:`Isolation.run_items` does, without isolation.

    ``list.extend`` keeps what a ``map`` object gave before it raised, and the same object goes on with the next item.
    """
    calls = map(function, *columns)
    values: list[Any] = []
    failures: list[tuple[int, Any]] = []
    while len(values) < len(columns[0]):
        try:
            values.extend(calls)
            if len(values) < len(columns[0]):
                raise StopIteration  # the function did: map() took it for its own end
        except BaseException as error:
            failures.append((len(values), fail(error)))
            values.append(None)
    return values, failures


def _look_plain(columns: Columns) -> bool:
    """Whether all items are numbers or strings, as the first and the last one tell."""
    return all(type(column[0]) in ATOMS and type(column[-1]) in ATOMS for column in columns)


def _inner(function: Any) -> Any:
    """The function that a wrapper calls, which itself only hands arguments on."""
    while isinstance(function, Wrapper):
        function = function.function()
    return function


def _code_of(function: Any) -> Any:
    """What stays the same when a function is loaded again."""
    function = _inner(function)
    function = getattr(function, "__func__", getattr(function, "func", function))
    if isinstance(function, types.BuiltinFunctionType):
        return function.__qualname__, getattr(function, "__module__", None)
    return getattr(function, "__code__", type(function))


def shared_objects(columns: Columns) -> list[Any]:
    """Return the objects that can be changed and that two items have, alone or as a part.

    >>> settings = {"a": 1}
    >>> shared_objects(([settings, settings],)), shared_objects(([(1, settings), (2, {})], [3, settings]))
    ([{'a': 1}], [{'a': 1}])
    """
    owners: dict[int, int] = {}  # of each part, by id, the first item that has it
    shared: dict[int, Any] = {}
    for place, row in enumerate(zip(*columns)):
        for part in _parts(row):
            if owners.setdefault(id(part), place) != place:
                shared[id(part)] = part
    return list(shared.values())


def _parts(row: tuple[Any, ...]) -> Iterator[Any]:
    """Yield what can be changed in a row, down to some depth."""
    level: list[Any] = list(row)
    left = PARTS_LOOKED_AT
    for _ in range(DEPTH):
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind in ATOMS or issubclass(kind, _SHAREABLE):
                continue
            left -= 1
            if left < 0:
                return
            if kind is not tuple and _is_writable(value):
                yield value
            if kind in (tuple, list):
                below.extend(value[:left])
            elif kind is dict:
                below.extend(itertools.islice(value.values(), left))
            else:
                below.extend(itertools.islice(getattr(value, "__dict__", {}).values(), left))
        level = below


def _is_writable(value: Any) -> bool:
    """Whether it may be changed; arrays say so."""
    flags = getattr(value, "flags", None)
    return bool(getattr(flags, "writeable", True))
