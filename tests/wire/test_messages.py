"""The page of messages: its rules, and the bytes of each message, which may not change within a version."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from fedfutures.wire import codec, messages

GOLDEN: list[tuple[messages.Message, str]] = [
    (messages.Hello(5, "worker", "h.1", 7, 8, 9, 1), "9a01030205a6776f726b6572a3682e3107080901"),
    (messages.Welcome(5, "h.broker", 7, 9, 8), "9802030205a8682e62726f6b6572070908"),
    (messages.Refused(5, "why"), "9503030205a3776879"),
    (messages.Ack(True), "94040302c3"),
    (messages.Demand(3, 1, 2, messages.SHARING), "9705030203010201"),
    (messages.Function(b"digest", "f", b"body"), "96060302c406646967657374a166c404626f6479"),
    (messages.Want(b"digest"), "94070302c406646967657374"),
    (
        messages.Batch(1, "o", b"f", 1, 0, 2, False, [4, 5], [b"x", b"y"], "o", -1, 1500, 3, 4, ["b"]),
        "dc001208030201a16fc40166010002c292040592c40178c40179a16fffcd05dc030491a162",
    ),
    (
        messages.Results(1, 2, [4, 5], [b"x", b"y"], [(5, 1)], 0.5, 2, b"z"),
        "9b090302010292040592c40178c4017991920501cb3fe000000000000002c4017a",
    ),
    (messages.Return(1, [4], 2, 1, 8), "980a0302019104020108"),
    (messages.Cancel(1, [4]), "960b0302019104c2"),
    (messages.Running(1, [4], 3), "960c030201910403"),
    (messages.Constant("c", 2, b"body"), "960d0302a16302c404626f6479"),
    (messages.Bye("why"), "940e0302a3776879"),
    (messages.State(7, 3, 2, 1, 4), "980f03020703020104"),
    (messages.Stranger(), "93100302"),
    (messages.Ping(5, 6), "951103020506"),
    (messages.Pong(5), "9412030205"),
    (messages.Holding(1, "o", b"f", 1, 0, [4]), "9a13030201a16fc401660100910490"),
    (messages.Inquire(1, "explain", 1.0, "o", 4), "9814030201a76578706c61696ecb3ff0000000000000a16f04"),
    (messages.Answer(1, "h.1", b"report", True), "9715030201a3682e31c4067265706f7274c3"),
    (messages.Get("s-1", 10, 20), "96160302a3732d310a14"),
    (messages.Chunk("s-1", 10, -1), "96170302a3732d310aff"),
    (messages.Drop(["s-1"]), "9418030291a3732d31"),
    (messages.Fetch("s-1"), "94190302a3732d31"),
    (messages.Fetched("s-1", 30), "951a0302a3732d311e"),
    (messages.Lend(7, "o"), "951b030207a16f"),
    (messages.TakeBack(7), "941c030207"),
    (messages.LeaseEnded(7, 3, 1, 1, 2, b"x"), "991d03020703010102c40178"),
]


def test_the_page_and_the_codes_agree() -> None:
    assert set(messages.CODES.values()) == set(typing.get_args(messages.Message))
    assert set(messages.CODES.values()) >= messages.UNSEQUENCED


def test_no_instant_and_no_payload_is_anything_but_bytes() -> None:
    """The rules at the head of the page, as far as annotations can tell."""
    for kind in messages.CODES.values():
        for field in dataclasses.fields(kind):
            if field.name in ("body", "payloads", "outcomes", "digest", "function"):
                assert "bytes" in str(field.type)
            assert field.name not in ("time", "at", "deadline", "now")


@pytest.mark.parametrize(("message", "golden"), GOLDEN, ids=lambda value: type(value).__name__)
def test_bytes(message: messages.Message, golden: str) -> None:
    assert messages.PROTOCOL == 11, "another version: other bytes are right, and all of these are to be made anew"
    assert codec.encode(message, 3, 2).hex() == golden


def test_bytes_are_known_of_each() -> None:
    assert [type(message) for message, _ in GOLDEN] == list(messages.CODES.values())
