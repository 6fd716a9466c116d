"""Lanes between Workers and those that they are lent to: in order, without loss, until either end is gone.

What is sent over a lane is in the hands of the kernel, which delivers it even if the sender dies; then the other end
hears that the lane is closed. What was not read when an end closes, or dies, is lost.
"""

from __future__ import annotations

from typing import Protocol

from ..node import events as rules
from ..wire import codec
from ..wire.messages import Lend, Message
from .clock import Clock
from .frames import Frame, copied

LANE_SECONDS = 10e-6

LaneEvent = rules.LaneOpened | rules.LaneArrived | rules.LaneClosed

Arrival = Frame | LaneEvent
"""What comes to a node that submits: messages of its Broker, or what has become of a lane."""


class LaneEnd(Protocol):
    """A node at one end of a lane."""

    name: str
    alive: bool

    def arrive(self, source: str, frame: Arrival) -> None:
        """Something has come over a lane, or it is closed."""


class SimLane:
    """One lane; `ends` are those that have not closed it."""

    __slots__ = ("ends", "number")

    def __init__(self, number: int, ends: list[LaneEnd]) -> None:
        self.number, self.ends = number, ends

    def other(self, node: LaneEnd) -> LaneEnd | None:
        """Return who is at the other end."""
        return next((end for end in self.ends if end is not node), None)

    def leave(self, node: LaneEnd) -> None:
        """A node has closed its end."""
        self.ends.remove(node)


class SimLanes:
    """All lanes of a system."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: dict[str, LaneEnd] = {}
        self._lanes: dict[int, SimLane] = {}
        self.opened = 0

    def enter(self, node: LaneEnd) -> None:
        """A node may have lanes."""
        self._nodes[node.name] = node

    def do(self, node: LaneEnd, action: rules.Action, *, checks: bool) -> bool:
        """Do what a machine says about lanes; False if it says something else. `checks`: use the codec."""
        if type(action) is rules.OpenLane:
            self._open(node, action)
        elif type(action) is rules.LaneSend:
            self._send(node, action.number, action.message, checks=checks)
        elif type(action) is rules.CloseLane:
            self._close(node, action.number)
        else:
            return False
        return True

    def _open(self, worker: LaneEnd, action: rules.OpenLane) -> None:
        submitter = self._nodes.get(action.submitter)
        if submitter is None or not submitter.alive:
            self._clock.at(self._clock.now + LANE_SECONDS, self._refuse, (worker, action.number))
            return
        self._lanes[action.number] = SimLane(action.number, [worker, submitter])
        self.opened += 1

    def _refuse(self, argument: tuple[LaneEnd, int]) -> None:
        worker, number = argument
        worker.arrive("", rules.LaneClosed(number))

    def _send(self, node: LaneEnd, number: int, message: Message, *, checks: bool) -> None:
        lane = self._lanes.get(number)
        if lane is None or node not in lane.ends:
            return
        message = codec.decode(codec.encode(message))[2] if checks else copied(message)
        event: LaneEvent = rules.LaneArrived(number, message)
        if type(message) is Lend:
            event = rules.LaneOpened(number, message.peer)
        self._clock.at(self._clock.now + LANE_SECONDS, self._deliver, (lane, lane.other(node), event))

    def _deliver(self, argument: tuple[SimLane, LaneEnd | None, LaneEvent]) -> None:
        lane, end, event = argument
        if end is not None and end in lane.ends:
            end.arrive("", event)

    def _close(self, node: LaneEnd, number: int) -> None:
        """A node takes in what has come, and closes its end; the other one hears so behind what was sent."""
        lane = self._lanes.get(number)
        if lane is not None and node in lane.ends:
            self._clock.at(self._clock.now + LANE_SECONDS, self._closed, (lane, node))

    def _closed(self, argument: tuple[SimLane, LaneEnd]) -> None:
        lane, node = argument
        if node not in lane.ends:
            return
        other = lane.other(node)
        lane.leave(node)
        if node.alive:
            node.arrive("", rules.LaneClosed(lane.number))
        if other is None:
            self._lanes.pop(lane.number, None)
        else:
            self._clock.at(self._clock.now + LANE_SECONDS, self._hear_of_end, (lane, other))

    def _hear_of_end(self, argument: tuple[SimLane, LaneEnd]) -> None:
        lane, node = argument
        if node in lane.ends:
            lane.leave(node)
            self._lanes.pop(lane.number, None)
            node.arrive("", rules.LaneClosed(lane.number))

    def end_of(self, node: LaneEnd) -> None:
        """A node's process has ended."""
        self._nodes.pop(node.name, None)
        for lane in [lane for lane in self._lanes.values() if node in lane.ends]:
            self._closed((lane, node))
