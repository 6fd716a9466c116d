"""Questions that a node has asked the Federation, the answers that have come so far, and its own answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..node import events as rules
from .driver import Driver
from .future import Future, settle, sleep_until_done
from .sights import Sights
from .submissions import Submissions

SHARE_OF_TIMEOUT = 0.8
"""What the Broker has of the time for a question, so that it can still say who did not answer."""


class Question(NamedTuple):
    """One question: its answers as (name, report), and a Future that is done with the last."""

    answers: list[tuple[str, bytes]]
    complete: Future
    arrived: Callable[[str], object] | None


class Questions:
    """The open questions of a node."""

    def __init__(self, driver: Driver, submissions: Submissions) -> None:
        self._driver, self._submissions = driver, submissions
        self._open: dict[int, Question] = {}
        self._count = 0
        self.sights = Sights(driver)

    def __len__(self) -> int:
        return len(self._open)

    def ask(
        self, subject: str, submitter: str, number: int, timeout: float,
        arrived: Callable[[str], object] | None = None,
    ) -> tuple[list[tuple[str, bytes]], bool]:  # fmt: skip
        """Ask all machines that it concerns; return their answers, and whether the last came within `timeout` seconds.

        An answer is (name, report); the report is msgpack, empty where a machine did not answer in time. `arrived` is
        told the name as soon as an answer has come; it is called with the node's lock held. This thread runs no
        callbacks of Futures then: it leaves them to those that drive the node.
        """
        driver, submissions = self._driver, self._submissions
        question = Question([], Future(submissions), arrived)
        with driver.lock:
            if driver.closed or submissions.lost is not None:
                return [], False
            self._count += 1
            inquiry = self._count
            self._open[inquiry] = question
            driver.step(rules.Ask(inquiry, subject, submitter, number, timeout * SHARE_OF_TIMEOUT))
        try:
            if arrived is None:
                driver.service()
                submissions.wait(question.complete, timeout)
            else:
                driver.drain()
                driver.wake()
                sleep_until_done(question.complete, timeout)
        finally:
            with driver.lock:
                del self._open[inquiry]
        return question.answers, question.complete.done()

    def on_told(self, action: rules.Told) -> None:
        """Take an answer in. The node's lock is held."""
        question = self._open.get(action.number)
        if question is None:  # too late
            return
        if action.name:
            question.answers.append((action.name, action.report))
            if question.arrived is not None:
                question.arrived(action.name)
        if action.last:
            settle(question.complete)
            self._driver.wake_other()
