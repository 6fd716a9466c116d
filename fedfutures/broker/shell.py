"""The process around :class:`BrokerMachine`: its sockets, one pipe from the host process, one loop.

Workers, Origins and the neighbours that dial this Broker come to its ROUTER; each neighbour that it dials has a DEALER
of its own. Meta states go out by one PUB socket and come in by one SUB socket, the ear, whoever has dialled whom
(:mod:`..sockets.sockets`). Whom to dial, and which Workers have ended, the host process says over the pipe.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from random import Random
from typing import Any

import msgpack

from ..errors import MalformedMessage
from ..federation.events import Arrived, Send, Tick
from ..host.settings import FrameReader, Settings
from ..host.system import name_process, remove_tree
from ..sockets.sockets import MainDealer, MainRouter, MetaEar, MetaPublisher, context, wait
from ..wire import codec
from ..wire.messages import Message, State
from .machine import BrokerMachine, Dial, Event, Expect, GaveUp, PeerLost, Publish

MOST_MESSAGES_AT_ONCE = 64


class BrokerShell:
    """Feeds the machine with what arrives and does what it says."""

    def __init__(self, settings: Settings, facts: dict[str, Any], name: str, control: int) -> None:
        self.name, self.control = name, control
        self.frames = FrameReader()
        self.owner = context()
        self.main = MainRouter(self.owner, facts["main"])
        self.meta = MetaPublisher(self.owner, facts["meta"])
        self.ear = MetaEar(self.owner, facts["ear"], name)
        self.dealers: dict[str, MainDealer] = {}  # by neighbour that is dialled
        self.dialled: dict[str, tuple[str, str, str]] = {}  # its addresses
        boot = int.from_bytes(os.urandom(6), "big")
        self.machine = BrokerMachine(name, boot, settings.size, msgpack.packb, Random(os.urandom(16)))
        self.malformed = 0
        self.outbox: dict[str, list[bytes]] = {}
        self.check = settings.debug

    def run(self) -> None:
        """Serve until the host process ends."""
        while True:
            deadline = self.machine.next_deadline()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            sockets, pipes = wait([self.main, self.ear, *self.dealers.values()], [self.control], timeout)
            if pipes and not self._read_control():
                return
            for socket in sockets:
                if socket is self.main:
                    self._receive()
                elif socket is self.ear:
                    self._hear()
            for neighbour, dealer in self.dealers.items():
                if dealer in sockets:
                    self._receive_from(neighbour, dealer)
            self._flush()
            self._step(Tick())
            self._flush()

    # -- arrivals ----------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        for _ in range(MOST_MESSAGES_AT_ONCE):
            received = self.main.receive()
            if received is None:
                return
            self._arrived(*received)

    def _receive_from(self, neighbour: str, dealer: MainDealer) -> None:
        for _ in range(MOST_MESSAGES_AT_ONCE):
            frame = dealer.receive()
            if frame is None:
                return
            self._arrived(neighbour, frame)

    def _decoded(self, frame: bytes) -> list[tuple[int, int, Message]]:
        try:
            return codec.decode_all(frame)
        except MalformedMessage:
            self.malformed += 1
            return []

    def _arrived(self, peer: str, frame: bytes) -> None:
        for sequence, acknowledged, message in self._decoded(frame):
            self._step(Arrived(peer, sequence, acknowledged, message))

    def _hear(self) -> None:
        """Take in what neighbours publish: states, and nothing that a Main socket would have to number."""
        for _ in range(MOST_MESSAGES_AT_ONCE):
            heard = self.ear.receive()
            if heard is None:
                return
            for _, _, message in self._decoded(heard[1]):
                if type(message) is State:
                    self._step(Arrived(heard[0], 0, 0, message))
                else:
                    self.malformed += 1

    # -- actions -----------------------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        for action in self.machine.step(event, time.monotonic()):
            if type(action) is Send:
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.outbox.setdefault(action.peer, []).append(frame)
            elif type(action) is Publish:
                self.meta.publish(action.topic, self.name, codec.encode(action.state))
        if self.check:
            self.machine.check()

    def _flush(self) -> None:
        """Send each peer what there is for it, in one frame."""
        if self.outbox:
            for peer, frames in self.outbox.items():
                frame = frames[0] if len(frames) == 1 else b"".join(frames)
                if peer in self.dealers:
                    self.dealers[peer].send(frame)
                else:
                    self.main.send(peer, frame)
            self.outbox.clear()

    # -- the host process --------------------------------------------------------------------------------------------

    def _read_control(self) -> bool:
        """Take in what the host process says; False when it is gone."""
        data = os.read(self.control, 1 << 16)
        for kind, *fields in self.frames.feed(data):
            if kind == "lost":
                peer, status, blame, running, dump, host = fields
                self._step(PeerLost(peer, status, blame, tuple(running) if running else None, dump, host))
            elif kind == "dial":
                self._dial(*fields)
            elif kind == "expect":
                self._step(Expect(*fields))
            elif kind == "gave up":
                self._step(GaveUp(*fields))
        return bool(data)

    def _dial(self, name: str, main: str, meta: str, ear: str, key: str = "") -> None:
        """Connect to a neighbour; where it was dialled at other addresses before, to these instead."""
        known = self.dialled.get(name)
        if known == (main, meta, ear):
            return
        if known is not None:
            self.dealers[name].close()
            self.ear.disconnect(known[1])
            self.meta.disconnect(known[2])
        self.dialled[name] = (main, meta, ear)
        self.dealers[name] = MainDealer(self.owner, main, self.name, far=True)
        self.ear.connect(meta)
        self.meta.connect(ear)
        if known is None:
            self._step(Dial(name))


def main(settings: Settings, facts: dict[str, Any], name: str, control: int, box: Any, dump: int) -> None:
    """Run the Broker in this, just forked, process."""
    name_process("fedfut-broker")
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)  # messages hold no cycles; a collection is a pause in everybody's way
    host = os.getppid()
    code = 1
    try:
        BrokerShell(settings, facts, name, control).run()
        code = 0
    except BaseException:  # our own fault: say so, and be started again
        sys.excepthook(*sys.exc_info())
    finally:
        if os.getppid() != host:  # the host process was killed: nobody else is left to tidy up
            remove_tree(facts["run"])
            remove_tree(facts["shared"])
        sys.stderr.flush()
        os._exit(code)
