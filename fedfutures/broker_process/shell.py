"""The process around :class:`BrokerMachine`: its sockets, one pipe to the host process and back, one loop.

Workers, Origins and the neighbours that dial this Broker come to its ROUTER; each neighbour that it dials has a DEALER
of its own. Meta states go out by one PUB socket and come in by one SUB socket, the ear, whoever has dialled whom
(:mod:`..sockets.sockets`). Neighbours on other hosts have sockets of their own (:mod:`.remote_sockets`).
The host process says over the pipe whom to dial, and which Workers have ended.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

from ..broker.events import Dial, Event, Expect, GaveUp, PeerLost, Publish
from ..broker.files import Brought
from ..broker.machine import BrokerMachine
from ..errors import MalformedMessage
from ..federation.events import Arrived, Send, Tick
from ..host.settings import Settings
from ..host.system import keep_freed_memory, name_process, raise_descriptor_limit, remove_tree
from ..sockets.sockets import Data, MainDealer, MainRouter, MetaEar, MetaPublisher, context, drained, wait
from ..wire import codec
from ..wire.control import AcceptBroker, ControlFrame, DialBroker, ExpectWorkers, NoMoreWorkers, WorkerEnded
from ..wire.framing import FrameReader, pack
from ..wire.messages import Chunk, State
from .remote_sockets import RemoteSockets, Sequenced
from .storage import Storage

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
        self.storage = Storage(facts["shared"], facts["run"], name, facts["disk"])
        self.machine = BrokerMachine(
            name, boot, settings.size, codec.pack_plain, Random(os.urandom(16)),
            self.storage.size_of, self.storage.space(),
        )  # fmt: skip
        self.malformed = 0
        self.outbox: dict[str, list[bytes]] = {}
        self.check = settings.debug
        self.remote = RemoteSockets(self.owner, name, settings.far_address, self._tell, self.machine.peers.hears)

    def run(self) -> None:
        """Serve until the host process ends."""
        while True:
            deadlines = [due for due in (self.machine.next_deadline(), self.remote.deadline()) if due is not None]
            timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            near = [self.main, self.ear, *self.dealers.values()]
            sockets, pipes = wait([*near, *self.remote.readables()], [self.control], timeout)
            if pipes and not self._read_control():
                return
            for socket in sockets:
                if socket is self.main:
                    for peer, frame, data in drained(self.main.receive, MOST_MESSAGES_AT_ONCE):
                        self._take_in(peer, self._decoded(frame), data)
                elif socket is self.ear:
                    for peer, frame in drained(self.ear.receive, MOST_MESSAGES_AT_ONCE):
                        self._learn(peer, self._decoded(frame))
            for neighbour, dealer in self.dealers.items():
                if dealer in sockets:
                    for frame, data in drained(dealer.receive_all, MOST_MESSAGES_AT_ONCE):
                        self._take_in(neighbour, self._decoded(frame), data)
            if not set(sockets).issubset(near):
                self._receive_remote()
            self._flush()
            self._step(Tick())
            self._flush()
            self.remote.tick(time.monotonic())

    # -- arrivals ----------------------------------------------------------------------------------------------------

    def _receive_remote(self) -> None:
        """Take in what has come from other hosts, where nobody may say what is not a Broker's to say."""
        for name, frame, data in self.remote.receive(MOST_MESSAGES_AT_ONCE):
            self._take_in(name, self.remote.sift(name, self._decoded(frame)), data)
        for name, frame in self.remote.hear(MOST_MESSAGES_AT_ONCE):
            self._learn(name, self.remote.sift(name, self._decoded(frame)))

    def _decoded(self, frame: bytes) -> list[Sequenced]:
        try:
            return codec.decode_all(frame)
        except MalformedMessage:
            self.malformed += 1
            return []

    def _take_in(self, peer: str, found: list[Sequenced], data: memoryview | None) -> None:
        """Take in messages of a peer; only a part of a segment has data behind it."""
        if data is None:
            for sequence, acknowledged, message in found:
                self._step(Arrived(peer, sequence, acknowledged, message))
        elif len(found) == 1 and type(found[0][2]) is Chunk:
            self._step(Brought(peer, found[0][2], data))
        else:
            self.malformed += 1

    def _learn(self, name: str, found: list[Sequenced]) -> None:
        """Take in what a neighbour publishes: States, and nothing that a Main socket would have to number."""
        for _, _, message in found:
            if type(message) is State:
                self._step(Arrived(name, 0, 0, message))
            else:
                self.malformed += 1

    # -- actions -----------------------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        heard: list[Event] = []
        for action in self.machine.step(event, time.monotonic()):
            if isinstance(action, Send):
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.outbox.setdefault(action.peer, []).append(frame)
            elif isinstance(action, Publish):
                state = codec.encode(action.state)
                if not self.remote.publish(action.topic, state):
                    self.meta.publish(action.topic, self.name, state)
            elif (said := self.storage.do(action, self._send)) is not None:
                heard.append(said)
        if self.check:
            self.machine.check()
        for event in heard:
            self._step(event)

    def _flush(self) -> None:
        """Send each peer what there is for it, in one frame as long as that is not too large."""
        if self.outbox:
            for peer, frames in self.outbox.items():
                for frame in frames if len(frames) == 1 else codec.joined(frames):
                    self._send(peer, frame)
            self.outbox.clear()

    def _send(self, peer: str, frame: bytes, data: Data | None = None) -> None:
        """Send a peer a frame, and data behind it, over whichever socket leads there."""
        if peer in self.dealers:
            self.dealers[peer].send(frame, data)
        elif not self.remote.send(peer, frame, data):
            self.main.send(peer, frame, data)

    # -- the host process --------------------------------------------------------------------------------------------

    def _read_control(self) -> bool:
        """Take in what the host process says; False when it is gone."""
        try:
            data = os.read(self.control, 1 << 16)
        except OSError:
            data = b""
        for frame in self.frames.feed(data):
            _HANDLERS[type(frame)](self, frame)
        return bool(data)

    def _on_worker_ended(self, frame: WorkerEnded) -> None:
        running = (frame.piece, frame.future) if frame.piece else None
        self._step(PeerLost(frame.worker, frame.status, frame.blame, running, frame.dump, frame.host))

    def _on_expect(self, frame: ExpectWorkers) -> None:
        self._step(Expect(frame.workers))

    def _on_no_more_workers(self, frame: NoMoreWorkers) -> None:
        self._step(GaveUp((frame.reason, True) if frame.initializer_raised else frame.reason))

    def _on_accept(self, frame: AcceptBroker) -> None:
        self.remote.allow(frame.name, frame.key)

    def _tell(self, frame: ControlFrame) -> None:
        """Tell the host process something; that it is gone will be seen when it is read."""
        data = memoryview(pack(frame))
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self.control, data) :]

    def _on_dial(self, frame: DialBroker) -> None:
        """Connect to a neighbour; where it was dialled at other addresses before, to these instead."""
        name, main, meta, ear, key = frame.name, frame.main, frame.meta, frame.ear, frame.key
        if key or not main.startswith("ipc://"):
            if self.remote.dial(name, (main, meta, ear), key, time.monotonic()):
                self._step(Dial(name))
            return
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


_HANDLERS: dict[type[ControlFrame], Callable[[BrokerShell, Any], None]] = {
    WorkerEnded: BrokerShell._on_worker_ended,
    DialBroker: BrokerShell._on_dial,
    AcceptBroker: BrokerShell._on_accept,
    ExpectWorkers: BrokerShell._on_expect,
    NoMoreWorkers: BrokerShell._on_no_more_workers,
}
"""What the host process says; it says nothing else."""


def main(settings: Settings, facts: dict[str, Any], name: str, control: int, box: Any, dump: int) -> None:
    """Run the Broker in this, just forked, process."""
    settings.forget_secrets()
    name_process("fedfut-broker")
    raise_descriptor_limit()
    keep_freed_memory()
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
            for key in ("run", "shared", "disk"):
                remove_tree(facts[key])
        sys.stderr.flush()
        os._exit(code)
