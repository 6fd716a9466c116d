"""The law of what is known of Futures (docs/known.rst): it is so, and it is known of all that have run."""

from __future__ import annotations

from ..wire.facts import Fact
from ..wire.messages import CANCELLED, ERROR, VALUE
from .law import Law
from .records import FutureRecord, Key


class TrueFacts(Law):
    """Who is said to have run a Future has begun it, as often as is said at least; of each outcome that is said."""

    code = "S19"

    def knows(self, key: Key, record: FutureRecord, kind: int, fact: Fact | None) -> None:
        """A submitter hears who has run a Future, or None, before it hears of its outcome."""
        if kind == CANCELLED:
            return
        if fact is None:
            self.require(kind not in (VALUE, ERROR), f"nobody is said to have run {key}, and it has an outcome")
            return
        self.require(fact.worker in record.runners, f"{key} is said to have run on {fact.worker}, not {record.runners}")
        said = f"{key} is said to have begun {fact.attempts} times, and has begun {record.executions} times"
        self.require(1 <= fact.attempts <= record.executions, said)
