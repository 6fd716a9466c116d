"""Copies of values that stay in this process: as they would arrive if they travelled.

Large buffers that show what is in a segment are mapped anew instead of copied, so each copy may be written to and none
sees what was written to another.
"""

from __future__ import annotations

import os
import pickle
import weakref
from typing import Any, NamedTuple

from .mappings import Mapping
from .payload import Payloads, is_small


class _Open:
    """A segment that is held open, so that it can be mapped whatever becomes of its name."""

    __slots__ = ("__weakref__", "descriptor", "mapping")

    def __init__(self, mapping: Mapping, descriptor: int) -> None:
        self.mapping, self.descriptor = mapping, descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class Copy(NamedTuple):
    """A value that was taken down; equal to another where the values are."""

    stream: bytes
    buffers: tuple[_Open, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes it has, with those of its buffers."""
        return len(self.stream) + sum(held.mapping.size for held in self.buffers)


class Copies:
    """Makes copies in a process whose segments are those of `payloads`; without them, all is copied."""

    def __init__(self, payloads: Payloads | None = None) -> None:
        self.pickler = Payloads()  # of its own: what becomes of `payloads` in a forked process does not concern copies
        self._segments = None if payloads is None else payloads.segments
        self._mappings = self.pickler.mappings if payloads is None else payloads.mappings

    def dump(self, value: Any, *, alone: bool = True) -> Copy:
        """Take a value down; raises what the pickler raises. `alone` says what is always so."""
        if not self._mappings:  # nothing is mapped here
            return Copy(self.pickler.pickled(value, None, []))
        buffers: list[_Open] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            held = None if self._segments is None or is_small(buffer) else self._held(buffer.raw())
            if held is not None:
                buffers.append(held)
            return held is None

        stream = self.pickler.pickled(value, stays, buffers)
        return Copy(stream, tuple(buffers))

    def copy(self, value: Any) -> Any:
        """Return a copy; raises what the pickler and loading raise."""
        if self._mappings:
            return self.load(self.dump(value))
        return self.pickler.unpickled(self.pickler.pickled(value, None, []), ())

    def load(self, copy: Copy) -> Any:
        """Make the value; raises what loading raises."""
        if not copy.buffers:
            return self.pickler.unpickled(copy.stream, ())
        return self.pickler.unpickled(copy.stream, [self._map(held) for held in copy.buffers])

    def _held(self, raw: memoryview) -> _Open | None:
        assert self._segments is not None
        mapping = self._mappings.unwritten(raw, self._segments.holds)
        if mapping is None:
            return None
        held: _Open | None = None if mapping.open is None else mapping.open()
        if held is None:
            try:
                held = _Open(mapping, self._segments.open(mapping.name))
            except OSError:  # it has no name any more, or there are no descriptors left
                return None
            mapping.open = weakref.ref(held)
        return held

    def _map(self, held: _Open) -> memoryview:
        assert self._segments is not None
        return self._mappings.add(held.mapping.name, self._segments.map_open(held.descriptor))
