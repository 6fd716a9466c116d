"""The figures, one module each; a module's ``figure(quick)`` says what to measure and where the bars are."""

from __future__ import annotations

from importlib import import_module

from benchmarks.model import Figure

NAMES = (
    "submit_rate",
    "submit_scaling",
    "map_rate",
    "small_maps",
    "sampler",
    "cpu_per_future",
    "round_trip",
    "efficiency",
    "skew",
    "nested",
    "printing",
    "start",
    "arrays",
    "tensors",
    "variables",
    "brokers",
    "speeds",
    "distance",
    "hosts",
    "seals",
    "seeing",
)


def load(name: str, quick: bool) -> Figure:
    """One figure by its name."""
    found: Figure = import_module(f"benchmarks.figures.{name}").figure(quick)
    return found
