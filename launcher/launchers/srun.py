"""Slurm's ``srun``: a step of the job on one of its nodes, in its memory and CPU accounting. Source: srun(1)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from ..hosts.schedulers.slurm import expand
from ..ssh.texts.failures import IN_A_SHELL
from .launcher import SHELL, Launcher

KEPT = frozenset({"SLURM_CLUSTERS", "SLURM_CONF", "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_WORKING_CLUSTER"})
"""All other variables of Slurm describe the job's own steps; srun would take many of them for its options."""

_RESOURCES = re.compile(r" Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(\S*)")
_INDEX = re.compile(r"\(IDX:[^)]*\)")


class Srun(Launcher):
    """``--overlap``: the step shares the node with the job's script and with other steps.

    ``--unbuffered``: what comes out is passed on at once, and not when the line is full.
    """

    name = "srun"
    scheduler = "Slurm"

    def question(self, environ: Mapping[str, str]) -> list[str]:
        """Ask what GPUs the job has on each node: of ``--gpus`` a step gets none unless it says how many it wants."""
        has_gpus = "SLURM_JOB_GPUS" in environ or any(name.startswith("SLURM_GPUS") for name in environ)
        return ["scontrol", "show", "job", "-d", "-o", environ.get("SLURM_JOB_ID", "")] if has_gpus else []

    def words(self, host: str, command: str, environ: Mapping[str, str], answer: str = "") -> list[str]:
        """As that of :class:`Launcher`."""
        options = ["--overlap", "--nodes=1", "--ntasks=1", f"--nodelist={host}", "--unbuffered", "--mpi=none"]
        return ["srun", *_group_of(host, environ), *_devices_of(host, answer), *options, *SHELL, command]

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """As that of :class:`Launcher`."""
        ours = ("SLURM_", "SRUN_", "SLURMD_")
        found = {name: value for name, value in environ.items() if name in KEPT or not name.startswith(ours)}
        return {**found, "SLURM_CPU_BIND": "none"}

    def by_hand(self, host: str) -> str:
        """As that of :class:`Launcher`."""
        return f"srun --overlap -N1 -n1 -w {host}{IN_A_SHELL}"


def _devices_of(host: str, answer: str) -> list[str]:
    """Return the option that asks for all generic resources that the job has on a host; [] where nothing says so."""
    for nodes, resources in _RESOURCES.findall(answer):
        with contextlib.suppress(ValueError):
            if host in expand(nodes):
                return [f"--gres={_INDEX.sub('', resources) or 'none'}"]
    return []


def _group_of(host: str, environ: Mapping[str, str]) -> list[str]:
    """Return the option that names the component of a heterogeneous job to which a host belongs, if it needs one."""
    size = environ.get("SLURM_HET_SIZE", "")
    for group in range(1, int(size) if size.isdigit() else 0):
        with contextlib.suppress(ValueError):
            if host in expand(environ.get(f"SLURM_JOB_NODELIST_HET_GROUP_{group}", "")):
                return [f"--het-group={group}"]
    return []
