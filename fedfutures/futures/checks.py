"""What is wrong with the arguments of an Executor, said at the call: with what does it here."""

from __future__ import annotations

from typing import Any

from ..host.hosts import Hosts
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
