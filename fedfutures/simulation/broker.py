"""A Broker's process: its machine, and the loop that steps it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

import msgpack

from ..broker.events import Action, AskStandIn, Dial, EndForCancel, Event, Expect, Publish, WantWorkers
from ..broker.lots import Source
from ..broker.machine import BrokerMachine
from ..federation.events import Arrived, Send
from .frames import Frame
from .network import SimLink
from .world import ROUND_SECONDS, TICK, SimNode, Watch, World


class SimBroker(SimNode):
    """A Broker's process. It takes in what has arrived, and a while later looks at the whole."""

    __slots__ = (
        "_ask_stand_in", "_busy_until", "_cost", "_end_worker", "_inbox", "_round_is_due", "_slots", "_want",
        "incarnation", "links", "meta", "segments",
    )  # fmt: skip

    machine: BrokerMachine

    def __init__(self, world: World, name: str, watch: Watch) -> None:
        super().__init__(world, name, watch)
        self.links: dict[str, SimLink] = {}
        self.meta: dict[str, dict[str, SimLink]] = {}  # topic -> links by peer; "": to the own Workers
        self.segments: dict[str, int] = {}  # of its host: name -> bytes
        self._round_is_due = False
        self._cost = world.costs.broker
        self._busy_until = 0.0
        self._inbox: deque[tuple[str, Frame]] = deque()  # frames that wait, where messages cost something
        self._ask_stand_in: Callable[[], object] = int
        self._end_worker: Callable[[EndForCancel], object] = id
        self._slots: int | None = None
        self._want: Callable[[int], object] = int
        self._start()

    def attend(self, ask_stand_in: Callable[[], object], end_worker: Callable[[EndForCancel], object]) -> None:
        """Learn how to ask the host process for a stand-in, and for the end of a Worker."""
        self._ask_stand_in, self._end_worker = ask_stand_in, end_worker

    def serve_others(self, slots: int, want: Callable[[int], object]) -> None:
        """Its host has so many slots, for other programs, too: begin anew, and tell `want` how many it could use."""
        self._slots, self._want = slots, want
        self._start()

    def _start(self) -> None:
        """Begin with a machine that knows nothing."""
        self.incarnation = self.world.next_incarnation()
        dice = Random(f"{self.world.seed} {self.name} {self.incarnation}")
        self.machine = BrokerMachine(self.name, self.incarnation, msgpack.packb, dice, self._size_of, slots=self._slots)

    def _size_of(self, segment: str) -> int:
        return self.segments.get(segment, -1)

    def start_again(self, workers: list[str], neighbours: list[str]) -> None:
        """The host process starts it again, says which Workers live and whom to dial; then comes what was kept."""
        self.alive, self.halted = True, False
        self._start()
        self.world.note(self.name, f"was started again, incarnation {self.incarnation}")
        mail, self.mail = self.mail, None
        self.inform(Expect(workers, neighbours))
        for neighbour in neighbours:
            self.dial(neighbour)
        self.mail = mail
        self.go_on()

    def tick(self) -> None:
        self.step(TICK)

    def forget_functions(self) -> None:
        for digest in list(self.machine.functions.definitions):
            self.machine.functions.forget(digest)

    def step(self, event: Event) -> None:
        """Give the machine an event and do what it says."""
        actions = self.machine.step(event, self.clock.now * self.rate + self.offset)
        if actions:
            self._act(actions)
        if (actions or event is not TICK) and self.world.checks_now():
            self.machine.check()

    def inform(self, event: Event) -> None:
        """The host process tells the Broker something; it looks at the whole afterwards."""
        if self.halted:
            self.later(lambda: self.inform(event))
        else:
            self.step(event)
            self._expect_round()

    def dial(self, peer: str) -> None:
        """Begin to link to a neighbour."""
        self.inform(Dial(peer))

    def arrive(self, source: str, frame: Frame) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
        elif self._cost:
            self._queue(source, frame)
        else:
            self._take_in(source, frame)

    def hear(self, source: str, frame: Frame) -> None:
        if not self.halted:
            self.arrive(source, frame)

    def _take_in(self, source: str, frame: Frame) -> None:
        observer = self.world.observer
        for sequence, acknowledged, message in frame:
            is_seen = type(message) in observer.hears
            if is_seen:
                observer.on_arrival(self.name, source, sequence, message)
            self.step(Arrived(source, sequence, acknowledged, message))
            if is_seen:
                observer.on_taken_in(self.name, source, sequence, message)
        if not self._round_is_due:
            self._expect_round()

    def _expect_round(self) -> None:
        if not self._round_is_due:
            self._round_is_due = True
            self.clock.at(max(self.clock.now, self._busy_until) + ROUND_SECONDS, self._round)

    def _round(self, _: object) -> None:
        self._round_is_due = False
        if not self.halted:
            self.step(TICK)
            self.plan()

    def source_of(self, peer: str, piece: int) -> Source | None:
        """Return who gave what is in a piece that a peer holds, and in which piece; None if it holds no such."""
        account = self.machine.ledger.accounts.get(peer)
        held = None if account is None else account.held.get(piece)
        return None if held is None or held.intake is None else held.intake.source

    # -- what it sends -----------------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        """Send each peer what there is for it, in one frame, and publish."""
        frames: dict[str, Frame] = {}
        for action in actions:
            if type(action) is Send:
                if self._cost:
                    self._work_for(1)
                frame, peer = self.frame_of(action.peer, action), action.peer
                frames[peer] = frames[peer] + frame if peer in frames else frame
            elif type(action) is Publish:
                self._publish(action)
            elif type(action) is AskStandIn:
                self._ask_stand_in()
            elif type(action) is EndForCancel:
                self._end_worker(action)
            elif type(action) is WantWorkers:
                self._want(action.count)
        for peer, frame in frames.items():
            link = self.links.get(peer)
            if link is not None and self._cost:
                self.clock.at(self._busy_until, link.send, frame)
            elif link is not None:
                link.send(frame)

    def _publish(self, action: Publish) -> None:
        self.sent += 1
        frame: Frame = [(0, 0, action.state)]
        for link in self.meta.get(action.topic, {}).values():
            link.publish(frame)

    # -- what it takes: frames wait for those before them ------------------------------------------------------------

    def _queue(self, source: str, frame: Frame) -> None:
        self._inbox.append((source, frame))
        if len(self._inbox) == 1:
            self.clock.at(max(self.clock.now, self._busy_until), self._take_next)

    def _take_next(self, _: object) -> None:
        """Take in the frame that has waited longest; what is sent because of it leaves when the work is done."""
        source, frame = self._inbox[0]
        if not self.halted:
            self._work_for(len(frame))
            self._take_in(source, frame)
        self._inbox.popleft()
        if self._inbox:
            self.clock.at(self._busy_until, self._take_next)

    def _work_for(self, messages: int) -> None:
        self._busy_until = max(self._busy_until, self.clock.now) + messages * self._cost
        if self.world.processors is not None:
            self.world.processors.interrupt(self.clock.now, messages * self._cost)
