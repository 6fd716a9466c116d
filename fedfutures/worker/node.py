"""What Origin and Worker have in common: their parts, put together, and one name for each use of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import FederationLost
from ..node import events as rules
from ..node.machine import WorkerMachine
from ..wire.functions import FunctionCache
from ..wire.payload import Payloads
from .constants import Constants
from .driver import Driver, Due
from .future import Future
from .lane_sockets import LaneSockets
from .questions import Questions
from .sights import Sights
from .submissions import Submissions


class Node:
    """One end of a Main socket: a Driver, the Futures submitted, the questions asked, the constants known."""

    runs_at_once = False  # in the call that submits

    def __init__(self, owner: Any, facts: dict[str, Any], name: str, role: str, payloads: Payloads, size: int) -> None:
        self.name, self.payloads = name, payloads
        self.functions = FunctionCache(payloads)
        self.machine = WorkerMachine(name, role, int.from_bytes(os.urandom(6), "big"), os.getpid())
        self.driver = driver = Driver(owner, facts, self.machine)
        self.submissions = Submissions(driver, payloads, size)
        self.questions = Questions(driver, self.submissions)
        self.shared = Constants(driver, payloads)
        self.lanes = LaneSockets(driver, facts["main"], payloads.segments)
        self.lock, self.service = driver.lock, driver.service
        self.futures, self.own = self.submissions.futures, self.submissions.own

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """Return what takes the actions of the machine that both kinds of nodes know."""
        return self.submissions.handlers() | {rules.Told: self.questions.on_told, rules.Shared: self.shared.on_shared}

    @property
    def constants(self) -> dict[str, bytes]:
        """The shared constants that are known here."""
        return self.shared.known

    @property
    def sights(self) -> Sights:
        """What it answers when somebody asks what goes on here."""
        return self.questions.sights

    @property
    def size(self) -> int:
        """How many Workers the Federation has."""
        return self.submissions.size

    @property
    def lost(self) -> FederationLost | None:
        """Why nothing will come any more, if that is so."""
        return self.submissions.lost

    @property
    def closed(self) -> bool:
        """Whether the sockets are closed."""
        return self.driver.closed

    def open_futures(self) -> list[Future[Any]]:
        """Return its Futures that are not known to be done: given, waiting here, or waiting for their next try."""
        with self.lock:
            return [*self.futures.values(), *self.own, *self.submissions.retrier]

    def send(self) -> None:
        """Send what was submitted without being sent, as far as the Broker can take it. A Worker's Futures stay."""

    def wait(self, future: Future[Any], timeout: float | None) -> None:
        """Return when the Future is done or the time, in seconds, is over."""
        self.submissions.wait(future, timeout)

    def cancel_all(self, futures: list[Future[Any]], *, running: bool = False) -> int:
        """Cancel those that have not started, or with `running` those that are not done; return how many those are."""
        return self.submissions.cancel_all(futures, running=running)

    def call_soon(self, due: Due) -> bool:
        """Have something called by whoever drives next; False if the node is closed."""
        return self.driver.call_soon(due)

    def share(self, name: str, value: Any) -> None:
        """Make `value` known to every node under `name`."""
        self.shared.share(name, value)

    def start(self) -> None:
        """Introduce the node to its Broker, and have it driven from now on."""
        self.driver.start()

    def close(self) -> None:
        """Close the sockets."""
        self.driver.close()
        self.lanes.close()
