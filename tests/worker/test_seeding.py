"""Seeded calls draw from streams of their own, and give the global generators back as they were."""

from __future__ import annotations

import random

import pytest

from fedfutures.wire.payload import Payloads
from fedfutures.worker import current, seeding
from fedfutures.worker.seeding import Seeded, SeededItems, call_seeded, stream_for_call
from fedfutures.worker.slices import Slice
from fedfutures.worker.streams import stream_of


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a seeded call has run is kept in mind by its process."""
    monkeypatch.setattr(seeding, "ever", seeding.ever)
    monkeypatch.setattr(current, "unusual", current.unusual)


def draw(*_: object) -> float:
    return random.random()


def test_a_seeded_call_draws_its_own_numbers_and_leaves_the_program_its() -> None:
    random.seed(1)
    expected = [random.random() for _ in range(2)]
    random.seed(1)
    first = random.random()
    drawn = call_seeded(stream_of(42), draw, (), {})
    assert [first, random.random()] == expected
    assert call_seeded(stream_of(42), draw, (), {}) == drawn != call_seeded(stream_of(43), draw, (), {})


def test_a_call_that_raises_gives_the_generators_back() -> None:
    before = random.getstate()
    with pytest.raises(ZeroDivisionError):
        call_seeded(stream_of(42), lambda: draw() / 0, (), {})
    assert random.getstate() == before
    assert seeding.read() is None


def test_a_seeded_call_in_another_goes_on_with_its_own_numbers() -> None:
    def outer() -> list[float]:
        return [draw(), call_seeded(stream_of(7), draw, (), {}), draw()]

    def alone() -> list[float]:
        return [draw(), draw()]

    found = call_seeded(stream_of(42), outer, (), {})
    assert [found[0], found[2]] == call_seeded(stream_of(42), alone, (), {})
    assert found[1] == call_seeded(stream_of(7), draw, (), {})


def test_calls_that_a_seeded_call_makes_are_counted_and_none_elsewhere() -> None:
    def keys() -> list[object]:
        return [stream_for_call(None), stream_for_call(None), stream_for_call(5)]

    first, second, seeded = call_seeded(stream_of(42), keys, (), {})
    assert first is not None
    assert len({made.number() for made in (first, second, seeded)}) == 3
    assert stream_for_call(None) is None
    other = stream_for_call(5)
    assert other is not None
    assert other.number() == stream_of(5).number()


def test_states_that_were_held_come_back_in_turn() -> None:
    before = random.getstate()
    assert seeding.hold() is None
    random.seed(1)
    inner = seeding.hold()
    random.seed(2)
    seeding.write(inner)
    assert random.getstate() == random.Random(1).getstate()
    seeding.write(None)
    assert random.getstate() == before
    seeding.write(None)  # nothing is held: nothing is changed
    assert random.getstate() == before


def test_items_of_a_slice_draw_from_the_streams_of_their_numbers() -> None:
    stream = stream_of(42)
    before = random.getstate()
    seeded = SeededItems(Slice(draw)).bind(Payloads())
    values, failures, _ = seeded(["a", "b"], [5, 3], stream.packed())
    assert values == [call_seeded(stream.child(number), draw, (), {}) for number in (5, 3)]
    assert failures == []
    assert random.getstate() == before


def test_people_are_not_told_of_streams() -> None:
    assert Seeded(draw).arguments((1, 2, "stream")) == ((1, 2), {})
    assert SeededItems(Slice(draw)).arguments(([1], [0], "stream")) == (([1],), {})
