"""How many Workers the Brokers of one host could use, as they have said last. Pure."""

from __future__ import annotations


class HostWants:
    """Of each Broker the latest; one that was started again goes on with that until it says something itself."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def on_wanted(self, broker: str, count: int, more: int = 0) -> None:
        """A Broker says how many Workers could have something to run, and how many beyond the slots of the host."""
        self._counts[broker] = count, more

    @property
    def total(self) -> int:
        """How many all of them want."""
        return sum(count for count, _ in self._counts.values())

    def beyond(self, slots: int) -> int:
        """How many Workers they could use beyond so many."""
        return max(0, sum(count + more for count, more in self._counts.values()) - slots)
