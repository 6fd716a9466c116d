"""Every frame between Origin, connector, host processes and their Brokers, and nothing else.

A frame is a slotted dataclass, as a message is (:mod:`.messages`): msgpack carries its fields in this order, behind the
frame's code. The annotations are the schema: whoever decodes checks each field against them and raises
:class:`~fedfutures.errors.RemoteProtocolError` for anything else. Four bytes of length, most significant first, stand
in front of each frame (:mod:`.framing`), since frames go over pipes and ssh connections::

    Origin <-> connector <-> host process <-> Broker or Worker

The *launching side* of a host process is the connector, but on the Origin's machine the Origin. There the connector
comes to the door of the host process, only for what concerns links; without other hosts there is no connector. Frames
of and for a Broker name it and pass each hop unchanged. Texts are for people: no code decides by their wording.
"""

from __future__ import annotations

from typing import Any, get_args

from ..lazy_dataclass import dataclass, field
from .asking import (
    AskHostProcess as AskHostProcess,
    AskRun as AskRun,
    CancelFuture as CancelFuture,
    HostProcessSays as HostProcessSays,
    RunNews as RunNews,
    RunSays as RunSays,
    WatchRun as WatchRun,
)
from .door import (
    AddHost as AddHost,
    BeginServer as BeginServer,
    EndServer as EndServer,
    FederationSize as FederationSize,
    HostAdded as HostAdded,
    HostComes as HostComes,
    HostProcessEnded as HostProcessEnded,
    HostRemoved as HostRemoved,
    HostStarted as HostStarted,
    HostsThere as HostsThere,
    KeyRevoked as KeyRevoked,
    MoreWanted as MoreWanted,
    OpenSession as OpenSession,
    RemoveHost as RemoveHost,
    ResizeHost as ResizeHost,
    ResizeRun as ResizeRun,
    RevokeKey as RevokeKey,
    RunReport as RunReport,
    ServerReady as ServerReady,
    ServerStatus as ServerStatus,
    SlotsWanted as SlotsWanted,
    StartHost as StartHost,
    StatusWanted as StatusWanted,
    Text as Text,
    WatchHosts as WatchHosts,
    WithdrawWorker as WithdrawWorker,
    WorkersWanted as WorkersWanted,
)
from .forks import (
    ForkWorker as ForkWorker,
    TemplateReady as TemplateReady,
    WorkerForked as WorkerForked,
)


@dataclass(slots=True)
class Probe:
    """Launching side to host process, before anything else: are you fit, and how far away? Answered by ``ProbeReply``.

    The second one asks for nothing, so that its answer measures the latency.
    """

    directory: Text = ""  # in which Workers are to work, "." if any will do; "": nothing is asked
    packages: list[str] = field(default_factory=list)  # distributions whose versions are asked for


@dataclass(slots=True)
class BeginHost:
    """Launching side to host process: start your Brokers and Workers."""

    settings: dict[str, Any]  # the fields of host.settings.Settings


@dataclass(slots=True)
class DialBroker:
    """Launching side to host process to Broker: dial this neighbour, now and whenever you are started again.

    A later frame with other addresses replaces this one.
    """

    broker: int  # which Broker of the host, from 0
    name: str  # the neighbour
    main: Text
    meta: Text
    subscriber: Text
    key: Text = ""  # the neighbour's public key; "" for one on the same host


@dataclass(slots=True)
class RelayBroker:
    """Launching side to host process: have the Broker dial this neighbour through the launching side."""

    broker: int
    name: str
    key: Text


@dataclass(slots=True)
class TryPorts:
    """Launching side to host process to Broker: this neighbour is dialled through ssh; see if its ports work now.

    If they do, the Broker moves the link there and says so by ``LinkState``; if not, it says nothing.
    """

    broker: int
    name: str
    main: Text
    meta: Text
    subscriber: Text
    key: Text


@dataclass(slots=True)
class AcceptBroker:
    """Launching side to host process to Broker: accept this neighbour. Answered by ``BrokerAccepts``."""

    broker: int
    name: str
    key: Text  # its public key; nobody else is accepted under its name; "": it dials by a path of this machine


@dataclass(slots=True)
class HoldOutput:
    """Launching side to host process: leave what Workers print in their pipes, for the program does not read it."""

    hold: bool  # False: no longer


@dataclass(slots=True)
class Heartbeat:
    """Launching side to host process: I live."""


@dataclass(slots=True)
class EndRun:
    """Launching side to host process to Broker, Origin to connector: the run has ended; end everything."""


@dataclass(slots=True)
class ProbeReply:
    """Host process to launching side: the answer to ``Probe``."""

    missing: Text = ""  # the directory, if Workers cannot work in it
    unusable: Text = ""  # why a run cannot have directories of its own here
    versions: dict[str, str] = field(default_factory=dict)  # of those packages that are installed
    login: Text = ""  # the machine, user and ssh server: hosts that say the same are one; "": not known


@dataclass(slots=True)
class HostReady:
    """Host process to launching side, Origin to connector: the Brokers have been started, and here they are.

    Sent again when the launching side has come back after a lost connection. The Origin passes on that of its own host,
    and the connector comes to the door there.
    """

    run: Text  # private directory of the host process: sockets, its door
    shared: Text  # private directory in shared memory
    disk: Text  # private directory on disk; "": there is none
    pid: int
    python: list[int]  # version, three numbers
    brokers: list[list[str]]  # name, main, meta, subscriber, key ("") of each
    mark: int = 0  # of what its Workers start (host.marks); 0: there is none


@dataclass(slots=True)
class BrokerRestarted:
    """Host process to launching side to Origin: a Broker has ended and was started again."""

    broker: str
    status: Text  # how the one before it ended


@dataclass(slots=True)
class BrokerGivenUp:
    """Host process to launching side: a Broker cannot be kept running, so this host ends."""

    reason: Text


@dataclass(slots=True)
class HostLeaves:
    """Host process to connector: I was told to end, and do; do not come back to this host."""

    reason: Text


@dataclass(slots=True)
class WorkerOutput:
    """Host process to launching side to Origin: a Worker has printed something."""

    worker: str
    stream: int  # 1 or 2 as descriptors are numbered, 3: log records
    text: bytes


@dataclass(slots=True)
class WorkerEnded:
    """Host process to its Broker, and unless orderly also to the launching side and the Origin: a Worker has ended."""

    worker: str
    host: str
    status: Text  # how
    blame: bool  # count what was running as crashed; False: the end was orderly, or not the Future's fault
    initializer_raised: bool  # no other Worker would start, either
    piece: int  # the Batch of which it was running a Future; 0: none was running
    future: int
    dump: Text  # what faulthandler has written; ""
    ended_for: int = 0  # the host process has ended it for a Future: the kind of that one's outcome, as OVERRAN; else 0
    ended_piece: int = 0  # the Batch of that Future
    ended_future: int = 0
    figure: int = 0  # of OUT_OF_MEMORY: how many bytes it used
    nested: bool = False  # what ran was a Future that the named one had submitted, inside of it
    bound: int = 0  # of OUT_OF_MEMORY: how many it might use; 0: as its `memory` says. With `blame`: the kernel's limit
    printed: list[int] = field(default_factory=list)  # the Batch and Future of which what it printed is kept, or none
    out: Text = ""
    err: Text = ""
    once_piece: int = 0  # the Batch of the last Future that has begun of those that start once at most; 0: none has
    once_future: int = 0


@dataclass(slots=True)
class StandInWanted:
    """A Broker to its host process: start a stand-in, for Futures with a time limit wait, and others in each Worker."""

    broker: str


@dataclass(slots=True)
class EndWorker:
    """A Broker to its host process: one of these Futures of this Worker was cancelled; if it runs, end the Worker."""

    worker: str
    piece: int
    futures: list[int]
    begun: bool  # the Worker has said that they have begun; False: only if its crash cells name one of them


@dataclass(slots=True)
class WorkerStopped:
    """Host process to its Broker: a Worker is stopped by a signal. Others are to run what it has not started."""

    worker: str
    piece: int  # the Batch of which it is running a Future; 0: none is running
    future: int


@dataclass(slots=True)
class WorkerContinued:
    """Host process to its Broker: a Worker that was stopped goes on."""

    worker: str


@dataclass(slots=True)
class HostProcessGone:
    """Sent in place of a host process to the connector that comes back to it: that host process has ended."""


@dataclass(slots=True)
class BrokerBound:
    """Broker to host process to connector: my public key, and where neighbours on other hosts reach me."""

    broker: str
    key: Text
    address: Text = ""  # "": nowhere
    main: int = 0  # ports
    meta: int = 0
    subscriber: int = 0
    error: Text = ""  # why it cannot be reached; ""


@dataclass(slots=True)
class BrokerAccepts:
    """Broker to host process to connector: the neighbour of an ``AcceptBroker`` may dial now."""

    broker: str
    neighbour: str


@dataclass(slots=True)
class LinkState:
    """Broker to host process to connector: whether the link is up to a neighbour on another host, which I dial."""

    broker: str
    neighbour: str
    up: bool
    why: Text  # the reason why it is not up; ""
    relayed: bool = False  # it goes through the ssh connection


@dataclass(slots=True)
class ExpectPeers:
    """Host process to a Broker started again: these peers are to come with the Futures that they hold."""

    workers: list[str]  # those that live
    neighbours: list[str]  # those that have a link; they may be out of reach


@dataclass(slots=True)
class NoMoreWorkers:
    """Host process to Broker: Workers cannot be started here, so no more will come."""

    reason: Text
    initializer_raised: bool = False


@dataclass(slots=True)
class OpenStream:
    """Either way: a connection to a socket of a Broker of the receiver, or behind it."""

    stream: int  # odd: numbered by a host process; even: by the connector
    broker: str
    socket: str  # "main", "meta" or "subscriber"


@dataclass(slots=True)
class StreamData:
    """Either way: bytes of a stream."""

    stream: int
    data: bytes


@dataclass(slots=True)
class StreamCredit:
    """Either way: I have passed this many bytes on, so you may send as many more."""

    stream: int
    count: int


@dataclass(slots=True)
class CloseStream:
    """Either way: a stream has ended."""

    stream: int


@dataclass(slots=True)
class BeginRun:
    """Origin to connector: log in to the hosts and begin the run. Answered by ``RunPlanned`` or ``StartRefused``."""

    request: dict[str, Any]  # the fields of fedfutures_launcher.layout.assemble.Request


@dataclass(slots=True)
class RunPlanned:
    """Connector to Origin: all hosts have answered or failed, and those that can take part have their settings."""

    settings: dict[str, Any]  # of the Origin's host: the fields of host.settings.Settings
    hosts: list[str]  # those that have Workers


@dataclass(slots=True)
class KeepNote:
    """Connector to Origin: if I die, give this to the connector that follows. It replaces the note of that name."""

    name: Text
    value: dict[str, Any]


@dataclass(slots=True)
class HostTable:
    """Connector to Origin: the table of hosts, to be shown before the program runs."""

    text: Text
    problems: bool  # show it even to a user who wants to see little


@dataclass(slots=True)
class Notice:
    """Connector to Origin: a text for people."""

    text: Text


@dataclass(slots=True)
class StartRefused:
    """Connector to Origin: the run cannot begin."""

    reason: Text
    exit_code: int
    hosts: dict[str, str]  # of each host that cannot be used: why, and what to do


@dataclass(slots=True)
class NoWorkersLeft:
    """Connector to Origin: the last host with Workers is given up. Host process to launching side: this host ends."""

    reason: Text


ControlFrame = (
    Probe | BeginHost | DialBroker | RelayBroker | AcceptBroker | HoldOutput | Heartbeat | EndRun | ProbeReply
    | HostReady | BrokerRestarted | BrokerGivenUp | WorkerOutput | WorkerEnded | BrokerBound | BrokerAccepts | LinkState
    | ExpectPeers | NoMoreWorkers | OpenStream | StreamData | StreamCredit | CloseStream | BeginRun | HostTable
    | Notice | StartRefused | NoWorkersLeft | HostProcessGone | WorkerStopped | WorkerContinued | TryPorts
    | HostLeaves | RunPlanned | KeepNote | StandInWanted | EndWorker | ResizeHost | WorkersWanted | RunReport
    | StatusWanted | ServerStatus | StartHost | HostStarted | HostProcessEnded | BeginServer | EndServer
    | WithdrawWorker | FederationSize | TemplateReady | ForkWorker | WorkerForked | ResizeRun
    | OpenSession | ServerReady | AddHost | HostAdded | RemoveHost | HostRemoved | WatchHosts | HostsThere | HostComes
    | MoreWanted | SlotsWanted | RevokeKey | KeyRevoked | AskRun | RunSays | AskHostProcess | HostProcessSays
    | CancelFuture | WatchRun | RunNews
)  # fmt: skip
StreamFrame = OpenStream | StreamData | StreamCredit | CloseStream

CONTROL_CODES: dict[int, type[ControlFrame]] = dict(enumerate(get_args(ControlFrame), 1))
"""Codes on the wire: the places in ``ControlFrame``. A new one goes to the end, and no place is ever used again."""

SOCKETS = ("main", "meta", "subscriber")
"""The three sockets of a Broker: its ROUTER, its PUB and its SUB."""
MAX_CONTROL_BYTES = 64 << 20
