"""When to start a child again, and when not: the rules of the host process (docs/faults.rst). Pure.

A Worker that had become ready and has ended is replaced at once; after one that ends before, the next try waits, twice
as long each time (:mod:`.attempts`). After :data:`FAILED_STARTS_LIMIT` that ended by themselves the host has no more
Workers, unless others of it are ready: then it tries on. A Broker is started again under its name and told again whom
to dial, and which Workers will come to it with the Futures that they hold.

A child that was stopped (SIGSTOP) is killed after a while (:mod:`.stops`). Of a Worker its Broker learns it before, so
that others run what it has not started.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..lazy_dataclass import dataclass, field
from ..limits import LIMIT_EXIT_CODE
from ..wire.control import (
    AcceptBroker,
    DialBroker,
    EndWorker,
    ExpectPeers,
    FederationSize,
    NoMoreWorkers,
    WorkerContinued,
)
from ..wire.names import broker_name
from .actions import (
    AbandonWorker,
    AbortWorker,
    Action,
    Ended,
    KillBroker,
    KillWorker,
    LoseBroker,
    Say,
    StartBroker,
    Suspend,
    Tell,
    TellWorkers,
)
from .attempts import (
    ENDS_LIMIT,
    GIVE_UP_SECONDS,
    LACK_SECONDS,
    Attempts,
    Restarts,
    initializer_raised_on,
    status_of,
)
from .cancels import Cancels, victim
from .overruns import AloneFuture, Overruns
from .slots import STAND_INS_FROM, Slots
from .stand_ins import StandIns
from .standstills import BLOCKED, BLOCKED_GRACE, KILLED_AS_BLOCKED, Sight, Standstills
from .stops import KILLED_FOR_THAT, STOP_GRACE, Stop

FAILED_STARTS_LIMIT = 5
HOW_STOPPED = (
    "is stopped. Others run what it has not started; unless somebody continues it (kill -CONT {pid}), it is replaced "
    f"after {STOP_GRACE}"
)
HOW_BLOCKED = (
    f"has been blocked in the kernel for {BLOCKED_GRACE} (state D: does a file system not answer?). It is replaced, "
    "and what it had runs again"
)
HOW_TRACED = f"has been held by a debugger for {BLOCKED_GRACE}. Others run what it has not started"
_GIVE_UP = f"{GIVE_UP_SECONDS:.0f} s"


@dataclass(slots=True)
class _Broker:
    """A Broker of this host."""

    name: str
    links: dict[tuple[type, str], DialBroker | AcceptBroker] = field(default_factory=dict)  # by neighbour
    is_alive: bool = False
    born: float = 0.0
    due: float | None = None  # when to start the next one
    stop: Stop | None = None  # it is stopped
    restarts: Restarts = field(default_factory=Restarts)
    after: str = ""


@dataclass(slots=True)
class HostMachine:
    """The children of one host: the Workers of its slots and the Brokers, each alive or with a time to start."""

    host: str
    workers: int
    brokers: int = 1
    life: int = 0  # how often the host process was started again: no Worker has the name of one before it
    neighbours: list[list[str]] = field(default_factory=list)  # by Broker, those on other hosts, if they are known
    size: int = 0  # Workers of the whole Federation; 0: not known
    _slots: Slots = field(default_factory=lambda: Slots("", 0, 1))
    _stops: dict[int, Stop] = field(default_factory=dict)  # Workers that are stopped
    _standstills: Standstills = field(default_factory=Standstills)
    overruns: Overruns = field(default_factory=Overruns)
    _cancels: Cancels = field(default_factory=Cancels)
    _stand_ins: StandIns = field(default_factory=StandIns)
    _attempts: Attempts = field(default_factory=Attempts)
    _surrendered: NoMoreWorkers | None = None
    _is_leaving: bool = False
    _brokers: list[_Broker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._slots = Slots(self.host, self.workers, self.brokers, self.life)
        self._brokers = [_Broker(broker_name(self.host, index)) for index in range(self.brokers)]

    def begin_brokers(self, now: float) -> list[Action]:
        """Return the first starts of Brokers."""
        return [action for index in range(self.brokers) for action in self._start_broker(index, now)]

    def begin(self) -> list[Action]:
        """Return the first starts of Workers."""
        return list(self._slots.start_all())

    def tick(self, now: float) -> list[Action]:
        """Start what is due, and look at what is stopped."""
        due = self._slots.take_due(now)
        actions: list[Action] = []
        for index, broker in enumerate(self._brokers):
            if broker.due is not None and broker.due <= now:
                actions += self._start_broker(index, now)
            elif broker.stop is not None and broker.stop.look(now) and broker.stop.is_over:
                actions.append(KillBroker(index))
        for slot, stop in self._stops.items():
            looks = stop.look(now)
            if looks == 1:
                actions.append(Suspend(slot, HOW_STOPPED))
            elif looks and stop.is_over:
                actions.append(KillWorker(slot))
        return [*actions, *map(self._slots.start, due)]

    def next_deadline(self) -> float | None:
        """When the next tick is due."""
        stops = [*self._stops.values(), *(broker.stop for broker in self._brokers if broker.stop is not None)]
        times = [*(broker.due for broker in self._brokers), *(stop.due for stop in stops), *self._slots.times()]
        return min((at for at in times if at is not None), default=None)

    # -- Workers -----------------------------------------------------------------------------------------------------

    def living(self) -> int:
        """How many Workers live, those included that are ending because there were too many."""
        return self._slots.count()

    def resize(self, workers: int, size: int = 0) -> list[Action]:
        """Have so many Workers from now on, and `size` in the whole Federation (0: as many as before).

        Those that are too many finish what they run, and end.
        """
        can_start = self._surrendered is None and not self._is_leaving
        actions: list[Action] = [*self._slots.resize(workers, starts=can_start)]
        self.workers = self._slots.workers
        if size in (0, self.size):
            return actions
        self.size = size
        return [TellWorkers(FederationSize(size)), *actions]

    def on_worker_ended(self, event: Ended, now: float) -> list[Action]:
        """A Worker has ended: start another now or later, or give up."""
        may_have_left = self._slots.end(event.slot)
        self._stops.pop(event.slot, None)
        self._standstills.forget(event.slot)
        if self._stand_ins.end(event.slot):
            return []  # its Broker asks again
        if self._surrendered is not None or self._is_leaving:
            return []
        if event.initializer_raised:
            return self._surrender(initializer_raised_on(self.host), initializer_raised=True)
        attempts = self._attempts
        if event.ready:
            attempts.settled()
        if not self._slots.is_to_be_filled(event.slot):
            return []
        if event.ready or (may_have_left and event.code == 0):
            return [self._slots.start(event.slot)]
        if event.code == LIMIT_EXIT_CODE:
            return self.on_worker_not_started(event.slot, event.status, now, others_ready=event.others_ready)
        attempts.failed(event.code, now)
        reason = (
            f"Workers on host {self.host} end before they are ready, {attempts.own + attempts.killed} times in a row; "
            f"the last one: {event.status}"
        )
        if not event.others_ready and (attempts.own >= FAILED_STARTS_LIMIT or attempts.is_hopeless(now)):
            return self._surrender(reason)
        self._slots.start_at(event.slot, now + attempts.next_delay())
        if attempts.own + attempts.killed != FAILED_STARTS_LIMIT:
            return []
        if event.others_ready:
            return [Say(f"{reason}. The host goes on with those that are ready, and tries again and again")]
        return [Say(f"{reason}. Somebody else ends them: is the memory used up? It tries on for {_GIVE_UP}")]

    def on_worker_not_started(self, slot: int, why: str, now: float, *, others_ready: bool) -> list[Action]:
        """A Worker has met a limit of this machine as it was to start: try again later, or give up."""
        self._slots.end(slot)
        if self._stand_ins.end(slot) or self._surrendered is not None or not self._slots.is_to_be_filled(slot):
            return []
        news = self._attempts.lacked(now)
        reason = f"host {self.host} cannot start Worker {slot + 1} of {self.workers}: {why}"
        if not others_ready and self._attempts.is_hopeless(now):
            return self._surrender(reason)
        self._slots.start_at(slot, now + self._attempts.next_delay())
        if not news:
            return []
        if self._slots.living():
            return [Say(f"{reason}. The host goes on with those that it has, and tries again and again")]
        return [Say(f"{reason}. It tries on for {LACK_SECONDS:.0f} s")]

    def on_worker_stopped(self, slot: int, now: float) -> None:
        """A Worker was stopped by a signal."""
        if slot in self._slots:
            self._stops.setdefault(slot, Stop(now))

    def on_worker_continued(self, slot: int) -> list[Action]:
        """It goes on."""
        stop = self._stops.get(slot)
        if stop is None or stop.is_over:
            return []
        del self._stops[slot]
        return [Tell(self.broker_of(slot), WorkerContinued(self._slots.name_of(slot)))] if stop.looks else []

    def on_seen(self, found: Mapping[int, Sight]) -> list[Action]:
        """What all Workers do: what stands still is looked after; what is stopped has rules of its own."""
        actions: list[Action] = []
        running = {slot: sight for slot, sight in found.items() if slot in self._slots and slot not in self._stops}
        for slot, verdict in self._standstills.look(running).items():
            if verdict == "abandon":
                actions.append(AbandonWorker(slot))
            elif verdict == "continue":
                actions.append(Tell(self.broker_of(slot), WorkerContinued(self._slots.name_of(slot))))
            elif found[slot].state == BLOCKED:
                actions += [Suspend(slot, HOW_BLOCKED), KillWorker(slot)]
            else:
                actions.append(Suspend(slot, HOW_TRACED))
        return actions

    def on_alone(self, found: Mapping[int, AloneFuture], now: float) -> list[Action]:
        """What Workers run that has a time limit: those are ended that are over it."""
        verdicts = self.overruns.look(found, now)
        return [AbortWorker(slot) if verdict == "abort" else KillWorker(slot) for slot, verdict in verdicts.items()]

    def on_end_wanted(
        self, broker: str, slot: int, wanted: EndWorker, running: tuple[int, int] | None, alone: AloneFuture | None
    ) -> list[Action]:  # fmt: skip
        """A Broker says that Futures of a Worker were cancelled; what the Worker runs, its crash cells say."""
        if self._slots.name_of(slot) != wanted.worker or self._brokers[self.broker_of(slot)].name != broker:
            return []
        number = victim(wanted, running, alone)
        return [KillWorker(slot)] if number is not None and self._cancels.kill(slot, wanted.piece, number) else []

    def end_cancelled(self, slot: int) -> tuple[int, int] | None:
        """A Worker has ended; return for which cancelled Future it was killed, if it was, as (piece, id)."""
        return self._cancels.end(slot)

    def on_stand_in_wanted(self, broker: str) -> list[Action]:
        """A Broker has Futures with a time limit that no Worker of it may start."""
        index = next((index for index, other in enumerate(self._brokers) if other.name == broker), None)
        if index is None or self._surrendered is not None or self._is_leaving:
            return []
        place = self._stand_ins.start(self.host, index, STAND_INS_FROM, self.life)
        return [] if place is None else [self._slots.enter(*place)]

    def killed_for(self, slot: int) -> str:
        """Return why the Worker of this slot was killed by its host process; "" if it was not."""
        stop = self._stops.get(slot)
        if stop is not None and stop.is_over:
            return KILLED_FOR_THAT
        return KILLED_AS_BLOCKED if self._standstills.is_blocked(slot) else ""

    def leave(self) -> None:
        """Start no Worker any more: this host leaves the run."""
        self._is_leaving = True
        self._slots.give_up()

    def broker_of(self, slot: int) -> int:
        """Return the Broker of a Worker."""
        found = self._stand_ins.broker_of(slot)
        return self._slots.broker_of(slot) if found is None else found

    def check(self) -> None:
        """Assert that each slot has what it is to have."""
        self._slots.check()

    def _surrender(self, reason: str, *, initializer_raised: bool = False) -> list[Action]:
        self._surrendered = NoMoreWorkers(reason, initializer_raised)
        self._slots.give_up()
        return [Tell(index, self._surrendered) for index in range(self.brokers)]

    # -- Brokers -----------------------------------------------------------------------------------------------------

    def link(self, frame: DialBroker | AcceptBroker) -> list[Action]:
        """A Broker is to dial a neighbour or to accept one, now and whenever it is started again."""
        if frame.broker not in range(self.brokers):
            return []
        broker = self._brokers[frame.broker]
        broker.links[type(frame), frame.name] = frame
        return [Tell(frame.broker, frame)] if broker.is_alive else []

    def _neighbours(self, index: int) -> list[str]:
        """Return who has a link to a Broker: those of other hosts, and the other Brokers of this one."""
        names = {name for _, name in self._brokers[index].links}.union(*self.neighbours[index : index + 1])
        return sorted(names.union(broker.name for i, broker in enumerate(self._brokers) if i != index))

    def on_broker_not_started(self, index: int, why: str, now: float) -> list[Action]:
        """A Broker has met a limit of this machine: try again later, or give the run up."""
        broker = self._brokers[index]
        broker.is_alive, broker.stop = False, None
        news, reason = broker.restarts.lacked(now), f"{broker.name} cannot run on host {self.host}: {why}"
        if broker.restarts.is_hopeless(now):
            return [LoseBroker(reason)]
        broker.due = now + broker.restarts.next_delay()
        return [Say(f"{reason}. It tries on for {LACK_SECONDS:.0f} s")] if news else []

    def on_broker_ended(self, index: int, code: int, now: float, why: str = "") -> list[Action]:
        """A Broker has ended: start it again now or later, or give the run up. `why`: a limit that it has met."""
        broker = self._brokers[index]
        if code == LIMIT_EXIT_CODE:
            broker.after = why
            return self.on_broker_not_started(index, why, now)
        status, restarts = status_of(code), broker.restarts
        if broker.stop is not None and broker.stop.is_over:
            status = KILLED_FOR_THAT
        broker.is_alive, broker.stop, broker.after = False, None, status
        has_settled = restarts.ended(code, now - broker.born, now)
        if (seconds := restarts.crashed_within(now)) is not None:
            return [LoseBroker(f"{broker.name} ended {ENDS_LIMIT} times in {seconds:.1f} s; last: {status}")]
        if has_settled:
            return self._start_broker(index, now)
        if restarts.is_hopeless(now):
            return [LoseBroker(f"{broker.name} was ended as soon as it began, for {_GIVE_UP}; last: {status}")]
        broker.due = now + restarts.next_delay()
        if restarts.killed == ENDS_LIMIT:
            return [Say(f"{broker.name} is ended again and again ({status}); it is started on and on for {_GIVE_UP}")]
        return []

    def on_broker_stopped(self, index: int, now: float) -> None:
        """A Broker was stopped by a signal."""
        broker = self._brokers[index]
        if broker.is_alive and broker.stop is None:
            broker.stop = Stop(now)

    def on_broker_continued(self, index: int) -> None:
        """It goes on."""
        broker = self._brokers[index]
        if broker.stop is not None and not broker.stop.is_over:
            broker.stop = None

    def _start_broker(self, index: int, now: float) -> list[Action]:
        """Start a Broker, and tell it what the one before it knew."""
        broker = self._brokers[index]
        again = bool(broker.after or self.life)  # a host process that was started again had Brokers before
        broker.is_alive, broker.born, broker.due = True, now, None
        actions: list[Action] = [StartBroker(index, broker.after)]
        if again:
            living = [(slot, name) for slot, name in self._slots.living() if slot not in self._stops]
            mine = [name for slot, name in living if self.broker_of(slot) == index]
            actions.append(Tell(index, ExpectPeers(mine, self._neighbours(index))))
        # A neighbour on another host does not know the new key yet: the launching side will say when to dial it.
        kept = [frame for frame in broker.links.values() if isinstance(frame, AcceptBroker) or not frame.key]
        actions += [Tell(index, frame) for frame in kept]
        if again and self._surrendered is not None:
            actions.append(Tell(index, self._surrendered))
        return actions
