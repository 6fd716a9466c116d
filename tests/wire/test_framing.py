"""Every frame survives the way, and nothing but a frame is taken for one."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgpack
import pytest
from effort import scaled
from hypothesis import given, settings, strategies as st

from fedfutures.errors import RemoteProtocolError
from fedfutures.wire import messages
from fedfutures.wire.control import CONTROL_CODES, MAX_CONTROL_BYTES, ControlFrame, Heartbeat
from fedfutures.wire.framing import FrameReader, decode, pack

from .strategies import any_frame, frames_of
from .test_codec import JUNK


@pytest.mark.parametrize("kind", CONTROL_CODES.values(), ids=lambda kind: kind.__name__)
@settings(max_examples=scaled(30))
@given(st.data())
def test_round_trip(kind: type, data: st.DataObject) -> None:
    frame = data.draw(frames_of(kind))
    assert decode(pack(frame)[4:]) == frame


@given(st.lists(any_frame, max_size=4), st.integers(1, 9))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[ControlFrame], step: int) -> None:
    stream = b"".join(map(pack, frames))
    reader, found = FrameReader(), list[ControlFrame]()
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])
    assert found == frames
    assert FrameReader().feed(stream) == frames


@pytest.mark.parametrize("other", [["end"], {"host": "a"}, messages.Bye("why"), None])
def test_nothing_else_is_packed(other: Any) -> None:
    with pytest.raises(KeyError):
        pack(other)


def decoded_or_refused(body: bytes) -> None:
    """Whatever comes out is packed as something that decodes to the same."""
    try:
        frame = decode(body)
    except RemoteProtocolError:
        return
    assert decode(pack(frame)[4:]) == frame


@given(st.binary(max_size=100))
def test_random_bytes(data: bytes) -> None:
    decoded_or_refused(data)
    try:
        FrameReader().feed(data)
    except RemoteProtocolError:
        pass


@given(st.sampled_from(sorted(CONTROL_CODES)), st.data())
def test_fields_of_any_type(code: int, data: st.DataObject) -> None:
    count = len(dataclasses.fields(CONTROL_CODES[code]))
    values = data.draw(st.lists(JUNK, min_size=max(0, count - 1), max_size=count + 1))
    decoded_or_refused(msgpack.packb([code, *values]))


@given(any_frame, st.data())
def test_mutated_bytes(frame: ControlFrame, data: st.DataObject) -> None:
    body = bytearray(pack(frame)[4:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    decoded_or_refused(bytes(body))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([99], "unknown frame 99"),
        ([], "no code"),
        (["end"], "no code"),
        ({"end": 1}, "no code"),
        ([16, "a"], "BrokerAccepts has 2 fields, got 1"),
        ([7, 0], "Heartbeat has 0 fields, got 1"),
        ([16, "a", 1], r"BrokerAccepts\.neighbour has a bad value"),
        ([13, "h.1", 4, b""], "WorkerOutput: fields that do not go together"),
        ([20, 1, "a.broker", "__class__"], "OpenStream: fields that do not go together"),
        ([15, "a.broker", "K", "10.0.0.1", 65536, 1, 1, ""], "BrokerBound: fields that do not go together"),
        ([10, "/r", "/s", "", 1, [3, 11], [["a"] * 5], 0], "HostReady: fields that do not go together"),
        ([10, "/r", "/s", "", 1, [3, 11, 2], [], 0], "HostReady: fields that do not go together"),
    ],
)
def test_what_is_no_frame_is_named(values: Any, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        decode(msgpack.packb(values))


def test_a_frame_that_is_too_long() -> None:
    with pytest.raises(RemoteProtocolError, match="a frame of 67108865 bytes"):
        FrameReader().feed((MAX_CONTROL_BYTES + 1).to_bytes(4, "big"))


def test_who_has_said_nonsense_is_not_understood_any_more() -> None:
    reader = FrameReader()
    for data in (b"\0\0\0\1\xc1", pack(Heartbeat())):
        with pytest.raises(RemoteProtocolError, match="not msgpack"):
            reader.feed(data)
