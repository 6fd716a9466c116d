"""Memory that is made to be passed on: ``fedfutures.shared.array``.

A :class:`Block` maps a file, so writing to the memory writes to the file. When it is passed on, the file gets a name as
a segment, and the block becomes a private map of it, at the same place: what is written from then on is this process's
own, page by page, and who gets the segment sees what was passed. When nobody needs the file any more, and nothing was
written meanwhile, the block writes to the file again.

Until it is passed on for the first time the file has no name, and the kernel frees it with the process. The kernel
gives such a file a first name once; so the block keeps the last name that it had, and changes it to one that nobody
knows. Where a process forks, both go on with private maps, as with other memory.

A *live* block never becomes private: all who get it map the file as it does.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import tempfile
import threading
import weakref
from typing import Any

from ..errors import NoRoom, NotSupportedHere
from ..host.system import shared_memory_base
from ..wire import payload
from ..wire.in_use import is_open_elsewhere
from ..wire.mappings import NO_RESERVE, know_live
from ..wire.pages import address_of, are_equal, is_written
from ..wire.segments import SHARED_FROM_BYTES, Segments

_MAP_FIXED = 0x10
_map = ctypes.CDLL(None, use_errno=True).mmap
_map.restype = ctypes.c_void_p
_map.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


class _Name:
    """The segment that the file of a block is in one directory, and how many payloads need it."""

    __slots__ = ("count", "name")

    def __init__(self) -> None:
        self.name, self.count = "", 1


class Block:
    """The memory of a file, whose descriptor it takes over."""

    def __init__(self, descriptor: int, memory: mmap.mmap, *, is_live: bool) -> None:
        self.address, self.size = address_of(memory), len(memory)
        self.is_live = is_live
        self._descriptor = descriptor
        self._memory = weakref.ref(memory)
        self._lock = threading.RLock()  # a Future that has ended gives its segments back in another thread
        self._is_private = False
        self._is_forked = False  # a process that was forked may have the file mapped, which nobody can see
        self._names: weakref.WeakKeyDictionary[Segments, _Name] = weakref.WeakKeyDictionary()

    def share(self, segments: Segments, *, alone: bool) -> str | None:
        """Return a segment that holds the memory as it is now; None if the memory has to be copied.

        `alone`: under a name that nobody else gets. The caller holds the memory, and releases the segment once.
        """
        with self._lock:
            if self.is_live:
                return self._share_live(segments, alone=alone)
            try:
                if self._is_private and self._is_written():
                    if self._is_needed():
                        return self._in_another_file(segments, alone=alone)
                    self._write_to(self._descriptor)
                    self._map_file(is_private=True)
                elif not self._is_private:
                    self._map_file(is_private=True)
                return self._name_for(segments, alone=alone) or self._in_another_file(segments, alone=alone)
            except (OSError, NoRoom):  # no room in a file system, or for an address space (ulimit -d)
                return None

    def _share_live(self, segments: Segments, *, alone: bool) -> str | None:
        name = self._name_for(segments, alone=alone)
        if name is None and os.fstat(self._descriptor).st_nlink == 0 and not is_open_elsewhere(self._descriptor):
            return self._in_another_file(segments, alone=alone)  # of a Federation that has ended
        return name

    def part(self) -> None:
        """This process is about to fork: what either writes from now on is its own."""
        with self._lock:
            if not self.is_live:
                self._is_forked = True
                if not self._is_private:
                    self._map_file(is_private=True)

    def forget(self) -> None:
        """The memory is gone: so are names that no payload needs."""
        with self._lock:
            self._let_go()
            os.close(self._descriptor)

    def _let_go(self) -> None:
        """Take no other name of the file for the block's own; those that payloads need go with these."""
        for segments, own in self._names.items():
            if not own.count:
                segments.remove(own.name)
        self._names = weakref.WeakKeyDictionary()

    def _name_for(self, segments: Segments, *, alone: bool) -> str | None:
        """Return a name that one payload more needs: that which the file has among these segments, or one `alone`."""
        if alone:
            return segments.name_file(self._descriptor, live=self.is_live)
        own = self._names.get(segments)
        if own is not None:
            own.count += 1
            return own.name
        own = _Name()
        count = functools.partial(self._count, segments, own)
        name = segments.name_file(self._descriptor, count, live=self.is_live)
        if name is not None:
            own.name = name
            self._names[segments] = own
        return name

    def _count(self, segments: Segments, own: _Name, change: int) -> None:
        """One more payload needs a segment, or one does not any more."""
        with self._lock:
            own.count += change
            if own.count:
                return
            memory = self._memory()  # held, so that the place stays its own
            if memory is None or self._names.get(segments) is not own:
                segments.remove(own.name)
                return
            new = segments.name_anew(own.name, functools.partial(self._count, segments, own))
            if new is None:
                del self._names[segments]
            else:
                own.name = new
            if self._is_private and not self._is_needed() and not self._is_written():
                self._map_file(is_private=False)

    def _is_needed(self) -> bool:
        """Whether somebody else may see what is in the file, now or later."""
        if self._is_forked or any(own.count for own in self._names.values()):
            return True
        own_names = sum(segments.is_here(own.name) for segments, own in self._names.items())
        return os.fstat(self._descriptor).st_nlink > own_names or is_open_elsewhere(self._descriptor)

    def _is_written(self) -> bool:
        """Whether the memory is not what is in the file."""
        written = is_written(self.address, self.size)
        if written is not None:
            return written
        with mmap.mmap(self._descriptor, self.size, access=mmap.ACCESS_READ) as file:
            return not are_equal(file, self._view())

    def _in_another_file(self, segments: Segments, *, alone: bool) -> str | None:
        """Copy the memory to a file of its own, which is the block's from now on, and share that."""
        descriptor = segments.create(self.size)
        if descriptor is None:
            return None
        self._write_to(descriptor)
        self._let_go()
        os.close(self._descriptor)
        self._descriptor, self._is_forked = descriptor, False
        self._map_file(is_private=not self.is_live)
        return self._name_for(segments, alone=alone)

    def _write_to(self, descriptor: int) -> None:
        view, at = self._view(), 0
        while at < self.size:
            at += os.pwrite(descriptor, view[at:], at)

    def _view(self) -> memoryview:
        memory = self._memory()
        assert memory is not None
        return memoryview(memory)

    def _map_file(self, *, is_private: bool) -> None:
        """Map the file where the memory is; the kernel puts the one map in the place of the other."""
        kind = mmap.MAP_PRIVATE | NO_RESERVE if is_private else mmap.MAP_SHARED
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        found = _map(self.address, self.size, protection, kind | _MAP_FIXED, self._descriptor, 0)
        if found != self.address:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        self._is_private = is_private


class Blocks:
    """The blocks of this process, by where they are."""

    def __init__(self) -> None:
        self._at: dict[int, Block] = {}

    def make(self, descriptor: int, size: int, *, is_live: bool) -> mmap.mmap:
        """Return the memory of a file, whose descriptor is taken over; the block lives as long."""
        memory = mmap.mmap(descriptor, size)
        if is_live:
            know_live(memory)
        block = Block(descriptor, memory, is_live=is_live)
        self._at[block.address] = block
        weakref.finalize(memory, self._forget, block.address).atexit = False
        return memory

    def name_of(self, buffer: memoryview, segments: Segments, *, alone: bool) -> str | None:
        """Return the segment of a buffer that is the whole of a block; None if it is to be copied."""
        block = self._at.get(address_of(buffer))
        if block is None or block.size != buffer.nbytes:
            return None
        return block.share(segments, alone=alone)

    def _forget(self, address: int) -> None:
        if (block := self._at.pop(address, None)) is not None:  # none in a process that was forked
            block.forget()

    def part(self) -> None:
        """This process is about to fork."""
        for block in list(self._at.values()):
            block.part()

    def clear(self) -> None:
        """This process was forked: its memory is copied when it is passed on."""
        self._at.clear()


@functools.cache
def _blocks() -> Blocks:
    """Return the blocks of this process, from the first one on."""
    made = Blocks()
    os.register_at_fork(before=made.part, after_in_child=made.clear)
    payload.share_by(made)
    return made


def array_of(shape: Any, dtype: Any, segments: Segments | None, *, is_live: bool = False) -> Any:
    """Return an array of zeros in memory of its own; see ``fedfutures.shared.array``."""
    import numpy

    kind = numpy.dtype(dtype)
    if kind.hasobject:
        raise TypeError(f"an array of {kind} holds Python objects, which cannot be in shared memory")
    found = numpy.empty(shape, "V0")  # no bytes: it only checks the shape
    size = found.size * kind.itemsize
    segments = segments or Segments(shared_memory_base() or tempfile.gettempdir(), "")
    descriptor = segments.create(size) if size >= SHARED_FROM_BYTES or (size and is_live) else None
    if descriptor is not None:
        return numpy.ndarray(found.shape, kind, _blocks().make(descriptor, size, is_live=is_live))
    if size and is_live:
        raise NotSupportedHere("this system has no files without a name (O_TMPFILE), which live arrays need")
    return numpy.zeros(shape, kind)
