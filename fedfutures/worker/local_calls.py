"""The calls that Futures make: copied when they are submitted, packed only when they are given to others.

A function that is too large for a definition travels as an argument, its arrays in segments. A wrapper, as the slices
of a ``map`` have, does not travel so: its parts do, and it is made again on the Worker.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import NoRoom
from ..node.machine import WorkerMachine
from ..program.copying import isolated
from ..program.snapshots import join, split
from ..wire import culprits, functions
from ..wire.copies import Copies
from ..wire.payload import Payloads
from . import current, slices
from .context import Context, Packed
from .future import Future, put_call
from .future_fields import call_of

URGENT_PER_WORKER = 2


class Parts(NamedTuple):
    """What a wrapper is made of."""

    kind: str
    inner: list[Any]


def parts_of(function: Any) -> Any:
    """Return what travels of a function: itself, or the parts of a wrapper."""
    if not isinstance(function, functions.Wrapper):
        return function
    return Parts(type(function).__name__, [parts_of(inner) for inner in function.inner])


def call(parts: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call what came as an argument."""
    function = _made_of(parts)
    if isinstance(function, functions.Wrapper):
        node: Any = current.node
        function.bind(node.payloads)
    return function(*args, **kwargs)


def _made_of(parts: Any) -> Any:
    if type(parts) is not Parts:
        return parts
    return functions.WRAPPERS[parts.kind](*map(_made_of, parts.inner))


class LocalCalls:
    """Makes the calls of a Worker's own Futures independent of who submits them, and ready to travel."""

    __slots__ = ("_functions", "_local", "_machine", "_payloads", "_size")

    def __init__(
        self, payloads: Payloads, known: functions.FunctionCache, local: Copies, machine: WorkerMachine,
        size: Callable[[], int],
    ) -> None:  # fmt: skip
        self._payloads, self._functions, self._local = payloads, known, local
        self._machine, self._size = machine, size

    # -- when they are submitted -------------------------------------------------------------------------------------

    def function(self, function: Any) -> Any:
        """Return a callable as it stands, which whoever submits it may change."""
        is_wrapper = isinstance(function, functions.Wrapper)
        if is_wrapper and hasattr(function, "payloads"):  # of a map: a copy already, which is bound
            return function
        taken = isolated(function, self._local.copy)
        return taken.bind(self._payloads) if is_wrapper else taken

    def of_map(self, function: Any) -> Any:
        """Return the function of many calls, as it stands."""
        if isinstance(function, functions.Wrapper):
            function = isolated(function, self._local.copy).bind(self._payloads)
            if isinstance(function, slices.Slice):
                function.keep_whole()  # where it runs here: others are told of what they gave
        return function

    def arguments(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Return copies of the arguments; raise PicklingError for what cannot be copied."""
        try:
            return self._local.copy((args, kwargs))
        except Exception as error:
            raise pickle.PicklingError(culprits.of_arguments(function, args, kwargs, error)) from None

    # -- when they are given -----------------------------------------------------------------------------------------

    def pack(self, future: Future[Any]) -> tuple[functions.Definition, bytes, str]:
        """Make a call ready to travel; raises PicklingError, or NoRoom. The lock is held."""
        function, args, kwargs, context = call_of(future)
        try:
            if isinstance(function, Packed):
                definition, payload = function.definition, function.payload
            else:
                definition, payload = self._pack(function, args, kwargs)
        except NoRoom:
            raise
        except Exception as error:
            raise pickle.PicklingError(culprits.of_function(function, error)) from None
        return definition, join(context.snapshot, payload), context.root

    def _pack(self, function: Any, args: Any, kwargs: Any) -> tuple[functions.Definition, bytes]:
        try:
            return self._functions.define(function), self._payloads.dump((args, kwargs))
        except pickle.PicklingError:  # of a definition that is too large for one: its data travel as an argument
            return self._functions.define(call), self._payloads.dump(((parts_of(function), *args), kwargs))

    def unpack(self, future: Future[Any], priority: int) -> None:
        """A Future has come back: it may run here after all."""
        definition, payload, root = call_of(future)
        snapshot, payload = split(payload)
        context = Context(0, 0, root, priority, snapshot)
        put_call(future, (Packed(self._payloads, definition, payload), (), {}, context))

    def tell(self, snapshot: Any) -> None:
        """Snapshots are the Origin's."""

    def urgent(self) -> int:
        """Some for each other Worker, so that they leave less urgent work for it; the rest is done fastest here."""
        room = URGENT_PER_WORKER * (self._size() - 1) - self._machine.own.count
        return max(0, min(room, self._machine.urgent()))

    def why_waiting(self) -> str:
        """Why a Future is still here, for people."""
        return "this Worker runs the newest Futures first, and gives the oldest away when other Workers are idle"
