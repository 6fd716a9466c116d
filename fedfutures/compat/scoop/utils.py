"""``scoop.utils``: what programs and job scripts ask about hosts and processors."""

from __future__ import annotations

import itertools
import os
import re
import socket
from collections.abc import Iterable, Iterator
from typing import NoReturn

from ...host.system import processors

__all__ = [
    "KeyboardInterruptHandler", "externalHostname", "getCPUcount", "getDefaultHosts", "getEnv", "getHosts",
    "getHostsFromFile", "getHostsFromList", "getHostsFromPBS", "getHostsFromSGE", "getHostsFromSLURM", "getWorkerQte",
    "groupTogether", "isStr", "localHostnames", "loopbackReferences", "parseSLURM",
]  # fmt: skip

Hosts = list[tuple[str, int]]
"""Each host with its number of Workers; 0: as many as it has processors."""

loopbackReferences = ["127.0.0.1", "localhost", "::1"]
localHostnames = [*loopbackReferences, socket.gethostname(), socket.getfqdn().partition(".")[0]]
_BATCH = (("SLURM_NODELIST", "SLURM"), ("PBS_ENVIRONMENT", "PBS"), ("PE_HOSTFILE", "SGE"))
_COUNTS = ("SLURM_NTASKS", "PBS_NP", "NSLOTS")


def getCPUcount() -> int:
    """Return how many processors this process may use."""
    return processors()


def getEnv() -> str:
    """Return the batch system of this job: "SLURM", "PBS" or "SGE"; "other" outside of one."""
    return next((name for variable, name in _BATCH if variable in os.environ), "other")


def getHosts(filename: str | None = None, hostlist: Iterable[str] | None = None) -> Hosts:
    """Return the hosts of a file, else of a list, else of the batch job, else this one."""
    if filename:
        return getHostsFromFile(filename)
    if hostlist:
        return getHostsFromList(hostlist)
    of_job = {"SLURM": getHostsFromSLURM, "PBS": getHostsFromPBS, "SGE": getHostsFromSGE}
    return of_job.get(getEnv(), getDefaultHosts)()


def getHostsFromFile(filename: str) -> Hosts:
    """Return the hosts of a file: lines such as ``node1``, ``node1 8``, ``node1 worker=8`` or ``node[1-4]``."""
    found: Hosts = []
    with open(filename) as file:
        for line in file:
            if "[" in line:
                found += parseSLURM(line.strip())
            elif words := line.split():
                count = re.search(r"\d+", " ".join(words[1:]))
                found.append((words[0].partition("=")[0], int(count[0]) if count else 0))
    return found


def getHostsFromList(hostlist: Iterable[str]) -> Hosts:
    """Return the hosts of a list: one that is named twice has two Workers."""
    words = list(hostlist)
    if any("[" in word for word in words):
        return parseSLURM(",".join(words))
    return [(host, len(list(group))) for host, group in itertools.groupby(groupTogether(words))]


def getHostsFromSLURM() -> Hosts:
    """Return the hosts of the SLURM job."""
    return parseSLURM(os.environ["SLURM_NODELIST"])


def getHostsFromPBS() -> Hosts:
    """Return the hosts of the PBS job: words of a file, on one line or on several."""
    with open(os.environ["PBS_NODEFILE"]) as file:
        return getHostsFromList(file.read().split())


def getHostsFromSGE() -> Hosts:
    """Return the hosts of the Grid Engine job."""
    with open(os.environ["PE_HOSTFILE"]) as file:
        return [(words[0], int(words[1])) for line in file if (words := line.split())]


def getDefaultHosts() -> Hosts:
    """Return this machine, with a Worker for each processor."""
    return [("127.0.0.1", getCPUcount())]


def getWorkerQte(hosts: Iterable[tuple[str, int]]) -> int:
    """Return how many Workers to launch: as the batch job says, else the sum of the hosts'."""
    said = next((os.environ[name] for name in _COUNTS if name in os.environ), None)
    return int(said) if said is not None else sum(count for _, count in hosts)


def parseSLURM(string: str) -> Hosts:
    """Return the hosts of a list as SLURM writes it, with ``SLURM_TASKS_PER_NODE`` Workers each, else one.

    >>> parseSLURM("n[1-2,07],login")
    [('n1', 1), ('n2', 1), ('n07', 1), ('login', 1)]
    """
    hosts = [host for word in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", string) for host in _expanded(word)]
    counts: list[int] = []
    for spec in filter(None, os.environ.get("SLURM_TASKS_PER_NODE", "").split(",")):
        count = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", spec)
        if count is None:
            raise ValueError(f"SLURM_TASKS_PER_NODE has {spec!r}; it is written as in 2(x3),1")
        counts += [int(count[1])] * int(count[2] or 1)
    if counts and len(counts) != len(hosts):
        raise ValueError(f"SLURM_TASKS_PER_NODE is about {len(counts)} nodes, and {string!r} has {len(hosts)}")
    return list(zip(hosts, counts or [1] * len(hosts)))


def _expanded(word: str) -> Iterator[str]:
    before, bracket, rest = word.partition("[")
    if not bracket:
        yield word.strip()
        return
    inside, _, after = rest.partition("]")
    for part in inside.split(","):
        first, dash, last = part.partition("-")
        for number in range(int(first), int(last if dash else first) + 1):
            for end in _expanded(after):
                yield f"{before.strip()}{number:0{len(first)}d}{end}"


def groupTogether(in_list: Iterable[str]) -> list[str]:
    """Return the words with equal ones side by side, in the order of their first."""
    words = list(in_list)
    return sorted(words, key=words.index)


def externalHostname(hosts: Hosts) -> str:
    """Return the name of the first host as others know it."""
    first = hosts[0][0]
    return socket.getfqdn().partition(".")[0] if first in localHostnames and len(hosts) > 1 else first


def KeyboardInterruptHandler(signum: int, frame: object) -> NoReturn:
    """Raise KeyboardInterrupt, as the handler of a signal."""
    raise KeyboardInterrupt("Shutting down!")


def isStr(string: object) -> bool:
    """Whether this is a text."""
    return isinstance(string, str)
