"""Which stream of one host is which stream of another: relayed links, as the connector sees them. Pure.

A host process numbers the streams that it opens (:mod:`fedfutures.host.relay`); the connector opens another one at the
host of the Broker that is meant, and passes on what is said about either.
"""

from __future__ import annotations

import itertools
from typing import Any

End = tuple[str, int]
"""(host, stream)"""


class Streams:
    """The streams that are under way between hosts."""

    def __init__(self) -> None:
        self._other: dict[End, End] = {}
        self._numbers = itertools.count(2, 2)

    def route(self, host: str, frame: list[Any], host_of: dict[str, str]) -> tuple[str, list[Any]] | None:
        """Return whom a frame goes to, and as what; `host_of` says where each Broker is. None: to nobody."""
        kind, number, *fields = frame
        if kind == "open":
            target = host_of.get(fields[0])
            if target is None:
                return host, ["close", number]
            there = (target, next(self._numbers))
            self._other[host, number], self._other[there] = there, (host, number)
            return target, ["open", there[1], *fields]
        other = self._other.get((host, number))
        if other is None:
            return None
        if kind == "close":
            del self._other[host, number], self._other[other]
        return other[0], [kind, other[1], *fields]

    def lose(self, host: str) -> list[tuple[str, list[Any]]]:
        """A host's connection was lost: return what to tell the other ends of its streams."""
        ends = [end for end in self._other if end[0] == host]
        told = []
        for end in ends:
            other = self._other.pop(end, None)
            if other is not None:
                self._other.pop(other, None)
                if other[0] != host:
                    told.append((other[0], ["close", other[1]]))
        return told
