"""Outcomes on their way: at once, or collected for a neighbour."""

from __future__ import annotations

import pytest

from fedfutures.broker.delivery import COLLECT_SECONDS, Delivery, joined, only, segments_in
from fedfutures.broker.files import HandOver, Remove
from fedfutures.broker.lots import Intake
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.segment_cache import SegmentCache
from fedfutures.federation.events import Send
from fedfutures.federation.terms import Terms
from fedfutures.wire import codec
from fedfutures.wire.messages import CANCELLED, LOST, MAX_COUNT, Results

from . import nodes
from .hosts import manifest


class Post:
    """Deliveries to Origin "o" and neighbour "n"."""

    def __init__(self) -> None:
        self.outbox, self.n = Outbox(), nodes.neighbour("n")
        self.cache = SegmentCache(self.outbox, 100)
        peers = nodes.table(nodes.origin("o"), self.n, nodes.worker("w"))
        self.owed = {"n"}
        self.delivery = Delivery(
            peers, self.outbox, self.cache, lambda report: repr(report).encode(), self.owed.__contains__
        )

    def deliver(self, giver: str, *ids: int, number: int = 4, left: int = 1, now: float = 10.0) -> None:
        outcomes = [b"r%d" % i for i in ids]
        self.delivery.deliver(intake(giver, number, left), list(ids), outcomes, [], now, 0.5, len(ids))

    def said(self) -> list[tuple[str, list[int], float, int]]:
        return [(name, results.ids, results.seconds, results.count) for name, results in nodes.said(self.outbox)]


def intake(giver: str, number: int = 4, left: int = 1) -> Intake:
    return Intake(giver, number, Terms("o", b"f", "o", 0, 3, 0), left)


@pytest.fixture
def post() -> Post:
    return Post()


def test_results_name_the_batch_and_attempt_of_the_giver(post: Post) -> None:
    post.delivery.deliver_cancelled(intake("o"), [1, 2], 0.0)
    post.delivery.deliver_failure(intake("o"), [3], LOST, "why", 0.0)
    assert nodes.said(post.outbox) == [
        ("o", Results(4, 3, [1, 2], [b"", b""], [(1, CANCELLED), (2, CANCELLED)])),
        ("o", Results(4, 3, [3], [b"'why'"], [(3, LOST)])),
    ]


def test_to_a_neighbour_the_first_go_at_once_and_others_together(post: Post) -> None:
    post.deliver("n", 1)
    assert post.said() == [("n", [1], 0.5, 1)]
    for i in (2, 3):
        post.deliver("n", i)
    post.deliver("n", 9, number=5)
    assert post.said() == []
    due = post.delivery.deadline()
    assert due is not None
    assert due == pytest.approx(10.0 + COLLECT_SECONDS)
    post.delivery.flush_if_due(post.n, due - 0.001)
    assert post.said() == []
    post.delivery.flush_if_due(post.n, due)
    assert post.said() == [("n", [2, 3], 1.0, 2), ("n", [9], 0.5, 1)]
    assert post.delivery.deadline() is None


def test_the_last_results_of_a_neighbour_do_not_wait(post: Post) -> None:
    """Calls in turn over a link are made one after the other: nothing else is to come, for which they would wait."""
    for i in (1, 2, 3):
        post.deliver("n", i)
    assert post.said() == [("n", [1], 0.5, 1)]
    post.owed.clear()
    post.deliver("n", 4, now=10.001)
    assert post.said() == [("n", [2, 3, 4], 1.5, 3)]
    for i in (5, 6):
        post.deliver("n", i, now=10.001)
        assert post.said() == [("n", [i], 0.5, 1)]
    assert post.delivery.deadline() is None
    post.owed.add("n")
    post.deliver("n", 7, now=10.002)
    assert post.said() == []
    assert post.delivery.deadline() == pytest.approx(10.001 + COLLECT_SECONDS)


def test_what_was_collected_for_a_neighbour_that_is_gone_is_dropped(post: Post) -> None:
    for i in (1, 2):
        post.deliver("n", i)
    post.said()
    post.delivery.forget("n")
    assert post.delivery.deadline() is None
    post.deliver("n", 3)
    assert post.said() == [("n", [3], 0.5, 1)], "it begins anew"


def test_segments_for_one_future_go_with_the_last_outcome_of_its_batch(post: Post) -> None:
    post.cache.add("s", 10)
    post.cache.use_once(["s"], ("o", 4))
    post.deliver("o", 1, left=1)
    assert not any(isinstance(action, Remove) for action in post.outbox.take())
    post.deliver("o", 2, left=0)
    assert any(isinstance(action, Remove) for action in post.outbox.take())


@pytest.mark.parametrize(("giver", "to"), [("o", ""), ("n", ""), ("w", "w")])
def test_segments_are_handed_over_before_the_outcome_is_sent(post: Post, giver: str, to: str) -> None:
    outcomes = [b"small", manifest("a", "b"), b"", manifest("c")]
    post.delivery.deliver(intake(giver), [1, 2, 3, 4], outcomes, [(3, CANCELLED)], 10.0)
    first, second = post.outbox.take()
    assert (first, isinstance(second, Send)) == (HandOver(["a", "b", "c"], to), True)


def test_small_outcomes_hand_nothing_over(post: Post) -> None:
    post.delivery.deliver(intake("o"), [1, 2], [b"small", b""], [(2, CANCELLED)], 0.0)
    assert [type(action) for action in post.outbox.take()] == [Send]
    assert segments_in([]) == segments_in([b"\x80r", b"\xa1r"]) == []


def test_some_results_of_several() -> None:
    all_of_them = Results(1, 2, [1, 2], [b"a", b"b"], [(1, LOST), (2, LOST)], 3.0, 2)
    assert only(all_of_them, {2}) == Results(1, 2, [2], [b"b"], [(2, LOST)], 3.0, 2)
    assert only(all_of_them, {2}, measured=False) == Results(1, 2, [2], [b"b"], [(2, LOST)])


def test_what_a_liar_measured_is_joined_to_what_messages_can_say() -> None:
    lie = Results(1, 1, [1], [b""], seconds=1e308, count=MAX_COUNT)
    found = joined([lie, Results(1, 1, [2], [b""], seconds=1e308, count=MAX_COUNT)])
    assert codec.decode(codec.encode(found))[2] == found
