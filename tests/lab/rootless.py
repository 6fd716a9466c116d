"""Hosts for every user: one sshd on each of 127.0.1.1, 127.0.1.2 and so on, all on one free port.

Every sshd stands below a keeper of its own (`keeper.py`), so the processes of a host are those below its keeper, even
where they have made themselves daemons, and closing the keeper's standard input ends them all. Whoever logs in does so
as the calling user, with the same home and files on every host: what sets the hosts apart is their addresses and keys.
A host behind another one is reached through it only because the ssh config says so; `logins` of the access host tells
whether a client has gone that way.
"""

from __future__ import annotations

import os
import random
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import machines
from .machines import Failed, Hosts, Machine

KEEPER = str(Path(__file__).with_name("keeper.py"))
PORTS = range(10_000, 30_000)  # below those that the kernel gives to whoever dials out
TRIES = 20


class Rootless(Hosts):
    """A laboratory of hosts h1, h2 ... on loopback addresses; comes up when made, and `close` leaves no process.

    `hosts` may be a number, or Machines for hosts that differ. `config` is the ssh config that reaches them.
    """

    def __init__(self, hosts: int | Sequence[Machine], directory: Path) -> None:
        sshd = machines.program("sshd")
        if sshd is None:
            raise Failed("there is no sshd: install openssh-server")
        self._sshd = sshd
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        wanted = [Machine(f"h{number + 1}") for number in range(hosts)] if isinstance(hosts, int) else hosts
        self.machines = {machine.name: machine for machine in wanted}
        self.directory = directory
        self.config = directory / "config"
        self.known_hosts = directory / "known_hosts"
        self.key = directory / "id_ed25519"
        self._keepers: dict[str, subprocess.Popen[bytes]] = {}
        self._lay_out()
        try:
            self._come_up()
        except BaseException:
            self.close()
            raise

    def _lay_out(self) -> None:
        keys = [(self.key, "ed25519")]
        for number, machine in enumerate(self.machines.values(), 1):
            machine.address = f"127.0.1.{number}"
            (self.directory / machine.name).mkdir(parents=True)
            keys += [(self.directory / machine.name / kind, kind) for kind in machine.host_keys]
        machines.make_keys(keys)

    def _come_up(self) -> None:
        for _ in range(TRIES):
            port = random.choice(PORTS)
            if all(_is_free(machine.address, port) for machine in self.machines.values()):
                for machine in self.machines.values():
                    machine.port = port
                self._write()
                try:
                    return self._start(self.hosts)
                except Failed as error:
                    if "in use" not in str(error):
                        raise
                    self.close()
        raise Failed(f"no port was free on all of {', '.join(m.address for m in self.machines.values())}")

    def _write(self) -> None:
        for machine in self.machines.values():
            path = self.directory / machine.name / "sshd_config"
            path.write_text(machines.sshd_config(machine, self.directory))
        self.config.write_text(machines.ssh_config(self.machines.values(), self.directory))
        self.known_hosts.write_text(machines.known_hosts(self.machines.values(), self.directory))

    def _start(self, hosts: Sequence[str]) -> None:
        for host in hosts:
            own = self.directory / host
            command = [sys.executable, "-I", "-S", KEEPER, self._sshd, "-D", "-e", "-f", str(own / "sshd_config")]
            with open(own / "log", "ab") as log:
                self._keepers[host] = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
        for host in hosts:
            said = self._said(self._keepers[host])
            if said != "up":
                raise Failed(f"sshd of {host}: {said}")

    def _said(self, keeper: subprocess.Popen[bytes]) -> str:
        assert keeper.stdout is not None
        if not select.select([keeper.stdout], [], [], machines.LIMIT_SECONDS)[0]:
            return "silence"
        return keeper.stdout.readline().decode().strip() or "its keeper ended"

    # ------------------------------------------------------------------------------------------------------ up and down

    def start(self, host: str) -> None:
        """Bring a host up that was stopped, at its old address and with its old keys."""
        if host in self._keepers:
            raise Failed(f"{host} is up")
        self._start([host])

    def stop(self, host: str) -> None:
        """Take a host down: everything on it ends at once, and connections to it are refused."""
        keeper = self._keepers.pop(host)
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdin.close()
        keeper.stdout.close()
        keeper.wait(machines.LIMIT_SECONDS)

    def close(self) -> None:
        """End everything on all hosts; the directory stays."""
        for keeper in self._keepers.values():
            assert keeper.stdin is not None
            keeper.stdin.close()
        for host in list(self._keepers):
            self.stop(host)

    def _below(self, host: str) -> list[int]:
        keeper = self._keepers.get(host)
        return machines.below(keeper.pid) if keeper is not None else []

    def _log(self, host: str) -> Path:
        return self.directory / host / "log"

    # -------------------------------------------------------------------------------------------------------------- use

    def ssh(self, host: str, command: str) -> list[str]:
        """Return the arguments of an OpenSSH client that runs a command on a host."""
        return ["ssh", "-F", str(self.config), "-T", "-o", "BatchMode=yes", host, command]

    def run(self, host: str, command: str, seconds: float = machines.LIMIT_SECONDS) -> str:
        """Run a shell command on a host; return what it prints. Raises Failed if it fails."""
        return machines.output(self.ssh(host, command), f"{command!r} on {host}", seconds)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
