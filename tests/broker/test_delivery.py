"""Outcomes on their way: at once, or collected for a neighbour."""

from __future__ import annotations

import pytest

from fedfutures.broker.delivery import COLLECT_SECONDS, Delivery, only
from fedfutures.broker.files import Remove
from fedfutures.broker.lots import Intake
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.segment_cache import SegmentCache
from fedfutures.federation.terms import Terms
from fedfutures.wire.messages import CANCELLED, LOST, Results

from . import nodes


class Post:
    """Deliveries to Origin "o" and neighbour "n"."""

    def __init__(self) -> None:
        self.outbox, self.n = Outbox(), nodes.neighbour("n")
        self.cache = SegmentCache(self.outbox, 100)
        peers = nodes.table(nodes.origin("o"), self.n)
        self.delivery = Delivery(peers, self.outbox, self.cache, lambda report: repr(report).encode())

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
    (due,) = post.delivery.deadlines()
    assert due == pytest.approx(10.0 + COLLECT_SECONDS)
    post.delivery.flush_if_due(post.n, due - 0.001)
    assert post.said() == []
    post.delivery.flush_if_due(post.n, due)
    assert post.said() == [("n", [2, 3], 1.0, 2), ("n", [9], 0.5, 1)]
    assert post.delivery.deadlines() == []


def test_what_was_collected_for_a_neighbour_that_is_gone_is_dropped(post: Post) -> None:
    for i in (1, 2):
        post.deliver("n", i)
    post.said()
    post.delivery.forget("n")
    assert post.delivery.deadlines() == []
    post.deliver("n", 3)
    assert post.said() == [("n", [3], 0.5, 1)], "it begins anew"


def test_segments_for_one_future_go_with_the_last_outcome_of_its_batch(post: Post) -> None:
    post.cache.add("s", 10)
    post.cache.use_once(["s"], ("o", 4))
    post.deliver("o", 1, left=1)
    assert not any(isinstance(action, Remove) for action in post.outbox.take())
    post.deliver("o", 2, left=0)
    assert any(isinstance(action, Remove) for action in post.outbox.take())


def test_some_results_of_several() -> None:
    all_of_them = Results(1, 2, [1, 2], [b"a", b"b"], [(1, LOST), (2, LOST)], 3.0, 2)
    assert only(all_of_them, {2}) == Results(1, 2, [2], [b"b"], [(2, LOST)], 3.0, 2)
    assert only(all_of_them, {2}, measured=False) == Results(1, 2, [2], [b"b"], [(2, LOST)])
