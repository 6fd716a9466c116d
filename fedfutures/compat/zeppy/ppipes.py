"""``zeppy.ppipes``: one call for many runs."""

from __future__ import annotations

import functools
import os
import random
import string
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ... import worker
from ...futures.executor import Executor
from ...host.system import processors

__all__ = [
    "args_kwargs_helper", "clean_args_kwargs", "idf_multirun", "idfversion", "ipc_parallelpipe", "make_options",
    "measure", "randstr", "wait_add", "wait_add_mult", "waitsome", "zmq_parallelpipe",
]  # fmt: skip

ERROR = "****ERROR****"
"""What stands in the place of the result of a run that raised an error."""
USUAL_WORKERS = 8


def ipc_parallelpipe(
    func: Callable[..., Any], args_list: Iterable[Any] | Mapping[str, Any], nworkers: int | None = None,
    verbose: bool = False, sleeptime: float = 0.1,
) -> list[Any]:  # fmt: skip
    """Run a function with each of the arguments, and return the results in their order.

    args_list:
        Each item is one argument, a list or tuple of arguments, or ``{"args": (...), "kwargs": {...}}``; the whole may
        be ``{"args": [...]}``.
    nworkers:
        How many run at once; by default as many as there are items, up to the number of processors, or 8.
    verbose:
        Print what runs where.
    sleeptime:
        Accepted, without effect.

    A run that raises an error is printed, and has :data:`ERROR` in the place of its result.
    """
    items = args_list["args"] if isinstance(args_list, Mapping) else args_list
    calls = args_kwargs_helper(items)
    if not calls:
        return []
    count = nworkers if nworkers is not None else min(len(calls), max(USUAL_WORKERS, processors()))
    with Executor(count) as executor:
        run = functools.partial(_run, func, bool(verbose))
        return list(executor.map(run, range(len(calls)), calls, chunksize=1))


zmq_parallelpipe = ipc_parallelpipe


def _run(func: Callable[..., Any], verbose: bool, number: int, call: Mapping[str, Any]) -> Any:
    """In a Worker: make one call."""
    if verbose:
        print(f"running item: {number}, in worker: {worker.name}")
    try:
        return func(*call.get("args", ()), **call.get("kwargs", {}))
    except Exception as error:
        print(ERROR, error)
        print(f"{ERROR} above error while running item: {number}, in worker: {worker.name}")
        return ERROR


def args_kwargs_helper(args_kwargs_list: Iterable[Any]) -> list[Any]:
    """Return each item as ``{"args": ..., "kwargs": ...}``."""
    return [clean_args_kwargs(item) for item in args_kwargs_list]


def clean_args_kwargs(args_kwargs: Any) -> Any:
    """Return an item as ``{"args": ..., "kwargs": ...}``; a dictionary as it is.

    >>> clean_args_kwargs(11), clean_args_kwargs((1, 2))
    ({'args': (11,), 'kwargs': {}}, {'args': (1, 2), 'kwargs': {}})
    """
    if isinstance(args_kwargs, dict):
        return args_kwargs
    several = isinstance(args_kwargs, (list, tuple))
    return {"args": args_kwargs if several else (args_kwargs,), "kwargs": {}}


def waitsome(seconds: float) -> float:
    """Wait for some seconds, and return them."""
    time.sleep(seconds)
    return seconds


def wait_add(first: float, second: float) -> float:
    """Wait for the sum of two numbers of seconds, and return it."""
    return waitsome(first + second)


def wait_add_mult(first: float, add: float = 0, mult: float = 1) -> float:
    """Wait for ``(first + add) * mult`` seconds, and return them."""
    return waitsome((first + add) * mult)


def randstr(strlength: int) -> str:
    """Return a random text of letters and digits."""
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=strlength))


def measure(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function: it prints how many milliseconds it took."""

    @functools.wraps(func)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return func(*args, **kwargs)
        finally:
            print(f"Total execution time: {(time.perf_counter() - began) * 1000:.0f} ms")

    return timed


def idfversion(idf: Any) -> Any:
    """Return the version that an IDF model of eppy says."""
    return idf.idfobjects["version"][0].Version_Identifier


def make_options(idf: Any) -> dict[str, Any]:
    """Return the options with which eppy runs a model beside its file."""
    version = [*idfversion(idf).split("."), "0", "0"][:3]
    return {
        "ep_version": "-".join(version), "output_prefix": os.path.basename(idf.idfname).split()[0],
        "output_suffix": "C", "output_directory": os.path.dirname(idf.idfname),
    }  # fmt: skip


def idf_multirun(idf_kwargs: Mapping[str, Any]) -> None:
    """Run a model of eppy, ``{"args": idf, "kwargs": options}``."""
    idf_kwargs["args"].run(**idf_kwargs["kwargs"])
