"""What PBS or Torque has given to a job. Pure.

The file PBS_NODEFILE names a host in each line, once for each Worker; sites and tools also write several hosts into a
line, ``h1,h2``, vnodes, ``h1[0]``, and counts, ``h1:4`` or ``h1:ncpus=4``. A file that names each host once often says
nothing about Workers: PBS does so where a job was asked for without mpiprocs, and some sites remove the repeats. Then a
host has a Worker for each of its processors: PBS_NUM_PPN of Torque, NCPUS of PBS, or its part of PBS_NP, the first of
them that is set. NCPUS is that of the first host; PBS says it of no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .allocation import Allocation, Read, allocated, bad, lines, number, number_in, sums

_ENTRY = re.compile(r"([^:\[\]]+)(?:\[[0-9]+\])?(?::(?:(?:ncpus|ppn|mpiprocs)=)?([0-9]+))?(?::[a-z_]+=[^:]*)*")


def allocation(environ: Mapping[str, str], read: Read, _: bool) -> Allocation | None:
    """Return what PBS has given to this job; None: this is no job of PBS. Raises BadHosts."""
    if "PBS_NODEFILE" not in environ:
        return Allocation("PBS", []) if "PBS_JOBID" in environ else None
    entries = [_entry(environ, word) for line in lines(environ, "PBS_NODEFILE", read) for word in entries_of(line)]
    if not entries:
        raise bad(environ, "PBS_NODEFILE", "the file names no hosts")
    hosts = sums(environ, "PBS_NODEFILE", [(host, count or 1) for host, count in entries])
    processors = _processors(environ, len(hosts))
    if set(hosts.values()) != {1} or any(count for _, count in entries):
        first = next(iter(hosts.values()))
        return allocated("PBS", hosts, processors and max(1, processors // first))
    if processors is None or processors == 1:
        return allocated("PBS", hosts, processors)
    note = (
        f"PBS names each host once, with {processors} processors: each processor has a Worker (mpiprocs= says another "
        f"number); for one Worker on each host: -n {len(hosts)}"
    )
    return allocated("PBS", dict.fromkeys(hosts, processors), 1, note=note)


def entries_of(text: str) -> list[str]:
    """Return the entries of a file of nodes, or of a line of it.

    >>> entries_of("h1,h2[0]\\nh3:4")
    ['h1', 'h2[0]', 'h3:4']
    """
    return text.replace(",", " ").split()


def _entry(environ: Mapping[str, str], word: str) -> tuple[str, int | None]:
    """Return the host of an entry, and its count if it says one."""
    found = _ENTRY.fullmatch(word)
    if found is None:
        raise bad(environ, "PBS_NODEFILE", f"{word!r} is no host name")
    try:
        return found[1], None if found[2] is None else number(found[2])
    except ValueError as error:
        raise bad(environ, "PBS_NODEFILE", f"{word!r}: {error}") from None


def _processors(environ: Mapping[str, str], hosts: int) -> int | None:
    """Return how many processors of each host are the job's; None: nobody says."""
    each = number_in(environ, "PBS_NUM_PPN") or number_in(environ, "NCPUS")
    if each is None and (total := number_in(environ, "PBS_NP")) is not None and total % hosts == 0:
        each = total // hosts
    return each
