"""Private maps of segments, and which of them nobody has written to.

A loaded segment is mapped *copy on write*: whoever gets it may write to it, and nobody else sees that. Until somebody
does, the map shows what is in the file, so a value that is passed on goes by its segment, not as a copy
(:meth:`Mappings.unwritten`).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from .pages import address_of, is_written

NO_RESERVE: int = getattr(mmap, "MAP_NORESERVE", 0x4000)
"""Pages that nobody writes to take no memory, so the kernel need not reserve any."""
_SAID = ".read-only-said"


_live: dict[int, int] = {}  # where live memory of this process begins, and how many bytes it has


def know_live(memory: mmap.mmap) -> None:
    """Who gets this memory shares it: it is never copied as long as it is mapped."""
    address = address_of(memory)
    _live[address] = len(memory)
    weakref.finalize(memory, _live.pop, address, None).atexit = False


def has_live() -> bool:
    """Whether this process has live memory."""
    return bool(_live)


def is_never_copied(buffer: memoryview) -> bool:
    """Whether a buffer is the whole of live memory."""
    return bool(_live) and _live.get(address_of(buffer)) == buffer.nbytes


class Mapping:
    """A segment that is mapped in this process."""

    __slots__ = ("__weakref__", "_map", "_open", "address", "name", "size")

    def __init__(self, name: str, mapped: mmap.mmap, gone: Callable[[Any], object]) -> None:
        self.name = name
        self.address, self.size = address_of(mapped), len(mapped)
        self._open: Callable[[], OpenSegment | None] = lambda: None
        self._map = weakref.ref(mapped, gone)

    @property
    def lives(self) -> bool:
        """Whether the memory still belongs to this map."""
        return self._map() is not None

    def held_open(self, open_file: Callable[[str], int]) -> OpenSegment | None:
        """Return the segment held open, once for all who need it; None if its name is gone."""
        held = self._open()
        if held is None:
            try:
                held = OpenSegment(self, open_file(self.name))
            except OSError:  # or there are no descriptors left
                return None
            self._open = weakref.ref(held)
        return held


class OpenSegment:
    """A segment that is held open, so it can be mapped whatever becomes of its name."""

    __slots__ = ("__weakref__", "descriptor", "mapping")

    def __init__(self, mapping: Mapping, descriptor: int) -> None:
        self.mapping, self.descriptor = mapping, descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class Mappings:
    """The maps of one process, by where they begin."""

    def __init__(self) -> None:
        self._at: dict[int, Mapping] = {}

    def __len__(self) -> int:
        return len(self._at)

    def add(self, name: str, mapped: mmap.mmap) -> memoryview:
        """A segment was mapped; return its memory."""

        def gone(_: Any) -> None:
            if self._at.get(mapping.address) is mapping:
                del self._at[mapping.address]

        mapping = Mapping(name, mapped, gone)
        self._at[mapping.address] = mapping
        return memoryview(mapped)

    def find(self, buffer: memoryview) -> Mapping | None:
        """Return the map that a buffer is the whole of."""
        if not self._at:
            return None
        mapping = self._at.get(address_of(buffer))
        return mapping if mapping is not None and mapping.size == buffer.nbytes and mapping.lives else None

    def unwritten(self, buffer: memoryview, same: Callable[[str, memoryview], bool]) -> Mapping | None:
        """Return the map that a buffer is the whole of, if nobody has written to it.

        `same` compares a segment and a buffer where the kernel does not say which pages were written.
        """
        mapping = self.find(buffer)
        if mapping is None:
            return None
        written = is_written(mapping.address, mapping.size)
        return mapping if (same(mapping.name, buffer) if written is None else not written) else None


def map_privately(descriptor: int, size: int, owner: str, directory: str) -> mmap.mmap:
    """Map a file copy on write, or read-only where the system does not allow so much writable memory.

    The notice of that names `owner`, and comes once for `directory`. Raises MemoryError where neither is possible.
    """
    copied = {"flags": mmap.MAP_PRIVATE | NO_RESERVE, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
    for options in (copied, {"access": mmap.ACCESS_READ}):
        try:
            mapped = mmap.mmap(descriptor, size, **options)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
        else:
            if options is not copied:
                _say_read_only(owner, size, directory)
            return mapped
    raise MemoryError(
        f"{owner} on {os.uname().nodename} has no room in its address space for a value of {size:,} bytes: "
        "ulimit -v (RLIMIT_AS) says how much it may have"
    )


def _say_read_only(owner: str, size: int, directory: str) -> None:
    """Print, once on each host of a run, that values cannot be written to."""
    try:
        os.close(os.open(os.path.join(directory, _SAID), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError:
        return
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(
                f"fedfutures: {owner} on {os.uname().nodename} may not have {size:,} bytes more that can be written "
                "to, so large values on this host are read-only; to change one, a Future copies it. The limit is "
                "ulimit -d (RLIMIT_DATA), or vm.overcommit_memory=2.",
                file=sys.stderr, flush=True,
            )  # fmt: skip
