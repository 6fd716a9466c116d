"""What a node says when it is asked about itself. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..wire.messages import EXPLAIN, ONLY_WORKERS, SEEING, Answer, Inquire
from .events import Look, Looked
from .workload import Workload


class Inquiries:
    """The answers of one node."""

    __slots__ = ("_name", "_pack", "_role", "_workload")

    def __init__(self, name: str, role: str, workload: Workload, pack: Callable[[Any], bytes]) -> None:
        self._name, self._role, self._workload, self._pack = name, role, workload, pack

    def answer(self, question: Inquire, statistics: Callable[[], dict[str, int]]) -> Answer | Look:
        """Return the answer, or ask the shell for it: what goes on here, was drawn from, or has run."""
        if question.subject in SEEING or (question.subject in ONLY_WORKERS and self._role == "worker"):
            return Look(question.number, question.subject, question.submitter)
        return self.looked(Looked(question.number, self._report_of(question, statistics)))

    def _report_of(self, question: Inquire, statistics: Callable[[], dict[str, int]]) -> Any:
        """Return the statistics; for "explain" which attempt of a Future is here, a text where it is not known."""
        if question.subject in ONLY_WORKERS:  # this is an Origin
            return {}
        if question.subject != EXPLAIN:
            return statistics()
        attempt = self._workload.attempt_of(question.submitter, question.future)
        return f"not known to {self._name}" if attempt is None else attempt

    def looked(self, looked: Looked) -> Answer:
        """Return the answer with what the shell has found."""
        return Answer(looked.number, self._name, self._pack(looked.report), True)
