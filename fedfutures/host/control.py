"""What a host process does for a frame of the launching side, and what it passes on of its Brokers' frames."""

from __future__ import annotations

from collections.abc import Callable

from ..supervision.actions import Action, Tell
from ..supervision.bounded_allotment import BoundedAllotment
from ..supervision.contact import ParentLink
from ..supervision.machine import HostMachine
from ..supervision.wants import HostWants
from ..wire.control import (
    AcceptBroker,
    BrokerAccepts,
    BrokerBound,
    ControlFrame,
    DialBroker,
    EndRun,
    EndWorker,
    HoldOutput,
    LinkState,
    MoreWanted,
    RelayBroker,
    ResizeHost,
    StandInWanted,
    StreamFrame,
    TryPorts,
    WorkersWanted,
)
from .child import Child
from .parent_link import parent_link, place_of
from .relay import Relay


class HostControl:
    """Turns frames into actions of the machine. `send` sends a frame to the launching side.

    most: how many Workers a run asks for that has joined a standing Federation, where the host server allots them.
    """

    def __init__(
        self, machine: HostMachine, relay: Relay, send: Callable[[ControlFrame], None],
        worker_named: Callable[[str], Child | None], most: int | None = None,
    ) -> None:  # fmt: skip
        self._machine, self._relay, self._send, self._worker_named = machine, relay, send, worker_named
        self._allotment = None if most is None else BoundedAllotment(most)
        self._bound: dict[str, BrokerBound] = {}  # by Broker, the latest
        self._links: dict[tuple[str, str], LinkState] = {}  # by Broker and neighbour, the latest
        self._slots, self._wants, self._said_more = most or 0, HostWants(), 0
        self.holds_output = False  # the program does not read: Workers' output waits in their pipes
        self.has_ended = False

    def on_frame(self, frame: ControlFrame) -> list[Action]:
        """Do what a frame of the launching side asks for; a heartbeat, for instance, asks for nothing."""
        if isinstance(frame, (DialBroker, AcceptBroker)):
            return self._machine.link(frame)
        if isinstance(frame, RelayBroker):
            return self._machine.link(self._relay.dialled(frame))
        if isinstance(frame, TryPorts):
            return [Tell(frame.broker, frame)]
        if isinstance(frame, StreamFrame):
            self._relay.on_frame(frame, self._bound)
        elif isinstance(frame, ResizeHost):
            workers = frame.workers if self._allotment is None else self._allotment.ask_for(frame.workers)
            return self._machine.resize(workers, frame.size)
        elif isinstance(frame, HoldOutput):
            self.holds_output = frame.hold
        elif isinstance(frame, EndRun):
            self.has_ended = True
        return []

    def on_broker_frame(self, broker: str, frame: ControlFrame) -> list[Action]:
        """Pass on what a Broker tells of itself and its links to other hosts; it may ask for a Worker, or its end."""
        if isinstance(frame, StandInWanted):
            return self._machine.on_stand_in_wanted(broker)
        if isinstance(frame, WorkersWanted):
            self._on_wanted(broker, frame)
            return []
        if isinstance(frame, EndWorker):
            if (child := self._worker_named(frame.worker)) is None:
                return []
            return self._machine.on_end_wanted(broker, child.slot, frame, child.cells.running(), child.alone())
        if not isinstance(frame, (BrokerBound, BrokerAccepts, LinkState)) or frame.broker != broker:
            return []
        if isinstance(frame, BrokerBound):
            if self._bound.get(broker) != frame:  # another Broker: nothing is known of its links yet
                self._links = {ends: state for ends, state in self._links.items() if ends[0] != broker}
            self._bound[broker] = frame
        elif isinstance(frame, LinkState):
            self._links[broker, frame.neighbour] = frame
        self._send(frame)
        return []

    def _on_wanted(self, broker: str, frame: WorkersWanted) -> None:
        self._wants.on_wanted(broker, frame.count, frame.more)
        if (more := self._wants.beyond(self._slots)) != self._said_more:
            self._said_more = more
            self._send(MoreWanted(more))

    @property
    def wanted(self) -> int:
        """How many Workers the Brokers of this host could use, and the program allows."""
        return self._wants.total if self._allotment is None else min(self._wants.total, self._allotment.most)

    def on_allotted(self, workers: int) -> list[Action]:
        """The host server of a joined run allots so many Workers."""
        return self._machine.resize(workers if self._allotment is None else self._allotment.allot(workers))

    def parent_link(self) -> ParentLink:
        """Return what is seen of the link from the Broker that dials this host."""
        bound = [place_of(frame.address, frame.main) for frame in self._bound.values() if frame.main]
        return parent_link(bound, [place_of(*end) for end in self._relay.ends()])

    def send_again(self) -> None:
        """Tell a launching side that has come back what it may have missed."""
        self.holds_output = False
        self._relay.reset()
        frames: list[ControlFrame] = [*self._bound.values(), *self._links.values()]
        for frame in [*frames, MoreWanted(self._said_more)] if self._said_more else frames:
            self._send(frame)
