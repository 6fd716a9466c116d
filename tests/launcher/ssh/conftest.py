"""Hosts for the tests over ssh, and both clients, which leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import Machine, Rootless, machines
from lab.fixtures import need

from fedfutures_launcher.ssh.openssh_client import OpenSSHClient
from fedfutures_launcher.ssh.paramiko_client import ParamikoClient

Maker = Callable[..., "ParamikoClient | OpenSSHClient"]

MACHINES = [
    Machine("h1", host_keys=("ed25519", "ecdsa")),
    Machine("h2", behind="h1"),
    Machine("h3", behind="h2"),
    Machine("busy", max_startups="4:30:8"),
    Machine("narrow", lines=("AllowTcpForwarding no",)),
    Machine("inner", behind="narrow"),
    Machine(
        "factors",
        lines=("AuthenticationMethods publickey,keyboard-interactive",),
        earlier_lines=("KbdInteractiveAuthentication yes",),
    ),
    Machine("noisy", force_command='echo "You have mail."; exec sh -c "$SSH_ORIGINAL_COMMAND"'),
]


@pytest.fixture(scope="package")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootless]:
    """h1; h2 behind it and h3 behind h2; one that drops logins when there are many; one that greets.

    And one that lets no connection through to the one behind it, and one that wants two factors.
    """
    need("sshd", "ssh", "ssh-keygen", "ssh-agent", "ssh-add")
    with Rootless(MACHINES, tmp_path_factory.mktemp("ssh") / "lab") as lab:
        yield lab


@pytest.fixture(params=["paramiko", "openssh"])
def client(request: pytest.FixtureRequest, hosts: Rootless) -> Iterator[Maker]:
    """What makes a client; those it has made are closed, and have left no thread, descriptor or process."""
    made: list[ParamikoClient | OpenSSHClient] = []
    descriptors = len(os.listdir("/proc/self/fd"))
    threads, children = set(threading.enumerate()), set(machines.children(os.getpid()))

    def make(config: Path, policy: str = "reject") -> ParamikoClient | OpenSSHClient:
        if request.param == "paramiko":
            made.append(ParamikoClient(str(config), host_key_policy=policy))
        else:
            made.append(OpenSSHClient("ssh", str(config), host_key_policy=policy))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert set(machines.children(os.getpid())) <= children
    machines.wait_until(lambda: not clients_of(str(hosts.directory)), "ssh clients started by ssh clients have ended")


def clients_of(directory: str) -> list[str]:
    """Return the command lines of ssh clients that use keys, or a config, of this directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_text(errors="replace").split("\0")
            if words[0].rpartition("/")[2] == "ssh" and any(directory in word for word in words):
                found.append(" ".join(words))
    return found
