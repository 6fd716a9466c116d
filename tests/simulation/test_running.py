"""What a simulated Worker keeps of Futures that it has begun."""

from __future__ import annotations

from fedfutures.node.pace import PUMP_EVERY_SECONDS
from fedfutures.simulation.running import BegunFuture, DriveTimes, Inbox, Parents, WorkerLock
from fedfutures.simulation.specs import payload_of
from fedfutures.simulation.world import NEVER

from .listening import numbered


def begun(number: int, width: int = 0) -> BegunFuture:
    return BegunFuture(None, number, payload_of(number, 0.5, width, min(1, width)), b"f", 0.0)


def test_the_lock_is_had_by_one_and_then_by_who_has_waited_longest() -> None:
    lock, (one, two, three) = WorkerLock(), [begun(number) for number in (1, 2, 3)]
    assert [lock.acquire(each) for each in (one, two, one, three)] == [True, False, True, False]
    assert lock.release(2.5) is two
    assert two.began == 2.5
    assert not lock.acquire(one)
    assert [lock.release(3.0) for _ in range(3)] == [three, one, None]


def test_a_parent_is_ready_when_all_its_children_have_resolved() -> None:
    parents, parent = Parents(), begun(1, width=2)
    parents.wait(parent)
    parents.by_child.update({7: parent, 8: parent})
    parents.on_resolved(8)
    assert (parents.ready, parents.waiting) == ([], 1)
    parents.on_resolved(7)
    assert (parents.ready, parents.by_child) == ([parent], {})
    parents.on_complete(parent)
    parents.on_complete(begun(2))
    assert parents.waiting == 0


def test_a_child_belongs_to_what_its_parent_belongs_to() -> None:
    parent, child = begun(1), begun(2)
    parent.blamed, parent.root, parent.priority = (5, 1), "o", 3
    child.join(parent)
    assert (child.blamed, child.root, child.priority) == ((5, 1), "o", 3)


def test_what_was_published_last_is_taken_first_and_once() -> None:
    inbox = Inbox()
    inbox.frames.append(numbered(1))
    inbox.publish(numbered(2))
    inbox.publish(numbered(3))
    assert inbox.take() == [numbered(3), numbered(1)]
    assert inbox.take() == []


def test_a_new_segment_calls_the_helper_off() -> None:
    times = DriveTimes()
    times.on_pump(1.0)
    assert (times.driven_at, times.pump_at) == (1.0, 1.0 + PUMP_EVERY_SECONDS)
    times.plan_helper(2.0)
    times.on_segment(1.5)
    assert (times.driven_at, times.helper_at) == (1.5, NEVER)
