"""Frames on a host process's standard input and output."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedfutures.host import settings
from fedfutures.host.settings import FrameReader, Settings, pack_frame, settings_from

odd_text = st.text(st.characters() | st.sampled_from("\udce9\ud800"))  # arguments and paths need be no UTF-8
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | odd_text | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
all_settings = st.builds(
    Settings,
    host=st.text(),
    workers=st.integers(0, 1000),
    size=st.integers(0, 1000),
    program=st.none() | st.tuples(st.sampled_from(["file", "module"]), odd_text),
    argv=st.lists(odd_text),
    path=st.lists(odd_text),
    directory=st.none() | odd_text,
    initializer=st.none() | st.binary(),
    max_tasks_per_child=st.none() | st.integers(1, 10),
    debug=st.booleans(),
    brokers=st.integers(1, 100),
    dials=st.lists(st.lists(st.integers(0, 99), min_size=2, max_size=2)),
)


@given(st.lists(plain, max_size=4), st.integers(1, 9))
def test_frames_come_out_as_they_went_in_however_they_are_cut(values: list[Any], step: int) -> None:
    stream = b"".join(map(pack_frame, values))
    reader, found = FrameReader(), []
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])
    assert found == values
    assert FrameReader().feed(stream) == values


@given(all_settings)
def test_settings_survive(given_settings: Settings) -> None:
    (value,) = FrameReader().feed(pack_frame(given_settings))
    assert settings_from(value) == given_settings


@given(st.binary(max_size=100))
def test_nonsense_raises_valueerror_and_nothing_else(data: bytes) -> None:
    try:
        FrameReader().feed(len(data).to_bytes(4, "big") + data)
        FrameReader().feed(data)
    except ValueError:
        pass


def test_a_frame_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="a frame of 67108865 bytes"):
        FrameReader().feed((settings.MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


def test_a_setting_that_is_not_known() -> None:
    with pytest.raises(TypeError):
        settings_from({"program": None, "host": "a", "workers": 1, "size": 1, "colour": "blue"})


def test_frames_are_length_and_msgpack() -> None:
    assert pack_frame({"a": 1}) == b"\x00\x00\x00\x04" + msgpack.packb({"a": 1})
