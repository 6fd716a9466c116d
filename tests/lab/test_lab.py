"""The laboratories do what tests of hosts rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .fixtures import namespaces, need
from .machines import Failed, Machine, below, name_of, wait_until
from .namespaces import NEEDS, Namespaces, Site
from .rootless import Rootless

pytestmark = pytest.mark.host

PORTS = """
import selectors, socket, sys, time
chosen, found = selectors.DefaultSelector(), {}
for word in sys.argv[1:]:
    host, port = word.rsplit(":", 1)
    dial = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    dial.setblocking(False)
    dial.connect_ex((host, int(port)))
    chosen.register(dial, selectors.EVENT_WRITE, word)
    found[word] = "silence"
deadline = time.monotonic() + 0.5
while chosen.get_map() and (left := deadline - time.monotonic()) > 0:
    for key, _ in chosen.select(left):
        chosen.unregister(key.fileobj)
        error = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        found[key.data] = "refused" if error else "open"
print(*found.values())
"""


def ports(lab: Namespaces, host: str, *words: str) -> list[str]:
    """Dial ports, host:port each, from a host: those that answer in time are open or refused."""
    return subprocess.run(
        lab.within(host, sys.executable, "-I", "-S", "-c", PORTS, *words), capture_output=True, text=True, timeout=20
    ).stdout.split()


def address(lab: Namespaces, host: str, port: int = 22) -> str:
    """A port of a host."""
    return f"{lab.machines[host].address}:{port}"


def test_every_host_answers_under_its_own_address(rootless: Rootless) -> None:
    seen = [rootless.run(host, "echo $SSH_CONNECTION").split()[2] for host in rootless.hosts]
    assert seen == ["127.0.1.1", "127.0.1.2", "127.0.1.3"]


def test_a_command_that_fails_says_so(rootless: Rootless) -> None:
    with pytest.raises(Failed, match="ended with 3: oh"):
        rootless.run("h1", "echo oh >&2; exit 3")


def test_daemons_are_seen_and_outlive_a_session_that_is_killed(rootless: Rootless) -> None:
    with subprocess.Popen(
        rootless.ssh("h2", "setsid sleep 600 & exec cat"), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as client:
        wait_until(lambda: len(rootless.processes("h2")) == 2, "cat and sleep run")
        before = rootless.processes("h2")
        rootless.kill_sessions("h2")
        assert client.wait(5) == 255
        wait_until(lambda: len(rootless.processes("h2")) == 1, "cat has ended")
        assert rootless.run("h2", "echo still here") == "still here\n"
    rootless.stop("h2")
    assert not any(os.path.exists(f"/proc/{pid}") for pid in before)
    with pytest.raises(Failed, match="refused"):
        rootless.run("h2", "true")
    rootless.start("h2")
    assert rootless.run("h2", "echo again") == "again\n"
    assert not rootless.processes("h2")


def test_an_inner_host_is_reached_through_its_access_host_and_hosts_may_differ(tmp_path: Path) -> None:
    need("sshd", "ssh", "ssh-keygen")
    hosts = [Machine("door"), Machine("inner", behind="door", force_command="echo for all")]
    began = time.monotonic()
    with Rootless(hosts, tmp_path / "lab") as lab:
        assert time.monotonic() - began < 3.0  # 0.1 s on a machine with nothing else to do
        assert lab.run("inner", "echo for me") == "for all\n"
        assert lab.logins("door") == 1
        lab.refuse("door")
        with pytest.raises(Failed, match="refused"):
            lab.run("inner", "true")


# --------------------------------------------------------------------------------------------------------- namespaces


def test_hosts_have_names_files_and_clocks_of_their_own(one_network: Namespaces, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print()")
    look = f"hostname; touch /tmp/mine; ls {tmp_path} {Path(__file__).parent} 2>/dev/null; cut -d. -f1 /proc/uptime"
    seen = [one_network.run(host, look).split() for host in one_network.hosts]
    assert [name for name, _ in seen] == ["h1", "h2", "h3"]
    assert len({int(uptime) // 86400 for _, uptime in seen}) == 3
    assert not os.path.exists("/tmp/mine")
    python = f"{sys.executable} -c 'import fedfutures, fedfutures_launcher'"
    assert one_network.run("h2", python) == ""


def test_the_origin_is_in_the_place_of_the_first_host(one_network: Namespaces) -> None:
    client = one_network.ssh("h2", "hostname; echo $SSH_CONNECTION")
    seen = subprocess.run(client, capture_output=True, text=True, timeout=20)
    assert seen.stdout.split()[:2] == ["h2", one_network.machines["h1"].address], seen.stderr
    with subprocess.Popen([*one_network.origin_prefix, "sleep", "600"]) as origin:
        wait_until(lambda: name_of(origin.pid) == "sleep", "the command has the pid that was started")
        origin.terminate()
        assert origin.wait(5) == -signal.SIGTERM


def test_a_host_that_is_cut_off_is_silent_until_it_is_healed(one_network: Namespaces) -> None:
    six = f"{one_network.address6('h2')}:22"
    assert ports(one_network, "h1", address(one_network, "h2"), six) == ["open", "open"]
    one_network.cut("h2")
    assert ports(one_network, "h1", address(one_network, "h2")) == ["silence"]
    one_network.heal("h2")
    assert ports(one_network, "h1", address(one_network, "h2")) == ["open"]


@pytest.mark.parametrize(("refusal", "seen"), [("drop", "silence"), ("reject", "refused")])
def test_all_ports_but_that_of_ssh_can_be_closed(one_network: Namespaces, refusal: str, seen: str) -> None:
    both = address(one_network, "h3"), address(one_network, "h3", 2222)
    assert ports(one_network, "h1", *both) == ["open", "refused"]
    one_network.only_ssh("h3", refusal)
    assert ports(one_network, "h1", *both) == ["open", seen]
    assert ports(one_network, "h3", f"127.0.0.1:{2222}") == ["refused"]
    one_network.any_port("h3")
    assert ports(one_network, "h1", *both) == ["open", "refused"]


def test_loss_of_power_is_silent_and_takes_all_that_was_written(one_network: Namespaces) -> None:
    one_network.run("h2", "setsid sleep 600 >/dev/null 2>&1 & echo hello >/root/note")
    with subprocess.Popen(one_network.within("h2", "sleep", "600")) as stays:
        wait_until(lambda: "sleep" in map(name_of, below(stays.pid)), "it runs")
        processes = one_network.processes("h2")
        one_network.power_off("h2")
        assert stays.wait(5) != 0
    assert not any(name_of(pid) for pid in processes)
    assert not one_network.processes("h2")
    assert ports(one_network, "h1", address(one_network, "h2")) == ["silence"]
    one_network.start("h2")
    assert ports(one_network, "h1", address(one_network, "h2")) == ["open"]
    assert one_network.run("h2", "ls /root/note 2>&1 || true").endswith("No such file or directory\n")


def test_a_gated_site_lets_in_ssh_to_its_access_host_only(two_sites: Namespaces) -> None:
    doors = [address(two_sites, "h3"), address(two_sites, "h3", 2222), address(two_sites, "h4")]
    assert ports(two_sites, "h1", *doors) == ["open", "silence", "silence"]
    assert ports(two_sites, "h4", address(two_sites, "h1"), address(two_sites, "h5")) == ["silence", "open"]
    before = two_sites.logins("h3")
    seen = subprocess.run(two_sites.ssh("h4", "hostname"), capture_output=True, text=True, timeout=20)
    assert seen.stdout == "h4\n", seen.stderr
    assert two_sites.logins("h3") == before + 1


def test_from_a_closed_site_only_the_access_host_gets_out(tmp_path: Path) -> None:
    sites = [Site(["h1"]), Site(["h2", "h3"], "closed", door="h2", refusal="reject")]
    with namespaces(lambda: Namespaces(sites, tmp_path / "lab")) as lab:
        assert ports(lab, "h1", address(lab, "h2"), address(lab, "h3")) == ["open", "refused"]
        assert ports(lab, "h2", address(lab, "h1")) == ["open"]
        assert ports(lab, "h3", address(lab, "h1"), address(lab, "h2")) == ["refused", "open"]


# ------------------------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize("kind", [[], ["--namespaces"]], ids=["rootless", "namespaces"])
def test_nothing_outlives_the_owner(kind: list[str]) -> None:
    need(*NEEDS, root=bool(kind))
    command = [sys.executable, "-m", "tests.lab", "-n", "2", *kind]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith("h1 h2 are up: ")
        processes = below(owner.pid)
        assert len(processes) >= 4
        owner.kill()
    wait_until(lambda: not any(name_of(pid) for pid in processes), "all processes have ended", 5.0)
