"""A backend of joblib: ``Parallel`` calls of scikit-learn and others run in Workers.

Importing this module registers it::

    import fedfutures.joblib
    from joblib import parallel_config

    with parallel_config(backend="fedfutures", n_jobs=-1):
        search.fit(X, y)

https://joblib.readthedocs.io/en/stable/parallel.html says what a backend is. Workers are kept from one call to the
next.
"""

from __future__ import annotations

import copy
import functools
import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError
from typing import Any, NamedTuple

from joblib import register_parallel_backend
from joblib._parallel_backends import AutoBatchingMixin, FallbackToBackend, ParallelBackendBase, SequentialBackend

from . import shared
from .errors import FederationLost
from .futures.executor import Executor
from .host.hosts import Hosts
from .host.system import processors
from .worker import current

__all__ = ["FederationBackend", "shutdown"]

LARGE_BYTES = 1_000_000
"""Arrays of so many bytes go to each host once; joblib has the same bound for its memory maps."""
FOUND_SECONDS = 60.0
_kept: dict[str, Executor] = {}
_lock = threading.Lock()


class FederationBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Runs the batches of ``Parallel`` in Workers: of this machine, of a launched program, or as options say.

    options:
        Of :class:`~fedfutures.Executor`, given to ``parallel_config``: ``hosts=["localhost", "tower"]``, or
        ``join="lab"``.
    """

    supports_timeout = True
    supports_return_generator = True
    uses_threads = False
    supports_sharedmem = False

    def __init__(
        self, nesting_level: int | None = None, inner_max_num_threads: int | None = None, **options: Any
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._options = options
        self.parallel: Any = None
        self._executor: Executor | None = None
        self._open: set[Any] = set()
        self._arrays = CallArrays()

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """In a Worker the backend is that of the run."""
        return FederationBackend, (self.nesting_level,)

    @property
    def supports_retrieve_callback(self) -> bool:
        """Whether joblib sleeps until it is told of results; where they are to be in order, it waits for each."""
        return not getattr(self.parallel, "return_ordered", True)

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many Workers ``n_jobs`` means; -1 is all."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs > 0:
            return n_jobs
        if current.node is not None or self._options:
            everything = kept_executor(None, self._options).num_workers
        else:
            everything = processors()
        return max(everything + 1 + n_jobs, 1)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **more: Any) -> int:
        """Have Workers for one call of ``Parallel``; return their number."""
        count = self.effective_n_jobs(n_jobs)
        if count == 1 or not (current.is_origin or parallel is None or parallel.return_ordered):
            # The second: joblib would sleep in a Worker, which others wait for.
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._executor = kept_executor(count, self._options)
        return count

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None) -> Any:
        """Submit one batch; `callback` hears of its end."""
        assert self._executor is not None
        try:
            future = self._executor.submit(self._arrays.packed(func))
        except FederationLost:
            _forget(self._executor)
            raise
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the result of a batch that is done."""
        return out.result()

    def retrieve_result(self, out: Any, timeout: float | None = None) -> Any:
        """Wait for the result of a batch; raise ``multiprocessing.TimeoutError`` after `timeout` seconds."""
        try:
            return out.result(timeout)
        except FederationLost:
            _forget(self._executor)
            raise
        except TimeoutError:
            if out.done():  # it is the call's own
                raise
            raise multiprocessing.TimeoutError from None

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what was submitted, also what runs: its results are not wanted any more."""
        for future in list(self._open):
            future.cancel(running=True)

    def terminate(self) -> None:
        """The call is over; the Workers stay for the next."""
        self._executor = None
        self._arrays.forget()
        self.reset_batch_stats()

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """Return this backend: a ``Parallel`` inside of one runs in the same Workers, so there are never too many."""
        return FederationBackend((self.nesting_level or 0) + 1), None


class CallArrays:
    """The large arrays among the arguments of one call of ``Parallel``: each host gets each of them once.

    joblib promises to functions what they get in this way: an array that cannot be written to, and that is as it was
    when the call began.
    """

    _numbers = itertools.count()

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, Any]] = {}  # by id; the array is held, so that the id stays its own

    def packed(self, batch: Any) -> Callable[[], Any]:
        """Return what calls a batch in a Worker."""
        rows = getattr(batch, "items", None)
        if not isinstance(rows, list):
            return batch  # type: ignore[no-any-return]
        given = [
            (function, tuple(map(self._named, args)), {name: self._named(value) for name, value in kwargs.items()})
            for function, args, kwargs in rows
        ]
        if not self._names:
            return batch  # type: ignore[no-any-return]
        found = copy.copy(batch)
        found.items = given
        return functools.partial(_unpacked, found)

    def _named(self, value: Any) -> Any:
        if type(value).__module__ != "numpy" or getattr(value, "nbytes", 0) < LARGE_BYTES or value.dtype.hasobject:
            return value
        known = self._names.get(id(value))
        if known is None:
            known = self._names[id(value)] = f"joblib array {next(self._numbers)}", value
            shared.set(**{known[0]: value})
        return ArrayName(known[0])

    def forget(self) -> None:
        """The call is over."""
        for name, _ in self._names.values():
            shared.set(**{name: None})
        self._names.clear()


class ArrayName(NamedTuple):
    """Stands for an array in the arguments of a call."""

    name: str


def _unpacked(batch: Any) -> Any:
    """In a Worker: call a batch with its arrays."""
    batch.items = [
        (function, tuple(map(_found, args)), {name: _found(value) for name, value in kwargs.items()})
        for function, args, kwargs in batch.items
    ]
    return batch()


def _found(value: Any) -> Any:
    return shared.get(value.name, timeout=FOUND_SECONDS) if type(value) is ArrayName else value


def kept_executor(count: int | None, options: dict[str, Any]) -> Executor:
    """Return the Executor that is kept for these options, with `count` Workers where it has some of its own."""
    if not current.is_origin:
        return Executor()
    key = repr(sorted((name, _shown(value)) for name, value in options.items()))
    with _lock:
        found = _kept.get(key)
        if found is None:
            found = _kept[key] = Executor(count, **options)
        elif count is not None and found.has_own_workers and not options and found.num_workers != count:
            found.resize(count)
        return found


def _forget(executor: Executor | None) -> None:
    """Keep one no longer that has lost its Workers: the next call starts others."""
    with _lock:
        keys = [key for key, kept in _kept.items() if kept is executor]
        for key in keys:
            del _kept[key]
    if executor is not None and keys:
        executor.shutdown(wait=False)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, int, float, Hosts, type(None))) else repr(list(value))


def shutdown() -> None:
    """End the Workers that are kept; the next call starts others."""
    with _lock:
        executors = list(_kept.values())
        _kept.clear()
    for executor in executors:
        executor.shutdown()


os.register_at_fork(after_in_child=_kept.clear)  # the Workers are the parent's
register_parallel_backend("fedfutures", FederationBackend)
