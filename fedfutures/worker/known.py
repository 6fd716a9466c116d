"""What a Future knows of its run: on which Worker, how often it was started, for how long it ran (docs/known.rst).

A Future that runs inside the one that waits for it is the fastest there is, so nothing is written down for it: that it
ran here is what is known of a Worker's Future that has an outcome and no facts.
"""

from __future__ import annotations

from typing import Any

from ..wire.facts import Fact
from ..wire.printed import Printed


class KnownRun:
    """Base of a Future. What it knows comes with its outcome, and only where somebody has run it."""

    __slots__ = ()

    printed: Printed | None = None
    map_items: tuple[int, int] | None = None  # of a slice of a map: the number of its first item, and how many it has

    def _fact(self) -> Fact | None:
        raise NotImplementedError

    def _printed(self) -> Printed | None:
        future: Any = self
        return self.printed if future.done() and not future.cancelled() else None

    @property
    def host(self) -> str | None:
        """The host on which the call has run; None while it is not done, after a cancel, and if nobody ran it."""
        fact = self._fact()
        return None if fact is None else fact.host

    @property
    def worker(self) -> str | None:
        """The Worker that has run the call, "h1.2" for instance; "" if the call has run in the program itself."""
        fact = self._fact()
        return None if fact is None else fact.worker

    @property
    def attempts(self) -> int | None:
        """How often the call was started, as far as is known; each retry counts, and each Worker that died with it."""
        fact = self._fact()
        return None if fact is None else fact.attempts

    @property
    def stdout(self) -> str | None:
        """What the call has printed, the last 64 KiB of it, with ``options(capture=True)``; else None."""
        printed = self._printed()
        return None if printed is None else printed.out

    @property
    def stderr(self) -> str | None:
        """What the call has written to ``sys.stderr``, as :attr:`stdout`."""
        printed = self._printed()
        return None if printed is None else printed.err

    @property
    def elapsed(self) -> float | None:
        """For how many seconds the Worker was occupied with the call, from reading its arguments to its outcome.

        Waiting for other Futures counts. None also where nobody has measured it: the Worker has died, or the call has
        run inside the Future that waited for it.
        """
        fact = self._fact()
        return None if fact is None else fact.seconds


def put_items(future: Any, first: int, count: int) -> None:
    """Say which items of a map a Future has."""
    future.map_items = first, count
