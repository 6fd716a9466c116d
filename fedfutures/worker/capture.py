"""Calls whose output is kept for their Futures (``options(capture=True)``).

Such a call has a Worker to itself, and its streams are part of the state that a Worker takes back between two Futures:
what others print while it waits for them goes where it always goes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import greenlet

from ..host.capture_ring import RING_BYTES, CaptureRing
from ..wire.failures import dump_failure
from ..wire.functions import Wrapper
from ..wire.payload import Payloads
from ..wire.printed import Printed, PrintedOutcome
from .failing import where


class CaptureBuffer(io.BufferedIOBase):
    """The buffer below a stream of text, which writes to a ring; its descriptor is the usual one."""

    def __init__(self, ring: CaptureRing, descriptor: int) -> None:
        self._ring, self._descriptor = ring, descriptor
        self.name, self.mode = f"<captured {descriptor}>", "wb"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any) -> int:
        """Append bytes to the ring."""
        return self._ring.write(data)


class Capture:
    """The standard output and error of one call at a time, in memory that the host process may have, too."""

    def __init__(self, memories: Sequence[Any] = ()) -> None:
        self._rings = [CaptureRing(memory) for memory in memories or (bytearray(RING_BYTES), bytearray(RING_BYTES))]
        self._redirections: list[Any] = []

    def begin(self, piece: int = 0, number: int = 0) -> None:
        """From now on this process prints here, for this Future."""
        for ring in self._rings:
            ring.begin(piece, number)
        streams = (
            io.TextIOWrapper(CaptureBuffer(ring, descriptor), "utf-8", "backslashreplace", write_through=True)
            for descriptor, ring in enumerate(self._rings, 1)
        )
        self._redirections = [redirect(stream) for redirect, stream in zip((redirect_stdout, redirect_stderr), streams)]
        for redirection in self._redirections:
            redirection.__enter__()

    def end(self) -> Printed:
        """Print where it was printed before; return what has come."""
        for redirection in self._redirections:
            redirection.__exit__(None, None, None)
        texts = [ring.text() for ring in self._rings]
        for ring in self._rings:
            ring.begin(0, 0)
        return Printed(*texts)


_memories: list[Any] = []


def share(memories: Sequence[Any]) -> None:
    """What the calls of this Worker print is to be in this memory, which the host process has, too."""
    _memories[:] = memories


class CapturedCall(Wrapper):
    """Makes calls of a function whose output is kept."""

    _place: Callable[[], tuple[int, int]]

    def in_worker(self, payloads: Payloads, place: Callable[[], tuple[int, int]]) -> CapturedCall:
        """Bind it; `place` returns which Future runs."""
        self.bind(payloads)
        self._place = place
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function, capture = self.function(), Capture(_memories)
        value = failure = None
        capture.begin(*self._place())
        try:
            value = function(*args, **kwargs)
        except greenlet.GreenletExit:
            raise
        except BaseException as error:
            failure = dump_failure(error, self.payloads, where(error, function, args, kwargs), inside=True)
        finally:
            printed = capture.end()
        return PrintedOutcome(value, failure, *printed)

    def arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
        return args, {}
