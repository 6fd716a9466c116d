"""Frames (:mod:`.control`) to bytes and back: what goes over pipes between Origin, connector, host process and Broker.

>>> from fedfutures.wire.control import BrokerGivenUp, Heartbeat
>>> pack(Heartbeat())
b'\\x00\\x00\\x00\\x02\\x91\\x07'
>>> FrameReader().feed(pack(Heartbeat()) + pack(BrokerGivenUp("why"))[:6])
[Heartbeat()]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from ..errors import RemoteProtocolError
from .checking import reader_of, writer_of
from .codec import UNICODE_ERRORS
from .control import (
    CONTROL_CODES,
    MAX_CONTROL_BYTES,
    SOCKETS,
    BrokerBound,
    ControlFrame,
    HostReady,
    OpenStream,
    WorkerOutput,
)

_CODE_OF = {kind: code for code, kind in CONTROL_CODES.items()}
_READERS: dict[int, Callable[[list[Any]], ControlFrame]] = {}
_WRITERS: dict[type, Callable[[Any], tuple[Any, ...]]] = {}
_TOGETHER: dict[type[ControlFrame], str] = {
    WorkerOutput: "1 <= stream <= 3",
    OpenStream: f"socket in {SOCKETS}",
    BrokerBound: "max(main, meta, ear) < 65536",
    HostReady: "len(python) == 3 and brokers and all(len(row) == 5 for row in brokers)",
}
"""What the type of a field does not show."""


def pack(frame: ControlFrame) -> bytes:
    """Return a frame's bytes. Raises KeyError for what is none of :mod:`.control`: nothing else travels."""
    code = _CODE_OF[type(frame)]
    writer = _WRITERS.get(type(frame)) or _WRITERS.setdefault(type(frame), writer_of(type(frame)))
    body: bytes = msgpack.packb([code, *writer(frame)], unicode_errors=UNICODE_ERRORS)
    return len(body).to_bytes(4, "big") + body


def decode(body: bytes) -> ControlFrame:
    """Return the frame of these bytes, without their length. Raises RemoteProtocolError and nothing else."""
    try:
        parts = msgpack.unpackb(body, strict_map_key=True, unicode_errors=UNICODE_ERRORS)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not msgpack: {error}") from None
    if type(parts) is not list or not parts or type(parts[0]) is not int:
        raise RemoteProtocolError("no code")
    reader = _READERS.get(parts[0])
    if reader is None:
        kind = CONTROL_CODES.get(parts[0])
        if kind is None:
            raise RemoteProtocolError(f"unknown frame {parts[0]}")
        reader = _READERS[parts[0]] = reader_of(kind, (), RemoteProtocolError, _TOGETHER.get(kind, ""))
    return reader(parts)


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[ControlFrame]:
        """Take bytes in; return the frames that are complete now. Raises RemoteProtocolError, also ever after."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > MAX_CONTROL_BYTES:
                raise RemoteProtocolError(f"a frame of {length} bytes")
            if len(self._buffer) < 4 + length:
                break
            frames.append(decode(bytes(self._buffer[4 : 4 + length])))
            del self._buffer[: 4 + length]
        return frames
