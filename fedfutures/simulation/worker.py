"""A Worker's process: runs Futures one after the other, and lets those that wait give way.

This is the loop of :mod:`fedfutures.worker.loop` without greenlets: what runs is a *segment*, from when a Future
begins to when it ends or waits. Between segments, and when there is nothing to run, the main thread drives: it takes
in what has arrived, sends results, and says its load. While a segment runs for long, the helper thread does so, when
that process's would: it hears what is published, and at times that follow from how long Futures take.
"""

from __future__ import annotations

import math

from ..node import events as rules
from ..node.pace import HELPER_AFTER_SECONDS, HURRY_SECONDS
from ..node.workload import NO_MORE, HeldPiece
from ..supervision.overruns import AloneFuture
from ..wire.messages import ALONE, ANY, ERROR, NONE, ONCE_FLAG, SHARING, VALUE
from ..wire.names import is_stand_in
from ..wire.seal import proof_of
from .frames import Frame
from .lanes import Arrival
from .running import BegunFuture, DriveTimes, Elsewhere, Fates, Inbox, Parents, WorkerLock
from .specs import CRASHES, FUNCTIONS, GROWS, GUARDS, LOCKS, PLAIN, RAISES, payload_of, read, value_of
from .submitter import SimSubmitter
from .world import NEVER, ROUND_SECONDS, TICK, Watch, World

STAND_IN_SECONDS = 2.0
"""After so long without anything to do a stand-in leaves."""


class SimWorker(SimSubmitter):
    """A Worker's process, and the host's `slot` that it fills."""

    __slots__ = (
        "_fates", "current", "elsewhere", "inbox", "lock", "parents", "resting", "slot", "slowness",
        "times", "workload",
    )  # fmt: skip

    def __init__(self, world: World, name: str, home: str, slot: int, fates: Fates, watch: Watch) -> None:
        super().__init__(world, name, "worker", home, watch)
        self.slot, self._fates = slot, fates
        self.slowness = 1.0
        self.workload = self.machine.workload
        self.current: BegunFuture | None = None
        self.parents, self.lock, self.elsewhere = Parents(), WorkerLock(), Elsewhere()
        self.inbox, self.times = Inbox(), DriveTimes()
        self.resting = True

    # -- what arrives ------------------------------------------------------------------------------------------------

    def arrive(self, source: str, frame: Arrival) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
            return
        self.inbox.frames.append(frame)
        self._notice()

    def hear(self, source: str, frame: Frame) -> None:
        self.inbox.publish(frame)
        if not self.halted:
            self._notice()

    def _notice(self) -> None:
        """Something came."""
        if self.resting:
            self._receive()
            hurries = (self.machine.durations.last or 0.0) > HURRY_SECONDS or self.inbox.withdrawal.is_known
            if hurries and (self.workload.queue or self.parents.ready):
                self._pump()
            self._go_on()
        elif self.current is not None:
            self._plan_helper()

    def _receive(self) -> None:
        for frame in self.inbox.take():
            self.take_in(frame)

    def tick(self) -> None:
        if self.resting:
            self._go_on()
        elif self.current is not None:
            self._plan_helper()

    # -- driving -----------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        self.times.on_pump(self.clock.now)
        self._service(0.0)

    def _service(self, stuck: float) -> None:
        """Take in, send results, give back what others want, offer, say the load; `stuck` in one Future."""
        self._receive()
        machine, workload, locked_in = self.machine, self.workload, self.locked_in
        last, leaving = machine.durations.last, self.inbox.withdrawal.look()
        is_told = self.times.reports(workload, last, self.clock.now, at_once=bool(stuck or leaving))
        for finished in workload.results() if is_told else ():
            self.step(finished)
        for back in workload.surplus(stuck, machine.unmet, last, locked_in=locked_in or leaving):
            self.step(back)
        starts = self._starts()
        for back in workload.unfit() if starts in (SHARING, NONE) else ():
            self.step(back)
        self._offer_alone()
        if self.own and not (locked_in and self.resting):  # what has come back is for this Worker
            self.offer()
        due = machine.next_deadline()
        if due is not None and due <= self.clock.now * self.rate + self.offset + 1e-9:
            self.step(TICK)
        if stuck and (report := workload.report(stuck, self.cells())) is not None:
            self.step(report)
        busy = not self.resting or bool(self.parents.ready)
        load = workload.load(stuck, len(self.own), busy, last, locked_in=locked_in, starts=starts)
        self.step(NO_MORE if leaving else load)

    def _starts(self) -> int:
        """Which Futures are started here."""
        waits = self.waiting > 0 or bool(self.elsewhere.open)
        if is_stand_in(self.name):
            return NONE if waits else ALONE
        return SHARING if waits and self.workload.has_alone else ANY

    def _offer_alone(self) -> None:
        """Give own Futures that have a Worker to themselves."""
        alone = self.elsewhere.alone
        while alone and (most := self.machine.urgent()) > 0:
            self._give(self._cut(alone, most))

    # -- the helper thread -------------------------------------------------------------------------------------------

    def _plan_helper(self) -> None:
        """Let the helper thread look when that process's would, if the segment still runs then."""
        running = self.current
        assert running is not None
        now, driven_at, inbox = self.clock.now, self.times.driven_at, self.inbox
        listens = driven_at + HELPER_AFTER_SECONDS
        look_at = self.workload.look_again_at(driven_at, self.machine.durations.last, running.blamed)
        time = min(inbox.take_at(now, driven_at, owns=self.machine.own.count > 0), look_at + 1e-6)
        due = self.machine.next_deadline()
        if due is not None:
            time = min(time, max((due - self.offset) / self.rate, now + ROUND_SECONDS))
        time = max(time, listens, now)
        if time < self.times.helper_at and time < running.ends:
            self.times.plan_helper(time)
            self.clock.at(time, self._help, time)

    def _help(self, time: float) -> None:
        if time != self.times.helper_at or self.current is None:
            return
        self.times.plan_helper(NEVER)
        if not self.halted:
            self._service(max(1e-6, self.clock.now - self.times.driven_at))
            self._plan_helper()

    # -- running -----------------------------------------------------------------------------------------------------

    @property
    def locked_in(self) -> bool:
        """Whether the holder of the lock waits for Futures, so that nothing of others may be started."""
        begun = self.lock.holder or self.parents.once
        return begun is not None and begun is not self.current

    @property
    def waiting(self) -> int:
        """How many Futures wait, for others or for the lock."""
        return self.parents.waiting + len(self.lock.queue)

    def _recall(self) -> None:
        """Ask for the own Futures that were given, every so often: this Worker may run nothing else."""
        given = [number for _, pending in self.machine.given.values() for number in sorted(pending)]
        given = [number for number in given if number not in self.elsewhere.open]
        wanted = self.elsewhere.recalls.due(given, self.clock.now)
        if wanted:
            self.step(rules.CancelGiven(wanted))

    def _go_on(self) -> None:
        """Run what there is, as the runner does: who is ready first, own Futures next, the newest first."""
        queue, ready = self.workload.queue, self.parents.ready
        while self.alive and self.current is None:
            if not self.resting and self.clock.now >= self.times.pump_at and self._has_more():
                self._pump()
            if ready:
                running = ready.pop()
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
                if piece.todo and piece.terms.is_alone and self.waiting:
                    self._pump()  # it goes back
                elif piece.todo:
                    number, payload = piece.todo.popleft()
                    self._begin(self._fetched(piece, number, payload))
                else:
                    del queue[0]
            else:
                self.resting = True
                self._pump()
                stands_in, leaving = is_stand_in(self.name) and self.waiting > 0, self.inbox.withdrawal.is_known
                if (self.locked_in or stands_in or leaving) and not (ready or self.own):
                    self._recall()
                if not (ready or self.own or (queue and not self.locked_in)):
                    if leaving and not self._has_open():
                        self._leave("it is one too many")
                        return
                    if is_stand_in(self.name):
                        self.clock.at(self.clock.now + STAND_IN_SECONDS, self._has_stood_in, self.times.driven_at)
                    self.plan()
                    return

    def _has_stood_in(self, driven_at: float) -> None:
        """A stand-in has had nothing to do."""
        if self.alive and not self.halted and self.resting and self.times.driven_at == driven_at and not self.waiting:
            self._leave("it has stood in")

    def _has_open(self) -> bool:
        """Whether Futures wait here in the middle, or own ones are elsewhere."""
        return self.workload.has_started() or self.waiting > 0 or bool(self.calls or self.elsewhere.alone)

    def _leave(self, reason: str) -> None:
        self.step(rules.Leave(reason))
        self.halt(keeps_mail=False)
        self._fates.left(self)

    def withdraw(self, *, stays: bool) -> None:
        """Hear from the host process that this Worker is one too many; `stays`: it is no longer."""
        if self.halted:
            self.later(lambda: self.withdraw(stays=stays))
            return
        self.inbox.withdrawal.tell(stays=stays)
        self._notice()

    def _fetched(self, piece: HeldPiece, number: int, payload: bytes) -> BegunFuture:
        """Open what was given, where nodes have a key."""
        terms, task = piece.terms, b""
        stamp = self.world.stamp(terms.function, terms.submitter)
        if stamp is not None:
            task, opened = proof_of(payload), stamp.open(number, payload)
            assert opened is not None, f"{self.name} was given {terms.submitter}/{number}, and its seal is wrong"
            payload = opened
        begun = BegunFuture(piece, number, payload, terms.function, self.clock.now)
        begun.set_task(task)
        return begun

    def _has_more(self) -> bool:
        """Whether something is to be run next: if not, the Worker is about to rest, and says so itself."""
        queue = self.workload.queue
        return bool(self.parents.ready or self.own or (queue and not self.locked_in and queue[0].todo))

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
        if running.spec.kind == LOCKS and not self.lock.acquire(running):
            return
        self.current = running
        if running.piece is None:
            running.join(self.parents.by_child[running.number])
            self.world.observer.on_start(self.name, self.name, running.number, 1)
        else:
            running.join(None)
            terms = running.piece.terms
            if terms.is_once:
                self.parents.note_once(running)
            self.world.observer.on_start(self.name, terms.submitter, running.number, terms.attempt)
        seconds = self._seconds_of(running)
        running.compute(self.clock.now + seconds)
        if running.piece is not None and (limit := running.piece.terms.conditions.limit):
            self.clock.at(self.clock.now + limit / 1000, self._be_late, running)
        if running.spec.kind == CRASHES:
            self.clock.at(self.clock.now + seconds / 2, self._crash, running)
        elif running.spec.kind == GROWS:
            self.clock.at(self.clock.now + seconds / 2, self._grow, running)
        self.times.on_segment(self.clock.now)
        self.clock.at(self.clock.now + seconds, self._segment_ends, running)
        if seconds > HELPER_AFTER_SECONDS:
            self._plan_helper()

    def _seconds_of(self, running: BegunFuture) -> float:
        """How long a segment takes: what the function computes, and what the Worker does for each Future."""
        return self.world.seconds_of(running.spec.seconds * self.slowness + self.world.costs.worker)

    def be_slow(self, times: float) -> None:
        """From now on take so many times as long for everything."""
        self.slowness = times

    def _be_late(self, running: BegunFuture) -> None:
        if self.alive and not running.is_done:
            self._fates.overran(self, running)

    def _grow(self, running: BegunFuture) -> None:
        if self.alive and not running.is_done:
            self._fates.overgrew(self, running)

    def _crash(self, running: BegunFuture) -> None:
        if self.halted:
            self.later(lambda: self._crash(running))
        elif self.alive and self.current is running:
            self._fates.crashed(self)

    def _segment_ends(self, running: BegunFuture) -> None:
        if running is not self.current or not self.alive:
            return
        if self.halted:
            self.later(lambda: self._segment_ends(running))
            return
        spec, now = running.spec, self.clock.now
        self.times.on_ran(now - running.began)
        submitter = self.name if running.piece is None else running.piece.terms.submitter
        self.world.observer.on_run(now, self.name, submitter, running.number, running.began)
        self.current = None
        self.times.on_segment(now)
        if spec.width and spec.depth:
            self.parents.wait(running)
            for index in range(spec.width):
                kind = PLAIN if index or spec.kind != GUARDS else GUARDS if spec.depth > 1 else CRASHES
                payload = payload_of(
                    self.world.next_tag(), spec.seconds, spec.width, spec.depth - 1, kind, spec.limit,
                    running.child_flags | (0 if index else spec.flags & ONCE_FLAG),
                )  # fmt: skip
                number = self.submit(payload, running.function, running.priority, read(payload).conditions)
                self.parents.by_child[number] = running
        else:
            self._complete(running)
        self._go_on()

    def _complete(self, running: BegunFuture) -> None:
        """A Future has its value."""
        kind = ERROR if running.spec.kind == RAISES else VALUE
        outcome = value_of(running.payload)
        running.finish()
        self.parents.on_complete(running)
        if self.lock.holder is running and (following := self.lock.release(self.clock.now)) is not None:
            self.parents.ready.append(following)
        if running.piece is not None:
            if self.world.seal is not None:
                outcome = self.world.seal.outcomes.seal(running.task, kind, outcome)
            seconds = self.clock.now - running.began
            seconds = seconds if running.waits_for < 0 else -seconds  # as measured by production
            running.piece.finished.append((running.number, outcome, kind, seconds))
        else:
            self.resolve([running.number], [outcome], [(running.number, kind)] if kind else [])

    def queue_own(self, number: int, *, back: bool = False) -> None:
        if not self.calls[number].conditions.is_alone:
            super().queue_own(number, back=back)
            return
        self.workload.expect_alone()
        self.elsewhere.alone.insert(0 if back else len(self.elsewhere.alone), number)
        self.elsewhere.open.add(number)

    def root_of(self, number: int) -> str:
        return self.parents.by_child[number].root

    def resolve(self, ids: list[int], outcomes: list[bytes], odd: list[tuple[int, int]]) -> None:
        recalls = self.elsewhere.recalls
        if recalls.asked:
            back = recalls.come_back(ids, odd)
            self.own[:0] = back
            kept = [(number, outcome) for number, outcome in zip(ids, outcomes) if number not in back]
            ids, outcomes = [number for number, _ in kept], [outcome for _, outcome in kept]
        super().resolve(ids, outcomes, odd)
        for number in ids:
            self.parents.on_resolved(number)
            self.elsewhere.open.discard(number)

    # -- what the machine says ---------------------------------------------------------------------------------------

    def act(self, action: rules.Action) -> None:
        if type(action) is rules.Run:
            self.workload.enqueue(action.piece, action.body)
        else:
            super().act(action)

    def forget_functions(self) -> None:
        for digest in FUNCTIONS:
            self.machine.forget(digest)

    def retire(self) -> None:
        """Leave on purpose."""
        self.step(rules.Leave("it has run max_tasks_per_child Futures"))
        self.halt(keeps_mail=False)

    # -- how it ends -------------------------------------------------------------------------------------------------

    def cells(self) -> tuple[int, int]:
        """What the crash cells say was running: (piece, id), (0, 0) if nothing was."""
        return self.current.blamed if self.current is not None else (0, 0)

    def alone(self) -> AloneFuture | None:
        """The Future that has this Worker to itself and is open, as the crash cells name it."""
        begun = (self.current, *self.parents.by_child.values(), *self.parents.ready)
        found = (one for one in begun if one is not None and one.piece is not None and not one.is_done)
        alone = [(one.piece.number, one.number) for one in found if one.piece is not None and one.piece.terms.is_alone]
        return AloneFuture(*alone[0], 0.0) if alone else None

    @property
    def is_nested(self) -> bool:
        """Whether what runs is an own Future of the one that the crash cells name."""
        return self.current is not None and self.current.piece is None

    def blamed_future(self) -> tuple[str, int] | None:
        """Return the one that is to blame if this Worker crashes, by submitter and number."""
        piece, number = (0, 0) if self.is_nested else self.cells()
        pieces = self.workload.pieces
        return (pieces[piece].terms.submitter, number) if piece in pieces else None
