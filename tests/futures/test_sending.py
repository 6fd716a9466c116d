"""What submits the slices of a map: an item that cannot travel fails alone."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from fedfutures import Future
from fedfutures.futures.sending import SliceSender
from fedfutures.futures.window import Window
from fedfutures.worker.slices import Slice


class Submitter:
    digest = b"d"

    def __init__(self) -> None:
        self.taken: list[tuple[Any, ...]] = []
        self.is_closed = False

    def __call__(self, args: tuple[Any, ...]) -> tuple[Future, int]:
        if "bad" in args[0]:
            raise pickle.PicklingError("bad")
        self.taken.append(args)
        return Future(), 10

    def attend(self, is_steady: Any) -> None:
        assert is_steady()

    def close(self) -> None:
        self.is_closed = True


class Node:
    submissions = None

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.submits = Submitter()
        self.sent = 0

    def submitter(self, function: Any, priority: int | None) -> Submitter:
        assert priority == 3
        return self.submits

    def send(self) -> None:
        self.sent += 1


def sender(node: Node, window: Window, joined: list[Future], *behind: Any) -> SliceSender:
    return SliceSender(node, Slice(abs), 3, window, behind, joined.append, lambda: True)


def test_once_the_map_is_cancelled_slices_are_too() -> None:
    node, window, joined = Node(), Window(in_order=True), list[Future]()
    sends = sender(node, window, joined)
    sends.cancel_further()
    [future] = sends.submit((["a", "b"],), 7)
    assert (future.cancelled(), node.submits.taken, joined, sends.unsent) == (True, [], [], 0)
    window.add_unread([future])
    assert window.take(future) == (7, 2)


def test_an_item_that_cannot_travel_fails_and_the_others_go() -> None:
    node, window, joined = Node(), Window(in_order=True), list[Future]()
    futures = sender(node, window, joined).submit((["a", "b", "bad", "c", "d"],), 7)
    assert [items for (items,) in node.submits.taken] == [["a", "b"], ["c", "d"]]
    assert [future.done() for future in futures] == [False, True, False]
    with pytest.raises(pickle.PicklingError, match="bad"):
        futures[1].result()
    assert joined == futures
    window.add_unread(futures)
    assert [window.take(future) for future in futures] == [(7, 2), (9, 1), (10, 2)]


def test_slices_are_sent_together_and_have_what_stands_behind_their_columns() -> None:
    node = Node()
    sends = sender(node, Window(in_order=True), [], "stream")
    assert sends.digest == b"d"
    sends.send()
    assert node.sent == 0
    sends.submit(([1],), 0)
    sends.submit(([2],), 1)
    assert sends.unsent == 20
    sends.send()
    sends.send()
    assert (node.sent, sends.unsent) == (1, 0)
    assert node.submits.taken == [([1], "stream"), ([2], "stream")]
    sends.close()
    assert node.submits.is_closed
