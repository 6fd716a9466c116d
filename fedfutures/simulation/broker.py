"""A Broker's process: its machine, and the loop that steps it."""

from __future__ import annotations

from collections import deque
from random import Random

import msgpack

from ..broker.events import Action, Dial, Event, Expect, Publish
from ..broker.machine import BrokerMachine
from ..federation.events import Arrived, Send
from ..wire import codec
from .network import SimLink
from .world import ROUND_SECONDS, TICK, SimNode, Watch, World


class SimBroker(SimNode):
    """A Broker's process. It takes in what has arrived, and a while later looks at the whole."""

    __slots__ = ("_busy_until", "_cost", "_inbox", "_round_is_due", "_size", "boot", "machine", "meta")

    machine: BrokerMachine

    def __init__(self, world: World, name: str, size: int, watch: Watch) -> None:
        super().__init__(world, name, watch)
        self.meta: dict[str, dict[str, SimLink]] = {}  # topic -> links by peer; "": to the own Workers
        self._size = size
        self._round_is_due = False
        self._cost = world.costs.broker
        self._busy_until = 0.0
        self._inbox: deque[tuple[str, bytes]] = deque()  # frames that wait, where messages cost something
        self._start()

    def _start(self) -> None:
        """Begin with a machine that knows nothing."""
        self.boot = self.world.next_boot()
        dice = Random(f"{self.world.seed} {self.name} {self.boot}")
        self.machine = BrokerMachine(self.name, self.boot, self._size, msgpack.packb, dice)

    def start_again(self, workers: list[str], neighbours: list[str]) -> None:
        """The host process starts it again, says which Workers live and whom to dial; then comes what was kept."""
        self.alive, self.halted = True, False
        self._start()
        self.world.note(self.name, f"was started again, boot {self.boot}")
        mail, self.mail = self.mail, None
        self.inform(Expect(workers))
        for neighbour in neighbours:
            self.dial(neighbour)
        self.mail = mail
        self.go_on()

    def deadline(self) -> float | None:
        return self.machine.next_deadline()

    def check(self) -> None:
        self.machine.check()

    def tick(self) -> None:
        self.step(TICK)

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

    def arrive(self, source: str, frame: bytes) -> None:
        if self.halted:
            self.later(lambda: self.arrive(source, frame))
            return
        if self._cost:
            self._queue(source, frame)
        else:
            self._take_in(source, frame)

    def hear(self, source: str, frame: bytes) -> None:
        if self.halted:
            return
        if self._cost:
            self._queue(source, frame)
        else:
            self._take_in(source, frame)

    def _take_in(self, source: str, frame: bytes) -> None:
        for sequence, acknowledged, message in codec.decode_all(frame):
            self.step(Arrived(source, sequence, acknowledged, message))
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

    # -- what it sends -----------------------------------------------------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        """Send each peer what there is for it, in one frame, and publish."""
        if len(actions) == 1 and type(actions[0]) is Send:
            self.carry(actions[0].peer, actions[0])
            return
        frames: dict[str, bytes] = {}
        for action in actions:
            if type(action) is Send:
                frame = self.frame_of(action.peer, action)
                frames[action.peer] = frames[action.peer] + frame if action.peer in frames else frame
            elif type(action) is Publish:
                self._publish(action)
        for peer, frame in frames.items():
            self._post(peer, frame)

    def carry(self, peer: str, action: Send) -> None:
        """Send a message by itself."""
        self._post(peer, self.frame_of(peer, action))

    def frame_of(self, peer: str, action: Send) -> bytes:
        if self._cost:
            self._work_for(1)
        return super().frame_of(peer, action)

    def _post(self, peer: str, frame: bytes) -> None:
        link = self.links.get(peer)
        if link is not None:
            if self._cost:
                self.clock.at(self._busy_until, link.send, frame)
            else:
                link.send(frame)

    def _publish(self, action: Publish) -> None:
        self.sent += 1
        frame = codec.encode(action.state)
        for link in self.meta.get(action.topic, {}).values():
            link.publish(frame)

    # -- what it takes: frames wait for those before them ------------------------------------------------------------

    def _queue(self, source: str, frame: bytes) -> None:
        self._inbox.append((source, frame))
        if len(self._inbox) == 1:
            self.clock.at(max(self.clock.now, self._busy_until), self._take_next)

    def _take_next(self, _: object) -> None:
        """Take in the frame that has waited longest; what is sent because of it leaves when the work is done."""
        source, frame = self._inbox[0]
        if not self.halted:
            self._work_for(len(codec.decode_all(frame)))
            self._take_in(source, frame)
        self._inbox.popleft()
        if self._inbox:
            self.clock.at(self._busy_until, self._take_next)

    def _work_for(self, messages: int) -> None:
        self._busy_until = max(self._busy_until, self.clock.now) + messages * self._cost
