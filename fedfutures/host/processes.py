"""The processes that a host process has forked, and lives with: found by what is known of them, told, and killed."""

from __future__ import annotations

import os
import signal

from ..supervision.actions import AbortWorker, KillBroker, KillWorker, Tell, TellWorkers, Withdraw
from ..wire.control import WithdrawWorker
from .child import Child


class Processes:
    """Those of one host process."""

    def __init__(self) -> None:
        self.children: dict[int, Child] = {}  # by pid
        self.brokers: dict[int, Child] = {}  # the same, by index
        self._untold: set[int] = set()  # slots whose Worker is one too many and is not there yet

    def add(self, child: Child) -> None:
        """It was forked."""
        self.children[child.pid] = child
        if child.role == "broker":
            self.brokers[child.slot] = child
        elif child.role == "worker" and child.slot in self._untold:
            self._untold.discard(child.slot)
            child.tell(WithdrawWorker())

    def pop(self, pid: int) -> Child:
        """It has ended."""
        child = self.children.pop(pid)
        if child.role == "broker":
            del self.brokers[child.slot]
        return child

    def forget(self, slot: int) -> None:
        """The Worker of a slot could not be forked."""
        self._untold.discard(slot)

    def workers(self) -> list[Child]:
        """Return the Workers."""
        return [child for child in self.children.values() if child.role == "worker"]

    def have_ready_workers(self) -> bool:
        """Whether a Worker is ready."""
        return any(child.cells.ready for child in self.workers())

    def worker_of(self, slot: int) -> Child | None:
        """Return the Worker of a slot."""
        return next((child for child in self.workers() if child.slot == slot), None)

    def worker_named(self, name: str) -> Child | None:
        """Return the Worker of this name."""
        return next((child for child in self.workers() if child.name == name), None)

    # -- actions of the machine ----------------------------------------------------------------------------------------

    def tell_broker(self, action: Tell) -> None:
        """Tell a Broker something, if it lives."""
        if action.broker in self.brokers:
            self.brokers[action.broker].tell(action.frame)

    def tell_workers(self, action: TellWorkers) -> None:
        """Tell all Workers something."""
        for child in self.workers():
            child.tell(action.frame)

    def withdraw(self, action: Withdraw) -> None:
        """Tell a Worker to end, or that it need not; one that is still to be forked is told then."""
        if (child := self.worker_of(action.slot)) is not None:
            child.tell(WithdrawWorker(action.stays))
        elif action.stays:
            self._untold.discard(action.slot)
        else:
            self._untold.add(action.slot)

    def kill_broker(self, action: KillBroker) -> None:
        """Kill a Broker."""
        if action.broker in self.brokers:
            os.kill(self.brokers[action.broker].pid, signal.SIGKILL)

    def kill_worker(self, action: KillWorker) -> None:
        """Kill a Worker."""
        self._signal(action.slot, signal.SIGKILL)

    def abort_worker(self, action: AbortWorker) -> None:
        """Have a Worker write down where it is, and end."""
        self._signal(action.slot, signal.SIGABRT)

    def _signal(self, slot: int, number: int) -> None:
        if (child := self.worker_of(slot)) is not None:
            os.kill(child.pid, number)
