"""The names of hosts that ssh knows."""

from __future__ import annotations

from fedfutures_launcher.ssh.names import known_names

from .configs import config

__all__ = ["config"]


def test_the_names_that_ssh_knows(config: str) -> None:
    assert known_names(config) == {"h1", "h2", "tower.lab.org", "10.0.0.7", "rack1"}
