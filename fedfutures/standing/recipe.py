"""What a keeper is told when it begins, and what is recorded, so that another one can take its place."""

from __future__ import annotations

from typing import Any

from ..errors import StartFailed
from ..lazy_dataclass import dataclass


@dataclass(slots=True)
class Recipe:
    """How a standing Federation is to be."""

    name: str
    slots: int  # Workers of this machine, of all programs together
    idle: float = 0.0  # after how many seconds without programs it ends; 0: never
    directory: str = ""  # of the door, that of a keeper which was killed; "": it is made


def recipe_from(value: dict[str, Any]) -> Recipe:
    """Return the recipe that was recorded; raise StartFailed for what another version may have recorded."""
    try:
        return Recipe(**value)
    except TypeError as error:
        raise StartFailed(f"what was recorded of the standing Federation cannot be read ({error})", 2) from None
