"""The kernel says whether a file is in use: open or mapped, here or in a process that was forked."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import select
from pathlib import Path
from typing import Any

import pytest

from fedfutures.wire.in_use import is_in_use


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * mmap.PAGESIZE))
    return path


def test_a_file_that_nobody_has(file: Path) -> None:
    assert not is_in_use(str(file))
    assert not is_in_use(str(file))  # asking leaves nothing


@pytest.mark.parametrize("mode", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_one_that_is_open(file: Path, mode: int) -> None:
    descriptor = os.open(file, mode)
    assert is_in_use(str(file))
    os.close(descriptor)
    assert not is_in_use(str(file))


@pytest.mark.parametrize("flags", [mmap.MAP_PRIVATE, mmap.MAP_SHARED])
def test_one_that_is_mapped_without_a_descriptor(file: Path, flags: int) -> None:
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    descriptor = os.open(file, os.O_RDONLY)
    address = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, flags, descriptor, 0)
    os.close(descriptor)
    assert is_in_use(str(file))
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE))
    assert not is_in_use(str(file))


def test_one_that_a_forked_process_has(file: Path) -> None:
    with open(file, "rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
    until, end = os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        select.select([until], [], [], 60)
        os._exit(0)
    os.close(until)
    mapped.close()
    assert is_in_use(str(file))
    os.close(end)
    os.waitpid(child, 0)
    assert not is_in_use(str(file))


def test_where_no_lease_is_to_be_had(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert is_in_use(str(file))


def test_a_link_and_what_is_not_there(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    assert is_in_use(str(tmp_path / "link"))
    with pytest.raises(FileNotFoundError):
        is_in_use(str(tmp_path / "nothing"))
