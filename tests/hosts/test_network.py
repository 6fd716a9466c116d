"""Hosts with networks, files and clocks of their own: firewalls, power loss, cables, other addresses."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from lab.machines import wait_until

from . import programs
from .test_ends import heard, nothing_left, one_client

pytestmark = pytest.mark.host

CENSUS = Path(__file__).parents[2] / "docs" / "examples" / "stdlib_census.py"


def tables(text):
    """What a census prints but for times."""
    return [line for line in text.splitlines() if " s" not in line and "times" not in line]


@one_client
def test_a_census_is_the_same_on_three_hosts_as_on_one(network):
    census = network.write("census.py", CENSUS.read_text())
    ended = network.launch("-n", "6", census, "--files", "60")
    assert ended.code == 0, ended.err
    alone = network.launch("-n", "2", census, "--files", "60", hosts=["localhost"])
    assert len(tables(ended.out)) > 10
    assert tables(ended.out) == tables(alone.out)


@pytest.mark.parametrize(("client", "refusal"), [("paramiko", "drop"), ("openssh", "reject")])
def test_with_all_ports_but_ssh_closed(network, refusal):
    for host in network.hosts:
        network.lab.only_ssh(host, refusal)
    try:
        prog = network.write("prog.py", programs.CENSUS_OF_WORKERS)
        ended = network.launch("-n", "6", "-v", prog, "3")
        assert ended.out.splitlines() == ["size 6", "hosts h1 h2 h3"], ended.err
        for host in ("h2", "h3"):
            assert f"link h1.broker -> {host}.broker goes through the ssh connection" in ended.err
            assert f"link h1.broker -> {host}.broker is up, through ssh" in ended.err
    finally:
        for host in network.hosts:
            network.lab.any_port(host)


@one_client
def test_a_host_that_loses_power_loses_nothing(network):
    prog = network.write("prog.py", programs.LONG)
    process = network.start("-n", "6", prog, "200")
    heard(process, "under way")
    network.lab.power_off("h3")
    try:
        ended = network.finish(process)
        assert ended.out == "done 200\n", ended.err
    finally:
        network.lab.start("h3")


@one_client
def test_a_host_that_reboots_takes_part_again(network):
    prog = network.write("prog.py", programs.LONG)
    process = network.start("-n", "6", prog, "400")
    heard(process, "under way")
    network.lab.stop("h3")
    network.lab.start("h3")
    ended = network.finish(process)
    assert ended.out == "done 400\n", ended.err
    assert "host h3: started again" in ended.err


@one_client
def test_a_cable_that_is_pulled_for_a_while(network):
    prog = network.write("prog.py", programs.LONG)
    process = network.start("-n", "6", prog, "250")
    heard(process, "under way")
    network.lab.cut("h2")
    time.sleep(4)
    network.lab.heal("h2")
    ended = network.finish(process)
    assert ended.out == "done 250\n", ended.err


@one_client
def test_a_program_that_is_killed_leaves_nothing_on_the_network(network):
    prog = network.write("prog.py", programs.DAEMONS)
    process = network.start("-n", "6", prog)
    heard(process, "66")
    wait_until(lambda: len(network.left()) > 12, "the daemons are there")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    nothing_left(network)


@one_client
def test_hosts_by_their_ipv6_addresses(network):
    prog = network.write("prog.py", programs.CENSUS_OF_WORKERS)
    address = network.lab.address6("h2")
    ended = network.launch("-n", "2", "-v", "--host-key-policy", "accept-new", prog, "2", hosts=["localhost", address])
    assert ended.out.splitlines()[0] == "size 2", ended.err
    assert address in ended.out
    assert "is up" in ended.err
    assert "through ssh" not in ended.err
