"""What is known of the Futures of a run."""

from __future__ import annotations

import pickle

from fedfutures.simulation.records import FutureRecord, LawBroken, Records, broken
from fedfutures.simulation.world import NEVER, World
from fedfutures.wire.messages import VALUE


def test_what_is_open_is_of_submitters_that_are_there() -> None:
    records = Records(loses_frames=False)
    records.futures = {("o", 1): FutureRecord(b""), ("o", 2): FutureRecord(b""), ("w", 1): FutureRecord(b"")}
    records.futures["o", 1].resolve(VALUE)
    records.leave("w")
    assert records.unresolved() == [("o", 2)]


def test_it_is_calm_until_something_is_disturbed_or_where_frames_are_lost() -> None:
    records = Records(loses_frames=False)
    assert records.is_calm
    records.disturb("worker")
    assert not records.is_calm
    assert not Records(loses_frames=True).is_calm


def test_links_are_good_while_only_workers_end_and_from_healing_on() -> None:
    records = Records(loses_frames=False)
    records.disturb("worker", 1.0)
    assert records.links_good_since == 0.0
    records.disturb("cut", 2.0)
    assert records.links_good_since == NEVER
    assert records.has_only("cut", "worker")
    records.heal(3.0)
    assert records.links_good_since == 3.0
    assert not Records(loses_frames=True).has_only("worker")


def test_a_future_is_unwanted_from_its_first_cancel_and_its_outcome_on() -> None:
    record = FutureRecord(b"")
    assert (record.cancelled_at, record.settled_at) == (NEVER, NEVER)
    record.ask_cancel(1.0)
    record.ask_cancel(2.0)
    record.resolve(VALUE, 3.0)
    assert (record.cancelled_at, record.settled_at) == (1.0, 3.0)


def test_a_broken_law_says_when_and_in_which_run_also_from_another_process() -> None:
    world = World(7)
    world.clock.at(1.5, lambda _: None)
    world.clock.run()
    error = broken(world, "S1 ResolvesOnce", "twice")
    assert str(error) == "seed 7, t = 1.500000: S1 ResolvesOnce: twice"
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, LawBroken)
    assert str(again) == str(error)
