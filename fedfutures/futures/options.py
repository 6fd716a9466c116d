"""Options of a call: they never share a namespace with the keywords of the function that is called.

``futures.options(priority=1).submit(f, x, priority="a keyword of f")``. ``futures``, an Executor and a group each have
``options``; whatever a call may be given later has its place there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..program.callables import not_callable
from ..worker import seeding
from ..worker.future import Future
from ..worker.slices import Star
from ..worker.streams import Stream, stream_of
from .priority import checked


class Face(NamedTuple):
    """Who makes calls: the functions of ``futures``, an Executor, or a group."""

    submit: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], int | None], Future]
    map: Callable[..., Iterator[Any]]
    again: Callable[..., CallOptions]  # returns options of the same face


class CallOptions:
    """How calls are to be made; returned by ``options()`` of :mod:`fedfutures.futures`, an Executor or a group.

    It cannot be changed, and may be kept and used for any number of calls, from any thread.

    priority:
        An integer: Futures of a higher one go first, at every queue. 0 where none is given; in a Future, that of the
        Future; for a group, that of the group.
    seed:
        Each call draws random numbers of its own, the same ones in each run; see :doc:`random`. The Futures that one
        object submits count: the first has the stream of item 0 of a ``map`` with this seed, and so on.

    >>> from fedfutures import futures
    >>> urgent = futures.options(priority=1)
    >>> urgent.submit(pow, 2, 5).result(), list(urgent.map(abs, [-1, 2]))
    (32, [1, 2])
    >>> futures.options(priority=1).options(seed=42)
    <options priority=1, seed=42>
    """

    __slots__ = ("_count", "_face", "_values")

    _count: Iterator[int]
    _face: Face
    _values: dict[str, Any]

    def __init__(self, face: Face, priority: int | None, seed: Any) -> None:
        values = {"priority": None if priority is None else checked(priority), "seed": seed}
        if seed is not None:
            stream_of(seed)  # raises for what is none
        given = {name: value for name, value in values.items() if value is not None}
        for name, value in (("_face", face), ("_values", given), ("_count", itertools.count())):
            object.__setattr__(self, name, value)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Submit ``fn(*args, **kwargs)`` and return its Future; all keywords are the function's own."""
        if not callable(fn):
            raise not_callable("submit", fn)
        seed = self._values.get("seed")
        if seed is not None:
            stream = seeding.stream_for_call(seed)
            assert stream is not None
            fn, args = seeded(stream.child(next(self._count)), fn, args)
        return self._face.submit(fn, args, kwargs, self._values.get("priority"))

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **options: Any) -> Iterator[Any]:
        """As ``map`` of :mod:`fedfutures.futures`, an Executor or a group, with these options and those given here."""
        return self._face.map(fn, *iterables, **{**self._values, **options})

    def starmap(self, fn: Callable[..., Any], args_list: Iterable[Any], **options: Any) -> Iterator[Any]:
        """As :func:`fedfutures.futures.starmap`, with these options and those given here."""
        return self.map(starred(fn), args_list, **options)

    def options(self, **options: Any) -> CallOptions:
        """Return options that are these but for those given here."""
        return self._face.again(**{**self._values, **options})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"options cannot be changed; make others: options.options({name}={value!r})")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._face.again, self._values)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"<options {said}>" if said else "<options>"


def _again(make: Callable[..., CallOptions], values: dict[str, Any]) -> CallOptions:
    return make(**values)


def starred(fn: Callable[..., Any]) -> Star:
    """Return what calls a function with the contents of an item; raise TypeError for what is no function."""
    if not callable(fn):
        raise not_callable("starmap", fn)
    return Star(fn)


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
