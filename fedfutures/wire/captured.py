"""Callables that have no name in the program: their large data is written once, and again when it has changed.

Anything in a partial, a bound method or a callable object may have changed since it was last submitted, so it is
pickled each time, and its large buffers are compared byte by byte with those written for the same pickle. So the same
data is the same payload, which Workers have already, and changed data never is.
"""

from __future__ import annotations

import mmap
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

from ..program.pickling import dump_by_value
from ..program.postponing import pickles_for_program
from ..program.reach import Reach
from .manifest import MANIFEST, segments_of
from .pages import address_of, are_equal, is_written
from .payload import Payloads
from .seal import digest_of
from .segments import SHARED_FROM_BYTES

pickles_for_program(__name__)

REMEMBERED = 16
REMEMBERED_BYTES = 256 << 20
"""The payloads remembered of callables, besides the last one, have this size at most."""


def may_be_written(buffer: Any) -> bool:
    """Whether somebody may have written to a private map since it was made."""
    return is_written(address_of(buffer), memoryview(buffer).nbytes) is not False


class _Written(NamedTuple):
    body: bytes
    maps: list[mmap.mmap]  # of the buffers' segments; to map them each time takes longer than to compare
    size: int


class Captured:
    """The payloads of callables that one process has submitted; it retains each as long as it remembers it."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._known: OrderedDict[bytes, _Written] = OrderedDict()  # by the digest of the pickle without its buffers
        self._bytes = 0

    def dump(self, function: Any) -> tuple[bytes, Reach]:
        """Return the payload of a callable, which the caller is to release, and what it reaches of the program.

        Raises what pickling raises.
        """
        key, size, count = b"", 0, 0

        def find(stream: bytes, buffers: list[pickle.PickleBuffer]) -> bytes | None:
            nonlocal key, size, count
            if not buffers and len(stream) < SHARED_FROM_BYTES:
                return None
            key, count = digest_of(stream), len(buffers)
            size = len(stream) + sum(buffer.raw().nbytes for buffer in buffers)
            return self._find(key, [buffer.raw() for buffer in buffers])

        body, reached = self._payloads.dump_with(lambda keep: dump_by_value(function, keep), find)
        if key and body[:1] == MANIFEST:
            self._remember(key, body, size, count)
        return body, reached

    def _find(self, key: bytes, buffers: list[memoryview]) -> bytes | None:
        known = self._known.get(key)
        if known is None or len(known.maps) != len(buffers) or not all(map(are_equal, known.maps, buffers)):
            return None
        self._payloads.retain(known.body)
        return known.body

    def _remember(self, key: bytes, body: bytes, size: int, count: int) -> None:
        known = self._known.get(key)
        if known is not None and known.body == body:
            self._known.move_to_end(key)
            return
        self._forget(key)
        names, segments = segments_of(body), self._payloads.segments
        assert segments is not None
        try:
            maps = [segments.map(name) for name in names[len(names) - count :]]
        except (OSError, ValueError):  # no memory or descriptors left: next time it is written again
            return
        self._payloads.retain(body)
        self._known[key] = _Written(body, maps, size)
        self._bytes += size
        while len(self._known) > 1 and (len(self._known) > REMEMBERED or self._bytes - size > REMEMBERED_BYTES):
            self._forget(next(iter(self._known)))

    def _forget(self, key: bytes) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._bytes -= known.size
            for mapped in known.maps:
                mapped.close()
            self._payloads.release(known.body)
