"""Slurm's ``srun``: a step of the job on one of its nodes, in its memory and CPU accounting. Source: srun(1)."""

from __future__ import annotations

from collections.abc import Mapping

from .launcher import SHELL, Launcher

KEPT = frozenset({"SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID"})
"""All other variables of Slurm describe the job's own steps; srun would take many of them for its options."""


class Srun(Launcher):
    """``--overlap``: the step shares the node with the job's script and with other steps."""

    name = "srun"
    scheduler = "Slurm"

    def words(self, host: str, command: str) -> list[str]:
        """As that of :class:`Launcher`."""
        options = ["--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={host}", "--cpu-bind=none", "--mpi=none"]
        return ["srun", *options, *SHELL, command]

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """As that of :class:`Launcher`."""
        ours = ("SLURM_", "SRUN_", "SLURMD_")
        return {name: value for name, value in environ.items() if name in KEPT or not name.startswith(ours)}

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return f"srun --overlap -N1 -n1 -w {host}"
