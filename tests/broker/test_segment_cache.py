"""What is cached of downloaded segments: what is in use, and the rest as far as it fits."""

from __future__ import annotations

import pytest

from fedfutures.broker.files import Remove
from fedfutures.broker.outbox import Outbox
from fedfutures.broker.segment_cache import LOOK_AGAIN_SECONDS, SegmentCache

from .hosts import manifest

A, B = ("n", 1), ("n", 2)


class Shelf:
    """A cache for a hundred bytes, and its open Batches."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.cache = SegmentCache(self.outbox, 100)
        self.open, self.constants, self.now = {A, B}, [b"no manifest"], 0.0

    def look(self) -> list[str]:
        """Let time pass; return what is removed."""
        self.now += LOOK_AGAIN_SECONDS
        self.cache.tick(self.now, self.open.__contains__, self.constants)
        return self.removed()

    def removed(self) -> list[str]:
        self.cache.check()
        actions = self.outbox.take()
        assert all(isinstance(action, Remove) and action.reuse for action in actions)
        return [name for action in actions if isinstance(action, Remove) for name in action.names]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_what_fits_stays(shelf: Shelf) -> None:
    shelf.cache.add("s", 100)
    assert shelf.cache.due is None
    assert shelf.look() + shelf.look() == []


def test_the_segment_used_longest_ago_goes_first(shelf: Shelf) -> None:
    for name in ("s", "t", "u"):
        shelf.cache.add(name, 50)
    shelf.cache.use(["s"], A)
    shelf.open = set()
    assert shelf.look() == [], "whoever asked for them may not have mapped them yet"
    assert shelf.look() == ["t"]
    assert (shelf.cache.due, shelf.cache.bytes) == (None, 100)


def test_open_batches_and_constants_pin_segments(shelf: Shelf) -> None:
    for name in ("s", "t", "u"):
        shelf.cache.add(name, 200)
    shelf.cache.use(["s", "unknown"], A)
    shelf.constants.append(manifest("t"))
    assert shelf.look() + shelf.look() == ["u"]
    shelf.open = {B}
    shelf.constants.clear()
    assert shelf.look() == ["t", "s"], "the one used last goes last"
    assert shelf.look() == []


def test_a_segment_for_one_future_goes_with_its_batch(shelf: Shelf) -> None:
    shelf.cache.add("s", 10)
    shelf.cache.use_once(["s", "never came"], A)
    shelf.cache.on_resolved(B)
    assert shelf.removed() == []
    shelf.cache.on_resolved(A)
    assert shelf.removed() == ["s"]
    assert shelf.cache.bytes == 0


def test_of_a_batch_whose_submitter_is_gone_a_future_may_still_run(shelf: Shelf) -> None:
    shelf.cache.add("s", 10)
    shelf.cache.use_once(["s"], A)
    shelf.cache.on_dropped(A)
    shelf.cache.on_resolved(A)
    assert shelf.removed() == []


def test_files_of_the_user_are_never_removed(shelf: Shelf) -> None:
    shelf.cache.add("file-1", 1000)
    assert (shelf.cache.bytes, shelf.cache.due) == (0, None)


def test_a_segment_that_comes_again_counts_once(shelf: Shelf) -> None:
    shelf.cache.add("s", 10)
    shelf.cache.add("s", 30)
    assert (shelf.cache.bytes, shelf.removed()) == (30, [])


def test_what_is_said_to_be_of_one_batch_stays_while_another_needs_it(shelf: Shelf) -> None:
    """A neighbour may lie."""
    shelf.cache.add("s", 10)
    shelf.cache.use(["s"], A)
    shelf.cache.use_once(["s"], B)
    shelf.cache.use(["s"], B)
    shelf.cache.on_resolved(B)
    assert shelf.removed() == []
