"""What nodes tell of what happens: whoever wants to know registers, and nodes know nobody of these."""

from __future__ import annotations

from ..federation.events import Send
from ..wire.messages import Batch, Demand, Message


class Listener:
    """Hears what happens; a subclass overrides what it wants to hear of.

    It hears of the arrival of messages of the kinds `hears`.
    """

    hears: frozenset[type] = frozenset()

    def on_submit(self, node: str, number: int, payload: bytes, priority: int) -> None:
        """A Future exists."""

    def on_start(self, worker: str, submitter: str, number: int, attempt: int) -> None:
        """A Worker begins to run it."""

    def on_run(self, now: float, worker: str, submitter: str, number: int, began: float) -> None:
        """A Worker was busy with a Future since `began`."""

    def on_outcomes(self, node: str, ids: list[int], outcomes: list[bytes], odd: dict[int, int]) -> None:
        """A submitter has outcomes; `odd` has the kinds of those that are no values."""

    def on_facts(self, node: str, ids: list[int], odd: list[tuple[int, int]], facts: bytes) -> None:
        """A submitter hears who has run Futures, before it has their outcomes."""

    def on_cancel(self, node: str, number: int, *, running: bool = False) -> None:
        """A submitter wants a Future back, with `running` even if it runs."""

    def on_worker_lost(self, worker: str, blamed: tuple[str, int] | None) -> None:
        """A Worker has ended, and its own Futures with it; the Future that is to blame."""

    def on_worker_left(self, worker: str) -> None:
        """A Worker that was withdrawn has ended: it had nothing left."""

    def on_overrun(self, worker: str, submitter: str, number: int) -> None:
        """A Worker is about to be ended, for a Future of it is over its time limit."""

    def on_overgrowth(self, worker: str, submitter: str, number: int) -> None:
        """A Worker is about to be ended, for a Future of it is over its memory limit, or over the Worker's."""

    def on_end_for(self, worker: str, submitter: str, number: int) -> None:
        """A Worker is about to be ended, for a Future that it runs was cancelled."""

    def on_leave(self, node: str) -> None:
        """A program has ended."""

    def on_disturbance(self, name: str, kind: str) -> None:
        """Something was done to a node or link that may lose work: "broker", "cut" or "pause"."""

    def on_forgery(self) -> None:
        """Somebody begins to forge outcomes."""

    def on_gave_up(self) -> None:
        """The hosts will start no Worker again."""

    def on_batch(self, sender: str, peer: str, batch: Batch, sequence: int) -> None:
        """A node gives Futures to another, under this number."""

    def on_demand(self, sender: str, peer: str, demand: Demand, acknowledged: int) -> None:
        """A node says for how many Futures it has room; it has taken in what has a number up to `acknowledged`."""

    def on_send(self, now: float, sender: str, peer: str, action: Send) -> None:
        """A message is sent."""

    def on_arrival(self, node: str, peer: str, sequence: int, message: Message) -> None:
        """A message has come, and the node's machine takes it in next."""

    def on_taken_in(self, node: str, peer: str, sequence: int, message: Message) -> None:
        """The machine has taken it in, and said what follows."""

    def on_incident(self, now: float, name: str, what: str) -> None:
        """Something befell a node."""


HOOKS = tuple(name for name in vars(Listener) if name.startswith("on_"))


class Observer(Listener):
    """Tells each listener what it wants to hear of. A hook that nobody wants costs one call that does nothing."""

    def __init__(self) -> None:
        self.sees_messages = False  # whether anybody wants to hear of each
        self.hears = frozenset()

    def register(self, listener: Listener) -> None:
        """From now on this one hears, too."""
        for name in HOOKS:
            if getattr(type(listener), name) is not getattr(Listener, name):
                hook, before = getattr(listener, name), vars(self).get(name)
                setattr(self, name, hook if before is None else _both(before, hook))
        self.sees_messages = "on_send" in vars(self)
        self.hears |= listener.hears


def _both(first: object, second: object) -> object:
    def call(*arguments: object, **named: object) -> None:
        first(*arguments, **named)  # type: ignore[operator]
        second(*arguments, **named)  # type: ignore[operator]

    return call
