"""The processes of a run on the hosts of a laboratory, found from outside."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import machines
from tests.lab.namespaces import Namespaces

BROKER, CONNECTOR = "fedfut-broker", "fedfut-connect"
HOME = "h1"
"""The host in whose place the program runs."""


@dataclass
class Stage:
    """What faults are done to; `program` is the pid of the launched program."""

    lab: Namespaces
    program: int
    dice: random.Random
    busy: dict[str, float] = field(default_factory=dict)  # until when a host has a fault that lasts

    def processes(self, host: str) -> list[int]:
        """Return the pids of the run on a host."""
        if host == HOME:
            return [self.program, *machines.below(self.program)]
        return self.lab.processes(host)

    def workers(self, host: str) -> list[int]:
        """Return the Workers of a host."""
        return [pid for pid in self.processes(host) if _is_worker(machines.name_of(pid))]

    def brokers(self, host: str) -> list[int]:
        """Return the Brokers of a host."""
        return [pid for pid in self.processes(host) if machines.name_of(pid) == BROKER]

    def host_processes(self, host: str) -> list[int]:
        """Return the parents of Brokers and Workers."""
        return sorted({_parent(pid) for pid in (*self.brokers(host), *self.workers(host))} - {0, 1})

    def connector(self) -> list[int]:
        """Return the process that holds the ssh connections."""
        return [pid for pid in self.processes(HOME) if machines.name_of(pid) == CONNECTOR]

    def others(self) -> list[str]:
        """Return the hosts that ssh reaches, of which the laboratory has a process."""
        return [host for host in self.lab.hosts if host != HOME]

    def sizes(self) -> dict[str, int]:
        """Return the bytes of its own of each process that is the same from the beginning to the end, by its role."""
        named = {"program": [self.program], "connector": self.connector(), "host process": self.host_processes(HOME)}
        return {role: sum(map(_resident, pids)) for role, pids in named.items()}

    def ports(self, host: str) -> list[tuple[str, int]]:
        """Return where processes of the run listen on a host, but for ssh."""
        text = self.lab.run(host, "cat /proc/net/tcp")
        found = [line.split()[1] for line in text.splitlines()[1:] if line.split()[3] == "0A"]
        numbers = {int(place.rpartition(":")[2], 16) for place in found}
        return [(self.lab.machines[host].address, number) for number in sorted(numbers - {22})]


def alive(pids: Iterable[int]) -> list[int]:
    """Return those that have not ended."""
    return [pid for pid in pids if machines.name_of(pid)]


def _is_worker(name: str) -> bool:
    return name.startswith("fedfut-") and name not in (BROKER, CONNECTOR)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _resident(pid: int) -> int:
    """Return the bytes of its own that a process has in memory: not those of mapped values, which come and go."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("RssAnon")), 0)
