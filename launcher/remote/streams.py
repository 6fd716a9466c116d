"""Which stream of one host is which stream of another: relayed links, as the connector sees them. Pure.

A host process numbers the streams that it opens (:mod:`fedfutures.host.relay`); the connector opens another one at the
host of the Broker that is meant, and passes on what is said about either.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from fedfutures.lazy_dataclass import replaced
from fedfutures.wire.control import CloseStream, OpenStream, StreamFrame

End = tuple[str, int]
"""(host, stream)"""


class Streams:
    """The streams that are under way between hosts."""

    def __init__(self) -> None:
        self._other: dict[End, End] = {}
        self._numbers = itertools.count(2, 2)

    def route(self, host: str, frame: StreamFrame, host_of: Mapping[str, str]) -> tuple[str, StreamFrame] | None:
        """Return whom a frame goes to, and as what; `host_of` says where each Broker is. None: to nobody."""
        if isinstance(frame, OpenStream):
            target = host_of.get(frame.broker)
            if target is None:
                return host, CloseStream(frame.stream)
            there = (target, next(self._numbers))
            self._other[host, frame.stream], self._other[there] = there, (host, frame.stream)
            return target, OpenStream(there[1], frame.broker, frame.socket)
        other = self._other.get((host, frame.stream))
        if other is None:
            return None
        if isinstance(frame, CloseStream):
            del self._other[host, frame.stream], self._other[other]
        passed_on: StreamFrame = replaced(frame, stream=other[1])
        return other[0], passed_on

    def lose(self, host: str) -> list[tuple[str, StreamFrame]]:
        """A host's connection was lost: return what to tell the other ends of its streams."""
        ends = [end for end in self._other if end[0] == host]
        told: list[tuple[str, StreamFrame]] = []
        for end in ends:
            other = self._other.pop(end, None)
            if other is not None:
                self._other.pop(other, None)
                if other[0] != host:
                    told.append((other[0], CloseStream(other[1])))
        return told
