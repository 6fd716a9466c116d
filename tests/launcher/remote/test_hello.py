"""The hello, found in any cut of the stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures_launcher.remote.hello import HELLO_AT_MOST_BYTES, MAGIC, NOISE_AT_MOST_BYTES, HelloReader

FACTS = {"python": [3, 11, 7], "executable": "/usr/bin/python3", "fedfutures": "0.1.0", "protocol": 3, "processors": 2}


def stream(facts: Any) -> bytes:
    return MAGIC + json.dumps(facts).encode() + b"\n"


@given(
    noise=st.binary(max_size=40).filter(lambda noise: MAGIC not in noise), rest=st.binary(max_size=40), data=st.data()
)
def test_any_cut(noise: bytes, rest: bytes, data: st.DataObject) -> None:
    whole = noise + stream(FACTS) + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reader, came = HelloReader(), b""
    for begin, end in zip([0, *cuts], [*cuts, len(whole)]):
        came += reader.feed(whole[begin:end])
    assert (came, reader.noise, reader.failed) == (rest, noise, None)
    assert reader.hello is not None
    assert (reader.hello.python, reader.hello.protocol, reader.hello.memory) == ((3, 11, 7), 3, 0)


@pytest.mark.parametrize(
    "facts",
    [
        [], None, {}, {"python": "3.11"}, {"python": [3, 11]}, {"python": [3, 11, True]}, {"python": [3, 11, -1]},
        {**FACTS, "protocol": "3"}, {**FACTS, "memory": None}, {**FACTS, "processors": 1.5}, {**FACTS, "tried": [1]},
        {**FACTS, "error": ["why"]}, {**FACTS, "fedfutures": 1},
    ],
)  # fmt: skip
def test_nonsense(facts: Any) -> None:
    reader = HelloReader()
    assert reader.feed(stream(facts) + b"frames") == b""
    assert reader.hello is None
    assert reader.failed is not None
    assert reader.feed(b"more") == b""


@pytest.mark.parametrize("line", [b"", b"{", b"\xff\xfe", b"[" * 50_000])
def test_no_json(line: bytes) -> None:
    reader = HelloReader()
    reader.feed(MAGIC + line + b"\n")
    assert reader.failed is not None


def test_what_it_does_not_know_is_ignored() -> None:
    reader = HelloReader()
    assert reader.feed(stream({**FACTS, "of_a_later_version": [1, 2]}) + b"x") == b"x"
    assert reader.hello is not None


@pytest.mark.parametrize("text", [b"usage: launch HOST", b"no such host\n", b"a\n\n", b"x" * 11, b"\n\x1efed\n"])
def test_last_words_are_whole(text: bytes) -> None:
    reader = HelloReader()
    for place in range(len(text)):
        reader.feed(text[place : place + 1])
    assert reader.noise.rstrip(b"\n") == text.rstrip(b"\n")


def test_noise_without_end() -> None:
    reader = HelloReader()
    for _ in range(NOISE_AT_MOST_BYTES // 4096 + 2):
        reader.feed(b"y\n" * 2048)
    assert reader.failed is not None
    assert len(reader.noise) == NOISE_AT_MOST_BYTES


def test_a_hello_without_end() -> None:
    reader = HelloReader()
    reader.feed(MAGIC + b"{" + b" " * (HELLO_AT_MOST_BYTES + 1))
    assert reader.failed is not None
