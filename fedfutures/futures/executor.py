"""The Executor: ``concurrent.futures.Executor`` over a Federation, usable from any program."""

from __future__ import annotations

import atexit
import concurrent.futures
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from ..errors import NotSupportedHere
from ..host.hosts import Hosts
from ..host.walltime import checked_times
from ..program import safe_points
from ..program.postponing import deliver, pending
from ..sizes import size_of, size_of_worker
from ..worker import current
from ..worker.call_terms import CallTerms
from ..worker.future import Future
from . import ends
from .caller import Caller, Face, P, T
from .checks import check_arguments, check_least, check_port, host_names, refuse
from .groups import Group, named
from .handles import federation_started, served
from .mapping import MapOptions, mapped
from .options import CallOptions, in_seeded
from .override import Override
from .patience import Patience
from .priority import taken_from
from .serial import Serial

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from typing_extensions import Self, TypeVarTuple, Unpack

    from .caller import CallKeywords
    from .federation import Federation
    from .feeding import Feeder

    Ts = TypeVarTuple("Ts")


class Executor(Caller, concurrent.futures.Executor):  # type: ignore[misc]  # more exactly typed than its base
    """Runs calls on Workers of this machine, and of others with `hosts` (PEP 3148).

    In a plain program, a notebook, a thread or under asyncio, it starts its own Federation. Inside a Future, or in a
    program that ``python -m fedfutures`` launched, it uses the Federation that already runs, unless it needs special
    Workers (`initializer`, `max_tasks_per_child`, `memory_per_worker`).

    The first four arguments have the order of ``ProcessPoolExecutor``. If a subclass overrides ``submit``, all calls
    pass through it: those of ``map``, ``starmap``, groups and options, too, each item as a call.

    max_workers:
        The number of Workers; by default one for each processor that may be used.
    mp_context:
        Accepted for programs written for ``ProcessPoolExecutor``, and ignored.
    initializer, initargs:
        Called in each Worker before anything else; if it raises, all Futures fail. `initargs` may hold locks, queues,
        values and pipes of ``multiprocessing.get_context("spawn")``, for Workers of this machine.
    brokers:
        The number of Brokers that share the Workers.
    max_tasks_per_child:
        A Worker is replaced after this many Futures.
    min_workers:
        How many Workers are always there; others, up to `max_workers`, are started when Futures wait for them, and
        leave when they had nothing to do for five seconds. By default all are there. On this machine only.
    hosts:
        The machines of the Workers: names as ssh takes them, or :class:`~fedfutures.Hosts` with more settings. This
        machine is "localhost"; ssh logs in to the others, see :doc:`deploying`.
    mode:
        "parallel"; or "serial": each call runs at once in this process, for debugging.
    checkpoint:
        A file that keeps the results: what it has is not computed again in the next run; see :doc:`checkpoints`.
    walltime, walltime_margin:
        How long this Executor may take, in seconds or as ``"1:30:00"``, and what of that is kept for saving. When only
        the margin is left, open Futures raise :class:`~fedfutures.errors.WalltimeReached`; see :doc:`limits`. The
        default is what the batch job has left, if its scheduler says so; ``"none"``: no walltime.
    output:
        A directory: what Workers print goes to ``HOST/WORKER.out`` there, and is not printed; see :doc:`known`.
    memory_per_worker:
        How much memory each Worker may use, in bytes or as "1.5G". A Future that makes its Worker use more raises
        :class:`~fedfutures.errors.OutOfMemory`; see :doc:`limits`.
    join:
        The name of a standing Federation, which ``fedfutures up NAME`` has started, or ``[user@]host:NAME`` for one of
        another machine: the Workers are its own, at most `max_workers` of them; see :doc:`standing`.
    page:
        True: a page shows what goes on, see :attr:`page`; or the port that it is served at.
    hide_arguments:
        True: errors, and what is said of the run, name calls without their arguments.
    pending_bytes:
        How much memory the Futures that wait may hold in this process, by default a quarter of it. Above that
        ``submit`` waits until some are done; see :doc:`limits`.

    >>> with Executor(mode="serial") as executor:
    ...     list(executor.map(pow, [2, 3], [5, 2]))
    [32, 9]
    """

    def __init__(
        self, max_workers: int | None = None, mp_context: BaseContext | None = None,
        initializer: Callable[[Unpack[Ts]], object] | None = None,
        initargs: tuple[Unpack[Ts]] = (),  # type: ignore[assignment]
        *, max_tasks_per_child: int | None = None, min_workers: int | None = None, brokers: int = 1,
        hosts: Sequence[str] | Hosts | None = None,
        mode: Literal["parallel", "serial"] = "parallel", checkpoint: str | PathLike[str] | None = None,
        walltime: float | str | None = None, walltime_margin: float | str | None = None,
        output: str | PathLike[str] | None = None, memory_per_worker: int | str | None = None,
        pending_bytes: int | str | None = None, join: str | None = None, page: bool | int = False,
        hide_arguments: bool = False, **unknown: Any,
    ) -> None:  # fmt: skip
        refuse(unknown, mp_context)
        hosts = hosts if hosts is None or isinstance(hosts, Hosts) else Hosts(host_names(hosts))
        check_arguments(max_workers, initializer, max_tasks_per_child, brokers if hosts is None else 1, mode)
        check_port(page)
        room = None if pending_bytes is None else size_of(pending_bytes, "pending_bytes")
        bounds = *checked_times(walltime, walltime_margin), room
        memory = size_of_worker(memory_per_worker)
        own = initializer, max_tasks_per_child, hosts, walltime, output, memory_per_worker, join, min_workers
        has_own = own != (None,) * len(own) or hide_arguments
        least = check_least(min_workers, max_workers, is_elsewhere=hosts is not None or join is not None)
        self._shutdown = False
        self._shutdown_lock = threading.Lock()
        self._federation: Federation | None = None
        self._node: Any = None
        self._mine: weakref.WeakSet[Future] | None = None
        self._maps: weakref.WeakSet[Feeder] = weakref.WeakSet()  # where its node has others, too
        self._groups: dict[str, Group] = {}
        self._keeper = None if checkpoint is None else keeper_of(checkpoint)
        self._override = None if type(self).submit is Executor.submit else Override()
        if mode == "serial":
            self._node = kept(Serial(), self._keeper)
            if initializer is not None:
                safe_points.apply(initializer, *initargs)
        elif current.node is not None and not has_own:
            self._node = kept(current.node, self._keeper) if self._keeper else current.kept_node or current.node
            self._mine = weakref.WeakSet()
        elif not current.is_origin:
            raise NotSupportedHere(
                "an Executor made inside a Future joins the Federation it runs in; initializer, max_tasks_per_child, "
                "hosts, join, walltime, output, min_workers, memory_per_worker and hide_arguments belong to the one "
                "that started it"
            )
        else:
            more = max_tasks_per_child, brokers, hosts, bounds, output, memory, join, least, bool(hide_arguments)
            self._federation = federation_started(max_workers, initializer, initargs, *more)
            self._finalizer = weakref.finalize(self, _forgotten, self._federation)
            safe_points.check()
        self._page = None if page is False else served(self._federation, page)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """In a Future an Executor of the program's is the Federation that the Future runs in."""
        return Executor, ()

    def _ready(self) -> Any:
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        current.refuse_while_importing()
        if self._node is None:
            assert self._federation is not None
            self._node = kept(self._federation.origin, self._keeper)
        return self._node

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit ``fn(*args, **kwargs)`` and return its Future. Options of the call: :meth:`options`.

        Raises ``TypeError`` if `fn` is not callable, ``PicklingError`` if a part of the call cannot be pickled,
        ``RuntimeError`` after shutdown, and :class:`~fedfutures.errors.FederationLost` if no Worker can run it.
        """
        terms = taken_from(fn, kwargs) if kwargs else None
        if self._override is not None:
            fn, args, terms = self._override.told(fn, args, terms)
        node = self._node
        if node is None or self._shutdown or current.unusual:
            node = self._ready()
            fn, args = in_seeded(fn, args)  # type: ignore[assignment]
        future: Future[T] = node.submit(fn, args, kwargs, terms)
        if self._mine is not None:
            self._mine.add(future)
        if pending.due:
            deliver()
        return future

    def _submit(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], terms: CallTerms | None
    ) -> Future:
        """As :meth:`submit`, for options and groups: all keywords are the function's own."""
        if self._override is not None:
            return self._override.submit(self.submit, fn, args, kwargs, terms)  # type: ignore[no-any-return]
        fn, args = in_seeded(fn, args)
        future: Future = self._ready().submit(fn, args, kwargs, terms)
        if self._mine is not None:
            self._mine.add(future)
        return future

    def options(self, **options: Unpack[CallKeywords]) -> CallOptions:
        """Return an object that submits here with options; see :class:`fedfutures.futures.CallOptions`."""
        return CallOptions(self._face(), **options)

    def _face(self) -> Face:
        return Face(self._submit, self._map, self.options)

    def _map(self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
        if self._override is not None:
            if options.checkpoint is not None:
                raise NotSupportedHere("this Executor has a submit of its own: give checkpoint= to the Executor itself")
            return self._override.map(self.submit, fn, iterables, options)
        return mapped(
            self._ready(), fn, iterables, options._replace(owner=self, opened=(*options.opened, self._opened))
        )

    def _opened(self, feeder: Feeder) -> None:
        """A map has begun."""
        if self._federation is None:
            self._maps.add(feeder)

    def group(self, name: str, priority: int | None = None) -> Group:
        """Return this Executor's group of that name; see :func:`fedfutures.futures.group`."""
        return named(self._groups, name, priority, self._face())

    # -- what there is -----------------------------------------------------------------------------------------------

    @property
    def num_workers(self) -> int:
        """The number of Workers; 1 for ``mode="serial"``. Waits until they are started."""
        if not self._shutdown:
            self._ready()
        return int(self._node.size) if self._federation is None else self._federation.size

    def resize(self, workers: int) -> int:
        """Have so many Workers from now on, and return that number; what is submitted and runs goes on.

        New Workers start at once. One that is too many finishes what it runs, however long that takes, and gives the
        rest to others. With `hosts`, the Workers are divided as at first, among the hosts that had some then. In a
        standing Federation this is how many Workers the Executor takes at most.

        Raises ``TypeError`` and ``ValueError`` for what is no such number, :class:`~fedfutures.errors.StartFailed`
        where there is not enough memory, ``RuntimeError`` after shutdown, and
        :class:`~fedfutures.errors.NotSupportedHere` in an Executor without Workers of its own.

        >>> with Executor(2) as executor:  # doctest: +SKIP
        ...     executor.resize(16)
        16
        """
        if self._federation is None:
            raise NotSupportedHere("this Executor has no Workers of its own; of a launched program: futures.resize(n)")
        if self._shutdown:
            raise RuntimeError("cannot resize after shutdown")
        return self._federation.resize(workers)

    @property
    def page(self) -> str:
        """The address of the page that shows what goes on here, for a browser on this machine; each opens once.

        Waits until the page is served. Raises :class:`~fedfutures.errors.NotSupportedHere` without `page`, and
        :class:`~fedfutures.errors.StartFailed` if it cannot be served.
        """
        if self._page is None:
            raise NotSupportedHere("this Executor has no page: make it with page=True")
        return str(self._page.link())

    @property
    def has_own_workers(self) -> bool:
        """Whether its Workers are its own, and not those of a launched program."""
        return self._federation is not None

    _max_workers = num_workers
    """The name that programs written for ``ProcessPoolExecutor`` read."""

    def bootup(self, wait: bool = True) -> Self:
        """Return the Executor itself as soon as its Workers, which start when it is made, can be reached.

        wait: False returns at once.
        """
        if wait:
            self._ready()
        return self

    def __repr__(self) -> str:
        kind = type(self).__qualname__
        end = ", shut down" if self._shutdown else ""
        if self._federation is not None:
            count, names = self._federation.size, self._federation.hosts
            return f"<{kind} {count} Worker{'s' * (count != 1)} on {', '.join(names)}{end}>"
        if self._node.runs_at_once:
            return f"<{kind} serial, in this process{end}>"
        count = self._node.size
        return f"<{kind} {count} Worker{'s' * (count != 1)} of the Federation that runs this program{end}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the hosts, their Workers, and how many of these run something."""
        from .html import table_of

        return table_of(repr(self), None if self._shutdown else self._node)

    # -- the end -----------------------------------------------------------------------------------------------------

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        """Shut down and wait; after an interrupt nothing is waited for, and what is cut off is said."""
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            self.shutdown()
        elif self._federation is None:  # it goes on, with what others have submitted to it
            self.shutdown(wait=False, cancel_futures=True)
        else:
            self._shutdown = True
            self._federation.cut_off("the program was interrupted")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls; end the Workers after the last call. See ``concurrent.futures.Executor.shutdown``.

        The calls of each ``map`` are made, whether or not its results were read: the rest of its input is read now.
        """
        with self._shutdown_lock:
            first, self._shutdown = not self._shutdown, True
        if self._federation is None:
            self._shut_joined(wait, cancel_futures)
            return
        if cancel_futures:
            self._federation.cancel()
        if wait:
            if self._finalizer.detach() is None:  # by another thread, or at the end of the program
                return
            try:
                self._federation.finish()
                self._close_checkpoint()
            except BaseException:  # an interrupt: what is left is for the next call, or for the end of the program
                if not self._federation.is_closed:
                    self._finalizer = weakref.finalize(self, _forgotten, self._federation)
                raise
        elif first and self._finalizer.alive:
            self._federation.read_on()
            self._finalizer.detach()
            _finish_aside(self._federation)

    def terminate_workers(self) -> None:
        """End all Workers at once, whatever they run, and shut down; as in Python 3.14.

        Futures that run raise :class:`~fedfutures.errors.FederationLost`, which is a ``BrokenExecutor``; those that
        wait are cancelled. Raises :class:`~fedfutures.errors.NotSupportedHere` in an Executor that shares the Workers
        of a launched program, and in one without Workers.
        """
        if self._federation is None:
            raise NotSupportedHere("this Executor has no Workers of its own; cancel its Futures instead")
        self._shutdown = True
        self._finalizer.detach()
        self._federation.cancel()
        self._federation.close()
        self._close_checkpoint()

    kill_workers = terminate_workers
    """The same: there is no Worker that could refuse."""

    def _shut_joined(self, wait: bool, cancel_futures: bool) -> None:
        mine = list(self._mine or ())
        if cancel_futures:
            ends.cancel(list(self._maps))
            self._node.cancel_all(mine)
        if not wait:
            ends.read_on(list(self._maps))
        else:
            with Patience(self._node):
                ends.complete(list(self._maps))
                ends.wait_for(self._node, mine)
            self._close_checkpoint()

    def _close_checkpoint(self) -> None:
        if self._keeper is not None:
            self._keeper.close()


def keeper_of(path: str | PathLike[str]) -> Any:
    """Return what keeps results in a file; it is imported only where it is wanted."""
    from .keeping import keeper_at

    return keeper_at(path)


def kept(node: Any, keeper: Any) -> Any:
    """Return a node whose results are kept; without a keeper the node itself."""
    if keeper is None:
        return node
    from .keeping import KeptNode

    return KeptNode(node, keeper)


def _forgotten(federation: Federation) -> None:
    """An Executor is gone that was not shut down, or the program ends.

    Before the end it is no place to wait in: Python throws an interrupt away that comes there.
    """
    if threading.main_thread().is_alive():
        _finish_aside(federation)
    else:
        federation.finish()


def _finish_aside(federation: Federation) -> None:
    end = federation.cut_off_if_interrupted

    def finish() -> None:
        try:
            federation.finish()
        finally:
            atexit.unregister(end)

    atexit.register(end)
    threading.Thread(target=finish, name="fedfutures-shutdown").start()
