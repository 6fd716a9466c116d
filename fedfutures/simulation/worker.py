"""A Worker's process: runs Futures one after the other, and lets those that wait give way.

This is the loop of :mod:`fedfutures.worker.loop` without greenlets: what runs is a *segment*, from when a Future
begins to when it ends or waits. Between segments, and when there is nothing to run, the main thread drives: it takes
in what has arrived, sends results, and says its load. While a segment runs for long, the helper thread does so, when
that process's would: it hears what is published, and at times that follow from how long Futures take.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from ..federation.events import Arrived
from ..node import events as rules
from ..node.pace import HELPER_AFTER_SECONDS, HURRY_SECONDS, LOOK_SECONDS, PUMP_EVERY_SECONDS, REPORT_SECONDS
from ..node.workload import HeldPiece, Recalls
from ..wire import codec
from ..wire.messages import ERROR, VALUE
from .specs import CRASHES, LOCKS, RAISES, Spec, payload_of, read, value_of
from .submitter import SimSubmitter
from .world import NEVER, ROUND_SECONDS, TICK, Watch, World


class BegunFuture:
    """A Future that was begun here; one that waits counts what it still waits for."""

    __slots__ = (
        "began", "blamed", "function", "number", "payload", "piece", "priority", "root", "spec", "waits_for",
    )  # fmt: skip

    def __init__(self, piece: HeldPiece | None, number: int, payload: bytes, function: bytes, began: float) -> None:
        self.piece, self.number, self.payload, self.function, self.began = piece, number, payload, function, began
        self.spec: Spec = read(payload)
        self.waits_for = -1  # Futures that it has submitted; -1: not yet
        self.blamed = (0, 0)  # (piece, number) of the fetched Future that this one belongs to
        self.root, self.priority = "", 0


class SimWorker(SimSubmitter):
    """A Worker's process, and the host's `slot` that it fills."""

    __slots__ = (
        "_crashes", "busy_seconds", "current", "driven_at", "helper_at", "holder", "inbox", "parents", "published",
        "pump_at", "ready", "recalls", "resting", "slot", "slowness", "waiting", "want_lock", "workload",
    )  # fmt: skip

    def __init__(
        self, world: World, name: str, home: str, slot: int, crashes: Callable[[SimWorker], object],
        watch: Watch,
    ) -> None:  # fmt: skip
        super().__init__(world, name, "worker", home, watch)
        self.slot, self._crashes = slot, crashes
        self.slowness = 1.0
        self.workload = self.machine.workload
        self.current: BegunFuture | None = None
        self.ready: list[BegunFuture] = []
        self.parents: dict[int, BegunFuture] = {}  # own Future -> who has submitted it
        self.waiting = 0  # Futures that wait
        self.holder: BegunFuture | None = None  # who has the lock
        self.want_lock: deque[BegunFuture] = deque()
        self.recalls = Recalls()
        self.inbox: list[bytes] = []
        self.published: bytes | None = None  # the latest; older ones are worth nothing
        self.driven_at = self.pump_at = 0.0
        self.helper_at = NEVER
        self.resting = True
        self.busy_seconds = 0.0

    # -- what arrives ------------------------------------------------------------------------------------------------

    def arrive(self, source: str, frame: bytes) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
            return
        self.inbox.append(frame)
        if self.resting:
            self._wake_up()
        elif self.current is not None:
            self._plan_helper()

    def hear(self, source: str, frame: bytes) -> None:
        self.published = frame
        if self.halted:
            return
        if self.resting:
            self._wake_up()
        elif self.current is not None:
            self._plan_helper()

    def _wake_up(self) -> None:
        """Something came while there was nothing to run."""
        self._receive()
        if (self.machine.durations.last or 0.0) > HURRY_SECONDS and (self.workload.queue or self.ready):
            self._pump()
        self._go_on()

    def _receive(self) -> None:
        if self.published is not None:
            frame, self.published = self.published, None
            self.step(Arrived("", *codec.decode(frame)))
        if self.inbox:
            frames, self.inbox = self.inbox, []
            for frame in frames:
                self.take_in(frame)

    def tick(self) -> None:
        if self.resting:
            self._go_on()
        elif self.current is not None:
            self._plan_helper()

    # -- driving -----------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        self.driven_at = self.clock.now
        self.pump_at = self.driven_at + PUMP_EVERY_SECONDS
        self._service(0.0)

    def service(self) -> None:
        self._service(0.0)

    def _service(self, stuck: float) -> None:
        """Take in, send results, give back what others hunger for, offer, say the load; `stuck` in one Future."""
        if self.inbox or self.published is not None:
            self._receive()
        self._send_results()
        machine, workload, locked_in = self.machine, self.workload, self.locked_in
        last = machine.durations.last
        for back in workload.surplus(stuck, machine.hunger, last, locked_in=locked_in):
            self.step(back)
        if self.own and not (locked_in and self.resting):  # what has come back is for this Worker
            self.offer()
        due = machine.next_deadline()
        if due is not None and due <= self.local() + 1e-9:
            self.step(TICK)
        report = workload.report(stuck, self.cells()) if stuck else None
        if report is not None:
            self.step(report)
        busy = not self.resting or bool(self.ready)
        self.step(workload.load(stuck, len(self.own), busy, last, locked_in=locked_in))

    def _send_results(self) -> None:
        for finished in self.workload.results():
            self.step(finished)

    # -- the helper thread -------------------------------------------------------------------------------------------

    def _plan_helper(self) -> None:
        """Let the helper thread look when that process's would, if the segment still runs then."""
        running = self.current
        assert running is not None
        now, listens = self.clock.now, self.driven_at + HELPER_AFTER_SECONDS
        time = NEVER
        if self.published is not None or (self.inbox and self.machine.own.count):
            time = listens
        elif self.inbox:
            time = max(now, self.driven_at + REPORT_SECONDS) + LOOK_SECONDS
        look_at = self.workload.look_again_at(self.driven_at, self.machine.durations.last, running.blamed)
        time = min(time, look_at + 1e-6)
        due = self.machine.next_deadline()
        if due is not None:
            time = min(time, max((due - self.offset) / self.rate, now + ROUND_SECONDS))
        time = max(time, listens, now)
        if time < self.helper_at and time < running.began + self._seconds_of(running):
            self.helper_at = time
            self.clock.at(time, self._help, time)

    def _help(self, time: float) -> None:
        if time != self.helper_at or self.current is None:
            return
        self.helper_at = NEVER
        if not self.halted:
            self._service(max(1e-6, self.clock.now - self.driven_at))
            self._plan_helper()

    # -- running -----------------------------------------------------------------------------------------------------

    @property
    def locked_in(self) -> bool:
        """Whether the holder of the lock waits for Futures, so that nothing of others may be started."""
        return self.holder is not None and self.holder is not self.current

    def _recall(self) -> None:
        """Ask for the own Futures that were given, every so often: this Worker may run nothing else."""
        given = [number for _, pending in self.machine.given.values() for number in sorted(pending)]
        wanted = self.recalls.due(given, self.clock.now)
        if wanted:
            self.step(rules.CancelGiven(wanted))

    def _go_on(self) -> None:
        """Run what there is, as the runner does: who is ready first, own Futures next, the newest first."""
        queue = self.workload.queue
        while self.alive and self.current is None:
            if not self.resting and self.clock.now >= self.pump_at and self._has_more():
                self._pump()
            if self.ready:
                running = self.ready.pop()
                if running.waits_for < 0:
                    self._begin(running)
                else:
                    self._complete(running)
            elif self.own and not self._is_fetched_first():
                number = self._next_own()
                call = self.calls[number]
                self._begin(BegunFuture(None, number, call.payload, call.function, self.clock.now))
            elif queue and not self.locked_in:
                piece = queue[0]
                if piece.todo:
                    number, payload = piece.todo.popleft()
                    self._begin(BegunFuture(piece, number, payload, piece.terms.function, self.clock.now))
                else:
                    queue.popleft()
            else:
                self.resting = True
                self._pump()
                if self.locked_in and not (self.ready or self.own):
                    self._recall()
                if not (self.ready or self.own or (queue and not self.locked_in)):
                    self.plan()
                    return

    def _has_more(self) -> bool:
        """Whether something is to be run next: if not, the Worker is about to rest, and says so itself."""
        queue = self.workload.queue
        return bool(self.ready or self.own or (queue and not self.locked_in and queue[0].todo))

    def _is_fetched_first(self) -> bool:
        """Whether what was given is more urgent than each own Future."""
        workload = self.workload
        if not workload.has_priorities or self.locked_in:
            return False
        return workload.goes_before(max((self.calls[number].priority for number in self.own), default=-math.inf))

    def _next_own(self) -> int:
        """Take the newest own Future of the highest priority."""
        own, calls = self.own, self.calls
        if not self.workload.has_priorities:
            return own.pop()
        number = max(reversed(own), key=lambda number: calls[number].priority)
        own.remove(number)
        return number

    def _begin(self, running: BegunFuture) -> None:
        self.resting = False
        if running.spec.kind == LOCKS and self.holder is not running:
            if self.holder is not None:
                self.want_lock.append(running)
                self.waiting += 1
                return
            self.holder = running
        self.current = running
        piece = running.piece
        if piece is None:
            parent = self.parents[running.number]
            running.blamed, running.root, running.priority = parent.blamed, parent.root, parent.priority
            self.world.observer.on_start(self.name, self.name, running.number, 1)
        else:
            terms = piece.terms
            running.blamed = (piece.number, running.number)
            running.root, running.priority = terms.root, terms.priority
            self.world.observer.on_start(self.name, terms.submitter, running.number, terms.attempt)
        seconds = self._seconds_of(running)
        if running.spec.kind == CRASHES:
            self.clock.at(self.clock.now + seconds / 2, self._crash, running)
        self.driven_at = self.clock.now
        self.clock.at(self.clock.now + seconds, self._segment_ends, running)
        self.helper_at = NEVER
        if seconds > HELPER_AFTER_SECONDS:
            self._plan_helper()

    def _seconds_of(self, running: BegunFuture) -> float:
        """How long a segment takes: what the function computes, and what the Worker does for each Future."""
        return running.spec.seconds * self.slowness + self.world.costs.worker

    def be_slow(self, times: float) -> None:
        """From now on take so many times as long for everything."""
        self.slowness = times

    def _crash(self, running: BegunFuture) -> None:
        if self.halted:
            self.later(lambda: self._crash(running))
        elif self.alive and self.current is running:
            self._crashes(self)

    def _segment_ends(self, running: BegunFuture) -> None:
        if running is not self.current or not self.alive:
            return
        if self.halted:
            self.later(lambda: self._segment_ends(running))
            return
        spec, now = running.spec, self.clock.now
        self.busy_seconds += now - running.began
        submitter = self.name if running.piece is None else running.piece.terms.submitter
        self.world.observer.on_run(now, self.name, submitter, running.number, running.began)
        self.current, self.driven_at, self.helper_at = None, now, NEVER
        if spec.width and spec.depth:
            running.waits_for = spec.width
            self.waiting += 1
            for _ in range(spec.width):
                payload = payload_of(self.world.next_tag(), spec.seconds, spec.width, spec.depth - 1)
                self.parents[self.submit(payload, running.function, running.priority)] = running
        else:
            self._complete(running)
        self._go_on()

    def _complete(self, running: BegunFuture) -> None:
        """A Future has its value."""
        kind = ERROR if running.spec.kind == RAISES else VALUE
        outcome = value_of(running.payload)
        if running.waits_for >= 0:
            self.waiting -= 1
        if self.holder is running:
            self._release()
        if running.piece is not None:
            seconds = self.clock.now - running.began if running.waits_for < 0 else 0.0  # as measured by production
            running.piece.finished.append((running.number, outcome, kind, seconds))
        else:
            self.resolve([running.number], [outcome], [(running.number, kind)] if kind else [])

    def _release(self) -> None:
        """Who has waited longest for the lock has it now, and begins."""
        self.holder = self.want_lock.popleft() if self.want_lock else None
        if self.holder is not None:
            self.waiting -= 1
            self.holder.began = self.clock.now
            self.ready.append(self.holder)

    def root_of(self, number: int) -> str:
        return self.parents[number].root

    def resolve(self, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        if self.recalls.asked:
            back = self.recalls.come_back(ids, odd)
            self.own.extendleft(reversed(back))
            kept = [(number, outcome) for number, outcome in zip(ids, outcomes) if number not in back]
            ids, outcomes = [number for number, _ in kept], [outcome for _, outcome in kept]
        super().resolve(ids, outcomes, odd)
        for number in ids:
            parent = self.parents.pop(number)
            parent.waits_for -= 1
            if not parent.waits_for:
                self.ready.append(parent)

    # -- what the machine says ---------------------------------------------------------------------------------------

    def act(self, action: rules.Action) -> None:
        if type(action) is rules.Run:
            self.workload.enqueue(action.piece, action.body)
        else:
            super().act(action)

    def retire(self) -> None:
        """Leave on purpose."""
        self.step(rules.Leave("it has run max_tasks_per_child Futures"))
        self.halt(keeps_mail=False)

    # -- how it ends -------------------------------------------------------------------------------------------------

    def cells(self) -> tuple[int, int]:
        """What the crash cells say was running: (piece, id), (0, 0) if nothing was."""
        return self.current.blamed if self.current is not None else (0, 0)

    def blamed_future(self) -> tuple[str, int] | None:
        """The same by submitter and number."""
        piece, number = self.cells()
        pieces = self.workload.pieces
        return (pieces[piece].terms.submitter, number) if piece in pieces else None
