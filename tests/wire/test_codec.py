"""Every message survives the wire, and nothing but a message is taken for one."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import Any

import msgpack
import pytest
from effort import scaled
from hypothesis import given, settings, strategies as st

from fedfutures.errors import MalformedMessage
from fedfutures.wire import codec, messages
from fedfutures.wire.messages import MAX_BATCH_FUTURES, MAX_NAME_CHARACTERS

from .strategies import COUNTS, any_message, messages_of


def frame(*parts: Any) -> bytes:
    """Bytes that nobody checked before sending."""
    return msgpack.packb(list(parts))


@pytest.mark.parametrize("kind", messages.CODES.values(), ids=lambda kind: kind.__name__)
@settings(max_examples=scaled(30))
@given(st.data())
def test_round_trip(kind: type, data: st.DataObject) -> None:
    sequence, acknowledged, message = data.draw(st.tuples(COUNTS, COUNTS, messages_of(kind)))
    assert codec.decode(codec.encode(message, sequence, acknowledged)) == (sequence, acknowledged, message)


@given(st.lists(st.tuples(COUNTS, COUNTS, any_message), min_size=1, max_size=4))
def test_several_messages_share_a_frame(several: list[tuple[int, int, messages.Message]]) -> None:
    joined = b"".join(codec.encode(message, sequence, acked) for sequence, acked, message in several)
    assert codec.decode_all(joined) == several


def test_large_messages_and_bad_ones_leave_no_trace_in_the_next() -> None:
    small = codec.encode(messages.Want(b"x"), 3, 2)
    codec.encode(messages.Want(b"x" * (2 << 20)))
    with pytest.raises(OverflowError):
        codec.encode(messages.Want(b"x"), 1 << 64)
    assert codec.encode(messages.Want(b"x"), 3, 2) == small


def test_decode_takes_one_message_only() -> None:
    with pytest.raises(MalformedMessage, match="behind the message"):
        codec.decode(2 * codec.encode(messages.Ack()))


def test_an_empty_frame_is_malformed() -> None:
    for decode in (codec.decode, codec.decode_all):
        with pytest.raises(MalformedMessage, match="not msgpack"):
            decode(b"")


def decoded_or_malformed(data: bytes) -> None:
    """Whatever comes out encodes to something that decodes to the same."""
    try:
        found = codec.decode_all(data)
    except MalformedMessage:
        return
    for sequence, acknowledged, message in found:
        assert codec.decode(codec.encode(message, sequence, acknowledged)) == (sequence, acknowledged, message)


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    decoded_or_malformed(data)


@given(any_message, st.data())
def test_mutated_bytes(message: messages.Message, data: st.DataObject) -> None:
    body = bytearray(codec.encode(message, 3, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        what = data.draw(st.sampled_from(["change", "remove", "insert", "cut"]))
        if what == "change":
            body[at] = data.draw(st.integers(0, 255))
        elif what == "remove" and len(body) > 1:
            del body[at]
        elif what == "insert":
            body.insert(at, data.draw(st.integers(0, 255)))
        else:
            del body[max(1, at) :]
    decoded_or_malformed(bytes(body))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)


@given(st.sampled_from(sorted(messages.CODES)), st.data())
def test_fields_of_any_type(code: int, data: st.DataObject) -> None:
    count = len(dataclasses.fields(messages.CODES[code]))
    decoded_or_malformed(frame(code, 0, 0, *data.draw(st.lists(JUNK, min_size=count, max_size=count))))


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",  # never used in msgpack
        frame(4, 0),
        msgpack.packb({}),
        msgpack.packb({"code": 4}),
        msgpack.packb(4),
        frame(4, -1, 0),
        frame(4, 0, 1 << 63),
        frame(True, 0, 0),
        frame(4.0, 0, 0),
        frame("4", 0, 0),
        msgpack.packb([4, 0, 0, msgpack.ExtType(5, b"x")]),
        b"\x91" * 5000 + b"\x01",  # nested too deep
        b"\xdd\xff\xff\xff\xff",  # an array of four thousand million
        b"\xc6\xff\xff\xff\xff",
    ],
)
def test_no_header(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        codec.decode(data)


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(MalformedMessage, match="unknown message type 99"):
        codec.decode(frame(99, 0, 0))


@pytest.mark.parametrize("code", sorted(messages.CODES))
def test_another_number_of_fields(code: int) -> None:
    kind = messages.CODES[code]
    count = len(dataclasses.fields(kind))
    for wrong in {count + 1, max(0, count - 1)} - {count}:
        with pytest.raises(MalformedMessage, match=rf"{kind.__name__} has {count} fields, got {wrong}"):
            codec.decode(frame(code, 0, 0, *[0] * wrong))


WRONG: dict[str, list[Any]] = {
    "int": [-1, True, None, 1.0, 1 << 63],
    "Signed": [True, None, 1.0, 1 << 63, -(1 << 63)],
    "str": [b"x", None, "x" * (MAX_NAME_CHARACTERS + 1)],
    "bool": [0, None],
    "float": [1, -0.5, float("inf"), float("nan")],
    "bytes": ["x", None],
    "list[int]": [1, [1, "x"], [True], [1.0], list(range(MAX_BATCH_FUTURES + 1))],
    "list[bytes]": [b"x", [b"x", "x"], [b""] * (MAX_BATCH_FUTURES + 1)],
    "list[str]": ["x", [b"x"], ["x" * (MAX_NAME_CHARACTERS + 1)], ["x"] * (MAX_BATCH_FUTURES + 1)],
    "Text": [b"x", None],
    "list[list[str]]": ["x", ["x"], [["x", 1]], [[b"x"]]],
    "dict[str, str]": [[], {"x": 1}, {1: "x"}],
    "dict[str, Any]": [[], {1: "x"}],
    "list[tuple[int, int]]": [0, [0], [[1]], [[1, -1]], [[1, 2, 3]], [["1", 2]]],
}
RIGHT: dict[str, Any] = {
    "int": 1, "Signed": -1, "str": "x", "bool": True, "float": 0.5, "bytes": b"x",
    "list[int]": [1], "list[bytes]": [b"x"], "list[str]": ["x"], "list[tuple[int, int]]": [],
    "Text": "x" * (MAX_NAME_CHARACTERS + 1), "list[list[str]]": [["x"], []], "dict[str, str]": {"x": "y"},
    "dict[str, Any]": {"x": 1},
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(messages.CODES))
def test_every_field_is_checked(code: int) -> None:
    kind = messages.CODES[code]
    fields = dataclasses.fields(kind)
    for at, field in enumerate(fields):
        for wrong in WRONG[str(field.type)]:
            values = [RIGHT[str(other.type)] for other in fields]
            codec.decode(frame(code, 0, 0, *values))
            values[at] = wrong
            with pytest.raises(MalformedMessage, match=rf"{kind.__name__}\.{field.name} has a bad value"):
                codec.decode(frame(code, 0, 0, *values))


@pytest.mark.parametrize(
    "message",
    [
        messages.Batch(1, "a", b"f", 1, 0, 0, False, [1, 2], [b""]),
        messages.Batch(1, "a", b"f", 1, 0, 0, False, [], []),
        messages.Batch(1, "a", b"f", 1, 0, 0, False, [1, 1], [b"", b""]),
        messages.Holding(1, "a", b"f", 1, 0, []),
        messages.Holding(1, "a", b"f", 1, 0, [1, 1]),
        messages.Results(1, 1, [1], []),
        messages.Results(1, 1, [1, 1], [b"", b""]),
    ],
)
def test_lists_that_go_together(message: messages.Message) -> None:
    with pytest.raises(MalformedMessage):
        codec.decode(codec.encode(message))


def test_the_largest_batch() -> None:
    ids = list(range(MAX_BATCH_FUTURES))
    batch = messages.Batch(1, "a", b"f", 1, 0, 0, False, ids, [b""] * len(ids))
    assert codec.decode(codec.encode(batch))[2] == batch


@given(st.lists(st.integers(0, 9), max_size=12).map(lambda sizes: [bytes([size]) * size for size in sizes]))
def test_frames_are_joined_up_to_a_limit(frames: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "FRAME_BYTES_AT_MOST", 8)
        joined = list(codec.joined(frames))
    assert b"".join(joined) == b"".join(frames)
    for frame in joined:
        assert len(frame) <= 8 or frame in frames, "one that is too large stands alone"
    ends = list(itertools.accumulate(map(len, frames)))
    for start, end in itertools.pairwise(itertools.accumulate(map(len, joined), initial=0)):
        following = [after for after in ends if after > end]
        assert not following or following[0] - start > 8, "the next one would have fitted"


PLAIN = st.binary(max_size=60) | st.sampled_from(
    [b"\x81\x90\x01", b"\x91" * 5000, b"\xa1\xff", b"\xd6\xff\xff\xff\xff\xff"]
)


@given(PLAIN)
def test_plain_data_is_read_or_a_value_error(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        codec.unpack_plain(body)


NUMBERED = [messages.Return(1, []), messages.Cancel(1, []), messages.Running(1, []), messages.Results(1, 1, [], [])]


@pytest.mark.parametrize("message", NUMBERED, ids=lambda message: type(message).__name__)
def test_others_can_count_on_from_the_number_of_a_piece(message: Any) -> None:
    message.piece = messages.MAX_PIECE
    assert codec.decode(codec.encode(message))[2] == message
    message.piece += 1
    with pytest.raises(MalformedMessage):
        codec.decode(codec.encode(message))
