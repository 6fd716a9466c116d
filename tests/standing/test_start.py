"""A keeper is started, and says that it is ready, or why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedfutures.errors import StartFailed
from fedfutures.host import starting
from fedfutures.standing.places import StandingPlace
from fedfutures.standing.recipe import Recipe
from fedfutures.standing.start import start_keeper

pytestmark = pytest.mark.host


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandingPlace:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return StandingPlace("lab")


def test_another_one_has_the_place(place: StandingPlace) -> None:
    place.make()
    assert place.take()
    with pytest.raises(StartFailed, match="lab has a keeper already"):
        start_keeper(StandingPlace("lab"), Recipe("lab", 1))


def test_one_that_ends_before_it_is_ready(place: StandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "keeper_module", "colorsys")  # which prints nothing, and has no main
    with pytest.raises(StartFailed, match=f"did not become ready; its messages are in {place.log}"):
        start_keeper(place, Recipe("lab", 1))
    assert "cannot import name 'main'" in Path(place.log).read_text()


def test_one_that_says_what_no_keeper_says(place: StandingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "keeper_module", "this")  # which prints a poem
    with pytest.raises(StartFailed, match=f"did not become ready; its messages are in {place.log}"):
        start_keeper(place, Recipe("lab", 1))
