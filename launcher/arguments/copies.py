"""Several copies of this command, as ``srun``, ``mpiexec`` and the like start them. Pure.

``srun python -m fedfutures prog.py`` in a job of 64 tasks would be 64 runs of the whole program. Each launcher tells
its copies how many they are, and which one each is. The jobs of an array are no copies: each has its own work.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LAUNCHERS = (
    # launcher, how many copies, which one, how many of them on its host
    ("mpiexec", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("mpiexec", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_SIZE"),
    ("mpiexec", "PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS"),
    ("jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_SIZE"),
    ("flux run", "FLUX_JOB_SIZE", "FLUX_TASK_RANK", ""),
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", ""),
    ("mpiexec", "PMI_SIZE", "PMI_RANK", "PMI_LOCAL_SIZE"),
)
"""The innermost first: in a job of Slurm, mpiexec has srun start its daemons. But srun sets variables of PMI, too."""


class MultipleStart(NamedTuple):
    """What has started several copies of this command."""

    launcher: str
    number: int | None  # None: it does not say
    first: bool  # whether this copy speaks for all
    on_host: int | None = None  # how many copies this host has; None: it does not say


def copies(environ: Mapping[str, str], on_terminal: bool = False) -> MultipleStart | None:
    """Return what has started this command several times; None: it was started once.

    `on_terminal`: this process has a terminal. Then ``srun --pty`` has started one shell, in which somebody types.

    >>> copies({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"})
    MultipleStart(launcher='srun', number=4, first=False, on_host=None)
    >>> copies({"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"})
    """
    for launcher, size, rank, on_host in LAUNCHERS:
        number, here = _number(environ, size), _number(environ, on_host)
        if number is None or number < 2 or (on_host == "MPI_LOCALNRANKS" and here is None):
            continue
        if launcher == "srun":
            if "SLURM_STEP_ID" not in environ or rank not in environ:  # the job script, or no process of the step
                continue
            if on_terminal and "SLURM_PTY_PORT" in environ and environ[rank] == "0":
                return None
            here = _tasks_here(environ)
        return MultipleStart(launcher, number, environ.get(rank, "0") == "0", here)
    task = environ.get("PBS_TASKNUM", "1")
    if "PBS_JOBID" in environ and task not in ("", "0", "1"):  # the job's own shell is the first task
        return MultipleStart("pbsdsh", None, environ.get("PBS_VNODENUM", environ.get("PBS_NODENUM", "0")) == "0")
    task = environ.get("LSF_PM_TASKID", "1")
    if "LSB_JOBID" in environ and task not in ("", "0", "1"):  # an interactive job is the first one, too, so that runs
        return MultipleStart("blaunch", None, task == "2")
    return None


def share(environ: Mapping[str, str], found: MultipleStart | None, own: int, machine: int) -> int:
    """Return how many processors are those of this copy alone.

    `own`: how many it may use, by its affinity: all of its host's, unless its launcher binds it. `machine`: how many
    its host has for all copies, as far as no batch scheduler says it.

    >>> step = {"SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_CPUS_PER_TASK": "2"}
    >>> share(step, copies(step), own=64, machine=64), share(step, copies(step), own=1, machine=64)
    (2, 1)
    >>> share({}, MultipleStart("mpiexec", 8, True, on_host=4), own=64, machine=64)
    16
    >>> share({}, None, own=64, machine=64)
    64
    """
    most = own if own < machine else None  # not bound: what the batch scheduler says may be more than the host has
    part = _part(environ, found, machine)
    if part is None:  # nobody says how many copies share the host: one processor is never too many
        return most or 1
    return max(1, part if most is None else min(most, part))


def _part(environ: Mapping[str, str], found: MultipleStart | None, machine: int) -> int | None:
    """Return how many processors a copy has by what its launcher and its batch scheduler say."""
    of_srun = "SLURM_STEP_ID" in environ and (found is None or found.launcher == "srun")
    if of_srun and (each := _number(environ, "SLURM_CPUS_PER_TASK")):
        return each
    of_job = "SLURM_CPUS_ON_NODE" if "SLURM_JOB_ID" in environ else "NCPUS" if "PBS_JOBID" in environ else ""
    whole, slots = _number(environ, of_job) or machine, _slots(environ)
    if found is None:
        return whole if slots is None else slots
    if slots is not None and found.number is not None:
        return slots // found.number
    return None if found.on_host is None else whole // found.on_host


def exit_code(environ: Mapping[str, str], found: MultipleStart) -> int:
    """Return how a copy ends that is no run: as a shell without input, where ``srun --pty`` wants the first one alone.

    ``srun -n4 --pty COMMAND`` starts four copies, and gives a terminal to the first. What is started by ``srun`` in a
    shell of --pty cannot be told from it, but there the first copy ends with code 2.

    >>> step = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PTY_PORT": "41269"}
    >>> [exit_code(step, MultipleStart("srun", 4, first)) for first in (True, False)]
    [2, 0]
    """
    return 0 if found.launcher == "srun" and not found.first and "SLURM_PTY_PORT" in environ else 2


def refusal(found: MultipleStart, words: Sequence[str]) -> str:
    """Return the line that says what to run instead; `words` are those behind ``python -m fedfutures``.

    >>> refusal(MultipleStart("srun", 4, True), ["prog.py", "x"])  # doctest: +NORMALIZE_WHITESPACE
    '4 copies of this run: leave srun out, fedfutures starts the Workers by itself: python -m fedfutures prog.py x
    (for a run of its own in each copy: --each)'
    """
    command = shlex.join(["python", "-m", "fedfutures", *words])
    count = "several" if found.number is None else f"{found.number:,}"
    return (
        f"{count} copies of this run: leave {found.launcher} out, fedfutures starts the Workers by itself: {command} "
        "(for a run of its own in each copy: --each)"
    )


def _number(environ: Mapping[str, str], variable: str) -> int | None:
    text = environ.get(variable, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) else None


def _slots(environ: Mapping[str, str]) -> int | None:
    """Return how many slots this job of Grid Engine or LSF has; a slot is a processor. None: this is no such job."""
    if "LSB_JOBID" in environ:
        return _number(environ, "LSB_DJOB_NUMPROC")
    if "JOB_ID" in environ and "SGE_ROOT" in environ:
        return _number(environ, "NSLOTS")  # on the hosts that qrsh reaches, one
    return None


def _tasks_here(environ: Mapping[str, str]) -> int | None:
    """Return how many tasks of a step of Slurm this node has: SLURM_GTIDS lists their numbers."""
    return len(environ["SLURM_GTIDS"].split(",")) if environ.get("SLURM_GTIDS") else None
