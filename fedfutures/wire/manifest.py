"""Manifests: payloads whose bulk is in segments.

A manifest is the byte ``0x01`` and msgpack of ``[pickle or name of the segment holding it, [names of the buffers'
segments], reusable]``, the last telling whether this payload is the only one that needs these segments
(:mod:`.payload`); a digest of the pickle may follow, and a seal may stand behind it all (:mod:`.seal`). What a manifest
holds is nobody's business but the receiver's; which segments it names is also that of the Brokers, who see to it that
they are there.
"""

from __future__ import annotations

from typing import Any

import msgpack

from ..program.snapshots import MARK, split
from .names import is_segment

MANIFEST = b"\x01"
HAS_SEGMENTS = (MANIFEST, MARK)
"""The first byte of a payload that may have segments: a manifest, or one with a snapshot's digest in front."""
SEGMENTS_AT_MOST = 1 << 16


def segments_of(payload: bytes) -> list[str]:
    """Return the segments that a payload needs; none if it is no manifest, or none that could be true.

    >>> segments_of(b"\\x01" + msgpack.packb([b"pickle", ["a-1", "a-2"], True]) + b"seal of 16 bytes")
    ['a-1', 'a-2']
    >>> segments_of(b"\\x80"), segments_of(b"\\x01\\x01"), segments_of(b"\\x01" + msgpack.packb(["../x", [], True]))
    ([], [], [])
    """
    payload = split(payload)[1]
    if payload[:1] != MANIFEST:
        return []
    try:
        held, names, *_ = _unpacked(payload)
        found = list(names) if type(held) is bytes else [held, *names]
    except (ValueError, TypeError, RecursionError):
        return []
    if len(found) > SEGMENTS_AT_MOST or not all(type(name) is str and is_segment(name) for name in found):
        return []
    return found


def is_reusable(payload: bytes) -> bool:
    """Whether a manifest is the only one that will ever need its segments.

    >>> [is_reusable(b"\\x01" + msgpack.packb([b"pickle", ["a-1"], alone])) for alone in (True, False)]
    [True, False]
    """
    _, _, reusable, *_ = _unpacked(split(payload)[1])
    return bool(reusable)


def _unpacked(payload: bytes) -> Any:
    try:
        return msgpack.unpackb(memoryview(payload)[1:])
    except msgpack.ExtraData as more:  # a seal
        return more.unpacked
