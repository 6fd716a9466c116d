"""What a keeper is told."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from fedfutures.errors import StartFailed
from fedfutures.standing.recipe import Recipe, recipe_from


def test_it_travels_as_a_dict() -> None:
    recipe = Recipe("lab", 2, idle=60.0)
    assert recipe_from(asdict(recipe)) == recipe


def test_what_another_version_has_recorded_is_refused() -> None:
    with pytest.raises(StartFailed, match=r"is one of fedfutures of unknown version.*fedfutures down lab"):
        recipe_from({"name": "lab", "slots": 2, "colour": "red"})
