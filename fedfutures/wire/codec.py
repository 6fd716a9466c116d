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

import operator
from collections.abc import Callable, Iterator
from typing import Any

import msgpack

from ..errors import MalformedMessage
from ..lazy_dataclass import field_types
from . import messages
from .messages import MAX_BATCH_FUTURES, MAX_MESSAGE_BYTES, MAX_NAME_CHARACTERS, Message

_COUNT_LIMIT = 1 << 63


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _COUNT_LIMIT


def _is_name(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_NAME_CHARACTERS


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    wanted = {kind}

    def check(value: Any) -> bool:
        return (
            type(value) is list and len(value) <= MAX_BATCH_FUTURES and (not value or set(map(type, value)) == wanted)
        )

    return check


def _are_names(value: Any) -> bool:
    return type(value) is list and len(value) <= MAX_BATCH_FUTURES and all(map(_is_name, value))


def _is_odd(value: Any) -> bool:
    return type(value) is list and all(
        type(pair) is list and len(pair) == 2 and _is_count(pair[0]) and _is_count(pair[1]) for pair in value
    )


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "int": _is_count,
    "Signed": lambda value: type(value) is int and -_COUNT_LIMIT < value < _COUNT_LIMIT,
    "str": _is_name,
    "bool": lambda value: type(value) is bool,
    "float": lambda value: type(value) is float and 0.0 <= value < float("inf"),
    "bytes": lambda value: type(value) is bytes,
    "list[int]": _is_list_of(int),
    "list[bytes]": _is_list_of(bytes),
    "list[str]": _are_names,
    "list[tuple[int, int]]": _is_odd,
}

FRAME_BYTES_AT_MOST = 32 << 20
"""Several messages in one frame; a link takes frames of twice as much (:data:`..sockets.options.MAX_MAIN_BYTES`)."""
UNICODE_ERRORS = "surrogatepass"
_Schema = tuple[type[Message], tuple[tuple[str, Callable[[Any], bool]], ...]]


def _schema(kind: type[Message]) -> _Schema:
    return kind, tuple((name, _CHECKS[written]) for name, written in field_types(kind).items())


_DECODERS: dict[int, _Schema] = {code: _schema(kind) for code, kind in messages.CODES.items()}


def _reader(kind: type[Message]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads all fields of a message, in C where there are two or more."""
    names = list(field_types(kind))
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


_ENCODERS = {kind: (code, _reader(kind)) for code, kind in messages.CODES.items()}


def encode(message: Message, sequence: int = 0, acknowledged: int = 0) -> bytes:
    """Return the frame for `message`, numbered `sequence` (0: not numbered) and acknowledging `acknowledged`."""
    code, fields = _ENCODERS[type(message)]
    return pack_plain([code, sequence, acknowledged, *fields(message)])


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
    parts, extra = _unpack(frame)
    if extra:
        raise MalformedMessage(f"{len(extra)} bytes behind the message")
    return _message(parts)


def decode_all(frame: bytes) -> list[tuple[int, int, Message]]:
    """Return the messages of a frame that holds one or several, end to end; raise :class:`MalformedMessage`."""
    found: list[tuple[int, int, Message]] = []
    while frame or not found:
        parts, frame = _unpack(frame)
        found.append(_message(parts))
    return found


def _unpack(frame: bytes) -> tuple[Any, bytes]:
    try:
        return msgpack.unpackb(frame, **_LIMITS), b""
    except msgpack.ExtraData as more:
        return more.unpacked, more.extra
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not msgpack: {error}") from None


_LIMITS = {
    "unicode_errors": UNICODE_ERRORS,
    "strict_map_key": True,
    "max_bin_len": MAX_MESSAGE_BYTES,
    "max_str_len": MAX_MESSAGE_BYTES,
    "max_array_len": MAX_BATCH_FUTURES + 16,
    "max_map_len": 0,
    "max_ext_len": 0,
}


def _message(parts: Any) -> tuple[int, int, Message]:
    if type(parts) is not list or len(parts) < 3 or not all(map(_is_count, parts[:3])):
        raise MalformedMessage("no header")
    schema = _DECODERS.get(parts[0])
    if schema is None:
        raise MalformedMessage(f"unknown message type {parts[0]}")
    kind, fields = schema
    values = parts[3:]
    if len(values) != len(fields):
        raise MalformedMessage(f"{kind.__name__} has {len(fields)} fields, got {len(values)}")
    for value, (name, valid) in zip(values, fields):
        if not valid(value):
            raise MalformedMessage(f"{kind.__name__}.{name} has a bad value")
    message = kind(*values)
    if kind in _CROSS_CHECKS and not _CROSS_CHECKS[kind](message):
        raise MalformedMessage(f"{kind.__name__}: lists of different lengths, or a number twice")
    if type(message) is messages.Results and message.odd:
        message.odd = [(number, outcome_kind) for number, outcome_kind in message.odd]  # msgpack made them lists
    return parts[1], parts[2], message


_CROSS_CHECKS: dict[type[Message], Callable[[Any], bool]] = {
    messages.Batch: lambda m: 0 < len(set(m.ids)) == len(m.ids) == len(m.payloads),
    messages.Holding: lambda m: 0 < len(set(m.ids)) == len(m.ids),
    messages.Results: lambda m: len(set(m.ids)) == len(m.ids) == len(m.outcomes),
}
"""What one field alone cannot show."""
