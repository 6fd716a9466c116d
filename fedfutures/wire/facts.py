"""What is known of Futures that have run: on which Worker each, at which attempt, and for how long. Pure.

The facts of all Futures of a message travel in one field of bytes, in the order of its ids, for a Broker passes them on
unread, and whoever submitted the Futures reads them only when somebody asks. They are blocks, one behind the other,
each of Futures that share Worker and attempt; so what two messages say is joined by putting one behind the other. No
seal is over them, so a Broker on the way can alter them: nothing depends on them but what people are told.

>>> packed_facts = packed("h.1", 1, [0.5, 0.25]) + packed("h.2", 2, [4.0])
>>> Facts(([7, 8, 9], packed_facts)).of(8)
Fact(worker='h.1', host='h', attempts=1, seconds=0.25)
>>> Facts(([8, 9], kept(packed_facts, [False, True, True]))).of(9)
Fact(worker='h.2', host='h', attempts=2, seconds=4.0)
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Sequence
from itertools import compress
from math import inf
from struct import Struct, pack, unpack_from
from typing import NamedTuple

from .names import host_of_node

_HEAD = Struct("<HHI")
"""At the head of a block: how many bytes the Worker's name has, the attempts, and how many Futures these are."""
_ONE = Struct("<f")
_SECONDS_BYTES = 4
_MOST_ATTEMPTS = (1 << 16) - 1
_UNKNOWN = -1.0
"""Stands for seconds that nobody has measured."""


class Fact(NamedTuple):
    """Who has run a Future, and for how long."""

    worker: str
    host: str
    attempts: int  # how often it was started, as far as is known
    seconds: float | None  # None: nobody has measured them


class Facts:
    """What is known of some Futures, given by their numbers. All of a message share one, for none pays for its own."""

    __slots__ = ("_known",)

    def __init__(self, known: dict[int, Fact] | tuple[list[int], bytes]) -> None:
        self._known = known  # the numbers of a message's Futures and their facts, until somebody asks

    def of(self, number: int) -> Fact | None:
        """Return what is known of a Future; None: nothing is. For any thread."""
        known = self._known
        if type(known) is tuple:
            ids, facts = known
            found = (
                Fact(*names_of(name), attempts, one if 0.0 <= one < inf else None) if name else None
                for name, attempts, seconds in blocks(facts, len(ids))
                for one in seconds
            )
            self._known = known = {i: fact for i, fact in zip(ids, found) if fact is not None}
        return known.get(number)  # type: ignore[union-attr]


NOBODY = Facts({})
"""Of Futures that nobody has run, as far as is known."""


def facts_of(number: int, worker: str, host: str, seconds: float, attempts: int) -> Facts:
    """Return the facts of one Future."""
    return Facts({number: Fact(worker, host, attempts, seconds)})


def packed(worker: str, attempts: int, seconds: Sequence[float]) -> bytes:
    """Return the facts of Futures that one Worker has run; negative seconds are unknown."""
    name, count = worker.encode("utf-8", "surrogatepass"), len(seconds)
    return _HEAD.pack(len(name), min(attempts, _MOST_ATTEMPTS), count) + name + pack(f"<{count}f", *seconds)


def packed_unmeasured(worker: str, attempts: int, count: int) -> bytes:
    """Return the facts of Futures of which nobody knows how long they ran."""
    return packed(worker, attempts, [_UNKNOWN] * count)


def kept(facts: bytes, flags: Sequence[bool]) -> bytes:
    """Return the facts of those Futures whose flag is set."""
    found, place = [], 0
    for name, attempts, seconds in blocks(facts, len(flags)):
        some = list(compress(seconds, flags[place : place + len(seconds)]))
        place += len(seconds)
        if some:
            found.append(_HEAD.pack(len(name), attempts, len(some)) + name + pack(f"<{len(some)}f", *some))
    return b"".join(found)


def joined(parts: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the facts of several messages together, each with the number of its Futures."""
    parts = [(facts if blocks(facts, count) else b"", count) for facts, count in parts]
    if not any(facts for facts, _ in parts):
        return b""
    return b"".join(facts or packed_unmeasured("", 0, count) for facts, count in parts)


def single(facts: bytes, count: int) -> list[bytes]:
    """Return the facts of each of so many Futures alone."""
    found = [
        _HEAD.pack(len(name), attempts, 1) + name + pack("<f", one)
        for name, attempts, seconds in blocks(facts, count)
        for one in seconds
    ]
    return found or [b""] * count


def blocks(facts: bytes, count: int) -> list[tuple[bytes, int, tuple[float, ...]]]:
    """Return name, attempts and seconds of each block; nothing if these are not the facts of so many Futures.

    A name is "" where nobody has run them; seconds that nobody has measured are negative.

    >>> blocks(packed("h.1", 2, [0.5, -1.0]), 2), blocks(b"", 2), blocks(packed("h.1", 2, [0.5]), 2)
    ([(b'h.1', 2, (0.5, -1.0))], [], [])
    """
    found, place = [], 0
    try:
        while place < len(facts):
            length, attempts, futures = _HEAD.unpack_from(facts, place)
            place += _HEAD.size + length
            name = facts[place - length : place]
            seconds = _ONE.unpack_from(facts, place) if futures == 1 else unpack_from(f"<{futures}f", facts, place)
            found.append((name, attempts, seconds))
            place += _SECONDS_BYTES * futures
            count -= futures
    except struct.error:
        return []
    return [] if count else found


@functools.lru_cache(1024)
def names_of(name: bytes) -> tuple[str, str]:
    """Return the Worker's name as text, and its host's.

    >>> names_of(b"h.1")
    ('h.1', 'h')
    """
    worker = name.decode("utf-8", "replace")
    return worker, host_of_node(worker)
