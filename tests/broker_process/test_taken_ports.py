"""Ports that others have taken: a Broker listens at those that are free, and says so where there are none.

Each test is in a network of its own with few ports, so it takes none from anybody else.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.host
FIRST, COUNT = 40_000, 12
IN_A_NETWORK = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def taken(count: int) -> list[socket.socket]:
    """Take the first ports of those that there are."""
    found = []
    for port in range(FIRST, FIRST + count):
        taken = socket.socket()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        found.append(taken)
    return found


def listen(count: int) -> None:
    """Have a Broker listen while others have `count` ports; print the ports, or why there are none."""
    from fedfutures.broker_process.remote_sockets import RemoteSockets
    from fedfutures.sockets.sockets import context

    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"{FIRST} {FIRST + COUNT - 1}")
    held, told = taken(count), []
    owner = context()
    RemoteSockets(owner, "down", "127.0.0.1", told.append, lambda name: False)
    said = told[0]
    print(*([said.error] if said.error else [said.main, said.meta, said.subscriber]))
    owner.destroy(linger=0)
    for one in held:
        one.close()


def said_of(count: int) -> str:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("unshare and ip are needed")
    command = [*IN_A_NETWORK, sys.executable, __file__, str(count)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "unshare" in ended.stderr:
        pytest.skip(f"no network of one's own: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.fault("E12")
def test_a_broker_takes_ports_that_are_free() -> None:
    ports = [int(word) for word in said_of(COUNT // 2).split()]
    assert len(set(ports)) == 3
    assert all(FIRST + COUNT // 2 <= port < FIRST + COUNT for port in ports)


@pytest.mark.fault("E12")
def test_a_broker_that_finds_no_port_says_so() -> None:
    assert said_of(COUNT).startswith("cannot listen at 127.0.0.1: Address already in use")


if __name__ == "__main__":
    listen(int(sys.argv[1]))
