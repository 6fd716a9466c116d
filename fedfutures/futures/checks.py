"""What is wrong with the arguments of an Executor, said at the call: with what does it here."""

from __future__ import annotations

from typing import Any

from ..host.hosts import Hosts
from ..host.system import processors
from ..program.callables import shown


def refuse(unknown: dict[str, Any], mp_context: Any) -> None:
    """Raise TypeError for keywords of other executors that an Executor does not take, and say what does it here."""
    for name in unknown:
        advice = _ELSEWHERE.get(name) or (name in _OF_HOSTS and f"write hosts=fedfutures.Hosts(names, {name}=...)")
        raise TypeError(f"Executor() got an unexpected keyword argument {name!r}" + (f"; {advice}" if advice else ""))
    if mp_context is not None and not hasattr(mp_context, "get_start_method"):
        raise TypeError(
            f"mp_context must be a context of multiprocessing, or None, not {shown(mp_context)}; "
            "initializer is the third argument, or a keyword"
        )


WORKERS_AT_MOST = 1 << 16


def check_arguments(
    max_workers: int | None, initializer: Any, max_tasks_per_child: int | None, brokers: int, mode: str
) -> None:  # fmt: skip
    """Raise TypeError or ValueError for arguments of an Executor that make no sense, as the standard library does."""
    if max_workers is not None and not hasattr(max_workers, "__index__"):
        raise TypeError(f"max_workers must be an integer or None, not {shown(max_workers)}")
    if max_workers is not None and max_workers <= 0:
        raise ValueError("max_workers must be greater than 0")
    if initializer is not None and not callable(initializer):
        raise TypeError("initializer must be a callable")
    if max_tasks_per_child is not None:
        if not isinstance(max_tasks_per_child, int):
            raise TypeError("max_tasks_per_child must be an integer")
        if max_tasks_per_child <= 0:
            raise ValueError("max_tasks_per_child must be >= 1")
    if type(brokers) is not int:
        raise TypeError("brokers must be an integer")
    if brokers < 1:
        raise ValueError("brokers must be >= 1")
    if brokers > 1 and brokers > (workers := max_workers or processors()):
        raise ValueError(f"brokers must be at most as many as Workers: {brokers} for {workers}")
    if mode not in ("parallel", "serial"):
        raise ValueError(f"mode must be 'parallel' or 'serial', not {mode!r}")


def check_least(least: int | None, most: int | None, *, is_elsewhere: bool) -> int:
    """Return `min_workers`, 0 for none; raise TypeError or ValueError. `is_elsewhere`: Workers are not started here."""
    if least is None:
        return 0
    check_workers(least)
    if least > (most := most or processors()):
        raise ValueError(f"min_workers must be at most max_workers: {least} for {most}")
    if is_elsewhere:
        raise ValueError("min_workers is for Workers of this machine alone, so neither with hosts nor with join")
    return least if least < most else 0


def check_port(page: Any) -> None:
    """Raise TypeError or ValueError for what `page` of an Executor may not be.

    >>> check_port(True)
    >>> check_port(70000)
    Traceback (most recent call last):
    ValueError: page is True, False or a port from 0 to 65535, not 70000
    """
    if not isinstance(page, int):
        raise TypeError(f"page is True, False or a port from 0 to 65535, not {page!r}")
    if not 0 <= page <= 65535:
        raise ValueError(f"page is True, False or a port from 0 to 65535, not {page}")


def check_workers(workers: Any) -> None:
    """Raise TypeError or ValueError for what is no number of Workers.

    >>> check_workers(4)
    """
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"the number of Workers must be an integer, not {shown(workers)}")
    if not 1 <= workers <= WORKERS_AT_MOST:
        raise ValueError(f"the number of Workers must be from 1 to {WORKERS_AT_MOST}, not {workers}")


def host_names(hosts: Any) -> tuple[str, ...]:
    """Return the names of hosts; raise TypeError for what is none."""
    if isinstance(hosts, str) or not all(isinstance(name, str) for name in hosts):
        raise TypeError("hosts must be a sequence of names, or fedfutures.Hosts")
    return tuple(hosts)


_ELSEWHERE = {
    "env": "set variables before the Executor is made, os.environ['NAME'] = 'value', or in an initializer",
    "path": "the program's modules travel by themselves, and its sys.path is that of local Workers; "
    "directories of other hosts: hosts=fedfutures.Hosts(names, pythonpath=[...])",
    "globals": "Futures see the program's variables by themselves; see fedfutures.shared.set for large constants",
    "main": "Workers import the program by themselves",
    "wdir": "Futures have the program's working directory; of other hosts: hosts=fedfutures.Hosts(names, path=...)",
    "n_jobs": "write max_workers=",
    "processes": "write max_workers=",
    "maxtasksperchild": "write max_tasks_per_child=",
    "thread_name_prefix": "Futures run in processes",
}
"""Keywords of mpi4py, joblib, multiprocessing and threads, with what one writes here."""
_OF_HOSTS = frozenset(Hosts.__annotations__)
