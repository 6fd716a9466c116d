"""``fedfutures.Pool``: the interface of ``multiprocessing.Pool``, over a Federation.

https://docs.python.org/3/library/multiprocessing.html#module-multiprocessing.pool says what each method does. A Pool
is an Executor with other names: its Workers may be on other hosts, and a Worker that dies costs no result.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing import TimeoutError
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..worker import current
from .caller import starred
from .executor import Executor
from .waiting import wait

if TYPE_CHECKING:
    from typing_extensions import Self

S = TypeVar("S")
T = TypeVar("T")

CLOSED = "Pool not running"
"""What is raised by a Pool that was closed, as the standard library says it."""
_END = object()
_NONE: Mapping[str, Any] = MappingProxyType({})


class AsyncResult(Generic[T]):
    """The result of a call that was made by ``apply_async``, or of the calls of ``map_async`` and ``starmap_async``."""

    def __init__(self, future: concurrent.futures.Future[T]) -> None:
        self._future = future

    def get(self, timeout: float | None = None) -> T:
        """Return the result, or raise what the call has raised; ``multiprocessing.TimeoutError`` after `timeout` s."""
        if not self.ready():
            self.wait(timeout)
            if not self.ready():
                raise TimeoutError
        return self._future.result()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the result is there, at most `timeout` seconds."""
        wait([self._future], timeout)

    def ready(self) -> bool:
        """Whether the call has ended."""
        return self._future.done()

    def successful(self) -> bool:
        """Whether the call has ended without raising; raise ``ValueError`` if it has not ended."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return not self._future.cancelled() and self._future.exception() is None


class _Raised:
    """What a call has raised, among the values of others."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class ItemIterator(Generic[T]):
    """The results of ``imap``: an item that has raised does so in its turn, and the next one follows."""

    def __init__(self, results: Iterator[Any]) -> None:
        self._results = results
        self._queue: SimpleQueue[Any] | None = None  # where a thread puts them, once somebody waits for a time

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return self.next()

    def next(self, timeout: float | None = None) -> T:
        """Return the next result; raise ``multiprocessing.TimeoutError`` after `timeout` seconds without one."""
        if self._queue is None and timeout is not None:
            self._queue = SimpleQueue()
            threading.Thread(target=self._read, args=(self._queue,), name="fedfutures-imap", daemon=True).start()
        if self._queue is None:
            found = next(self._results)
        else:
            try:
                found = self._queue.get(timeout=timeout)
            except Empty:
                raise TimeoutError from None
        if found is _END:
            assert self._queue is not None
            self._queue.put(_END)
            raise StopIteration
        if type(found) is _Raised:
            raise found.error
        result: T = found
        return result

    def _read(self, queue: SimpleQueue[Any]) -> None:
        try:
            for found in self._results:
                queue.put(found)
        except BaseException as error:
            queue.put(_Raised(error))
        queue.put(_END)


class Pool:
    """Runs calls on Workers, with the methods of ``multiprocessing.Pool``.

    processes, initializer, initargs, maxtasksperchild:
        As there; by default there is a Worker for each processor that may be used.
    context:
        Accepted, without effect.
    options:
        Of :class:`~fedfutures.Executor`: ``hosts=``, ``join=``, ``memory_per_worker=`` and more.

    In a program that ``python -m fedfutures`` runs, and inside a Future, the Workers are those of the run, unless
    options ask for others. Also there are `size`, `is_master` and `wait` of schwimmbad's pools.

    >>> from fedfutures import Pool
    >>> with Pool(2) as pool:  # doctest: +SKIP
    ...     pool.map(abs, [-1, 2])
    [1, 2]
    """

    def __init__(
        self, processes: int | None = None, initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (), maxtasksperchild: int | None = None, context: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if maxtasksperchild is not None and maxtasksperchild < 1:
            raise ValueError("maxtasksperchild must be a positive int or None")
        self._executor = Executor(
            processes, None, initializer, tuple(initargs), max_tasks_per_child=maxtasksperchild, **options
        )  # fmt: skip
        self._is_closed = False

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """In a Future a Pool of the program's is the Federation that the Future runs in."""
        return Pool, ()

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} of {self._executor!r}>"

    # -- one call ----------------------------------------------------------------------------------------------------

    def apply(self, func: Callable[..., T], args: Iterable[Any] = (), kwds: Mapping[str, Any] = _NONE) -> T:
        """Return ``func(*args, **kwds)``, called in a Worker."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self, func: Callable[..., T], args: Iterable[Any] = (), kwds: Mapping[str, Any] = _NONE,
        callback: Callable[[T], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult[T]:  # fmt: skip
        """Call ``func(*args, **kwds)`` in a Worker; one of the callbacks hears of the end, in another thread."""
        self._check()
        future = self._executor.options().submit(func, *args, **kwds)
        return AsyncResult(_told(future, callback, error_callback))

    # -- many calls --------------------------------------------------------------------------------------------------

    def map(self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int | None = None) -> list[T]:
        """Return ``[func(item) for item in iterable]``; raise the first error when all calls are done."""
        return self._begun(func, iterable, chunksize)()

    def starmap(
        self, func: Callable[..., T], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[T]:  # fmt: skip
        """Return ``[func(*item) for item in iterable]``."""
        return self._begun(starred(func), iterable, chunksize)()

    def map_async(
        self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult[list[T]]:  # fmt: skip
        """Begin what :meth:`map` does; a callback hears of the list, the other one of the first error."""
        return self._collected(self._begun(func, iterable, chunksize), callback, error_callback)

    def starmap_async(
        self, func: Callable[..., T], iterable: Iterable[Iterable[Any]], chunksize: int | None = None,
        callback: Callable[[list[T]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult[list[T]]:  # fmt: skip
        """Begin what :meth:`starmap` does."""
        return self._collected(self._begun(starred(func), iterable, chunksize), callback, error_callback)

    def imap(self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int = 1) -> ItemIterator[T]:
        """Return an iterator of ``func(item)``, in order; the input is read as results are."""
        return self._items(func, iterable, chunksize, unordered=False)

    def imap_unordered(self, func: Callable[[S], T], iterable: Iterable[S], chunksize: int = 1) -> ItemIterator[T]:
        """Return an iterator of ``func(item)``, as they are done."""
        return self._items(func, iterable, chunksize, unordered=True)

    def _items(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int, *, unordered: bool
    ) -> ItemIterator[Any]:  # fmt: skip
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        size = None if chunksize == 1 else chunksize  # 1 is their default: ours is as good, and faster
        return ItemIterator(self._mapped(func, iterable, size, _Raised, unordered=unordered))

    def _begun(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None
    ) -> Callable[[], list[Any]]:  # fmt: skip
        """Begin a map; return what waits for all its results, and raises the first error once all calls are done."""
        errors: list[BaseException] = []
        results = self._mapped(func, iterable, chunksize, errors.append)

        def whole() -> list[Any]:
            found = list(results)
            if errors:
                raise errors[0]
            return found

        return whole

    def _mapped(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None,
        note: Callable[[BaseException], Any], *, unordered: bool = False,
    ) -> Iterator[Any]:  # fmt: skip
        """Yield the results; for each item that has raised, what `note` makes of the error."""
        self._check()
        wanted: Any = note
        return self._executor.map(
            func, iterable, chunksize=chunksize, unordered=unordered, return_exceptions=wanted
        )  # fmt: skip

    def _collected(
        self, whole: Callable[[], list[Any]], callback: Callable[[list[Any]], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> AsyncResult[Any]:  # fmt: skip
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        result = AsyncResult(_told(future, callback, error_callback))

        def collect() -> None:
            try:
                future.set_result(whole())
            except BaseException as error:
                future.set_exception(error)

        if current.is_origin:
            threading.Thread(target=collect, name="fedfutures-map-async", daemon=True).start()
        else:  # in a Worker nothing waits in the background
            collect()
        return result

    # -- the end -----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._is_closed:
            raise ValueError(CLOSED)

    def close(self) -> None:
        """Take no more calls; those that were made go on."""
        self._is_closed = True

    def terminate(self) -> None:
        """Take no more calls; those that were made are cancelled, and cut off where the Workers are this Pool's own."""
        self._is_closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._executor.has_own_workers:
            self._executor.terminate_workers()

    def join(self) -> None:
        """Wait until all calls are done, and the Workers have ended; raise ``ValueError`` before ``close``."""
        if not self._is_closed:
            raise ValueError("Pool is still running")
        self._executor.shutdown()

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, *error: object) -> None:
        self.terminate()

    # -- what there is -----------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """The number of Workers."""
        return self._executor.num_workers

    _processes = size
    """The name that programs written for ``multiprocessing.Pool`` read."""

    def is_master(self) -> bool:
        """Whether this process is the program's, and not a Worker."""
        return current.is_origin

    def is_worker(self) -> bool:
        """Whether this process is a Worker."""
        return not current.is_origin

    def wait(self, callback: Callable[[], object] | None = None) -> None:
        """Do nothing: Workers wait by themselves. With MPI this is what they are sent to by ``if not is_master()``."""


def _told(
    future: Any, callback: Callable[[Any], object] | None, error_callback: Callable[[BaseException], object] | None
) -> Any:  # fmt: skip
    """Have one of the callbacks hear of the end of a Future; return what is done once it has."""
    if callback is None and error_callback is None:
        return future
    outer: concurrent.futures.Future[Any] = concurrent.futures.Future()
    outer.set_running_or_notify_cancel()

    def tell(done: Any) -> None:
        error: BaseException | None
        try:
            error = done.exception()
        except concurrent.futures.CancelledError as cancelled:
            error = cancelled
        try:
            if error is None and callback is not None:
                callback(done.result())
            elif error is not None and error_callback is not None:
                error_callback(error)
        finally:
            if error is None:
                outer.set_result(done.result())
            else:
                outer.set_exception(error)

    future.add_done_callback(tell)
    return outer
