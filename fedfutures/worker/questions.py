"""Questions that a node has asked the Federation, and the answers that have come so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import events as rules
from .future import Future

if TYPE_CHECKING:
    from .node import Node

SHARE_OF_TIMEOUT = 0.8
"""What the Broker has of the time for a question, so that it can still say who did not answer."""


class Question:
    """One question: its answers as (name, report), and a Future that is done with the last."""

    __slots__ = ("answers", "complete")

    def __init__(self, node: Node) -> None:
        self.answers: list[tuple[str, bytes]] = []
        self.complete = Future(node)


class Questions:
    """The open questions of a node."""

    def __init__(self) -> None:
        self.open: dict[int, Question] = {}
        self._count = 0

    def ask(
        self, node: Node, subject: str, submitter: str, number: int, timeout: float
    ) -> tuple[list[tuple[str, bytes]], bool]:
        """See :meth:`Node.ask`."""
        question = Question(node)
        with node.lock:
            if node.closed or node.lost is not None:
                return [], False
            self._count += 1
            inquiry = self._count
            self.open[inquiry] = question
            node.step(rules.Ask(inquiry, subject, submitter, number, timeout * SHARE_OF_TIMEOUT))
        try:
            node.service()
            node.wait(question.complete, timeout)
        finally:
            with node.lock:
                del self.open[inquiry]
        return question.answers, question.complete.done()

    def told(self, action: rules.Told) -> bool:
        """Take an answer in; return whether it was the last to its question. The node's lock is held."""
        question = self.open.get(action.number)
        if question is None:  # too late
            return False
        if action.name:
            question.answers.append((action.name, action.report))
        if action.last:
            question.complete._settle(None, None)
        return action.last
