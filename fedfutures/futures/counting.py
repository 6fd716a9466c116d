"""Counts what comes back to an Origin: for ``--stats``, for the line at the end, and for who asks meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..node import events as rules
from ..worker.future_fields import call_of
from .tally import CountedMessage, RunTally

logger = logging.getLogger("fedfutures")


class Counting:
    """Passes outcomes on to the node's Futures, and puts their facts aside; about a microsecond for each message."""

    def __init__(self, origin: Any) -> None:
        self._lock = origin.lock
        self._futures, self._resolve = origin.submissions.futures, origin.submissions.on_resolve
        self._tally = RunTally()
        self._watchers: list[Callable[[rules.Resolve, str], object]] = []
        origin.driver.handle(rules.Resolve, self._on_resolve)

    def _on_resolve(self, action: rules.Resolve) -> None:
        """Outcomes of Futures of one function have come. The lock of the node is held."""
        try:
            self._count(action)
        except Exception:  # of who watches: Futures resolve all the same
            logger.exception("outcomes could not be counted")
        finally:
            self._resolve(action)

    def _count(self, action: rules.Resolve) -> None:
        future = self._futures.get(action.ids[0]) if action.ids else None
        if future is not None and (call := call_of(future)) is not None:
            name = call[0].name
            self._tally.take(CountedMessage(name, len(action.ids), action.odd, action.facts))
            for watcher in self._watchers:
                watcher(action, name)

    def watch(self, watcher: Callable[[rules.Resolve, str], object]) -> None:
        """From now on tell this function of outcomes, and of which function they are; the node's lock is held then."""
        self._watchers.append(watcher)

    def retries(self) -> dict[str, int]:
        """Return how often Futures were started again, by function."""
        with self._lock:
            return self._tally.retries()

    def report(self, workers: int) -> dict[str, Any]:
        """Return what was counted until now; `workers`: how many there are (:meth:`.tally.RunTally.report`)."""
        with self._lock:
            return self._tally.report(workers)
