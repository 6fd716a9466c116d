"""What a Broker's machine is told, and what it wants done."""

from __future__ import annotations

from typing import NamedTuple

from ..federation.events import Arrived, Send, Tick
from ..lazy_dataclass import dataclass, field
from ..wire import messages
from . import files

LossReason = str | tuple[str, bool]
"""What stands in a LOST outcome: a text, or a text and True where an initializer has raised."""


class EndedFor(NamedTuple):
    """For which Future a host process has ended a Worker, and what becomes of that Future."""

    kind: int  # of its outcome: OVERRAN, CANCELLED, OUT_OF_MEMORY
    piece: int
    number: int
    figure: int = 0  # of OUT_OF_MEMORY: how many bytes it used
    bound: int = 0  # how many it might use; 0: as its conditions say


@dataclass(slots=True)
class PeerLost:
    """Event: the host process says that a Worker has ended; `running` is what its crash cells named, if anything."""

    peer: str
    status: str  # how it ended, for people
    blame: bool  # whether what was running is to be counted as crashed
    running: tuple[int, int] | None  # (piece, id)
    dump: str
    host: str
    ended_for: EndedFor | None = None
    nested: bool = False  # an own Future of the running one ran inside of it
    printed: tuple[list[int], list[str]] | None = None  # a Future, [piece, id], and its standard output and error
    begun: tuple[int, int] | None = None  # which Future that starts once at most had begun last; None: nobody knows

    def printed_by(self, piece: int, number: int) -> tuple[list[str], ...]:
        """Return what this Future had printed, as the last part of a report; nothing where that is not known."""
        return () if self.printed is None or self.printed[0] != [piece, number] else (self.printed[1],)


LEFT = PeerLost("", "it has left on purpose", False, None, "", "", begun=(0, 0))
"""How a Worker ends that has told its Broker so: it has begun nothing of which it has not said the outcome."""


@dataclass(slots=True)
class PeerStopped:
    """Event: the host process says that a Worker is stopped by a signal; `running` as in :class:`PeerLost`."""

    peer: str
    running: tuple[int, int] | None  # (piece, id)


@dataclass(slots=True)
class PeerContinued:
    """Event: a Worker that was stopped goes on."""

    peer: str


@dataclass(slots=True)
class GaveUp:
    """Event: the host process will not start Workers again; what nobody else can run fails with this reason."""

    reason: LossReason


@dataclass(slots=True)
class Dial:
    """Event: link to this neighbour, which this end dials."""

    peer: str


@dataclass(slots=True)
class Expect:
    """Event: this Broker was started again; these peers are to introduce themselves."""

    workers: list[str]  # those that live
    neighbours: list[str] = field(default_factory=list)  # those that have a link; they may be out of reach


@dataclass(slots=True)
class HostAsks:
    """Event: somebody asks the host process what goes on in the Federation. Answered by :class:`TellHost`."""

    number: int
    subject: str  # "status" or "stack", as in :class:`~..wire.messages.Inquire`
    seconds: float
    worker: str = ""


@dataclass(slots=True)
class HostReported:
    """Event: what the host process says to an :class:`AskHost`."""

    number: int
    report: bytes


@dataclass(slots=True)
class Publish:
    """Action: publish a state on the Meta socket, for own Workers (topic "") or for one neighbour (its name)."""

    topic: str
    state: messages.State


@dataclass(slots=True)
class AskStandIn:
    """Action: ask the host process for a stand-in."""


@dataclass(slots=True)
class WantWorkers:
    """Action: tell the host process how many Workers could have something to run now."""

    count: int
    more: int = 0  # beyond the slots of the host; about so many, a power of two


@dataclass(slots=True)
class EndForCancel:
    """Action: ask the host process to end a Worker if it runs one of these Futures, which were cancelled."""

    worker: str
    piece: int
    ids: list[int]
    begun: bool  # as in :class:`~..wire.control.EndWorker`


@dataclass(slots=True)
class AskHost:
    """Action: ask the host process what it knows of its Workers."""

    number: int
    subject: str
    worker: str


@dataclass(slots=True)
class TellHost:
    """Action: pass this on to the host process, which has asked."""

    answer: messages.Answer


Action = Send | Publish | AskStandIn | WantWorkers | EndForCancel | AskHost | TellHost | files.Action
Event = (
    Arrived | PeerLost | PeerStopped | PeerContinued | GaveUp | Dial | Expect | HostAsks | HostReported | Tick
    | files.Event
)  # fmt: skip
