"""A ``map`` with a checkpoint: items whose results are there are not sent, and come in their places.

The input (:class:`Kept`) leaves them out when slices are cut; the Feeder never sees them. It notes the order of all
items, and who reads the results takes each from the checkpoint or from the slices.
"""

from __future__ import annotations

import array
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ..checkpoint.digests import CallDigests
from ..errors import NotCheckpointable
from ..worker.streams import Stream
from .feeding import Feeder
from .inputs import Numbered
from .keeping import Keeper, told

AHEAD_AT_MOST = 1 << 16
"""So many results that are there may wait for their reader before more is read of an input that may have no end."""


class Kept(Numbered):
    """An input without the items whose results a checkpoint has. Its slices have one more column: their keys.

    order: of the items that were read, the keys of results that are there; in an ordered map also None for each that is
    computed.
    """

    def __init__(
        self, iterables: tuple[Iterable[Any], ...], keeper: Keeper, digests: CallDigests, stream: Stream | None,
        *, in_order: bool,
    ) -> None:  # fmt: skip
        super().__init__(iterables)
        self.order: deque[bytes | None] = deque()
        self.keeper, self.keep = keeper, keeper.keep_items
        self._digests, self._stream, self._in_order = digests, stream, in_order
        self._numbers = array.array("q")  # of the items that are computed, in the map

    def cut(self, count: int, *, exactly: bool = True) -> tuple[list[Any], ...] | None:
        """Return the columns of the next items that are computed; None also where enough results are there."""
        while self.is_bounded or self._ahead or len(self.order) < AHEAD_AT_MOST:
            columns = super().cut(count, exactly=exactly)
            if columns is None:
                return None
            places, keys = self._missing(columns)
            if places:
                given = columns if self._stream is not None else columns[:-1]
                return (*([column[place] for place in places] for column in given), keys)
        return None

    def _missing(self, columns: tuple[list[Any], ...]) -> tuple[list[int], list[bytes]]:
        """Note the order of items; return the places of those without results, and their keys."""
        places: list[int] = []
        keys: list[bytes] = []
        numbers = columns[-1]
        try:
            for place, row in enumerate(zip(*columns[:-1])):
                stream = None if self._stream is None else self._stream.child(numbers[place])
                key = self.keeper.next_key(self._digests.of(row, None, told(stream)))
                if self.keeper.has(key):
                    self.order.append(key)
                    continue
                places.append(place)
                keys.append(key)
                self._numbers.append(numbers[place])
                if self._in_order:
                    self.order.append(None)
        except NotCheckpointable as error:  # the items before it are used first
            self.forget()
            self.error = NotCheckpointable(f"item {numbers[0] + place} of map: {error}")
        return places, keys

    def number_of(self, place: int) -> int:
        """Return the number in the map of an item that is computed."""
        return self._numbers[place]


def results_with(feeder: Feeder, results: Iterator[Any]) -> Iterator[Any]:
    """Yield the results of a map whose input is :class:`Kept`; `results`: those of the items that are computed."""
    given: Any = feeder.input
    order = given.order
    feeder.begin_reading()
    try:
        while True:
            while order and order[0] is not None:
                yield given.keeper.value(order.popleft())
            if order or feeder.window.unread:
                try:
                    value = next(results)
                except StopIteration:
                    return
                if order and order[0] is None:
                    order.popleft()
                yield value
                del value
            elif given.is_read or feeder.is_done():
                yield from results  # raises what has ended the input
                return
            elif feeder.begin_filling():  # unless another thread reads the input just now
                feeder.end_filling()
                feeder.fill()
    finally:
        results.close()  # type: ignore[attr-defined]
        feeder.leave_off()
