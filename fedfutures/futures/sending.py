"""Submits the slices of one map; where an item cannot travel, that one fails."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

from ..wire.functions import Wrapper, name_of
from ..worker.call_terms import CallTerms
from ..worker.future import Future, resolved, settle_cancelled
from ..worker.slices import Columns
from ..worker.watched import watch
from .node import AnyNode
from .window import Window


class SliceSender:
    """Submits slices with the function and terms of a map; `behind`: what each has behind its columns.

    keep: takes the keys of a slice, which are its last column, the function's name, and its outcome.
    """

    def __init__(
        self, node: AnyNode, wrapper: Wrapper, terms: CallTerms | None, window: Window, behind: tuple[Any, ...],
        join: Callable[[Future], object] | None, is_steady: Callable[[], bool],
        keep: Callable[[list[bytes], str, Any], object] | None = None,
    ) -> None:  # fmt: skip
        self._node, self._window, self._behind, self._join = node, window, behind, join
        self._keep, self._name = keep, "" if keep is None else name_of(wrapper)
        self._submitter = node.submitter(wrapper, terms)
        self._submitter.attend(is_steady)
        self.digest: bytes = self._submitter.digest
        self.unsent = 0  # bytes
        self._cancels = False

    def submit(self, columns: Columns, first: int) -> list[Future]:
        """Submit a slice; where an item cannot travel, that one fails, and the others go as smaller slices."""
        if self._cancels:
            return [self._cancelled(columns, first)]
        try:
            sent = columns if self._keep is None else columns[:-1]
            future, size = self._submitter((*sent, *self._behind) if self._behind else sent)
            if self._keep is not None:
                watch(future, partial(self._keep, columns[-1], self._name))
        except pickle.PicklingError as error:
            if half := len(columns[0]) // 2:
                left, right = (tuple(column[part] for column in columns) for part in (slice(half), slice(half, None)))
                return [*self.submit(left, first), *self.submit(right, first + half)]
            with self._node.lock:
                future, size = resolved(self._node.submissions, None, error), 0
        if self._join is not None:
            self._join(future)
        self._window.add(future, columns, size, first)
        self.unsent += size
        return [future]

    def cancel_further(self) -> None:
        """From now on a slice is not sent, but is cancelled when it is submitted."""
        self._cancels = True

    def _cancelled(self, columns: Columns, first: int) -> Future:
        future: Future = Future(self._node.submissions)
        with self._node.lock:
            settle_cancelled(future)
        self._window.add(future, columns, 0, first)
        return future

    def send(self) -> None:
        """Send the slices that were submitted: those of a short map in one message. Callbacks may run in it."""
        if self.unsent:
            self.unsent = 0
            self._node.send()

    def close(self) -> None:
        """Let go of what was kept for later items."""
        self._submitter.close()
