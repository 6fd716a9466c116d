"""What a batch scheduler has given to a job, and what all its readers share. Pure."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..spec import HOST, BadHosts, HostSpec

MAX_HOSTS = 100_000
SHOWN_HOSTS = 8
"""How many hosts a line names at most."""

Read = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a batch scheduler has given to the job in which this process runs."""

    scheduler: str  # "Slurm", "PBS", "Grid Engine" or "LSF"
    hosts: list[HostSpec]  # with the Workers of each; []: this process is to use none but its own
    threads: int | None = None  # how many processors each Worker has; None: the scheduler does not say
    unused: str = ""  # a line for people: what is not used of the allocation, and how to use it
    note: str = ""  # the same about the number of Workers; of no use where the user says a number

    def remarks(self, *, workers: int | None) -> list[str]:
        """Return the lines for people. `workers`: the number that the user has said; None: none."""
        return [line for line in (self.unused, "" if workers else self.note) if line]


def allocated(
    scheduler: str, counts: Mapping[str, int], threads: int | None = None, unused: str = "", note: str = ""
) -> Allocation:
    """Return an allocation of so many Workers on each host."""
    specs = [HostSpec(host, count=count) for host, count in counts.items()]
    return Allocation(scheduler, specs, threads, unused, note)


def bad(environ: Mapping[str, str], variable: str, why: str) -> BadHosts:
    """Return the error that a variable makes no sense."""
    value = environ[variable]
    shown = value if len(value) <= 200 else f"{value[:200]}..."
    return BadHosts(f"{variable}={shown!r}: {why}")


@contextlib.contextmanager
def naming(environ: Mapping[str, str], variable: str) -> Iterator[None]:
    """Turn a ValueError into one that names the variable and its value."""
    try:
        yield
    except ValueError as error:
        raise bad(environ, variable, str(error)) from None


def number(text: str) -> int:
    """Return the number of at least 1 that a text is; raise ValueError."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not int(text):
        raise ValueError(f"{text!r} is no number of at least 1")
    return int(text)


def number_in(environ: Mapping[str, str], variable: str) -> int | None:
    """Return the number in a variable; None: it is not set. Raises BadHosts."""
    if variable not in environ:
        return None
    with naming(environ, variable):
        return number(environ[variable])


def lines(environ: Mapping[str, str], variable: str, read: Read) -> list[str]:
    """Return the lines of the file that a variable names. Raises BadHosts."""
    try:
        text = read(environ[variable])
    except (OSError, UnicodeDecodeError) as error:
        raise bad(environ, variable, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise bad(environ, variable, "the file names no hosts")
    return found


def sums(environ: Mapping[str, str], variable: str, pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the sum of counts of each host, in the order in which they first appear. Raises BadHosts."""
    found: Counter[str] = Counter()
    for host, count in pairs:
        if not HOST.fullmatch(host):
            raise bad(environ, variable, f"{host!r} is no host name")
        found[host] += count
    return dict(found)


def some_of(hosts: list[str]) -> str:
    """Return hosts for people; many are not named.

    >>> some_of(["a", "b"]), some_of(["a"] * 9)
    ('a, b', '9 hosts')
    """
    return ", ".join(hosts) if len(hosts) <= SHOWN_HOSTS else f"{len(hosts):,} hosts"
