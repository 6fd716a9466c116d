"""What a node has to say itself when somebody asks."""

from __future__ import annotations

from typing import Any, Protocol

from ..wire.messages import Inquire


class Holder(Protocol):
    """What is looked at: the machine of a node."""

    name: str
    held: dict[int, Any]

    def statistics(self) -> dict[str, int]: ...


def report_of(holder: Holder, question: Inquire) -> Any:
    """Return the answer to a question: the statistics, or nothing about generators, or for "explain" a number.

    That is which attempt of the Future is here; a text where the Future is not known.
    """
    if question.subject == "generators":
        return {}
    if question.subject != "explain":
        return holder.statistics()
    for piece in holder.held.values():
        if piece.terms.submitter == question.submitter and question.future in piece.pending:
            return piece.terms.attempt
    return f"not known to {holder.name}"
