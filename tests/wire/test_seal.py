"""Seals: whatever is changed on the way is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, strategies as st

from fedfutures.errors import SealBroken
from fedfutures.wire.functions import FunctionCache, Unloaded, Wrapper
from fedfutures.wire.manifest import MANIFEST, segments_of
from fedfutures.wire.payload import Payloads
from fedfutures.wire.seal import SEAL_BYTES, Seal, digest_of
from fedfutures.wire.segments import SHARED_FROM_BYTES, Segments

KEY = bytes(range(32))


@given(st.binary(max_size=300), st.integers(0, 2**63))
def test_what_was_sealed_opens(payload: bytes, number: int) -> None:
    sealed = Seal(KEY).stamp(b"f", "origin").seal(number, payload)
    assert len(sealed) == len(payload) + SEAL_BYTES
    assert Seal(KEY).stamp(b"f", "origin").open(number, sealed) == payload


@given(st.binary(max_size=50), st.data())
def test_no_byte_can_be_changed(payload: bytes, data: st.DataObject) -> None:
    stamp = Seal(KEY).stamp(b"f", "origin")
    sealed = bytearray(stamp.seal(1, payload))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    assert stamp.open(1, bytes(sealed)) is None
    assert stamp.open(1, bytes(sealed[:place])) is None


@pytest.mark.parametrize(
    ("key", "function", "submitter", "number"),
    [
        (bytes(32), b"f", "origin", 1), (KEY, b"g", "origin", 1), (KEY, b"f", "other", 1), (KEY, b"f", "origin", 2),
        (KEY, b"fo", "rigin", 1),
    ],
)  # fmt: skip
def test_a_seal_is_for_one_future(key: bytes, function: bytes, submitter: str, number: int) -> None:
    sealed = Seal(KEY).stamp(b"f", "origin").seal(1, b"payload")
    assert Seal(key).stamp(function, submitter).open(number, sealed) is None


def test_seals_of_tasks_modules_and_constants_differ() -> None:
    seal = Seal(KEY)
    stamps = [seal.stamp(b"x", "x"), seal.stamp_of_module(b"x"), seal.stamp_of_constant("x")]
    assert len({stamp.seal(0, b"payload") for stamp in stamps}) == 3
    assert stamps[1].open(0, stamps[2].seal(0, b"payload")) is None


def test_the_key_is_not_shown() -> None:
    assert repr(Seal(KEY)) == "Seal()"


def test_brokers_see_the_segments_of_a_sealed_manifest(tmp_path: Path) -> None:
    payloads = Payloads(Segments(str(tmp_path), "submitter"))
    payloads.seal = Seal(KEY)
    body = payloads.dump(list(range(SHARED_FROM_BYTES)))
    sealed = payloads.seal.stamp(b"f", "o").seal(1, body)
    assert segments_of(sealed) == segments_of(body) == os.listdir(tmp_path)


def test_the_segments_of_what_is_not_opened_are_removed_but_no_file_of_the_users(tmp_path: Path) -> None:
    payloads = Payloads(Segments(str(tmp_path), "worker"))
    payloads.seal = Seal(KEY)
    outcome = payloads.seal.outcomes.seal(bytes(16), 0, payloads.dump(list(range(SHARED_FROM_BYTES)), alone=True))
    (tmp_path / "file-data.csv").touch()
    payloads.discard(MANIFEST + msgpack.packb([b"", [*segments_of(outcome), "file-data.csv"], True]) + bytes(16))
    assert os.listdir(tmp_path) == ["file-data.csv"]
    payloads.discard(outcome)
    payloads.discard(b"\x01torn")


class Twice(Wrapper):
    """A wrapper of the tests' own."""


def test_a_definition_is_named_by_all_of_it() -> None:
    cache = FunctionCache(Payloads())
    for function in (len, lambda: 5, Twice(len), Twice(Twice(lambda: 5))):
        definition = cache.define(function)
        assert definition.digest == digest_of(definition.body)
        assert callable(Unloaded(definition.body, definition.digest).load(Payloads()))


def test_an_altered_definition_is_not_loaded() -> None:
    definition = FunctionCache(Payloads()).define(lambda: 5)
    altered = FunctionCache(Payloads()).define(lambda: 6)
    unloaded = Unloaded(altered.body, definition.digest)
    for _ in range(2):
        with pytest.raises(SealBroken, match="altered on its way"):
            unloaded.load(Payloads())
