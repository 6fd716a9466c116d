"""Each Future, and each item of a ``map``, begins from the same base and leaves nothing behind (docs/isolation).

The base is the state of the process (:mod:`.process_state`) and a context, as the import of the program has left them.
The items of a slice run in one loop of C. A change ends the loop: one of the process empties the list that the loop
reads, one of the context shows in the look before the next item, which takes 40 ns and is left out for functions that
can change nothing (:mod:`.harmless`). From then on items of that function run *one by one*. Arguments that items share
are compared after each item, large ones at the end of the slice, which is run again if they have changed (decision
0031).
"""

from __future__ import annotations

import collections
import contextvars
import itertools
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..wire.copies import Copies, Copy
from ..wire.functions import innermost
from .harmless import is_harmless, only_computes
from .interrupts import is_of_futures
from .plain import ATOMS, look_plain
from .process_state import ProcessState
from .slices import Columns, Fail, Failures, OpenSlice, Outcomes, add_failure, are_over, in_one_loop, is_used_up

is_of_futures(__name__)

SMALL_BYTES = 4096
"""Shared arguments that take no more when they are pickled are compared after each item."""
DEPTH = 6
PARTS_LOOKED_AT = 256
"""How deep, and at how many parts of an item, is looked for what items share."""
_REMEMBERED_AT_MOST = 4096
_UNSET = object()
_copy_context = contextvars.copy_context
_SHAREABLE: tuple[Any, ...] = (
    *ATOMS, type, range, frozenset, types.ModuleType, types.FunctionType, types.BuiltinFunctionType,
)  # fmt: skip


class Isolation:
    """The base of a Worker, and how items of a slice are run from it. `copies` makes those of arguments."""

    def __init__(self, copies: Copies, state: ProcessState | None = None) -> None:
        self.state = state or ProcessState()
        self.base = contextvars.Context()
        self._recorded: Callable[[contextvars.Context], Any] | None = None
        self.fresh: Callable[[], contextvars.Context] = self.base.copy
        self.call_in: Callable[[], Any] = self.base.copy
        """Returns what a call is made by: a context, or what stands for it while calls are written down."""
        self._changeable: list[contextvars.ContextVar[Any]] = []  # whose values are changed in place
        self._copies = copies
        self.one_by_one: set[Any] = set()  # of functions whose items have changed something, their code
        self.own_arguments: set[Any] = set()  # of those that have changed an argument that items share

    # -- the base ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The program has been imported: what it has left is the base."""
        self._set_base(_copy_context())
        self.state.begin()

    def end_by(self, end: Callable[[], Any]) -> None:
        """Nothing is run any more: whoever wants to begin something is ended."""
        self.fresh = self.call_in = end

    def record_by(self, recorded: Callable[[contextvars.Context], Any] | None) -> None:
        """From now on make calls by what this returns, whose ``run`` is that of the context; None: by the context."""
        self._recorded = recorded
        self._set_call_in()

    def _set_call_in(self) -> None:
        recorded = self._recorded
        self.call_in = self.fresh if recorded is None else lambda: recorded(self.fresh())

    def _set_base(self, context: contextvars.Context) -> None:
        self.base = _without_usual_decimals(context)
        self._changeable = [variable for variable, value in self.base.items() if _is_decimal_context(value)]
        self.fresh = self._with_copies if self._changeable else self.base.copy
        self._set_call_in()

    def _with_copies(self) -> contextvars.Context:
        """Decimal contexts are changed in place, so each Future gets its own."""
        context = self.base.copy()
        for variable in self._changeable:
            context.run(variable.set, context[variable].copy())
        return context

    def import_in_base(self, run: Callable[..., object], module: types.ModuleType) -> None:
        """Run a module's import; what it sets in its context holds for all Futures, and for the one that imports it.

        That one keeps what it has set itself.
        """
        context = self.fresh()
        before = {variable: _kept(value) for variable, value in context.items()}
        try:
            context.run(run, module)
        finally:
            base = self.base.copy()
            for variable, value in context.items():
                if before.get(variable, _UNSET) == _kept(value):
                    continue
                if variable.get(_UNSET) is _UNSET or _kept(variable.get()) == before.get(variable, _UNSET):
                    variable.set(value)
                base.run(variable.set, value)
            self._set_base(base)

    def run_in_base(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function whose changes of the context all Futures are to see."""
        context = self.fresh()
        context.run(function, *arguments)
        self._set_base(context)

    # -- the items of a slice ----------------------------------------------------------------------------------------

    def run_items(
        self, function: Callable[..., Any], columns: Columns, fail: Fail,
        open_slice: OpenSlice | None = None,
    ) -> Outcomes:  # fmt: skip
        """Call a function for each item; return the values, and the place and what `fail` says of each that raised.

        The value at such a place is None. There are fewer values than items where `open_slice` was cut meanwhile.
        Raises what `fail` raises.
        """
        open_slice = open_slice or OpenSlice((0, 0), len(columns[0]))
        inner = innermost(function)
        harmless = is_harmless(inner)
        if harmless and only_computes(inner) and all(map(look_plain, columns)):
            return in_one_loop(function, columns, fail, open_slice)
        is_plain = all(map(_has_only_atoms, columns))
        if harmless and is_plain:
            return in_one_loop(function, columns, fail, open_slice)
        code = _code_of(inner)
        shared = [] if is_plain else shared_objects(columns)
        if shared:
            return self._with_shared(function, code, columns, shared, fail)
        values: list[Any] = []
        failures: Failures = []
        if code not in self.one_by_one:
            decimals = self._decimals()
            self._in_watched_loop(function, code, columns, values, failures, fail, open_slice)
            if decimals != self._decimals():
                self._remember(self.one_by_one, code)
                values, failures = [], []
        if len(values) < len(columns[0]) and not open_slice.is_cut:
            first, *others = (column[len(values) :] for column in columns)
            self._run_one_by_one(function, zip(open_slice.begin(first), *others), values, failures, fail)
        return values, failures

    def _in_watched_loop(
        self, function: Callable[..., Any], code: Any, columns: Columns, values: list[Any],
        failures: Failures, fail: Fail, open_slice: OpenSlice,
    ) -> None:  # fmt: skip
        """Run items in one loop until one of them changes something, or all have been run."""
        state, count = self.state, len(columns[0])
        column, context = list(columns[0]), _copy_context()
        before = state.swap_column(column)
        items = open_slice.begin(column)
        is_unchanged = map(context.__eq__, itertools.starmap(_copy_context, itertools.repeat(())))
        calls = map(function, itertools.compress(items, is_unchanged), *columns[1:])
        try:
            while len(values) < count:
                try:
                    values.extend(calls)
                    is_over = len(values) == count or are_over(items, len(values), open_slice)
                    if is_over or (is_used_up(items) and not column):
                        break
                    raise StopIteration  # the function did: map() took it for its own end
                except BaseException as error:
                    if _is_of_the_look(error, context):
                        break
                    is_over = len(values) == count or are_over(items, len(values), open_slice)
                    add_failure(error, values, failures, fail, is_over=is_over)
        finally:
            state.swap_column(before)
        if not column or _differs(context) or state.dirty:
            self._remember(self.one_by_one, code)
            if state.dirty:
                state.restore()

    def _run_one_by_one(
        self, function: Callable[..., Any], rows: Iterable[tuple[Any, ...]], values: list[Any],
        failures: Failures, fail: Fail,
    ) -> None:  # fmt: skip
        state = self.state
        for place, row in enumerate(rows, len(values)):
            try:
                values.append(self.fresh().run(function, *row))
            except BaseException as error:
                values[place:] = [None]
                failures.append((place, fail(error, place)))
            if state.dirty:
                state.restore()

    def _with_shared(
        self, function: Callable[..., Any], code: Any, columns: Columns, shared: list[Any],
        fail: Fail,
    ) -> Outcomes:  # fmt: skip
        """Run items one by one that share arguments, and see that none of them sees what another has changed."""
        values: list[Any] = []
        failures: Failures = []
        try:
            at_first, parts = self._copies.dump(columns), self._copies.dump(shared)
        except Exception:  # what came cannot be sent on, so there can be no copies
            self._run_one_by_one(function, zip(*columns), values, failures, fail)
            return values, failures
        if code not in self.own_arguments:
            rows: Iterable[tuple[Any, ...]] = zip(*columns)
            if parts.size <= SMALL_BYTES:
                rows = self._until_changed(code, rows, shared, parts)
            self._run_one_by_one(function, rows, values, failures, fail)
            if parts.size > SMALL_BYTES and self._is_changed(shared, parts):
                self._remember(self.own_arguments, code)
                values, failures = [], []
        if len(values) < len(columns[0]):
            left = list(zip(*self._copies.load(at_first)))[len(values) :]
            self._run_one_by_one(function, self._copied(left), values, failures, fail)
        return values, failures

    def _until_changed(
        self, code: Any, rows: Iterable[Any], shared: list[Any], at_first: Copy
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """Yield rows as long as what they share is as it was."""
        for row in rows:
            yield row
            if self._is_changed(shared, at_first):
                self._remember(self.own_arguments, code)
                return

    def _is_changed(self, shared: list[Any], at_first: Copy) -> bool:
        try:
            return self._copies.dump(shared) != at_first
        except Exception:  # something was put in that cannot be pickled
            return True

    def _decimals(self) -> list[Any]:
        """Return the settings of the decimal contexts that the program has set, as they are now."""
        return [_kept(variable.get(None)) for variable in self._changeable]

    def _copied(self, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield copies of rows, all taken before the first is used."""
        for body in [self._copies.dump(row) for row in rows]:
            yield self._copies.load(body)

    def _remember(self, functions: set[Any], code: Any) -> None:
        if len(functions) >= _REMEMBERED_AT_MOST:
            functions.clear()
        functions.add(code)


def _has_only_atoms(column: list[Any]) -> bool:
    """Whether all items are numbers and strings, or tuples of such."""
    kinds = set(map(type, column))
    return kinds <= ATOMS or (kinds == {tuple} and set(map(type, itertools.chain.from_iterable(column))) <= ATOMS)


def _differs(context: contextvars.Context) -> bool:
    """Whether the present context is another than it was."""
    try:
        return context != _copy_context()
    except Exception:  # of values that cannot be compared
        return True


def _is_of_the_look(error: BaseException, context: contextvars.Context) -> bool:
    """Whether an error comes from the comparison of contexts, not from the function."""
    traceback = error.__traceback__
    return traceback is not None and traceback.tb_next is None and _differs(context)


def _is_decimal_context(value: Any) -> bool:
    decimal = sys.modules.get("decimal")
    return decimal is not None and type(value) is decimal.Context


def _without_usual_decimals(context: contextvars.Context) -> contextvars.Context:
    """Leave out a decimal context that was made by some use of decimal and not changed: each Future makes its own."""
    kept = contextvars.Context()
    for variable, value in context.items():
        if not (_is_decimal_context(value) and _kept(value) == _kept(sys.modules["decimal"].DefaultContext)):
            kept.run(variable.set, value)
    return kept


def _kept(value: Any) -> Any:
    """What of a context variable's value is compared: of a decimal context its settings, else which object it is."""
    if _is_decimal_context(value):
        traps = tuple(sorted(trap.__name__ for trap, is_set in value.traps.items() if is_set))
        return value.prec, value.rounding, value.Emin, value.Emax, value.capitals, value.clamp, traps
    return id(value)


def _code_of(function: Any) -> Any:
    """What stays the same when a function is loaded again."""
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
            if not issubclass(kind, tuple) and _is_writable(value):
                yield value
            below.extend(itertools.islice(_inside(value, kind), left))
        level = below


def _inside(value: Any, kind: type) -> Iterator[Any]:
    """Yield what a value consists of: items of containers and of arrays of objects, attributes, and slots."""
    if issubclass(kind, (tuple, list, set, collections.deque)):
        yield from value
    elif issubclass(kind, dict):
        yield from value.values()
    elif getattr(getattr(value, "dtype", None), "hasobject", False):
        yield from value.flat
    yield from getattr(value, "__dict__", {}).values()
    for owner in kind.__mro__:
        names = owner.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            yield getattr(value, name, None)


def _is_writable(value: Any) -> bool:
    """Whether it may be changed; arrays say so."""
    flags = getattr(value, "flags", None)
    return bool(getattr(flags, "writeable", True))
