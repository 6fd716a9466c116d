"""The calls that Futures make: copied when they are submitted, packed only when they are given to others."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from ..errors import NoRoom
from ..node.machine import WorkerMachine
from ..program.copying import isolated
from ..program.snapshots import join, split
from ..wire import culprits, functions
from ..wire.copies import Copies
from ..wire.payload import Payloads
from . import slices
from .carried import call, parts_of
from .context import Context, Packed
from .future import Future

URGENT_PER_WORKER = 2


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

    def copy(self, value: Any) -> Any:
        """Return what a Future is to see of a value that was passed."""
        return self._local.copy(value)

    def function(self, function: Any) -> Any:
        """Return a callable as it stands, which whoever submits it may change."""
        if isinstance(function, functions.Wrapper):  # of a map: a copy already, which is bound
            if hasattr(function, "payloads"):
                return function
            return isolated(function, self.copy).bind(self._payloads)
        return isolated(function, self.copy)

    def of_map(self, function: Any) -> Any:
        """Return the function of many calls, as it stands."""
        if isinstance(function, functions.Wrapper):
            function = isolated(function, self.copy).bind(self._payloads)
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
        function, args, kwargs, context = future._call
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

    def unpack(self, future: Future[Any]) -> None:
        """A Future has come back: it may run here after all."""
        definition, payload, root = future._call
        snapshot, payload = split(payload)
        context = Context(0, 0, root, future._priority, snapshot)
        future._call = (Packed(self._payloads, definition, payload), (), {}, context)

    def tell(self, snapshot: Any) -> None:
        """Snapshots are the Origin's."""

    def urgent(self) -> int:
        """Some for each other Worker, so that they leave less urgent work for it; the rest is done fastest here."""
        room = URGENT_PER_WORKER * (self._size() - 1) - self._machine.own.count
        return max(0, min(room, self._machine.urgent()))

    def why_waiting(self) -> str:
        """Why a Future is still here, for people."""
        return "this Worker runs the youngest first, and gives the oldest away when others have nothing to run"
