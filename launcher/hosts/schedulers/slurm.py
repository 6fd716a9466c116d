"""What Slurm has given to a job. Pure.

Slurm names hosts in packed lists (``n[08-11,15]``) and counts in a run-length code (``16(x2),8``). The variables of the
**job** (SLURM_JOB_NODELIST, SLURM_JOB_CPUS_PER_NODE) stay what they are in all its steps. Those of **tasks**
(SLURM_NTASKS, SLURM_TASKS_PER_NODE) are those of the innermost step, once ``srun`` has started this process. So:

- In the job script, and under ``salloc``: all nodes of the job. A job that was asked for in tasks (-n,
  --ntasks-per-node) has one Worker for each, which has the processors of ``--cpus-per-task``. A job that was asked for
  in nodes or processors has one Worker for each processor, and so has a job of a single task (``-n1 -c16``): that task
  is the program itself. The components of a heterogeneous job count together.
- In a step of one task (``srun -n1 --pty bash``): all nodes of the job, too. The step hides how many tasks the job was
  asked for; with ``--cpus-per-task`` it can be worked out, else each processor has a Worker. An interactive step
  (``LaunchParameters=use_interactive_step``) hides nothing.
- In the shell of a step of several tasks (``srun -N2 -n4 --pty bash``): the nodes of the step, with a Worker for each
  of its tasks. One task on each node is what Slurm assumes when nobody says a number; then each processor has a Worker.
- In one of several copies: no hosts (:mod:`fedfutures_launcher.arguments.copies`).

Under ``salloc``, this machine may be none of the hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .allocation import MAX_HOSTS, Allocation, Read, allocated, bad, naming, number_in, some_of, sums

SPECIAL_STEPS = 0xFFFF_FFF0
"""Steps from this number on are none that a user's srun starts: job script, login, and the shell that ``salloc`` starts
where the site has set use_interactive_step (0xFFFFFFFA). Newer versions may name them by words."""
SIMULTANEOUS_THREADS = "/sys/devices/system/cpu/smt/active"
"""The kernel says 1 here if each core has several processors (hyperthreads)."""

NODE_LISTS = ("SLURM_JOB_NODELIST", "SLURM_NODELIST")

_REPEATED = re.compile(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


@dataclass(slots=True)
class _Component:
    """Nodes of a job, which has several components if it is heterogeneous."""

    variable: str  # which names the nodes
    nodes: list[str]
    processors: list[int] | None  # of each node; None: not known
    tasks: list[int] | None  # on each node; None: nobody has said a number
    each: int | None  # processors of each task: --cpus-per-task

    def forget_tasks(self) -> None:
        """The tasks are those of a step; work out those of the job, if that can be."""
        self.tasks = None
        if self.processors is not None and self.each is not None:
            self.tasks = [max(1, count // self.each) for count in self.processors]

    def workers(self, in_tasks: bool) -> list[int]:
        """Return how many Workers each node is to have. `in_tasks`: the tasks count, if they are known."""
        if self.tasks is not None and (in_tasks or self.processors is None):
            return self.tasks
        return self.processors or [1] * len(self.nodes)

    def threads(self, in_tasks: bool) -> int | None:
        """Return how many processors each Worker has."""
        if in_tasks and self.each is not None:
            return self.each
        if self.processors is None:
            return None
        return max(1, min(own // count for own, count in zip(self.processors, self.workers(in_tasks))))


def allocation(environ: Mapping[str, str], read: Read, on_terminal: bool) -> Allocation | None:
    """Return what Slurm has given to this job; None: this is no job of Slurm. Raises BadHosts."""
    if not {"SLURM_JOB_ID", "SLURM_JOBID"} & environ.keys():
        return None
    components = _components(environ)
    in_step = has_tasks_of_step(environ)
    unused = note = ""
    if in_step and environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        components, unused = _of_step(environ, components)
    elif in_step:
        for component in components:
            component.forget_tasks()
    in_tasks = _in_tasks(components, in_step)
    found: dict[str, int] = {}
    for component in components:
        counts = sums(environ, component.variable, zip(component.nodes, component.workers(in_tasks)))
        found |= {host: found.get(host, 0) + count for host, count in counts.items()}
    if in_step and not on_terminal:
        note = _of_one_task(environ, sum(found.values()))
    note = note or _of_processors(components, in_tasks, read)
    return allocated("Slurm", found, _least([component.threads(in_tasks) for component in components]), unused, note)


def _least(threads: list[int | None]) -> int | None:
    """Return the smallest number, since too many threads hinder each other; None: not all are known."""
    known = [each for each in threads if each is not None]
    return min(known) if known and len(known) == len(threads) else None


def has_tasks_of_step(environ: Mapping[str, str]) -> bool:
    """Whether the variables of tasks are those of the step in which this process runs, not those of the job."""
    step = environ.get("SLURM_STEP_ID", "")
    if not step.isdecimal() or int(step) >= SPECIAL_STEPS:
        return False
    tasks = environ.get("SLURM_TASKS_PER_NODE", "")
    return environ.get("SLURM_STEP_TASKS_PER_NODE", tasks) == tasks


def _components(environ: Mapping[str, str]) -> list[_Component]:
    """Return the components of the job; none: it names no nodes."""
    size = number_in(environ, "SLURM_HET_SIZE") or 0
    groups = [f"_HET_GROUP_{index}" for index in range(min(size, MAX_HOSTS))]
    found = [_component(environ, group) for group in groups] or [_component(environ, "")]
    return [component for component in found if component is not None]


def _component(environ: Mapping[str, str], group: str) -> _Component | None:
    """Return a component; `group`: how the names of its variables end."""
    variable = next((name + group for name in NODE_LISTS if name + group in environ), None)
    if variable is None:
        return None
    with naming(environ, variable):
        nodes = expand(environ[variable])
    processors, tasks = _counts(environ, f"SLURM_JOB_CPUS_PER_NODE{group}", variable, len(nodes)), None
    said = any(f"SLURM_{name}{group}" in environ for name in ("NTASKS", "NPROCS", "NTASKS_PER_NODE"))
    if (said or processors is None) and (group or not has_tasks_of_step(environ)):
        tasks = _counts(environ, f"SLURM_TASKS_PER_NODE{group}", variable, len(nodes))
    return _Component(variable, nodes, processors, tasks, number_in(environ, f"SLURM_CPUS_PER_TASK{group}"))


def _counts(environ: Mapping[str, str], variable: str, nodes: str, number: int) -> list[int] | None:
    if variable not in environ:
        return None
    with naming(environ, variable):
        counts = unpack(environ[variable])
    if len(counts) != number:
        raise bad(environ, variable, f"{len(counts)} nodes, but {nodes}={environ[nodes]!r} are {number}")
    return counts


def _of_step(environ: Mapping[str, str], components: list[_Component]) -> tuple[list[_Component], str]:
    """Return the nodes of the step as one component, and a line about the nodes of the job that stay idle."""
    variable = "SLURM_STEP_NODELIST"
    if variable not in environ:
        return components, ""
    with naming(environ, variable):
        nodes = expand(environ[variable])
    job = [node for component in components for node in component.nodes]
    known = {
        node: count
        for component in components
        for node, count in zip(component.nodes, component.processors or [])
    }  # fmt: skip
    idle = [node for node in job if node not in set(nodes)]
    unused = ""
    if idle:
        unused = (
            f"this step of Slurm has {len(nodes):,} of the {len(job):,} nodes of the job, so {some_of(idle)} "
            f"{'stays' if len(idle) == 1 else 'stay'} idle; the job script, or the shell of salloc, has all of them"
        )
    tasks = _counts(environ, "SLURM_STEP_TASKS_PER_NODE", variable, len(nodes))
    each = number_in(environ, "SLURM_CPUS_PER_TASK")
    processors = [known[node] for node in nodes] if known.keys() >= set(nodes) else None
    return [_Component(variable, nodes, processors, tasks, each)], unused


def _in_tasks(components: list[_Component], in_step: bool) -> bool:
    """Whether there is to be a Worker for each task: not for a single one, nor for what Slurm assumes in a step."""
    tasks = [count for component in components for count in component.tasks or ()]
    if any(component.tasks is None for component in components) or sum(tasks) == 1:
        return False
    return not (in_step and set(tasks) == {1})


def _of_one_task(environ: Mapping[str, str], workers: int) -> str:
    """Return a line for a step of one task, of which ``srun -n1`` may start several, that is to use the whole job."""
    own = environ.get("SLURM_CPUS_ON_NODE", "")
    if not own.isdecimal() or int(own) >= workers:
        return ""
    return (
        f"this step of Slurm has {own} of the {workers:,} processors of the job, and the Workers use all of them; "
        "for those of the step alone: --each"
    )


def _of_processors(components: list[_Component], in_tasks: bool, read: Read) -> str:
    """Return a line about processors without a Worker, and about ``--cpus-per-task`` where it can be meant two ways."""
    if any(component.processors is None for component in components):
        return ""
    have = sum(sum(component.processors or ()) for component in components)
    if not in_tasks:
        each = max(component.each or 1 for component in components)
        if each == 1 or have == 1:
            return ""
        return (
            f"--cpus-per-task={each} without several tasks: each of the {have:,} processors has a Worker; "
            f"for Workers of {each} processors: -n {max(1, have // each)}"
        )
    workers = sum(sum(component.tasks or ()) for component in components)
    used = sum(sum(component.tasks or ()) * (component.each or 1) for component in components)
    if have <= used * _processors_of_core(read):
        return ""
    return (
        f"a Worker for each of the {workers:,} tasks, which share the {have:,} processors of the job; "
        f"for a Worker on each processor: -n {have}"
    )


def _processors_of_core(read: Read) -> int:
    """Return how many processors Slurm gives to a task that wants one: it gives whole cores."""
    try:
        return 2 if read(SIMULTANEOUS_THREADS).strip() == "1" else 1
    except (OSError, ValueError):
        return 1


def expand(text: str) -> list[str]:
    """Return the hosts of Slurm's packed list. Raises ValueError.

    >>> expand("login,n[08-10,12],r[1-2]c[0-1]-ib")
    ['login', 'n08', 'n09', 'n10', 'n12', 'r1c0-ib', 'r1c1-ib', 'r2c0-ib', 'r2c1-ib']
    """
    return [host for item in _items(text) for host in _expand_one(item)]


def _items(text: str) -> Iterator[str]:
    """Yield the items of a list; commas in brackets do not separate them."""
    depth = begin = 0
    for index, character in enumerate(f"{text},"):
        depth += (character == "[") - (character == "]")
        if not 0 <= depth <= 1:
            raise ValueError("brackets do not match")
        if character == "," and (not depth or index == len(text)):
            if depth or index == begin:
                raise ValueError("brackets do not match" if depth else "a name is missing")
            yield text[begin:index]
            begin = index + 1


def _expand_one(item: str) -> list[str]:
    found = [""]
    for fixed, ranges in re.findall(r"([^\[\]]+)|\[([^\[\]]*)\]", item):
        endings = [fixed] if fixed else list(_numbers(ranges))
        if len(found) * len(endings) > MAX_HOSTS:
            raise ValueError(f"more than {MAX_HOSTS} hosts")
        found = [host + ending for host in found for ending in endings]
    return found


def _numbers(ranges: str) -> Iterator[str]:
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no number and no range")
        first, last = match[1], match[2] or match[1]
        if not 0 <= int(last) - int(first) < MAX_HOSTS:
            raise ValueError(f"{part!r} is no range of at most {MAX_HOSTS} hosts")
        for number in range(int(first), int(last) + 1):
            yield f"{number:0{len(first)}}"


def unpack(text: str) -> list[int]:
    """Return the numbers of Slurm's run-length code. Raises ValueError.

    >>> unpack("16(x3),8,2(x2)")
    [16, 16, 16, 8, 2, 2]
    """
    numbers: list[int] = []
    for item in text.split(","):
        match = _REPEATED.fullmatch(item.strip())
        if match is None or not int(match[1]):
            raise ValueError(f"{item!r} is no number, and no number(xTIMES)")
        times = int(match[2] or 1)
        if len(numbers) + times > MAX_HOSTS:
            raise ValueError(f"more than {MAX_HOSTS} hosts")
        numbers += [int(match[1])] * times
    return numbers
