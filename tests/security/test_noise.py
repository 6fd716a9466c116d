"""Bytes that are no messages, given to the decoder: it says so, and nothing else happens. Pure."""

from __future__ import annotations

import random

import msgpack
import pytest

from fedfutures.errors import MalformedMessage
from fedfutures.wire import codec
from fedfutures.wire.messages import PROTOCOL, Batch, Demand, Hello, Message, Results, State

TIMES_MUTATED = 20_000
GOOD: list[Message] = [
    Hello(PROTOCOL, "broker", "h1.broker", 1, 2),
    Demand(3, 1, 4),
    Batch(1, "o", b"f", 1, 0, 0, False, [1, 2], [b"a", b"b"], "o", -1),
    Results(1, 1, [1, 2], [b"x", b"y"], [(2, 1)], 0.5, 2),
    State(1, 2, 3, 4, 5),
]


def test_mutated_messages_decode_or_are_malformed() -> None:
    dice = random.Random(5)
    frames = [codec.encode(message, 7, 8) for message in GOOD]
    refused = 0
    for number in range(TIMES_MUTATED):
        frame = bytearray(frames[number % len(frames)])
        for _ in range(dice.randrange(1, 4)):
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        if number % 3 == 0:
            del frame[dice.randrange(len(frame)) :]
        try:
            for _, _, message in codec.decode_all(bytes(frame)):
                assert type(message) in codec.messages.CODES.values()
        except MalformedMessage:
            refused += 1
    assert TIMES_MUTATED // 3 < refused < TIMES_MUTATED


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        msgpack.packb([5, 1, 0, 1, 1]),
        msgpack.packb([5, 1, 0, 1, 1, "1"]),
        msgpack.packb([5, 1, 0, 1, 1, float("nan")]),
        msgpack.packb([5, 1, 0, 1, 1, 1 << 63]),
        msgpack.packb({5: 1}),
        msgpack.packb([99, 1, 0]),
        b"\x94\x07\x01\x00\xa2\xff\xfe",
        b"\x98\x01\x00\x00\x03\xa2\xff\xfe\xa1b\x01\x01\x00\x00",
    ],
)
def test_what_is_no_message_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        codec.decode_all(frame)
