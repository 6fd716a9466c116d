"""What PBS or Torque has given to a job. Pure.

Each line of the file PBS_NODEFILE names a host, once for each Worker. PBS_NUM_PPN, which Torque sets, counts only if
the file names each host once.
"""

from __future__ import annotations

from collections.abc import Mapping

from .allocation import Allocation, Read, allocated, lines, number_in, sums


def allocation(environ: Mapping[str, str], read: Read, _: bool) -> Allocation | None:
    """Return what PBS has given to this job; None: this is no job of PBS. Raises BadHosts."""
    if "PBS_NODEFILE" not in environ:
        return Allocation("PBS", []) if "PBS_JOBID" in environ else None
    hosts = sums(environ, "PBS_NODEFILE", ((host, 1) for host in lines(environ, "PBS_NODEFILE", read)))
    if set(hosts.values()) == {1} and (each := number_in(environ, "PBS_NUM_PPN")):
        hosts = dict.fromkeys(hosts, each)
    return allocated("PBS", hosts)
