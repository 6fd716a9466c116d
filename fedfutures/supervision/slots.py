"""The slots of a host's Workers: who fills each, for which Broker, and how many there are to be. Pure.

Slots 0 to `workers` - 1 have a Worker each, or a time at which one is started. That number may change while the run
goes on. If it grows, Workers start at once; if it shrinks, the Workers of the highest slots are *withdrawn*: they end
when they have finished what they run, and their slots stay empty. A Worker that lives keeps its slot and its Broker.
A new slot goes to the Broker that has the fewest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .actions import Start, Withdraw
from .brokers import broker_of

STAND_INS_FROM = 1 << 20
"""Slots from here on belong to stand-ins; the number of other Workers may grow up to here."""


class Slots:
    """Those of one host. `life`: how often its host process was started again, which names of Workers show."""

    __slots__ = (
        "_broker_of", "_brokers", "_due", "_host", "_life", "_living", "_starts", "_told", "_withdrawn", "workers",
    )  # fmt: skip

    def __init__(self, host: str, workers: int, brokers: int, life: int = 0) -> None:
        self._host, self._life, self._brokers, self.workers = host, life, brokers, workers
        self._starts: dict[int, int] = {}  # how many Workers each slot has had
        self._living: dict[int, str] = {}
        self._due: dict[int, float] = {}  # when the next Worker of a slot is to be started
        self._withdrawn: set[int] = set()
        self._told: set[int] = set()  # those whose Worker was withdrawn, even if it is to stay after all
        self._broker_of = {slot: broker_of(slot, workers, brokers) for slot in range(workers)}

    # -- who lives -----------------------------------------------------------------------------------------------------

    def __contains__(self, slot: object) -> bool:
        """Whether a Worker of this slot lives."""
        return slot in self._living

    def name_of(self, slot: int) -> str:
        """Return the name of the Worker of this slot that lives; "" if none does."""
        return self._living.get(slot, "")

    def living(self) -> list[tuple[int, str]]:
        """Return slot and name of each Worker that lives."""
        return sorted(self._living.items())

    def count(self) -> int:
        """How many Workers live, those included that were withdrawn; stand-ins are not counted."""
        return sum(slot < STAND_INS_FROM for slot in self._living)

    def broker_of(self, slot: int) -> int:
        """Return the Broker of a slot."""
        return self._broker_of[slot]

    # -- starts and ends -----------------------------------------------------------------------------------------------

    def start(self, slot: int) -> Start:
        """Start a Worker here."""
        self._starts[slot] = count = self._starts.get(slot, 0) + 1
        name = f"{self._host}.{slot + 1}" + (f"r{self._life}" if self._life else "")
        return self.enter(slot, name if count == 1 else f"{name}+{count - 1}")

    def start_all(self) -> list[Start]:
        """Start a Worker in each slot that has neither one nor a time for it."""
        return [self.start(slot) for slot in self._empty()]

    def enter(self, slot: int, name: str) -> Start:
        """Start a Worker of this name here."""
        self._living[slot] = name
        return Start(slot, name)

    def end(self, slot: int) -> bool:
        """The Worker of this slot has ended; return whether it was withdrawn at some time, so that it may have left."""
        self._living.pop(slot, None)
        self._withdrawn.discard(slot)
        if not self.is_to_be_filled(slot):
            self._broker_of.pop(slot, None)
        was_told = slot in self._told
        self._told.discard(slot)
        return was_told

    def is_to_be_filled(self, slot: int) -> bool:
        """Whether there is to be a Worker in this slot."""
        return slot < self.workers

    def start_at(self, slot: int, time: float) -> None:
        """Start a Worker here at this time."""
        self._due[slot] = time

    def take_due(self, now: float) -> list[int]:
        """Return the slots in which a Worker is to be started now."""
        due = [slot for slot, at in self._due.items() if at <= now]
        for slot in due:
            del self._due[slot]
        return due

    def times(self) -> list[float]:
        """Return when Workers are to be started."""
        return list(self._due.values())

    def give_up(self) -> None:
        """Start none at a later time."""
        self._due.clear()

    # -- their number --------------------------------------------------------------------------------------------------

    def resize(self, workers: int, *, starts: bool = True) -> list[Start | Withdraw]:
        """Have so many slots from now on; with `starts`, return the starts of those that have no Worker."""
        self.workers = workers = min(workers, STAND_INS_FROM)
        self._due = {slot: at for slot, at in self._due.items() if slot < workers}
        changes = [*self._withdrawals()]
        found = {slot: broker for slot, broker in self._broker_of.items() if slot < workers or slot in self._living}
        counts = Counter(broker for slot, broker in found.items() if slot < workers)
        for slot in range(workers):
            if slot not in found:
                found[slot] = broker = min(range(self._brokers), key=counts.__getitem__)
                counts[broker] += 1
        self._broker_of = found
        return [*changes, *self.start_all()] if starts else changes

    def _withdrawals(self) -> Iterator[Start | Withdraw]:
        """Withdraw those that are too many, the last first; those that are to stay after all are so no longer."""
        for slot in sorted((slot for slot in self._living if slot < STAND_INS_FROM), reverse=True):
            if slot >= self.workers and slot not in self._withdrawn:
                self._withdrawn.add(slot)
                self._told.add(slot)
                yield Withdraw(slot)
            elif slot < self.workers and slot in self._withdrawn:
                self._withdrawn.discard(slot)
                yield Withdraw(slot, stays=True)

    def _empty(self) -> list[int]:
        return [slot for slot in range(self.workers) if slot not in self._living and slot not in self._due]

    def check(self) -> None:
        """Assert that each Worker lives in a slot that is to be filled, or was withdrawn."""
        own = {slot for slot in self._living if slot < STAND_INS_FROM}
        assert {slot for slot in own if slot >= self.workers} == self._withdrawn, "the wrong Workers are withdrawn"
        assert self._withdrawn <= self._told <= own, "a Worker was withdrawn that does not live"
        assert not self._due.keys() & own, "a Worker is to be started where one lives"
        assert all(slot < self.workers for slot in self._due), "a Worker is to be started in no slot"
        assert own | set(range(self.workers)) == self._broker_of.keys(), "a slot has no Broker"
