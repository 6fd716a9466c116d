"""Messages to bytes and back: msgpack, size-limited, every field checked on arrival.

A message is ``[code, sequence, acknowledged, *fields]``; a frame holds one message or several, end to end. Whatever
the bytes, :func:`decode` and :func:`decode_all` raise nothing but :class:`MalformedMessage`: the shells count it and
drop the frame.

>>> encode(messages.Want(b"x"), 3, 2)
b'\\x94\\x07\\x03\\x02\\xc4\\x01x'
>>> decode(encode(messages.Want(b"x"), 3, 2))
(3, 2, Want(digest=b'x'))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack

from ..errors import MalformedMessage
from . import messages
from .checking import readers_and_writers
from .messages import MAX_BATCH_FUTURES, MAX_MESSAGE_BYTES, MAX_PIECE, Message

FRAME_BYTES_AT_MOST = 32 << 20
"""Several messages in one frame; a link takes frames of twice as much (:data:`..sockets.options.MAX_MAIN_BYTES`)."""
UNICODE_ERRORS = "surrogatepass"

_PACKER_BYTES_AT_MOST = 1 << 20
_PIECE = f"piece <= {MAX_PIECE}"
_TOGETHER: dict[type[Message], str] = {
    messages.Batch: f"{_PIECE} and 0 < len(set(ids)) == len(ids) == len(payloads)",
    messages.Holding: f"{_PIECE} and 0 < len(set(ids)) == len(ids)",
    messages.Results: f"{_PIECE} and len(set(ids)) == len(ids) == len(outcomes)",
    **dict.fromkeys((messages.Return, messages.Cancel, messages.Running), _PIECE),
}
"""What must hold beyond types: lists have one length, no number is there twice, others can count on from a piece's."""
_READERS, _WRITERS = readers_and_writers(
    messages.CODES, ("sequence", "acknowledged"), MalformedMessage, "message type", _TOGETHER
)
_packer = msgpack.Packer(unicode_errors=UNICODE_ERRORS)
"""One for all messages: making it takes longer than packing a small one. Nothing runs in between while it packs."""


def encode(message: Message, sequence: int = 0, acknowledged: int = 0) -> bytes:
    """Return the frame for `message`, numbered `sequence` (0: not numbered) and acknowledging `acknowledged`."""
    global _packer
    body: bytes = _packer.pack(_WRITERS[type(message)](message, sequence, acknowledged))
    if len(body) > _PACKER_BYTES_AT_MOST:  # a packer keeps a buffer as large as its largest message
        _packer = msgpack.Packer(unicode_errors=UNICODE_ERRORS)
    return body


def pack_plain(value: Any) -> bytes:
    """Return plain data as msgpack. Any name goes through, also those of files and functions that are no UTF-8.

    >>> unpack_plain(pack_plain(["caf\\udce9", "\\ud800"])) == ["caf\\udce9", "\\ud800"]
    True
    """
    body: bytes = msgpack.packb(value, unicode_errors=UNICODE_ERRORS)
    return body


def unpack_plain(body: bytes) -> Any:
    """Return what :func:`pack_plain` has packed. Raises ValueError, and nothing else, for what is no msgpack."""
    try:
        return msgpack.unpackb(body, strict_map_key=False, unicode_errors=UNICODE_ERRORS)
    except (TypeError, RecursionError) as error:  # a list as the key of a dictionary
        raise ValueError(str(error)) from None


def joined(frames: list[bytes]) -> Iterator[bytes]:
    """Join frames for one peer, end to end, as long as none becomes larger than FRAME_BYTES_AT_MOST by that.

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
            # Written out: unpacking a dictionary of limits takes longer than unpacking a small message.
            parts, frame = msgpack.unpackb(
                frame, unicode_errors=UNICODE_ERRORS, strict_map_key=True, max_bin_len=MAX_MESSAGE_BYTES,
                max_str_len=MAX_MESSAGE_BYTES, max_array_len=MAX_BATCH_FUTURES + 16, max_map_len=0, max_ext_len=0,
            ), b""  # fmt: skip
        except msgpack.ExtraData as more:
            parts, frame = more.unpacked, more.extra
        except (ValueError, RecursionError) as error:
            raise MalformedMessage(f"not msgpack: {error}") from None
        if type(parts) is not list or len(parts) < 3 or type(parts[0]) is not int:
            raise MalformedMessage("no header")
        found.append(_READERS[parts[0]](parts))
    return found
