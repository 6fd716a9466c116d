"""The calls of a program, made ready to travel when they are submitted: what is sent is what was passed."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

from ..errors import NoRoom, NotSupportedHere
from ..program import postponing
from ..program.reach import Reach
from ..wire import culprits
from ..wire.functions import Definition
from ..wire.manifest import segments_of
from ..wire.payload import Payloads
from ..wire.segments import SHARED_FROM_BYTES
from ..wire.written import Written
from .definer import Definer
from .future import Future
from .inheriting import advice
from .plain import ATOMS

REMEMBERED_BYTES = 64 << 20
"""How much of the large buffers of a map is kept at most, in case that they come again."""


class Packer:
    """Packs calls at an Origin; an argument that cannot travel is an error at the call."""

    __slots__ = ("definer", "payloads")

    def __init__(self, payloads: Payloads, definer: Definer) -> None:
        self.payloads, self.definer = payloads, definer

    def define(self, function: Any) -> Definition:
        """Return the function's definition; raise PicklingError when it cannot travel."""
        try:
            return self.definer.define(function)
        except NoRoom:
            raise
        except Exception as error:
            if not callable(function) or postponing.is_by_signal(error):
                raise
            raise pickle.PicklingError(culprits.of_function(function, error, advice(error))) from None

    def pack(
        self, definition: Definition, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
        written: Written | None = None,
    ) -> tuple[Definition, bytes]:  # fmt: skip
        """Return the payload of the arguments, and the definition with what they reach; raise PicklingError."""
        reached = Reach()
        try:
            payload = self.payloads.dump((args, kwargs), written, reached=reached)
        except (NoRoom, NotSupportedHere):
            raise
        except Exception as error:
            if postponing.is_by_signal(error):
                raise
            raise pickle.PicklingError(culprits.of_arguments(function, args, kwargs, error, advice(error))) from None
        return (self.definer.with_arguments(definition, reached) if reached else definition), payload


def plain_payload(args: tuple[Any, ...]) -> bytes | None:
    """Return the payload of arguments that reach nothing and are not large; None for others."""
    for arg in args:
        if type(arg) not in ATOMS:
            return None
    payload = pickle.dumps((args, {}), 5)
    return payload if len(payload) < SHARED_FROM_BYTES else None


class Submitter:
    """Submits calls of one function: defined once, large buffers that come again unchanged written once."""

    def __init__(self, packer: Packer, function: Any, submit: Callable[[Definition, bytes], Future[Any]]) -> None:
        self._packer, self._function, self._submit_packed = packer, function, submit
        self._definition = packer.define(function)
        self.digest = self._definition.digest
        self._written = Written()
        self._packing = threading.Lock()
        self._closed = False
        self._is_steady: Callable[[], bool] | None = None

    def attend(self, is_steady: Callable[[], bool]) -> None:
        """Ask before each call whether buffers that come again are as they were."""
        self._is_steady = is_steady

    def __call__(self, args: tuple[Any, ...]) -> tuple[Future[Any], int]:
        """Submit a call; return its Future and how many bytes it takes on the way."""
        with self._packing:
            found = self._submit(args)
        self._let_go()
        return found

    def _submit(self, args: tuple[Any, ...]) -> tuple[Future[Any], int]:
        written = self._written
        written.begin_call(is_steady=self._is_steady is not None and self._is_steady())
        definition, payload = self._packer.pack(self._definition, self._function, args, {}, written)
        size = len(payload) + written.new_bytes
        if written.bytes > REMEMBERED_BYTES:  # what was used so long ago that it hardly comes again is let go
            written.shrink(REMEMBERED_BYTES, set(segments_of(payload)), self._release)
        return self._submit_packed(definition, payload), size

    def _release(self, names: list[str]) -> None:
        segments = self._packer.payloads.segments
        if segments is not None:
            segments.release(names, reuse=True)

    def close(self) -> None:
        """No more calls, after one that may be under way in another thread: what was kept for them is let go."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        while self._closed and self._written and self._packing.acquire(blocking=False):
            try:
                self._release(self._written.clear())
            finally:
                self._packing.release()
