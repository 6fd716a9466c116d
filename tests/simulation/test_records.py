"""What is known of the Futures of a run."""

from __future__ import annotations

import pickle

from fedfutures.simulation.records import FutureRecord, LawBroken, Records, broken
from fedfutures.simulation.world import World
from fedfutures.wire.messages import VALUE


def test_what_is_open_is_of_submitters_that_are_there() -> None:
    records = Records(loses_frames=False)
    records.futures = {("o", 1): FutureRecord(b""), ("o", 2): FutureRecord(b""), ("w", 1): FutureRecord(b"")}
    records.futures["o", 1].resolve(VALUE)
    records.gone.add("w")
    assert records.unresolved() == [("o", 2)]


def test_it_is_calm_until_something_is_disturbed_or_where_frames_are_lost() -> None:
    records = Records(loses_frames=False)
    assert records.is_calm
    records.disturb()
    assert not records.is_calm
    assert not Records(loses_frames=True).is_calm


def test_a_broken_law_says_when_and_in_which_run_also_from_another_process() -> None:
    world = World(7)
    world.clock.at(1.5, lambda _: None)
    world.clock.run()
    error = broken(world, "S1 ResolvesOnce", "twice")
    assert str(error) == "seed 7, t = 1.500000: S1 ResolvesOnce: twice"
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, LawBroken)
    assert str(again) == str(error)
