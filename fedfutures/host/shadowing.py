"""What a host process has loaded in place of modules of the program: Workers unload those first."""

from __future__ import annotations

import importlib
from dataclasses import replace

from ..program.shadows import before_the_standard_library, loaded, shadowed
from .settings import Settings


def with_shadowed(settings: Settings) -> Settings:
    """Return the settings with the names of these modules."""
    if settings.code:
        names = sorted(loaded() & {*settings.beside})
    else:
        names = shadowed(before_the_standard_library(settings.path))
    if names:
        importlib.import_module("cloudpickle")  # before a cloudpickle.py of the program can take its place
    return replace(settings, shadowed=names)
