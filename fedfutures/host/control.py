"""What a host process does for a frame of the launching side, and what it passes on of its Brokers' frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..supervision.machine import Action, HostMachine
from ..wire.control import (
    AcceptBroker,
    BrokerAccepts,
    BrokerBound,
    CloseStream,
    ControlFrame,
    DialBroker,
    EndRun,
    HoldOutput,
    LinkState,
    OpenStream,
    RelayBroker,
    StreamCredit,
    StreamData,
    StreamFrame,
)
from .relay import Relay


class HostControl:
    """Turns frames into actions of the machine. `send` sends a frame to the launching side."""

    def __init__(self, machine: HostMachine, relay: Relay, send: Callable[[ControlFrame], None]) -> None:
        self._machine, self._relay, self._send = machine, relay, send
        self._bound: dict[str, BrokerBound] = {}  # by Broker, the latest
        self._links: dict[tuple[str, str], LinkState] = {}  # by Broker and neighbour, the latest
        self.holds_output = False  # Workers' output waits in their pipes: the program does not take it in
        self.has_ended = False

    def on_frame(self, frame: ControlFrame) -> list[Action]:
        """Take in a frame of the launching side; a heartbeat, for instance, asks for nothing."""
        handler = _HANDLERS.get(type(frame))
        return [] if handler is None else handler(self, frame)

    def on_broker_frame(self, broker: str, frame: ControlFrame) -> None:
        """Pass on what a Broker says of itself and of its links to other hosts."""
        if not isinstance(frame, (BrokerBound, BrokerAccepts, LinkState)) or frame.broker != broker:
            return
        if isinstance(frame, BrokerBound):
            self._bound[broker] = frame
        elif isinstance(frame, LinkState):
            self._links[broker, frame.neighbour] = frame
        self._send(frame)

    def send_again(self) -> None:
        """Tell a launching side that has come back what it may have missed."""
        self.holds_output = False
        self._relay.reset()
        frames: list[ControlFrame] = [*self._bound.values(), *self._links.values()]
        for frame in frames:
            self._send(frame)

    def _on_link(self, frame: DialBroker | AcceptBroker) -> list[Action]:
        return self._machine.link(frame)

    def _on_relay(self, frame: RelayBroker) -> list[Action]:
        return self._machine.link(self._relay.dialled(frame))

    def _on_hold_output(self, frame: HoldOutput) -> list[Action]:
        self.holds_output = frame.hold
        return []

    def _on_stream(self, frame: StreamFrame) -> list[Action]:
        self._relay.on_frame(frame, self._bound)
        return []

    def _on_end_run(self, _: EndRun) -> list[Action]:
        self.has_ended = True
        return []


_HANDLERS: dict[type[ControlFrame], Callable[[HostControl, Any], list[Action]]] = {
    DialBroker: HostControl._on_link,
    RelayBroker: HostControl._on_relay,
    AcceptBroker: HostControl._on_link,
    HoldOutput: HostControl._on_hold_output,
    EndRun: HostControl._on_end_run,
    **dict.fromkeys((OpenStream, StreamData, StreamCredit, CloseStream), HostControl._on_stream),
}
