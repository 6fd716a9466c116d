"""A Federation as its Origin has it: the host processes that it started, and its own node."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from ..errors import FederationLost, InitializerFailed
from ..host.handle import HostHandle
from ..host.machine import INITIALIZER_EXIT_CODE
from ..program.process import ProcessChanges, adopt_authkey
from ..sockets.sockets import context
from ..wire.payload import Payloads
from ..wire.seal import Seal
from ..wire.segments import Segments
from ..worker import current, inheriting
from ..worker.events import CancelGiven
from ..worker.origin import Origin
from .printing import Printer


class Federation:
    """Joins a host process that was started when that is first needed; :meth:`close` ends it and all below it.

    `attach` is the index of the Broker that the Origin is to be a node of.
    """

    def __init__(self, handle: HostHandle, *, prefix: bool = True, attach: int = 0) -> None:
        self._handle = handle
        self._settings = handle.settings
        self._printer = Printer(prefix)
        self._attach = attach
        adopt_authkey(handle.settings.authkey)
        inheriting.attend()
        self._process = ProcessChanges(in_full=handle.settings.program is None)
        self._lock = threading.Lock()
        self._origin: Any = None
        self._context: Any = None
        self._failure: FederationLost | None = None
        self._closed = False
        self._pid = os.getpid()
        self.kept: Any = None
        """What has to live as long as Workers start: a semaphore in `initargs` goes with the object that made it."""

    @property
    def origin(self) -> Any:
        """The node; waits for the host process at first use. Raises :class:`~fedfutures.errors.StartFailed`."""
        if self._origin is None:
            with self._lock:
                if self._origin is None:
                    self._origin = self._join()
                    if self._failure is not None:  # heard while it was joining
                        self._origin.lose(self._failure)
        return self._origin

    def _join(self) -> Any:
        facts = self._handle.wait_ready()
        facts = facts | facts["brokers"][self._attach]
        segments = Segments(facts["shared"], f"origin-{os.urandom(4).hex()}")
        payloads = Payloads(segments)
        if self._settings.seal is not None:
            payloads.seal = Seal(self._settings.seal)
        self._context = context()
        origin = Origin(self._context, facts, payloads, self._settings.size, self._process)
        self._handle.listen(self._heard)
        origin.start()
        current.origins.add(origin)
        for name, value in current.constants.items():
            origin.share(name, value)
        return origin

    def _heard(self, value: list[Any]) -> None:
        """In the output thread: a frame of the host process."""
        if value[0] == "output":
            self._printer.show(*value[1:])
        elif value[0] == "lost" and value[2] == f"exit code {INITIALIZER_EXIT_CODE}":
            self._fail(InitializerFailed(f"the initializer raised in Worker {value[1]}; its traceback was printed"))
        elif value[0] == "note":
            print(f"fedfutures: {value[1]}", file=sys.stderr)
        elif value[0] == "lost" and self._settings.verbosity > 0:
            print(f"fedfutures: Worker {value[1]} ended: {value[2]}; its Futures run again", file=sys.stderr)
        elif value[0] == "broker restarted":
            self._restarted(*value[1:])
        elif value[0] == "no workers":
            self._fail(FederationLost(f"{value[1]}; Futures that were open are lost. Start the program again."))
        elif value[0] in ("broker lost", "gone") and not self._closed:
            what = f"{self._handle.what} ended"
            if len(value) > 1:
                what = f"a Broker of {self._settings.host} cannot be kept running: {value[1]}"
            self._fail(FederationLost(f"{what}; Futures that were open are lost. Start the program again."))

    def _restarted(self, broker: str, how: str) -> None:
        """A Broker was started again. Who was linked to it would find out by itself, a little later."""
        if self._settings.verbosity > 0:
            print(f"fedfutures: Broker {broker} ended: {how}; it was started again", file=sys.stderr)
        own = self._handle.facts["brokers"][self._attach]["name"]
        if broker == own and self._origin is not None and not self._closed:
            self._origin.rejoin()

    def _fail(self, error: FederationLost) -> None:
        self._failure = self._failure or error
        if self._origin is not None:
            self._origin.lose(error)
            self._origin.wake()  # whoever waits in poll(): losing has just drained the sign of it

    def drain(self) -> None:
        """Wait until all that was submitted is done."""
        origin = self._origin
        while origin is not None and (origin.futures or origin.own) and origin.lost is None:
            for future in [*origin.futures.values(), *origin.own]:
                if not future.done():
                    origin.wait(future, None)

    def cancel(self) -> None:
        """Cancel what has not been started."""
        origin = self._origin
        if origin is None or self._closed:
            return
        for future in list(origin.own):
            future.cancel()
        with origin.lock:
            given = list(origin.futures)
            if given:
                origin.step(CancelGiven(given))
        origin.service()

    def close(self) -> None:
        """End the host process and all below it, and wait for that; open Futures resolve as lost."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        self._handle.hang_up()
        if self._origin is not None:
            current.origins.discard(self._origin)
            self._origin.lose(FederationLost("the Federation was closed"))
            self._origin.close()
            self._context.term()
        self._handle.end()
        self.kept = None

    def finish(self) -> None:
        """Drain, then close: what an Executor that nobody shut down does at the end."""
        if self._closed or os.getpid() != self._pid:
            return
        if self._origin is not None and (self._origin.futures or self._origin.own):
            self.drain()
        self.close()


def _forked() -> None:
    """In a process that the program has forked: sockets and threads stayed behind, so waiting would never end."""
    for origin in list(current.origins):
        origin.lost = FederationLost(
            "this process was forked from the one that has the Federation; only that one submits"
        )


os.register_at_fork(after_in_child=_forked)
