"""Snapshots on the wire: there and back, and whatever else may come."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given, strategies as st

from fedfutures.program.snapshots import (
    DIGEST_BYTES,
    MARK,
    NO_NAME,
    PREFIXES,
    Seen,
    address_of,
    asked_for,
    join,
    key_of,
    pack,
    split,
    unpack,
)

tokens = st.binary(min_size=1, max_size=16)
names = st.text(st.characters(), min_size=1, max_size=8)  # surrogates, too
settings = st.recursive(
    st.none() | st.integers(-5, 5) | names, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=5
)
seen = st.builds(
    Seen,
    st.dictionaries(st.tuples(names, names), tokens, max_size=4),
    st.dictionaries(tokens, st.binary(max_size=9), max_size=4),
    st.dictionaries(names, settings, max_size=3),
    st.lists(tokens, max_size=3),
    st.frozensets(names, max_size=3),
)


@given(seen)
def test_there_and_back(value: Seen) -> None:
    assert unpack(pack(value)) == value


@given(seen)
def test_the_order_of_variables_does_not_matter(value: Seen) -> None:
    turned = Seen(
        dict(reversed(value.tokens.items())), dict(reversed(value.inline.items())), value.process, value.callables,
        frozenset(sorted(value.made, reverse=True)),
    )  # fmt: skip
    assert pack(turned) == pack(value)


@given(st.binary() | settings.map(lambda value: msgpack.packb(value, unicode_errors="surrogatepass")))
def test_what_is_no_snapshot_is_refused(body: bytes) -> None:
    try:
        found = unpack(body)
    except (ValueError, msgpack.UnpackException):
        return
    assert isinstance(found, Seen)


@pytest.mark.parametrize("value", [5, None, [], [1, 2, 3, 4, 5], [[], [], {}, []], [[[1, 2]], [], {}, [], []]])
def test_shapes_that_are_no_snapshots(value: Any) -> None:
    with pytest.raises(ValueError):
        unpack(msgpack.packb(value))


def test_keys_by_which_bodies_are_asked_for() -> None:
    assert asked_for(key_of("state", b"digest", "origin-1")) == ("state", b"digest", "origin-1")
    assert asked_for(key_of("value", b"value ")) == ("value", b"value ", "")
    assert asked_for(key_of("class", "settings:Model.Inner", "o")) == ("class", b"settings:Model.Inner", "o")
    assert asked_for(key_of("class", "m:\udc80")) == ("class", "m:\udc80".encode("utf-8", "surrogatepass"), "")
    for other in (b"", b"state", b"import a", b"constant"):
        assert asked_for(other) == ("", other, "")


def test_addresses_are_of_one_variable() -> None:
    one, other = ("settings", "LEVEL"), ("settings", "OTHER")
    found = {address_of(key, token) for key in (one, other, NO_NAME) for token in (b"1", b"2")}
    assert len(found) == 6
    assert {len(address) for address in found} == {DIGEST_BYTES}
    assert address_of(one, b"1") in found


@given(st.binary())
def test_a_digest_stands_in_front_of_a_payload(payload: bytes) -> None:
    digest = b"d" * DIGEST_BYTES
    assert split(join(digest, payload)) == (digest, payload)
    assert join(b"", payload) == payload
    if payload[:1] != MARK:
        assert split(payload) == (b"", payload)


@given(st.sampled_from(PREFIXES), st.binary(max_size=12))
def test_any_bytes_are_a_key_or_none(prefix: bytes, rest: bytes) -> None:
    key = prefix + rest
    kind, what, origin = asked_for(key)
    if kind:
        assert key.startswith(kind.encode() + b" ")
        assert isinstance(origin, str)
    else:
        assert (what, origin) == (key, "")
