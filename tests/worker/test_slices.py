"""Wrappers of maps, reductions and scans; slices of which somebody takes what has not been started."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import pytest

from fedfutures.wire.payload import Payloads
from fedfutures.worker.slices import (
    HAD_KEYWORDS,
    Accumulate,
    Arguments,
    Fold,
    LocalSubmitter,
    OfItems,
    OneItem,
    OpenSlice,
    ReduceSlice,
    ScanSlice,
    Shift,
    Slice,
    Star,
    can_be_cut,
    cut,
    in_one_loop,
    is_used_up,
)


def test_the_iterator_of_a_list_tells_its_end_only_when_it_was_asked_for_more() -> None:
    items = iter([1])
    next(items)
    assert not is_used_up(items)
    assert next(items, None) is None
    assert is_used_up(items)


def test_what_is_cut_off_is_not_run_and_not_taken_twice() -> None:
    open_slice = OpenSlice((7, 1), 4)
    items = open_slice.begin([1, 2, 3, 4])
    assert next(items) == 1
    assert open_slice.cut() == 1
    assert list(items) == []
    assert list(OpenSlice((7, 1), 4).begin([1, 2])) == [1, 2]


@pytest.mark.parametrize("kind", [ValueError, StopIteration])
@pytest.mark.parametrize("raises_at", range(5))
def test_the_item_that_raises_while_the_others_are_cut_off_is_the_one_that_failed(
    raises_at: int, kind: type[Exception]
) -> None:
    """The iterator has come to its end then, though that item has not. It is not run again."""
    open_slice = OpenSlice((7, 1), 5)

    def call(number: int) -> int:
        if number == raises_at:
            open_slice.cut()
            raise kind(number)
        return number

    values, failures = in_one_loop(call, ([0, 1, 2, 3, 4],), lambda error, place: type(error), open_slice)
    assert values == [*range(raises_at), None]
    assert failures == [(raises_at, kind)]


def test_an_interrupt_that_comes_when_a_cut_slice_is_over_is_the_last_item_s() -> None:
    open_slice = OpenSlice((7, 1), 3)
    items = open_slice.begin([1, 2, 3])
    next(items)
    assert open_slice.is_over(1), "it was not cut"
    assert open_slice.cut() == 1
    assert [open_slice.is_over(done) for done in (0, 1)] == [False, True]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> OpenSlice:
    made = OpenSlice((7, 1), 3)
    monkeypatch.setattr(Slice, "running", made)
    return made


def test_only_the_slice_that_runs_there_is_cut_and_once(running: OpenSlice) -> None:
    items = running.begin([1, 2, 3])
    next(items)
    assert (can_be_cut((7, 2)), cut((7, 2))) == (False, 0)
    assert can_be_cut((7, 1))
    assert cut((7, 1)) == 1
    assert (can_be_cut((7, 1)), cut((7, 1))) == (False, 0)


def test_a_slice_that_has_begun_its_last_item_has_nothing_to_give(running: OpenSlice) -> None:
    items = running.begin([1, 2, 3])
    for _ in range(3):
        next(items)
    assert cut((7, 1)) == 0


def test_where_no_slice_runs_none_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slice, "running", None)
    assert (can_be_cut((0, 0)), cut((0, 0))) == (False, 0)


def test_reductions_and_scans_keep_the_order() -> None:
    assert ReduceSlice(str, operator.add)([1, 2, 3])[:2] == (["123"], [])
    assert ScanSlice(str, operator.add)([1, 2, 3])[:2] == ([["1", "12", "123"]], [])
    assert Fold(operator.add)(["a", "b", "c"]) == "abc"
    assert Accumulate(operator.add)(["a", "b", "c"]) == ["a", "ab", "abc"]
    assert Shift(operator.add)("a", ["b", "c"]) == ["ab", "ac"]


def test_a_reduction_raises_what_an_item_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        ReduceSlice(lambda item: 1 / item, operator.add)([1, 0, 2])


def test_the_arguments_of_a_wrapper_are_those_of_one_item_only() -> None:
    assert Slice(pow).arguments(([2], [3])) == ((2, 3), {})
    assert Slice(pow).arguments(([2, 3], [3, 4])) == (None, {})
    assert Star(pow).arguments(((2, 3),)) == ((2, 3), {})
    assert Star(pow).arguments((Arguments(2, exp=3),)) == ((2,), {"exp": 3})


@pytest.mark.parametrize("item", [{"a": 1}, [(1,), {"a": 1}], ((1,), {})])
def test_items_that_once_meant_keywords_are_warned_of(item: Any) -> None:
    with pytest.warns(FutureWarning) as caught:
        assert Star(lambda *args: args)(item) == tuple(item)
    assert str(caught[0].message) == HAD_KEYWORDS.format(type(item).__name__)


@pytest.mark.parametrize("item", [(1, 2), [(1,), (2,)], "ab", (1, {}), Arguments(1, 2)])
def test_other_items_are_not_warned_of(item: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Star(lambda *args: args)(item)) == 2


def test_arguments_are_equal_by_what_is_in_them_and_have_no_hash() -> None:
    assert Arguments(1, b=2) == Arguments(1, b=2)
    assert Arguments(1, b=2) != Arguments(1, b=3)
    assert Arguments() != ((), {})
    assert repr(Arguments("a", b=2)) == "Arguments('a', b=2)"
    assert Arguments(self=1).kwargs == {"self": 1}
    with pytest.raises(TypeError):
        hash(Arguments())


def test_what_is_submitted_here_takes_no_bytes_on_the_way() -> None:
    assert LocalSubmitter(sum)((1, 2)) == (3, 0)


# -- items that raise what is true of one host alone -------------------------------------------------------------------


def missing_from(number: int) -> int:
    if number > 2:
        raise FileNotFoundError(2, "No such file", str(number))
    if number < 0:
        raise ValueError(number)
    return number


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Slice:
    made = Slice(missing_from)
    made.bind(Payloads())
    return made


def test_on_one_host_such_an_item_fails_alone(bound: Slice) -> None:
    values, failures, _ = bound([1, 3, 2])
    assert (values, [place for place, _ in failures]) == ([1, None, 2], [1])


def test_among_several_hosts_a_slice_ends_before_it(bound: Slice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OfItems, "hosts", 2)
    values, failures, _ = bound([1, -1, 2, 3, 1, 4])
    assert (values, [place for place, _ in failures]) == ([1, None, 2], [1])
    with pytest.raises(FileNotFoundError):
        bound([3, 1, 1])  # it is tried as a whole
    with pytest.raises(FileNotFoundError):
        bound([3])
    bound.keep_whole()
    with pytest.raises(FileNotFoundError):
        bound([1, 3])


def test_one_item_that_is_tried_again_raises_itself() -> None:
    assert OneItem(missing_from)([2])[:2] == ([2], [])
    with pytest.raises(ValueError, match="-1"):
        OneItem(missing_from)([-1])
