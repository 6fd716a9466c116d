"""Tests of batch systems run when they are asked for: `make batch`, ``-m batch``, or their folder or file by name."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of every other run: they take minutes, root, and what Debian has of batch systems."""
    if "batch" in config.getoption("markexpr"):
        return
    named = [(config.invocation_params.dir / word.partition("::")[0]).resolve() for word in config.args]
    if any(place.is_relative_to(HERE) for place in named):
        return
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if not item.path.is_relative_to(HERE)]
