"""The window of a map, beside a naive twin: which slices count, are unread, are on their way, and how many items."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fedfutures import Future
from fedfutures.errors import ArgumentLoadError, FederationLost, PoisonedFuture
from fedfutures.federation.schedule import Durations
from fedfutures.futures.slicing import Slicing
from fedfutures.futures.window import Part, Window, sliced
from fedfutures.program import safe_points
from fedfutures.worker.future import settle


class Waits(Exception):
    """Somebody would wait now."""


def is_waited_for(window: Window, future: Future) -> bool:
    """Whether who needs a slice waits for another thread, which divides it."""

    def sleep(seconds: float) -> Any:
        raise Waits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safe_points, "sleep", sleep)
        try:
            window.wait_until_divided(future)
        except Waits:
            return True
    return False


class Windows(RuleBasedStateMachine):
    """The twin is a list of [future, its items, whether it is on its way, whether it counts, whether it is unread]."""

    @initialize(in_order=st.booleans())
    def begin(self, in_order: bool) -> None:
        self.in_order = in_order
        self.window = Window(in_order=in_order)
        self.twin: list[list] = []
        self.next = 0

    @rule(count=st.integers(1, 5))
    def add(self, count: int) -> None:
        future: Future[object] = Future()
        items = list(range(self.next, self.next + count))
        self.window.add(future, (items,), 10, self.next)
        self.window.add_unread([future])
        self.twin.append([future, items, True, True, not self.window.is_dropped])
        self.next += count

    @precondition(lambda self: self.twin)
    @rule(place=st.integers(0))
    def arrive(self, place: int) -> None:
        entry = self.twin[place % len(self.twin)]
        part = self.window.arrived(entry[0])
        assert (part is not None) == entry[3]
        entry[2] = False

    @precondition(lambda self: any(entry[4] for entry in self.twin))
    @rule()
    def take_the_next(self) -> None:
        entry = next(entry for entry in self.twin if entry[4])
        assert self.window.is_next(entry[0])
        assert self.window.take(entry[0]) == (entry[1][0], len(entry[1]))
        entry[3] = entry[4] = False

    @precondition(lambda self: any(entry[3] for entry in self.twin))
    @rule(kept=st.integers(1, 5))  # the item that runs is not taken away
    def shorten(self, kept: int) -> None:
        entry = next(entry for entry in self.twin if entry[3])
        part = self.window.shorten(entry[0], kept)
        assert (part is None) == (kept >= len(entry[1]))
        if part is not None:
            assert is_waited_for(self.window, entry[0])
            rest: Future[object] = Future()
            self.window.add(rest, part.between(kept, None), 10, part.first + kept)
            self.window.end_split(entry[0], [rest], instead=False)
            self.twin.insert(self.twin.index(entry) + 1, [rest, entry[1][kept:], True, True, entry[4]])
            entry[1] = entry[1][:kept]

    @precondition(lambda self: any(entry[3] and not entry[2] for entry in self.twin))
    @rule()
    def split(self) -> None:
        entry = next(entry for entry in self.twin if entry[3] and not entry[2])
        part = self.window.begin_split(entry[0])
        assert part is not None
        assert self.window.begin_split(entry[0]) is None
        at = self.twin.index(entry)
        others: list[Future] = []
        for number, columns in enumerate(part.singles()):
            others.append(Future())
            self.window.add(others[-1], columns, 1, part.first + number)
            self.twin.insert(at + 1 + number, [others[-1], columns[0], True, True, entry[4]])
        self.window.end_split(entry[0], others, instead=True)
        del self.twin[at]

    @rule()
    def drop(self) -> None:
        self.window.drop()
        found = self.window.forget_unread()
        assert set(found) == {entry[0] for entry in self.twin if entry[4]}
        for entry in self.twin:
            entry[4] = False

    @invariant()
    def alike(self) -> None:
        if not hasattr(self, "window"):
            return
        unread = [entry[0] for entry in self.twin if entry[4]]
        assert (list(self.window.unread) if self.in_order else self.window.unread) == (
            unread if self.in_order else set(unread)
        )
        counted = [entry for entry in self.twin if entry[3]]
        assert len(self.window) == len(counted)
        assert self.window.items == sum(len(entry[1]) for entry in counted)
        assert set(self.window.away()) == {entry[0] for entry in self.twin if entry[2]}
        assert self.window.sizes_away() == {entry[0]: len(entry[1]) for entry in counted if entry[2]}
        assert set(self.window.here()) == {entry[0] for entry in counted if not entry[2]}
        assert self.window.is_all_here == (not self.window.away())
        assert not any(is_waited_for(self.window, entry[0]) for entry in self.twin)


TestWindows = Windows.TestCase
TestWindows.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def failed(window: Window, error: BaseException, count: int = 2) -> Future:
    future: Future[object] = Future()
    window.add(future, ([0] * count,), 1, 0)
    settle(future, None, error)
    return future


def test_which_failures_are_those_of_one_item() -> None:
    plain, keeping = Window(in_order=True), Window(in_order=True, keeps_failures=True)
    poisoned = PoisonedFuture("f", "h", "h.1", "exit code 1", 3)
    of_function = ArgumentLoadError(of_function=True)
    for window, error, count, divisible in (
        (plain, poisoned, 2, True), (plain, poisoned, 1, False), (plain, ValueError(), 2, False),
        (keeping, ValueError(), 2, True), (plain, of_function, 2, False), (plain, ArgumentLoadError(), 2, True),
        (keeping, FederationLost("gone"), 2, False),
    ):  # fmt: skip
        assert window.is_divisible(failed(window, error, count)) == divisible, error
    assert not plain.is_divisible(Future())


def test_a_slice_that_was_cut_to_one_item_may_have_run_as_a_whole() -> None:
    window = Window(in_order=True)
    future = failed(window, PoisonedFuture("f", "h", "h.1", "exit code 1", 3))
    window.shorten(future, 1)
    window.end_split(future, [], instead=False)
    assert window.is_divisible(future)


def test_what_was_cancelled_and_what_is_behind_it_is_not_read() -> None:
    for in_order, left in ((True, 1), (False, 2)):
        window = Window(in_order=in_order)
        futures: list[Future] = [Future() for _ in range(3)]
        window.add_unread(futures)
        futures[1].cancel()
        window.forget_cancelled()
        assert len(window.unread) == left
        assert futures[1] not in window.unread


def test_a_slice_is_cut_into_slices_of_a_fixed_size() -> None:
    slicing = Slicing(Durations(), b"", 5, 1, 100, fixed=2)
    assert list(sliced(([1, 2, 3, 4, 5], "abcde"), slicing)) == [([1, 2], "ab"), ([3, 4], "cd"), ([5], "e")]  # type: ignore[arg-type]
    assert list(Part(([1, 2], [3, 4]), 0, 0).singles()) == [([1], [3]), ([2], [4])]
