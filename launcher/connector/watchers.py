"""The programs that a keeper's connector tells which hosts there are; they tell it how many more Workers they want."""

from __future__ import annotations

from fedfutures.standing.visitors import DoorVisitor
from fedfutures.wire.control import ControlFrame


class Watchers:
    """The connections of such programs."""

    def __init__(self) -> None:
        self._more: dict[DoorVisitor, int] = {}
        self._said = -1

    def __contains__(self, visitor: DoorVisitor) -> bool:
        return visitor in self._more

    def add(self, visitor: DoorVisitor) -> None:
        """One has come."""
        self._more[visitor] = 0

    def discard(self, visitor: DoorVisitor) -> None:
        """One has gone, if it was one."""
        self._more.pop(visitor, None)

    def want(self, visitor: DoorVisitor, more: int) -> None:
        """One could use so many Workers beyond those that it may have."""
        self._more[visitor] = more

    def tell(self, frame: ControlFrame) -> None:
        """Tell all of them."""
        for visitor in self._more:
            visitor.send(frame)

    def news(self) -> int | None:
        """Return how many more Workers all of them could use; None: as many as when this was asked last."""
        more = sum(self._more.values())
        if more == self._said:
            return None
        self._said = more
        return more
