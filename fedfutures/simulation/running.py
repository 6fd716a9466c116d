"""What a simulated Worker keeps of the Futures that it has begun, and of what it is to do when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..node.pace import HELPER_AFTER_SECONDS, LOOK_SECONDS, PUMP_EVERY_SECONDS, REPORT_SECONDS
from ..node.workload import HeldPiece, Recalls, Workload
from .frames import Frame
from .lanes import Arrival
from .specs import Spec, read
from .world import NEVER


class BegunFuture:
    """A Future that was begun here; one that waits counts what it still waits for."""

    __slots__ = (
        "began", "blamed", "child_flags", "ends", "function", "is_done", "number", "payload", "piece", "priority",
        "root", "spec", "task", "waits_for",
    )  # fmt: skip

    def __init__(self, piece: HeldPiece | None, number: int, payload: bytes, function: bytes, began: float) -> None:
        self.piece, self.number, self.payload, self.function, self.began = piece, number, payload, function, began
        self.spec: Spec = read(payload)
        self.ends = began  # when it stops computing
        self.waits_for = -1  # Futures that it has submitted; -1: not yet
        self.blamed = (0, 0)  # (piece, number) of the fetched Future that this one belongs to
        self.root, self.priority = "", 0
        self.child_flags = 0  # of each Future that it submits
        self.is_done = False
        self.task = b""  # the seal of the task

    def finish(self) -> None:
        """It has its value."""
        self.is_done = True

    def set_task(self, seal: bytes) -> None:
        """It was given with this seal."""
        self.task = seal

    def compute(self, until: float) -> None:
        """Its function computes until then."""
        self.ends = until

    def join(self, parent: BegunFuture | None) -> None:
        """It belongs to the Future that has submitted it, or to its piece."""
        if parent is not None:
            self.blamed, self.root, self.priority = parent.blamed, parent.root, parent.priority
        elif self.piece is not None:
            terms = self.piece.terms
            self.child_flags = terms.conditions.of_children if terms.conditions.is_apart else 0
            self.blamed, self.root, self.priority = (self.piece.number, self.number), terms.root, terms.priority


class Fates(NamedTuple):
    """What becomes of a Worker: who is told that one has crashed, is over a limit, or has left."""

    crashed: Callable[[Any], object]
    overran: Callable[[Any, BegunFuture], object]
    overgrew: Callable[[Any, BegunFuture], object]
    left: Callable[[Any], object]


class Elsewhere:
    """Own Futures of a Worker that are to run in others, or are asked back from them."""

    __slots__ = ("alone", "open", "recalls")

    def __init__(self) -> None:
        self.alone: list[int] = []  # with a Worker to themselves, and not given
        self.open: set[int] = set()  # of all these those that are not done
        self.recalls = Recalls()


class WorkerLock:
    """A lock that one Future has from its beginning to its end; others get it in the order in which they asked."""

    __slots__ = ("holder", "queue")

    def __init__(self) -> None:
        self.holder: BegunFuture | None = None
        self.queue: list[BegunFuture] = []

    def acquire(self, begun: BegunFuture) -> bool:
        """Return whether a Future has the lock now; else it waits for it."""
        if self.holder is None or self.holder is begun:
            self.holder = begun
            return True
        self.queue.append(begun)
        return False

    def release(self, now: float) -> BegunFuture | None:
        """Give the lock to the Future that has waited longest, which begins, and return that."""
        self.holder = self.queue.pop(0) if self.queue else None
        if self.holder is not None:
            self.holder.began = now
        return self.holder


class Parents:
    """Futures that wait for those that they have submitted, and those that can go on."""

    __slots__ = ("begun_once", "by_child", "once", "ready", "waiting")

    def __init__(self) -> None:
        self.by_child: dict[int, BegunFuture] = {}  # own Future -> who has submitted it
        self.ready: list[BegunFuture] = []
        self.waiting = 0  # how many wait, or are ready
        self.once: BegunFuture | None = None  # of these the one that starts once at most
        self.begun_once = (0, 0)  # the last one that begun of those that start once at most: (piece, number)

    def note_once(self, begun: BegunFuture) -> None:
        """One that starts once at most begins."""
        self.begun_once = begun.blamed

    def wait(self, parent: BegunFuture) -> None:
        """A Future is about to submit others, and to wait for all of them."""
        parent.waits_for = parent.spec.width
        if parent.piece is not None and parent.piece.terms.is_once:
            self.once = parent
        self.waiting += 1

    def on_resolved(self, child: int) -> None:
        """An own Future has its outcome."""
        parent = self.by_child.pop(child)
        parent.waits_for -= 1
        if not parent.waits_for:
            self.ready.append(parent)

    def on_complete(self, begun: BegunFuture) -> None:
        """A Future has its value, whether it has waited or not."""
        if begun.waits_for >= 0:
            self.waiting -= 1
        if begun is self.once:
            self.once = None


class Withdrawal:
    """Whether a Worker is one too many: what it was told, and what it knows, since it looks when it is driven."""

    __slots__ = ("is_known", "is_told")

    def __init__(self) -> None:
        self.is_told = self.is_known = False

    def tell(self, *, stays: bool) -> None:
        """The host process says that the Worker is to end, or is not after all."""
        self.is_told = not stays

    def look(self) -> bool:
        """Take in what was said last."""
        self.is_known = self.is_told
        return self.is_known


class Inbox:
    """What has come and was not taken in."""

    __slots__ = ("frames", "published", "withdrawal")

    def __init__(self) -> None:
        self.withdrawal = Withdrawal()
        self.frames: list[Arrival] = []
        self.published: Frame | None = None  # the latest; older ones are worth nothing

    def publish(self, frame: Frame) -> None:
        """The Broker has published something."""
        self.published = frame

    def take_at(self, now: float, driven_at: float, *, owns: bool) -> float:
        """When the helper thread looks at it; `owns`: own Futures are out. NEVER: it leaves that to the main thread."""
        if self.published is not None or (self.frames and owns):
            return driven_at + HELPER_AFTER_SECONDS
        return max(now, driven_at + REPORT_SECONDS) + LOOK_SECONDS if self.frames else NEVER

    def take(self) -> list[Arrival]:
        """Return all of it, what was published first."""
        frames, self.frames = self.frames, []
        if self.published is not None:
            frames.insert(0, self.published)
            self.published = None
        return frames


class DriveTimes:
    """When a Worker has looked at what came, and when it will; for how long it has run Futures."""

    __slots__ = ("busy", "driven_at", "helper_at", "pump_at", "reported_at")

    def __init__(self) -> None:
        self.driven_at = self.pump_at = 0.0  # of the main thread: when it did last, and when it is due between Futures
        self.helper_at = NEVER  # when the helper thread will
        self.busy = 0.0  # seconds that Futures have run
        self.reported_at = 0.0  # when it was last said what has finished

    def on_pump(self, now: float) -> None:
        """The main thread looks."""
        self.driven_at, self.pump_at = now, now + PUMP_EVERY_SECONDS

    def reports(self, workload: Workload, last: float | None, now: float, *, at_once: bool) -> bool:
        """Whether what has finished is said now."""
        if not (at_once or workload.reports_now(now - self.reported_at, last)):
            return False
        self.reported_at = now
        return True

    def on_segment(self, now: float) -> None:
        """A Future begins to run, or does not any more."""
        self.driven_at, self.helper_at = now, NEVER

    def on_ran(self, seconds: float) -> None:
        """A Future has run for so long."""
        self.busy += seconds

    def plan_helper(self, time: float) -> None:
        """The helper thread will look at this time."""
        self.helper_at = time
