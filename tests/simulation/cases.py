"""What tests of laws need: a small Federation, and a Future of which something is known."""

from __future__ import annotations

from typing import Any

from fedfutures.simulation.law import Law
from fedfutures.simulation.records import FutureRecord, LawBroken, Records
from fedfutures.simulation.specs import payload_of
from fedfutures.simulation.system import System
from fedfutures.simulation.world import World
from fedfutures.wire.messages import Batch

KEY = ("o", 1)
PAYLOAD = payload_of(7, 0.5)


class Case:
    """Two Brokers, a Worker and an Origin at the first, and what is known of Future 1 of the Origin."""

    def __init__(self) -> None:
        self.system = System(World(1, checked_of=1), 1)
        for name in ("b", "c"):
            self.system.add_broker(name)
        self.system.join("b", "c", 0.001)
        self.worker, self.origin = self.system.add_worker("b", 1), self.system.add_origin("b", "o")
        self.records = Records(loses_frames=False)
        self.record = self.records.futures[KEY] = FutureRecord(PAYLOAD)
        self.system.clock.run(until=1.0)

    def law(self, kind: type[Law]) -> Law:
        return kind(self.system, self.records)

    def wait(self, seconds: float) -> None:
        self.system.clock.at(self.system.clock.now + seconds, lambda _: None)
        self.system.clock.run(until=self.system.clock.now + seconds)


def is_broken(law: Law, call: Any, *arguments: Any) -> bool:
    """Whether this is said to break this law, and no other."""
    try:
        call(*arguments)
    except LawBroken as error:
        return error.law == f"{law.code} {type(law).__name__}"
    return False


def takes(law: Any, node: str, peer: str, message: Any, *, is_new: bool = True) -> bool:
    """Let a node take a message in; return whether that breaks the law."""
    try:
        law.takes_in(node, peer, message, is_new=is_new)
    except LawBroken:
        return True
    return False


def batch(*ids: int, piece: int = 1, attempt: int = 1, crashes: int = 0, spent: bool = False, **more: Any) -> Batch:
    return Batch(piece, "o", b"f", attempt, crashes, 0, spent, list(ids), [b""] * len(ids), **more)
