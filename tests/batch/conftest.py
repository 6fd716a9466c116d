"""Tests of batch systems run when they are asked for: `make batch`, ``-m batch``, or their folder or file by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.fixtures import namespaces

from .standins import Standins

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


@pytest.fixture(scope="session")
def standin_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standins]:
    """Three hosts with stand-ins for pbsdsh and blaunch, where the user may not log in by ssh, for the session."""
    with namespaces(lambda: Standins(3, tmp_path_factory.mktemp("standins"))) as made:
        made.forbid_ssh()
        yield made


@pytest.fixture
def standins(standin_cluster: Standins) -> Iterator[Standins]:
    """The same, on which nothing runs; what a test leaves there is killed."""
    yield standin_cluster
    standin_cluster.end_all()
