"""The addresses of this machine are those that the system's own tool prints."""

from __future__ import annotations

import re
import subprocess

import pytest
from lab import machines

from fedfutures_launcher.launchers.addresses import addresses_here


@pytest.mark.skipif(machines.program("ip") is None, reason="needs ip, which is the naive twin")
def test_all_but_the_loopback_addresses_are_there() -> None:
    listing = subprocess.run(
        ["ip", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True, check=True
    )
    there = set(re.findall(r"inet6? ([0-9a-f.:]+)", listing.stdout))
    found = addresses_here()
    assert set(found) <= there
    assert len(found) == len(set(found))
    first = {line.split()[1] for line in listing.stdout.splitlines() if " inet " in line}
    assert len([address for address in found if "." in address]) == len(first), "one for each interface"
    assert {address for address in there if ":" in address} == {address for address in found if ":" in address}
