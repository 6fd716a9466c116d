"""Options of a call: they never share a namespace with the keywords of the function that is called.

``futures.options(priority=1).submit(f, x, priority="a keyword of f")``. ``futures``, an Executor and a group each have
``options``; whatever a call may be given later has its place there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..program.callables import not_callable
from ..worker import seeding
from ..worker.call_terms import CallTerms, checked_terms
from ..worker.future import Future
from ..worker.retries import Retries
from ..worker.streams import Stream, stream_of
from .caller import Caller, Face, P, Seed, T
from .mapping import MapOptions
from .priority import checked

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .caller import CallKeywords


class CallOptions(Caller):
    """Options of calls; returned by ``options()`` of :mod:`fedfutures.futures`, an Executor or a group.

    It cannot be changed; you may use it for any number of calls, from any thread.

    priority:
        An integer; Futures of a higher priority go first in every queue. The default is 0, in a Future the priority of
        the Future, in a group the priority of the group.
    seed:
        Each call draws its own random numbers, the same in each run; see :doc:`random`. The object counts the Futures
        that it submits: the first has the stream of item 0 of a ``map`` with this seed, and so on.
    time_limit:
        How many seconds each call may take, from the start of the function on; waiting for Futures of its own counts.
        One that takes longer is ended at once and raises :class:`~fedfutures.errors.TaskTimeout`; see :doc:`limits`.
    retries:
        How often a call that raises is tried again, or :class:`Retries`, which say also upon what and when.
    idempotent:
        False: each call may start once at most. If whoever has it dies, and it may have started, it raises
        :class:`~fedfutures.errors.FutureLost`.
    cancellable:
        True: ``future.cancel(running=True)`` ends each call, also where it would run inside the Future that submits it.
    memory:
        How much memory each call may use, from its start on and with all that it starts: a number of bytes, or "500M",
        "2G", "1.5 GiB". One that uses more is ended and raises :class:`~fedfutures.errors.OutOfMemory`.
    capture:
        True: what each call prints is not shown; the Future has it as ``stdout`` and ``stderr``; see :doc:`known`.

    >>> from fedfutures import futures
    >>> urgent = futures.options(priority=1)
    >>> urgent.submit(pow, 2, 5).result(), list(urgent.map(abs, [-1, 2]))
    (32, [1, 2])
    >>> futures.options(priority=1).options(seed=42)
    <options priority=1, seed=42>
    """

    __slots__ = ("_count", "_face", "_terms", "_values")

    _terms: CallTerms | None
    _count: Iterator[int]
    _face: Face
    _values: dict[str, Any]

    def __init__(
        self, face: Face, priority: int | None = None, seed: Seed = None, time_limit: float | None = None,
        retries: int | Retries | None = None, idempotent: bool | None = None, cancellable: bool | None = None,
        memory: int | str | None = None, capture: bool | None = None,
    ) -> None:  # fmt: skip
        if seed is not None:
            stream_of(seed)  # raises for what is none
        priority = None if priority is None else checked(priority)
        terms = checked_terms(priority, time_limit, retries, idempotent, cancellable, memory, capture)
        values = {
            "priority": priority, "seed": seed, "time_limit": time_limit, "retries": retries,
            "idempotent": idempotent, "cancellable": cancellable, "memory": memory, "capture": capture,
        }  # fmt: skip
        given = {name: value for name, value in values.items() if value is not None}
        for name, value in (
            ("_face", face), ("_values", given), ("_count", itertools.count()), ("_terms", terms),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit ``fn(*args, **kwargs)`` and return its Future; all keywords are the function's own."""
        if not callable(fn):
            raise not_callable("submit", fn)
        function: Callable[..., Any] = fn
        arguments: tuple[Any, ...] = args
        if (seed := self._values.get("seed")) is not None:
            stream = seeding.stream_for_call(seed)
            assert stream is not None
            function, arguments = seeded(stream.child(next(self._count)), fn, args)
        return self._face.submit(function, arguments, kwargs, self._terms)

    def _map(self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
        left_open = {name: value for name, value in self._values.items() if getattr(options, name) is None}
        return self._face.map(fn, iterables, options._replace(**left_open))

    def options(self, **options: Unpack[CallKeywords]) -> CallOptions:
        """Return options that are these but for those given here."""
        made: CallOptions = self._face.options(**{**self._values, **options})
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"options cannot be changed; make others: options.options({name}={value!r})")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._face.options, self._values)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"<options {said}>" if said else "<options>"


def _again(make: Callable[..., CallOptions], values: dict[str, Any]) -> CallOptions:
    return make(**values)


def seeded(stream: Stream, fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Return what is called instead of a function that is to draw from a stream, and its arguments."""
    return seeding.Seeded(fn), (*args, stream.packed())


def in_seeded(fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Return the same for a call without a seed, which a seeded Future makes: all that it submits is seeded, too."""
    if not seeding.ever or isinstance(fn, seeding.Seeded):
        return fn, args
    if not callable(fn):
        raise not_callable("submit", fn)
    stream = seeding.stream_for_call(None)
    return (fn, args) if stream is None else seeded(stream, fn, args)
