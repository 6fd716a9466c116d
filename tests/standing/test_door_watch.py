"""What a host process does when nobody opens the door of its host server."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from fedfutures.errors import StartFailed
from fedfutures.standing.door_watch import PAUSE_SECONDS, PAUSE_SECONDS_AT_MOST, TRIES, DoorWatch
from fedfutures.standing.places import StandingPlace


@pytest.fixture
def place(tmp_path: Path) -> StandingPlace:
    place = StandingPlace("lab", str(tmp_path / "state" / "host"))
    place.make()
    place.write({"door": "/nowhere/door"})
    return place


def test_it_starts_the_keeper_again_after_some_tries_and_with_longer_and_longer_pauses(place: StandingPlace) -> None:
    begun: list[float] = []
    now = 0.0

    def start(found: StandingPlace) -> bool:
        assert found.path == place.path
        begun.append(now)
        raise OSError("no processes are left")

    watch = DoorWatch(place.path, start)
    for tries in range(1600):
        now = tries * 0.25
        assert watch.on_shut(now) == ""
    assert begun[0] == (TRIES - 1) * 0.25
    pauses = [after - before for before, after in itertools.pairwise(begun)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (PAUSE_SECONDS, PAUSE_SECONDS_AT_MOST)
    assert watch.door() == "/nowhere/door"
    watch.on_open()
    for tries in range(TRIES):
        now = 1000.0 + tries
        watch.on_shut(now)
    assert begun[-1] == 1000.0 + TRIES - 1


def test_nothing_is_started_while_somebody_has_the_lock(place: StandingPlace) -> None:
    keeper = StandingPlace.at(place.path)
    assert keeper.take()
    watch = DoorWatch(place.path, lambda place: pytest.fail("a second keeper"))
    assert [watch.on_shut(now) for now in range(10)] == [""] * 10
    keeper.forget()  # somebody has removed the record; the keeper lives
    assert watch.on_shut(10.0) == ""
    keeper.let_go()
    assert watch.on_shut(11.0) == "the standing Federation lab has ended: it was taken down"


def test_a_record_that_cannot_be_read_ends_no_run(place: StandingPlace) -> None:
    Path(place.path, "record").write_text("{")

    def start(place: StandingPlace) -> bool:
        raise StartFailed("nobody can read that")

    watch = DoorWatch(place.path, start)
    assert [watch.on_shut(now) for now in range(10)] == [""] * 10
    assert watch.door() == ""
