"""The hosts that a batch scheduler has given to this job, from its environment. Pure.

They count when the user names no hosts. By scheduler:

- **Slurm** names hosts in SLURM_JOB_NODELIST, packed (``n[08-11,15]``). The number of Workers depends on the request. A
  job requested in tasks (-n, --ntasks-per-node) has one Worker for each task: SLURM_TASKS_PER_NODE. A job requested in
  nodes or processors has one task on each node by default, which says nothing; so it has one Worker for each processor,
  SLURM_JOB_CPUS_PER_NODE, divided by --cpus-per-task. In a step of one task (``srun -n1 --pty bash``), Slurm's task
  variables count that step, so the processors count. Under ``salloc``, this machine may be none of the hosts. If
  ``srun`` starts several copies of a program, each copy is a run, and none of them takes the hosts of the job
  (:mod:`fedfutures_launcher.arguments.copies` refuses copies, unless the user says ``--hosts localhost``).
- **PBS, Torque**: each line of the file PBS_NODEFILE names a host, once for each Worker. PBS_NUM_PPN, which Torque
  sets, counts only if the file names each host once.
- **Grid Engine**: lines of the file PE_HOSTFILE are ``host slots queue processors``.
- **LSF**: each line of the file LSB_DJOB_HOSTFILE names a host, once for each Worker. Without the file,
  LSB_MCPU_HOSTS counts, ``h1 4 h2 8``; without that LSB_HOSTS, which LSF does not set for large jobs.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from .spec import HOST, BadHosts, HostSpec

MAX_HOSTS = 100_000

Read = Callable[[str], str]

_REPEATED = re.compile(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


def from_environment(environ: Mapping[str, str], read: Read) -> tuple[str, list[HostSpec]] | None:
    """Return the scheduler and the hosts of this job; None: there is no job. Raises BadHosts.

    `read` returns the text of a file, or raises OSError.
    """
    for name, hosts in (("Slurm", _slurm), ("PBS", _pbs), ("Grid Engine", _grid_engine), ("LSF", _lsf)):
        counts = hosts(environ, read)
        if counts:
            return name, [HostSpec(host, count=count) for host, count in counts.items()]
    return None


def _bad(environ: Mapping[str, str], variable: str, why: str) -> BadHosts:
    value = environ[variable]
    shown = value if len(value) <= 200 else f"{value[:200]}..."
    return BadHosts(f"{variable}={shown!r}: {why}")


@contextlib.contextmanager
def _naming(environ: Mapping[str, str], variable: str) -> Iterator[None]:
    """Turn a ValueError into one that names the variable and its value."""
    try:
        yield
    except ValueError as error:
        raise _bad(environ, variable, str(error)) from None


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not int(text):
        raise ValueError(f"{text!r} is no number of at least 1")
    return int(text)


# -------------------------------------------------------------------------------------------------------------- Slurm


def _slurm(environ: Mapping[str, str], _: Read) -> dict[str, int]:
    if "SLURM_STEP_ID" in environ and environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return {}
    variable = "SLURM_JOB_NODELIST" if "SLURM_JOB_NODELIST" in environ else "SLURM_NODELIST"
    if variable not in environ or not {"SLURM_JOB_ID", "SLURM_JOBID"} & environ.keys():
        return {}
    with _naming(environ, variable):
        hosts = expand(environ[variable])
    return _sums(environ, variable, zip(hosts, _slurm_counts(environ, variable, len(hosts))))


def _slurm_counts(environ: Mapping[str, str], nodes: str, hosts: int) -> list[int]:
    in_step = "SLURM_STEP_ID" in environ  # then these variables count the tasks of the step
    in_tasks = {"SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE"} & environ.keys() and not in_step
    variable = "SLURM_TASKS_PER_NODE" if in_tasks else "SLURM_JOB_CPUS_PER_NODE"
    if variable not in environ and not in_step:
        variable = "SLURM_TASKS_PER_NODE"
    if variable not in environ:
        return [1] * hosts
    with _naming(environ, variable):
        counts = unpack(environ[variable])
    if len(counts) != hosts:
        raise _bad(environ, variable, f"{len(counts)} nodes, but {nodes}={environ[nodes]!r} are {hosts}")
    if variable == "SLURM_TASKS_PER_NODE" or "SLURM_CPUS_PER_TASK" not in environ:
        return counts
    with _naming(environ, "SLURM_CPUS_PER_TASK"):
        each = _number(environ["SLURM_CPUS_PER_TASK"])
    return [max(1, count // each) for count in counts]


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


# ---------------------------------------------------------------------------------------------------- PBS, SGE and LSF


def _pbs(environ: Mapping[str, str], read: Read) -> dict[str, int]:
    if "PBS_NODEFILE" not in environ:
        return {}
    hosts = _sums(environ, "PBS_NODEFILE", ((host, 1) for host in _lines(environ, "PBS_NODEFILE", read)))
    if "PBS_NUM_PPN" in environ and set(hosts.values()) == {1}:
        with _naming(environ, "PBS_NUM_PPN"):
            each = _number(environ["PBS_NUM_PPN"])
        return dict.fromkeys(hosts, each)
    return hosts


def _grid_engine(environ: Mapping[str, str], read: Read) -> dict[str, int]:
    if "PE_HOSTFILE" not in environ:
        return {}
    pairs = []
    for line in _lines(environ, "PE_HOSTFILE", read):
        host, *rest = line.split()
        try:
            pairs.append((host, _number(rest[0] if rest else "")))
        except ValueError as error:
            raise _bad(environ, "PE_HOSTFILE", f"the line {line!r} should be HOST SLOTS ...: {error}") from None
    return _sums(environ, "PE_HOSTFILE", pairs)


def _lsf(environ: Mapping[str, str], read: Read) -> dict[str, int]:
    variables = [name for name in ("LSB_DJOB_HOSTFILE", "LSB_MCPU_HOSTS", "LSB_HOSTS") if name in environ]
    if variables[:1] == ["LSB_DJOB_HOSTFILE"]:
        try:
            hosts = _lines(environ, "LSB_DJOB_HOSTFILE", read)
            return _sums(environ, "LSB_DJOB_HOSTFILE", ((host, 1) for host in hosts))
        except BadHosts:
            if not variables[1:]:
                raise
    if "LSB_MCPU_HOSTS" not in environ:
        return _sums(environ, "LSB_HOSTS", ((host, 1) for host in environ.get("LSB_HOSTS", "").split()))
    words = environ["LSB_MCPU_HOSTS"].split()
    with _naming(environ, "LSB_MCPU_HOSTS"):
        if not words or len(words) % 2:
            raise ValueError("should be HOST SLOTS HOST SLOTS ...")
        pairs = [(host, _number(slots)) for host, slots in zip(words[::2], words[1::2])]
    return _sums(environ, "LSB_MCPU_HOSTS", pairs)


def _lines(environ: Mapping[str, str], variable: str, read: Read) -> list[str]:
    """Return the lines of the file that a variable names."""
    try:
        text = read(environ[variable])
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(environ, variable, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise _bad(environ, variable, "the file names no hosts")
    return lines


def _sums(environ: Mapping[str, str], variable: str, pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the sum of counts of each host, in the order in which they first appear."""
    found: Counter[str] = Counter()
    for host, count in pairs:
        if not HOST.fullmatch(host):
            raise _bad(environ, variable, f"{host!r} is no host name")
        found[host] += count
    return dict(found)
