"""Which segments of this host a neighbour on another host may read or remove: those that it was told of, no others.

Brokers do not open payloads, but read which segments they need (:mod:`..wire.manifest`). So what a neighbour was sent
says what it may ask for: arguments, constants and what it had by name it may read, results it may remove as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..wire.manifest import HAS_SEGMENTS, segments_of
from ..wire.messages import Batch, Constant, Fetched, Function, Message, Results

ARGUMENTS_REMEMBERED = 4096
RESULTS_REMEMBERED = 1 << 16


class GivenSegments:
    """The segments that one neighbour was told of; of each kind the last are remembered."""

    __slots__ = ("_arguments", "_results")

    def __init__(self) -> None:
        self._arguments: dict[str, None] = {}
        self._results: dict[str, None] = {}

    def note(self, message: Message) -> None:
        """The neighbour is sent a message."""
        kind = type(message)
        if kind is Batch:
            for payload in message.payloads:  # type: ignore[union-attr]
                if payload[:1] in HAS_SEGMENTS:
                    _enter(self._arguments, segments_of(payload), ARGUMENTS_REMEMBERED)
        elif kind is Results:
            for outcome in message.outcomes:  # type: ignore[union-attr]
                if outcome[:1] in HAS_SEGMENTS:
                    _enter(self._results, segments_of(outcome), RESULTS_REMEMBERED)
        elif kind is Constant or kind is Function:  # also the values of the program's variables, and its modules
            _enter(self._arguments, segments_of(message.body), ARGUMENTS_REMEMBERED)  # type: ignore[union-attr]
        elif kind is Fetched and message.size >= 0:  # type: ignore[union-attr]
            _enter(self._arguments, [message.name], ARGUMENTS_REMEMBERED)  # type: ignore[union-attr]

    def may_read(self, name: str) -> bool:
        """Whether the neighbour was told of a segment, as far as that is remembered."""
        return name in self._arguments or name in self._results

    def drop(self, names: Iterable[str]) -> list[str]:
        """The neighbour needs results no more; return those of which it was told."""
        known = [name for name in dict.fromkeys(names) if name in self._results]
        for name in known:
            del self._results[name]
        return known


def _enter(table: dict[str, None], names: Iterable[str], most: int) -> None:
    for name in names:
        table.pop(name, None)
        table[name] = None
    while len(table) > most:
        del table[next(iter(table))]
