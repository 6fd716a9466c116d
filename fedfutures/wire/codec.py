"""Messages to bytes and back: msgpack, size-limited, every field checked on arrival.

A message is ``[code, sequence, acknowledged, *fields]``; a frame holds what one end had to say at a time, one message
behind the other. :func:`decode` and :func:`decode_all` raise :class:`MalformedMessage` and nothing
else, whatever the bytes: the shells count it and drop the message.

>>> encode(messages.Want(b"x"), 3, 2)
b'\\x94\\x07\\x03\\x02\\xc4\\x01x'
>>> decode(encode(messages.Want(b"x"), 3, 2))
(3, 2, Want(digest=b'x'))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgpack

from ..errors import MalformedMessage
from . import messages
from .checking import reader_of, writer_of
from .messages import MAX_BATCH_FUTURES, MAX_MESSAGE_BYTES, Message

FRAME_BYTES_AT_MOST = 32 << 20
"""Several messages in one frame; a link takes frames of twice as much (:data:`..sockets.options.MAX_MAIN_BYTES`)."""
UNICODE_ERRORS = "surrogatepass"

_Reader = Callable[[list[Any]], tuple[int, int, Message]]
_READERS: dict[int, _Reader] = {}
_WRITERS = {kind: (code, writer_of(kind)) for code, kind in messages.CODES.items()}
_TOGETHER: dict[type[Message], str] = {
    messages.Batch: "0 < len(set(ids)) == len(ids) == len(payloads)",
    messages.Holding: "0 < len(set(ids)) == len(ids)",
    messages.Results: "len(set(ids)) == len(ids) == len(outcomes)",
}
"""What one field alone cannot show: lists of one length, and no number twice."""


def encode(message: Message, sequence: int = 0, acknowledged: int = 0) -> bytes:
    """Return the frame for `message`, numbered `sequence` (0: not numbered) and acknowledging `acknowledged`."""
    code, fields = _WRITERS[type(message)]
    body: bytes = msgpack.packb([code, sequence, acknowledged, *fields(message)], unicode_errors=UNICODE_ERRORS)
    return body


def pack_plain(value: Any) -> bytes:
    """Return plain data as msgpack. Names of any kind go through: those of files and functions may be no UTF-8.

    >>> unpack_plain(pack_plain(["caf\\udce9", "\\ud800"])) == ["caf\\udce9", "\\ud800"]
    True
    """
    body: bytes = msgpack.packb(value, unicode_errors=UNICODE_ERRORS)
    return body


def unpack_plain(body: bytes) -> Any:
    """Return what :func:`pack_plain` has packed. Raises ValueError for what is no msgpack."""
    return msgpack.unpackb(body, strict_map_key=False, unicode_errors=UNICODE_ERRORS)


def joined(frames: list[bytes]) -> Iterator[bytes]:
    """Put frames for one peer together, end to end; none of several becomes larger than FRAME_BYTES_AT_MOST.

    >>> list(joined([b"a", b"b"]))
    [b'ab']
    """
    if sum(map(len, frames)) <= FRAME_BYTES_AT_MOST:
        yield b"".join(frames)
        return
    begin, size = 0, 0
    for index, frame in enumerate(frames):
        if index > begin and size + len(frame) > FRAME_BYTES_AT_MOST:
            yield b"".join(frames[begin:index])
            begin, size = index, 0
        size += len(frame)
    yield b"".join(frames[begin:])


def decode(frame: bytes) -> tuple[int, int, Message]:
    """Return ``(sequence, acknowledged, message)``; raise :class:`MalformedMessage` for anything not on the page."""
    found = decode_all(frame)
    if len(found) > 1:
        raise MalformedMessage(f"{len(found) - 1} messages behind the message")
    return found[0]


def decode_all(frame: bytes) -> list[tuple[int, int, Message]]:
    """Return the messages of a frame that holds one or several, end to end; raise :class:`MalformedMessage`."""
    found: list[tuple[int, int, Message]] = []
    while frame or not found:
        try:
            parts, frame = msgpack.unpackb(frame, **_LIMITS), b""
        except msgpack.ExtraData as more:
            parts, frame = more.unpacked, more.extra
        except (ValueError, RecursionError) as error:
            raise MalformedMessage(f"not msgpack: {error}") from None
        if type(parts) is not list or len(parts) < 3 or type(parts[0]) is not int:
            raise MalformedMessage("no header")
        reader = _READERS.get(parts[0]) or _made_reader(parts[0])
        found.append(reader(parts))
    return found


_LIMITS = {
    "unicode_errors": UNICODE_ERRORS,
    "strict_map_key": True,
    "max_bin_len": MAX_MESSAGE_BYTES,
    "max_str_len": MAX_MESSAGE_BYTES,
    "max_array_len": MAX_BATCH_FUTURES + 16,
    "max_map_len": 0,
    "max_ext_len": 0,
}


def _made_reader(code: int) -> _Reader:
    """Make the function that reads a kind of message, when the first one comes."""
    kind = messages.CODES.get(code)
    if kind is None:
        raise MalformedMessage(f"unknown message type {code}")
    _READERS[code] = reader_of(kind, ("sequence", "acknowledged"), MalformedMessage, _TOGETHER.get(kind, ""))
    return _READERS[code]
