"""Manifests: which segments a payload names, whoever has written it."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import pytest
from effort import scaled
from hypothesis import given, strategies as st

from fedfutures.program.snapshots import MARK
from fedfutures.wire.manifest import HAS_SEGMENTS, MANIFEST, SEGMENTS_AT_MOST, is_reusable, segments_of
from fedfutures.wire.names import is_segment


def manifest(*parts: Any, behind: bytes = b"") -> bytes:
    return MANIFEST + msgpack.packb(list(parts)) + behind


@pytest.mark.parametrize("behind", [b"", b"a digest of 16 b", b"a digest of 16 band a seal of 16b"])
def test_segments_are_named_in_order_the_pickle_first(behind: bytes) -> None:
    assert segments_of(manifest(b"pickle", ["a-1", "a-2"], True, behind=behind)) == ["a-1", "a-2"]
    assert segments_of(manifest("a-0", ["a-1"], False, behind=behind)) == ["a-0", "a-1"]
    assert is_reusable(manifest(b"", [], True, behind=behind))
    assert not is_reusable(manifest(b"", [], False, behind=behind))


@pytest.mark.parametrize("payload", [MANIFEST, manifest(b"p", ["a-1"]), manifest(b"p", ["a-1"], 1), manifest(b"p")])
def test_what_does_not_say_that_it_is_reusable_is_not(payload: bytes) -> None:
    assert not is_reusable(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\x80\x05.", MANIFEST, manifest(b""), manifest(1, []), manifest(b"", 1), manifest(b"", [1]),
        manifest(b"", ["../x"]), manifest("", []), manifest(b"", ["free-1-x"]), MANIFEST + b"\x91" * 5000,
        manifest(b"", ["a"] * (SEGMENTS_AT_MOST + 1)),
    ],
)  # fmt: skip
def test_what_cannot_be_true_names_nothing(payload: bytes) -> None:
    assert segments_of(payload) == []


@given(st.binary(max_size=60), st.sampled_from([b"", *HAS_SEGMENTS]))
def test_nothing_but_segments_is_named_whatever_comes(data: bytes, first: bytes) -> None:
    assert all(map(is_segment, segments_of(first + data)))
    assert is_reusable(first + data) in (True, False)


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9 << 60) | st.binary(max_size=4) | st.sampled_from(["a-1", "..", "a/b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


@given(st.lists(PARTS, max_size=4), st.binary(max_size=20))
def test_only_a_whole_manifest_names_segments(parts: list[Any], behind: bytes) -> None:
    payload = manifest(*parts, behind=behind)
    if segments_of(payload):
        assert len(parts) >= 3
    elif is_reusable(payload):
        assert parts[:2] == [parts[0], []]


def test_mutated_manifests_are_read_or_name_nothing() -> None:
    dice, named = random.Random(7), 0
    good = [
        manifest(b"pickle", ["a-1", "a-2"], True),
        MARK + b"d" * 16 + manifest("a-0", ["a-1"], False, behind=b"s" * 16),
    ]
    for number in range(scaled(60_000)):
        payload = bytearray(good[number % 2])
        for _ in range(dice.randrange(1, 4)):
            payload[dice.randrange(len(payload))] = dice.randrange(256)
        if number % 3 == 0:
            del payload[dice.randrange(len(payload)) :]
        named += bool(segments_of(bytes(payload)))
        is_reusable(bytes(payload))
    assert named
