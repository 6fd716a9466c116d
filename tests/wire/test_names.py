"""What names mean, whatever host and user call their things."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fedfutures.wire.names import (
    OF_USER,
    SEGMENT_CHARACTERS_AT_MOST,
    broker_name,
    free_name,
    free_size,
    host_of,
    is_segment,
    is_user_file,
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


@given(st.text("ab-.1", min_size=1, max_size=12), st.integers(0, 1 << 40))
def test_a_free_file_is_no_segment_and_says_its_size(name: str, size: int) -> None:
    free = free_name(size, name)
    assert free_size(free) == size
    assert not is_segment(free)
    assert not is_user_file(free)


@given(st.text(max_size=6))
def test_a_segment_is_a_file_of_its_directory(name: str) -> None:
    if is_segment(name):
        assert free_size(name) is None
        assert "/" not in name
        assert name not in ("", ".", "..")


def test_bounds() -> None:
    assert is_segment("x" * SEGMENT_CHARACTERS_AT_MOST)
    assert not is_segment("x" * (SEGMENT_CHARACTERS_AT_MOST + 1))
    assert is_user_file(f"{OF_USER}0123")
    assert is_segment(f"{OF_USER}0123")
