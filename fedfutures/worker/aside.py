"""Outcomes that are loaded without the node's lock: where modules come from the Origin, loading one may import.

An import waits for what only a drive of the node can bring, which takes the lock; and whoever drives the node in the
middle of an import must not load an outcome then, for the module that it is of may be half made. So outcomes wait until
the callbacks are due: outside of the lock, and never while an import drives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.failures import load_failure
from ..wire.messages import ERROR, VALUE
from . import events as rules

if TYPE_CHECKING:
    from .execution import Worker


class Outcomes:
    """What came for own Futures of a Worker; stands among those whose callbacks are due."""

    __slots__ = ("_action", "_worker")

    def __init__(self, worker: Worker, action: rules.Resolve) -> None:
        self._worker, self._action = worker, action

    def _invoke_callbacks(self) -> None:
        odd = dict(self._action.odd)
        for number, outcome in zip(self._action.ids, self._action.outcomes):
            self._resolve(number, odd.get(number, VALUE), outcome)
        with self._worker.lock:
            self._worker._wake_driver()

    def _resolve(self, number: int, kind: int, outcome: bytes) -> None:
        worker = self._worker
        value = error = None
        try:
            if kind == VALUE:
                value = worker.payloads.load(outcome, take=True)
            elif kind == ERROR:
                error = load_failure(outcome, worker.payloads)
        except BaseException as problem:  # the value cannot be loaded: that is what this Future has to say
            error = problem
        with worker.lock:
            future = worker.futures.pop(number, None)
            if future is None:  # the node was lost meanwhile
                return
            if future._call is not None:
                worker.payloads.release(future._call[1])
            if kind in (VALUE, ERROR):
                has_callbacks = future._settle(value, error)
            else:
                has_callbacks = worker._settle_odd(future, kind, outcome)
            if has_callbacks:
                worker._callbacks.append(future)


def load_outcomes_aside(worker: Worker) -> None:
    """From now on this Worker loads outcomes so."""

    def resolve(action: rules.Resolve) -> None:
        worker._callbacks.append(Outcomes(worker, action))

    worker._actions[rules.Resolve] = resolve
