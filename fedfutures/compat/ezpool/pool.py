"""``ezpool.Pool``: items by ``smap`` in this process, ``pmap`` on this machine, ``dmap`` on several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ...futures.executor import Executor
from .scheduler import JobManager, outcome_of

MESSAGE = "Computation process"
_MODES: dict[str, tuple[str, tuple[str, ...]]] = {
    "serial": ("smap", ("fun", "tasks", "msg")),
    "parallel": ("pmap", ("fun", "tasks", "ncpu", "msg")),
    "distributed": ("dmap", ("fun", "tasks", "job_mgr", "workers")),
}
"""By mode, the method that ``map`` calls, and the arguments that it takes."""


class EzPool:
    """Runs a function over items, and returns a dictionary of results by item; an error is a value, too.

    mode:
        What ``map`` does: "serial", "parallel" or "distributed".

    >>> from fedfutures.compat.ezpool import Pool
    >>> with Pool() as pool:
    ...     pool.smap(fun=abs, tasks=[-1, 2])  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    Computation process (1/2 - 50.0%) - Elapsed time ...
    Computation process (2/2 - 100.0%) - Elapsed time ...
    {-1: 1, 2: 2}
    """

    def __init__(self, mode: str | None = None) -> None:
        self._mode = mode

    def __enter__(self) -> EzPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()

    def shutdown(self) -> None:
        """Nothing is left to end: each map ends what it has started."""

    def map(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        """Call ``smap``, ``pmap`` or ``dmap``, as the mode of the pool says, with those arguments that it takes."""
        if self._mode not in _MODES:
            raise ValueError(
                "map can only be used if the pool has mode 'serial', 'parallel', 'distributed'. Otherwise, use smap, "
                "pmap, dmap"
            )
        name, taken = _MODES[self._mode]
        named = dict(zip(("fun", "tasks"), args)) | kwargs
        return getattr(self, name)(**{key: named[key] for key in taken if named.get(key) is not None})  # type: ignore[no-any-return]

    def smap(self, fun: Callable[..., Any], tasks: Iterable[Any], msg: str = MESSAGE) -> dict[Any, Any]:
        """Run all items in this process, one after the other."""
        items = list(tasks)
        return {
            item: shown(Timed.of(fun, arguments_of(item)), item, number, len(items), msg)
            for number, item in enumerate(items, 1)
        }

    def pmap(self, fun: Callable[..., Any], tasks: Iterable[Any], ncpu: int = 1, msg: str = MESSAGE) -> dict[Any, Any]:
        """Run the items on `ncpu` Workers of this machine, or on those of the run that this program is in."""
        items = list(tasks)
        if not items:
            return {}
        with Executor(max(1, min(ncpu, len(items)))) as executor:
            given = [executor.submit(Timed.of, fun, arguments_of(item)) for item in items]
            return {
                item: shown(_outcome(future), item, number, len(items), msg)
                for number, (item, future) in enumerate(zip(items, given), 1)
            }

    def dmap(
        self, fun: Any = None, tasks: Iterable[Any] = (), job_mgr: str = "PYRO:jobmgr@localhost:20000",
        workers: Sequence[str] = ("PYRO:worker@localhost:21000",),
    ) -> dict[Any, Any]:  # fmt: skip
        """Run the items on workers by their addresses; see :class:`.scheduler.JobManager`.

        fun:
            The class of the workers, a subclass of ``BaseWorker``, or a function.
        job_mgr:
            Accepted, without effect: this program manages them.
        workers:
            Addresses, ``PYRO:name@host:port``.
        """
        manager = JobManager(fun)
        try:
            for uri in [workers] if isinstance(workers, str) else workers:
                manager.add_worker(uri)
            return manager.map(tasks)
        finally:
            manager.shutdown()


class Timed(NamedTuple):
    """What a call has returned, or raised, and how many seconds it took."""

    result: Any
    seconds: float

    @classmethod
    def of(cls, fun: Callable[..., Any], args: tuple[Any, ...]) -> Timed:
        """Call a function."""
        began = time.perf_counter()
        try:
            result = fun(*args)
        except Exception as error:
            result = error
        return cls(result, time.perf_counter() - began)


def _outcome(future: Any) -> Timed:
    found = outcome_of(future)
    return found if isinstance(found, Timed) else Timed(found, 0.0)


def arguments_of(item: Any) -> tuple[Any, ...]:
    """Return the arguments that an item stands for: a tuple or list is several."""
    return tuple(item) if hasattr(item, "__iter__") and not isinstance(item, (str, bytes)) else (item,)


def shown(timed: Timed, item: Any, number: int, count: int, msg: str) -> Any:
    """Print the line of an item, and return its result."""
    if isinstance(timed.result, Exception):
        print(f"{msg} for {item} failed. ERROR: {timed.result}")
    else:
        percent = 100.0 * number / count
        print(f"{msg} ({number}/{count} - {percent:0.1f}%) - Elapsed time {timed.seconds:.6f}...\t\tSUCCESS")
    return timed.result
