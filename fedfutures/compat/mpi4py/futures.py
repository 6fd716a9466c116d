"""``mpi4py.futures`` (https://mpi4py.readthedocs.io/en/stable/mpi4py.futures.html)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from ...errors import NotSupportedHere
from ...futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    TimeoutError,
    as_completed,
    wait,
)
from ...futures.executor import Executor

__all__ = [
    "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "CancelledError", "Executor", "Future", "MPICommExecutor",
    "MPIPoolExecutor", "TimeoutError", "as_completed", "wait",
]  # fmt: skip

_WITHOUT_EFFECT = frozenset({"python_exe", "python_args", "mpi_info", "main", "use_pkl5", "use_cloudpickle", "backoff"})
_OTHER_RESULTS = frozenset({"env", "wdir", "path", "globals"})


class MPIPoolExecutor(Executor):
    """An :class:`~fedfutures.Executor` with the arguments of mpi4py's.

    max_workers, initializer, initargs:
        As there. In a launched program the Workers are those of the run.
    more:
        Options of an Executor. What says how MPI starts processes has no effect; ``env``, ``wdir``, ``path`` and
        ``globals`` raise :class:`~fedfutures.errors.NotSupportedHere`.
    """

    def __init__(
        self, max_workers: int | None = None, initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (), **more: Any,
    ) -> None:  # fmt: skip
        given = sorted(name for name in _OTHER_RESULTS if more.pop(name, None))
        if given:
            raise NotSupportedHere(
                f"{given[0]}= says how MPI's Workers begin; here they begin as the program does. Set it in the "
                "program, in an initializer, or on the command line (python -m fedfutures --help)"
            )
        options = {name: value for name, value in more.items() if name not in _WITHOUT_EFFECT}
        super().__init__(max_workers, None, initializer, tuple(initargs), **options)

    def map(  # type: ignore[override]
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1,
        unordered: bool = False,
    ) -> Iterator[Any]:  # fmt: skip
        """Return an iterator of ``fn(*items)``; a `chunksize` of 1, the default there, lets fedfutures choose."""
        return super().map(fn, *iterables, timeout=timeout, chunksize=_chosen(chunksize), unordered=unordered)

    def starmap(  # type: ignore[override]
        self, fn: Callable[..., Any], iterable: Iterable[Iterable[Any]], timeout: float | None = None,
        chunksize: int = 1, unordered: bool = False,
    ) -> Iterator[Any]:  # fmt: skip
        """Return an iterator of ``fn(*item)``."""
        return super().starmap(fn, iterable, timeout=timeout, chunksize=_chosen(chunksize), unordered=unordered)


def _chosen(chunksize: int) -> int | None:
    return None if chunksize == 1 else chunksize


class MPICommExecutor:
    """``with MPICommExecutor(comm, root) as executor:`` there, every process enters; here there is one, the root."""

    def __init__(self, comm: Any = None, root: int = 0, **more: Any) -> None:
        self._executor = MPIPoolExecutor(**more)

    def __enter__(self) -> MPIPoolExecutor:
        return self._executor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self._executor.__exit__(kind, error, trace)
