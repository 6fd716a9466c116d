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
    """Return the answer to a question: a text for "explain", else the statistics; nothing about generators."""
    if question.subject == "generators":
        return {}
    if question.subject != "explain":
        return holder.statistics()
    for piece in holder.held.values():
        if piece.terms.submitter == question.submitter and question.future in piece.pending:
            return f"with Worker {holder.name}, attempt {piece.terms.attempt}: running, or next behind what runs"
    return f"not known to {holder.name}"
