"""What makes calls, and its types: the functions of ``futures``, an Executor, a group and options are typed here.

``map`` is typed by its function and iterables, up to three of them, as type checkers have the built-in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, SupportsIndex, TypeAlias, TypeVar, overload

from ..program.callables import not_callable
from ..worker.call_terms import CallTerms
from ..worker.future import Future
from ..worker.retries import Retries
from ..worker.slices import Arguments, Star
from .mapping import MapOptions

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])

Seed: TypeAlias = "SupportsIndex | Iterable[int] | SeedSequence | None"
"""What ``seed=`` takes."""

if TYPE_CHECKING:
    from os import PathLike
    from typing import TypedDict

    from numpy.random import SeedSequence
    from typing_extensions import Unpack

    class CallKeywords(TypedDict, total=False):
        """What ``options()`` takes; see :class:`CallOptions`."""

        priority: int | None
        seed: Seed
        time_limit: float | None
        retries: int | Retries | None
        idempotent: bool | None
        cancellable: bool | None
        memory: int | str | None
        capture: bool | None

    class MapKeywords(CallKeywords, total=False):
        """What ``map`` takes beside `return_exceptions`, which decides what it yields."""

        timeout: float | None
        chunksize: int | None
        buffersize: int | None
        unordered: bool
        progress: bool
        checkpoint: str | PathLike[str] | None


class Face(NamedTuple):
    """How the functions of ``futures``, an Executor or a group make calls."""

    submit: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], CallTerms | None], Future]
    map: Callable[[Callable[..., Any], tuple[Iterable[Any], ...], MapOptions], Iterator[Any]]
    options: Callable[..., Any]  # returns CallOptions of the same face


class Caller:
    """Base of what has a ``map``: an Executor, a group, options. Here ``map`` is typed for all of them."""

    __slots__ = ()

    def _map(self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions) -> Iterator[Any]:
        raise NotImplementedError

    @overload
    def map(
        self, fn: Callable[[A], T], a: Iterable[A], /, *, return_exceptions: Literal[False] = False,
        **options: Unpack[MapKeywords],
    ) -> Iterator[T]: ...  # fmt: skip

    @overload
    def map(
        self, fn: Callable[[A, B], T], a: Iterable[A], b: Iterable[B], /, *, return_exceptions: Literal[False] = False,
        **options: Unpack[MapKeywords],
    ) -> Iterator[T]: ...  # fmt: skip

    @overload
    def map(
        self, fn: Callable[[A, B, C], T], a: Iterable[A], b: Iterable[B], c: Iterable[C], /, *,
        return_exceptions: Literal[False] = False, **options: Unpack[MapKeywords],
    ) -> Iterator[T]: ...  # fmt: skip

    @overload
    def map(
        self, fn: Callable[..., T], a: Iterable[Any], b: Iterable[Any], c: Iterable[Any], d: Iterable[Any], /,
        *more: Iterable[Any], return_exceptions: Literal[False] = False, **options: Unpack[MapKeywords],
    ) -> Iterator[T]: ...  # fmt: skip

    @overload
    def map(
        self, fn: Callable[..., T], a: Iterable[Any], /, *more: Iterable[Any], return_exceptions: bool,
        **options: Unpack[MapKeywords],
    ) -> Iterator[T | BaseException]: ...  # fmt: skip

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None,
        chunksize: int | None = None, buffersize: int | None = None, return_exceptions: bool = False,
        unordered: bool = False, progress: bool = False, priority: int | None = None, seed: Seed = None,
        checkpoint: str | PathLike[str] | None = None, time_limit: float | None = None,
        retries: int | Retries | None = None, idempotent: bool | None = None, cancellable: bool | None = None,
        memory: int | str | None = None, capture: bool | None = None,
    ) -> Iterator[Any]:  # fmt: skip
        """Return an iterator of ``fn`` over the items, in order; see :func:`fedfutures.futures.map`."""
        options = MapOptions(
            timeout, chunksize, buffersize, return_exceptions, unordered, progress, priority, seed, checkpoint,
            time_limit, retries, idempotent, cancellable, memory, capture,
        )  # fmt: skip
        return self._map(fn, iterables, options)

    @overload
    def starmap(
        self, fn: Callable[..., T], args_list: Iterable[Iterable[Any] | Arguments], *,
        return_exceptions: Literal[False] = False, **options: Unpack[MapKeywords],
    ) -> Iterator[T]: ...  # fmt: skip

    @overload
    def starmap(
        self, fn: Callable[..., T], args_list: Iterable[Iterable[Any] | Arguments], *, return_exceptions: bool,
        **options: Unpack[MapKeywords],
    ) -> Iterator[T | BaseException]: ...  # fmt: skip

    def starmap(self, fn: Callable[..., Any], args_list: Iterable[Any], **options: Any) -> Iterator[Any]:
        """As :meth:`map`, each item holding all arguments of one call; see :func:`fedfutures.futures.starmap`."""
        return Caller.map(self, starred(fn), args_list, **options)


def starred(fn: Callable[..., Any]) -> Star:
    """Return what calls a function with the contents of an item; raise TypeError for what is no function."""
    if not callable(fn):
        raise not_callable("starmap", fn)
    return Star(fn)


def typed_as(like: F) -> Callable[[Callable[..., Any]], F]:
    """Give a function the type of another for type checkers; nothing at run time."""
    return lambda function: function  # type: ignore[return-value]
