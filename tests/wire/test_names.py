"""What names mean, whatever host and user call their things."""

from __future__ import annotations

import os

from hypothesis import given, strategies as st

from fedfutures.wire.names import (
    OF_USER,
    SEGMENT_CHARACTERS_AT_MOST,
    broker_name,
    free_name,
    free_size,
    host_of,
    host_of_node,
    is_segment,
    is_user_file,
    origin_name,
)

HOSTS = st.text("abc.-_0123456789", min_size=1, max_size=20) | st.sampled_from(
    ["a.broker", "node7.site.org", "x.broker2"]
)


@given(HOSTS, st.integers(0, 99))
def test_a_broker_is_of_its_host(host: str, index: int) -> None:
    assert host_of(broker_name(host, index)) == host


@given(HOSTS, st.integers(0, 9), st.integers(0, 9))
def test_brokers_of_a_host_have_names_of_their_own(host: str, one: int, other: int) -> None:
    assert (broker_name(host, one) == broker_name(host, other)) == (one == other)


@given(HOSTS, st.integers(0, 9), st.integers(1, 40), st.integers(0, 5))
def test_nodes_are_of_the_host_of_their_broker(host: str, index: int, number: int, restarts: int) -> None:
    worker = f"{host}.{number}" + (f"+{restarts}" if restarts else "")
    origin = origin_name("17-a0b1c2", broker_name(host, index))
    assert host_of_node(worker) == host_of_node(origin) == host
    assert origin != origin_name("17-a0b1c3", broker_name(host, index))


def test_a_host_with_a_long_name_is_no_part_of_others() -> None:
    """Keys name an Origin in 255 bytes. Of a name that says no host nobody is near."""
    for host in ("h" * 201, "ä" * 101):
        assert origin_name("1-a", broker_name(host, 0)) == "origin-1-a"
    assert host_of_node("origin-1-a") == host_of_node("w") == ""


@given(st.text("ab-.1", min_size=1, max_size=12), st.integers(0, 1 << 40))
def test_a_free_file_is_no_segment_and_says_its_size(name: str, size: int) -> None:
    free = free_name(size, name)
    assert free_size(free) == size
    assert not is_segment(free)
    assert not is_user_file(free)


@given(st.text(st.characters() | st.sampled_from("\udce9\ud800"), max_size=6))
def test_a_segment_is_a_file_of_its_directory(name: str) -> None:
    if is_segment(name):
        assert os.fsencode(name)
        assert free_size(name) is None
        assert "/" not in name
        assert name not in ("", ".", "..")


def test_bounds() -> None:
    assert not is_segment("a\ud800"), "no file can have this name"
    assert is_segment("x" * SEGMENT_CHARACTERS_AT_MOST)
    assert not is_segment("x" * (SEGMENT_CHARACTERS_AT_MOST + 1))
    assert is_user_file(f"{OF_USER}0123")
    assert is_segment(f"{OF_USER}0123")
