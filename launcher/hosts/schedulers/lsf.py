"""What LSF has given to a job. Pure.

Each line of the file LSB_DJOB_HOSTFILE names a host, once for each slot. Without the file, LSB_MCPU_HOSTS counts,
``h1 4 h2 8``; without that LSB_HOSTS, which LSF does not set for large jobs. A job that names no hosts has this one,
with LSB_DJOB_NUMPROC slots. Lines of the file LSB_AFFINITY_HOSTFILE say which processors each slot has,
``h1 0,1,2,3``. The jobs of an array are independent of each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..spec import BadHosts
from .allocation import Allocation, Read, allocated, lines, naming, number, number_in, sums

VARIABLES = ("LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS", "LSB_HOSTS")


def allocation(environ: Mapping[str, str], read: Read, _: bool) -> Allocation | None:
    """Return what LSF has given to this job; None: this is no job of LSF. Raises BadHosts."""
    counts = _counts(environ, read)
    if counts:
        return allocated("LSF", counts, _threads(environ, read))
    if "LSB_JOBID" not in environ:
        return None
    slots = number_in(environ, "LSB_DJOB_NUMPROC") or number_in(environ, "LSB_MAX_NUM_PROCESSORS")
    return Allocation("LSF", []) if slots is None else allocated("LSF", {"localhost": slots}, threads=1)


def _threads(environ: Mapping[str, str], read: Read) -> int:
    """Return how many processors each slot has at least: one, unless LSF says more."""
    try:
        words = [line.split() for line in lines(environ, "LSB_AFFINITY_HOSTFILE", read)]
    except (KeyError, BadHosts):  # only jobs with affinity[] have one, and only its first host can read it
        return 1
    lists = [line[1].split(",") for line in words if len(line) > 1]
    return min(map(len, lists)) if lists and len(lists) == len(words) else 1


def _counts(environ: Mapping[str, str], read: Read) -> dict[str, int]:
    variables = [name for name in VARIABLES if name in environ]
    if variables[:1] == ["LSB_DJOB_HOSTFILE"]:
        try:
            hosts = lines(environ, "LSB_DJOB_HOSTFILE", read)
            return sums(environ, "LSB_DJOB_HOSTFILE", ((host, 1) for host in hosts))
        except BadHosts:
            if not variables[1:]:
                raise
    if "LSB_MCPU_HOSTS" not in environ:
        return sums(environ, "LSB_HOSTS", ((host, 1) for host in environ.get("LSB_HOSTS", "").split()))
    words = environ["LSB_MCPU_HOSTS"].split()
    with naming(environ, "LSB_MCPU_HOSTS"):
        if not words or len(words) % 2:
            raise ValueError("should be HOST SLOTS HOST SLOTS ...")
        pairs = [(host, number(slots)) for host, slots in zip(words[::2], words[1::2])]
    return sums(environ, "LSB_MCPU_HOSTS", pairs)
