"""The hosts that a batch scheduler has given to this job, from its environment. Pure.

Asked when the user names no hosts. In each scheduler's own words:

- **Slurm**: SLURM_JOB_NODELIST, packed (``n[08-11,15]``). How many Workers: a job that was asked for in tasks (-n,
  --ntasks-per-node) gets its tasks, SLURM_TASKS_PER_NODE; one that was asked for in nodes or processors has one task a
  node by default, which says nothing, so it gets its processors, SLURM_JOB_CPUS_PER_NODE, divided by those that
  --cpus-per-task gives to each. In a step of one task (``srun -n1 --pty bash``) the tasks that Slurm counts are those
  of the step, so the processors of the job's nodes count. Under ``salloc`` this machine may be none of the hosts. A
  program that ``srun`` starts several times is as many runs, and none of them is to take all of the job's hosts, so
  there are none (:mod:`.copies` refuses them where nothing else is asked for).
- **PBS, Torque**: each line of the file PBS_NODEFILE is one host, as often as it has room. Only if each is there once
  does PBS_NUM_PPN count, which Torque sets.
- **Grid Engine**: lines of PE_HOSTFILE, ``host slots queue processors``.
- **LSF**: LSB_DJOB_HOSTFILE, one host a line, as often as it has room; without the file LSB_MCPU_HOSTS, ``h1 4 h2 8``;
  without that LSB_HOSTS, which LSF leaves out of large jobs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from .spec import HOST, BadHosts, HostSpec

MAX_HOSTS = 100_000

Read = Callable[[str], str]

_REPEATED = re.compile(r"([0-9]{1,9})(?:\(x([0-9]{1,9})\))?")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


def from_environment(environ: Mapping[str, str], read: Read) -> tuple[str, list[HostSpec]] | None:
    """Return the scheduler and the hosts of this job; None: this is none. Raises BadHosts.

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


def _number(text: str, low: int = 1) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < low:
        raise ValueError(f"{text!r} is no number of at least {low}")
    return int(text)


# -------------------------------------------------------------------------------------------------------------- Slurm


def _slurm(environ: Mapping[str, str], _: Read) -> dict[str, int]:
    if "SLURM_STEP_ID" in environ and environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return {}
    variable = "SLURM_JOB_NODELIST" if "SLURM_JOB_NODELIST" in environ else "SLURM_NODELIST"
    if variable not in environ or not {"SLURM_JOB_ID", "SLURM_JOBID"} & environ.keys():
        return {}
    try:
        hosts = expand(environ[variable])
    except ValueError as error:
        raise _bad(environ, variable, str(error)) from None
    return _sums(environ, variable, zip(hosts, _slurm_counts(environ, variable, len(hosts))))


def _slurm_counts(environ: Mapping[str, str], nodes: str, hosts: int) -> list[int]:
    in_step = "SLURM_STEP_ID" in environ  # whose tasks are what these variables count then
    in_tasks = {"SLURM_NTASKS", "SLURM_NPROCS", "SLURM_NTASKS_PER_NODE"} & environ.keys() and not in_step
    variable = "SLURM_TASKS_PER_NODE" if in_tasks else "SLURM_JOB_CPUS_PER_NODE"
    if variable not in environ and not in_step:
        variable = "SLURM_TASKS_PER_NODE"
    if variable not in environ:
        return [1] * hosts
    try:
        counts = unpack(environ[variable])
    except ValueError as error:
        raise _bad(environ, variable, str(error)) from None
    if len(counts) != hosts:
        raise _bad(environ, variable, f"{len(counts)} nodes, but {nodes}={environ[nodes]!r} are {hosts}")
    if variable == "SLURM_TASKS_PER_NODE" or "SLURM_CPUS_PER_TASK" not in environ:
        return counts
    try:
        each = _number(environ["SLURM_CPUS_PER_TASK"])
    except ValueError as error:
        raise _bad(environ, "SLURM_CPUS_PER_TASK", str(error)) from None
    return [max(1, count // each) for count in counts]


def expand(text: str) -> list[str]:
    """Return the hosts of a packed list. Raises ValueError.

    >>> expand("login,n[08-10,12],r[1-2]c[0-1]-ib")
    ['login', 'n08', 'n09', 'n10', 'n12', 'r1c0-ib', 'r1c1-ib', 'r2c0-ib', 'r2c1-ib']
    """
    return [host for item in _items(text) for host in _expand_one(item)]


def _items(text: str) -> Iterator[str]:
    """Cut at the commas that stand outside brackets."""
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
    """Return numbers that are run-length coded. Raises ValueError.

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
        try:
            each = _number(environ["PBS_NUM_PPN"])
        except ValueError as error:
            raise _bad(environ, "PBS_NUM_PPN", str(error)) from None
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
    try:
        if not words or len(words) % 2:
            raise ValueError("should be HOST SLOTS HOST SLOTS ...")
        pairs = [(host, _number(slots)) for host, slots in zip(words[::2], words[1::2])]
    except ValueError as error:
        raise _bad(environ, "LSB_MCPU_HOSTS", str(error)) from None
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
    """Return how much room each host has in all, in the order of the first mentions."""
    found: Counter[str] = Counter()
    for host, count in pairs:
        if not HOST.fullmatch(host):
            raise _bad(environ, variable, f"{host!r} is no host name")
        found[host] += count
    return dict(found)
