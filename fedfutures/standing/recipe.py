"""What a keeper is told when it begins, and what is recorded, so that another one can take its place."""

from __future__ import annotations

import os
import sys
from typing import Any

from ..errors import StartFailed
from ..host.greeting import ours
from ..lazy_dataclass import dataclass, field, field_types
from .identity import READ_AT_START


@dataclass(slots=True)
class Recipe:
    """How a standing Federation is to be."""

    name: str
    slots: int  # Workers of this machine, of all programs together; with other hosts, as is planned with them
    idle: float = 0.0  # after how many seconds without programs it ends; 0: never
    directory: str = ""  # of the door, that of a keeper which was killed; "": it is made
    since: float = 0.0  # when the Federation was started, in seconds since 1970; 0: now
    version: str = field(default_factory=ours)  # of the keeper
    python: str = field(default_factory=lambda: sys.executable)  # that runs it
    environment: dict[str, str] = field(default_factory=lambda: chosen(os.environ))  # of its interpreter
    request: dict[str, Any] = field(default_factory=dict)  # what its connector is asked for; {}: no other hosts
    scale: dict[str, Any] = field(default_factory=dict)  # the fields of ScaleRecipe; {}: nobody submits jobs
    notes: dict[str, Any] = field(default_factory=dict)  # of its connector, for the one of the next keeper


def chosen(environ: Any) -> dict[str, str]:
    """Return the variables that an interpreter reads as it begins; no others: they may be secrets."""
    return {name: value for name, value in environ.items() if name.startswith(READ_AT_START)}


def recipe_from(value: dict[str, Any]) -> Recipe:
    """Return the recipe among what was recorded; raise StartFailed for what another version has recorded."""
    name = value.get("name", "")
    if value.get("version") != ours():
        raise StartFailed(
            f"the standing Federation {name} is one of fedfutures {value.get('version', 'of unknown version')}, and "
            f"this is {ours()}. Take it down and start it again: fedfutures down {name}", 2
        )  # fmt: skip
    try:
        return Recipe(**{key: value[key] for key in field_types(Recipe) if key in value})
    except TypeError as error:
        raise StartFailed(
            f"what was recorded of the standing Federation {name} cannot be read ({error}). Take it down and start it "
            f"again: fedfutures down {name}", 2
        ) from None  # fmt: skip
