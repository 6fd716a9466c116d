"""Hosts with networks, files and clocks of their own: firewalls, power loss, cables, other addresses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from lab.machines import wait_until

from . import programs
from .test_ends import heard, nothing_left, one_client

pytestmark = pytest.mark.host

CENSUS = Path(__file__).parents[2] / "docs" / "examples" / "stdlib_census.py"


class Told:
    """Reads a stream in a thread, and waits for a line."""

    def __init__(self, stream, line):
        self.text, self.line, self.found = "", line, threading.Event()
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        with stream:
            for line in stream:
                self.text += line
                if self.line in line:
                    self.found.set()

    def appears(self, seconds):
        return self.found.wait(seconds)


def tables(text):
    """What a census prints but for times."""
    return [line for line in text.splitlines() if " s" not in line and "times" not in line]


@pytest.mark.fault("D14")
@one_client
def test_a_census_is_the_same_on_three_hosts_as_on_one(network):
    census = network.write("census.py", CENSUS.read_text())
    ended = network.launch("-n", "6", census, "--files", "60")
    assert ended.code == 0, ended.err
    alone = network.launch("-n", "2", census, "--files", "60", hosts=["localhost"])
    assert len(tables(ended.out)) > 10
    assert tables(ended.out) == tables(alone.out)


@pytest.mark.fault("E15")
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
def test_a_link_leaves_ssh_when_its_ports_can_be_reached(network):
    """Values are under way both ways when it does."""
    network.lab.only_ssh("h2", "drop")
    try:
        prog = network.write("prog.py", programs.BYTES_BOTH_WAYS)
        process = network.start("-n", "4", "-v", prog, hosts=["h1", "h2"])
        heard(process, "h2")
    finally:
        network.lab.any_port("h2")
    link = "link h1.broker -> h2.broker"
    stream, process.stderr = process.stderr, None
    told = Told(stream, f"{link} has left the ssh connection: its ports work")
    assert told.appears(50.0), told.text
    process.send_signal(signal.SIGUSR1)
    out, _ = process.communicate(timeout=30)
    told.thread.join(10)
    assert f"{link} is up, through ssh" in told.text
    assert out.splitlines()[-1].endswith(" right, 0 wrong"), told.text


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


@pytest.mark.fault("E16")
@one_client
def test_a_host_that_reboots_takes_part_again(network):
    prog = network.write("prog.py", programs.UNTIL_TOLD)
    process = network.start("-n", "6", prog, f"{network.directory}/enough")
    heard(process, "under way")
    network.lab.stop("h3")
    network.lab.start("h3")
    said = network.read_until(process, "host h3: started again")
    network.write("enough", "")
    ended = network.finish(process)
    assert ended.out == "all right\n", said + ended.err


@pytest.mark.fault("D5")
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


@pytest.mark.fault("E15")
@one_client
def test_hosts_by_their_ipv6_addresses(network):
    prog = network.write("prog.py", programs.CENSUS_OF_WORKERS)
    address = network.lab.address6("h2")
    ended = network.launch("-n", "2", "-v", "--host-key-policy", "accept-new", prog, "2", hosts=["localhost", address])
    assert ended.out.splitlines()[0] == "size 2", ended.err
    assert address in ended.out
    assert "is up" in ended.err
    assert "through ssh" not in ended.err


LATE = """
import time
from fedfutures import futures, worker
from fedfutures.errors import TaskTimeout

def late(seconds):
    time.sleep(seconds)
    return worker.name

def guarded(seconds):
    try:
        return "returned from " + futures.options(time_limit=0.5).submit(late, seconds).result()
    except TaskTimeout as error:
        return f"{error.call} on {error.host}"

if __name__ == "__main__":
    found = list(futures.map(late, [0.1, 30] * 6, time_limit=0.5, return_exceptions=True))
    print(sum(isinstance(one, str) for one in found), sum(isinstance(one, TaskTimeout) for one in found))
    print("hosts", *sorted({one.host for one in found if isinstance(one, TaskTimeout)}))
    print(*sorted({one.rpartition(" ")[0] for one in futures.map(guarded, [30] * 6, chunksize=1)}))
"""


@one_client
def test_time_limits_hold_on_other_hosts(network):
    ended = network.launch("-n", "3", network.write("prog.py", LATE))
    assert ended.out.splitlines() == ["6 6", "hosts h1 h2 h3", "late(30) on"], ended.out + ended.err


@one_client
def test_the_report_names_a_slow_link(network):
    network.lab.run("h3", "tc qdisc add dev eth0 root tbf rate 4mbit burst 32kbit latency 400ms")
    try:
        prog = network.write("prog.py", programs.LARGE_RESULTS)
        trace = str(Path(network.directory) / "run.json")
        ended = network.launch("-n", "6", "--trace", trace, prog, "600")
        assert (ended.code, ended.out) == (0, "600\n"), ended.err
    finally:
        network.lab.run("h3", "tc qdisc del dev eth0 root")
    words = [*network.prefix, sys.executable, "-m", "fedfutures", "report", trace]
    report = subprocess.run(words, capture_output=True, text=True, timeout=60.0, check=True).stdout
    assert report.splitlines()[2].startswith("1. slow link: "), report
    assert "Workers of h3 were busy" in report
