"""A piece that a Worker was given, as the threads of its process share it."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..wire import messages
from ..wire.seal import Seal


class Fetched:
    """A piece that this Worker was given: what is still to be started, and what has finished but was not yet sent."""

    __slots__ = ("bytes", "finished", "function", "name", "number", "priority", "root", "since", "stamp", "todo")

    def __init__(self, batch: messages.Batch, name: str, function: Any, seal: Seal | None) -> None:
        self.number = batch.piece
        self.priority = batch.priority
        self.root = batch.root or batch.submitter
        self.function, self.name = function, name
        self.stamp = None if seal is None else seal.stamp(batch.function, batch.submitter)
        self.todo = deque(zip(batch.ids, batch.payloads))
        self.finished: deque[tuple[int, bytes, int]] = deque()
        self.since = 0.0  # when the Futures in `finished` were begun; 0.0: not measured
        self.bytes = 0
