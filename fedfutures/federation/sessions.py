"""What an end says when a session begins anew: what it holds for the other, and results that may be lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..wire.messages import Holding, Results
from .channel import Channel
from .terms import Terms

RESULTS_REMEMBERED = 256
"""Of so many pieces that are done an end still knows what they were: their results may not have been acknowledged."""


def introduction(
    held: Mapping[int, tuple[Terms, list[int]]], finished: Iterable[tuple[int, Terms]], old: Channel
) -> list[Holding | Results]:
    """Return the messages, by the open pieces with their Futures, those done last, and the old session's Channel."""
    named, done = dict(held), dict(finished)
    unsent = old.unacknowledged_results()
    for results in unsent:
        entry, ids = named.get(results.piece) or (done.get(results.piece), [])
        if entry is not None:
            named[results.piece] = entry, ids + results.ids
    holdings = [
        Holding(number, entry.submitter, entry.function, entry.attempt, entry.crashes, ids)
        for number, (entry, ids) in sorted(named.items(), key=lambda item: item[0])
        if ids
    ]
    return [*holdings, *unsent]
