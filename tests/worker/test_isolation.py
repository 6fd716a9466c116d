"""Items of a slice are kept apart: by context, by process state, and by the arguments that they share."""

from __future__ import annotations

import collections
import contextvars
import decimal
import itertools
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from effort import scaled
from hypothesis import given, settings, strategies as st

from fedfutures.wire.copies import Copies
from fedfutures.wire.functions import Wrapper
from fedfutures.wire.payload import Payloads
from fedfutures.worker import slices
from fedfutures.worker.isolation import Isolation, shared_objects
from fedfutures.worker.process_parts import PARTS
from fedfutures.worker.slices import OpenSlice, ReduceSlice, ScanSlice, Slice, Star, in_one_loop

VARIABLE = contextvars.ContextVar("VARIABLE", default="none")


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    """As in a Worker; a change of the directory is told of by hand, for this process is not watched."""
    made = Isolation(Copies())
    directory = os.getcwd()
    contextvars.Context().run(made.begin)
    yield made
    os.chdir(directory)


def same(error: BaseException, place: int) -> BaseException:
    return error


def values(isolation: Isolation, function: Any, *columns: list[Any]) -> list[Any]:
    """Run items as a Future does, in a context of its own; errors stand at their places."""
    found, failures = isolation.fresh().run(isolation.run_items, function, columns, same)
    assert [found[place] for place, _ in failures] == [None] * len(failures)
    for place, error in failures:
        found[place] = repr(error)
    return found


def sometimes_sets(x: int) -> str:
    found = VARIABLE.get()
    if x % 4 == 2:
        VARIABLE.set(str(x))
    return found


def sets_and_resets(x: int) -> str:
    token = VARIABLE.set(str(x))
    found = VARIABLE.get()
    VARIABLE.reset(token)
    return found


def precision(x: int) -> int:
    found = decimal.getcontext().prec
    decimal.getcontext().prec = 3 + x
    return found


def test_no_item_sees_the_context_of_another(isolation: Isolation) -> None:
    for _ in range(2):  # the second time one by one
        assert values(isolation, sometimes_sets, list(range(20))) == ["none"] * 20
    assert values(isolation, sets_and_resets, [1, 2, 3]) == ["1", "2", "3"]
    assert values(isolation, precision, list(range(5))) == [28] * 5
    assert VARIABLE.get() == "none"


def test_only_those_that_change_something_run_one_by_one(isolation: Isolation) -> None:
    values(isolation, sometimes_sets, [1, 3])
    values(isolation, sets_and_resets, [1, 3])
    assert not isolation.one_by_one
    values(isolation, sometimes_sets, [1, 2, 3])
    assert isolation.one_by_one == {sometimes_sets.__code__}


def test_a_change_of_the_process_is_undone_before_the_next_item(isolation: Isolation) -> None:
    directory = os.getcwd()

    def moves(x: int) -> str:
        found = os.getcwd()
        if x == 2:
            os.chdir("/")
            isolation.state.note("directory")
        return found

    for _ in range(2):
        assert values(isolation, moves, list(range(6))) == [directory] * 6
        assert (os.getcwd(), isolation.state.calm, isolation.state.column) == (directory, True, None)


def test_the_last_item_is_undone_as_well(isolation: Isolation) -> None:
    def moves(x: int) -> None:
        os.chdir("/")
        isolation.state.note("directory")

    directory = os.getcwd()
    values(isolation, moves, [1])
    assert os.getcwd() == directory


def test_errors_stand_at_their_places(isolation: Isolation) -> None:
    def fails(x: int) -> Any:
        if x == 1:
            raise ValueError(x)
        if x == 2:
            raise StopIteration
        if x == 3:
            VARIABLE.set("x")
            raise KeyError(x)
        return VARIABLE.get()

    expected = ["none", "ValueError(1)", "StopIteration()", "KeyError(3)", "none", "none"]
    for _ in range(2):
        assert values(isolation, fails, list(range(6))) == expected


def test_a_mere_use_of_decimal_is_not_of_the_base(isolation: Isolation) -> None:
    def future() -> int:
        decimal.getcontext().prec = 50
        isolation.import_in_base(lambda module: decimal.Decimal(1) / 3, sys)
        return decimal.getcontext().prec

    assert isolation.fresh().run(future) == 50
    assert not any(isinstance(value, decimal.Context) for value in isolation.base.values())


ARRAY: contextvars.ContextVar[Any] = contextvars.ContextVar("ARRAY", default=None)


def test_values_that_cannot_be_compared_have_changed(isolation: Isolation) -> None:
    numpy = pytest.importorskip("numpy")
    isolation.run_in_base(ARRAY.set, numpy.zeros(3))
    log = []

    def item(x: int) -> int:
        log.append(x)
        ARRAY.set(numpy.zeros(3))
        return x

    assert values(isolation, item, list(range(4))) == [0, 1, 2, 3]
    assert log == [0, 1, 2, 3]


def test_an_item_that_changes_something_and_stops_runs_once(isolation: Isolation) -> None:
    log = []

    def item(x: int) -> int:
        log.append(x)
        if x == 1:
            isolation.state.note("umask")
            raise StopIteration
        if x == 2:
            VARIABLE.set("x")
            raise StopIteration
        return x

    for function in (item, lambda x: item(x)):
        assert values(isolation, function, list(range(5))) == [0, "StopIteration()", "StopIteration()", 3, 4]
        assert log == [0, 1, 2, 3, 4]
        log.clear()


def test_large_shared_arguments_are_looked_at_in_the_end(isolation: Isolation) -> None:
    large = {number: [0] for number in range(3000)}

    def grows_large(shared: dict[int, list[int]], x: int) -> int:
        if x == 3:
            shared[0].append(x)
        return len(shared[0])

    for _ in range(2):
        assert values(isolation, grows_large, [large] * 9, list(range(9))) == [1, 1, 1, 2, 1, 1, 1, 1, 1]
        large[0] = [0]
    assert values(isolation, lambda shared, x: len(shared), [large] * 9, list(range(9))) == [3000] * 9


def grows(shared: list[int], x: int) -> int:
    if x % 3 == 1:
        shared.append(x)
    return len(shared)


def grows_inside(item: tuple[dict[str, list[int]], int]) -> int:
    item[0]["x"].append(item[1])
    return len(item[0]["x"])


class Holder:
    def __init__(self, parts: list[int]) -> None:
        self.parts = parts


def grows_in_an_object(holder: Holder) -> int:
    holder.parts.append(1)
    return len(holder.parts)


def spoils(shared: dict[str, Any], x: int) -> int:
    """What is put in cannot be pickled."""
    shared["x"] = sys._getframe()
    return len(shared)


def test_items_do_not_see_what_others_did_to_shared_arguments(isolation: Isolation) -> None:
    parts: list[int] = []
    for _ in range(2):
        shared: list[int] = []
        assert values(isolation, grows, [shared] * 9, list(range(9))) == [int(x % 3 == 1) for x in range(9)]
        inside = {"x": [0]}
        assert values(isolation, grows_inside, [(inside, x) for x in range(5)]) == [2] * 5
        parts = []
        assert values(isolation, grows_in_an_object, [Holder(parts) for _ in range(4)]) == [1] * 4
        assert values(isolation, spoils, [{}] * 3, [1, 2, 3]) == [1] * 3
    assert {grows.__code__, grows_inside.__code__} <= isolation.own_arguments


def test_shared_arguments_that_cannot_be_copied_are_used_as_they_are(isolation: Isolation) -> None:
    shared = [sys._getframe()]
    assert values(isolation, len, [shared] * 3) == [1] * 3


class Named(NamedTuple):
    number: int
    parts: Any


class Slotted:
    __slots__ = ("parts",)

    def __init__(self, parts: Any) -> None:
        self.parts = parts


@pytest.mark.parametrize(
    "hold",
    [
        lambda parts, x: Named(x, parts), lambda parts, x: Slotted(parts), lambda parts, x: collections.deque([parts]),
        lambda parts, x: collections.OrderedDict(a=parts), lambda parts, x: [[[[parts]]]],
        lambda parts, x: {number: parts if number == 99 else [] for number in range(100)},
    ],
)  # fmt: skip
def test_objects_are_shared_inside_of_others(hold: Callable[[Any, int], Any]) -> None:
    parts = [1]
    assert any(shared is parts for shared in shared_objects(([hold(parts, x) for x in range(3)],)))
    assert shared_objects(([hold([1], x) for x in range(3)],)) == []


def test_what_is_shared() -> None:
    numpy = pytest.importorskip("numpy")
    array, fixed = numpy.zeros(3), numpy.zeros(3)
    fixed.flags.writeable = False
    one, two = [1], {"a": [2]}
    assert shared_objects(([one, one, 3], [1, 2, 3])) == [one]
    assert shared_objects(([(one, 1), (one, 2)],)) == [one]
    assert shared_objects(([{"k": two}, {"k": two}],)) == [two, two["a"]]
    assert shared_objects(([one, [1]], [two, {}])) == []
    assert shared_objects(([fixed, fixed], [len, len], [int, int], [(1, 2)] * 2)) == []
    assert [id(value) for value in shared_objects(([array, array],))] == [id(array)]
    assert shared_objects(([[*range(1000), one], [*range(1000), one]],)) == []  # too many parts to be looked at


def test_the_base_is_what_was_left_and_decimal_contexts_are_copied() -> None:
    isolation = Isolation(Copies())

    def program() -> None:
        VARIABLE.set("of the program")
        decimal.getcontext().prec = 11
        isolation.begin()

    contextvars.Context().run(program)
    found = values(isolation, lambda x: (VARIABLE.get(), precision(x)), list(range(4)))
    assert found == [("of the program", 11)] * 4

    def imported(module: types.ModuleType) -> None:
        VARIABLE.set("of an import")
        decimal.getcontext().prec = 12

    def future() -> Any:
        decimal.getcontext().prec = 50  # of its own: an import does not take it away
        isolation.import_in_base(imported, sys)
        isolation.import_in_base(lambda module: decimal.Decimal(1) / 3, sys)
        return VARIABLE.get(), decimal.getcontext().prec

    assert isolation.fresh().run(future) == ("of an import", 50)
    assert isolation.fresh().run(lambda: (VARIABLE.get(), decimal.getcontext().prec)) == ("of an import", 12)
    isolation.run_in_base(VARIABLE.set, "set later")
    assert isolation.fresh()[VARIABLE] == "set later"


def test_few_functions_are_remembered(isolation: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedfutures.worker.isolation._REMEMBERED_AT_MOST", 2)
    for number in range(5):
        values(isolation, eval(f"lambda x: [VARIABLE.set(str(x)), {number}]", {"VARIABLE": VARIABLE}), [1, 2])
    assert len(isolation.one_by_one) <= 2


def test_wrappers(isolation: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedfutures.worker.slices.OfItems.run_items", staticmethod(isolation.run_items))

    def run(wrapper: Wrapper, *columns: list[Any]) -> Any:
        return isolation.fresh().run(wrapper.bind(Payloads()), *columns)[0]

    assert run(Slice(sometimes_sets), list(range(8))) == ["none"] * 8
    assert run(Slice(Star(grows)), [([1], x) for x in range(3)]) == [1, 2, 1]
    assert run(ReduceSlice(sometimes_sets, max), list(range(8))) == ["none"]
    assert run(ScanSlice(sometimes_sets, max), list(range(4))) == [["none"] * 4]
    with pytest.raises(ZeroDivisionError):
        run(ReduceSlice(lambda x: 1 / x, max), [1, 0])
    assert run(Slice(abs), [-1, -2]) == [1, 2]
    assert in_one_loop(divmod, ([7, 8], [2, 0]), same)[0] == [(3, 1), None]


ACTIONS = st.lists(st.sampled_from(["look", "variable", "directory", "argument", "raise", "stop", "all"]), max_size=30)


@settings(max_examples=scaled(150))
@given(ACTIONS, st.booleans())
def test_items_are_as_if_each_were_alone(actions: list[str], shares: bool) -> None:
    """The twin: every item finds what the first one finds."""
    isolation = Isolation(Copies())
    contextvars.Context().run(isolation.begin)
    directory = os.getcwd()

    def item(argument: list[int], action: str) -> Any:
        found = VARIABLE.get(), os.getcwd(), tuple(argument)
        if action in ("variable", "all"):
            VARIABLE.set("changed")
        if action in ("directory", "all"):
            os.chdir("/")
            isolation.state.note("directory")
        if action in ("argument", "all"):
            argument.append(1)
        if action in ("raise", "all"):
            raise ValueError(found)
        if action == "stop":
            raise StopIteration
        return found

    one: list[int] = []
    alone = "none", directory, ()
    for _ in range(2):
        try:
            arguments = [one if shares else [] for _ in actions]
            found = values(isolation, item, arguments, list(actions)) if actions else []
        finally:
            os.chdir(directory)
        errors = {"raise": ValueError(alone), "all": ValueError(alone), "stop": StopIteration()}
        assert found == [repr(errors[action]) if action in errors else alone for action in actions]
        one.clear()


def test_all_parts_have_names_that_can_be_said() -> None:
    assert all(name == name.lower() for name in PARTS)


# -- slices that are cut ---------------------------------------------------------------------------------------------


KINDS: dict[str, Callable[[int], Any]] = {
    "computes": abs,
    "raises": lambda x: 1 // (x % 3),
    "stops": lambda x: next(iter([x] if x % 4 else [])),
    "sets": lambda x: (VARIABLE.set(str(x)), x)[1],
    "changes the process": lambda x: (os.environ.update(FEDFUTURES_TEST=str(x)), x)[1],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("before", [False, True], ids=["watched", "one by one"])
def test_a_slice_that_is_cut_runs_what_it_has_begun_and_nothing_else(
    isolation: Isolation, kind: str, columns: int, before: bool
) -> None:
    inner = KINDS[kind]
    for count in (2, 5, 9):
        for place in range(count):
            called: list[int] = []
            open_slice = OpenSlice((1, 1), count)
            kept: list[int] = []

            def function(x: int, *_: int) -> Any:
                called.append(x)  # noqa: B023
                if len(called) == place + 1:  # noqa: B023
                    kept.append(open_slice.cut())  # noqa: B023
                return inner(x)

            if before:
                values(isolation, function, list(range(8)), *[[0] * 8] * (columns - 1))
                called.clear()
                kept.clear()
                open_slice.is_cut = False
            rows = [list(range(count))] * columns
            found, failures = isolation.fresh().run(isolation.run_items, function, rows, same, open_slice)
            assert called == list(range(place + 1))
            assert len(found) <= kept[0] <= count  # who hears of fewer runs the others again
            assert kept[0] in (place + 1, count)
            assert len(found) in (place + 1, place)  # one that stops the loop is taken for its end, and runs again
            for at, error in failures:
                assert found[at] is None
                assert error is not None


def test_a_slice_that_was_cut_before_it_began_runs_nothing(isolation: Isolation) -> None:
    open_slice = OpenSlice((1, 1), 3)
    assert open_slice.cut() == 3
    assert isolation.run_items(abs, ([1, 2, 3],), same, open_slice) == ([], [])


def test_each_item_is_run_once_whoever_takes_it(isolation: Isolation) -> None:
    """A thread cuts slices at any moment: what it takes and what runs are together all items, and none is in both."""
    threads = []
    for number in range(200):
        open_slice = OpenSlice((1, 1), 20_000)
        kept: list[int] = []
        thread = threading.Thread(target=lambda: kept.append(open_slice.cut()))  # noqa: B023
        threads.append(thread)
        thread.start()
        found, _ = in_one_loop(lambda x: x, (list(range(20_000)),), same, open_slice)
        thread.join()
        assert found == list(range(len(found))), number
        assert kept[0] in (len(found), 20_000), number


def test_an_interrupt_behind_the_last_item_is_that_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    values, failures = [1, 2], list[tuple[int, Any]]()
    for _ in range(2):
        slices.add_failure(KeyboardInterrupt(), values, failures, lambda error, place: place, is_over=True)
        assert (values, failures) == ([1, None], [(1, 1)])

    late = itertools.chain([False, KeyboardInterrupt()], itertools.repeat(True))

    def is_used_up(items: Any) -> bool:
        found = next(late)
        if isinstance(found, KeyboardInterrupt):
            raise found
        return bool(found) or real(items)

    real = slices.is_used_up
    monkeypatch.setattr(slices, "is_used_up", is_used_up)
    calls = iter([ValueError("first"), 2, 3])

    def function(item: int) -> Any:
        found = next(calls)
        if isinstance(found, Exception):
            raise found
        return found

    found = slices.in_one_loop(function, ([1, 2, 3],), lambda error, place: (type(error), place))
    assert found == ([None, 2, None], [(0, (ValueError, 0)), (2, (KeyboardInterrupt, 2))])


@pytest.mark.parametrize("kind", [ValueError, StopIteration])
@pytest.mark.parametrize("raises_at", range(5))
def test_an_item_that_raises_while_its_slice_is_cut_fails_at_its_own_place(
    isolation: Isolation, raises_at: int, kind: type[Exception]
) -> None:
    open_slice = OpenSlice((7, 1), 5)

    def call(number: int) -> tuple[int, str]:
        if number == raises_at:
            open_slice.cut()
            raise kind(number)
        return number, VARIABLE.get()

    found = isolation.fresh().run(isolation.run_items, call, ([0, 1, 2, 3, 4],), same, open_slice)
    assert found[0] == [*((number, "none") for number in range(raises_at)), None]
    assert [(place, type(error)) for place, error in found[1]] == [(raises_at, kind)]
