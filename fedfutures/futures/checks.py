"""What is wrong with a call, said at the call: with what was given, and what was probably meant."""

from __future__ import annotations

import inspect
from typing import Any


def not_callable(name: str, value: Any) -> TypeError:
    """Return the error for `value` where a function belongs; `name` is the function of ours that was called.

    >>> not_callable("submit", 4)
    TypeError('submit() takes a function first, got int 4; did you mean submit(f, 3) instead of submit(f(3))?')
    """
    meant = _MEANT.get(name, f"{name}(f, ...) instead of {name}(f(...), ...)")
    advice = f"did you mean {meant}?"
    if inspect.iscoroutine(value):
        value.close()  # else Python warns that nobody has awaited it
        advice = "submit a plain function that calls asyncio.run(f())"
    return TypeError(f"{name}() takes a function first, got {_shown(value)}; {advice}")


_MEANT = {
    "submit": "submit(f, 3) instead of submit(f(3))",
    "map": "map(f, items) instead of map(f(3), items)",
    "starmap": "starmap(f, items) instead of starmap(f(3), items)",
}


def _shown(value: Any) -> str:
    """Return the type and value, short enough for one line.

    >>> _shown(None), _shown([1, 2]), len(_shown("x" * 1000)) < 80
    ('None', 'list [1, 2]', True)
    """
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:
        return type(value).__qualname__
    text = " ".join(text.split())
    return f"{type(value).__qualname__} {text if len(text) <= 60 else text[:57] + '...'}"


def refuse(unknown: dict[str, Any], mp_context: Any) -> None:
    """Raise TypeError for keywords of other executors that an Executor does not take, and say what does it here."""
    for name in unknown:
        advice = _ELSEWHERE.get(name)
        raise TypeError(f"Executor() got an unexpected keyword argument {name!r}" + (f"; {advice}" if advice else ""))
    if mp_context is not None and not hasattr(mp_context, "get_start_method"):
        raise TypeError(
            f"mp_context must be a context of multiprocessing, or None, not {_shown(mp_context)}; "
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
