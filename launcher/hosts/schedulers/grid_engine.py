"""What Grid Engine has given to a job. Pure.

Lines of the file PE_HOSTFILE are ``host slots queue processors``; a job with a parallel environment has that file. One
without has a single slot on the host where it runs: NSLOTS. A slot is a processor. The jobs of an array are independent
of each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from .allocation import Allocation, Read, allocated, bad, lines, number, number_in, sums


def allocation(environ: Mapping[str, str], read: Read, _: bool) -> Allocation | None:
    """Return what Grid Engine has given to this job; None: this is no job of Grid Engine. Raises BadHosts."""
    if "PE_HOSTFILE" not in environ:
        if not {"JOB_ID", "SGE_ROOT"} <= environ.keys():
            return None
        return allocated("Grid Engine", {"localhost": number_in(environ, "NSLOTS") or 1}, threads=1)
    pairs = []
    for line in lines(environ, "PE_HOSTFILE", read):
        host, *rest = line.split()
        try:
            pairs.append((host, number(rest[0] if rest else "")))
        except ValueError as error:
            raise bad(environ, "PE_HOSTFILE", f"the line {line!r} should be HOST SLOTS ...: {error}") from None
    return allocated("Grid Engine", sums(environ, "PE_HOSTFILE", pairs), threads=1)
