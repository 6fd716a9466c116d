"""Stand-ins: Workers beside those of the run, for Futures with a time limit while others wait in all of them. Pure.

A Broker asks for one at a time. It leaves by itself when it has had nothing to do for a while, and is never replaced:
its Broker asks again. Their slots are beyond those of the run's Workers (:data:`.slots.STAND_INS_FROM`).
"""

from __future__ import annotations

from ..wire.names import stand_in_name

STAND_INS_AT_MOST = 64
"""For one Broker. More are needed only where Futures with limits wait for each other, so many deep."""


class StandIns:
    """Those of one host: which slots they fill, and for which Broker."""

    def __init__(self) -> None:
        self._brokers: dict[int, int] = {}  # by slot
        self._count = 0  # of all that there were

    def start(self, host: str, broker: int, first: int, life: int = 0) -> tuple[int, str] | None:
        """Return slot and name of a new one, or None if there are too many; the slots begin at `first`.

        `life`: of the host process, as in the names of other Workers.
        """
        if sum(other == broker for other in self._brokers.values()) >= STAND_INS_AT_MOST:
            return None
        slot = next(slot for slot in range(first, first + len(self._brokers) + 1) if slot not in self._brokers)
        self._brokers[slot] = broker
        self._count += 1
        return slot, stand_in_name(host, self._count) + (f"r{life}" if life else "")

    def broker_of(self, slot: int) -> int | None:
        """Return the Broker of a stand-in; None for another Worker."""
        return self._brokers.get(slot)

    def end(self, slot: int) -> bool:
        """The Worker of this slot has ended; return whether it was a stand-in."""
        return self._brokers.pop(slot, None) is not None
