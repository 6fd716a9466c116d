"""Sizes of memory: what people write is read, and what they read is near."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from fedfutures.sizes import LEAST_OF_A_WORKER, MOST, shown, size_of, size_of_worker


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7", 7), ("7b", 7), ("2k", 2048), ("2K", 2048), ("500M", 500 << 20), ("2G", 2 << 30), ("2GiB", 2 << 30),
        (" 1.5 gib ", 3 << 29), ("0.5T", 1 << 39), ("1TiB", 1 << 40), ("2GB", 2 * 10**9), ("1.5 MB", 1_500_000),
        (8 << 20, 8 << 20),
    ],
)  # fmt: skip
def test_sizes_are_read(text: Any, count: int) -> None:
    assert size_of(text, "memory") == count


@pytest.mark.parametrize("text", ["", "G", "2 gigs", "-1G", "1,5G", "2G 3", "1e9", "0x10", "٣G", "2Gi b"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="memory must be a number of bytes, or a text such as"):
        size_of(text, "memory")


@pytest.mark.parametrize("value", [None, 1.5, True, b"2G", [1]])
def test_other_things_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="memory must be a number of bytes"):
        size_of(value, "memory")


@pytest.mark.parametrize("value", [0, -1, MOST, "0", "0.1b", "1048576T"])
def test_nothing_and_too_much_are_refused(value: int | str) -> None:
    with pytest.raises(ValueError, match="above 0 bytes and below an exabyte"):
        size_of(value, "memory")


def test_a_worker_needs_some_itself() -> None:
    assert (size_of_worker(None), size_of_worker(LEAST_OF_A_WORKER)) == (0, LEAST_OF_A_WORKER)
    with pytest.raises(ValueError, match=r"memory_per_worker must be at least 64\.0 MiB"):
        size_of_worker(LEAST_OF_A_WORKER - 1)


@given(st.integers(1, MOST - 1))
def test_what_is_shown_is_read_as_about_the_same(count: int) -> None:
    text = shown(count)
    again = size_of(text.replace("bytes", "b"), "memory") if count < MOST // 1.1 else count
    assert abs(again - count) <= 0.05 * count + 0.5, text
