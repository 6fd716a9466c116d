"""Outcomes that are loaded without the node's lock: where modules come from the Origin, loading one may import.

An import waits for what only a drive of the node can bring, which takes the lock; and whoever drives the node in the
middle of an import must not load an outcome then, for the module that it is of may be half made. So outcomes wait until
the callbacks are due: outside of the lock, and never while an import drives.
"""

from __future__ import annotations

from typing import NamedTuple

from ..node import events as rules
from ..wire.facts import NOBODY, Facts
from ..wire.failures import read_failure
from ..wire.messages import ERROR, VALUE, WITH_OUTPUT
from .driver import Driver
from .future_fields import call_of
from .retrier import NOWHERE
from .sealed import named
from .submissions import Submissions
from .with_output import opened


class DeferredOutcomes(NamedTuple):
    """What came for own Futures of a Worker; stands among those whose callbacks are due."""

    driver: Driver
    submissions: Submissions
    action: rules.Resolve

    def _invoke_callbacks(self) -> None:
        action = self.action
        odd = dict(action.odd)
        facts = Facts((action.ids, action.facts)) if action.facts else NOBODY
        for number, outcome in zip(action.ids, action.outcomes):
            self._resolve(number, odd.get(number, VALUE), outcome, facts)
        self.driver.wake_other()

    def _resolve(self, number: int, kind: int, outcome: bytes, facts: Facts) -> None:
        payloads = self.submissions.payloads
        value = error = printed = None
        where = NOWHERE
        try:
            if kind == VALUE:
                value = payloads.load(outcome, take=True)
            elif kind == WITH_OUTPUT:
                value, error, printed = opened(outcome, payloads)
                kind = VALUE if error is None else ERROR
            elif kind == ERROR:
                error, where = read_failure(outcome, payloads)
        except BaseException as problem:  # the value cannot be loaded: that is what this Future has to say
            error = named(problem, call_of(self.submissions.futures.get(number)), number)
        self.submissions.settle_loaded(number, kind, outcome, value, error, facts, printed, where)


def defer_outcomes(driver: Driver, submissions: Submissions) -> None:
    """From now on this node loads outcomes so."""

    def on_resolve(action: rules.Resolve) -> None:
        submissions.note_recalled(action)
        driver.callbacks.append(DeferredOutcomes(driver, submissions, submissions.opened(action)))

    driver.handle(rules.Resolve, on_resolve)
