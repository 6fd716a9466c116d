"""How hosts are logged in to."""

from __future__ import annotations

import sys

from fedfutures import Hosts
from fedfutures_launcher.connector.access import Ways, by_hand, remote_target, ssh_client
from fedfutures_launcher.hosts.words import from_word
from fedfutures_launcher.ssh.openssh_client import OpenSSHClient
from fedfutures_launcher.ssh.paramiko_client import ParamikoClient
from fedfutures_launcher.ssh.texts.command import attach_command

from .requests import request_of


def test_a_command_by_hand_goes_the_way_that_the_run_goes() -> None:
    request = request_of("ann@tower.lab.org:2222", "b", ssh_config="/c d")
    tower, b = request.hosts
    assert by_hand(tower, request) == "ssh -F '/c d' -p 2222 ann@tower.lab.org"
    b.site = "tower.lab.org"
    assert by_hand(b, request) == "ssh -F '/c d' -J ann@tower.lab.org:2222 b"
    assert by_hand(from_word("c"), request_of("c", ssh_executable="/opt/ssh")) == "/opt/ssh c"


def test_the_client_that_is_asked_for() -> None:
    for hosts, kind in ((Hosts(), ParamikoClient), (Hosts(ssh_executable="ssh -4"), OpenSSHClient)):
        client = ssh_client(hosts)
        assert isinstance(client, kind)
        client.close()


def test_the_ways_to_a_host_in_a_job() -> None:
    request = request_of("n1", "ann@n2", "n3")
    request.launchers, request.scheduler = ["srun", "ssh"], "Slurm"
    ways = Ways(request)
    n1, n2, n3 = request.hosts
    n3.site = "n1"
    assert [(way.name, way.by_hand) for way in ways.to(n1)] == [
        ("srun", """srun --overlap -N1 -n1 -w n1 sh -c 'eval "$*"' -"""), ("ssh", "ssh n1"),
    ]  # fmt: skip
    assert [[way.name for way in ways.to(host)] for host in (n2, n3)] == [["ssh"], ["ssh"]]
    assert len({way.client for host in (n1, n2, n3) for way in ways.to(host)}) == 2, "one for each launcher"
    assert ways.to(n2)[0].client.seconds == 28.5
    ways.close()


def test_the_way_by_a_command() -> None:
    request = request_of("n1", launcher="/opt/my run {host}")
    request.launchers = ["/opt/my run {host}"]
    ways = Ways(request)
    (way,) = ways.to(request.hosts[0])
    assert (way.name, way.by_hand) == ("my", "/opt/my run n1")
    ways.close()


def test_the_way_to_a_host_behind_others() -> None:
    request = request_of("a", "ann@b:22", "c")
    a, b, c = request.hosts
    b.site, c.site = a.name, b.name
    target = remote_target(c, request)
    assert target.command
    found = []
    while target is not None:
        found.append((target.host, target.user, target.port))
        target = target.jump  # type: ignore[assignment]
    assert found == [("c", None, None), ("b", "ann", 22), ("a", None, None)]


def test_the_command_is_that_of_the_hosts_options() -> None:
    request = request_of("a")
    (a,) = request.hosts
    assert sys.executable in remote_target(a, request).command
    a.options = Hosts(python="/py", prolog="/env.sh", pythonpath=["/lib"])
    command = remote_target(a, request).command
    assert all(word in command for word in ("/py", "/env.sh", "/lib"))
    assert sys.executable not in command
    assert remote_target(a, request, "/run").command == attach_command(["/py"], "/run", "/env.sh", pythonpath=["/lib"])
