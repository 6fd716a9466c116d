"""Tests of batch systems run when they are asked for: `make batch`, ``-m batch``, or their folder or file by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.fixtures import namespaces
from left_out import leave_out

from .standins import Standins

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out of every other run: they take minutes, root, and what Debian has of batch systems."""
    leave_out(config, items, HERE, "batch")


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
