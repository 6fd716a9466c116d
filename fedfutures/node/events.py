"""What goes into a node's machine (events) and what comes out of it (actions)."""

from __future__ import annotations

from typing import Any

from ..federation.events import Arrived, Send, Tick
from ..federation.terms import FREE, Conditions
from ..lazy_dataclass import dataclass
from ..wire.messages import ANY, Message, Results


@dataclass(slots=True)
class Offer:
    """Event: give these own Futures to the Broker."""

    digest: bytes
    ids: list[int]
    payloads: list[bytes]
    backlog: int
    priority: int = 0
    root: str = ""  # the Origin they stem from; "": this node
    conditions: Conditions = FREE


@dataclass(slots=True)
class Finished:
    """Event: outcomes of held Futures of one piece; `seconds` were measured on `count` of them."""

    piece: int
    ids: list[int]
    outcomes: list[bytes]
    odd: list[tuple[int, int]]
    seconds: float
    count: int
    facts: bytes = b""

    def as_results(self, attempt: int) -> Results:
        """Return the message that says so."""
        return Results(
            self.piece, attempt, self.ids, self.outcomes, self.odd, self.seconds, self.count, self.facts
        )  # fmt: skip


@dataclass(slots=True)
class GiveBack:
    """Event: these held Futures were not started and go back."""

    piece: int
    ids: list[int]


@dataclass(slots=True)
class NodeLoad:
    """Event: what the node has now; the machine says its Demand if that is news."""

    unstarted: int  # held, not started
    own: int  # submitted here, neither started nor given
    busy: bool  # something is being run right now
    one_by_one: bool = False  # nothing is to wait behind what runs: it takes longer than expected, or is the last
    locked_in: bool = False  # nothing of others is started: a Future that waits here holds a lock
    starts: int = ANY  # which Futures may be started (wire/messages.py)


@dataclass(slots=True)
class CancelGiven:
    """Event: ask for these own Futures, given before, back for good."""

    ids: list[int]
    running: bool = False  # also those that run


@dataclass(slots=True)
class Share:
    """Event: share a constant with every node."""

    name: str
    body: bytes


@dataclass(slots=True)
class ReportRunning:
    """Event: these held Futures have been running for a while; `kept` as in :class:`~..wire.messages.Running`."""

    piece: int
    ids: list[int]
    kept: int = 0


@dataclass(slots=True)
class Leave:
    """Event: the node leaves on purpose."""

    reason: str


@dataclass(slots=True)
class Rejoin:
    """Event: the Broker is said to have been started again."""


@dataclass(slots=True)
class BrokerEnded:
    """Event: the Broker has ended, and all that it held with it; what it has said and is still to come is void."""


@dataclass(slots=True)
class Ask:
    """Event: ask the Federation; the answers come as :class:`Told`."""

    number: int
    subject: str  # "explain", "statistics" or "generators"
    submitter: str = ""
    future: int = 0
    seconds: float = 1.0


@dataclass(slots=True)
class Looked:
    """Event: the answer to :class:`Look`."""

    number: int
    report: Any


@dataclass(slots=True)
class Require:
    """Event: ask the Origin for a module; the answer comes as :class:`Provided`."""

    key: bytes


@dataclass(slots=True)
class Provide:
    """Event, at an Origin: the answer to :class:`Asked`; an empty body: there is none, and `name` says why."""

    key: bytes
    name: str
    body: bytes


@dataclass(slots=True)
class FetchFile:
    """Event: have a segment brought to this host; the answer comes as :class:`FileFetched`."""

    name: str


@dataclass(slots=True)
class LaneOpened:
    """Event, at a submitter: a Worker that is lent has opened a lane."""

    number: int  # of the lease
    worker: str


@dataclass(slots=True)
class LaneArrived:
    """Event: something has come over a lane."""

    number: int
    message: Message


@dataclass(slots=True)
class LaneClosed:
    """Event: nothing comes over a lane any more; all that has come was said before."""

    number: int


@dataclass(slots=True)
class Run:
    """Action: the function of this piece is here, so its Futures may be executed."""

    piece: int
    body: bytes  # the function's definition


@dataclass(slots=True)
class Asked:
    """Action, at an Origin: somebody needs this module; answered by :class:`Provide`."""

    key: bytes


@dataclass(slots=True)
class Provided:
    """Action: what :class:`Require` asked for, or an empty body, and why."""

    key: bytes
    name: str
    body: bytes


@dataclass(slots=True)
class FileFetched:
    """Action: a segment has been brought to this host; `size` is -1 when it is not to be had."""

    name: str
    size: int


@dataclass(slots=True)
class Resolve:
    """Action: own Futures have outcomes; `odd` lists (id, kind) of those that are not plain values."""

    ids: list[int]
    outcomes: list[bytes]
    odd: list[tuple[int, int]]
    facts: bytes = b""


@dataclass(slots=True)
class Started:
    """Action: own Futures are known to be running; `kept` as in :class:`~..wire.messages.Running`."""

    ids: list[int]
    kept: int = 0


@dataclass(slots=True)
class Shared:
    """Action: a shared constant has this value now."""

    name: str
    body: bytes


@dataclass(slots=True)
class Reclaim:
    """Action: these own Futures, given before, are with nobody that is known: offer them again, the first first."""

    ids: list[int]


@dataclass(slots=True)
class Told:
    """Action: what machine `name` says to an :class:`Ask`; an empty report: it did not answer in time."""

    number: int
    name: str
    report: bytes
    last: bool


@dataclass(slots=True)
class Look:
    """Action: somebody asks what only the shell can see; answered by :class:`Looked`."""

    number: int
    subject: str  # "status" or "stack"; of a Worker also "generators" (which ones Futures have drawn from) and "ran"
    asker: str = ""  # of "ran"


@dataclass(slots=True)
class OpenLane:
    """Action, at a Worker that is lent: open a lane to its submitter; where that fails it is as if it was closed."""

    number: int
    submitter: str


@dataclass(slots=True)
class LaneSend:
    """Action: send this over a lane."""

    number: int
    message: Message


@dataclass(slots=True)
class CloseLane:
    """Action: take in what has come over a lane, and close it; :class:`LaneClosed` says that it is done."""

    number: int


@dataclass(slots=True)
class Linked:
    """Action: the link is open."""


@dataclass(slots=True)
class Denied:
    """Action: the Broker refuses this node."""

    reason: str


Event = (
    Arrived | Offer | Finished | GiveBack | NodeLoad | CancelGiven | Share | ReportRunning | Leave | Rejoin
    | BrokerEnded | Ask | Require | Provide | FetchFile | Looked | LaneOpened | LaneArrived | LaneClosed | Tick
)  # fmt: skip
Action = (
    Send | Run | Resolve | Started | Shared | Reclaim | Told | Asked | Provided | FileFetched | Look | OpenLane
    | LaneSend | CloseLane | Linked | Denied
)  # fmt: skip
