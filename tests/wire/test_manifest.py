"""Manifests: which segments a payload names, whoever has written it."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
