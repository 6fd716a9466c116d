"""Tests that run only when they are asked for: by their mark, or their folder or a file of it by name."""

from __future__ import annotations

from pathlib import Path

import pytest


def leave_out(config: pytest.Config, items: list[pytest.Item], folder: Path, mark: str) -> None:
    """Leave the tests of a folder out of every other run."""
    if mark in config.getoption("markexpr"):
        return
    named = [(config.invocation_params.dir / word.partition("::")[0]).resolve() for word in config.args]
    if any(place.is_relative_to(folder) for place in named):
        return
    ours = [item for item in items if item.path.is_relative_to(folder)]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if not item.path.is_relative_to(folder)]
