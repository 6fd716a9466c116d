"""The grounds of the battery: laboratories times ssh clients."""

from __future__ import annotations

import pytest

from .ground import Ground

CLIENTS = ("paramiko", "openssh")
SITES = """
[[hosts]]
host = "h1"

[[hosts]]
host = "h2"

[[sites]]
access = "h3"
hosts = ["h4", "h5"]
"""


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["loopback", "network", "sites"])
def ground(request, client, tmp_path):
    """Hosts on loopback addresses, on a network, and on two sites of which one is behind an access host."""
    if request.param == "loopback":
        ground = Ground(request.getfixturevalue("rootless"), ["h1", "h2", "h3"], str(tmp_path), client)
    elif request.param == "network":
        lab = request.getfixturevalue("one_network")
        ground = Ground(lab, ["h1", "h2", "h3"], str(tmp_path), client, prefix=lab.origin_prefix)
    else:
        lab = request.getfixturevalue("two_sites")
        ground = Ground(lab, ["h1", "h2", "h4", "h5"], str(tmp_path), client, prefix=lab.origin_prefix)
        ground.hostfile = ground.write("hosts.toml", SITES)
    yield ground
    assert not ground.left()


@pytest.fixture
def network(one_network, client, tmp_path):
    """Three hosts on a network, the first of them this machine; a test that breaks it mends it."""
    ground = Ground(one_network, ["h1", "h2", "h3"], str(tmp_path), client, prefix=one_network.origin_prefix)
    yield ground
    assert not ground.left()
