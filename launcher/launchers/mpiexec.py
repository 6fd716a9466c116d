"""``mpiexec``, with the options that the MPI standard has (MPI 4.0, section 11.5): one process on one host.

Open MPI would bind a single process to one core, and with it all its Workers; MPICH and its kin bind nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..ssh.texts.failures import IN_A_SHELL
from .launcher import SHELL, Launcher

UNBOUND = {"OMPI_MCA_hwloc_base_binding_policy": "none", "PRTE_MCA_hwloc_default_binding_policy": "none"}


class Mpiexec(Launcher):
    """It starts no MPI program: only its way to other hosts is used."""

    name = "mpiexec"

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """As that of :class:`Launcher`."""
        return ["mpiexec", "-n", "1", "-host", host, *SHELL, command]

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """As that of :class:`Launcher`."""
        return {**environ, **UNBOUND}

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return f"mpiexec -n 1 -host {host}{IN_A_SHELL}"
