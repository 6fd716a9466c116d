"""A seeded Future runs with random numbers of its own: the global ones of ``random`` and NumPy, and :func:`rng`.

While it runs, the global generators have the states of its stream. The *ambient* states of before are kept aside and
come back when it ends or waits. In a Worker this is a part of the state of the process (:mod:`.process_state`).
"""

from __future__ import annotations

import importlib.machinery
import random
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..wire.functions import Wrapper
from . import current
from .streams import Stream, stream_of

if TYPE_CHECKING:
    from numpy.random import Generator

PART = "random numbers"
"""What this part of a process's state is called."""
_SEED_WORDS = 8
_running: ContextVar[SeededCall | None] = ContextVar("fedfutures_stream", default=None)
_ambient: dict[str, Any] | None = None  # the states of before, while a seeded Future has the generators
_may_have_numpy: bool | None = None  # not known yet
ever = False
"""Whether this process has run a seeded Future: else nobody need ask on whose behalf something is submitted."""


class SeededCall:
    """A seeded Future that runs: its stream, its generator once it was asked for, and how many calls it has made."""

    __slots__ = ("calls", "generator", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.generator: Any = None
        self.calls = 0


def rng() -> Generator:
    """Return a ``numpy.random.Generator`` for the running Future: with a seed, that of its stream.

    In a seeded Future that is one object, the same at each call; it draws what
    ``default_rng(SeedSequence(seed).spawn(n)[i])`` draws for item `i` of a ``map``. Elsewhere each call makes a new
    Generator, seeded by the operating system. If a Future starts a thread, pass the Generator to it as an argument.

    Raises ``ImportError`` without NumPy; the functions of module ``random`` are seeded with and without it.

    >>> from fedfutures import futures
    >>> def draw(item):
    ...     return int(futures.rng().integers(1000))
    >>> list(futures.map(draw, range(3), seed=42)) == list(futures.map(draw, range(3), seed=42))
    True
    """
    numpy = _numpy_random()
    if numpy is None:
        raise ImportError(
            "futures.rng() makes a generator of NumPy, which is not installed here; "
            "the functions of module random are seeded without it"
        )
    running = _running.get()
    if running is None:
        return numpy.default_rng()  # type: ignore[no-any-return]
    if running.generator is None:
        running.generator = numpy.default_rng(sequence_of(numpy, running.stream))
    return running.generator  # type: ignore[no-any-return]


def stream_for_call(seed: Any) -> Stream | None:
    """Return the stream of a call that is made now; None without a seed, outside of seeded Futures."""
    running = _running.get() if ever else None
    if running is None:
        return None if seed is None else stream_of(seed)
    if seed is not None:
        return running.stream.of_seed(seed)
    running.calls += 1
    return running.stream.of_count(running.calls - 1)


def call_seeded(stream: Stream, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Call a function that draws from a stream."""
    before = hold()
    try:
        return _call(stream, function, args, kwargs)
    finally:
        write(before)


def _call(stream: Stream, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """The same, while the ambient states are kept aside: several calls in a row need not bring them back."""
    global ever
    ever = current.unusual = True
    token = _running.set(SeededCall(stream))
    _seed(stream)
    state: Any = getattr(current.node, "state", None)  # of a Worker
    is_outermost = state is not None and state.add_quietly(PART)
    try:
        return function(*args, **kwargs)
    finally:
        if is_outermost:
            state.dirty.discard(PART)
        _running.reset(token)


# -- the generators of the process -----------------------------------------------------------------------------------


def hold() -> dict[str, Any] | None:
    """Keep the ambient states aside; return what :func:`write` is to be given when the seeded Future has ended."""
    global _ambient
    if _ambient is not None:
        return _captured()
    _ambient = _captured()
    return None


def read() -> dict[str, Any] | None:
    """Return the states of the global generators if a seeded Future has them, else None."""
    return None if _ambient is None else _captured()


def write(states: dict[str, Any] | None) -> None:
    """Give the global generators states of a seeded Future; None: what they had before."""
    global _ambient
    if states is None:
        states, _ambient = _ambient, None
        if states is None:
            return
    elif _ambient is None:
        _ambient = _captured()
    for name, state in states.items():
        if name == "random":
            random.setstate(state)
        else:
            sys.modules[name].set_state(state)


def _captured() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate()}
    numpy = _numpy_random()
    if numpy is not None:
        states["numpy.random"] = numpy.get_state(legacy=False)
    return states


def _seed(stream: Stream) -> None:
    """Have the global generators begin a stream."""
    random.seed(stream.number())
    numpy = _numpy_random()
    if numpy is not None:
        numpy.seed(sequence_of(numpy, stream).generate_state(_SEED_WORDS))


def sequence_of(numpy: Any, stream: Stream) -> Any:
    """Return the ``SeedSequence`` of a stream. `numpy`: the module ``numpy.random``."""
    return numpy.SeedSequence(stream.entropy, spawn_key=stream.key)


def _numpy_random() -> Any:
    """Return ``numpy.random``, None where NumPy is not installed.

    It is imported here, not by the Future: what an import in the middle of a Future makes would have another seed.
    """
    global _may_have_numpy
    found: Any = sys.modules.get("numpy.random")
    if found is not None or _may_have_numpy is False:
        return found
    _may_have_numpy = importlib.machinery.PathFinder.find_spec("numpy") is not None
    if _may_have_numpy:
        try:
            import numpy.random as found
        except Exception:  # one that does not work
            _may_have_numpy = False
            return None
    return found


# -- what Workers call -----------------------------------------------------------------------------------------------


class Seeded(Wrapper):
    """Calls a function that draws from the stream that comes behind its own arguments."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        *own, stream = args
        return call_seeded(Stream.unpacked(stream), self.function(), own, kwargs)

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        return args[:-1], {}


class _Item(Wrapper):
    """Calls a function for an item, whose number tells its stream."""

    stream: Stream

    def __call__(self, *args: Any) -> Any:
        *item, number = args
        return _call(self.stream.child(number), self.function(), item, {})

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        return args[:-1], {}


class SeededItems(Wrapper):
    """A slice of any kind whose items draw from streams of their own: behind its columns their numbers and a stream."""

    def __call__(self, *args: Any) -> Any:
        *columns, stream = args
        whole: Any = self.inner[0]
        item = _Item(whole.inner[0])
        item.stream = Stream.unpacked(stream)
        of_items = type(whole)(item, *whole.inner[1:]).bind(self.payloads)
        before = hold()
        try:
            return of_items(*columns)
        finally:
            write(before)

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        return args[:-2], {}
