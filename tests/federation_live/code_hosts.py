"""Two hosts on this machine, the second of which does not share the program's files."""

from __future__ import annotations

import concurrent.futures
import os
import sys
from collections.abc import Callable
from typing import Any

from fedfutures.futures.federation import Federation
from fedfutures.futures.inquiry import explain
from fedfutures.host.handle import HostHandle
from fedfutures.host.here import program_here, settings_here
from fedfutures.host.run_door import SOCKET
from fedfutures.seeing.runs import ask, stacks
from fedfutures.wire.control import DialBroker
from fedfutures.wire.messages import STACK
from fedfutures.worker import initializing

SECONDS = 20.0


class Hosts:
    """``h1``, where the program runs and nothing else, and ``h2`` with two Workers, in another directory."""

    def __init__(self, elsewhere: str, *, seal: bytes | None = None, initializer: Any = None) -> None:
        near = settings_here(1, host="h1", size=2, program=program_here(), seal=seal)
        near.workers = 0
        packed = None if initializer is None else initializing.pack(*initializer)
        far = settings_here(
            2, host="h2", program=program_here(), seal=seal, code=True, path=[], directory=elsewhere, initializer=packed
        )  # fmt: skip
        os.chdir(elsewhere)
        self.handles = [HostHandle(near), HostHandle(far)]
        for handle in self.handles:
            handle.wait_ready()
        place = self.handles[1].facts["brokers"][0]
        self.handles[0].tell(DialBroker(0, place["name"], place["main"], place["meta"], place["subscriber"]))
        self.federation = Federation(self.handles[0], prefix=False)
        self.origin = self.federation.origin

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what a Future on ``h2`` has for a result."""
        return self.result(self.origin.submit(function, args, {}))

    def result(self, future: Any) -> Any:
        """Return the result of a Future; one that has none in time is explained on standard error."""
        try:
            return future.result(timeout=SECONDS)
        except concurrent.futures.TimeoutError:
            if not future.done():  # a hang of ours, and no error of the function
                path = os.path.join(self.handles[0].facts["run"], SOCKET)
                print(explain(future), explain(), *stacks(ask(path, STACK)).items(), sep="\n", file=sys.stderr)
            raise

    def report(self, function: Callable[..., Any], *args: Any) -> Any:
        """The same as plain data; of an error its type, text and remote traceback."""
        try:
            return self.call(function, *args)
        except Exception as error:
            return [type(error).__name__, str(error), str(error.__cause__)]

    def end(self) -> None:
        """End all."""
        self.federation.close()
        for handle in self.handles:
            handle.hang_up()
        for handle in self.handles:
            handle.end()
        sys.stdout.flush()
