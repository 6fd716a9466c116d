"""The order of work: the queue against a list that is searched from end to end, and what fairness comes to."""

from __future__ import annotations

import pytest
from effort import scaled
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fedfutures.broker import queue
from fedfutures.broker.lots import Intake, Lot
from fedfutures.broker.queue import WorkQueue
from fedfutures.federation.terms import Terms

NAMES = st.sampled_from(["a", "b", "c"])


def lot(
    ids: list[int], root: str = "a", priority: int = 0, giver: str = "o", crashes: int = 0, barred: str = ""
) -> Lot:
    terms = Terms(root, b"f", root, priority, 1, crashes, tuple(barred))
    return Lot(Intake(giver, 1, terms, len(ids)), terms, ids, [b"%d" % i for i in ids])


class Queue(RuleBasedStateMachine):
    """The twin: a list of lots in the order of their arrival, and what each root was charged."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue()
        self.twin: list[tuple[Lot, list[int]]] = []
        self.charged: dict[tuple[str, str], float] = {}
        self.count = 0

    def at(self, which: int) -> int:
        return which % len(self.twin)

    @rule(root=NAMES, priority=st.integers(-1, 2), giver=NAMES, count=st.integers(1, 5), first=st.booleans(),
          crashes=st.sampled_from([0, 0, 1]), barred=st.sampled_from(["", "", "a", "bc"]))  # fmt: skip
    def add(self, root: str, priority: int, giver: str, count: int, first: bool, crashes: int, barred: str) -> None:
        ids = list(range(self.count, self.count + count))
        self.count += count
        if not any((root, priority) == (other.terms.root, other.terms.priority) for other, _ in self.twin):
            for to in {to for _, to in self.charged}:
                here = [self.charged.get((other.terms.root, to), 0.0) for other, _ in self.twin]
                if here:
                    self.charged[root, to] = max(self.charged.get((root, to), 0.0), min(here))
        new = lot(list(ids), root, priority, giver, crashes, barred)
        self.twin.insert(0 if first else len(self.twin), (new, ids))
        self.queue.add(new, first=first)

    @precondition(lambda self: self.twin)
    @rule(which=st.integers(0, 9), count=st.integers(1, 6), seconds=st.sampled_from([0.0, 0.5, 2.0]),
          to=st.sampled_from(["", "", "a", "b"]))  # fmt: skip
    def take(self, which: int, count: int, seconds: float, to: str) -> None:
        chosen, ids = self.twin[self.at(which)]
        count = min(count, len(ids))
        roots = {other.terms.root for other, _ in self.twin if other.terms.priority == chosen.terms.priority}
        if self.charged or len(roots) > 1:
            self.charged[chosen.terms.root, to] = self.charged.get((chosen.terms.root, to), 0.0) + seconds * count
        taken = self.queue.take(chosen, count, seconds, to)
        assert taken == (ids[:count], [b"%d" % i for i in ids[:count]])
        del ids[:count]
        self.drop_empty()

    @precondition(lambda self: self.twin)
    @rule(which=st.integers(0, 9), some=st.sets(st.integers(0, 9)))
    def withdraw(self, which: int, some: set[int]) -> None:
        chosen, ids = self.twin[self.at(which)]
        wanted = {ids[index] for index in some if index < len(ids)}
        part = self.queue.withdraw(chosen, wanted | {-1})
        assert part[0] == [i for i in ids if i in wanted]
        ids[:] = [i for i in ids if i not in wanted]
        self.drop_empty()

    @precondition(lambda self: self.twin)
    @rule(which=st.integers(0, 9))
    def remove(self, which: int) -> None:
        chosen, ids = self.twin.pop(self.at(which))
        self.queue.remove(chosen)
        assert chosen.ids == ids

    def drop_empty(self) -> None:
        self.twin = [(other, ids) for other, ids in self.twin if ids]

    def first(self, candidates: list[Lot], to: str = "") -> list[Lot]:
        """Of each root that was charged least at the highest priority, the first."""
        top = [one for one in candidates if one.terms.priority == max(other.terms.priority for other in candidates)]
        least = min(self.charged.get((one.terms.root, to), 0.0) for one in top)
        roots = {one.terms.root for one in top if self.charged.get((one.terms.root, to), 0.0) == least}
        return [next(one for one in top if one.terms.root == root) for root in roots]

    @invariant()
    def equal(self) -> None:
        self.queue.check()
        assert self.queue.count == sum(len(ids) for _, ids in self.twin)
        assert {id(one) for one in self.queue} == {id(one) for one, _ in self.twin}
        assert all(one.ids == ids for one, ids in self.twin)
        givers = [one.intake.giver for one, _ in self.twin]
        assert self.queue.givers == {giver: givers.count(giver) for giver in givers}
        if self.twin:
            assert any(self.queue.head() is one for one in self.first([one for one, _ in self.twin]))

    @invariant()
    def neighbours_get_what_may_cross(self) -> None:
        for name in "abc":
            for back in (0, 1):
                fitting = [
                    one for one, _ in self.twin if name not in one.terms.barred and (back or one.intake.giver != name)
                ]
                found = self.queue.head_for(name, back, lambda lot, name=name: name not in lot.terms.barred)
                assert any(found is one for one in self.first(fitting, name)) if fitting else found is None


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=scaled(40), stateful_step_count=40, deadline=None)


def serve(waiting: WorkQueue, count: int, seconds: dict[str, float]) -> list[str]:
    """Serve Futures one by one; return whose they were."""
    served = []
    for _ in range(count):
        head = waiting.head()
        served.append(head.terms.root)
        waiting.take(head, 1, seconds[head.terms.root])
    return served


def test_a_higher_priority_goes_first_and_a_returned_future_before_its_equals() -> None:
    waiting = WorkQueue()
    for number, priority in ((1, 0), (2, 5), (3, -1), (4, 5)):
        waiting.add(lot([number], priority=priority))
    waiting.add(lot([5]), first=True)
    order = []
    while waiting.count:
        order += waiting.take(waiting.head(), 1, 0.0)[0]
    assert order == [2, 4, 5, 1, 3]


def test_roots_have_equal_shares_of_time_whatever_their_numbers() -> None:
    waiting = WorkQueue()
    waiting.add(lot(list(range(1000)), "many"))
    waiting.add(lot(list(range(100)), "few"))
    served = serve(waiting, 60, {"many": 0.01, "few": 0.02})
    assert (served.count("many"), served.count("few")) == (40, 20)


def test_who_comes_later_is_neither_starved_nor_paid_for_its_absence() -> None:
    waiting = WorkQueue()
    waiting.add(lot(list(range(1000)), "a"))
    waiting.add(lot(list(range(1000)), "b"))
    serve(waiting, 100, {"a": 1.0, "b": 1.0})
    waiting.add(lot(list(range(1000)), "late"))
    served = serve(waiting, 30, {"a": 1.0, "b": 1.0, "late": 1.0})
    assert [served.count(root) for root in ("a", "b", "late")] == [10, 10, 10]


def test_who_was_charged_much_waits_when_it_comes_again() -> None:
    waiting = WorkQueue()
    waiting.add(lot([1], "a"))
    waiting.add(lot(list(range(100)), "b"))
    serve(waiting, 1, {"a": 9.5, "b": 1.0})
    waiting.add(lot([2], "a"))
    assert serve(waiting, 11, {"a": 9.5, "b": 1.0}) == ["b"] * 10 + ["a"]


def test_only_so_many_roots_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ROOTS_REMEMBERED", 3)
    waiting = WorkQueue()
    for number in range(9):
        waiting.add(lot([1], f"root {number}"))
    for _ in range(8):
        waiting.take(waiting.head(), 1, 1.0)
    waiting.add(lot([1], "another"))
    assert len(waiting.charged) == 3


def test_a_single_root_is_not_charged() -> None:
    waiting = WorkQueue()
    waiting.add(lot([1, 2, 3]))
    serve(waiting, 3, {"a": 1.0})
    assert waiting.charged == {}
