"""The memory of this process: where a buffer is, whether two are equal, whether a private map has been written to.

A private map (copy on write) shows a page of its file until somebody writes to it; then the process has a page of its
own. ``/proc/self/pagemap`` tells the two apart without reading the page, whoever wrote: Python, C, or the kernel.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import sys

PAGE = mmap.PAGESIZE
_ENTRY_BYTES = 8
_AT_ONCE_BYTES = 1 << 20
_HIGH = _ENTRY_BYTES - 1 if sys.byteorder == "little" else 0
"""Which byte of an entry has the bits below."""
_IN_MEMORY, _SWAPPED, _OF_FILE = 0x80, 0x40, 0x20
_NOT_WRITTEN = bytes(bits for bits in range(256) if not bits & (_IN_MEMORY | _SWAPPED) or bits & _OF_FILE)


class _Buffer(ctypes.Structure):
    """CPython's ``Py_buffer``."""

    _fields_ = [
        ("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int), ("ndim", ctypes.c_int), ("format", ctypes.c_void_p), ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p),
    ]  # fmt: skip


_get_buffer, _release_buffer = ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int]
_release_buffer.argtypes = [ctypes.POINTER(_Buffer)]
_release_buffer.restype = None
_compare = ctypes.CDLL(None).memcmp  # releases the GIL
_compare.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def address_of(buffer: object) -> int:
    """Return where the memory of a contiguous buffer begins.

    >>> view = memoryview(bytearray(10))
    >>> address_of(view[3:]) - address_of(view)
    3
    """
    found = _Buffer()
    _get_buffer(buffer, found, 0)
    try:
        return found.buf or 0
    finally:
        _release_buffer(found)


def are_equal(mapped: mmap.mmap | bytes, buffer: memoryview) -> bool:
    """Whether a map and a contiguous buffer hold the same bytes. It takes half the time that copying one of them takes.

    >>> are_equal(b"abc", memoryview(bytearray(b"abc"))), are_equal(b"abc", memoryview(b"abd"))
    (True, False)
    """
    size = len(mapped)
    return size == buffer.nbytes and (not size or _compare(address_of(mapped), address_of(buffer), size) == 0)


def is_written(address: int, size: int) -> bool | None:
    """Whether this process has written to a page of a private map of a file since it was made; None: unknown."""
    return _is_written(address, size) if pagemap_tells() else None


def _is_written(address: int, size: int) -> bool | None:
    start, end = address // PAGE * _ENTRY_BYTES, -(-(address + size) // PAGE) * _ENTRY_BYTES
    try:
        descriptor = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        while start < end:
            entries = os.pread(descriptor, min(end - start, _AT_ONCE_BYTES), start)
            if not entries or len(entries) % _ENTRY_BYTES:
                return None
            if entries[_HIGH::_ENTRY_BYTES].translate(None, _NOT_WRITTEN):
                return True
            start += len(entries)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


@functools.cache
def pagemap_tells() -> bool:
    """Whether the page map of this kernel can be trusted: that of some sandboxes says nothing."""
    try:
        descriptor = os.memfd_create("pages")
    except (OSError, AttributeError):
        return False
    try:
        os.pwrite(descriptor, bytes(3 * PAGE), 0)
        with mmap.mmap(descriptor, 3 * PAGE, access=mmap.ACCESS_COPY) as mapped:
            address = address_of(mapped)
            _ = mapped[0], mapped[PAGE]
            mapped[PAGE] = 1
            found = [_is_written(address + place * PAGE, PAGE) for place in range(3)]
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return found == [False, True, False]
