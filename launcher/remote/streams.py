"""Which stream of one host is which stream of another: relayed links, as the connector sees them. Pure.

A host process numbers the streams that it opens (:mod:`fedfutures.host.relay`). For each, the connector opens a stream
at the host of the other Broker, and passes on the frames of either.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from fedfutures.errors import RemoteProtocolError
from fedfutures.lazy_dataclass import replaced
from fedfutures.wire.control import CloseStream, OpenStream, StreamFrame

End = tuple[str, int]
"""(host, stream)"""


class Streams:
    """The open streams between hosts."""

    def __init__(self) -> None:
        self._other: dict[End, End] = {}
        self._numbers = itertools.count(2, 2)

    def route(self, host: str, frame: StreamFrame, host_of: Mapping[str, str]) -> tuple[str, StreamFrame] | None:
        """Return the host that a frame goes to, and the frame to send; None: its stream is closed.

        `host_of` holds the host of each Broker. Raises RemoteProtocolError where a host opens a stream that is open, or
        one with a number that is not its own.
        """
        if isinstance(frame, OpenStream):
            if frame.stream % 2 == 0 or (host, frame.stream) in self._other:
                raise RemoteProtocolError(f"host {host} opens stream {frame.stream}, which is not its to open")
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
        """A host's connection was lost: return the frames for the hosts at the other ends of its streams."""
        ends = [end for end in self._other if end[0] == host]
        told: list[tuple[str, StreamFrame]] = []
        for end in ends:
            other = self._other.pop(end, None)
            if other is not None:
                self._other.pop(other, None)
                if other[0] != host:
                    told.append((other[0], CloseStream(other[1])))
        return told
