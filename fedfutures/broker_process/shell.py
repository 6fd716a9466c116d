"""The process around :class:`BrokerMachine`: its sockets, one pipe to the host process and back, one loop.

Workers, Origins and the neighbours that dial this Broker come to its ROUTER; each neighbour that it dials has a DEALER
of its own. Meta states go out by one PUB socket and come in by one SUB socket, whoever has dialled whom.
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

from .. import failpoints
from ..broker.events import (
    Action,
    AskHost,
    AskStandIn,
    Dial,
    EndedFor,
    EndForCancel,
    Event,
    Expect,
    GaveUp,
    HostAsks,
    HostReported,
    PeerContinued,
    PeerLost,
    PeerStopped,
    Publish,
    TellHost,
    WantWorkers,
)
from ..broker.files import Brought
from ..broker.machine import BrokerMachine
from ..errors import LocalProtocolError, MalformedMessage
from ..federation.events import Arrived, Send, Tick
from ..host.child import report_end
from ..host.directories import Hold
from ..host.marks import end_all
from ..host.settings import Settings
from ..host.system import keep_freed_memory, name_process, raise_descriptor_limit, write_all
from ..sockets.sockets import Data, MainDealer, MainRouter, MetaPublisher, NeighbourSubscriber, context, drained, wait
from ..wire import codec
from ..wire.control import (
    AcceptBroker,
    AskHostProcess,
    AskRun,
    ControlFrame,
    DialBroker,
    EndRun,
    EndWorker,
    ExpectPeers,
    HostProcessSays,
    NoMoreWorkers,
    RunSays,
    StandInWanted,
    TryPorts,
    WorkerContinued,
    WorkerEnded,
    WorkerStopped,
    WorkersWanted,
)
from ..wire.framing import FrameReader, pack
from ..wire.messages import PROTOCOL, Chunk, Message, Refused, Results, State
from ..wire.names import host_of
from . import host_watch
from .remote_sockets import RemoteSockets, Sequenced
from .storage import Storage

MOST_MESSAGES_AT_ONCE = 64
RENEWALS_AT_MOST = 8
DEATH_SECONDS = 1.0
"""How long after its last sign the host process may still be dying."""
TIDY_SECONDS = 0.1
CONTROL_BYTES = failpoints.size("broker.read", 1 << 16)


class BrokerShell:
    """Feeds the machine with what arrives and does what it says."""

    def __init__(self, settings: Settings, facts: dict[str, Any], name: str, control: int) -> None:
        self.name, self.control = name, control
        self.slots = settings.workers if settings.is_elastic else None
        self.frames = FrameReader()
        self.owner = context()
        self.main = MainRouter(self.owner, facts["main"])
        self.meta = MetaPublisher(self.owner, facts["meta"])
        self.subscriber = NeighbourSubscriber(self.owner, facts["subscriber"], name)
        self.dealers: dict[str, MainDealer] = {}  # by neighbour that is dialled
        self.dialled: dict[str, tuple[str, str, str]] = {}  # its addresses
        self.storage = Storage(facts["shared"], facts["run"], name, facts["disk"])
        self.machine = self._new_machine()
        self.malformed = 0
        self.is_over = False  # whether the host process ends in order, and tidies up itself
        self.outbox: dict[str, list[bytes]] = {}
        self.check = settings.debug
        self.expelled: set[str] = set()  # peers of this host that are not heard any more
        self.renewals = 0
        self.remote: RemoteSockets = RemoteSockets(
            self.owner, name, settings.far_address, self._tell, lambda neighbour: self.machine.peers.hears(neighbour)
        )

    def _new_machine(self) -> BrokerMachine:
        """Return a machine that knows nothing, as that of a Broker that has just been started."""
        incarnation = int.from_bytes(os.urandom(6), "big")
        return BrokerMachine(
            self.name, incarnation, codec.pack_plain, Random(os.urandom(16)), self.storage.size_of,
            self.storage.space(), self.storage.account, self.slots, lambda: self.remote.sent,
        )  # fmt: skip

    def run(self) -> None:
        """Serve until the host process ends."""
        while True:
            due, near, far = self.machine.next_deadline(), [self.main, self.subscriber, *self.dealers.values()], []
            if self.remote.is_used:
                far = self.remote.readables()
                reports = self.remote.deadline()
                due = reports if due is None or (reports is not None and reports < due) else due
            timeout = None if due is None else max(0.0, due - time.monotonic())
            sockets, pipes = wait([*near, *far], [self.control], timeout)
            if pipes and not self._read_control():
                return
            for socket in sockets:
                if socket is self.main:
                    for peer, frame, data in drained(self.main.receive, MOST_MESSAGES_AT_ONCE):
                        self._take_in(peer, self._decoded(frame), data)
                elif socket is self.subscriber:
                    for peer, frame in drained(self.subscriber.receive, MOST_MESSAGES_AT_ONCE):
                        self._learn(peer, self._decoded(frame))
            for neighbour, dealer in self.dealers.items():
                if dealer in sockets:
                    for frame, data in drained(dealer.receive_all, MOST_MESSAGES_AT_ONCE):
                        self._take_in(neighbour, self._decoded(frame), data)
            if far and not set(sockets).issubset(near):
                self._receive_remote()
            if self.outbox:
                self._flush()
            self._step(Tick())
            if self.outbox:
                self._flush()
            if self.remote.is_used:
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
        if peer in self.expelled:
            return
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
            if type(message) is State and name not in self.expelled:
                self._step(Arrived(name, 0, 0, message))
            else:
                self.malformed += 1

    # -- actions -----------------------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        heard: list[Event] = []
        try:
            actions = self.machine.step(event, time.monotonic())
        except Exception as error:
            actions = (
                self._expel(event, error) if isinstance(event, (Arrived, Brought)) else self._survive(event, error)
            )
        for action in actions:
            if isinstance(action, Send):
                frame = codec.encode(action.message, action.sequence, action.acknowledged)
                self.outbox.setdefault(action.peer, []).append(frame)
            elif isinstance(action, Publish):
                state = codec.encode(action.state)
                if not self.remote.publish(action.topic, state):
                    self.meta.publish(action.topic, self.name, state)
            elif isinstance(action, AskStandIn):
                self._tell(StandInWanted(self.name))
            elif isinstance(action, WantWorkers):
                self._tell(WorkersWanted(self.name, action.count, action.more))
            elif isinstance(action, EndForCancel):
                self._tell(EndWorker(action.worker, action.piece, action.ids, action.begun))
            elif isinstance(action, AskHost):
                self._tell(AskHostProcess(action.number, action.subject, action.worker))
            elif isinstance(action, TellHost):
                answer = action.answer
                self._tell(RunSays(answer.number, answer.name, answer.report, answer.last))
            elif (said := self.storage.do(action, self._send)) is not None:
                heard.append(said)
        if self.check:
            self.machine.check()
        for event in heard:
            self._step(event)

    def _expel(self, event: Arrived | Brought, error: Exception) -> list[Action]:
        """Break with the sender of a message that no rule of the machine is prepared for; it may be half taken in.

        What the sender held runs again, what it submitted is dropped. Where the books do not agree even so, the machine
        begins anew, as after a restart of this process, and all other peers say again what they hold and gave.
        """
        name, message = event.peer, event.message if isinstance(event, Arrived) else event.chunk
        why = f"Broker {self.name} does not hear {name} any more: its {type(message).__name__} raised {error!r}"
        print(f"fedfutures: {why}", file=sys.stderr)
        sys.excepthook(type(error), error, error.__traceback__)
        if self.remote.is_far(name):
            self.remote.mute(name, why)
        else:
            self.expelled.add(name)
            self._send(name, codec.encode(Refused(PROTOCOL, why)))
        try:
            lost = PeerLost(name, why, True, self._culprit(name, message), "", host_of(self.name))
            actions = self.machine.step(lost, time.monotonic())
            self.machine.check()
        except Exception:
            actions = self._begin_anew()
        return actions

    def _survive(self, event: Event, error: Exception) -> list[Action]:
        """An event that nobody has sent has no rule that is prepared for it: it may be half taken in."""
        print(f"fedfutures: in Broker {self.name}, {type(event).__name__} raised {error!r}", file=sys.stderr)
        sys.excepthook(type(error), error, error.__traceback__)
        actions = self._begin_anew()
        if isinstance(event, (PeerLost, PeerStopped, PeerContinued, Expect, GaveUp, Dial)):
            actions += self.machine.step(event, time.monotonic())  # the host process will not say it again
        return actions

    def _culprit(self, name: str, message: Message) -> tuple[int, int] | None:
        """Return (piece, id) of the Future to which a Worker's message is due: else it would run for ever.

        That is the first one of Results; anything else was probably sent by the Future that runs, the first one held.
        """
        if isinstance(message, Results) and message.ids:
            return message.piece, message.ids[0]
        account = self.machine.ledger.accounts.get(name)
        if account is None or self.remote.is_far(name) or not account.held:
            return None
        piece = next(iter(account.held.values()))
        return piece.number, next(iter(piece.pending))

    def _begin_anew(self) -> list[Action]:
        """Forget all but which processes there are."""
        self.renewals += 1
        if self.renewals > RENEWALS_AT_MOST:
            raise LocalProtocolError(f"Broker {self.name} has begun anew {RENEWALS_AT_MOST} times")
        print(f"fedfutures: Broker {self.name} begins anew, since its books do not agree", file=sys.stderr)
        old, now = self.machine, time.monotonic()
        self.storage.abandon_all()
        self.outbox.clear()
        self.machine = self._new_machine()
        workers, neighbours = (
            [peer.name for peer in peers if peer.name not in self.expelled]
            for peers in (old.peers.workers, old.peers.neighbours)
        )
        events: list[Event] = [Expect(workers, neighbours)]
        if old.recovery.gave_up is not None:
            events.append(GaveUp(old.recovery.gave_up))
        events += [Dial(name) for name in old.sessions.dials if name not in self.expelled]
        return [action for event in events for action in self.machine.step(event, now)]

    @failpoints.delayed("broker.flush")
    def _flush(self) -> None:
        """Send each peer what there is for it, in one frame as long as that is not too large."""
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

    @failpoints.delayed("broker.control")
    def _read_control(self) -> bool:
        """Take in what the host process says; False when it is gone."""
        try:
            data = os.read(self.control, CONTROL_BYTES)
        except OSError:
            data = b""
        for frame in self.frames.feed(data):
            _HANDLERS[type(frame)](self, frame)
        return bool(data) and not self.is_over

    def _on_end(self, frame: EndRun) -> None:
        self.is_over = True

    def close(self) -> None:
        """Close all sockets."""
        self.owner.destroy(linger=0)

    def _on_worker_ended(self, frame: WorkerEnded) -> None:
        self.expelled.discard(frame.worker)
        ended_for = None
        if frame.ended_for:
            ended_for = EndedFor(frame.ended_for, frame.ended_piece, frame.ended_future, frame.figure, frame.bound)
        running = _running(frame)
        printed = (frame.printed, [frame.out, frame.err]) if frame.printed else None
        more = ended_for, frame.nested, printed, (frame.once_piece, frame.once_future)
        self._step(PeerLost(frame.worker, frame.status, frame.blame, running, frame.dump, frame.host, *more))

    @failpoints.delayed("broker.tell")
    def _tell(self, frame: ControlFrame) -> None:
        """Tell the host process something; that it is gone will be seen when it is read."""
        with contextlib.suppress(OSError):
            write_all(self.control, memoryview(pack(frame)))

    def _on_dial(self, frame: DialBroker) -> None:
        """Connect to a neighbour; where it was dialled at other addresses before, to these instead."""
        name, main, meta, subscriber, key = frame.name, frame.main, frame.meta, frame.subscriber, frame.key
        if key or not main.startswith("ipc://"):
            if self.remote.dial(name, (main, meta, subscriber), key, time.monotonic()):
                self._step(Dial(name))
            return
        known = self.dialled.get(name)
        if known == (main, meta, subscriber):
            return
        if known is not None:
            self.dealers[name].close()
            self.subscriber.disconnect(known[1])
            self.meta.disconnect(known[2])
        self.dialled[name] = (main, meta, subscriber)
        self.dealers[name] = MainDealer(self.owner, main, self.name, far=True)
        self.subscriber.connect(meta)
        self.meta.connect(subscriber)
        if known is None:
            self._step(Dial(name))

    def _on_try_ports(self, frame: TryPorts) -> None:
        addresses = (frame.main, frame.meta, frame.subscriber)
        self.remote.try_ports(frame.name, addresses, frame.key, time.monotonic())


def _running(frame: WorkerEnded | WorkerStopped) -> tuple[int, int] | None:
    """Return (piece, id) of what a Worker runs or ran."""
    return (frame.piece, frame.future) if frame.piece else None


_HANDLERS: dict[type[ControlFrame], Callable[[BrokerShell, Any], None]] = {
    EndRun: BrokerShell._on_end,
    WorkerEnded: BrokerShell._on_worker_ended,
    WorkerStopped: lambda shell, frame: shell._step(PeerStopped(frame.worker, _running(frame))),
    WorkerContinued: lambda shell, frame: shell._step(PeerContinued(frame.worker)),
    DialBroker: BrokerShell._on_dial,
    TryPorts: BrokerShell._on_try_ports,
    AcceptBroker: lambda shell, frame: shell.remote.allow(frame.name, frame.key),
    ExpectPeers: lambda shell, frame: shell._step(Expect(frame.workers, frame.neighbours)),
    AskRun: lambda shell, it: shell._step(HostAsks(it.number, it.subject, it.seconds, it.worker)),
    HostProcessSays: lambda shell, frame: shell._step(HostReported(frame.number, frame.report)),
    NoMoreWorkers: lambda shell, it: shell._step(GaveUp((it.reason, True) if it.initializer_raised else it.reason)),
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
    host = facts["pid"]  # not os.getppid(): it may have been killed already
    code = 1
    hold = Hold(facts[key] for key in ("run", "shared", "disk"))
    try:
        shell = BrokerShell(settings, facts, name, control)
        host_watch.watch(settings.host, host, says=name == facts["brokers"][0]["name"])
        shell.run()
        code = 0
        if not shell.is_over:
            shell.close()  # nobody is to be linked to it while it looks who is left
            _tidy_up(hold, facts)
    except BaseException as error:
        if os.getppid() == host:  # a limit of the machine, or our own fault: say so, and be started again
            code = report_end(error, dump)
        else:
            _tidy_up(hold, facts)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _tidy_up(hold: Hold, facts: dict[str, Any]) -> None:
    """If the host process is dead, end what Workers have left, and remove the directories that nobody else holds.

    The pipe of a process that is killed closes a little before its locks are released, and before its children get
    another parent.
    """
    host, deadline = facts["pid"], time.monotonic() + DEATH_SECONDS
    while os.getppid() == host and time.monotonic() < deadline:
        time.sleep(0.001)
    if os.getppid() != host:
        end_all(facts["mark"])
        hold.remove_if_last(TIDY_SECONDS)
