"""How many Workers the Brokers of one host could use, as they have said last. Pure."""

from __future__ import annotations


class HostWants:
    """Of each Broker the latest; one that was started again goes on with that until it says something itself."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def on_wanted(self, broker: str, count: int) -> None:
        """A Broker says how many Workers could have something to run."""
        self._counts[broker] = count

    @property
    def total(self) -> int:
        """How many all of them want."""
        return sum(self._counts.values())
