"""Manifests: payloads whose bulk is in segments.

A manifest is the byte ``0x01`` and msgpack of ``[pickle or name of the segment holding it, [names of the buffers'
segments], reusable]``. The last says whether this payload is the only one that needs these segments. In a run with a
key a list of the segments' digests follows (:mod:`.digests`), except in results for the Worker's own host, and a seal
behind it all (:mod:`.seal`). Only the receiver opens a manifest, but Brokers read which segments it names and bring
them to the receiver's host.
"""

from __future__ import annotations

from typing import Any

import msgpack

from ..program.snapshots import MARK, split
from .names import is_segment

MANIFEST = b"\x01"
HAS_SEGMENTS = (MANIFEST, MARK)
"""First bytes of payloads that may have segments: of a manifest, and of a snapshot's digest in front of a payload."""
SEGMENTS_AT_MOST = 1 << 16


def segments_of(payload: bytes) -> list[str]:
    """Return the segments that a payload needs; none if it is no manifest, or a malformed one.

    >>> segments_of(b"\\x01" + msgpack.packb([b"pickle", ["a-1", "a-2"], True]) + b"seal of 16 bytes")
    ['a-1', 'a-2']
    >>> segments_of(b"\\x80"), segments_of(b"\\x01\\x01"), segments_of(b"\\x01" + msgpack.packb(["../x", [], True]))
    ([], [], [])
    """
    return _read(payload)[0]


def is_reusable(payload: bytes) -> bool:
    """Whether a manifest is the only one that will ever need its segments; False for a malformed one.

    >>> [is_reusable(b"\\x01" + msgpack.packb([b"pickle", ["a-1"], *rest])) for rest in ([True], [False], [])]
    [True, False, False]
    """
    return _read(payload)[1]


def _read(payload: bytes) -> tuple[list[str], bool]:
    """Return the segments and whether they are for this payload alone. Raises nothing, whatever the bytes."""
    payload = split(payload)[1]
    if payload[:1] != MANIFEST:
        return [], False
    try:
        held, names, reusable, *_ = _unpacked(payload)
        found = [*names] if type(held) is bytes else [held, *names]
    except (ValueError, TypeError, RecursionError):
        return [], False
    if len(found) > SEGMENTS_AT_MOST or not all(type(name) is str and is_segment(name) for name in found):
        return [], False
    return found, reusable is True


def _unpacked(payload: bytes) -> Any:
    try:
        return msgpack.unpackb(memoryview(payload)[1:])
    except msgpack.ExtraData as more:  # a seal
        return more.unpacked
