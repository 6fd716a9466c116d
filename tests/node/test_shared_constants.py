"""Shared constants: the newest value of each wins."""

from __future__ import annotations

from fedfutures.node.events import Share, Shared
from fedfutures.node.shared_constants import SharedConstants
from fedfutures.wire.messages import MAX_COUNT, Constant


def test_the_newest_value_wins() -> None:
    constants = SharedConstants()
    assert constants.share(Share("x", b"one")) == Constant("x", 1, b"one")
    assert constants.take(Constant("x", 1, b"mine")) == [], "equally new, and the smaller one"
    assert constants.take(Constant("x", 1, b"two")) == [Shared("x", b"two")]
    assert constants.take(Constant("x", 3, b"a")) == [Shared("x", b"a")]
    assert constants.take(Constant("x", 2, b"z")) == []
    assert constants.share(Share("x", b"b")) == Constant("x", 4, b"b")
    assert constants.share(Share("y", b"c")) == Constant("y", 1, b"c")
    assert constants.again() == [Constant("x", 4, b"b"), Constant("y", 1, b"c")]


def test_no_version_is_larger_than_can_be_said() -> None:
    constants = SharedConstants()
    constants.take(Constant("x", MAX_COUNT, b"a"))
    assert constants.share(Share("x", b"b")).version == MAX_COUNT
