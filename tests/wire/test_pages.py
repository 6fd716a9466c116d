"""Which pages of a private map were written, and whether two buffers are equal."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from effort import scaled
from hypothesis import HealthCheck, given, settings, strategies as st

from fedfutures.wire import pages
from fedfutures.wire.pages import PAGE, address_of, are_equal, is_written

SIZE = 20 * PAGE + 100


def made(path: Path) -> mmap.mmap:
    (path / "file").write_bytes(os.urandom(SIZE))
    with open(path / "file", "rb") as opened:
        return mmap.mmap(opened.fileno(), SIZE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[mmap.mmap]:
    found = made(tmp_path)
    yield found
    found.close()


def written(mapped: mmap.mmap) -> bool | None:
    return is_written(address_of(mapped), len(mapped))


def test_reading_is_not_writing(mapped: mmap.mmap) -> None:
    assert written(mapped) is False
    assert len(mapped[:]) == SIZE
    assert written(mapped) is False


def by_ctypes(mapped: mmap.mmap) -> None:
    ctypes.c_char.from_buffer(mapped, 7 * PAGE).value = b"x"


def by_the_kernel(mapped: mmap.mmap) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.readv(reading, [memoryview(mapped)[SIZE - 1 :]])
    os.close(reading)
    os.close(writing)


def with_the_same(mapped: mmap.mmap) -> None:
    mapped[0] = mapped[0]


@pytest.mark.parametrize("write", [by_ctypes, by_the_kernel, with_the_same])
def test_whoever_writes_is_noticed(mapped: mmap.mmap, write: Callable[[mmap.mmap], None]) -> None:
    write(mapped)
    assert written(mapped) is True


@settings(max_examples=scaled(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, SIZE - 1), max_size=3), st.integers(0, SIZE - 1), st.integers(1, SIZE))
def test_the_pages_that_were_written(tmp_path: Path, places: set[int], start: int, size: int) -> None:
    size = min(size, SIZE - start)
    with made(tmp_path) as mapped:
        for place in places:
            mapped[place] = 1
        touched = range(start // PAGE, (start + size - 1) // PAGE + 1)
        assert is_written(address_of(mapped) + start, size) is any(place // PAGE in touched for place in places)


def test_many_entries_are_read_in_parts(mapped: mmap.mmap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_AT_ONCE_BYTES", 24)
    assert written(mapped) is False
    mapped[SIZE - 1] = 1
    assert written(mapped) is True


@pytest.mark.parametrize("entries", [b"", bytes(8 * 3), b"\xff" * 24, None])
def test_a_page_map_that_says_nothing_is_not_believed(
    mapped: mmap.mmap, monkeypatch: pytest.MonkeyPatch, entries: bytes | None
) -> None:
    def pread(*arguments: Any) -> bytes:
        if entries is None:
            raise PermissionError
        return entries[: arguments[1]]

    monkeypatch.setattr(os, "pread", pread)
    pages.pagemap_tells.cache_clear()
    try:
        assert written(mapped) is None
    finally:
        monkeypatch.undo()
        pages.pagemap_tells.cache_clear()


def test_equal_buffers() -> None:
    one, other = bytearray(os.urandom(SIZE)), bytearray()
    other[:] = one
    assert are_equal(memoryview(one), memoryview(other))
    other[-1] ^= 1
    assert not are_equal(memoryview(one), memoryview(other))
    assert are_equal(memoryview(one)[5:-1], memoryview(other)[5:-1])
    assert not are_equal(memoryview(one)[5:], memoryview(other))
    assert are_equal(b"", memoryview(bytearray()))
