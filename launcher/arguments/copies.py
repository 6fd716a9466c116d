"""Several copies of this command, as ``srun``, ``mpiexec`` and the like start them. Pure.

``srun python -m fedfutures prog.py`` in a job of 64 tasks would be 64 runs of the whole program. Each launcher tells
its copies how many they are, and which one each is.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LAUNCHERS = (
    # launcher, how many copies, which one
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    ("mpiexec", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("mpiexec", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    ("mpiexec", "PMI_SIZE", "PMI_RANK"),
    ("jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK"),
    ("flux run", "FLUX_JOB_SIZE", "FLUX_TASK_RANK"),
)


class MultipleStart(NamedTuple):
    """What has started several copies of this command."""

    launcher: str
    number: int | None  # None: it does not say
    first: bool  # whether this copy speaks for all


def copies(environ: Mapping[str, str], on_terminal: bool = False) -> MultipleStart | None:
    """Return what has started this command several times; None: it was started once.

    `on_terminal`: this process has a terminal. Then ``srun --pty`` has started one shell, in which somebody types.

    >>> copies({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"})
    MultipleStart(launcher='srun', number=4, first=False)
    >>> copies({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"})
    """
    for launcher, size, rank in LAUNCHERS:
        text = environ.get(size, "")
        if not (text.isascii() and text.isdigit()) or int(text) < 2:
            continue
        if launcher == "srun":
            if "SLURM_STEP_ID" not in environ or rank not in environ:  # the job script, or no process of the step
                continue
            if on_terminal and "SLURM_PTY_PORT" in environ and environ.get(rank, "0") == "0":
                return None
        return MultipleStart(launcher, int(text), environ.get(rank, "0") == "0")
    task = environ.get("PBS_TASKNUM", "1")
    if "PBS_JOBID" in environ and task not in ("", "0", "1"):  # the job's own shell is the first task
        return MultipleStart("pbsdsh", None, environ.get("PBS_VNODENUM", environ.get("PBS_NODENUM", "0")) == "0")
    return None


def refusal(found: MultipleStart, words: Sequence[str]) -> str:
    """Return the line that says what to run instead; `words` are those behind ``python -m fedfutures``.

    >>> refusal(MultipleStart("srun", 4, True), ["prog.py", "x"])  # doctest: +NORMALIZE_WHITESPACE
    'srun has started 4 copies of this command, and each would run the whole program; leave srun out, fedfutures starts
    the Workers by itself: python -m fedfutures prog.py x (for a run in each copy: --hosts localhost)'
    """
    command = shlex.join(["python", "-m", "fedfutures", *words])
    count = "several" if found.number is None else f"{found.number:,}"
    return (
        f"{found.launcher} has started {count} copies of this command, and each would run the whole program; leave "
        f"{found.launcher} out, fedfutures starts the Workers by itself: {command} (for a run in each copy: --hosts "
        f"localhost)"
    )
