"""Every frame between Origin, connector, host processes and their Brokers, and nothing else.

A frame is a slotted dataclass, as a message is (:mod:`.messages`); its fields, in this order, are what msgpack carries
behind the frame's code. The annotations are the schema: whoever decodes checks each field against them, and raises
:class:`~fedfutures.errors.RemoteProtocolError` for anything else. Four bytes of length, most significant first, stand
in front of each frame (:mod:`.framing`), since these go over pipes and ssh connections::

    Origin <-> connector <-> host process <-> Broker

Without other hosts there is no connector: the *launching side* of a host process is then the Origin. What a Broker and
its neighbours say passes on unchanged: a frame names the Broker, so each hop can tell whose it is.

Nothing is decided by the wording of a text: texts are for people.
"""

from __future__ import annotations

from typing import Any

from ..lazy_dataclass import dataclass, field

Text = str
"""A text of any length; a plain `str` is a name of at most ``MAX_NAME_CHARACTERS``."""


# -- launching side to host process ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Probe:
    """Launching side to host process, before anything else: how far away are you? Answered by ``ProbeReply``."""


@dataclass(slots=True)
class BeginHost:
    """Launching side to host process: start your Brokers and Workers."""

    settings: dict[str, Any]  # the fields of host.settings.Settings


@dataclass(slots=True)
class DialBroker:
    """Launching side to host process to Broker: dial this neighbour, now and whenever you are started again.

    Said once more with other addresses, the Broker dials these instead.
    """

    broker: int  # which Broker of the host, from 0
    name: str  # the neighbour
    main: Text
    meta: Text
    ear: Text
    key: Text = ""  # the neighbour's public key; "" for one on the same host


@dataclass(slots=True)
class RelayBroker:
    """Launching side to host process: have the Broker dial this neighbour through the launching side."""

    broker: int
    name: str
    key: Text


@dataclass(slots=True)
class AcceptBroker:
    """Launching side to host process to Broker: accept this neighbour. Answered by ``BrokerAccepts``."""

    broker: int
    name: str
    key: Text  # the public key that it has; nobody else is accepted under its name


@dataclass(slots=True)
class HoldOutput:
    """Launching side to host process: the program does not take in what Workers print; let it wait in their pipes."""

    hold: bool  # False: no longer


@dataclass(slots=True)
class Heartbeat:
    """Launching side to host process: I live."""


@dataclass(slots=True)
class EndRun:
    """Launching side to host process, Origin to connector: the run has ended; end everything."""


# -- host process to launching side ------------------------------------------------------------------------------------


@dataclass(slots=True)
class ProbeReply:
    """Host process to launching side: the answer to ``Probe``."""


@dataclass(slots=True)
class HostReady:
    """Host process to launching side, connector to Origin: the Brokers have been started, and here they are.

    Said again when the launching side has come back after a lost connection. The connector says it of the host of the
    Origin when all hosts have answered, and adds what is true of all of them.
    """

    run: Text  # private directory of the host process: sockets, its door
    shared: Text  # private directory in shared memory
    disk: Text  # private directory on disk; "": there is none
    pid: int
    python: list[int]  # version, three numbers
    brokers: list[list[str]]  # name, main, meta, ear, key ("") of each
    size: int = 0  # Workers of the Federation; 0: the Origin knows by itself
    hosts: list[str] = field(default_factory=list)  # those that have Workers, the same


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
class WorkerOutput:
    """Host process to launching side to Origin: a Worker has printed something."""

    worker: str
    stream: int  # 1 or 2 as descriptors are numbered, 3: log records
    text: bytes


@dataclass(slots=True)
class WorkerEnded:
    """Host process to its Broker, and where it is to blame to the launching side and the Origin: a Worker has ended."""

    worker: str
    host: str
    status: Text  # how
    blame: bool  # what was running is to be counted as crashed; False: it has ended orderly
    initializer_raised: bool  # no other Worker would start, either
    piece: int  # the Batch of which it was running a Future; 0: none was running
    future: int
    dump: Text  # what faulthandler has written; ""


@dataclass(slots=True)
class HostProcessGone:
    """What stands for a host process to connector: the one that you come back to is not there any more."""


# -- Broker to host process, which passes it on to the launching side --------------------------------------------------


@dataclass(slots=True)
class BrokerBound:
    """Broker to host process to connector: my public key, and where neighbours on other hosts reach me."""

    broker: str
    key: Text
    address: Text = ""  # "": nowhere
    main: int = 0  # ports
    meta: int = 0
    ear: int = 0
    error: Text = ""  # why it cannot be reached; ""


@dataclass(slots=True)
class BrokerAccepts:
    """Broker to host process to connector: the neighbour of an ``AcceptBroker`` may dial now."""

    broker: str
    neighbour: str


@dataclass(slots=True)
class LinkState:
    """Broker to host process to connector: how the link is to a neighbour on another host, which I dial."""

    broker: str
    neighbour: str
    up: bool
    why: Text  # it is not up; ""


# -- host process to Broker --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ExpectWorkers:
    """Host process to Broker that was started again: these Workers live, and will come with what they hold."""

    workers: list[str]


@dataclass(slots=True)
class NoMoreWorkers:
    """Host process to Broker: Workers cannot be started here; none will come any more."""

    reason: Text
    initializer_raised: bool = False


# -- relayed links, between host process and connector -----------------------------------------------------------------


@dataclass(slots=True)
class OpenStream:
    """Either way: a connection to a socket of a Broker of the receiver, or behind it."""

    stream: int  # odd: numbered by a host process; even: by the connector
    broker: str
    socket: str  # "main", "meta" or "ear"


@dataclass(slots=True)
class StreamData:
    """Either way: bytes of a stream."""

    stream: int
    data: bytes


@dataclass(slots=True)
class StreamCredit:
    """Either way: bytes were passed on, the receiver may send as many more."""

    stream: int
    count: int


@dataclass(slots=True)
class CloseStream:
    """Either way: a stream has ended."""

    stream: int


# -- Origin and connector ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class BeginRun:
    """Origin to connector: log in to the hosts and begin the run. Answered by ``HostReady`` or ``StartRefused``."""

    request: dict[str, Any]  # the fields of fedfutures_launcher.layout.assemble.Request


@dataclass(slots=True)
class HostTable:
    """Connector to Origin: the table of hosts, to be shown before the program runs."""

    text: Text
    problems: bool  # show it even if the user wants to see little


@dataclass(slots=True)
class Notice:
    """Connector to Origin: something for people."""

    text: Text


@dataclass(slots=True)
class StartRefused:
    """Connector to Origin: the run cannot begin."""

    reason: Text
    exit_code: int
    hosts: dict[str, str]  # of each host that cannot be used: why, and what to do


@dataclass(slots=True)
class NoWorkersLeft:
    """Connector to Origin: the last host with Workers is given up."""

    reason: Text


ControlFrame = (
    Probe | BeginHost | DialBroker | RelayBroker | AcceptBroker | HoldOutput | Heartbeat | EndRun
    | ProbeReply | HostReady | BrokerRestarted | BrokerGivenUp | WorkerOutput | WorkerEnded
    | BrokerBound | BrokerAccepts | LinkState | ExpectWorkers | NoMoreWorkers
    | OpenStream | StreamData | StreamCredit | CloseStream
    | BeginRun | HostTable | Notice | StartRefused | NoWorkersLeft | HostProcessGone
)  # fmt: skip
StreamFrame = OpenStream | StreamData | StreamCredit | CloseStream

CONTROL_CODES: dict[int, type[ControlFrame]] = {
    1: Probe, 2: BeginHost, 3: DialBroker, 4: RelayBroker, 5: AcceptBroker, 6: HoldOutput, 7: Heartbeat, 8: EndRun,
    9: ProbeReply, 10: HostReady, 11: BrokerRestarted, 12: BrokerGivenUp, 13: WorkerOutput, 14: WorkerEnded,
    15: BrokerBound, 16: BrokerAccepts, 17: LinkState, 18: ExpectWorkers, 19: NoMoreWorkers,
    20: OpenStream, 21: StreamData, 22: StreamCredit, 23: CloseStream,
    24: BeginRun, 25: HostTable, 26: Notice, 27: StartRefused, 28: NoWorkersLeft,
    29: HostProcessGone,
}  # fmt: skip
"""Codes on the wire; a code is never used again for another frame."""

SOCKETS = ("main", "meta", "ear")
"""The three sockets of a Broker: its ROUTER, its PUB and its SUB."""
MAX_CONTROL_BYTES = 64 << 20
