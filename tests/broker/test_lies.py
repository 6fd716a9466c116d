"""Neighbours that were let in and lie: the Broker lives on with whole books, and others have what they are due."""

from __future__ import annotations

import contextlib
import random

import pytest
from effort import scaled
from lies import a_lie

from fedfutures.broker import files
from fedfutures.federation.link import FORGET_AFTER_SECONDS, SILENT_AFTER_SECONDS
from fedfutures.wire.messages import Ack, Batch, Constant, Demand, Results

from .bench import BODY, Bench, results

LIARS = ("n", "m")
LIES = 250
SPACE_BYTES = 1 << 20


class Town(Bench):
    """An Origin and a Worker that do as they should, and two neighbours that do not."""

    def __init__(self, seed: int) -> None:
        super().__init__(liars=LIARS)
        self.dice = random.Random(seed)
        self.given: set[int] = set()
        self.resolved: list[int] = []
        do = self.host.do

        def store(action: files.Action) -> files.Event | None:
            """Store what has come, whatever its bytes, as far as there is room."""
            if isinstance(action, files.Begin) and action.size > SPACE_BYTES:
                return files.Unwritable(action.name, "no space")
            with contextlib.suppress(AssertionError):
                return do(action)
            assert isinstance(action, files.Finish)
            return files.Stored(action.name)

        self.host.do = store  # type: ignore[method-assign]
        self.join("w", demand=4)
        self.join("o", "origin")
        self.say("o", BODY)
        for liar in LIARS:
            self.neighbour(liar)

    def live(self) -> None:
        """Something happens."""
        if self.dice.random() < 0.1:
            self.tick(self.dice.choice([0.0, 0.01, 0.01, 1.0, SILENT_AFTER_SECONDS + 1]))
        elif self.dice.random() < 0.1:
            first = len(self.given) + 1
            self.submit("o", (first, first + 1), piece=first)
            self.given |= {first, first + 1}
        elif self.dice.random() < 0.2:
            self.work()
        elif self.dice.random() < 0.05:
            self.say("o", Constant("c", 1, b"mine"))
        else:
            self.say(self.dice.choice(LIARS), a_lie(self.dice))
        self.acknowledge()

    def acknowledge(self) -> None:
        """Honest peers say what they have heard, so nothing is repeated to them."""
        for peer in ("w", "o"):
            self.say(peer, Ack())

    def work(self) -> None:
        """The Worker runs what it has, and the Origin hears of what is done."""
        for batch in self.heard_by("w", Batch):
            self.say("w", results(batch.piece, batch.ids, attempt=batch.attempt))
        self.say("w", Demand(4, 1))
        for found in self.heard_by("o", Results):
            self.resolved += found.ids


@pytest.mark.parametrize("seed", range(scaled(30)))
def test_whoever_lies_the_broker_serves_the_others(seed: int) -> None:
    town = Town(seed)
    for _ in range(LIES):
        town.live()
    for _ in range(4):  # the liars fall silent, and are forgotten
        town.tick(FORGET_AFTER_SECONDS)
        town.work()
        town.acknowledge()
    for _ in range(len(town.given)):
        town.tick(1.0)
        town.work()
        town.acknowledge()
    assert sorted(town.resolved) == sorted(town.given)
