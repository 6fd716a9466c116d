"""The process around :class:`BrokerMachine`: two sockets, one pipe from the host process, one loop."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Any

import msgpack

from ..errors import MalformedMessage
from ..federation.events import Arrived, Send, Tick
from ..host.settings import FrameReader, Settings
from ..host.system import name_process, remove_tree
from ..sockets.sockets import MainRouter, MetaPublisher, context, wait
from ..wire import codec
from .machine import BrokerMachine, Event, GaveUp, PeerLost, Publish

MOST_MESSAGES_AT_ONCE = 64


class BrokerShell:
    """Feeds the machine with what arrives and does what it says."""

    def __init__(self, settings: Settings, facts: dict[str, Any], control: int) -> None:
        self.facts, self.control = facts, control
        self.frames = FrameReader()
        owner = context()
        self.main = MainRouter(owner, facts["main"])
        self.meta = MetaPublisher(owner, facts["meta"])
        boot = int.from_bytes(os.urandom(6), "big")
        self.machine = BrokerMachine(f"{settings.host}.broker", boot, settings.size, msgpack.packb)
        self.malformed = 0
        self.outbox: dict[str, list[bytes]] = {}
        self.check = settings.debug

    def run(self) -> None:
        """Serve until the host process ends."""
        while True:
            deadline = self.machine.next_deadline()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            if self.control in wait([self.main], [self.control], timeout) and not self._read_control():
                return
            self._receive()
            self._flush()
            self._step(Tick())
            self._flush()

    def _receive(self) -> None:
        for _ in range(MOST_MESSAGES_AT_ONCE):
            received = self.main.receive()
            if received is None:
                return
            try:
                messages = codec.decode_all(received[1])
            except MalformedMessage:
                self.malformed += 1
                continue
            for sequence, acknowledged, message in messages:
                self._step(Arrived(received[0], sequence, acknowledged, message))

    def _step(self, event: Event) -> None:
        for action in self.machine.step(event, time.monotonic()):
            if type(action) is Send:
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.outbox.setdefault(action.peer, []).append(frame)
            elif type(action) is Publish:
                self.meta.publish(codec.encode(action.state))
        if self.check:
            self.machine.check()

    def _flush(self) -> None:
        """Send each peer what there is for it, in one frame."""
        if self.outbox:
            for peer, frames in self.outbox.items():
                self.main.send(peer, frames[0] if len(frames) == 1 else b"".join(frames))
            self.outbox.clear()

    def _read_control(self) -> bool:
        """Take in what the host process says; False when it is gone."""
        data = os.read(self.control, 1 << 16)
        for value in self.frames.feed(data):
            if value[0] == "lost":
                _, peer, status, blame, running, dump, host = value
                self._step(PeerLost(peer, status, blame, tuple(running) if running else None, dump, host))
            elif value[0] == "gave up":
                self._step(GaveUp(value[1]))
        return bool(data)


def main(settings: Settings, facts: dict[str, Any], name: str, control: int, box: Any, dump: int) -> None:
    """Run the Broker in this, just forked, process."""
    name_process("fedfut-broker")
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)  # messages hold no cycles; a collection is a pause in everybody's way
    host = os.getppid()
    shell = BrokerShell(settings, facts, control)
    try:
        shell.run()
    finally:
        if os.getppid() != host:  # the host process was killed: nobody else is left to tidy up
            remove_tree(facts["run"])
            remove_tree(facts["shared"])
        sys.stdout.flush()
        os._exit(0)
