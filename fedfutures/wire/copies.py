"""Copies of values for this process, made as travelling would make them.

A large buffer that shows what is in a segment is mapped again instead of copied: writing to one copy changes no other.
"""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

from .mappings import OpenSegment, has_live, is_never_copied
from .payload import Payloads, is_small


class Copy(NamedTuple):
    """A pickled value; equal to another one if the values are."""

    stream: bytes
    buffers: tuple[OpenSegment | memoryview, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes it has, with those of its buffers."""
        return len(self.stream) + sum(held.mapping.size for held in self.buffers if isinstance(held, OpenSegment))


class Copies:
    """Makes copies in a process with the segments of `payloads`; without them, copies buffers as well."""

    def __init__(self, payloads: Payloads | None = None) -> None:
        self.pickler = Payloads()  # of its own: a forked process changes `payloads`, which must not change copies
        self._segments = None if payloads is None else payloads.segments
        self._mappings = self.pickler.mappings if payloads is None else payloads.mappings

    def dump(self, value: Any, *, alone: bool = True) -> Copy:
        """Pickle a value; raises what the pickler raises. `alone` makes no difference here."""
        segments = self._segments
        if not has_live() and (segments is None or not self._mappings):  # nothing is mapped here
            return Copy(self.pickler.pickled(value, None, []))
        buffers: list[OpenSegment | memoryview] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            if is_small(buffer):
                return True
            raw = buffer.raw()
            held: OpenSegment | memoryview | None = raw
            if not is_never_copied(raw):
                mapping = None if segments is None else self._mappings.unwritten(raw, segments.holds)
                held = None if mapping is None or segments is None else mapping.held_open(segments.open)
            if held is not None:
                buffers.append(held)
            return held is None

        stream = self.pickler.pickled(value, stays, buffers)
        return Copy(stream, tuple(buffers))

    def copy(self, value: Any) -> Any:
        """Return a copy; raises what the pickler and loading raise."""
        if self._mappings or has_live():
            return self.load(self.dump(value))
        return self.pickler.unpickled(self.pickler.pickled(value, None, []), ())

    def load(self, copy: Copy) -> Any:
        """Make the value; raises what loading raises."""
        return self.pickler.unpickled(copy.stream, [self._map(held) for held in copy.buffers])

    def _map(self, held: OpenSegment | memoryview) -> memoryview:
        if isinstance(held, memoryview):
            return held
        assert self._segments is not None
        return self._mappings.add(held.mapping.name, self._segments.map_open(held.descriptor))
