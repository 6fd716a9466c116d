"""When to start a child again, and when not: the rules of the host process. Pure.

**Workers.** A Worker that had become ready and has ended is replaced at once. One that ends before it is ready shows
that starting fails here: the next try waits, twice as long each time. After five such ends in a row the host starts no
Worker any more; the reason is how the last one ended.

**Brokers.** A Broker that ends is started again under its name, at its addresses: at once if it had lived for a second,
else after a pause that doubles. It is told again whom to dial, and which Workers live and will come to it with the
Futures that they hold. If one Broker ends five times within half a minute, the run ends. A Broker that was stopped
(SIGSTOP, a debugger) neither works nor ends, so after a while it is killed. That while is counted in looks, not by the
clock: if the host process was stopped as well, as the whole machine may have been, nobody knows for how long the Broker
was.
"""

from __future__ import annotations

from collections import deque

from ..lazy_dataclass import dataclass, field
from ..wire.control import AcceptBroker, ControlFrame, DialBroker, ExpectWorkers, NoMoreWorkers
from ..wire.names import broker_name
from .brokers import broker_of

FAILED_STARTS_LIMIT = 5
FIRST_DELAY_SECONDS = 0.1
INITIALIZER_EXIT_CODE = 81
"""How a Worker ends whose initializer raised: trying again would not help."""
BROKER_SETTLED_SECONDS = 1.0
BROKER_ENDS_LIMIT = 5
BROKER_ENDS_SECONDS = 30.0
LOOK_SECONDS = 0.5
LOOKS_AT_A_STOPPED_BROKER = 10


@dataclass(slots=True)
class Ended:
    """Event: a Worker has ended."""

    slot: int
    ready: bool  # it had become ready
    status: str  # how, for people
    exit_code: int | None  # None: a signal

    @property
    def initializer_raised(self) -> bool:
        """Whether it has ended for that reason."""
        return self.exit_code == INITIALIZER_EXIT_CODE and not self.ready


@dataclass(slots=True)
class Start:
    """Action: fork a Worker for this slot; `name` has not been used before."""

    slot: int
    name: str


@dataclass(slots=True)
class StartBroker:
    """Action: fork this Broker; `after` is how the one before it ended, "" for the first."""

    broker: int
    after: str = ""


@dataclass(slots=True)
class Tell:
    """Action: tell a Broker this, over its control pipe."""

    broker: int
    frame: ControlFrame


@dataclass(slots=True)
class KillBroker:
    """Action: kill a Broker that is stopped; its end will be reported as any other."""

    broker: int


@dataclass(slots=True)
class LoseBroker:
    """Action: end the run, as this Broker cannot be kept alive."""

    reason: str


Action = Start | StartBroker | Tell | KillBroker | LoseBroker


@dataclass(slots=True)
class _Broker:
    """A Broker of this host."""

    name: str
    links: dict[tuple[type, str], DialBroker | AcceptBroker] = field(default_factory=dict)  # by neighbour
    lives: bool = False
    born: float = 0.0
    due: float | None = None  # when to start the next one
    look: float | None = None  # it is stopped: when to look next
    looks: int = 0
    killed: bool = False
    short_lives: int = 0  # in a row
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=BROKER_ENDS_LIMIT))
    after: str = ""


@dataclass(slots=True)
class HostMachine:
    """The children of one host: Worker slots 0 to `workers` - 1 and the Brokers, each alive or with a time to start."""

    host: str
    workers: int
    brokers: int = 1
    _starts: dict[int, int] = field(default_factory=dict)
    _living: dict[int, str] = field(default_factory=dict)  # Workers by slot
    _due: dict[int, float] = field(default_factory=dict)
    _failed: int = 0
    _surrendered: NoMoreWorkers | None = None
    _brokers: list[_Broker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._brokers = [_Broker(broker_name(self.host, index)) for index in range(self.brokers)]

    def begin_brokers(self, now: float) -> list[Action]:
        """Return the first starts of Brokers."""
        return [action for index in range(self.brokers) for action in self._start_broker(index, now)]

    def begin(self) -> list[Action]:
        """Return the first starts of Workers."""
        return [self._start(slot) for slot in range(self.workers)]

    def tick(self, now: float) -> list[Action]:
        """Start what is due, and look at Brokers that are stopped."""
        due = [slot for slot, at in self._due.items() if at <= now]
        for slot in due:
            del self._due[slot]
        actions: list[Action] = []
        for index, broker in enumerate(self._brokers):
            if broker.due is not None and broker.due <= now:
                actions += self._start_broker(index, now)
            elif broker.look is not None and broker.look <= now:
                actions += self._look(index, now)
        return [*actions, *(self._start(slot) for slot in due)]

    def next_deadline(self) -> float | None:
        """When the next tick is due."""
        times = [at for broker in self._brokers for at in (broker.due, broker.look) if at is not None]
        return min([*times, *self._due.values()], default=None)

    # -- Workers -----------------------------------------------------------------------------------------------------

    def on_worker_ended(self, event: Ended, now: float) -> list[Action]:
        """A Worker has ended: start another now or later, or give up."""
        self._living.pop(event.slot, None)
        if self._surrendered is not None:
            return []
        if event.initializer_raised:
            reason = f"the initializer raised on host {self.host}; its traceback is in the output above"
            return self._surrender(reason, initializer_raised=True)
        if event.ready:
            self._failed = 0
            return [self._start(event.slot)]
        self._failed += 1
        if self._failed >= FAILED_STARTS_LIMIT:
            return self._surrender(
                f"Workers on host {self.host} end before they are ready, {self._failed} times in a row; "
                f"the last one: {event.status}"
            )
        self._due[event.slot] = now + FIRST_DELAY_SECONDS * 2 ** (self._failed - 1)
        return []

    def broker_of(self, slot: int) -> int:
        """Return the Broker of a Worker."""
        return broker_of(slot, self.workers, self.brokers)

    def _start(self, slot: int) -> Start:
        self._starts[slot] = self._starts.get(slot, 0) + 1
        count = self._starts[slot]
        name = f"{self.host}.{slot + 1}"
        self._living[slot] = name if count == 1 else f"{name}+{count - 1}"
        return Start(slot, self._living[slot])

    def _surrender(self, reason: str, *, initializer_raised: bool = False) -> list[Action]:
        self._surrendered = NoMoreWorkers(reason, initializer_raised)
        self._due.clear()
        return [Tell(index, self._surrendered) for index in range(self.brokers)]

    # -- Brokers -----------------------------------------------------------------------------------------------------

    def link(self, frame: DialBroker | AcceptBroker) -> list[Action]:
        """A Broker is to dial a neighbour or to accept one, now and whenever it is started again."""
        if frame.broker not in range(self.brokers):
            return []
        broker = self._brokers[frame.broker]
        broker.links[type(frame), frame.name] = frame
        return [Tell(frame.broker, frame)] if broker.lives else []

    def on_broker_ended(self, index: int, status: str, now: float) -> list[Action]:
        """A Broker has ended: start it again now or later, or give the run up."""
        broker = self._brokers[index]
        lived = now - broker.born
        if broker.killed:
            status = f"stopped for {LOOKS_AT_A_STOPPED_BROKER * LOOK_SECONDS:.0f} s, and killed for that"
        broker.lives, broker.look, broker.killed, broker.after = False, None, False, status
        broker.ends.append(now)
        if len(broker.ends) == BROKER_ENDS_LIMIT and now - broker.ends[0] <= BROKER_ENDS_SECONDS:
            seconds = now - broker.ends[0]
            return [LoseBroker(f"{broker.name} ended {BROKER_ENDS_LIMIT} times in {seconds:.1f} s; last: {status}")]
        if lived >= BROKER_SETTLED_SECONDS:
            broker.short_lives = 0
            return self._start_broker(index, now)
        broker.due = now + FIRST_DELAY_SECONDS * 2**broker.short_lives
        broker.short_lives += 1
        return []

    def on_broker_stopped(self, index: int, now: float) -> None:
        """A Broker was stopped by a signal."""
        broker = self._brokers[index]
        if broker.lives and not broker.killed:
            broker.look, broker.looks = now + LOOK_SECONDS, 0

    def on_broker_continued(self, index: int) -> None:
        """It goes on."""
        self._brokers[index].look = None

    def _look(self, index: int, now: float) -> list[Action]:
        broker = self._brokers[index]
        broker.looks += 1
        if broker.looks < LOOKS_AT_A_STOPPED_BROKER:
            broker.look = now + LOOK_SECONDS
            return []
        broker.look, broker.killed = None, True
        return [KillBroker(index)]

    def _start_broker(self, index: int, now: float) -> list[Action]:
        """Start a Broker, and tell it what the one before it knew."""
        broker = self._brokers[index]
        again = bool(broker.ends)
        broker.lives, broker.born, broker.due = True, now, None
        actions: list[Action] = [StartBroker(index, broker.after)]
        if again:
            mine = [name for slot, name in sorted(self._living.items()) if self.broker_of(slot) == index]
            actions.append(Tell(index, ExpectWorkers(mine)))
        # A neighbour on another host does not know the new key yet: the launching side will say when to dial it.
        kept = [frame for frame in broker.links.values() if isinstance(frame, AcceptBroker) or not frame.key]
        actions += [Tell(index, frame) for frame in kept]
        if again and self._surrendered is not None:
            actions.append(Tell(index, self._surrendered))
        return actions
