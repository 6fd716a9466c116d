"""How many Workers a joined run has on one host: what is allotted, and no more than the program asks for. Pure."""

from __future__ import annotations


class BoundedAllotment:
    """The share of one run. `most`: what it asks for at first, and the highest number that it may ask for."""

    __slots__ = ("_allotted", "_highest", "most")

    def __init__(self, most: int) -> None:
        self._highest = self.most = most
        self._allotted = 0

    def allot(self, workers: int) -> int:
        """The host server allots so many; return how many the run is to have."""
        self._allotted = workers
        return min(self._allotted, self.most)

    def ask_for(self, workers: int) -> int:
        """The program asks for so many at most; return how many the run is to have."""
        self.most = min(workers, self._highest)
        return min(self._allotted, self.most)
