"""What a joined run has: as much as is allotted, and no more than it asks for."""

from __future__ import annotations

from fedfutures.supervision.bounded_allotment import BoundedAllotment


def test_neither_more_than_is_allotted_nor_than_is_asked_for() -> None:
    share = BoundedAllotment(4)
    assert [share.allot(2), share.allot(9), share.ask_for(3), share.allot(1), share.ask_for(4)] == [2, 4, 3, 1, 1]


def test_nobody_can_ask_for_more_than_at_first() -> None:
    share = BoundedAllotment(4)
    assert (share.ask_for(9), share.most) == (0, 4)
    assert share.allot(9) == 4
