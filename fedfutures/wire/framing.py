"""Frames (:mod:`.control`) to bytes and back: what goes over pipes between Origin, connector, host process and Broker.

>>> from fedfutures.wire.control import BrokerGivenUp, Heartbeat
>>> pack(Heartbeat())
b'\\x00\\x00\\x00\\x02\\x91\\x07'
>>> FrameReader().feed(pack(Heartbeat()) + pack(BrokerGivenUp("why"))[:6])
[Heartbeat()]
"""

from __future__ import annotations

import msgpack

from ..errors import RemoteProtocolError
from . import control
from .checking import readers_and_writers
from .codec import UNICODE_ERRORS, pack_plain
from .control import CONTROL_CODES, MAX_CONTROL_BYTES, SOCKETS, ControlFrame

_TOGETHER: dict[type[ControlFrame], str] = {
    control.WorkerOutput: "1 <= stream <= 3",
    control.OpenStream: f"socket in {SOCKETS}",
    control.BrokerBound: "max(main, meta, subscriber) < 65536",
    control.HostReady: "len(python) == 3 and brokers and all(len(row) == 5 for row in brokers)",
}
"""What must hold of the fields beyond their types."""
_READERS, _WRITERS = readers_and_writers(CONTROL_CODES, (), RemoteProtocolError, "frame", _TOGETHER)


def pack(frame: ControlFrame) -> bytes:
    """Return a frame's bytes. Raises KeyError for what is none of :mod:`.control`: nothing else travels."""
    body = pack_plain(_WRITERS[type(frame)](frame))
    return len(body).to_bytes(4, "big") + body


def decode(body: bytes) -> ControlFrame:
    """Return the frame of these bytes, without their length. Raises RemoteProtocolError and nothing else."""
    try:
        parts = msgpack.unpackb(body, strict_map_key=True, unicode_errors=UNICODE_ERRORS)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not msgpack: {error}") from None
    if type(parts) is not list or not parts or type(parts[0]) is not int:
        raise RemoteProtocolError("no code")
    frame: ControlFrame = _READERS[parts[0]](parts)
    return frame


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
