"""The grounds of the battery: laboratories times ssh clients."""

from __future__ import annotations

import pytest
from lab.fixtures import rootless

from .ground import Ground

__all__ = ["rootless"]

CLIENTS = ("paramiko", "openssh")


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def loopback(rootless, client, tmp_path):
    """Three hosts on loopback addresses; files are shared."""
    ground = Ground(rootless, ["h1", "h2", "h3"], str(tmp_path), client)
    yield ground
    rootless_left = ground.left()
    assert not rootless_left
